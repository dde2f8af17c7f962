"""A real headless Chromium, as `make browser` installs it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
"""What Chromium is called, the smallest first."""
MISSING: Final = "no headless Chromium here: `make browser` installs it"


def chromium_path() -> str | None:
    """Where a Chromium is; None where there is none, or nothing that could drive it."""
    try:
        import playwright.sync_api  # noqa: F401
    except ModuleNotFoundError:
        return None
    return next((found for name in NAMES if (found := shutil.which(name)) is not None), None)


def needs_a_browser() -> str:
    """The path of the browser; skips the test where there is none, and says what would bring one."""
    found = chromium_path()
    if found is None:
        pytest.skip(MISSING)
    return found


@contextmanager
def browser() -> Iterator[Any]:
    """A browser of one's own; RuntimeError where there is none."""
    found = chromium_path()
    if found is None:
        raise RuntimeError(MISSING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without its own sandbox, which containers and root may not have: it sees our own pages only.
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


def main() -> int:
    """Say where it is, 0; or that there is none, 1."""
    found = chromium_path()
    print(found or MISSING)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
