"""The commands of the people on call, for the door in `__main__`: the stop switch, and what a worker would meet.

What a command needs is imported by that command, as everywhere at the door.
"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Thing = Annotated[
    Literal["marketing", "channel", "action", "campaign"],
    typer.Argument(help="What: all of the class, or one by name."),
]
Name = Annotated[str, typer.Argument(help="Which channel, action or campaign.", show_default=False)]
Why = Annotated[str, typer.Option("--why", help="The reason, for whoever finds it stopped.", show_default=False)]
Who = Annotated[str, typer.Option("--by", help="Your name; none: that of your login.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Give these commands to the door."""
    app.command(epilog='Example: decisioning stop channel sms --why "the gateway sends everything twice"')(stop)
    app.command(epilog='Example: decisioning resume channel sms --why "the gateway is mended"')(resume)
    app.command(epilog="Example: decisioning stops --all")(stops)
    config = typer.Typer(
        help="The settings, and what a worker would meet.", no_args_is_help=True, rich_markup_mode=None
    )
    config.command("show", epilog="Example: decisioning config show --json")(config_show)
    config.command("check", epilog="Example: decisioning config check")(config_check)
    app.add_typer(config, name="config")
    letters = typer.Typer(help="Records that could not be read.", no_args_is_help=True, rich_markup_mode=None)
    letters.command("list", epilog="Example: decisioning dead-letters list --code not_json")(letters_list)
    letters.command("replay", epilog="Example: decisioning dead-letters replay --topic orders --yes")(letters_replay)
    app.add_typer(letters, name="dead-letters")


def stop(thing: Thing, why: Why, name: Name = "", by: Who = "") -> None:
    """Silence all marketing, a channel, an action or a campaign on every worker at once, and take live words back."""
    from decisioning.streaming import operate

    raise typer.Exit(operate.stop_now(thing, name, by=by, why=why))


def resume(
    thing: Thing,
    why: Why,
    name: Name = "",
    by: Who = "",
    whose: Annotated[
        list[str] | None, typer.Option("--whose", help="Take back these people's stops instead of your own.")
    ] = None,
) -> None:
    """Take your own stop back; what others stopped stays so until they, or you in their name, take it back."""
    from decisioning.streaming import operate

    raise typer.Exit(operate.resume_now(thing, name, by=by, why=why, whose=whose))


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def config_show(json: Json = False) -> None:
    """Print every setting with its value and where it came from; secrets stay hidden."""
    from decisioning.streaming import operate

    raise typer.Exit(operate.show_config(json=json))


def config_check(json: Json = False) -> None:
    """Look at all that a worker would meet: rulebook, disk, brokers, topics, permissions, clocks. Changes nothing."""
    from decisioning.streaming import operate

    raise typer.Exit(operate.check_config(json=json))


Code = Annotated[str, typer.Option("--code", help="Only those refused for this fault.", show_default=False)]
Topic = Annotated[str, typer.Option("--topic", help="Only those that came from this topic.", show_default=False)]
Since = Annotated[str, typer.Option("--since", help="From this time on (RFC 3339), by the record.", show_default=False)]
Until = Annotated[str, typer.Option("--until", help="Before this time.", show_default=False)]


def letters_list(
    code: Code = "",
    topic: Topic = "",
    since: Since = "",
    until: Until = "",
    every: Annotated[bool, typer.Option("--all", help="Also those that were replayed.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Also keys, headers and values: personal data.")] = False,
    json: Json = False,
) -> None:
    """Say what could not be read, and why; no personal data unless it is asked for."""
    from decisioning.streaming import operate

    raise typer.Exit(
        operate.list_letters(code=code, topic=topic, since=since, until=until, every=every, show=show, json=json)
    )


def letters_replay(
    code: Code = "",
    topic: Topic = "",
    since: Since = "",
    until: Until = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this only what would be done is said.")] = False,
) -> None:
    """Publish dead letters again where they came from, as they were, once each; the event's own time stays."""
    from decisioning.streaming import operate

    raise typer.Exit(operate.replay_letters(code=code, topic=topic, since=since, until=until, yes=yes))


def stops(
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    json: Json = False,
) -> None:
    """Say what is stopped by hand, by whom, since when and why."""
    from decisioning.streaming import operate

    raise typer.Exit(operate.show_stops(every=every, json=json))
