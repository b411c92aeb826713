"""What is told of a stack's health: of files and headers at once, of tables by reading them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from engine.format import RefRecord
from engine.fsck import FaultKind, Finding, Severity
from engine.stack import FileKind, Holder, StackOptions, UnlistedFile
from engine.table import Table
from inspector.model import Health, HealthMark, findings_at_hand
from tests.support.screens import branches, log
from tests.support.tables import oid, write_table


@pytest.fixture
def opened() -> Iterator[list[Table]]:
    tables: list[Table] = []
    yield tables
    for table in tables:
        table.close()


def open_tables(opened: list[Table], *paths: Path) -> list[Table]:
    """Open tables while they are sound; the fixture closes them."""
    opened += [Table.open(path) for path in paths]
    return opened


def sound(path: Path, refs: int) -> Path:
    records = branches(refs)
    write_table(path, records, [log(ref.name, 1) for ref in records])
    return path


def unlisted(kind: FileKind, *, in_use: bool = False) -> UnlistedFile:
    holder = Holder(1, "git") if in_use else None
    return UnlistedFile("a-file", kind, 0, 0.0, 3600.0, "the reason", in_use=in_use, holder=holder)


def at_hand(tables: Sequence[Table] = (), beside: Sequence[UnlistedFile] = ()) -> list[tuple[Severity, str]]:
    found = findings_at_hand(tables, range(0), "log2", beside)
    assert all(finding.message and finding.git and finding.fault.meaning for finding in found)
    return [(finding.severity, finding.code) for finding in found]


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        (unlisted(FileKind.LIST_LOCK), (Severity.WARNING, "lock-stale")),
        (unlisted(FileKind.TABLE_LOCK, in_use=True), (Severity.INFO, "lock-held")),
        (unlisted(FileKind.TEMPORARY), (Severity.WARNING, "temporary-file")),
        (unlisted(FileKind.TEMPORARY, in_use=True), (Severity.INFO, "temporary-in-use")),
        (unlisted(FileKind.SUPERSEDED), (Severity.WARNING, "orphan-table")),
        (unlisted(FileKind.SUPERSEDED, in_use=True), (Severity.INFO, "orphan-in-use")),
        (unlisted(FileKind.DOUBTFUL), (Severity.WARNING, "orphan-doubtful")),
        (unlisted(FileKind.DATA), (Severity.ERROR, "table-unlisted-data")),
        (unlisted(FileKind.NEXT), (Severity.WARNING, "orphan-newer")),
        (unlisted(FileKind.AHEAD), (Severity.ERROR, "orphan-ahead")),
        (unlisted(FileKind.UNREADABLE), (Severity.WARNING, "orphan-damaged")),
        (unlisted(FileKind.NOT_REGULAR), (Severity.INFO, "foreign-file")),
        (unlisted(FileKind.OTHER), (Severity.INFO, "foreign-file")),
    ],
)
def test_files_beside_the_stack_are_findings(beside: UnlistedFile, expected: tuple[Severity, str]) -> None:
    assert at_hand((), [beside]) == [expected]


@pytest.mark.parametrize(
    ("ranges", "codes"),
    [
        ([(1, 3), (4, 4), (5, 9)], []),
        ([(1, 3), (7, 9)], []),
        ([(1, 3), (3, 4)], ["update-index-shared"]),
        ([(1, 3), (2, 4)], ["ranges-overlap"]),
        ([(5, 9), (1, 4), (10, 11)], ["tables-out-of-order"]),
        ([(1, 9), (2, 3), (4, 12)], ["ranges-overlap"]),
    ],
)
def test_update_indexes_have_to_ascend(
    tmp_path: Path, opened: list[Table], ranges: list[tuple[int, int]], codes: list[str]
) -> None:
    for number, limits in enumerate(ranges):
        path = tmp_path / f"{number}.ref"
        write_table(path, [RefRecord(b"a", limits[0], oid(1))], limits=limits)
        open_tables(opened, path)
    assert [code for _, code in at_hand(opened)] == codes


def test_a_compaction_that_is_due_is_worth_knowing(tmp_path: Path, opened: list[Table]) -> None:
    tables = open_tables(opened, sound(tmp_path / "a.ref", 10), sound(tmp_path / "b.ref", 10))
    for table in tables:
        assert table.min_update_index == 1
    (overlap, due) = findings_at_hand(tables, range(2), StackOptions().policy, ())
    assert overlap.code == "update-index-shared"  # both have the same one
    assert (due.severity, due.code, due.file) == (Severity.INFO, "compaction-due", "a.ref")
    assert "#0 to #1" in due.message


def finding(severity: Severity, file: str, offset: int | None = None, code: str = "x") -> Finding:
    return Finding(FaultKind(code, severity, "meaning", "git", ("fix",)), file, offset, "message")


def shown(tables: Sequence[Table], at_hand: Sequence[Finding] = (), found: Sequence[Finding] = ()) -> Health:
    """Return what is known after a check that found this; what is at hand is of files beside the tables."""
    health = Health()
    names = [table.name for table in tables]
    health.show(tables, at_hand, {one.file for one in at_hand} - set(names))
    for one in found:
        health.add([one])
    health.finish(names, is_whole=True)
    return health


def test_findings_are_sorted_worst_first_then_by_table_and_offset(
    tmp_path: Path, opened: list[Table]
) -> None:
    tables = open_tables(opened, sound(tmp_path / "a.ref", 10), sound(tmp_path / "b.ref", 10))
    beside = finding(Severity.WARNING, "lock")
    first, second = finding(Severity.ERROR, "b.ref", 4), finding(Severity.ERROR, "b.ref", 500)
    other, note = finding(Severity.WARNING, "a.ref"), finding(Severity.INFO, "a.ref", code="y")
    health = shown(tables, [note, beside], [second, other, first])
    assert health.findings() == [first, second, beside, other, note]
    counts = health.counts()
    assert (counts.errors, counts.warnings, counts.notes, counts.checked, counts.tables) == (2, 2, 1, 2, 2)


def test_many_findings_are_not_sorted_again_with_each_report(
    tmp_path: Path, opened: list[Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = open_tables(opened, sound(tmp_path / "a.ref", 10), sound(tmp_path / "b.ref", 10))
    found = [
        finding(Severity.ERROR if number % 3 else Severity.INFO, "ab"[number % 2] + ".ref", number)
        for number in reversed(range(3000))
    ]
    health = Health()
    health.show(tables, [finding(Severity.WARNING, "lock")], {"lock"})
    orders = 0
    order = Health._order

    def counted(health: Health, one: Finding) -> tuple[int, int, int]:
        nonlocal orders
        orders += 1
        return order(health, one)

    monkeypatch.setattr(Health, "_order", counted)
    for start in range(0, len(found), 30):
        health.add(found[start : start + 30])
        assert sum((health.counts().errors, health.counts().notes)) == start + 30
        assert len(health.marks()) == 2
        assert health.damage()
    assert orders < 20 * len(found)
    assert list(health.findings()) == sorted(health.findings(), key=lambda one: order(health, one))
    assert len(health.findings()) == len(found) + 1


def test_a_mark_is_the_worst_that_is_known(tmp_path: Path, opened: list[Table]) -> None:
    tables = open_tables(opened, *(sound(tmp_path / f"{name}.ref", 5) for name in "abcde"))
    at_hand = [finding(Severity.WARNING, "b.ref"), finding(Severity.INFO, "c.ref")]
    health = Health()
    health.show(tables, at_hand, ())
    for one in (finding(Severity.WARNING, "d.ref"), finding(Severity.ERROR, "d.ref", 4)):
        health.add([one])
    assert health.marks() == {
        "a.ref": HealthMark.UNCHECKED,
        "b.ref": HealthMark.DOUBTFUL,
        "c.ref": HealthMark.UNCHECKED,
        "d.ref": HealthMark.DAMAGED,
        "e.ref": HealthMark.UNCHECKED,
    }
    health.finish([table.name for table in tables], is_whole=True)
    assert health.marks() == {
        "a.ref": HealthMark.SOUND,
        "b.ref": HealthMark.DOUBTFUL,
        "c.ref": HealthMark.SOUND,
        "d.ref": HealthMark.DAMAGED,
        "e.ref": HealthMark.SOUND,
    }


def test_what_was_found_in_a_table_stays_as_long_as_the_table(tmp_path: Path, opened: list[Table]) -> None:
    first, second = open_tables(opened, sound(tmp_path / "a.ref", 5), sound(tmp_path / "b.ref", 5))
    found = [finding(Severity.ERROR, name) for name in ("a.ref", "b.ref", "tables.list")]
    health = shown([first, second], (), found)
    assert health.is_checked
    assert health.counts().errors == 3
    health.show([second], (), ())
    assert [item.file for item in health.findings()] == ["b.ref"]
    assert not health.is_checked
    health.show([first, second], (), ())
    assert [item.file for item in health.findings()] == ["b.ref"]
    assert health.marks() == {"a.ref": HealthMark.UNCHECKED, "b.ref": HealthMark.DAMAGED}
    health.forget()
    assert health.findings() == []


def test_a_file_that_is_gone_takes_with_it_what_was_found_of_it(tmp_path: Path, opened: list[Table]) -> None:
    tables = open_tables(opened, sound(tmp_path / "a.ref", 5))
    found = [finding(Severity.WARNING, "lock"), finding(Severity.ERROR, "tables.list")]
    health = shown(tables, [finding(Severity.INFO, "lock")], found)
    assert [one.severity for one in health.findings()] == [Severity.ERROR, Severity.WARNING]
    health.show(tables, (), ())
    assert [one.file for one in health.findings()] == ["tables.list"]
    assert health.is_checked


def test_a_fault_that_is_known_twice_is_told_once(tmp_path: Path, opened: list[Table]) -> None:
    tables = open_tables(opened, sound(tmp_path / "a.ref", 5))
    known = [finding(Severity.WARNING, "a.ref"), finding(Severity.INFO, "a.ref", code="y")]
    found = [finding(Severity.WARNING, "a.ref", 7)]
    assert shown(tables, known, found).findings() == [found[0], known[1]]
