"""The door: `decisioning check | test | mutate | explain | schema` for authors, `decide | run | topics | demo | bench`.

Those who connect to it have `send | import | watch`, in `wire.py`.

Exit codes: 0 fine, 1 the input is at fault, 2 usage, 3 a part is unreachable or refuses. Errors go to stderr, one
line each. What a command needs is imported by that command, so that authors need no broker and `--help` nothing at all.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer
from typer.exceptions import Abort, Exit, TyperException

from decisioning import oncall
from decisioning.errors import DecisioningError, EventRejected, RulebookError
from decisioning.instant import parse_instant
from decisioning.wire import wire

if TYPE_CHECKING:
    from decisioning.decision import Decision
    from decisioning.policy import Policy

FINE, INPUT, USAGE, REFUSED = 0, 1, 2, 3

app = typer.Typer(
    name="decisioning",
    help="Decide in real time whether a customer may be spoken to, and what is the best thing to say.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
topics = typer.Typer(help="The topics, as data.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(topics, name="topics")
book = typer.Typer(help="The rulebook that workers follow.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(book, name="rulebook")
api = typer.Typer(help="The HTTP API of a worker.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(api, name="api")
bench = typer.Typer(help="What it costs, measured.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(bench, name="bench")
app.add_typer(wire)


def _default_policy() -> Path:
    from decisioning.streaming import shipped

    return shipped.default_policy()


RulebookFile = Annotated[
    Path,
    typer.Option(
        "--rules", exists=True, dir_okay=False, readable=True, help="The rulebook, a YAML file.",
        default_factory=_default_policy, show_default="rules/retail.yaml, else the one that came with us",
    ),
]  # fmt: skip


@app.command(epilog="Example: decisioning decide --rules rules/retail.yaml --until 2026-03-03T00:00:00Z < events.jsonl")
def decide(
    rules: RulebookFile,
    until: Annotated[
        str | None, typer.Option(help="Fire wakes up to this time (RFC 3339) after the last event.")
    ] = None,
) -> None:
    """Answer events from stdin, one decision a line; a bad line goes to stderr and makes the exit code 1."""
    try:
        end = None if until is None else parse_instant(until)
    except ValueError as error:
        _leave(USAGE, f"--until: {error}")
    try:
        code = _answer(_policy(rules), end)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read us has gone: the rest is for nobody
        code = FINE
    raise Exit(code)


def _answer(policy: Policy, end: int | None) -> int:
    from decisioning.event import parse
    from decisioning.replay import Replay

    run, bad = Replay(policy), False
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        try:
            event = parse(line)
        except EventRejected as error:
            bad = True
            print(f"line {number}: {error}", file=sys.stderr, flush=True)
            continue
        _say(run.feed(event))
    _say(run.finish(end))
    return INPUT if bad else FINE


RulebookFiles = Annotated[
    list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, metavar="RULES...", help="Rulebooks.")
]
RulebookArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A rulebook.")]
CasesFile = Annotated[
    Path | None,
    typer.Option("--cases", exists=True, dir_okay=False, readable=True, help="Cases; none: NAME.cases.yaml beside it."),
]


@app.command(epilog="Example: decisioning check rules/retail.yaml")
def check(rules: RulebookFiles) -> None:
    """Say everything that is wrong with rulebooks, by file:line:column with a suggestion; exit code 1 if any is."""
    from decisioning import desk

    raise Exit(desk.check(rules))


@app.command("test", epilog="Example: decisioning test rules/retail.yaml --watch")
def try_cases(
    rules: RulebookFiles,
    cases: CasesFile = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again whenever a file changes, until Ctrl-C.")] = False,
) -> None:
    """Play each rulebook's cases: what failed and why, and what no case reaches; exit code 1 where one fails."""
    from decisioning import desk

    if not watch:
        raise Exit(desk.try_cases(rules, cases))
    books = desk.books_of(rules)
    files = [*books, *(cases or desk.cases_of(path) for path in books)]
    raise Exit(desk.watch(files, lambda: desk.try_cases(rules, cases)))


@app.command(epilog="Example: decisioning mutate rules/retail.yaml")
def mutate(rules: RulebookFiles, cases: CasesFile = None) -> None:
    """Change each rule and each number of a rulebook in turn: exit code 1 and the names of what no case notices."""
    from decisioning import desk

    raise Exit(max(desk.mutate(path, cases) for path in desk.books_of(rules)))


@app.command(epilog="Example: decisioning explain --rules rules/retail.yaml --customer c-42 < events.jsonl")
def explain(
    rules: RulebookFile,
    customer: Annotated[str, typer.Option("--customer", help="The customer id, as events have it in `subject`.")],
    last: Annotated[int, typer.Option(min=1, help="How many decisions.")] = 5,
) -> None:
    """Say the last decisions about a customer in words: why, on which facts, what would have to change."""
    from decisioning import desk

    raise Exit(desk.explain(rules, customer, sys.stdin.buffer, last))


@app.command(epilog="Example: decisioning schema rulebook > rulebook.json")
def schema(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="rulebook, cases, event, decision, asyncapi; none: all but the last."),
    ] = None,
    write: Annotated[Path | None, typer.Option("--write", file_okay=False, help="A folder to write them to.")] = None,
) -> None:
    """Print the JSON Schemas of rulebook, cases, event and decision, or the AsyncAPI document; or write them."""
    from decisioning import desk

    raise Exit(desk.schema(names or (), write))


@app.command(epilog="Example: decisioning tables rules/README.md")
def tables(page: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A Markdown file.")]) -> None:
    """Write a page's tables of rules, reasons, names, actions and events anew, between their marks."""
    from decisioning import desk

    raise Exit(desk.tables(page))


@app.command(epilog="Example: DECISIONING_KAFKA=127.0.0.1:9092 decisioning run")
def run() -> None:
    """Run a worker until SIGTERM; everything it needs to know is in DECISIONING_* (see deploy/env.example)."""
    gc.disable()
    from decisioning.streaming.app import main as work

    gc.freeze()  # what was imported stays: the collector need not look at it while it loads, nor ever again
    gc.enable()
    raise Exit(work())


@topics.command("create", epilog="Example: DECISIONING_KAFKA=127.0.0.1:9092 decisioning topics create")
def topics_create() -> None:
    """Create the topics that are missing; a topic with other partitions is refused, never changed."""
    from decisioning.streaming.app import create_topics

    raise Exit(create_topics())


@topics.command("list", epilog="Example: decisioning topics list")
def topics_list() -> None:
    """Print the topics with key, partitions, retention and compaction, as DECISIONING_* sets them."""
    from decisioning.streaming.app import list_topics

    raise Exit(list_topics())


@topics.command("acls", epilog="Example: decisioning topics acls")
def topics_acls() -> None:
    """Print what a worker's user must be allowed on a Kafka with ACLs, and nothing more."""
    from decisioning.streaming.app import list_acls

    raise Exit(list_acls())


@topics.command("strimzi", epilog="Example: DECISIONING_REPLICATION=3 decisioning topics strimzi | kubectl apply -f -")
def topics_strimzi(
    cluster: Annotated[str, typer.Option(help="Name of the Kafka resource, in whose namespace they belong.")] = "kafka",
    user: Annotated[str, typer.Option(help="Name of the workers' user, and of its Secret.")] = "decisioning",
) -> None:
    """Print topics and permissions as KafkaTopic and KafkaUser, for Kafka on Kubernetes under Strimzi."""
    from decisioning.streaming.app import list_strimzi

    raise Exit(list_strimzi(cluster, user))


@topics.command("adopt", epilog="Example: decisioning topics adopt --stores /var/lib/decisioning/worker-0")
def topics_adopt(
    begin: Annotated[
        Literal["start", "end"], typer.Option("--from", help="Where the workers begin in the new source topics.")
    ] = "start",
    stores: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True, file_okay=False, help="Data directory of a stopped worker, if the changelog was not copied."
        ),
    ] = None,
) -> None:
    """Move all customers to re-created topics or another cluster while no worker runs; old offsets are forgotten."""
    from decisioning.streaming.app import adopt_topics

    raise Exit(adopt_topics(begin, stores or []))


@book.command(
    "publish", epilog="Example: DECISIONING_KAFKA=127.0.0.1:9092 decisioning rulebook publish rules/retail.yaml"
)
def publish(rules: RulebookArgument) -> None:
    """Give every worker this rulebook at once, over its file; a broken one is refused with the messages of `check`."""
    from decisioning.streaming.app import publish_rulebook

    raise Exit(publish_rulebook(rules))


@book.command("new", epilog="Example: decisioning rulebook new rules")
def begin(folder: Annotated[Path, typer.Argument(file_okay=False, help="Where to.")] = Path("rules")) -> None:
    """Write the default policy with its cases, examples and schemas to a folder, to change it there."""
    from decisioning.streaming import shipped

    print(f"wrote {len(shipped.begin(folder))} files; now `decisioning test {folder / shipped.RETAIL.name}`")


@book.command("withdraw", epilog="Example: decisioning rulebook withdraw retail")
def withdraw(name: Annotated[str, typer.Argument(help="The rulebook's name, as it says itself.")]) -> None:
    """Let every worker go back to the rulebook in its file."""
    from decisioning.streaming.app import withdraw_rulebook

    raise Exit(withdraw_rulebook(name))


@api.command("token", epilog="Example: decisioning api token crm --scope read --scope decide >> tokens")
def api_token(
    name: Annotated[str, typer.Argument(help="Whose it is: one word.")],
    scope: Annotated[list[str], typer.Option(help="read, decide, admin; or peer, a key of the workers.")],
) -> None:
    """Make a token: the line for the token file on stdout, the token itself, once, on stderr."""
    from decisioning.streaming.api.tokens import Scope, make, make_peer_line

    known = [*Scope, "peer"]
    for one in scope:
        if one not in known:
            _leave(USAGE, f"--scope: `{one}` is none; there are {', '.join(known)}")
    if "peer" in scope:
        print(make_peer_line())
        return
    try:
        token, line = make(name, map(Scope, scope))
    except ValueError as error:
        _leave(USAGE, str(error))
    print(line)
    print(token, file=sys.stderr)


@api.command("document", epilog="Example: decisioning api document > openapi.json")
def api_document() -> None:
    """Print the OpenAPI document."""
    from decisioning.streaming.api.openapi import dumps

    sys.stdout.buffer.write(dumps())


@bench.command("engine", epilog="Example: decisioning bench engine --rules rules/retail.yaml --rounds 5")
def bench_engine(
    rules: RulebookFile,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="How often to measure.")] = 3,
    seed: Annotated[int, typer.Option(help="What the synthetic part is drawn from.")] = 7,
    customers: Annotated[
        int, typer.Option(min=0, help="Up to so many are held at once (1000000 takes minutes); 0: no growth.")
    ] = 10_000,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Microseconds an event of the pure engine, by stage, beside the floor of decoding and encoding the same bytes; and
    how they grow with rules, candidates, history and customers."""
    from decisioning.streaming.bench import bench_engine as measure

    raise Exit(measure(rules, rounds=rounds, seed=seed, as_json=json, customers=customers or None))


@app.command(epilog="Example: decisioning demo --plain")
def demo(
    plain: Annotated[bool, typer.Option("--plain", help="Log lines in place of the live view.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave broker and worker running at the end.")] = False,
    seed: Annotated[int, typer.Option(help="What the synthetic part is drawn from.")] = 7,
    broker: Annotated[str, typer.Option(help="host:port of a Kafka to use; none: an embedded one.")] = "",
    days: Annotated[int | None, typer.Option(min=1, help="Only so many of the shop's days; none: all.")] = None,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long to take over them.")] = 40.0,
) -> None:
    """Real shop days through Kafka topics and a worker process, live, in about a minute."""
    from decisioning.streaming.demo import run_demo

    raise Exit(run_demo(plain=plain, keep=keep, seed=seed, broker=broker or None, seconds=seconds, days=days))


oncall.register(app)


def main() -> NoReturn:
    """Run the command line; never a traceback for what the user can mend."""
    try:
        code = app(standalone_mode=False) or FINE
    except Exit as done:
        code = done.exit_code
    except TyperException as error:
        _leave(USAGE, error.format_message())
    except DecisioningError as error:
        _leave(REFUSED, str(error))
    except (KeyboardInterrupt, Abort):
        code = 130
    sys.exit(code)


def _policy(path: Path) -> Policy:
    from decisioning import rulebook
    from decisioning.catalogue import Catalogue
    from decisioning.policy import Policy

    try:
        return Policy(rulebook.parse(path.read_bytes(), str(path)), Catalogue())
    except RulebookError as error:
        _leave(INPUT, str(error))


def _say(decisions: Iterable[Decision]) -> None:
    from decisioning.decision import dumps

    lines = [dumps(decision) + b"\n" for decision in decisions]
    if lines:
        sys.stdout.buffer.writelines(lines)
        sys.stdout.buffer.flush()


def _leave(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
