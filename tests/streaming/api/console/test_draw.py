"""What a page is made of: everything escaped, nothing inline, files as they were vendored, places on a line."""

from __future__ import annotations

import re
from hashlib import sha256
from importlib import resources

import pytest

from decisioning.instant import DAY
from decisioning.streaming.api.console.draw import asset, days, hours, place, render, static, width
from decisioning.streaming.api.console.timeline import Bar, Chart
from tests.builders import at

VENDORED = {
    "htmx-2.0.11.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
    "uplot-1.6.32.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uplot-1.6.32.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
"""File -> SHA-256 of the same file in the package that npm has under that name and version."""
TEMPLATES = sorted(
    file.name for file in resources.files("decisioning.streaming.api.console").joinpath("templates").iterdir()
)


@pytest.mark.parametrize("name", VENDORED)
def test_a_vendored_file_is_as_it_came(name: str) -> None:
    """Nobody changed it by hand; its licence stands beside it."""
    found = static(name)
    assert found is not None
    assert sha256(found[0]).hexdigest() == VENDORED[name]
    licence = static(f"{name.partition('-')[0]}-LICENSE.txt")
    assert licence is not None
    assert b"Permission" in licence[0]


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_markup_carries_a_style_or_a_script(name: str) -> None:
    """The policy would not let them work; and nothing is marked as safe."""
    text = resources.files("decisioning.streaming.api.console").joinpath("templates", name).read_text()
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:|\|\s*safe|autoescape", text)
    assert not re.search(r"<script(?! src=\"\{\{ asset)", text)
    assert not re.search(r"(src|href)=\"(https?:)?//", text)
    assert not re.search(r"hx-on|hx-vals=.js|hx-vars", text), "these are evaluated"


def test_our_own_files_ask_nobody_else() -> None:
    """No address of another host in what a browser loads of ours."""
    for name in ("console.css", "console.js", "live.js"):
        found = static(name)
        assert found is not None
        assert not re.search(rb"https?://|@import|url\(", found[0])
        assert b"innerHTML" not in found[0]
        assert b"localStorage" not in found[0]


def test_words_of_others_stay_words() -> None:
    """Escaped wherever they stand."""
    page = render("sign_in.html", token=None, page="<b>", refused=True).decode()
    assert "<b>" not in page
    text = render("nothing.html", token={"name": "<script>x</script>"}, page="", status=404).decode()
    assert "<script>x" not in text
    assert "&lt;script&gt;x" in text


def test_a_file_of_no_name_is_none() -> None:
    """No path leads out of the folder."""
    assert static("../pages.py") is static("") is static("pages.py") is None
    assert asset("console.css").startswith("/console/static/console.css?v=")


def test_places_are_shares_of_the_width() -> None:
    """And never outside of it."""
    chart = Chart(0, 100 * DAY, [])
    assert [place(chart, share * DAY) for share in (-5, 0, 25, 100, 140)] == [
        "0.000%", "0.000%", "25.000%", "100.000%", "100.000%",
    ]  # fmt: skip
    assert width(chart, Bar("slot", -50 * DAY, 10 * DAY, "")) == "10.000%"
    assert width(chart, Bar("slot", 200 * DAY, 300 * DAY, "")) == "0.000%"


def test_days_are_as_many_as_fit() -> None:
    """From half days to months."""
    first = at("2026-03-01 06:00")
    assert [tick.label for tick in days(Chart(first, first + 3 * DAY, []))] == [
        "12:00", "2 Mar", "12:00", "3 Mar", "12:00", "4 Mar",
    ]  # fmt: skip
    for span in (4, 10, 40, 119):
        assert 2 <= len(days(Chart(first, first + span * DAY, []))) <= 7


def test_hours_are_those_of_their_clock() -> None:
    """Also on the day on which it is moved."""
    first = at("2026-03-28 12:00")
    ticks = hours(Chart(first, first + 2 * DAY, []), "Europe/Berlin")
    assert [tick.label for tick in ticks] == [
        "18:00", "Sun 00:00", "06:00", "12:00", "18:00", "Mon 00:00", "06:00", "12:00",
    ]  # fmt: skip
    assert ticks[2].x == place(Chart(first, first + 2 * DAY, []), at("2026-03-29 04:00"))
    assert [tick.minor for tick in ticks[:3]] == [False, True, False]
