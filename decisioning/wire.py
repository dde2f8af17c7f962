"""The commands of those who connect to a running engine: `decisioning send | import | watch`.

Only their doors; what they do stands in `streaming/send.py`, `importer.py` and `follow.py`, which need Kafka's client.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from decisioning.instant import parse_duration

wire = typer.Typer(rich_markup_mode=None)

OutcomeName = StrEnum("OutcomeName", ["act", "suppress", "defer", "recall", "hold", "release"])
ClassName = StrEnum("ClassName", ["marketing", "survey", "service", "care"])
Texts = list[str] | None


@wire.command(
    epilog="""Example: decisioning send --type consent.granted --customer c-42 --data '{"purpose": "survey"}'"""
)
def send(
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="Events, one a line; none: standard input.")
    ] = None,
    type_: Annotated[str | None, typer.Option("--type", help="One event of this type, in place of a file.")] = None,
    customer: Annotated[
        str | None, typer.Option("--customer", help="Its subject: the customer, or an identity.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="Its data, as JSON.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Its id; none: a new one.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Its source; none: /decisioning/send.")] = None,
    time: Annotated[str | None, typer.Option("--time", help="When it happened (RFC 3339); none: now.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only check, as a worker would; no broker is needed.")] = False,
) -> None:
    """Publish events (CloudEvents in JSON) that a worker would take, to the topic of their type, under the right key.

    What a worker would not take is named on stderr and makes the exit code 1.
    """
    attributes = {"type": type_, "subject": customer, "id": id_, "source": source, "time": time}
    if type_ is None and any(given is not None for given in (data, *attributes.values())):
        raise typer.BadParameter("--customer, --data, --id, --source and --time are of one event: add its --type")
    if type_ is not None and file is not None:
        raise typer.BadParameter("either --type or a file of events")
    from decisioning.streaming.send import send_lines, send_one

    raise typer.Exit(send_lines(file, check=check) if type_ is None else send_one(attributes, data, check=check))


@wire.command("import", epilog="Example: decisioning import < history.jsonl")
def import_(
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="Events, one a line; none: standard input.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Begins the names of the checkpoint and of what is refused; none: the file's, or `history`."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only read all of it; no broker is needed.")] = False,
    again: Annotated[bool, typer.Option("--again", help="From the beginning, whatever was imported before.")] = False,
    holds_after: Annotated[
        str, typer.Option(help="Holds are said so long after a customer's last event, such as 15m; at most 7d.")
    ] = "15m",
    rate: Annotated[
        int, typer.Option(min=0, help="Events a second at most, so that what happens now need not wait; 0: no limit.")
    ] = 2000,
) -> None:
    """Fold years of history: nothing is said about the past but the holds that stand now. An import that was
    interrupted goes on where it was.

    What a worker would not take, and requests, are refused: kept for repair, with the reason, and exit code 1.
    """
    try:
        quiet = parse_duration(holds_after)
    except ValueError as error:
        raise typer.BadParameter(f"--holds-after: {error}") from None
    from decisioning.streaming.importer import import_history

    raise typer.Exit(import_history(file, name=name, check=check, again=again, quiet=quiet, rate=rate))


@wire.command(epilog="Example: decisioning watch --customer c-42 --outcome suppress --last 5")
def watch(
    customer: Annotated[Texts, typer.Option("--customer", help="Only this one; any filter may be repeated.")] = None,
    outcome: Annotated[list[OutcomeName] | None, typer.Option("--outcome", help="Only this outcome.")] = None,
    class_: Annotated[list[ClassName] | None, typer.Option("--class", help="Only this class.")] = None,
    channel: Annotated[Texts, typer.Option("--channel", help="Only this channel.")] = None,
    reason: Annotated[Texts, typer.Option("--reason", help="Only this reason, or this family of them.")] = None,
    action: Annotated[Texts, typer.Option("--action", help="Only this action.")] = None,
    beginning: Annotated[bool, typer.Option("--from-beginning", help="First all that are there already.")] = False,
    last: Annotated[int | None, typer.Option("--last", min=1, help="First the last so many that match.")] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for more, until Ctrl-C.")] = True,
    json: Annotated[bool, typer.Option("--json", help="One CloudEvent a line.")] = False,
) -> None:
    """Show decisions as they come, from now on; Ctrl-C ends. It joins no group and moves nobody's offsets."""
    if beginning and last is not None:
        raise typer.BadParameter("either --from-beginning or --last")
    from decisioning.streaming import follow as decisions

    wanted = decisions.Wanted(customer or (), outcome or (), class_ or (), channel or (), reason or (), action or ())
    raise typer.Exit(decisions.watch(wanted, last=last, beginning=beginning, follow=follow, as_json=json))
