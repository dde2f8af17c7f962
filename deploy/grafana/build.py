"""The dashboards, as code: `make generated` writes them into `dashboards/`, where Grafana is given them.

Three, each for one question. *Respect*: do we leave people in peace, and why were we silent? *Flow*: does everything
that comes get its answer, and how soon? *Kafka and state*: what does the worker lean on, and does that hold?

The next panel is one line of a table below. A panel says in its description what a person is to make of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from grafana_foundation_sdk.builders import common as builders
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

FOLDER: Final = Path(__file__).parent / "dashboards"
SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="prometheus")
_WIDTH: Final = 24
_RATE: Final = "[$__rate_interval]"


class Panel(NamedTuple):
    """One panel: its title, what it tells, its queries by legend, and how it looks."""

    title: str
    tells: str
    queries: dict[str, str]
    unit: str = "short"
    kind: str = "lines"
    width: int = 8
    bad_from: float | None = None
    """The value from which on it is red."""


class Row(NamedTuple):
    """Panels that belong together, under a heading."""

    title: str
    panels: Sequence[Panel]


class Board(NamedTuple):
    """One dashboard."""

    uid: str
    title: str
    tells: str
    rows: Sequence[Row]


def rate(series: str, by: str = "", where: str = "") -> str:
    """What a counter grows by in a second, of all workers together."""
    return f"sum{f' by ({by})' if by else ''} (rate(decisioning_{series}{where}{_RATE}))"


def grown(series: str, by: str = "", over: str = _RATE, where: str = "") -> str:
    """What a counter grew by."""
    return f"sum{f' by ({by})' if by else ''} (increase(decisioning_{series}{where}{over}))"


def quantiles(series: str) -> dict[str, str]:
    """Half, nineteen of twenty, and all but one in a hundred."""
    return {
        name: f"histogram_quantile({share}, {rate(f'{series}_bucket', 'le')})"
        for name, share in (("half", 0.5), ("19 of 20", 0.95), ("99 of 100", 0.99))
    }


def mean(series: str) -> str:
    """The mean of a histogram over the moment."""
    return f"{rate(f'{series}_sum')} / {rate(f'{series}_count')}"


def level(series: str, by: str = "") -> str:
    """A gauge of all workers together."""
    return f"sum{f' by ({by})' if by else ''} (decisioning_{series})"


RESPECT: Final = Board(
    "decisioning-respect", "decisioning: respect", "Do we leave people in peace, and why were we silent?",
    [
        Row("At a glance", [
            Panel("Forbidden contacts", "Contacts that went out though a rule forbids them, found by the audit. "
                  "Anything but 0 is a defect of ours: see the runbook at once.",
                  {"contacts": grown("forbidden_contacts_total", over="[$__range]")}, kind="figure", width=5,
                  bad_from=1),
            Panel("Contacts the audit missed", "More went out than the audit could look at; 0 on a healthy worker.",
                  {"contacts": grown("audited_contacts_total", over="[$__range]", where='{result="missed"}')},
                  kind="figure", width=5, bad_from=1),
            Panel("Contacts a second", "Acts of all classes.",
                  {"acts": rate("decisions_total", where='{outcome="act"}')}, "ops", "figure", 5),
            Panel("Marketing contacts a customer and day", "The pressure on an average customer of these stores.",
                  {"contacts": '86400 * sum (rate(decisioning_decisions_total{outcome="act",class="marketing"}[1h]))'
                               " / sum (decisioning_store_customers)"}, kind="figure", width=5),
            Panel("Customers treated as unknown", "Their stored state could not be read: service yes, marketing no.",
                  {"customers": grown("degraded_customers_total", over="[$__range]")}, kind="figure", width=4,
                  bad_from=1),
        ]),
        Row("What was decided", [
            Panel("Decisions by outcome", "Each question has one answer; holds and recalls come by themselves.",
                  {"{{outcome}}": rate("decisions_total", "outcome")}, "ops"),
            Panel("Contacts by channel", "Where we spoke; `other` are channels that the rulebook does not name.",
                  {"{{channel}}": rate("decisions_total", "channel", '{outcome="act"}')}, "ops"),
            Panel("Contacts by class", "Service speaks where marketing must not.",
                  {"{{class}}": rate("decisions_total", "class", '{outcome="act"}')}, "ops"),
        ]),
        Row("Why we were silent", [
            Panel("Reasons for silence", "The ten most frequent. One that suddenly leads is a changed rule or a fact "
                  "that no longer arrives, for example consent.",
                  {"{{reason}}": "topk(10, " + rate("decisions_total", "reason", '{outcome="suppress"}') + " > 0)"},
                  "ops", width=12),
            Panel("Reasons for waiting", "Deferred: asked again by ourselves.",
                  {"{{reason}}": rate("decisions_total", "reason", '{outcome="defer"}') + " > 0"}, "ops", width=12),
            Panel("Words taken back", "Recalls, by what made the contact wrong after it was decided.",
                  {"{{reason}}": rate("decisions_total", "reason", '{outcome="recall"}') + " > 0"}, "ops", width=12),
            Panel("Silence told to all", "Holds begun and ended, for ad audiences and points of sale.",
                  {"{{outcome}}": rate("decisions_total", "outcome", '{outcome=~"hold|release"}')}, "ops", width=12),
        ]),
        Row("The rulebook", [
            Panel("The rulebook that decides", "Two lines with different digests for long: a worker did not follow.",
                  {"": "decisioning_rulebook_info"}, kind="table", width=9),
            Panel("Rulebooks refused", "1 while the newest one of a source is refused; the last good one decides.",
                  {"{{source}}": "max by (source) (decisioning_rulebook_error)"}, width=5),
            Panel("Stops pulled by hand", "Those that stand; `decisioning stops` says whose and why.",
                  {"stops": "max (decisioning_stops)"}, width=5),
            Panel("Clauses that could not be judged", "Each kept us silent; the author should know.",
                  {"{{clause}}": grown("rule_errors_total", "clause")}, width=5),
        ]),
    ],
)  # fmt: skip

FLOW: Final = Board(
    "decisioning-flow", "decisioning: flow", "Does everything that comes get its answer, and how soon?",
    [
        Row("At a glance", [
            Panel("Events a second", "Source records taken, of all types.", {"events": rate("events_total")}, "ops",
                  "figure", 5),
            Panel("Decisions a second", "Of all outcomes.", {"decisions": rate("decisions_total")}, "ops", "figure", 5),
            Panel("Slowest one in a hundred", "From an event's Kafka timestamp until its decisions are durable.",
                  {"seconds": quantiles("event_seconds")["99 of 100"]}, "s", "figure", 5, 1),
            Panel("Records waiting", "In the log and not handled yet.", {"records": level("lag_records")},
                  kind="figure", width=5),
            Panel("Dead letters", "Records that nobody could read.",
                  {"records": grown("dead_letters_total", over="[$__range]")}, kind="figure", width=4, bad_from=1),
        ]),
        Row("How soon", [
            Panel("From event to durable decision", "What a channel waits for.", quantiles("event_seconds"), "s"),
            Panel("Age of events when they are handled", "From the event's own time: what is slow before it reaches us "
                  "shows here and not on the left.", quantiles("event_age_seconds"), "s"),
            Panel("Lateness of wakes", "From the instant that was promised until the customer was woken.",
                  quantiles("wake_late_seconds"), "s"),
        ]),
        Row("What came", [
            Panel("Events by type", "", {"{{type}}": rate("events_total", "type") + " > 0"}, "ops"),
            Panel("What became of events", "`repeated` is a sender that sends twice, `forwarded` one that partitions "
                  "otherwise, `skipped` a type that we do not know.", {"{{result}}": rate("events_total", "result")},
                  "ops"),
            Panel("Dead letters by fault", "The sender's to mend; the record is kept whole on `dead-letters`.",
                  {"{{code}}": grown("dead_letters_total", "code") + " > 0"}),
            Panel("Records in a foreign partition", "Their producer does not partition by murmur2 of the key.",
                  {"{{topic}}": grown("misrouted_records_total", "topic") + " > 0"}),
            Panel("Names unknown to us", "Events that name a decision, order or case we never heard of.",
                  {"{{type}}": grown("unknown_references_total", "type") + " > 0"}),
            Panel("Promises", "Wakes that were due, and customers woken; a lasting gap is a relay that lags.",
                  {"due": rate("wakes_due_total"), "woken": rate("wakes_total")}, "ops"),
        ]),
        Row("Inside", [
            Panel("Work and waiting of a slice", "Work is ours, waiting is Kafka's.",
                  {"work": mean("slice_seconds"), "waiting": mean("slice_wait_seconds")}, "s"),
            Panel("Records in a slice", "Grows by itself under load.", {"records": mean("slice_records")}),
            Panel("Records published", "Decisions, relay records and dead letters.",
                  {"records": rate("published_records_total")}, "ops"),
        ]),
    ],
)  # fmt: skip

STATE: Final = Board(
    "decisioning-state", "decisioning: Kafka and state", "What does the worker lean on, and does that hold?",
    [
        Row("At a glance", [
            Panel("Workers ready", "Those of which /readyz says so.", {"workers": level("ready")}, kind="figure",
                  width=5),
            Panel("Oldest commit", "Since all that was finished was last known to be committed.",
                  {"seconds": "max (decisioning_commit_age_seconds)"}, "s", "figure", 5, 60),
            Panel("Still to restore", "Changelog records before events are taken.",
                  {"records": level("restore_remaining_records")}, kind="figure", width=5),
            Panel("Customers", "As RocksDB estimates them; one that was written again counts twice until it is "
                  "compacted.", {"customers": level("store_customers")}, kind="figure", width=5),
            Panel("Free on the fullest disk", "Below the least, no event is taken.",
                  {"bytes": "min (decisioning_disk_free_bytes)"}, "bytes", "figure", 4),
        ]),
        Row("What troubles it", [
            Panel("Trouble", "1 while a part keeps a worker from deciding, or from deciding by the newest rulebook.",
                  {"{{instance}} {{part}}": "decisioning_trouble"}, kind="states", width=24),
        ]),
        Row("Kafka", [
            Panel("Records waiting by topic", "", {"{{topic}}": level("lag_records", "topic")}),
            Panel("Commit age", "Saw-toothed below the commit interval; a rising line is a group that takes none.",
                  {"{{instance}}": "decisioning_commit_age_seconds"}, "s"),
            Panel("Rebalances", "Each stops a worker for a moment; a series of them is one that comes and goes.",
                  {"{{instance}}": "increase(decisioning_rebalances_total[$__rate_interval])"}),
            Panel("Lanes", "Partitions by worker.", {"{{instance}}": "decisioning_lanes"}),
            Panel("Handled again", "Redelivered after a restart, and answered byte for byte.",
                  {"records": rate("replayed_records_total")}, "ops"),
            Panel("Stale writers", "Records of a superseded worker, written over. Not 0: two owners for a moment.",
                  {"records": grown("stale_writer_records_total")}),
        ]),
        Row("State", [
            Panel("Size of a customer's state", "Bounded by design; a growing tail is a customer in a loop.",
                  quantiles("state_bytes"), "bytes"),
            Panel("Local stores", "With those of standbys.", {"{{instance}}": "decisioning_store_bytes"}, "bytes"),
            Panel("Restored", "Changelog records read a second, and how many are left.",
                  {"read": rate("restored_records_total"), "left": level("restore_remaining_records")}),
            Panel("Outbox", "Outputs kept for repetition until their commit.",
                  {"{{instance}}": "decisioning_outbox_bytes"}, "bytes"),
            Panel("Stores set aside", "Damaged ones, rebuilt from the changelog.",
                  {"stores": grown("stores_set_aside_total", over="[$__range]")}),
            Panel("Free disk", "", {"{{instance}}": "decisioning_disk_free_bytes"}, "bytes"),
        ]),
        Row("The process", [
            Panel("CPU", "1 is one core.", {"{{instance}}": "rate(process_cpu_seconds_total[$__rate_interval])"}),
            Panel("Memory", "", {"{{instance}}": "process_resident_memory_bytes"}, "bytes"),
            Panel("What is running", "", {"": "decisioning_build_info"}, kind="table"),
        ]),
    ],
)  # fmt: skip

BOARDS: Final = (RESPECT, FLOW, STATE)


def build(board: Board) -> str:
    """The JSON that Grafana imports."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.tells)
        .tags(["decisioning"])
        .time("now-1h", "now")
        .refresh("10s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(dashboard.DashboardLink("decisioning").type(model.DashboardLinkType.DASHBOARDS).tags(["decisioning"]))
    )
    top = number = 0
    for row in board.rows:
        number += 1
        heading = dashboard.Row(row.title).id(number).grid_pos(model.GridPos(h=1, w=_WIDTH, x=0, y=top))
        made = made.with_row(heading)
        top, left, tallest = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > _WIDTH:
                top, left, tallest = top + tallest, 0, 0
            number += 1
            height = _HEIGHTS[panel.kind]
            place = model.GridPos(h=height, w=panel.width, x=left, y=top)
            made = made.with_panel(_panel(panel).id(number).grid_pos(place))
            left, tallest = left + panel.width, max(tallest, height)
        top += tallest
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


TABLE: Final = PromQueryFormat.TABLE
_HEIGHTS: Final = {"figure": 4, "lines": 8, "table": 8, "states": 8}


def _panel(panel: Panel) -> Any:
    made: Any
    if panel.kind == "figure":
        made = stat.Panel().graph_mode(common.BigValueGraphMode.AREA).color_mode(common.BigValueColorMode.VALUE)
        made = made.reduce_options(builders.ReduceDataOptions().calcs(["lastNotNull"]))
        made = made.thresholds(_thresholds(panel.bad_from)).color_scheme(_scheme("thresholds"))
    elif panel.kind == "table":
        made = table.Panel()
    elif panel.kind == "states":
        made = statetimeline.Panel().thresholds(_thresholds(1)).color_scheme(_scheme("thresholds"))
    else:
        made = timeseries.Panel().line_width(1).fill_opacity(8).show_points(common.VisibilityMode.NEVER)
    made = made.title(panel.title).description(panel.tells or panel.title).datasource(SOURCE).unit(panel.unit)
    for letter, (legend, query) in zip("ABCDEF", panel.queries.items(), strict=False):
        target = prometheus.Dataquery().ref_id(letter).expr(query).legend_format(legend).datasource(SOURCE)
        made = made.with_target(target.format(TABLE).instant() if panel.kind == "table" else target)
    return made


def _thresholds(bad_from: float | None) -> Any:
    steps = [model.Threshold(value=None, color="green")]
    if bad_from is not None:
        steps.append(model.Threshold(value=bad_from, color="red"))
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _scheme(mode: str) -> Any:
    return dashboard.FieldColor().mode(model.FieldColorModeId(mode))


def main() -> None:
    """Write every dashboard."""
    FOLDER.mkdir(exist_ok=True)
    for board in BOARDS:
        (FOLDER / f"{board.uid}.json").write_text(build(board))


if __name__ == "__main__":
    main()
