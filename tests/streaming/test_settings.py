"""The settings: every refusal names its variable, nothing secret is repeated, the example file is fresh."""

from __future__ import annotations

import os
import ssl
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from decisioning.streaming.configuration import env_example
from decisioning.streaming.settings import PREFIX, Settings, SettingsError, kafka_options, load

SECRET = "hunter2-canary"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test starts from an environment without any of our variables."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def _refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, content in variables.items():
        monkeypatch.setenv(PREFIX + name, content)
    with pytest.raises(SettingsError) as caught:
        kafka_options(load())
    return str(caught.value)


def test_defaults_load_without_any_variable() -> None:
    """A newcomer sets nothing: loopback, plain text, wall clock, eight partitions."""
    settings = load()
    assert (settings.kafka, settings.http_host, settings.clock, settings.partitions) == (
        "127.0.0.1:9092",
        "127.0.0.1",
        "wall",
        8,
    )
    assert kafka_options(settings) == {
        "bootstrap_servers": ["127.0.0.1:9092"],
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }


def test_variables_are_read_and_empty_ones_are_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass empty variables; they mean the default."""
    monkeypatch.setenv("DECISIONING_KAFKA", " a.example:9092 , [::1]:9093")
    monkeypatch.setenv("DECISIONING_PARTITIONS", "4")
    monkeypatch.setenv("DECISIONING_CLOCK", "")
    settings = load()
    assert settings.brokers == ["a.example:9092", "[::1]:9093"]
    assert (settings.partitions, settings.clock) == (4, "wall")


def test_what_is_on_or_off_is_written_as_the_example_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example shows `true`, and `false` turns it off."""
    assert "\n#DECISIONING_RULEBOOKS_TOPIC=true\n" in env_example()
    monkeypatch.setenv("DECISIONING_RULEBOOKS_TOPIC", "false")
    assert not load().rulebooks_topic


def test_settings_are_frozen() -> None:
    """Nobody changes a setting while the worker runs."""
    with pytest.raises(ValidationError):
        Settings().__setattr__("partitions", 9)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"KAFKA": f"user:{SECRET}@broker:9092"}, "DECISIONING_KAFKA: holds credentials"),
        ({"KAFKA": "kafka://broker:9092"}, "DECISIONING_KAFKA: must be host:port"),
        ({"KAFKA": "broker"}, "DECISIONING_KAFKA: must be host:port"),
        ({"KAFKA": "broker:70000"}, "DECISIONING_KAFKA: must be host:port"),
        ({"KAFKA": " , "}, "DECISIONING_KAFKA: names no broker"),
        ({"PARTITIONS": "many"}, "DECISIONING_PARTITIONS: input should be a valid integer"),
        ({"PARTITIONS": "0"}, "unset it for the default, 8"),
        ({"CLOCK": "sundial"}, "DECISIONING_CLOCK: input should be 'wall' or 'event'"),
        ({"GROUP_ID": "two words"}, "DECISIONING_GROUP_ID: "),
        ({"KAFAK": "broker:9092"}, "DECISIONING_KAFAK: no such setting; did you mean DECISIONING_KAFKA?"),
        ({"PROFILE": "prod", "REPLICATION": "3"}, "DECISIONING_SECURITY_PROTOCOL: plain text is for the dev profile"),
        ({"PROFILE": "prod", "SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, "DECISIONING_SECURITY_PROTOCOL: plain text"),
        ({"PROFILE": "prod", "SECURITY_PROTOCOL": "SSL"}, "DECISIONING_REPLICATION: fewer than 3 copies"),
        ({"SECURITY_PROTOCOL": "SASL_SSL"}, "DECISIONING_SASL_USERNAME: missing"),
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SASL_USERNAME": "u"}, "DECISIONING_SASL_PASSWORD_FILE: set either"),
        ({"SASL_PASSWORD": SECRET}, "DECISIONING_SECURITY_PROTOCOL: SASL credentials are set"),
        ({"SSL_CA_FILE": __file__}, "DECISIONING_SECURITY_PROTOCOL: TLS files are set"),
        ({"SECURITY_PROTOCOL": "SSL", "SSL_CERT_FILE": __file__}, "DECISIONING_SSL_KEY_FILE: a certificate and"),
        ({"SECURITY_PROTOCOL": "SSL", "SSL_CA_FILE": "/no/such/file"}, "DECISIONING_SSL_CA_FILE: path does not point"),
        ({"SECURITY_PROTOCOL": "SSL", "SSL_CA_FILE": __file__}, "DECISIONING_SSL_CA_FILE: holds no certificate"),
        ({"API_TLS_CERT_FILE": __file__}, "DECISIONING_API_TLS_KEY_FILE: a certificate and its key"),
        ({"API_TOKENS_FILE": __file__, "API_HOST": "0.0.0.0"}, "DECISIONING_API_TLS_CERT_FILE: tokens beyond loopback"),
        ({"API_URL": "ftp://worker:1"}, "DECISIONING_API_URL: "),
        ({"API_URL": "http://user:pass@worker:1"}, "DECISIONING_API_URL: "),
        (
            {"SECURITY_PROTOCOL": "SSL", "SSL_CERT_FILE": __file__, "SSL_KEY_FILE": __file__},
            "DECISIONING_SSL_CERT_FILE: it and SSL_KEY_FILE are no matching pair",
        ),
    ],
)
def test_refusals_name_the_variable_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    """Whoever starts the worker reads one line and knows what to change; secrets are not repeated in it."""
    message = _refusal(monkeypatch, **variables)
    assert expected in message
    assert "\n" not in message
    assert SECRET not in message


def test_all_faults_are_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line a variable, so that three mistakes need one attempt and not three."""
    lines = _refusal(monkeypatch, KAFAK="a:1", PARTITIONS="x", CLOCK="y").splitlines()
    assert [line.split(":")[0].removeprefix(PREFIX) for line in lines] == ["KAFAK", "CLOCK", "PARTITIONS"]


def test_a_neighbours_variable_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes sets such names for a Service called `decisioning`; they are not ours."""
    monkeypatch.setenv("DECISIONING_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("DECISIONING_PORT", "tcp://10.0.0.1:80")
    monkeypatch.setenv("DECISIONING_PORT_80_TCP_PROTO", "tcp")
    assert load() == Settings()


def test_the_password_comes_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """T37: logging in needs TLS, and the context checks the host name; the file's final newline is no part of it."""
    file = tmp_path / "password"
    file.write_text(SECRET + "\n")
    for name, content in {
        "PROFILE": "prod",
        "REPLICATION": "3",
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SASL_USERNAME": "decisioning",
        "SASL_PASSWORD_FILE": str(file),
    }.items():
        monkeypatch.setenv(PREFIX + name, content)
    settings = load()
    options = kafka_options(settings)
    assert (options["sasl_mechanism"], options["sasl_plain_username"]) == ("SCRAM-SHA-512", "decisioning")
    assert options["sasl_plain_password"] == SECRET
    context = options["ssl_context"]
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_the_password_is_never_shown() -> None:
    """A settings object may be printed: the secret is masked wherever it can stand."""
    direct = Settings(security_protocol="SASL_SSL", sasl_username="u", sasl_password=SecretStr(SECRET))
    assert kafka_options(direct)["sasl_plain_password"] == SECRET
    assert SECRET not in repr(direct) + str(direct) + direct.model_dump_json()


def test_a_key_pair_is_loaded_for_mutual_tls(tmp_path: Path) -> None:
    """Both PEM files together make a context with our own certificate."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-out", cert, "-keyout", key],
        check=True,
        capture_output=True,
    )
    settings = Settings(security_protocol="SSL", ssl_ca_file=cert, ssl_cert_file=cert, ssl_key_file=key)
    assert kafka_options(settings)["ssl_context"].cert_store_stats()["x509"] == 1


def test_every_setting_says_what_it_does() -> None:
    """A description is one line that ends with a full stop: it is the documentation."""
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        assert "\n" not in field.description, name
