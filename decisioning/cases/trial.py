"""A case played through the engine, and where what was said differs from what was expected, field by field.

It runs the same `Replay` as `decide`. What is compared: number and order of all decisions since the step before, and of
each the fields that the expectation writes. Holds and releases are compared only in a step that expects one, so that a
story about an offer need not recite what the purchase before it forbids; any other word that no step expects fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from decisioning.cases.model import NEVER, Expected, Weighed
from decisioning.cases.script import NEWEST, Scene, Script
from decisioning.catalogue import Catalogue
from decisioning.decision import Decision, Outcome, data
from decisioning.event import Event
from decisioning.payload import Response, ResponseRecalled
from decisioning.policy import Policy
from decisioning.replay import Replay
from decisioning.rulebook import Rulebook

ABSENT: Final = "(absent)"
_STANDING: Final = frozenset({Outcome.HOLD, Outcome.RELEASE})
_PLAIN: Final = (
    "subject", "class_", "channel", "reason", "request_id", "valid_until", "not_before", "allowed_from", "until",
    "scope", "replaces", "treatment",
)  # fmt: skip


class Difference(NamedTuple):
    """One field that is not as expected; both sides as a person reads them."""

    field: str
    expected: str
    said: str


class Failure(NamedTuple):
    """One step whose answers are not those expected: the step, what differs, and all that was said there."""

    scene: Scene
    differences: tuple[Difference, ...]
    said: tuple[Decision, ...]


class Result(NamedTuple):
    """What became of one case; `failure` is its first step that differs, None when it holds."""

    script: Script
    failure: Failure | None
    decisions: tuple[Decision, ...]


class Outcomes(NamedTuple):
    """What a run of cases reached: every reason and every action that was said or weighed."""

    reasons: frozenset[str]
    acts: frozenset[str]

    @classmethod
    def of(cls, results: Sequence[Result]) -> Outcomes:
        """All that these results reached."""
        decisions = [decision for result in results for decision in result.decisions]
        reasons = {decision.reason for decision in decisions}
        reasons |= {verdict.reason for decision in decisions for verdict in decision.considered}
        acts = {decision.action for decision in decisions if decision.outcome is Outcome.ACT and decision.action}
        return cls(frozenset(reasons), frozenset(acts))


def play(rulebook: Rulebook, script: Script) -> Result:
    """Play one case to its end, or to the first step that is not as expected."""
    return play_policy(Policy(rulebook, Catalogue()), script)


def play_policy(policy: Policy, script: Script) -> Result:
    """The same under a policy whose catalogue is empty."""
    return play_run(Replay(policy), script)


def play_run(run: Replay, script: Script) -> Result:
    """The same by a run that has met nobody yet."""
    names, all_said = _Names(), list[Decision]()
    for event in script.opening:
        all_said += run.feed(event)
    for scene in script.scenes:
        said = _said(run, scene, names)
        all_said += said
        differences = _compare(scene, said, names)
        if differences:
            return Result(script, Failure(scene, tuple(differences), tuple(said)), tuple(all_said))
    return Result(script, None, tuple(all_said))


class _Names:
    """The decisions that a case calls by name, and the newest act."""

    def __init__(self) -> None:
        self.known: dict[str, Decision] = {}
        self.newest: Decision | None = None

    def heard(self, decision: Decision) -> None:
        if decision.outcome is Outcome.ACT:
            self.newest = decision

    def id(self, name: str) -> str | None:
        found = self.known.get(name)
        return None if found is None else found.id


def _said(run: Replay, scene: Scene, names: _Names) -> list[Decision]:
    if scene.event is None:
        said = list(run.finish(scene.at))
    else:
        said = []
        if scene.event.time < scene.at:  # it happened earlier than it is handled: only the clock tells the engine so
            said += run.feed(Event(scene.event.source, "clock", "clock.moved", scene.at, "", None))
        said += run.feed(_addressed(scene.event, scene, names))
    for decision in said:
        names.heard(decision)
    return said


def _addressed(event: Event, scene: Scene, names: _Names) -> Event:
    """A response with the id and channel of the decision that it answers; of none yet, it answers an unknown one."""
    found = names.newest if scene.answers == NEWEST else names.known.get(scene.answers or "")
    if found is None:
        return event
    if isinstance(event.data, Response):
        channel = (found.channel or "") if event.data.channel == NEWEST else event.data.channel
        return replace(event, data=replace(event.data, decision_id=found.id, channel=channel))
    if isinstance(event.data, ResponseRecalled):
        return replace(event, data=replace(event.data, decision_id=found.id))
    return event


def _compare(scene: Scene, said: Sequence[Decision], names: _Names) -> list[Difference]:
    expected = scene.expect or ()
    told = [one for one in said if one.outcome not in _STANDING]
    if scene.expect == () or any(one.outcome in _STANDING for one in expected):
        told = list(said)
    found: list[Difference] = []
    for place in range(max(len(expected), len(told))):
        if place >= len(told):
            found.append(Difference(_numbered("decision", place), brief(expected[place]), "nothing more"))
        elif place >= len(expected):
            found.append(Difference(_numbered("decision", place), "nothing more", describe(told[place])))
        else:
            found += [
                one._replace(field=_numbered(one.field, place) if len(expected) > 1 else one.field)
                for one in _differences(expected[place], told[place], names)
            ]
    return found


def _numbered(field: str, place: int) -> str:
    return f"{field} {place + 1}" if place else field


def _differences(expected: Expected, said: Decision, names: _Names) -> list[Difference]:
    if expected.as_ is not None:
        names.known[expected.as_] = said
    if brief(expected) != describe(said):
        return [Difference("decision", brief(expected), describe(said))]
    found: list[Difference] = []
    told = {**data(said), "subject": said.subject}
    for name in _PLAIN:
        wanted = getattr(expected, name)
        if wanted is not None:
            found += _differs(name.rstrip("_"), wanted, told.get(name.rstrip("_")))
    for name in ("recalls", "releases"):
        wanted = getattr(expected, name)
        if wanted is not None and names.id(wanted) != getattr(said, name):
            found.append(Difference(name, wanted, "another"))
    for name, some in (("context", said.context), ("because", _because(said))):
        for key, wanted in (getattr(expected, name) or {}).items():
            found += _differs(f"{name}.{key}", wanted, (some or {}).get(key))
    if expected.considered is not None:
        found += _weighed(expected.considered, said)
    return found


def _weighed(expected: Sequence[Weighed], said: Decision) -> list[Difference]:
    told = [verdict.as_json() for verdict in said.considered]
    if len(expected) != len(told):
        return [Difference("considered", f"{len(expected)} verdicts", f"{len(told)} verdicts")]
    found: list[Difference] = []
    for place, (wanted, verdict) in enumerate(zip(expected, told, strict=True)):
        for name, value in wanted.model_dump(exclude_none=True).items():
            there = verdict.get(name)
            if isinstance(value, dict):
                for key, part in value.items():
                    facts = there if isinstance(there, Mapping) else {}
                    found += _differs(f"considered[{place}].{name}.{key}", part, facts.get(key))
            else:
                found += _differs(f"considered[{place}].{name}", value, there)
    return found


def _differs(field: str, wanted: Any, there: Any) -> list[Difference]:
    if wanted == NEVER:
        return [] if there is None else [Difference(field, NEVER, shown(there))]
    same = wanted == there or (there is not None and shown(wanted) == shown(there))
    return [] if same else [Difference(field, shown(wanted), shown(there))]


def _because(said: Decision) -> Mapping[str, object] | None:
    """The facts behind the decision's own reason."""
    of_it = [one for one in said.considered if one.reason == said.reason and one.candidate.action == said.action]
    here = [one for one in of_it if one.channel == said.channel] or of_it or list(said.considered)
    return here[0].because if here else None


def brief(expected: Expected) -> str:
    """An expectation in a few words: outcome and action, or a hold's reason."""
    return f"{expected.outcome.value} {getattr(expected, expected.outcome.value)}"


def describe(said: Decision) -> str:
    """A decision in the same few words."""
    return f"{said.outcome.value} {said.reason if said.outcome in _STANDING else said.action}"


def shown(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return ABSENT
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shown(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    return str(value)
