"""What somebody could read in bytes that hold packed states: a search for a trace of a person must look there, too."""

from __future__ import annotations

from contextlib import suppress

import zstandard

_FRAME = zstandard.FRAME_HEADER


def legible(raw: bytes) -> bytes:
    """The bytes, and behind them the content of every packed state in them."""
    found, at = [raw], raw.find(_FRAME)
    while at >= 0:
        with suppress(zstandard.ZstdError):  # four bytes that only look like the beginning of one
            found.append(zstandard.ZstdDecompressor().decompressobj().decompress(raw[at:]))
        at = raw.find(_FRAME, at + 1)
    return b"".join(found)
