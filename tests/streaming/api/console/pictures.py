"""Take the README's pictures: `make pictures` writes docs/console/*.png, small, by the staged console."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.streaming.api.console.browser import browser
from tests.streaming.api.console.stage import CUSTOMER, Served, Stage

FOLDER: Final = Path(os.environ.get("PICTURES", Path(__file__).parents[4] / "docs" / "console"))
_DESK: Final = {"width": 1180, "height": 900}
_PHONE: Final = {"width": 390, "height": 844}


def main() -> int:
    """All of them; 0."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    stage = Stage()
    stage.crowd()
    with tempfile.TemporaryDirectory() as folder, Served(Path(folder), stage) as served, browser() as chromium:
        for name, view, scheme in (("light", _DESK, "light"), ("dark", _DESK, "dark"), ("phone", _PHONE, "light")):
            context = chromium.new_context(viewport=view, color_scheme=scheme, reduced_motion="reduce")
            page = context.new_page()
            _sign_in(page, served)
            _take(page, served, name, whole="--whole" in sys.argv)
            context.close()
    return 0


def _sign_in(page: Any, served: Served) -> None:
    page.goto(f"{served.address}/console")
    page.get_by_label("Token").fill(served.token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Customer id").wait_for()


def _take(page: Any, served: Served, name: str, *, whole: bool) -> None:
    page.get_by_label("Customer id").fill(CUSTOMER)
    page.get_by_role("button", name="Why?").click()
    page.get_by_role("heading", name=CUSTOMER).wait_for()
    page.screenshot(path=FOLDER / f"why-{name}.png", full_page=whole)
    page.goto(f"{served.address}/console/live")
    page.locator("#reasons .u-legend").wait_for()
    page.screenshot(path=FOLDER / f"live-{name}.png", full_page=whole)
    page.goto(f"{served.address}/console/rulebook")
    page.screenshot(path=FOLDER / f"rulebook-{name}.png", full_page=whole)


if __name__ == "__main__":
    sys.exit(main())
