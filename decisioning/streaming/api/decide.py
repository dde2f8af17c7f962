"""Ask and wait: a request becomes an event on the log, and its answer is the decision read back from the log.

Nothing is decided here. The event goes to `contact-requests` under its customer's key, like any other; whichever worker
owns the customer decides; the answer is what then stands on `decisions`. So it is as durable, ordered and replayable
as everything else, any worker can take the request, and a crash between the two loses neither.

What comes back:

    answered      200  every answer to the request, as CloudEvents
    pending       202  the request is on the log and will be answered; `Location` is where its answer will be
    not_recorded  200  Kafka does not answer, or does not let us, and has nothing of it: nobody will answer, ask again
    uncertain     200  Kafka took the request and did not acknowledge it: it may yet be answered; ask again, same `id`

202 and not 504, because nothing has failed: the answer is owed and will be given. The last two are `degraded`, and no
decision: `advice` is what the engine says of a customer of whom it knows nothing (service yes, marketing no), and it
takes no slot of any cap and has no id.

Asking again is safe. A request is known by `source` and `id` (default: the caller's name, and `Idempotency-Key` or the
`request_id`); the same again gets the same answer, from the window of the journal. Once that has moved on the engine,
which remembers the request, says nothing new: then the answer is looked for on the topic (`older.py`), within bounds.
What is `pending` says in `older` what came of that: `none`, `unknown` (it may lie beyond the bounds), `not_looked`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError

from decisioning import answers
from decisioning.engine import on_event
from decisioning.errors import EventRejected, Fault
from decisioning.event import Event
from decisioning.instant import format_instant
from decisioning.payload import ContactRequested
from decisioning.policy import Policy
from decisioning.state import State
from decisioning.streaming.admit import admit
from decisioning.streaming.api.journal import Entry, Journal
from decisioning.streaming.api.older import Older, Says, Sought
from decisioning.streaming.api.problem import Problem
from decisioning.streaming.api.views import SILENT_SECONDS
from decisioning.streaming.chassis.watchdog import say
from decisioning.streaming.settings import Settings, kafka_options
from decisioning.streaming.topics import name_of, partition_of

TYPE: Final = "contact.requested"
ASK_AGAIN_SECONDS: Final = 5
_OWN: Final = "/api/"  # a source below it is a token's name, so that nobody asks in another's
_AT_ONCE: Final = 1000
_HAND_OVER_SECONDS: Final = 2.0  # to Kafka, however short a caller would wait for the answer
_RECORD_ROOM: Final = 64 * 1024  # what a record may be larger than its value

Status = Literal["answered", "pending", "not_recorded", "uncertain"]


class Asked(NamedTuple):
    """A request as it goes to the log."""

    event: Event
    value: bytes
    expects: int
    """How many answers it will have."""
    dated: bool
    """Whether the caller said when it was asked; else it was now."""


class Outcome(NamedTuple):
    """What came of a request."""

    status: Status
    decisions: list[dict[str, Any]]
    advice: list[dict[str, object]]
    location: str
    older: Says = "not_looked"
    """Of a pending one: what is known of an answer from before the window."""

    def as_json(self) -> dict[str, object]:
        """As the API answers it."""
        found: dict[str, object] = {
            "status": self.status, "degraded": self.status in ("not_recorded", "uncertain"),
            "decisions": self.decisions,
        }  # fmt: skip
        if self.status == "pending":
            found["older"] = self.older
        return found | ({"advice": self.advice} if self.advice else {})


class Decide:
    """The way of requests to the log and of their answers back."""

    def __init__(
        self, settings: Settings, journal: Journal, policy: Callable[[], Policy], now: Callable[[], int],
        merged: Callable[[str], Awaitable[list[str]]], older: Older,
    ) -> None:  # fmt: skip
        """`merged` tells whose part a subject became (`merged.py`)."""
        self._settings, self._journal, self._policy, self._now, self._merged = settings, journal, policy, now, merged
        self._older = older
        self._topic = name_of(settings, "contact-requests")
        self._producer: AIOKafkaProducer | None = None
        self._beginning = asyncio.Lock()
        self._under_way = 0
        self._told = False

    def read(self, body: bytes, caller: str, key: str | None) -> Asked:
        """The request in a body: a CloudEvent, or one whose other attributes are to be filled in. Problem if not."""
        try:
            found = msgspec.json.decode(body)
            if not isinstance(found, dict):
                raise Problem("not-an-event", "the body is a JSON object")
            dated = found.get("time") is not None
            value = msgspec.json.encode(self._filled(found, caller, key))
            event = admit(self._settings, value, (), self._now())
        except EventRejected as error:
            raise Problem("too-large" if error.fault is Fault.TOO_LARGE else "not-an-event", str(error)) from None
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Problem("bad-request", "the body is no JSON in UTF-8") from None
        if not isinstance(event.data, ContactRequested):
            raise Problem("not-an-event", f"`type` must be {TYPE}")
        if event.source.startswith(_OWN) and event.source != _OWN + caller:
            raise Problem("not-an-event", f"`source` below {_OWN} is the caller's own; leave it out")
        return Asked(event, value, len(answers.questions(self._policy(), event, event.data)), dated)

    def _filled(self, found: dict[str, Any], caller: str, key: str | None) -> dict[str, Any]:
        data = found.get("data")
        named = data.get("request_id") if isinstance(data, dict) else None
        defaults = {
            "specversion": "1.0", "type": TYPE, "source": _OWN + caller, "id": key or named,
            "time": format_instant(self._now()),
        }  # fmt: skip
        return defaults | {name: content for name, content in found.items() if content is not None}

    async def ask(self, asked: Asked, seconds: float) -> Outcome:
        """Put the request on the log and wait so long for its answers. Problem where it cannot go there."""
        found = await self._answers(asked, 0)
        if len(found) >= asked.expects:
            return self._outcome("answered", asked, found)
        if self._under_way >= _AT_ONCE:
            raise Problem("busy", "too many wait for an answer", {"Retry-After": "1"})
        self._under_way += 1
        try:
            return await self._through_the_log(asked, seconds)
        finally:
            self._under_way -= 1

    async def _through_the_log(self, asked: Asked, seconds: float) -> Outcome:
        began, event = asyncio.get_running_loop().time(), asked.event
        patience = max(seconds, _HAND_OVER_SECONDS)
        if self._journal.silent_for > SILENT_SECONDS:
            return self._outcome("not_recorded", asked, [])
        try:
            async with asyncio.timeout(patience):
                producer = await self._ready()
        except (KafkaError, OSError):
            return self._outcome("not_recorded", asked, [])
        try:
            async with asyncio.timeout(patience):
                key = event.subject.encode()
                place = partition_of(key, self._settings.partitions)
                await producer.send_and_wait(self._topic, asked.value, key=key, partition=place)
        except MessageSizeTooLargeError:
            raise Problem("too-large", "the event is larger than its topic takes") from None
        except TopicAuthorizationFailedError:
            self._tell_once(f"{self._topic}: the API may not ask there; allow our user Write (`topics acls`)")
            return self._outcome("not_recorded", asked, [])
        except (KafkaError, OSError):  # TimeoutError is an OSError
            return self._outcome("uncertain", asked, [])
        left = max(0.0, began + seconds - asyncio.get_running_loop().time())
        found = await self._answers(asked, left)
        if len(found) >= asked.expects:
            return self._outcome("answered", asked, found)
        return await self._or_older(asked, found, seconds)

    async def _or_older(self, asked: Asked, found: list[Entry], seconds: float) -> Outcome:
        """The answer of long ago, if there is one to be found and the caller waits at all; else it is pending."""
        if seconds <= 0:
            return self._outcome("pending", asked, found)
        says: Says = "none"
        for name in [asked.event.subject, *(await self._merged(asked.event.subject))[-1:]]:
            try:
                looked = await self._older.look(_sought(asked, name))
            except Problem:  # another look is under way, and this request is on the log all the same: no 503
                return self._outcome("pending", asked, found)
            every = list({one.id: one for one in [*looked.entries, *found]}.values())
            if len(every) >= asked.expects:
                return self._outcome("answered", asked, every)
            says = says if looked.whole else "unknown"
        return self._outcome("pending", asked, found, says)

    def _tell_once(self, line: str) -> None:
        if not self._told:
            say(line)
        self._told = True

    async def _answers(self, asked: Asked, seconds: float) -> list[Entry]:
        """What answers this very request, within so many seconds.

        Ids may meet, where somebody counts requests by customer: an answer under another name is ours only where our
        customer became part of that one, and that is asked when there is such an answer.
        """
        event = asked.event
        assert isinstance(event.data, ContactRequested)
        ours, others = {event.subject}, set[str]()
        end = asyncio.get_running_loop().time() + seconds
        while True:
            every = self._journal.answers(event.source, event.id)
            same = [one for one in every if one.request_id == event.data.request_id]
            found = [one for one in same if one.subject in ours]
            left = end - asyncio.get_running_loop().time()
            if len(found) >= asked.expects:
                return found
            if new := {one.subject for one in same} - ours - others:
                others |= new
                ours.update(await self._merged(event.subject))
            elif left <= 0:
                return found
            else:
                await self._journal.wait(event.source, event.id, len(every) + 1, left)

    def _outcome(self, status: Status, asked: Asked, found: list[Entry], older: Says = "not_looked") -> Outcome:
        assert isinstance(asked.event.data, ContactRequested)
        subject, request_id = quote(asked.event.subject, safe=""), quote(asked.event.data.request_id, safe="")
        location = f"/v1/customers/{subject}/decisions?request_id={request_id}"
        if older != "not_looked":  # what comes now is in the window: who looks there again and again costs nothing
            location += f"&since={quote(format_instant(self._now()), safe='')}"
        elif asked.dated:
            location += f"&since={quote(format_instant(asked.event.time), safe='')}"
        advice = self._advice(asked.event) if status in ("not_recorded", "uncertain") else []
        return Outcome(status, [one.event for one in found], advice, location, older)

    def _advice(self, event: Event) -> list[dict[str, object]]:
        """What the engine says when it knows nothing of a customer; nobody remembers it."""
        step = on_event(self._policy(), State(event.subject, degraded=True), event, self._now())
        return [verdict.as_json() for decision in step.outputs for verdict in decision.considered]

    async def _ready(self) -> AIOKafkaProducer:
        """The producer, begun where it is not yet. One of its own: what the engine says never waits for what is
        asked."""
        async with self._beginning:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **kafka_options(self._settings),
                    acks="all",
                    enable_idempotence=True,
                    request_timeout_ms=int(SILENT_SECONDS * 1000),
                    max_request_size=self._settings.max_event_bytes + _RECORD_ROOM,
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def stop(self) -> None:
        """Let go of Kafka. Stopping twice is stopping once."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()


def _sought(asked: Asked, subject: str) -> Sought:
    event = asked.event
    assert isinstance(event.data, ContactRequested)
    since = event.time if asked.dated else None
    return Sought(subject, event.data.request_id, (event.source, event.id), since, asked.expects)


def wait_of(headers: Mapping[str, str], usual: float, most: float = 10.0) -> float:
    """How long a caller wants to wait (`Prefer: wait=3`, RFC 7240), in seconds; else as usual."""
    for part in headers.get("Prefer", "").split(","):
        name, _, content = part.partition("=")
        if name.strip().lower() == "wait" and content.strip().isdecimal() and len(content) < 6:
            return min(float(content.strip()), most)
    return usual
