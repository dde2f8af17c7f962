"""TLS by files: served, followed when renewed, checked between workers."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from decisioning.streaming.api.peers import Peers
from decisioning.streaming.api.tls import ServerTls, for_peers
from decisioning.streaming.api.tokens import Scope, Token
from decisioning.streaming.http import Answer, Listener
from decisioning.streaming.settings import Settings, SettingsError


def pair(folder: Path, *, name: str = "localhost") -> dict[str, Path]:
    """A certificate of its own authority and its key, as settings."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-addext",
            f"subjectAltName=DNS:{name}", "-out", cert, "-keyout", key,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return {"api_tls_cert_file": cert, "api_tls_key_file": key, "api_tls_ca_file": cert}


async def answer(request: web.BaseRequest) -> web.StreamResponse:
    """Says hello."""
    return Answer(200, b"hello")


async def test_another_worker_is_believed_by_our_authority_alone(tmp_path: Path) -> None:
    """Its certificate is checked, its name too; nothing is asked of a stranger."""
    settings = Settings.model_validate(pair(tmp_path))
    tls = ServerTls(settings)
    who = Token("crm", frozenset({Scope.READ}))
    async with Listener("localhost", 0, answer, named="x", tls=tls.context) as listener:
        for context, address, told in (
            (for_peers(settings), "localhost", True),
            (for_peers(settings), "127.0.0.1", False),
            (for_peers(Settings()), "localhost", False),
        ):
            peers = Peers(lambda: b"k" * 32, context)
            found = await peers.ask(f"https://{address}:{listener.port}", "/v1/decisions/x", who)
            assert (found is not None) is told
            await peers.close()
        with pytest.raises(aiohttp.ClientError):
            async with aiohttp.ClientSession() as session, session.get(f"http://localhost:{listener.port}/"):
                pass


def test_old_versions_are_refused(tmp_path: Path) -> None:
    """TLS 1.2 or newer on both sides."""
    context = ServerTls(Settings.model_validate(pair(tmp_path))).context
    assert context is not None
    assert context.minimum_version == for_peers(Settings()).minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_renewed_certificate_is_followed_and_a_bad_one_is_not(tmp_path: Path) -> None:
    """No restart, and no outage by half a file."""
    files = pair(tmp_path)
    tls = ServerTls(Settings.model_validate(files))
    before = tls.context
    pair(tmp_path)
    assert tls.refresh()
    assert tls.context is before  # connections that begin later use what it was given
    files["api_tls_cert_file"].write_text("half")
    assert not tls.refresh()
    assert tls.refresh()  # said once
    files["api_tls_cert_file"].unlink()
    assert not tls.refresh()


def test_without_files_there_is_none_and_bad_ones_are_named(tmp_path: Path) -> None:
    """Which variable, and what to do."""
    assert ServerTls(Settings()).context is None
    assert ServerTls(Settings()).refresh()
    bad = tmp_path / "bad.pem"
    bad.write_text("no PEM")
    with pytest.raises(SettingsError, match=r"DECISIONING_API_TLS_CERT_FILE: .* no matching pair"):
        ServerTls(Settings(api_tls_cert_file=bad, api_tls_key_file=bad))
    with pytest.raises(SettingsError, match="DECISIONING_API_TLS_CA_FILE: "):
        for_peers(Settings(api_tls_ca_file=bad))
