"""`rules/README.md`: its tables are as fresh as the code, and its five minutes work as they are written."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from decisioning import desk, guide
from decisioning.payload import TYPES
from decisioning.reasons import REASONS
from decisioning.suppress import ORDER
from decisioning.vocabulary import BUILT_IN

RULES = Path(__file__).parent.parent / "rules"
PAGE = (RULES / "README.md").read_text()


def test_the_tables_are_fresh() -> None:
    """`decisioning tables rules/README.md` writes what is there."""
    assert guide.fill(PAGE) == PAGE
    assert set(re.findall(r"<!-- table: (\w+) -->", PAGE)) == set(guide.TABLES)


def test_the_tables_hold_all_there_is() -> None:
    """Every rule, reason, name and event type has its row."""
    assert [row for row in ORDER if f"| `{row.section}` |" not in guide.rules()] == []
    assert [code for code in REASONS if f"| `{code}` |" not in guide.reasons()] == []
    assert [one.name for one in BUILT_IN if f"| `{one.name}` |" not in guide.names()] == []
    assert [type_ for type_ in TYPES if f"| `{type_}` |" not in guide.events()] == []


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (
            "rules",
            "| `quiet_hours` | Asks to wait until the night is over, or refuses. | marketing, survey | "
            '`{from: "21:00", to: "08:00", then: defer}` | `quiet_hours.night` |',
        ),
        ("events", "| order_id, lines[{sku, quantity, unit_price}], currency, channel?, promised_at? |"),
        ("events", "| case_id, severity (low, normal, high), topic?, order_id? |"),
        ("calls", "| `order.delivered` | `event.order_id` (string) |"),
        ("actions", "| `once`? | "),
        ("names", "| `order.promised_at` | timestamp | "),
    ],
)
def test_a_row_is_written_for_people(table: str, row: str) -> None:
    """Numbers as an author writes them, `?` where a field may be left out, closed lists in full."""
    assert row in guide.TABLES[table]()


def test_a_page_is_filled_between_its_marks() -> None:
    """All else stays; a table that there is not is an error."""
    page = "before\n<!-- table: names -->\nold\n<!-- end -->\nafter\n"
    filled = guide.fill(page)
    assert filled.startswith("before\n<!-- table: names -->\n\n| name |")
    assert filled.endswith(" |\n\n<!-- end -->\nafter\n")
    assert guide.fill(filled) == filled
    with pytest.raises(KeyError, match="tabels"):
        guide.fill(page.replace("names", "tabels"))


def test_the_five_minutes_work_as_they_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two files of the page, and the commands with the very output that the page shows."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    (tmp_path / "mine.yaml").write_text(blocks[0])
    (tmp_path / "mine.cases.yaml").write_text(blocks[1])
    monkeypatch.chdir(tmp_path)
    mine = Path("mine.yaml")
    assert (desk.check([mine]), desk.try_cases([mine]), desk.mutate(mine, processes=1)) == (0, 0, 0)
    shown = re.search(r"```console\n(\$ decisioning check .*?)```", PAGE, re.S)
    assert shown is not None
    commands = [line for line in shown[1].splitlines() if line.startswith("$")]
    assert [line.split()[2] for line in commands] == ["check", "test", "mutate"]
    assert capsys.readouterr().out.splitlines() == [line for line in shown[1].splitlines() if not line.startswith("$")]


def test_a_table_is_written_into_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command writes the page in place, or says which table there is not."""
    page = tmp_path / "page.md"
    shutil.copy(RULES / "README.md", page)
    page.write_text(page.read_text().replace("| `now` |", "| `then` |"))
    assert desk.tables(page) == 0
    assert page.read_text() == PAGE
    page.write_text("<!-- table: tabels -->\n<!-- end -->\n")
    assert desk.tables(page) == 1
    assert "no table 'tabels': there are rules, reasons" in capsys.readouterr().err
