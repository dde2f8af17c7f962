"""TLS by files: our own certificate for those who call, and whose certificates we believe when we call another worker.

The certificate is read again when its file changes, for connections that begin later: it is renewed without a restart.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from decisioning.streaming.settings import PREFIX, Settings, SettingsError

_NAMES: Final = f"{PREFIX}API_TLS_CERT_FILE"


class ServerTls:
    """The server's side; `context` is None without a certificate."""

    def __init__(self, settings: Settings) -> None:
        """SettingsError where the files are no pair in PEM form."""
        self._cert, self._key = settings.api_tls_cert_file, settings.api_tls_key_file
        self._seen: list[int] = []
        self.context: ssl.SSLContext | None = None
        if self._cert is not None and self._key is not None:
            self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.context.minimum_version = ssl.TLSVersion.TLSv1_2
            try:
                self._load(self.context, self._cert, self._key)
            except (OSError, ValueError):  # SSLError is an OSError
                raise SettingsError(
                    f"{_NAMES}: it and API_TLS_KEY_FILE are no matching pair in PEM form without a passphrase"
                ) from None

    def refresh(self) -> bool:
        """Read the certificate again if it changed; whether that went well. A bad one never replaces a good one."""
        if (
            self.context is None
            or self._cert is None
            or self._key is None
            or _stamps(self._cert, self._key) == self._seen
        ):
            return True
        try:
            self._load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), self._cert, self._key)
            self._load(self.context, self._cert, self._key)
        except (OSError, ValueError):
            return False
        return True

    def _load(self, context: ssl.SSLContext, cert: Path, key: Path) -> None:
        self._seen = _stamps(cert, key)
        context.load_cert_chain(cert, key, password=_no_passphrase)


def for_peers(settings: Settings) -> ssl.SSLContext:
    """How other workers' certificates are checked: by our own authority's file, else by the system's."""
    try:
        context = ssl.create_default_context(cafile=settings.api_tls_ca_file)
    except (OSError, ValueError):
        raise SettingsError(f"{PREFIX}API_TLS_CA_FILE: holds no certificate in PEM form; export it as PEM") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _stamps(*paths: Path) -> list[int]:
    return [path.stat().st_mtime_ns if path.exists() else 0 for path in paths]


def _no_passphrase() -> str:
    """Without this an encrypted key makes OpenSSL ask at the terminal, and a worker has none."""
    raise ValueError
