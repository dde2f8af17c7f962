"""Everything the chassis is told once, at its start: plain data, whoever embeds it decides where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["ChassisConfig", "ConfigError"]


class ConfigError(ValueError):
    """A setting of the chassis contradicts another; the message names both and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChassisConfig:
    """Where the chassis works, and how hard. Durations are in the unit their name ends with.

    Raises `ConfigError` on values that would lose or stall records.
    """

    group: str
    """Consumer group, and name of the Faust app. Its workers have the same topics (trap T27)."""
    bootstrap: str
    """Comma-separated ``host:port``."""
    topics: tuple[str, ...]
    """Source topics, co-partitioned, in the order that decides between records of one timestamp."""
    relay: str
    """The source topic that wakes are published to; the last of `topics`."""
    changelog: str
    """Compacted topic that is the truth about states; as many partitions as the sources."""
    data: Path
    """Directory of the local stores; one worker at a time."""
    partitions: int
    sparse: frozenset[str] = frozenset()
    """Source topics in which offsets may be missing (compacted, or written by transactions)."""
    client: str = "chassis"
    instance: str | None = None
    """Static group membership: a stable name of this worker makes a quick restart no rebalance."""
    standbys: int = 0
    """Copies of every store that other workers keep warm."""
    fetch_wait_ms: int = 50
    """How long a broker holds a fetch that finds nothing. librdkafka's mock broker needs 10 to 50."""
    fetch_bytes: int = 1_048_576
    slice_ms: float = 4.0
    """How long a slice takes records before it writes what they said."""
    slices: int = 3
    """Slices that may await the changelog's acknowledgement at once."""
    unfinished: int = 4096
    """Records of one topic partition that are taken in and not finished before it is no longer fetched."""
    idle_wait_ms: int = 100
    """How long a lane waits for records of a topic that is known to lag but has none fetched."""
    outbox_bytes: int = 16 * 1_048_576
    """What a lane's slices may have said and not committed before a commit is forced."""
    outbox_record_bytes: int = 256 * 1024
    """Size at which a slice's outbox continues in another record; far below the broker's limit of a message."""
    commit_ms: int = 1000
    session_ms: int = 10_000
    heartbeat_ms: int = 1000
    rebalance_ms: int = 30_000
    request_ms: int = 30_000
    send_ms: int = 8_000
    """How long a record may wait for its acknowledgement; below `session_ms`, so that no late write outlives us."""
    max_record_bytes: int = 16 * 1_048_576
    send_batch_bytes: int = 65_536
    compression: str | None = None
    beat_ms: int = 30_000
    """A lane that has written nothing for so long writes a heartbeat; far below the changelog's compaction lag."""
    wake_scan_ms: int = 50
    wake_share: int = 256
    """Wakes that one lane turns into relay records in one scan."""
    wakes_in_flight: int = 1024
    """Wakes of one lane that are published and not yet handled."""
    sweep_ms: float = 2.0
    """How long a slice looks at keys for a sweep, all lanes together."""
    stall_seconds: float = 30.0
    """After so long with work and no finished slice the process ends."""
    cached_bytes: int = 128 * 1_048_576
    """Memory for decoded states that are kept at hand after they are written, shared by the lanes of a worker."""
    decoded_ratio: int = 16
    """Bytes of memory that a decoded state takes for each byte of its record."""
    cache_bytes: int = 64 * 1_048_576
    """Block cache, shared by all local stores."""
    memtable_bytes: int = 4 * 1_048_576
    free_share: float = 0.1
    """Share of the file system of `data` below which no more records are taken (trap T20); see `free_bytes`."""
    free_bytes: int = 4 * 1024 * 1_048_576
    """Free bytes that suffice, however large the file system is; 0: never mind."""
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """How clients connect, as aiokafka names it: security_protocol, ssl_context, sasl_mechanism, sasl_plain_..."""

    def __post_init__(self) -> None:
        if not self.topics or self.topics[-1] != self.relay:
            raise ConfigError(f"relay {self.relay!r} must be the last of the source topics {list(self.topics)}")
        if len(set(self.topics)) != len(self.topics):
            raise ConfigError(f"a source topic is named twice: {list(self.topics)}")
        if self.changelog in self.topics:
            raise ConfigError(f"changelog {self.changelog!r} cannot be a source topic")
        if self.send_ms >= self.session_ms:
            raise ConfigError(f"send_ms {self.send_ms} must be below session_ms {self.session_ms}")
        if self.session_ms > self.request_ms:
            raise ConfigError(f"session_ms {self.session_ms} must not exceed request_ms {self.request_ms}")
        if self.partitions < 1 or self.slices < 1 or self.unfinished < 1:
            raise ConfigError("partitions, slices and unfinished must be at least 1")
