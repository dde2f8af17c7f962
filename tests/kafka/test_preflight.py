"""What a real broker says of its topics is what a worker checks before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kafka.cluster import RealKafka
from tests.kafka.test_worker import command
from tests.streaming.live import Live, until

pytestmark = [pytest.mark.kafka, pytest.mark.long]


def test_a_worker_says_all_that_is_wrong_with_the_topics_at_once(tmp_path: Path) -> None:
    """Whoever mends them need not start four times; and then it starts."""
    with RealKafka(tmp_path / "kafka") as kafka, Live(tmp_path, on=kafka) as live:
        kafka.alter_topic("state-changelog", cleanup_policy="compact,delete")
        kafka.alter_topic("orders", cleanup_policy="compact")
        kafka.alter_topic("decisions", max_message_bytes=1000)
        lines: list[str] = []

        def all_said() -> bool:
            code, _, err = command(live.environment(), "run")
            assert code == 3
            lines[:] = err.strip().splitlines()
            return len(lines) == 3

        until(all_said, what="the broker's own view of its topics")
        assert lines[0].startswith("topic orders has cleanup.policy=compact: what it says would be replaced by key")
        assert lines[1].startswith("topic state-changelog has cleanup.policy=compact,delete and would forget by age")
        assert lines[2].startswith("topic decisions takes messages up to 1000 bytes; set max.message.bytes=")
        kafka.alter_topic("state-changelog", cleanup_policy="compact")
        kafka.alter_topic("orders", cleanup_policy="delete")
        kafka.alter_topic("decisions", max_message_bytes=16_842_752)
        assert live.worker().ready().term() == 0
