"""The console in a real Chromium: it works by keyboard, on a phone, in the dark, and asks nobody but its worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders import asked, granted, lives, offer
from tests.streaming.api.console.browser import browser, needs_a_browser
from tests.streaming.api.console.stage import CUSTOMER, EVIL, Served, Stage


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A console with a customer and a crowd behind it, and a customer whose name is a script."""
    needs_a_browser()
    stage = Stage()
    stage.on("2026-03-18 20:20", lives(time_zone="UTC").by(EVIL), granted().by(EVIL))
    stage.on("2026-03-18 20:21", asked(offer(EVIL, topic=EVIL)).by(EVIL))
    stage.crowd(others=60)
    with Served(tmp_path_factory.mktemp("served"), stage) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for all of them."""
    needs_a_browser()
    with browser() as running:
        yield running


class Seen:
    """A page, all that it asked for, and all that it complained about."""

    def __init__(self, chromium: Any, served: Served, **options: Any) -> None:
        self.address = served.address
        self.context = chromium.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.asked: list[str] = []
        self.referers: list[str] = []
        self.wrong: list[str] = []
        self.page.on("request", self._ask)
        self.page.on("console", lambda said: self.wrong.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append("a dialog"))

    def _ask(self, request: Any) -> None:
        self.asked.append(request.url)
        self.referers += [text for name, text in request.headers.items() if name.lower() == "referer" and text]

    def sign_in(self, served: Served) -> Any:
        """By keyboard alone: the field has the focus."""
        self.page.goto(f"{served.address}/console")
        self.focused("token")
        self.page.keyboard.type(served.token)
        self.page.keyboard.press("Enter")
        self.focused("customer")
        return self.page

    def focused(self, name: str) -> None:
        """Wait until the element of that id has the focus."""
        self.page.locator(f"[id='{name}']:focus").wait_for()

    def close(self) -> None:
        """Nothing went wrong on it, and nobody else was asked."""
        assert self.wrong == []
        assert [url for url in self.asked if not url.startswith(self.address)] == []
        assert self.referers == []
        self.context.close()


@pytest.fixture
def seen(chromium: Any, served: Served) -> Iterator[Seen]:
    """A new browser profile, closed with a look at what it asked for."""
    found = Seen(chromium, served)
    yield found
    found.close()


def test_why_by_keyboard(seen: Seen, served: Served) -> None:
    """Type, Enter, read; the reader stands at the answer, and no address names the customer."""
    page = seen.sign_in(served)
    page.keyboard.type(CUSTOMER)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=CUSTOMER).wait_for()
    seen.focused("found")
    assert page.get_by_role("img", name="week cap: 2 of 3 in 7d used").count() == 1
    # Down the page: each decision is opened and closed by its summary.
    second = page.locator("details.card").nth(1)
    for _ in range(12):
        page.keyboard.press("Tab")
        if second.locator("summary").first.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    assert second.get_by_text("for the customer").is_visible()
    assert not [url for url in seen.asked if CUSTOMER in url]
    assert CUSTOMER not in page.url
    assert CUSTOMER not in page.evaluate("JSON.stringify([localStorage, sessionStorage])")


def test_the_order_of_the_tab_key(seen: Seen, served: Served) -> None:
    """Skip link, places, sign out, field, button: as it is read."""
    page = seen.sign_in(served)
    page.get_by_role("link", name="Skip to the page").focus()
    order = []
    for _ in range(7):
        order.append(page.evaluate("(document.activeElement.textContent || document.activeElement.name).trim()"))
        page.keyboard.press("Tab")
    assert order == ["Skip to the page", "Why?", "Live", "Rulebook", "Sign out", "customer", "Why?"]


def test_a_name_that_is_a_script_is_a_name(seen: Seen, served: Served) -> None:
    """It is shown, and does not run."""
    page = seen.sign_in(served)
    page.get_by_label("Customer id").fill(EVIL)
    page.get_by_role("button", name="Why?").click()
    page.get_by_role("heading", name=EVIL).wait_for()
    assert page.locator("details.card b").first.inner_text() == EVIL


def test_live_draws_and_can_be_paused(seen: Seen, served: Served) -> None:
    """Two charts from numbers that are asked for; the newest decisions come by themselves until Pause."""
    page = seen.sign_in(served)
    page.get_by_role("link", name="Live").click()
    page.locator("#reasons canvas").wait_for()
    assert page.locator("#outcomes canvas").count() == 1
    assert (
        page.get_by_role("cell", name="consent.missing").count()
        + page.get_by_role("rowheader", name="consent.missing").count()
    )
    with page.expect_response("**/console/live/newest"):
        pass
    button = page.get_by_role("button", name="Why").first
    button.focus()
    name = button.get_attribute("id")
    with page.expect_response("**/console/live/newest"):
        pass
    seen.focused(str(name))
    pause = page.get_by_role("button", name="Pause")
    pause.click()
    assert page.get_by_role("button", name="Go on").get_attribute("aria-pressed") == "true"
    page.locator(f"[id='{name}']").click()
    page.locator("details.card[open]").first.wait_for()


def test_the_rulebook_reads(seen: Seen, served: Served) -> None:
    """What is stopped comes before what is said."""
    page = seen.sign_in(served)
    page.get_by_role("link", name="Rulebook").click()
    assert page.get_by_role("heading", level=2).all_inner_texts() == [
        "Stopped", "What is said by itself", "Why we keep silent, in this order",
    ]  # fmt: skip
    assert page.get_by_text("campaign spring").is_visible()


def test_without_scripts_it_works_too(chromium: Any, served: Served) -> None:
    """Forms are forms."""
    plain = Seen(chromium, served, java_script_enabled=False)
    page = plain.page
    page.goto(f"{served.address}/console")
    page.get_by_label("Token").fill(served.token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Customer id").fill(CUSTOMER)
    page.get_by_role("button", name="Why?").click()
    assert page.get_by_role("heading", name=CUSTOMER).is_visible()
    plain.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_can_be_read(chromium: Any, served: Served, scheme: str) -> None:
    """Nothing wider than the screen, and text that stands out from its ground (WCAG 2.2, 1.4.3: 4.5 to 1)."""
    phone = Seen(chromium, served, viewport={"width": 360, "height": 740}, color_scheme=scheme, has_touch=True)
    page = phone.sign_in(served)
    page.get_by_label("Customer id").fill(CUSTOMER)
    page.get_by_role("button", name="Why?").click()
    page.get_by_role("heading", name=CUSTOMER).wait_for()
    for path in (None, "live", "rulebook"):
        if path is not None:
            page.goto(f"{served.address}/console/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        assert page.evaluate(_FAINT) == [], path
    phone.close()


_FAINT = """() => {
  const light = (c) => {
    const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const parts = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const found = parts(getComputedStyle(one).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const faint = new Set();
  for (const one of document.querySelectorAll("main *, header *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || one.closest("svg, .off, .unseen, script")) continue;
    const [a, b] = [light(parts(getComputedStyle(one).color).slice(0, 3)), light(ground(one))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.add(`${one.tagName}.${one.className}: ${one.textContent.trim()}`);
  }
  return [...faint];
}"""
