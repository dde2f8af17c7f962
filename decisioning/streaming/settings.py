"""The environment, read once into one frozen object.

Every setting is an environment variable with the prefix `DECISIONING_`; `deploy/env.example` lists them all and is
generated from here (`configuration.env_example`). What is wrong is said before anything is touched, in one line a
variable (`SettingsError`).
Refused on purpose: credentials in a broker address (clients print it, T37), plain text outside the `dev` profile (T37),
and a single copy of the state in production (T26).
"""

from __future__ import annotations

import difflib
import os
import re
import ssl
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, FilePath, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from decisioning.errors import DecisioningError

PREFIX: Final = "DECISIONING_"

_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")
_NAME_PART: Final = r"^[A-Za-z0-9._-]*$"  # what Kafka allows in topic and group names
_Ms = Annotated[int, Field(ge=1)]
_PROD_COPIES: Final = 3
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class SettingsError(DecisioningError):
    """The environment is wrong: the operator's to mend. One line a variable: which, what is wrong, what to write."""


class Settings(BaseSettings):
    """All that the environment decides. Durations are in milliseconds and sizes in bytes, as the names say."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    profile: Literal["dev", "prod"] = Field(
        default="dev",
        description="`prod` refuses what may lose or leak data: plain text to Kafka, fewer than 3 copies.",
    )
    kafka: str = Field(
        default="127.0.0.1:9092",
        description="Brokers to start from, host:port, separated by commas; never with credentials.",
    )
    group_id: str = Field(
        default="decisioning",
        min_length=1,
        max_length=200,
        pattern=_NAME_PART,
        description="Consumer group; all workers with the same one share the work.",
    )
    instance: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=_NAME_PART,
        description="A name of this worker alone, kept over restarts: one within the session timeout moves nothing.",
    )
    standbys: int = Field(
        default=1,
        ge=0,
        le=5,
        description="Other workers that keep a warm copy of each partition's state, on their disks; 0 = a cold start.",
    )
    topic_prefix: str = Field(
        default="",
        max_length=100,
        pattern=_NAME_PART,
        description="Put before the topics that we write: decisions, dead-letters, relay, state-changelog.",
    )
    clock: Literal["wall", "event"] = Field(
        default="wall",
        description="What `now` is: `wall` in production; `event` = newest event time so far, for replays.",
    )
    rulebook: Path = Field(
        default=Path("rules/retail.yaml"),
        description="The rulebook to decide by, a YAML file; a good change of it is followed while we run.",
    )
    rulebook_poll_ms: _Ms = Field(
        default=500,
        le=3_600_000,
        description="Milliseconds between two looks at the rulebook file; a change counts once two looks agree.",
    )
    rulebooks_topic: bool = Field(
        default=True,
        description="Whether a good rulebook on the topic `rulebooks`, under our file's name, wins over the file.",
    )
    data_dir: Path = Field(
        default=Path("data"),
        description="Directory of the local store; one a worker, kept over restarts for a quick start.",
    )
    disk_free_percent: float = Field(
        default=10,
        ge=0,
        le=90,
        description="Percent of the data directory's disk below which no more events are taken, until there is room.",
    )
    disk_free_bytes: int = Field(
        default=4 * 1024 * 1024 * 1024,
        ge=0,
        description="Free bytes that are enough there, whatever percent they are; 0 = never mind.",
    )
    partitions: int = Field(
        default=8,
        ge=1,
        le=1000,
        description="Partitions of every topic keyed by customer; bounds the number of workers; fixed once created.",
    )
    replication: int = Field(
        default=1,
        ge=1,
        le=10,
        description="Copies of each partition; `prod` needs 3 or more, with 2 in sync for a write.",
    )
    http_host: str = Field(
        default="127.0.0.1", description="Address of /metrics, /healthz, /readyz; they ask for no login."
    )
    http_port: int = Field(
        default=8080, ge=0, le=65535, description="Port of /metrics, /healthz and /readyz; 0 = any free one."
    )
    api_tokens_file: FilePath | None = Field(
        default=None, description="Who may use the HTTP API, see `decisioning api token`; unset = there is no API."
    )
    api_host: str = Field(default="127.0.0.1", description="Address of the API; beyond loopback it wants TLS.")
    api_port: int = Field(default=8081, ge=0, le=65535, description="Port of the API; 0 = any free one.")
    api_url: str | None = Field(
        default=None,
        pattern=r"^https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$",
        description="Where other workers reach this one's API, http(s)://host:port; unset = its host and port.",
    )
    api_console: bool = Field(
        default=True, description="Whether the API serves its console at /console, for tokens that may read."
    )
    api_tls_cert_file: FilePath | None = Field(
        default=None, description="PEM file of the API's certificate; followed when it is renewed."
    )
    api_tls_key_file: FilePath | None = Field(default=None, description="PEM file of its private key.")
    api_tls_ca_file: FilePath | None = Field(
        default=None, description="PEM file by which workers check each other's API; unset = the system's own."
    )
    api_rate: float = Field(
        default=100, gt=0, le=1_000_000, description="Requests a second that a token may make; twice as many at once."
    )
    api_wait_ms: _Ms = Field(
        default=2000, le=10_000, description="Milliseconds that a request waits for its decision, unless it says so."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="How log lines look: `json`, `text`, or `auto`: text at a terminal, else JSON."
    )
    log_key: SecretStr | None = Field(
        default=None,
        description="What customer ids are hashed with in log lines, the same for all workers; none = new each start.",
    )
    log_decisions: bool = Field(
        default=False, description="A line for each decision, with its trace; costs about a tenth of an event."
    )
    traces: bool = Field(
        default=False,
        description="OpenTelemetry spans of decided events, 0.1 ms each; needs `decisioning[otel]`, set by OTEL_*.",
    )
    fetch_wait_ms: _Ms = Field(
        default=50,
        le=5000,
        description="Milliseconds a broker may hold a fetch that finds nothing; higher = fewer requests.",
    )
    slice_budget_ms: _Ms = Field(
        default=4,
        le=1000,
        description="Milliseconds of work that share one wait for acknowledgements; higher = fewer, later.",
    )
    slices_in_flight: int = Field(
        default=3,
        ge=1,
        le=32,
        description="Slices that may await their acknowledgements at once; 1 = strictly one by one.",
    )
    lane_records: int = Field(
        default=4096, ge=1, le=1_000_000, description="Records of one partition taken and not finished; bounds memory."
    )
    idle_wait_ms: int = Field(
        default=100,
        ge=0,
        le=60_000,
        description="Milliseconds to wait for a topic that lags before reading on in the others; keeps order by time.",
    )
    commit_interval_ms: _Ms = Field(
        default=1000,
        le=60_000,
        description="Milliseconds between commits; what a crash repeats (and never what it loses).",
    )
    session_timeout_ms: _Ms = Field(
        default=10_000,
        ge=1000,
        le=300_000,
        description="Milliseconds of silence after which a worker's partitions move on.",
    )
    outbox_bytes: int = Field(
        default=16 * 1024 * 1024,
        ge=1024 * 1024,
        description="Bytes of outputs a partition keeps for repetition until its commit; full = a commit at once.",
    )
    state_cache_bytes: int = Field(
        default=128 * 1024 * 1024,
        ge=0,
        description="Bytes of memory, about, for the states of recent customers, decoded and at hand; 0 = none.",
    )
    max_event_bytes: int = Field(
        default=1024 * 1024,
        ge=1024,
        le=8 * 1024 * 1024,
        description="Bytes of an event's value; a larger one is a dead letter.",
    )
    output_mode: Literal["structured", "binary"] = Field(
        default="structured",
        description="CloudEvents out: `structured` = all in the value, `binary` = ce_ headers and data.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How to speak to Kafka; `prod` takes SSL and SASL_SSL only."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="How to log in under SASL_SSL and SASL_PLAINTEXT."
    )
    sasl_username: str | None = Field(default=None, description="User name under SASL_SSL and SASL_PLAINTEXT.")
    sasl_password: SecretStr | None = Field(
        default=None, description="Password under SASL; better in a file, see the next."
    )
    sasl_password_file: FilePath | None = Field(
        default=None, description="File that holds the password and nothing else."
    )
    ssl_ca_file: FilePath | None = Field(
        default=None, description="PEM file of the authorities that sign the brokers; unset = the system's own."
    )
    ssl_cert_file: FilePath | None = Field(default=None, description="PEM file of our own certificate, for mutual TLS.")
    ssl_key_file: FilePath | None = Field(default=None, description="PEM file of our own private key, for mutual TLS.")

    @field_validator("kafka")
    @classmethod
    def _addresses(cls, text: str) -> str:
        """T37: an address with credentials is refused without being repeated."""
        if "@" in text:
            raise ValueError("holds credentials; write host:port and put them into DECISIONING_SASL_USERNAME and _FILE")
        addresses = [address.strip() for address in text.split(",") if address.strip()]
        if not addresses:
            raise ValueError("names no broker; write host:port")
        for address in addresses:
            found = _ADDRESS.fullmatch(address)
            if not found or not 0 < int(found[2]) < 65536:
                raise ValueError("must be host:port, or several separated by commas, without a scheme")
        return ",".join(addresses)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """What no single variable can say; messages begin with the variable to mend."""
        sasl = self.security_protocol.startswith("SASL_")
        tls = self.security_protocol.endswith("SSL")
        if self.profile == "prod":
            if not tls:
                raise ValueError("SECURITY_PROTOCOL: plain text is for the dev profile only; set SSL or SASL_SSL")
            if self.replication < _PROD_COPIES:
                raise ValueError("REPLICATION: fewer than 3 copies can lose the state with one disk; set 3 or more")
        if sasl and self.sasl_username is None:
            raise ValueError("SASL_USERNAME: missing under SASL; set it, or a SECURITY_PROTOCOL without SASL")
        if sasl and (self.sasl_password is None) == (self.sasl_password_file is None):
            raise ValueError("SASL_PASSWORD_FILE: set either it or SASL_PASSWORD under SASL, and not both")
        if not sasl and (self.sasl_username or self.sasl_password or self.sasl_password_file):
            raise ValueError("SECURITY_PROTOCOL: SASL credentials are set but it uses none; set SASL_SSL")
        if not tls and (self.ssl_ca_file or self.ssl_cert_file or self.ssl_key_file):
            raise ValueError("SECURITY_PROTOCOL: TLS files are set but it uses no TLS; set SSL or SASL_SSL")
        if (self.ssl_cert_file is None) != (self.ssl_key_file is None):
            raise ValueError("SSL_KEY_FILE: a certificate and its key come together; set both files or neither")
        if (self.api_tls_cert_file is None) != (self.api_tls_key_file is None):
            raise ValueError("API_TLS_KEY_FILE: a certificate and its key come together; set both files or neither")
        if self.api_tokens_file and not self.api_tls_cert_file and self.api_host not in _LOOPBACK:
            raise ValueError("API_TLS_CERT_FILE: tokens beyond loopback want TLS; set it, or API_HOST=127.0.0.1")
        return self

    @property
    def brokers(self) -> list[str]:
        """The broker addresses, one a string, `host:port`."""
        return self.kafka.split(",")


def load() -> Settings:
    """The settings of this process's environment; SettingsError when one is wrong, or looks like a misspelt one."""
    problems = list(_misspelt())
    try:
        settings = Settings()
    except ValidationError as error:
        problems += [_line(problem) for problem in error.errors(include_url=False, include_input=False)]
        raise SettingsError("\n".join(problems)) from None
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def kafka_options(settings: Settings) -> dict[str, Any]:
    """The keyword arguments by which every aiokafka client of ours connects; SettingsError for an unusable PEM file."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.brokers,
        "security_protocol": settings.security_protocol,
        "ssl_context": _tls(settings) if settings.security_protocol.endswith("SSL") else None,
    }
    if settings.security_protocol.startswith("SASL_"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = _password(settings)
    return options


def client_options(settings: Settings) -> dict[str, Any]:
    """The settings' way to Kafka in librdkafka's words (the demo and the channel use that client)."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.kafka,
        "security.protocol": settings.security_protocol,
        "log_level": 2,  # what goes wrong is said by our own one line
    }
    if settings.security_protocol.startswith("SASL_"):
        options |= {"sasl.mechanism": settings.sasl_mechanism, "sasl.username": settings.sasl_username}
        options["sasl.password"] = _password(settings)
    files = {"ca": settings.ssl_ca_file, "certificate": settings.ssl_cert_file, "key": settings.ssl_key_file}
    return options | {f"ssl.{name}.location": str(path) for name, path in files.items() if path is not None}


def _password(settings: Settings) -> str:
    if settings.sasl_password is not None:
        return settings.sasl_password.get_secret_value()
    assert settings.sasl_password_file is not None
    try:
        return settings.sasl_password_file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{PREFIX}SASL_PASSWORD_FILE: cannot be read; let our user read it") from None


def _tls(settings: Settings) -> ssl.SSLContext:
    """TLS 1.2 or newer with the host name checked, which is the standard library's default for clients."""
    try:
        context = ssl.create_default_context(cafile=settings.ssl_ca_file)
    except (OSError, ValueError):  # SSLError is an OSError
        raise SettingsError(f"{PREFIX}SSL_CA_FILE: holds no certificate in PEM form; export it as PEM") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.ssl_cert_file is not None and settings.ssl_key_file is not None:
        try:
            context.load_cert_chain(settings.ssl_cert_file, settings.ssl_key_file, password=_no_passphrase)
        except (OSError, ValueError):
            raise SettingsError(
                f"{PREFIX}SSL_CERT_FILE: it and SSL_KEY_FILE are no matching pair in PEM form without a passphrase"
            ) from None
    return context


def _no_passphrase() -> str:
    """Without this an encrypted key makes OpenSSL ask at the terminal, and a worker has none."""
    raise ValueError


def _misspelt() -> list[str]:
    """Unknown variables that are close to a known one; others may be a neighbour's (Kubernetes sets such names)."""
    known = [name.upper() for name in Settings.model_fields]
    problems = []
    for variable in sorted(os.environ):
        name = variable.removeprefix(PREFIX)
        if name != variable and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            problems += [f"{variable}: no such setting; did you mean {PREFIX}{other}?" for other in near]
    return problems


def _line(problem: ErrorDetails) -> str:
    """One line for one fault. Values are not repeated: they may be secrets."""
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return PREFIX + message
    name = str(problem["loc"][0])
    if problem["type"] == "value_error":
        return f"{PREFIX}{name.upper()}: {message}"
    default = Settings.model_fields[name].default
    mend = "unset it" if default is None else f"unset it for the default, {default!s}" if default != "" else "unset it"
    return f"{PREFIX}{name.upper()}: {message[:1].lower()}{message[1:]}; or {mend}"
