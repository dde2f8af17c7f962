"""An author's own refusals, and the clauses of actions that only a request calls (contract.md, section 4; P41).

A refusal is a named condition that, where it holds, keeps something back: `ineligible.<name>`. A clause of an action
keeps it back where it does not hold. A condition that has no answer for this customer refuses too, as
`rule_error.<name>`: what we do not know keeps us silent.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from decisioning import facts, vocabulary
from decisioning.actions import Action
from decisioning.condition import Condition, ConditionError, Value, parse
from decisioning.payload import Class
from decisioning.suppress.base import EVERY_CLASS, Ask, Book, Objection, Rule, Suppressor
from decisioning.vocabulary import ATTRIBUTE_NAME, Attributes

RESERVED = frozenset({"topic_off"})
"""Details of `ineligible` that another rule gives."""


def _list(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(f"a list: write [{value}]")
    return value


class Refusal(Rule):
    """One refusal: what is of these classes, and of these actions if any are named, is kept back where `when` holds."""

    name: str = Field(pattern=ATTRIBUTE_NAME, description="Its reason: `ineligible.<name>`.")
    when: str = Field(description="The condition that keeps it back.")
    classes: Annotated[tuple[Class, ...], BeforeValidator(_list)] = Field(
        default=("marketing", "survey"), min_length=1, description="Which classes it is about."
    )
    actions: Annotated[tuple[str, ...], BeforeValidator(_list)] | None = Field(
        default=None, min_length=1, description="Which actions it is about; left out: all."
    )


class Refusals(Rule):
    """The author's refusals, in the order in which they give their reason; written as a list."""

    refusals: tuple[Refusal, ...] = Field(default=(), max_length=500)

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return {"refusals": value}
        if value == {}:
            return value
        raise ValueError("a list of refusals: start each with `- name:`")

    @model_validator(mode="after")
    def _named_once(self) -> Refusals:
        names = [refusal.name for refusal in self.refusals]
        for place, name in enumerate(names):
            if name in names[:place] or name in RESERVED:
                raise ValueError(f"the name `{name}` is taken: each name is a reason")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """As it is written: a list."""
        found = handler.resolve_ref_schema(handler(schema))
        return {**found["properties"]["refusals"], "description": cls.__doc__}


class Clause:
    """A condition with a name that keeps back where it holds or, as an action's own clause, where it does not."""

    def __init__(self, name: str, condition: Condition, *, keeps_back: bool) -> None:
        self._name = name
        self._condition = condition
        self._keeps_back = keeps_back
        self._of_customer = all(read.startswith("customer.") for read in condition.reads)
        self._of_channel = "candidate.channel" in condition.reads

    def judged(self, ask: Ask, known: facts.Facts) -> Objection | None:
        """The objection, None where it keeps nothing back."""
        condition = self._condition
        try:
            answers = ask.answers if ask.answers is not None else {}
            if facts.answered(answers, self._key(ask), condition, known) is not self._keeps_back:
                return None
        except ConditionError as error:
            missing: dict[str, Value] = {"missing": error.missing} if error.missing else {}
            return Objection(f"rule_error.{self._name}", {"condition": condition.text, **missing}, None)
        shown = facts.shown(condition, known)
        return Objection(f"ineligible.{self._name}", {"condition": condition.text, **shown}, None)

    def _key(self, ask: Ask) -> Hashable:
        """What tells two questions apart for this condition: most are about the customer alone."""
        if self._of_customer:
            return self._condition.text
        return self._condition.text, ask.now, ask.candidate, ask.channel if self._of_channel else None


class Eligible(Suppressor[Refusals]):
    """Refuses what an author's refusal or an action's own clause keeps back."""

    section = "ineligible"
    classes = EVERY_CLASS
    reasons = ()
    shape = Refusals

    def __init__(self, rule: Refusals, attributes: Attributes | None = None, actions: tuple[Action, ...] = ()) -> None:
        super().__init__(rule)
        self._attributes = attributes or {}
        self._by_request = {action.action: action for action in actions if not action.on and action.clauses}
        schema = vocabulary.of_candidate(self._attributes)
        self._refusals = [
            Clause(refusal.name, parse(refusal.when, schema), keeps_back=True) for refusal in rule.refusals
        ]
        self._places: dict[str | None, list[int]] = {None: []}
        for place, refusal in enumerate(rule.refusals):
            for action in (None,) if refusal.actions is None else refusal.actions:
                self._places.setdefault(action, []).append(place)
        self._of_class = {class_: self._about(class_, None) for class_ in sorted(EVERY_CLASS)}
        self._of_action = {
            (class_, action): self._about(class_, action)
            for action in {*self._places, *self._by_request}
            if action is not None
            for class_ in sorted(EVERY_CLASS)
        }

    def _about(self, class_: str, action: str | None) -> tuple[Clause, ...]:
        """All that may keep back what is of this class and action, in the order in which it gives its reason."""
        places = sorted({*self._places[None], *self._places.get(action, ())})
        refusals = (self._refusals[place] for place in places if class_ in self.rule.refusals[place].classes)
        asked = self._by_request.get(action) if action is not None else None
        clauses = asked.clauses if asked is not None else ()
        return (*refusals, *(Clause(one.name, one.condition, keeps_back=False) for one in clauses))

    @classmethod
    def of(cls, book: Book) -> Self:
        """With the attributes and actions of its rulebook; `ConditionRejected` where a refusal is at fault."""
        rule = book.rule(cls.section)
        assert isinstance(rule, Refusals)
        return cls(rule, getattr(book, "attributes", {}), getattr(book, "ready", ()))

    def check(self, ask: Ask) -> Objection | None:
        """The first refusal that holds, then the first clause that does not.

        When a condition will answer otherwise is not foreseen, not even where it reads `now`: no `until`, and so no
        `allowed_from`.
        """
        class_, action = ask.candidate.class_, ask.candidate.action
        clauses = self._of_action.get((class_, action)) or self._of_class[class_]
        if not clauses:
            return None
        known = facts.of_candidate(self._attributes, ask)
        for clause in clauses:
            found = clause.judged(ask, known)
            if found is not None:
                return found
        return None

    def gives(self) -> tuple[str, ...]:
        """`ineligible.<name>` and `rule_error.<name>` of each refusal and clause, in order."""
        names = [refusal.name for refusal in self.rule.refusals]
        names += [clause.name for action in self._by_request.values() for clause in action.clauses]
        return tuple(f"{family}.{name}" for name in dict.fromkeys(names) for family in ("ineligible", "rule_error"))
