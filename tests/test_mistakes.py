"""What an author reads when a condition is wrong."""

from __future__ import annotations

import pytest

from decisioning.condition import ConditionRejected, parse
from tests.test_condition import SCHEMA


@pytest.mark.parametrize(
    ("text", "offset", "offending", "message"),
    [
        ("customer.teir == 'x'", 0, "customer.teir", "unknown name `customer.teir`: did you mean `customer.tier`?"),
        ("'é' == 'é' && customer.teir", 14, "customer.teir", "did you mean `customer.tier`?"),
        ("customr.tier == 'x'", 0, "customr.tier", "did you mean `customer.tier`?"),
        ("customer.kind == 'x'", 0, "customer.kind", "declare `kind` under `attributes:`"),
        ("customer.tier == gold", 17, "gold", "a text needs quotes, such as 'gold'"),
        ("shout(customer.tier) == 'X'", 0, "shout", "unknown function `shout`"),
        ("has(customer.tier)", 0, "has", "give the attribute a `default:`"),
        ("dyn(customer.tier) == 'x'", 0, "dyn", "`dyn` is not used here: every name has its type"),
        ("now.getHours('Asia/Tokyo') > 1", 4, "getHours", "it reads the clock of UTC"),
        ("customer.spent == 500", 15, "==", "does not take a double and an int: write `500.0`"),
        ("customer.tier > 5", 14, ">", "does not take a string and an int: quote the number"),
        ("now > '2026-01-01'", 4, ">", 'write `timestamp("2026-01-31T00:00:00Z")`'),
        ("customer.vip == 'true'", 13, "==", "does not take a bool and a string"),
        ("customer.tier = 'x'", 14, "=", "write `==` for `=`"),
        ("customer.vip and customer.vip", 13, "and", "write `&&` for `and`"),
        ("customer.tier == 'a or b' or customer.vip", 26, "or", "write `||` for `or`"),
        ("not customer.vip", 0, "not", "write `!` for `not`"),
        ("customer.tier == ", 17, "", "something is missing at its end"),
        ("customer.vip && && customer.vip", 16, "&& customer.vip", "it does not parse: near `&& customer.vip`"),
        ("1" + "+1" * 60 + " > customer.visits", 0, "", "nested too deep"),
        (" ", 0, " ", "empty: write what must be true"),
        ("customer.tier", 0, "customer.tier", "no question with yes or no but of type string"),
        ("now > now + duration('2d')", 21, "2d", "`duration('2d')` cannot be worked out: write `48h`"),
        ("now > now + duration('2w')", 21, "2w", "write `336h`"),
        ("now > timestamp('soon')", 16, "soon", "write RFC 3339"),
        ("customer.tier.matches('(')", 22, "(", "`(` is not a pattern"),
        ("customer.tier == 'a' ||\n  customer.teir == 'b'", 26, "customer.teir", "did you mean"),
    ],
)
def test_a_mistake_is_told_where_it_stands_with_what_to_write(
    text: str, offset: int, offending: str, message: str
) -> None:
    """The offset in characters, the word that stands there, and a suggestion."""
    with pytest.raises(ConditionRejected) as found:
        parse(text, SCHEMA)
    fault = found.value.faults[0]
    assert (fault.offset, fault.text) == (offset, offending)
    assert message in fault.message
