"""Kafka's jars, fetched once by Maven into a folder that git ignores; and whether a broker can run here.

Two test processes may start at once: a file lock lets one fetch while the other waits. The folder is named after the
pom, so that another Kafka version never meets the jars of the last one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

POM: Final = Path(__file__).parent / "pom.xml"
CHECKOUT: Final = Path(__file__).parent.parent.parent
EXTERNAL: Final = "DECISIONING_KAFKA"
"""Names a broker to use in place of our own: the same variable by which a worker finds its broker."""
_JAVA: Final = 17
_FETCH_SECONDS: Final = 300.0


class NoKafka(RuntimeError):
    """No broker can be started here, or it did not; the message says why, and what to install."""


def external() -> str | None:
    """The address of the broker that the environment names in place of our own, if it does."""
    return os.environ.get(EXTERNAL) or None


@cache
def what_is_missing() -> str | None:
    """Why no broker can run on this machine, in one line; None where it can."""
    if external():
        return None
    java, maven = shutil.which("java"), shutil.which("mvn")
    if java is None:
        return f"a real Kafka needs Java {_JAVA} or newer, and there is no `java`"
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r'version "(\d+)', told.stderr)
    if found is None or int(found[1]) < _JAVA:
        return f"a real Kafka needs Java {_JAVA} or newer, and `java` is {found[1] if found else 'of no known version'}"
    if maven is None and not _there():
        return "a real Kafka is fetched by Maven, and there is no `mvn`"
    return None


def libraries() -> Path:
    """The folder with the jars, fetched first where they are not there yet; NoKafka when that fails."""
    with locked("jars"):
        if not _there():
            _fetch()
    return _folder()


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock of this checkout against other test processes; the machine frees it when its holder ends."""
    home = CHECKOUT / ".kafka"
    home.mkdir(exist_ok=True)
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _folder() -> Path:
    return CHECKOUT / ".kafka" / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]


def _there() -> bool:
    return _folder().exists()  # it gets its name once it is whole


def _fetch() -> None:
    missing = what_is_missing()
    if missing is not None:
        raise NoKafka(missing)
    half = _folder().with_suffix(".part")
    shutil.rmtree(half, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={half}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS)
    if done.returncode:
        raise NoKafka(f"Maven could not fetch Kafka: {(done.stdout + done.stderr).strip()[-2000:]}")
    half.rename(_folder())
