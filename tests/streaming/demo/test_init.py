"""The demo's door: open without its packages, and then one clear line."""

from __future__ import annotations

import subprocess
import sys

WITHOUT = """
import sys
sys.modules["confluent_kafka"] = None
from decisioning.streaming.demo.shop import history
from decisioning.streaming.demo import run_demo
sys.exit(run_demo(plain=True))
"""


def test_without_the_demos_packages_it_says_what_to_install() -> None:
    """Somebody took librdkafka out: exit code 3, no traceback, and the history can still be told."""
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert done.stderr == "demo: confluent_kafka is missing; pip install confluent-kafka\n"
