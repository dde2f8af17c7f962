"""The addresses without the wire: who sees what, and that nothing of a customer is markup or in an address."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from decisioning.decision import Decision, dumps
from decisioning.state import State
from decisioning.streaming.api.console.pages import HEADERS, Asked, Page, Pages, Sight
from decisioning.streaming.api.console.session import Sessions
from decisioning.streaming.api.console.tally import Tally
from decisioning.streaming.api.journal import Journal
from decisioning.streaming.api.tokens import Scope, Token
from decisioning.streaming.api.views import Memory
from decisioning.streaming.settings import Settings
from tests.builders import RETAIL, Happening, Story, asked, at, bought, erased, granted, lives, offer
from tests.streaming.records import Rec

NOW = at("2026-03-02 12:00")
EVIL = "<script>alert('x')</script>"
SECRETS = {"good": Token("crm", frozenset({Scope.READ}))}


class Desk:
    """The console of a worker: what happened, and who looks at it."""

    def __init__(self, *, owned: bool = True, silent: bool = False, shown: Mapping[str, Any] | None = None) -> None:
        self.story = Story(RETAIL.read_bytes())
        self.journal, self.tally = Journal(Settings()), Tally()
        self.sessions = Sessions(SECRETS.get, secure=False)
        self.states: dict[str, State] = {}
        memory = Memory(owns=lambda customer: owned, look=self._look, owner=lambda customer: None)
        sight = Sight(
            memory, self.journal, self.tally, lambda: self.story.policy, lambda: NOW, lambda: NOW,
            lambda: shown or {"source": "file", "errors": []}, lambda: silent,
        )  # fmt: skip
        self.pages = Pages(sight, self.sessions)
        self.cookie = self.sessions.open("good")

    def _look(self, customer: str) -> State | None:
        return self.states.get(customer) or self.story.run.states.get(customer)

    def on(self, when: str, *happenings: Happening) -> list[Decision]:
        """These happen, and what is said of them is read."""
        said = self.story.at(when, *happenings)
        for one in said:
            self.tally.add(dumps(one))
            self.journal.take([Rec("decisions", 0, 0, 0, one.subject.encode(), dumps(one))])
        return said

    def get(self, path: str, **more: Any) -> Page:
        """A page, signed in."""
        return self.pages.answer(Asked("GET", f"/console{path}", cookie=self.cookie, **more))

    def post(self, path: str, **form: str) -> Page:
        """A form sent from a page of ours, signed in."""
        return self.pages.answer(
            Asked("POST", f"/console{path}", form, cookie=self.cookie, site="same-origin")
        )  # fmt: skip

    def why(self, customer: str) -> str:
        """The page about a customer, as text."""
        found = self.post("/why", customer=customer)
        assert found.status == 200
        return found.body.decode()


def words(page: str) -> str:
    """What is to be read of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_a_stranger_sees_the_door_and_nothing_else() -> None:
    """Every address but the sign-in page and its files."""
    desk = Desk()
    desk.cookie = "guessed"
    for path in ("", "/", "/why", "/live", "/rulebook", "/nothing"):
        found = desk.get(path)
        assert (found.status, found.headers["Location"], found.body) == (303, "/console/sign-in", b"")
    for path in ("/live/newest", "/live/series"):
        assert (desk.get(path).status, desk.get(path).body) == (401, b"signed out")
    assert desk.post("/why", customer="c-42").headers["Location"] == "/console/sign-in"
    assert desk.get("/why", partial=True).status == 401
    assert desk.get("/sign-in").status == 200
    assert desk.get("/static/console.css").content_type == "text/css; charset=utf-8"


def test_a_link_from_elsewhere_is_asked_once_more() -> None:
    """A browser keeps a strict cookie back then; from our own page it sends it."""
    desk = Desk()
    desk.cookie = None
    found = desk.get("/live", site="cross-site")
    assert found.status == 200
    assert b'http-equiv="refresh" content="0"' in found.body
    assert desk.get("/live", site="same-origin").status == 303


def test_signing_in_and_out() -> None:
    """A good token gets a cookie; a bad one a word at the field; a session that was left opens nothing."""
    desk = Desk()
    bad = desk.post("/sign-in", token="bad")
    assert bad.status == 403
    assert b'role="alert"' in bad.body
    assert "Set-Cookie" not in bad.headers
    good = desk.post("/sign-in", token=" good ")
    assert (good.status, good.headers["Location"]) == (303, "/console/why")
    assert "HttpOnly; SameSite=Strict" in good.headers["Set-Cookie"]
    desk.cookie = desk.sessions.read(good.headers["Set-Cookie"].split(";")[0])
    assert desk.get("/why").status == 200
    out = desk.post("/sign-out")
    assert "Max-Age=0" in out.headers["Set-Cookie"]
    assert desk.get("/why").status == 303


def test_forms_of_other_sites_are_not_taken() -> None:
    """Also not to sign somebody in."""
    desk = Desk()
    for path in ("/why", "/sign-in", "/sign-out"):
        for site in ("cross-site", "same-site"):
            form = {"customer": "c-42", "token": "good"}
            found = desk.pages.answer(Asked("POST", f"/console{path}", form, cookie=desk.cookie, site=site))
            assert found.status == 403
            assert "Set-Cookie" not in found.headers


def test_every_answer_says_what_a_browser_may_do() -> None:
    """Nothing inline, nothing from elsewhere, no Referer, no frame; whatever the status."""
    desk = Desk()
    found = [desk.get(path) for path in ("", "/why", "/live", "/live/series", "/rulebook", "/sign-in", "/x")]
    found += [desk.post("/sign-in", token="bad"), desk.get("/static/nothing"), desk.post("/rulebook")]
    assert {page.status for page in found} == {303, 200, 404, 403, 405}
    for page in found:
        assert page.headers.items() >= HEADERS.items()
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert HEADERS["Referrer-Policy"] == "no-referrer"


def test_a_customers_page_says_why() -> None:
    """What may be said, caps, hours, the decisions with what was weighed; a refused one names its facts and its end."""
    desk = Desk()
    desk.on("2026-02-01 09:00", lives(time_zone="UTC"), granted())
    desk.on("2026-02-28 10:00", bought("A"))
    desk.on("2026-03-02 11:00", asked(offer("sale", sku="A"), request="r-1"))
    page = desk.why("c-42")
    text = words(page)
    assert "Keep silent sale marketing by email" in text
    assert "The same item or a variant of it was just bought. recent_purchase.same_item" in text
    assert "sku A bought at 2026-02-28 10:00 UTC" in text
    assert "would be allowed from 2026-03-30 10:00 UTC (in 27 d 22 h)" in text
    assert "day cap 0 of 1 in 1d used" in text
    assert 'aria-label="quiet hours: open for 9 h more"' in page
    assert "newest 2 decisions of the topic, back to 2026-02-28 10:00 UTC" in text
    assert desk.why(" c-42 ") == page


def test_a_part_of_a_page_is_the_answer_alone() -> None:
    """What htmx puts in place."""
    desk = Desk()
    asked_ = Asked("POST", "/console/why", {"customer": "c-42"}, desk.cookie, "same-origin", partial=True)
    page = desk.pages.answer(asked_).body.decode()
    assert "<html" not in page
    assert 'id="found"' in page


def test_a_decision_of_the_stream_opens_its_customer() -> None:
    """By its id, in the body of a form: whose it is never stands in an address."""
    desk = Desk()
    desk.on("2026-02-01 09:00", lives(time_zone="UTC"), granted())
    [first] = desk.on("2026-03-01 11:00", asked(offer("a")))
    desk.on("2026-03-02 11:30", asked(offer("b")))
    live = desk.get("/live/newest").body.decode()
    assert "c-42" not in live
    assert f'value="{first.id}"' in live
    found = desk.post("/why", decision=first.id).body.decode()
    assert re.findall(r'<details class="card act" open>.*?<b>(.*?)</b>', found, re.S) == ["a"]
    assert "None about this customer" not in found
    assert "<h2" not in desk.post("/why", decision="unknown").body.decode()


def test_words_of_others_are_words() -> None:
    """A customer, an action, a request, a sku that are markup."""
    desk = Desk()
    evil = [lives(time_zone="UTC", name=EVIL).by(EVIL), granted().by(EVIL), bought(EVIL, order=EVIL).by(EVIL)]
    desk.on("2026-03-02 11:00", *evil)
    desk.on("2026-03-02 11:30", asked(offer(EVIL, on=[EVIL], sku=EVIL, topic=EVIL), request=EVIL).by(EVIL))
    for page in (desk.why(EVIL), desk.get("/live").body.decode(), desk.get("/live/newest").body.decode()):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
        assert not re.search(r"<[^>]*alert\('x", page), "in a tag"
    assert f'value="{EVIL}"'.replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;") in desk.why(EVIL)


def test_what_is_not_known_is_said() -> None:
    """A stranger; another worker's customer; one who became another; a Kafka that is away."""
    assert "unknown means no" in desk_text("nobody")
    elsewhere = Desk(owned=False)
    elsewhere.on("2026-03-02 11:00", lives(time_zone="UTC"), asked(offer("a")))
    assert "Another worker remembers this customer" in words(elsewhere.why("c-42"))
    assert "consent.missing" in elsewhere.why("c-42")
    moved = Desk()
    moved.on("2026-03-02 11:00", lives(time_zone="UTC"), Happening("customer.merged", {"into": "c-7"}))
    assert 'name="customer" value="c-7"' in moved.why("c-42")
    assert "Kafka does not answer" in Desk(silent=True).why("c-42")
    broken = Desk()
    broken.states["c-42"] = State("c-42", degraded=True)
    assert "Service yes, marketing no" in words(broken.why("c-42"))


def desk_text(customer: str) -> str:
    """The words of the page about a customer of whom nothing was told."""
    return words(Desk().why(customer))


def test_who_was_erased_is_gone() -> None:
    """Nothing from before it."""
    desk = Desk()
    desk.on("2026-03-01 09:00", lives(time_zone="UTC", name="Ada"), granted())
    desk.on("2026-03-01 11:00", asked(offer("secret_offer")))
    desk.on("2026-03-02 11:00", erased())
    assert "secret_offer" not in desk.why("c-42")
    assert "dnc.erased" in desk.why("c-42")


def test_the_stream_as_numbers() -> None:
    """For the charts."""
    desk = Desk()
    desk.on("2026-03-02 11:50", lives(time_zone="UTC"), asked(offer("a")))
    found = desk.get("/live/series")
    told = json.loads(found.body)
    assert found.content_type == "application/json"
    assert set(told) == {"at", "outcomes", "reasons", "silent"}
    assert max(told["reasons"]["consent.missing"]) == 1
    assert "Keep silent 1" in words(desk.get("/live").body.decode())


def test_the_rulebook() -> None:
    """What is active, what never fired, what is wrong with a newer one."""
    desk = Desk(shown={"source": "topic", "errors": ["retail.yaml:3:1: unknown field `respct`"]})
    desk.on("2026-03-02 11:50", lives(time_zone="UTC"), asked(offer("a")))
    text = words(desk.get("/rulebook").body.decode())
    assert "decides from the topic rulebooks" in text
    assert desk.story.policy.rulebook.digest in text
    assert "A newer rulebook is refused" in text
    assert "unknown field `respct`" in text
    assert "consent.missing 1" in text
    assert "Nothing is stopped." in text
    assert "order_status service never said" in text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_else_is_done(method: str) -> None:
    """No page changes anything."""
    desk = Desk()
    found = desk.pages.answer(Asked(method, "/console/why", cookie=desk.cookie))
    assert found.status == 405
    assert desk.pages.answer(Asked("HEAD", "/console/why", cookie=desk.cookie)).status == 200
