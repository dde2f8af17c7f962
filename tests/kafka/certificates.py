"""An authority of the test's own and certificates by it, made by the `openssl` that every Linux has.

A library (trustme) would bring cryptography into the lock for these few lines, and its keys are not in the form that
Kafka reads.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.kafka.jars import NoKafka


class Authority:
    """Signs certificates; `file` is what its clients trust, in PEM form. NoKafka where there is no openssl."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = folder / "authority.pem"
        self._key = folder / "authority.key"
        folder.mkdir(parents=True, exist_ok=True)
        _openssl(
            "req", "-x509", *_new_key(self._key), "-subj", "/CN=tests", "-days", "2", "-out", str(self.file),
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip

    def sign(self, name: str = "IP:127.0.0.1", *, days: int = 2) -> Path:
        """Key and certificate of a server of this name in one PEM file; with -1 day it has expired."""
        stem = self._folder / f"{name.replace(':', '-')}-{days}"
        key, request, told, signed = (stem.with_name(f"{stem.name}.{kind}") for kind in ("key", "csr", "ext", "crt"))
        told.write_text(f"subjectAltName={name}\nextendedKeyUsage=serverAuth\n")
        _openssl("req", "-new", *_new_key(key), "-subj", "/CN=broker", "-out", str(request))
        _openssl(
            "x509", "-req", "-in", str(request), "-CA", str(self.file), "-CAkey", str(self._key), "-CAcreateserial",
            "-days", str(days), "-extfile", str(told), "-out", str(signed),
        )  # fmt: skip
        whole = stem.with_name(f"{stem.name}.pem")
        whole.write_text(key.read_text() + signed.read_text() + self.file.read_text())
        return whole


def _new_key(path: Path) -> list[str]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(path)]


def _openssl(*arguments: str) -> None:
    if shutil.which("openssl") is None:
        raise NoKafka("certificates of a test are made by openssl, and there is no `openssl`")
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise NoKafka(f"openssl {arguments[0]}: {done.stderr.strip()[-500:]}")
