"""The manifests that are generated, as they must be; `make generated` writes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from decisioning.streaming.settings import PREFIX

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "deploy" / "kubernetes"
OF_THE_TOPICS: Final = ("PARTITIONS", "REPLICATION", "TOPIC_PREFIX", "GROUP_ID", "MAX_EVENT_BYTES")


def documents(name: str) -> list[dict[str, Any]]:
    """The resources of one manifest."""
    return [*YAML(typ="safe").load_all((FOLDER / name).read_text())]


def given() -> dict[str, str]:
    """The settings that the manifests give to a worker."""
    (settings,) = documents("settings.yaml")
    return dict(settings["data"])


def kafka() -> str:
    """Topics and user, as `decisioning topics strimzi` prints them under these settings."""
    chosen = {PREFIX + name: given()[PREFIX + name] for name in OF_THE_TOPICS if PREFIX + name in given()}
    done = subprocess.run(
        [sys.executable, "-m", "decisioning", "topics", "strimzi"],
        env=chosen,
        capture_output=True,
        text=True,
        check=True,
    )
    return "# Printed by `decisioning topics strimzi` under settings.yaml: `make generated`.\n" + done.stdout


def rulebook() -> str:
    """The default policy as a volume."""
    text = (ROOT / "rules" / "retail.yaml").read_text()
    lines = "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())
    return (
        "# rules/retail.yaml, so that a worker finds it as a file and follows its changes: `make generated`.\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: decisioning-rulebook\n"
        "  labels: {app.kubernetes.io/name: decisioning, app.kubernetes.io/part-of: decisioning}\n"
        f"data:\n  retail.yaml: |\n{lines}"
    )


if __name__ == "__main__":
    (FOLDER / "kafka.yaml").write_text(kafka())
    (FOLDER / "rulebook.yaml").write_text(rulebook())
