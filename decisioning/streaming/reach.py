"""Why Kafka does not let us in: aiokafka's clients say only that they could not begin, so one more connection asks."""

from __future__ import annotations

import asyncio
import ssl
from socket import gaierror
from typing import Any, Final

from aiokafka.conn import create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from decisioning.streaming.settings import PREFIX, Settings, kafka_options

_MS: Final = 3000
_EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 10, 62, 64  # OpenSSL's X509_V_ERR_ codes


async def why_not(settings: Settings) -> str:
    """What keeps us from the brokers of the settings and how to mend it, in one line; never a password.

    Asks each address once, all together, for 3 seconds; the first that is not just absent speaks for all.
    """
    options = kafka_options(settings)
    del options["bootstrap_servers"]
    found = await asyncio.gather(*(_refusal(address, options) for address in settings.brokers))
    errors = [error for error in found if error is not None]
    if not errors:
        return "it answers a new connection, and did not answer ours; try again"
    absent = (ConnectionRefusedError, TimeoutError, gaierror)
    return _words(next((error for error in errors if not isinstance(error, absent)), errors[0]), settings)


async def _refusal(address: str, options: dict[str, Any]) -> Exception | None:
    host, _, port = address.rpartition(":")
    try:
        connection = await create_conn(host.strip("[]"), int(port), request_timeout_ms=_MS, **options)
    except (KafkaError, OSError, ValueError) as error:  # ValueError: a server that fails our side of SCRAM
        return error
    connection.close()
    return None


def _words(error: Exception, settings: Settings) -> str:
    if isinstance(error, SaslAuthenticationFailed):
        return f"wrong user name or password; correct {PREFIX}SASL_USERNAME and the password"
    if isinstance(error, UnsupportedSaslMechanismError):
        return f"it does not take {settings.sasl_mechanism}; set {PREFIX}SASL_MECHANISM to one that it takes"
    if isinstance(error, ssl.SSLCertVerificationError):
        told = error.verify_message.rstrip(".")
        if error.verify_code == _EXPIRED:
            return f"its certificate does not hold ({told}); renew it"
        if error.verify_code in (_WRONG_NAME, _WRONG_ADDRESS):
            return f"its certificate is another's ({told}); use a name that it is for in {PREFIX}KAFKA"
        return f"its certificate is by nobody we trust ({told}); set {PREFIX}SSL_CA_FILE to its authority"
    if isinstance(error, ConnectionRefusedError):
        return f"nobody listens there; start it, or correct {PREFIX}KAFKA"
    if isinstance(error, gaierror):
        return f"the name is not known; correct {PREFIX}KAFKA"
    if isinstance(error, TimeoutError):
        return f"no answer; look at the network and the broker, or correct {PREFIX}KAFKA"
    if isinstance(error, ssl.SSLError | ConnectionResetError | KafkaConnectionError | IllegalSaslStateError):
        return (
            f"it breaks off where we speak {settings.security_protocol}; "
            f"set {PREFIX}SECURITY_PROTOCOL to what that port speaks"
        )
    return f"{type(error).__name__}; correct {PREFIX}KAFKA and the security settings"
