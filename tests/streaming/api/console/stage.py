"""A console with a day behind it: a customer whose story is worth a look, and half an hour of others' decisions.

Everything comes out of the real engine and is read by the real journal; only the log between them is left out.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from aiohttp import web

from decisioning.decision import Decision, dumps
from decisioning.instant import MINUTE, SECOND, format_instant
from decisioning.state import State
from decisioning.streaming.api.console import Console
from decisioning.streaming.api.journal import Journal
from decisioning.streaming.api.limits import Limits
from decisioning.streaming.api.tokens import Scope, Tokens
from decisioning.streaming.api.views import Memory
from decisioning.streaming.http import Answer, Listener
from decisioning.streaming.settings import Settings
from tests.builders import (  # fmt: skip
    RETAIL,
    Story,
    asked,
    at,
    bought,
    case_opened,
    case_resolved,
    delivered,
    eta_changed,
    granted,
    lives,
    offer,
    placed,
    prefers,
    product,
    promised,
    shipped,
    window,
    withdrawn,
)
from tests.streaming.api.calls import TokenFile
from tests.streaming.records import Rec

NOW: Final = at("2026-03-18 20:40")
CUSTOMER: Final = "c-42"
EVIL: Final = "<script>alert(1)</script>"
_STOP: Final = "  # stopped: {marketing: true, channels: [sms], actions: [delay_alert], campaigns: [spring]}"


def rulebook(*, stopped: str = "{channels: [whatsapp], campaigns: [spring]}") -> bytes:
    """The shipped rulebook with something stopped."""
    text = RETAIL.read_text()
    assert _STOP in text
    return text.replace(_STOP, f"  stopped: {stopped}").encode()


class Stage:
    """A story and all that was decided in it, in order."""

    def __init__(self) -> None:
        self.story = Story(rulebook())
        self.decisions: list[Decision] = []
        self._one_customer()

    def on(self, when: str, *happenings: object) -> None:
        """These happen; what is said of them is kept."""
        self.decisions += self.story.at(when, *happenings)  # type: ignore[arg-type]

    def _one_customer(self) -> None:
        self.on("2026-01-02 09:00", product("EREADER-1", "e-readers", "120.00", "GBP"), product("COVER-9", "covers"))
        self.on("2026-01-05 09:00", lives(time_zone="Europe/London", name="Ada", language="en"))
        self.on("2026-01-05 09:01", granted(), granted("survey"))
        self.on("2026-02-20 12:00", prefers(contact_windows=[window("mon tue wed thu fri", "08:30", "20:00")]))
        self.on("2026-03-03 10:00", asked(offer("spring_news", on=["email"], topic="news")))
        self.on("2026-03-09 11:20", asked(offer("audio_trial", on=["email", "push"], topic="audio")))
        self.on("2026-03-12 12:00", asked(offer("book_club", on=["sms", "email"], topic="clubs")))
        self.on("2026-03-13 09:30", case_opened("k-7", topic="billing"))
        self.on("2026-03-14 16:40", case_resolved("k-7"))
        self.on("2026-03-15 10:15", bought("EREADER-1", order="o-9", price="100.00"))
        self.on("2026-03-15 10:16", placed("o-9", promised="2026-03-17 12:00"))
        self.on("2026-03-16 08:05", shipped("o-9", promised="2026-03-17 12:00"))
        self.on("2026-03-16 15:40", eta_changed("2026-03-18 18:00", order="o-9"))
        self.on("2026-03-17 10:05", promised("p-3", what="a call about the delivery", due="2026-03-19 17:00"))
        self.on("2026-03-17 17:50", delivered("o-9"))
        self.on("2026-03-17 18:02", asked(offer("club_invite", on=["email"], topic="clubs")))
        self.on("2026-03-18 09:40", asked(offer("cover_offer", on=["email"], sku="COVER-9", topic="accessories")))
        self.on("2026-03-18 11:00", prefers(topics_off=["audio"]))
        self.on(
            "2026-03-18 20:05",
            asked(
                offer("ereader_sale", on=["sms", "email"], sku="EREADER-1", value="9"),
                offer("cover_offer", on=["email"], sku="COVER-9", value="4", topic="accessories"),
                offer("audio_trial", on=["push"], value="2", topic="audio"),
                offer("how_was_it", on=["email"], kind="survey"),
            ),
        )

    def crowd(self, seed: int = 11, others: int = 420) -> None:
        """Half an hour of others, up to now."""
        chance, story = random.Random(seed), Story(rulebook())
        said: list[Decision] = []
        names = [f"c-{number}" for number in range(100, 100 + others)]
        for name in names:
            happened = [lives(time_zone=chance.choice(["Europe/London", "Europe/Paris", "Asia/Tokyo"])).by(name)]
            happened += [granted().by(name)] if chance.random() < 0.8 else []
            happened += [withdrawn().by(name)] if chance.random() < 0.1 else []
            happened += [bought("EREADER-1", order=f"o-{name}").by(name)] if chance.random() < 0.3 else []
            said += story.at("2026-03-17 11:00", *happened)
        moment = NOW - 31 * MINUTE
        while moment < NOW - 2 * SECOND:
            busy = 1.0 if (NOW - moment) > 12 * MINUTE else 1.7
            moment += int(chance.expovariate(0.8 * busy) * SECOND)
            name = chance.choice(names)
            wish = chance.choice(["spring_news", "audio_trial", "book_club", "ereader_sale"])
            channels = chance.choice([["email"], ["email", "push"], ["sms"], ["push"]])
            sku = {"sku": "EREADER-1", "price": "80.00"} if wish == "ereader_sale" else {}
            what = asked(offer(wish, on=channels, topic=wish, **sku)).by(name)
            if chance.random() < 0.04:
                what = shipped(f"o-{name}", promised="2026-03-20 12:00").by(name)
            if chance.random() < 0.03:
                what = case_opened(f"k-{name}").by(name)
            said += story.at(format_instant(moment), what)
        self.decisions = sorted([*self.decisions, *said], key=lambda one: one.time)

    @property
    def states(self) -> dict[str, State]:
        """All that is remembered."""
        return dict(self.story.run.states)


class Served:
    """A stage's console on a port of its own, in a thread; a context manager."""

    def __init__(self, folder: Path, stage: Stage, *, rate: float = 1000) -> None:
        self.file = TokenFile(folder, reader=[Scope.READ], writer=[Scope.DECIDE])
        self.token = self.file.tokens["reader"]
        self.address = ""
        self._stage, self._rate = stage, rate
        self._up, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._up.wait(30), "the console did not come up"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(30)

    async def _serve(self) -> None:
        journal = Journal(Settings())
        console = staged(self._stage, journal, Tokens(self.file.path), self._rate)
        console.start()
        await asyncio.sleep(0)
        for some in _by(500, self._stage.decisions):
            journal.take(map(record, some))
            await asyncio.sleep(0)
        journal.ready.set()
        async with Listener("127.0.0.1", 0, console.around(_nothing), named="") as listener:
            self.address = f"http://127.0.0.1:{listener.port}"
            self._up.set()
            while not self._over.is_set():
                await asyncio.sleep(0.05)
        await console.stop()


def staged(stage: Stage, journal: Journal, tokens: Tokens, rate: float) -> Console:
    """The console of a stage."""
    states = stage.states
    return Console(
        Memory(owns=lambda customer: True, look=states.get, owner=lambda customer: None), journal, tokens,
        Limits(rate), policy=lambda: stage.story.policy, now=lambda: NOW, secure=False, by_event_time=False,
        shown=lambda: {**stage.story.policy.stamp, "source": "topic", "errors": []}, clock=lambda: NOW,
    )  # fmt: skip


def record(decision: Decision) -> Rec:
    """A decision as it is fetched."""
    return Rec("decisions", 0, 0, 0, decision.subject.encode(), dumps(decision))


def _by(count: int, decisions: Sequence[Decision]) -> Iterator[Sequence[Decision]]:
    return (decisions[start : start + count] for start in range(0, len(decisions), count))


async def _nothing(request: web.BaseRequest) -> web.StreamResponse:
    return Answer(404)
