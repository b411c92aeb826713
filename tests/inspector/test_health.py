"""What is told of a stack's health: of files and headers at once, of tables by reading them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from engine.clean import FileKind
from engine.errors import Cancelled
from engine.format import HashId
from engine.holders import Holder
from engine.neighbours import Neighbour
from engine.options import StackOptions
from engine.progress import Progress
from engine.record import RefRecord
from engine.table import Table
from engine.writer import WriteOptions
from inspector.health import (
    MOST_FINDINGS,
    YOUNG_LOCK,
    Finding,
    Health,
    HealthMark,
    Report,
    Severity,
    check_tables,
    findings_at_hand,
)
from tests.support.handmade import Handmade, change_byte
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


def sound(path: Path, refs: int = 2000, options: WriteOptions | None = None) -> Path:
    records = branches(refs)
    write_table(path, records, [log(ref.name, 1) for ref in records[:200]], options)
    return path


def check(tables: Sequence[Table]) -> dict[str, tuple[Finding, ...]]:
    return {
        report.table: report.findings
        for report in check_tables(Path(), list(enumerate(tables)), lambda _: None)
    }


def neighbour(
    kind: FileKind, *, age: float = 3600.0, removable: bool = False, held: bool = False
) -> Neighbour:
    holder = Holder(1, "git") if held else None
    return Neighbour("a-file", kind, 0, 0.0, age, removable, "the reason", holder, "the holder")


def at_hand(tables: Sequence[Table] = (), beside: Sequence[Neighbour] = ()) -> list[tuple[Severity, str]]:
    found = findings_at_hand(tables, range(0), "log2", beside)
    assert all(finding.message and finding.fixes and finding.git for finding in found if not tables)
    return [(finding.severity, finding.code) for finding in found]


@pytest.mark.parametrize(
    "options",
    [
        WriteOptions(),
        WriteOptions(block_size=256),
        WriteOptions(unpadded=True),
        WriteOptions(hash_id=HashId.SHA256),
        WriteOptions(block_size=1024, restart_interval=1, skip_index_objects=True),
    ],
)
def test_sound_tables_have_no_findings(tmp_path: Path, opened: list[Table], options: WriteOptions) -> None:
    size = options.hash_id.size if options.hash_id else 20
    refs = [RefRecord(b"refs/heads/%05d" % number, 1, oid(number, size)) for number in range(1500)]
    write_table(tmp_path / "a.ref", refs, options=options)
    assert check(open_tables(opened, tmp_path / "a.ref")) == {"a.ref": ()}


def test_each_kind_of_damage_is_found_where_it_is(tmp_path: Path, opened: list[Table]) -> None:
    path = sound(tmp_path / "a.ref")
    (table,) = open_tables(opened, path)
    blocks = list(table.blocks())
    padded = next(block for block in blocks[1:] if block.padding > 1)
    damage = {
        "checksum": table.size - 1,
        "structure": 10,
        "block": blocks[2].offset,
        "record": blocks[3].offset + 4,
        "restart-point": blocks[1].offset + blocks[1].block_len - 5,
        "padding": padded.next_offset - 1,
    }
    for code, offset in damage.items():
        change_byte(path, offset, 0x41)
        found = check([table])["a.ref"]
        assert code in {finding.code for finding in found}, (code, found)
        severity = Severity.WARNING if code == "padding" else Severity.ERROR
        assert all(finding.severity is severity for finding in found)
        assert all(finding.file == "a.ref" and finding.fixes and finding.git for finding in found)
        change_byte(path, offset, 0x41)
    assert check([table]) == {"a.ref": ()}


def test_the_offset_of_a_finding_lies_in_the_block_that_is_damaged(
    tmp_path: Path, opened: list[Table]
) -> None:
    path = sound(tmp_path / "a.ref")
    (table,) = open_tables(opened, path)
    block = list(table.blocks())[3]
    change_byte(path, block.offset + 4)
    (finding, *_) = check([table])["a.ref"]
    assert finding.offset is not None
    assert block.offset <= finding.offset < block.next_offset


def test_an_index_that_leads_astray_is_found(tmp_path: Path, opened: list[Table]) -> None:
    made = Handmade()
    made.refs([RefRecord(b"a", 1, oid(1))])
    index = made.index([(b"a", 5)])
    path = made.write(tmp_path / "a.ref", ref_index_offset=index)
    assert [finding.code for finding in check(open_tables(opened, path))["a.ref"]] == ["structure"]


def test_a_table_that_was_cut_short_meanwhile_is_an_error_and_no_exception(
    tmp_path: Path, opened: list[Table]
) -> None:
    path = sound(tmp_path / "a.ref")
    tables = open_tables(opened, path)
    for size in (5000, 100, 10, 0):
        with path.open("r+b") as file:
            file.truncate(size)
        findings = check(tables)["a.ref"]
        assert findings
        assert all(finding.severity is Severity.ERROR for finding in findings)


def test_a_file_that_the_system_cannot_read_is_a_finding(tmp_path: Path) -> None:
    table = Table.open(sound(tmp_path / "a.ref"))
    table.close()
    (finding,) = check([table])["a.ref"]
    assert (finding.severity, finding.code) == (Severity.ERROR, "unreadable")


def test_a_table_that_is_damaged_throughout_has_so_many_findings_and_no_more(
    tmp_path: Path, opened: list[Table]
) -> None:
    path = sound(tmp_path / "a.ref", 20_000, WriteOptions(block_size=256))
    tables = open_tables(opened, path)
    data = bytearray(path.read_bytes())
    for offset in range(256, 256 * 300, 256):
        data[offset] ^= 0xFF
    path.write_bytes(data)
    findings = check(tables)["a.ref"]
    assert len(findings) == MOST_FINDINGS + 1
    assert findings[-1].code == "too-many"


def test_progress_goes_up_to_the_size_of_all_tables(tmp_path: Path, opened: list[Table]) -> None:
    tables = open_tables(opened, sound(tmp_path / "a.ref", 40_000), sound(tmp_path / "b.ref", 10))
    told: list[Progress] = []
    assert len(list(check_tables(Path(), list(enumerate(tables)), told.append))) == 2
    assert {progress.total for progress in told} == {sum(table.size for table in tables)}
    done = [progress.done for progress in told]
    assert all(before <= after for before, after in pairwise(done))
    assert done[-1] >= tables[0].size
    assert {progress.phase for progress in told} >= {"#0, header, footer, indexes", "#0, blocks"}


def test_a_check_stops_when_it_is_cancelled(tmp_path: Path, opened: list[Table]) -> None:
    tables = open_tables(opened, sound(tmp_path / "a.ref", 10), sound(tmp_path / "b.ref", 10))

    def cancel(progress: Progress) -> None:
        if progress.done:
            raise Cancelled

    reports = check_tables(Path(), list(enumerate(tables)), cancel)
    assert next(reports).table == "a.ref"
    with pytest.raises(Cancelled):
        next(reports)


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        (neighbour(FileKind.LOCK), (Severity.WARNING, "lock-old")),
        (neighbour(FileKind.LOCK, held=True), (Severity.INFO, "lock-held")),
        (neighbour(FileKind.LOCK, age=YOUNG_LOCK - 1), (Severity.INFO, "lock-held")),
        (neighbour(FileKind.TEMPORARY), (Severity.INFO, "temporary-file")),
        (neighbour(FileKind.ORPHAN, removable=True), (Severity.INFO, "orphan-table")),
        (neighbour(FileKind.ORPHAN), (Severity.WARNING, "orphan-doubtful")),
        (neighbour(FileKind.OTHER), (Severity.INFO, "foreign-file")),
    ],
)
def test_files_beside_the_stack_are_findings(beside: Neighbour, expected: tuple[Severity, str]) -> None:
    assert at_hand((), [beside]) == [expected]


@pytest.mark.parametrize(
    ("ranges", "codes"),
    [
        ([(1, 3), (4, 4), (5, 9)], []),
        ([(1, 3), (7, 9)], []),
        ([(1, 3), (3, 4)], ["ranges-overlap"]),
        ([(5, 9), (1, 4), (10, 11)], ["ranges-overlap"]),
        ([(1, 9), (2, 3), (4, 12)], ["ranges-overlap", "ranges-overlap"]),
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
    assert overlap.code == "ranges-overlap"
    assert (due.severity, due.code, due.file) == (Severity.INFO, "compaction-due", "a.ref")
    assert "#0 to #1" in due.message


def finding(severity: Severity, file: str, offset: int | None = None, code: str = "x") -> Finding:
    return Finding(severity, code, file, offset, "message", ("fix",))


def test_findings_are_sorted_worst_first_then_by_table_and_offset(
    tmp_path: Path, opened: list[Table]
) -> None:
    tables = open_tables(opened, sound(tmp_path / "a.ref", 10), sound(tmp_path / "b.ref", 10))
    beside = finding(Severity.WARNING, "lock")
    first, second = finding(Severity.ERROR, "b.ref", 4), finding(Severity.ERROR, "b.ref", 500)
    other, note = finding(Severity.WARNING, "a.ref"), finding(Severity.INFO, "a.ref")
    health = Health()
    health.show(tables, [note, beside])
    health.add(Report("b.ref", (second, first)))
    health.add(Report("a.ref", (other,)))
    assert health.findings() == [first, second, beside, other, note]
    counts = health.counts()
    assert (counts.errors, counts.warnings, counts.notes, counts.checked, counts.tables) == (2, 2, 1, 2, 2)


def test_a_mark_is_the_worst_that_is_known(tmp_path: Path, opened: list[Table]) -> None:
    paths = [sound(tmp_path / f"{name}.ref", 5) for name in "abcde"]
    tables = open_tables(opened, *paths)
    health = Health()
    health.show(tables, [finding(Severity.WARNING, "b.ref"), finding(Severity.INFO, "c.ref")])
    health.add(Report("c.ref", ()))
    health.add(Report("d.ref", (finding(Severity.WARNING, "d.ref"), finding(Severity.ERROR, "d.ref"))))
    assert health.marks() == {
        "a.ref": HealthMark.UNCHECKED,
        "b.ref": HealthMark.DOUBTFUL,
        "c.ref": HealthMark.SOUND,
        "d.ref": HealthMark.DAMAGED,
        "e.ref": HealthMark.UNCHECKED,
    }


def test_what_was_reported_of_a_table_stays_as_long_as_the_table(tmp_path: Path, opened: list[Table]) -> None:
    first, second = open_tables(opened, sound(tmp_path / "a.ref", 5), sound(tmp_path / "b.ref", 5))
    health = Health()
    health.show([first, second], [])
    for name in ("a.ref", "b.ref", "gone.ref"):
        health.add(Report(name, (finding(Severity.ERROR, name),)))
    assert health.counts().errors == 2
    health.show([second], [])
    assert [item.file for item in health.findings()] == ["b.ref"]
    assert health.unchecked == []
    health.show([first, second], [])
    assert health.unchecked == [(0, first)]
    health.forget()
    assert health.unchecked == [(0, first), (1, second)]
