"""Take the README's pictures: `make pictures` writes docs/console/*.png, few and small, of the staged console."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from PIL import Image

from tests.streaming.api.console.browser import browser
from tests.streaming.api.console.stage import CUSTOMER, Served, Stage

FOLDER: Final = Path(os.environ.get("PICTURES", Path(__file__).parents[4] / "docs" / "console"))
"""Where they go; PICTURES names another place."""
_DESK: Final = {"width": 1080, "height": 900}
_PHONE: Final = {"width": 390, "height": 780}
_SHOWN: Final = ("why-light", "why-dark", "why-phone", "live-dark", "live-phone", "rulebook-light")
_COLOURS: Final = 128


def main() -> int:
    """All of them; 0. With `--whole` each page to its end, to be looked at rather than shown."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    stage = Stage()
    stage.crowd()
    with tempfile.TemporaryDirectory() as folder, Served(Path(folder), stage) as served, browser() as chromium:
        for name, view, scheme in (("light", _DESK, "light"), ("dark", _DESK, "dark"), ("phone", _PHONE, "light")):
            context = chromium.new_context(viewport=view, color_scheme=scheme, reduced_motion="reduce")
            _take(context.new_page(), served, name, whole="--whole" in sys.argv)
            context.close()
    return 0


def _take(page: Any, served: Served, name: str, *, whole: bool) -> None:
    page.goto(f"{served.address}/console")
    page.get_by_label("Token").fill(served.token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Customer id").fill(CUSTOMER)
    page.get_by_role("button", name="Why?").click()
    page.get_by_role("heading", name=CUSTOMER).wait_for()
    page.set_viewport_size({"width": page.viewport_size["width"], "height": 1320 if name != "phone" else 780})
    _save(page, f"why-{name}", whole)
    page.set_viewport_size({"width": page.viewport_size["width"], "height": 780})
    page.goto(f"{served.address}/console/live")
    page.locator("#reasons .u-value", has_text=":").first.wait_for()
    _save(page, f"live-{name}", whole)
    page.goto(f"{served.address}/console/rulebook")
    _save(page, f"rulebook-{name}", whole)


def _save(page: Any, name: str, whole: bool) -> None:
    if not whole and name not in _SHOWN:
        return
    shot = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    few = shot.quantize(
        _COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )  # a third of the bytes, and nobody sees it
    few.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    sys.exit(main())
