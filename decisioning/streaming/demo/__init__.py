"""`decisioning demo`: a real shop's days through Kafka topics and a real worker process, live, in about a minute.

In walking order: `sample` (the real invoices), `products`, `people`, `orders`, `campaigns` and `shop` (the history,
pure), `feeder` (into Kafka and out of it), `channels` (what becomes of an act), `tally` and `story` (what came of it),
`view` and `plain` (how it looks), `processes`, `loop` and `run` (the whole).
"""

from __future__ import annotations

import sys


def run_demo(
    *,
    plain: bool = False,
    keep: bool = False,
    seed: int = 7,
    broker: str | None = None,
    seconds: float = 40.0,
    days: int | None = None,
) -> int:
    """Run the demo as `run.run_demo` says; 3 and one line where its packages are not installed."""
    try:
        from decisioning.streaming.demo import run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("decisioning"):
            raise
        print(f"demo: {error.name} is missing; pip install {error.name.replace('_', '-')}", file=sys.stderr)
        return 3
    return run.run_demo(plain=plain, keep=keep, seed=seed, broker=broker, seconds=seconds, days=days)
