"""`decisioning demo`: a real shop's days through Kafka topics and a real worker process, live, in about a minute.

In walking order: `sample` (the real invoices), `products`, `people`, `orders`, `campaigns` and `shop` (the history,
pure), `feeder` (into Kafka and out of it), `channels` (what becomes of an act), `tally` and `story` (what came of it),
`view` and `plain` (how it looks), `processes`, `loop` and `run` (the whole).
"""

from decisioning.streaming.demo.run import run_demo

__all__ = ["run_demo"]
