"""At assignment: do the topics, the commits, the changelog and the local store belong together? (T33, F24; design.md 4)

Each of them can be replaced, truncated or lost alone, and then a worker would start without a word on wrong states:
old watermarks pass new records off as replays, an empty store forgets what everybody asked for. So before a lane opens
it is compared what each of them says; a `Refusal` (code 76) or a `StoreError` (code 73) ends the process with the
remedy. All here is pure, over plain data.

What is compared, and how it is known cheaply:

- *Positions*: for each source topic the offset that is next to be handled, and the topic's id. They are one record of
  the changelog (``NUL p``), written along with the first slice after a commit, and restored like any other. No header
  has to be searched for the highest watermark: a position is at most the commits of a second behind it, and Kafka's
  own commit, where it is not lost, says the same. A log that ends below either was truncated or is another one.
- *Ids* tell a topic that was deleted and created anew even after it has grown past all that was known. That of the
  changelog is kept in the local store alone (``NUL i``): a record in the changelog would be replaced along with it.
- Offsets of the changelog against the local store: a store that is ahead knows what the changelog has lost; one that
  ends before the changelog begins has a hole that nobody can fill.
- Commits without any changelog: something was answered and nothing is remembered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from decisioning.streaming.chassis.damage import StoreError
from decisioning.streaming.chassis.header import FormatError

__all__ = ["IDENTITY", "POSITIONS", "Log", "Positions", "Refusal", "Source", "check_lane", "check_store", "topic_names"]

POSITIONS = b"\0p"
"""Name of the record of positions, in the changelog and the store."""
IDENTITY = b"\0i"
"""Name of the changelog's id, in the store alone."""

_MOST_TOPICS = 255
_names = msgspec.msgpack.Decoder(list[str]).decode
_decode = msgspec.msgpack.Decoder(dict[str, tuple[int, str]]).decode
_ADOPT = "bring back the old one; or, if that is meant to be, stop all workers and adopt the new one (`topics adopt`)"


class Refusal(RuntimeError):
    """What stands in Kafka and what is remembered do not belong together; the message says what to do."""


class Source(NamedTuple):
    """One source topic of a lane, as Kafka has it. `id` is "" where the broker knows none."""

    topic: str
    first: int
    """Offset at which the log begins."""
    end: int
    """Offset that its next record will have."""
    committed: int | None
    """Next offset to deliver by the group's commit; None: none."""
    id: str = ""


class Log(NamedTuple):
    """A changelog partition as Kafka has it, before we write to it."""

    first: int
    end: int
    id: str = ""


class Positions:
    """How far each source topic of a lane is handled, and the id it bears: read from `raw`, told of commits.

    `ids` are those of now. Raises `header.FormatError`.
    """

    def __init__(self, raw: bytes | None, ids: Mapping[str, str]) -> None:
        try:
            self.known = {} if raw is None else _decode(raw)
        except msgspec.MsgspecError as error:
            raise FormatError(f"the record of positions is damaged: {error}") from error
        self._ids = ids
        self._changed = False

    def move(self, topic: str, offset: int) -> None:
        """Records of `topic` are handled up to before `offset`."""
        id_, (before, known_id) = self._ids.get(topic, ""), self.known.get(topic, (0, ""))
        now = max(offset, before) if id_ == known_id else offset, id_
        if self.known.get(topic) != now:
            self.known[topic] = now
            self._changed = True

    def news(self) -> bytes | None:
        """The record to write; None: nothing changed since the last."""
        if not self._changed:
            return None
        self._changed = False
        return msgspec.msgpack.encode(self.known)


def topic_names(raw: bytes | None, topics: Sequence[str], lane: int) -> tuple[list[str], list[str]]:
    """The table of topics of a lane, whose places stand in every header: what `raw` knows and what is new; and the new.

    Raises `header.FormatError` where it is damaged, or longer than a header has room for.
    """
    try:
        known = [] if raw is None else _names(raw)
    except msgspec.MsgspecError as error:
        raise FormatError(f"the table of topics of lane {lane} is damaged: {error}") from error
    new = [topic for topic in topics if topic not in known]
    if len(known) + len(new) > _MOST_TOPICS:
        raise FormatError(f"lane {lane} has known {len(known) + len(new)} topics, and a header has room for 255")
    return known + new, new


def check_store(path: object, offset: int | None, kept: str, log: Log) -> None:
    """Before a store is restored: is it the cache of this changelog partition? Raises `StoreError`.

    `path` names it, `offset` is the last one it holds (None: it is empty), `kept` the changelog's id that it knows.
    """
    if offset is not None and offset >= log.end:
        raise StoreError(
            f"{path} is ahead of the end of its changelog ({offset} of {log.end}): the changelog was truncated or is"
            " another cluster's. Start on the right one; or remove this directory, and states are what that one says"
        )
    if kept and log.id and kept != log.id:
        raise StoreError(
            f"{path} belongs to a changelog that was deleted and created anew, or to another cluster: {_ADOPT}"
        )
    if log.first > (0 if offset is None else offset + 1):
        raise StoreError(
            f"the changelog of {path} begins at offset {log.first}: what stood before it was deleted and is not in this"
            " directory. Start the worker that still holds it; or stop all workers and adopt (`topics adopt`)"
        )


def check_lane(
    lane: int, sources: Sequence[Source], known: Mapping[str, tuple[int, str]], log: Log, group: str
) -> None:  # fmt: skip
    """Once a lane is restored: do its source topics and commits go with it? Raises `Refusal`, of the first reason."""
    for line in _wrong(lane, sources, known, log, group):
        raise Refusal(line)


def _wrong(
    lane: int, sources: Sequence[Source], known: Mapping[str, tuple[int, str]], log: Log, group: str
) -> Iterator[str]:  # fmt: skip
    for source in sources:
        name = f"{source.topic}[{lane}]"
        position, id_ = known.get(source.topic, (0, ""))
        if id_ and source.id and id_ != source.id:
            yield f"topic {source.topic} was deleted and created anew: {_ADOPT}"
        reached = max(position, source.committed or 0)
        if source.end < reached:
            yield (
                f"{name} ends at offset {source.end}, but it was read up to {reached}: it was truncated, or it is"
                f" another one; {_ADOPT}"
            )
        if source.committed is None and 0 < position < source.first:
            yield (
                f"{name}: read up to {position}, but retention has removed all before {source.first} and the commits of"
                f" group {group} are gone: to go on without those records, commit {source.first}"
            )
    answered = [source for source in sources if source.committed is not None and source.committed > source.first]
    if answered and log.first >= log.end:
        source = answered[0]
        yield (
            f"group {group} has committed {source.topic}[{lane}] up to {source.committed}, but the changelog of that"
            " lane is empty: what was remembered is lost. Bring the changelog back; or stop all workers and adopt"
            " (`topics adopt`), naming the data directories that still hold it"
        )
