"""The rulebook that decides: good ones follow each other, broken ones are counted, said and shown."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from decisioning.catalogue import Catalogue
from decisioning.document import MAX_BYTES
from decisioning.errors import RulebookError
from decisioning.lint import check
from decisioning.policy import Policy
from decisioning.stops import Stop, What, Word, dumps, key_of
from decisioning.streaming.labels import shown
from decisioning.streaming.metrics import Labels, Metrics
from decisioning.streaming.rulebooks import TOPIC, RulebookFile, Rulebooks, build
from decisioning.streaming.settings import Settings
from tests.streaming.records import Rec

BAD_RULES = Path(__file__).parents[1] / "bad_rules"
BROKEN = b'rulebook: shop\nversion: "9"\nvalid_for: soon\nowners: nobody\n'
IN_VAIN = b'rulebook: x\nversion: "1"\nrespect: {expired: {after: 0s}}\n'


def book(version: str, name: str = "shop") -> bytes:
    """A rulebook with nothing but its defaults."""
    return f'rulebook: {name}\nversion: "{version}"\n'.encode()


def faults_of(text: bytes, where: str) -> list[str]:
    """What `build` says of a broken text."""
    with pytest.raises(RulebookError) as caught:
        build(text, where, Catalogue())
    return str(caught.value).splitlines()


@pytest.fixture
def file(tmp_path: Path) -> RulebookFile:
    """A file that was read once, as at a worker's start."""
    path = tmp_path / "shop.yaml"
    path.write_bytes(book("1"))
    found = RulebookFile(path)
    assert found.read() == book("1")
    return found


def looks(file: RulebookFile, count: int = 3) -> list[bytes | None]:
    """What so many looks find."""
    return [file.look() for _ in range(count)]


def test_a_change_counts_once_two_looks_agree(file: RulebookFile) -> None:
    """A file that nobody touched says nothing; a new content is handed over once."""
    assert looks(file) == [None, None, None]
    file.path.write_bytes(book("2"))
    assert looks(file) == [None, book("2"), None]
    os.utime(file.path)
    assert looks(file) == [None, None, None]


def test_a_file_that_is_being_written_waits(file: RulebookFile) -> None:
    """Half a rulebook may be a good one, with half of its rules: it is not taken while it grows."""
    found = []
    for end in range(4, len(book("22")) + 1, 4):
        file.path.write_bytes(book("22")[:end])
        found.append(file.look())
    assert not any(found)
    file.path.write_bytes(book("22"))
    assert looks(file) == [None, book("22"), None]


def test_a_file_put_in_place_by_renaming_is_taken(file: RulebookFile) -> None:
    """As editors and Kubernetes do it, a link to a file included."""
    for number, place in enumerate((file.path.with_name("b"), file.path.with_name("c"))):
        place.write_bytes(book(f"2{number}"))
        link = file.path.with_name("link")
        link.symlink_to(place)
        link.replace(file.path)
        assert looks(file) == [None, book(f"2{number}"), None]


def test_a_change_that_hides_is_seen(file: RulebookFile) -> None:
    """Of the same size and with its old time restored: right after the start, and later."""
    for version in ("2", "3"):
        before = os.stat(file.path)
        while os.stat(file.path).st_ctime_ns == before.st_ctime_ns:  # the clock of files moves in steps
            file.path.write_bytes(book(version))
            os.utime(file.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert looks(file) == [None, book(version), None]


def test_a_change_in_the_instant_of_the_start_is_seen(file: RulebookFile) -> None:
    """What was written right after it was read may bear the same times."""
    file.path.write_bytes(book("2"))
    assert looks(file) == [None, book("2"), None]


def test_a_missing_file_is_said_once_and_found_again(file: RulebookFile) -> None:
    """One look without it is forgiven, because some tools remove before they write; its return is told even if
    nothing changed, so that the fault can end."""
    file.path.unlink()
    assert file.look() is None
    with pytest.raises(FileNotFoundError):
        file.look()
    assert looks(file) == [None, None, None]
    file.path.write_bytes(book("1"))
    assert looks(file) == [None, book("1"), None]


def test_no_more_of_a_file_is_read_than_can_be_used(file: RulebookFile) -> None:
    """A dump in the rulebook's place is refused without being held in memory."""
    file.path.write_bytes(b"#" * 3_000_000)
    text = looks(file)[1]
    assert text is not None
    assert len(text) == MAX_BYTES + 1
    assert f"larger than {MAX_BYTES} bytes" in faults_of(text, "f")[0]


@pytest.mark.parametrize("text", [b"", b"\xff", b"[", b"- 1", b"a: *b", BROKEN, b"rulebook: x\n", IN_VAIN, None])
def test_whatever_a_text_is_it_is_a_rulebook_or_refused(text: bytes) -> None:
    """Also where the reader itself fails: a fault of ours in reading must not end the deciding."""
    assert faults_of(text, "here")[0].startswith("here:")


@pytest.mark.parametrize("path", sorted(BAD_RULES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_worker_refuses_what_check_refuses(path: Path) -> None:
    """In the same words, whether it does not parse, names what is not there, or says something in vain."""
    text = path.read_bytes()
    expected = [f"{path}:{one.line}:{one.column}: {one.message}" for one in check(text, str(path))]
    assert expected
    assert faults_of(text, str(path)) == expected


class Shop:
    """A worker's view of rulebooks: what was used, said and counted."""

    def __init__(self, file: RulebookFile, **settings: Any) -> None:
        self.file = file
        self.used: list[Policy] = []
        self.said: list[str] = []
        first = build(file.read(), str(file.path), Catalogue())
        self.metrics = Metrics(CollectorRegistry(), Labels((), shown(first), (), ()))
        self.books = Rulebooks(
            Settings(**settings), file, first, self.metrics,
            use=self._use, say=self.said.append,
        )  # fmt: skip
        self.first = first
        self.on_use: Callable[[], None] = lambda: None
        self._offset = 0

    def _use(self, policy: Policy) -> None:
        self.used.append(policy)
        self.on_use()

    async def write(self, text: bytes) -> None:
        """Change the file and let it be seen."""
        self.file.path.write_bytes(text)
        await self.books.look()
        await self.books.look()

    async def publish(self, text: bytes | None, key: bytes | None = b"shop") -> None:
        """Put a record on the topic and wait until it is settled."""
        self._offset += 1
        self.books.told(Rec(TOPIC, 0, self._offset, 0, key, text, ()))
        await self.books.settled()

    def count(self, name: str) -> float:
        """A series by its full name and labels; 0 where there is none."""
        for line in self.metrics.render().decode().splitlines():
            if line.startswith(f"decisioning_{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def loads(self, source: str) -> tuple[float, float, float]:
        """How many of a source were accepted and refused, and whether the newest was."""
        counts = [self.count(f'rulebook_loads_total{{result="{result}",source="{source}"}}')
                  for result in ("accepted", "refused")]  # fmt: skip
        return counts[0], counts[1], self.count(f'rulebook_error{{source="{source}"}}')

    @property
    def version(self) -> str:
        """The version that decides, as `/readyz` says it."""
        shown = self.books.shown()
        assert self.count(f'rulebook_info{{digest="{shown["digest"]}",name="shop",version="{shown["version"]}"}}') == 1
        return f"{shown['source']} {shown['version']}"


@pytest.fixture
async def shop(file: RulebookFile) -> AsyncIterator[Shop]:
    """A shop that follows the topic by itself, and its file when the test looks."""
    made = Shop(file, rulebook_poll_ms=3_600_000)
    made.books.start()
    yield made
    await made.books.stop()
    await made.books.stop()


async def test_a_good_change_of_the_file_decides(shop: Shop) -> None:
    """The new policy reads the catalogue that the worker holds; one line says what decides."""
    await shop.write(book("2"))
    assert [policy.rulebook.version for policy in shop.used] == ["2"]
    assert shop.used[0].catalogue is shop.first.catalogue
    assert shop.version == "file 2"
    assert shop.loads("file") == (2, 0, 0)
    assert shop.said == [f"rulebook shop 2 ({shop.used[0].rulebook.digest[:19]}) decides now, from the file"]


async def test_a_broken_change_keeps_the_last_good_one(shop: Shop) -> None:
    """It is counted, said in one line and shown with every fault; the way back to the old text ends it."""
    await shop.write(BROKEN)
    lines = faults_of(BROKEN, str(shop.file.path))
    assert len(lines) == 2
    assert shop.books.shown()["errors"] == lines
    assert shop.said[0].endswith(f"stays: {lines[0]} (and 1 more on /readyz)")
    assert (shop.version, shop.used, shop.loads("file")) == ("file 1", [], (1, 1, 1))
    await shop.write(book("1"))
    assert (shop.version, shop.used, shop.loads("file")) == ("file 1", [], (2, 1, 0))
    assert shop.books.shown()["errors"] == []
    assert len(shop.said) == 1


async def test_a_file_that_is_gone_is_a_fault_until_it_is_back(shop: Shop) -> None:
    """What decides does not need the file."""
    shop.file.path.unlink()
    await shop.books.look()
    await shop.books.look()
    assert shop.books.faults == [f"{shop.file.path}: cannot be read (No such file or directory)"]
    assert shop.loads("file") == (1, 1, 1)
    await shop.write(book("1"))
    assert (shop.books.faults, shop.version) == ([], "file 1")


async def test_the_topic_wins_until_its_record_is_withdrawn(shop: Shop) -> None:
    """A record reaches every worker whatever its file says; the file's changes are still read and wait their turn."""
    await shop.publish(book("7"))
    assert shop.version == "topic 7"
    await shop.write(book("2"))
    assert (shop.version, shop.loads("file")) == ("topic 7", (2, 0, 0))
    await shop.publish(book("8"))
    assert shop.version == "topic 8"
    await shop.publish(None)
    assert (shop.version, shop.loads("topic")) == ("file 2", (2, 0, 0))
    assert [policy.rulebook.version for policy in shop.used] == ["7", "8", "2"]


async def test_a_broken_record_keeps_the_last_good_one(shop: Shop) -> None:
    """Its lines begin with its place; a good record or a withdrawal ends the fault."""
    await shop.publish(book("7"))
    await shop.publish(BROKEN)
    assert shop.books.faults == faults_of(BROKEN, "rulebooks[0]@2")
    assert (shop.version, shop.loads("topic")) == ("topic 7", (1, 1, 1))
    assert not shop.books.orphaned
    await shop.publish(book("8"))
    assert (shop.version, shop.loads("topic")) == ("topic 8", (2, 1, 0))
    await shop.publish(BROKEN)
    await shop.publish(None)
    assert (shop.version, shop.books.faults) == ("file 1", [])


async def test_a_broken_record_without_a_good_one_before_it_is_told_apart(shop: Shop) -> None:
    """At a start it means that nobody knows what the topic wants; while we run, the file's rulebook goes on."""
    await shop.publish(BROKEN)
    assert shop.books.orphaned == faults_of(BROKEN, "rulebooks[0]@1")
    assert shop.version == "file 1"


async def test_records_of_other_names_are_not_for_us(shop: Shop) -> None:
    """Several business lines share the topic; a rulebook under a key that is not its name is refused."""
    for key in (b"bank", b"", None, b"\xff"):
        await shop.publish(book("7"), key)
    assert (shop.version, shop.loads("topic")) == ("file 1", (0, 0, 0))
    await shop.publish(book("7", "bank"))
    assert shop.books.faults == ["rulebooks[0]@5:1:1: `bank` is not `shop`: the name is the record's key"]
    assert (shop.version, shop.loads("topic")) == ("file 1", (0, 1, 1))


async def test_another_name_in_the_file_asks_for_a_restart_where_the_topic_is_followed(file: RulebookFile) -> None:
    """The records of the new name have gone by; without the topic nothing is in the way."""
    shop = Shop(file)
    await shop.write(book("2", "bank"))
    assert shop.books.faults == [f"{file.path}:1:1: `bank` is not `shop`: restart the worker to follow another"]
    assert not shop.used
    file.path.write_bytes(book("1"))
    alone = Shop(file, rulebooks_topic=False)
    await alone.write(book("2", "bank"))
    assert alone.books.shown()["name"] == "bank"


async def test_names_of_a_new_rulebook_stand_at_zero(shop: Shop) -> None:
    """An author's own limit is a reason; its rate has a beginning from the moment it can be given."""
    series = 'decisions_total{channel="sms",class="marketing",outcome="suppress",reason="frequency_cap.fortnight"}'
    assert series not in shop.metrics.render().decode()
    await shop.write(book("2") + b"respect: {frequency_cap: {caps: [{name: fortnight, limit: 2, per: 14d}]}}\n")
    assert f"decisioning_{series} 0.0" in shop.metrics.render().decode()


async def test_the_file_is_followed_by_itself(file: RulebookFile) -> None:
    """Nobody asks: the next looks see the change."""
    decided = asyncio.Event()
    shop = Shop(file, rulebook_poll_ms=1)
    shop.on_use = decided.set
    shop.books.start()
    file.path.write_bytes(book("2"))
    await asyncio.wait_for(decided.wait(), 10)
    await shop.books.stop()
    assert shop.version == "file 2"


def pulled(what: What, name: str = "", by: str = "anna", why: str = "because") -> Stop:
    """Somebody's stop."""
    return Stop(what, name, Word(by, "2026-03-02T12:00:00Z", why))


async def test_a_stop_holds_under_every_rulebook(shop: Shop) -> None:
    """At once, beside the file's and the topic's, until it is over; it is said, shown and counted."""
    sms = pulled(What.CHANNEL, "sms")
    shop.books.told(Rec(TOPIC, 0, 1, 0, key_of(sms), dumps(sms), ()))
    assert [policy.switch.rule.channels for policy in shop.used] == [("sms",)]
    assert shop.said == ["channel sms is stopped, by anna: because"]
    assert shop.books.shown()["stops"] == ["channel sms, by anna: because"]
    assert shop.count("stops") == 1
    series = 'decisions_total{channel="sms",class="marketing",outcome="recall",reason="stopped.channel"}'
    assert f"decisioning_{series} 0.0" in shop.metrics.render().decode()
    await shop.write(book("2") + b"respect: {stopped: {channels: [fax]}}\n")
    await shop.publish(book("7"))
    await shop.publish(None)
    found = [(policy.rulebook.version, policy.switch.rule.channels) for policy in shop.used[1:]]
    assert found == [("2", ("fax", "sms")), ("7", ("sms",)), ("2", ("fax", "sms"))]
    over = sms.resume(Word("bob", "2026-03-02T13:00:00Z", "mended"))
    await shop.publish(dumps(over), key_of(sms))
    assert shop.used[-1].switch.rule.channels == ("fax",)
    assert shop.said[-1] == "channel sms: the stop by anna is over, by bob: mended"
    assert (shop.count("stops"), shop.books.shown()["stops"]) == (0, [])


async def test_a_stop_holds_where_the_topics_rulebooks_do_not(file: RulebookFile) -> None:
    """A worker that keeps to its file can be stopped all the same; and what is over says nothing at a start."""
    shop = Shop(file, rulebooks_topic=False)
    over = pulled(What.ACTION, "sale").resume(Word("anna", "2026-03-02T13:00:00Z", "done"))
    shop.books.told(Rec(TOPIC, 0, 1, 0, key_of(over), dumps(over), ()))
    assert (shop.said, shop.used) == ([], [])
    all_ = pulled(What.MARKETING)
    shop.books.told(Rec(TOPIC, 0, 2, 0, key_of(all_), dumps(all_), ()))
    assert shop.books.policy.switch.rule.marketing
    shop.books.told(Rec(TOPIC, 0, 3, 0, key_of(all_), None, ()))
    assert not shop.books.policy.switch.rule.marketing
