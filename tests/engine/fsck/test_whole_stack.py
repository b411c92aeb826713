"""fsck on the tables as a stack: update indexes, hash functions, names, clashes, symbolic refs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from engine.errors import shown
from engine.format import HashId, RefRecord, format_table_name, is_refname, may_be_refused
from engine.fsck import Report, Severity
from engine.fsck.names import Names
from engine.fsck.whole_stack import RefCheck
from engine.stack import Stack, StackOptions
from tests.support.cost import counted
from tests.support.findings import codes, faults, findings, only
from tests.support.handmade import Handmade, change_byte, change_header
from tests.support.stacks import add, list_tables, listed, make_stack
from tests.support.tables import oid, write_table

UNCHECKED = StackOptions(auto_compact=False, skip_name_check=True)


def stack_of(directory: Path, *tables: Iterable[RefRecord]) -> None:
    """Make a stack of tables with these refs, whatever their names, each at its table's update index."""
    with Stack.open(directory, UNCHECKED) as stack:
        for refs in tables:
            index = stack.next_update_index
            add(stack, [RefRecord(ref.name, index, ref.value, ref.peeled, ref.target) for ref in refs])


def value(name: bytes) -> RefRecord:
    return RefRecord(name, 0, oid(1))


def symref(name: bytes, target: bytes) -> RefRecord:
    return RefRecord(name, 0, target=target)


def gone(name: bytes) -> RefRecord:
    return RefRecord(name, 0)


# Update indexes and hash functions


def put(directory: Path, number: int, low: int, high: int, hash_id: HashId = HashId.SHA1) -> str:
    """Write a table with these limits, its name after them, and return the name."""
    name = f"0x{low:012x}-0x{high:012x}-{number:08x}.ref"
    table = Handmade(limits=(low, high), hash_id=hash_id)
    table.refs([RefRecord(b"refs/heads/%d" % number, low, oid(number, hash_id.size))])
    table.write(directory / name)
    return name


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([(1, 1), (2, 5), (6, 6)], []),
        ([(1, 1), (9, 9)], ["indexes-missing"]),
        ([(3, 4), (5, 6)], []),
        ([(1, 1), (4, 4), (3, 3)], ["tables-out-of-order", "indexes-missing"]),
        ([(0, 0), (1, 1)], []),
        ([(3, 3), (2, 2), (1, 1)], ["tables-out-of-order"]),
        ([(1, 3), (5, 6), (4, 4)], ["tables-out-of-order"]),
        ([(1, 3), (2, 4)], ["ranges-overlap"]),
        ([(1, 2), (1, 1), (2, 2)], ["ranges-overlap"]),
        ([(1, 1), (2, 1_000_000), (3, 3), (4, 4)], ["ranges-overlap"]),
        ([(1, 9), (4, 4), (2, 3), (5, 5)], ["ranges-overlap", "tables-out-of-order"]),
        ([(1, 1), (1, 2)], ["update-index-shared"]),
        ([(1, 1), (1, 1)], ["update-index-shared"]),
        ([(1, 3), (3, 5)], ["update-index-shared"]),
    ],
)
def test_update_indexes_follow_each_other_without_overlap(
    tmp_path: Path, limits: list[tuple[int, int]], expected: list[str]
) -> None:
    list_tables(tmp_path, [put(tmp_path, number, *limit) for number, limit in enumerate(limits)])
    assert [finding.code for finding in findings(tmp_path)] == expected


@pytest.mark.parametrize("number", [1, 2])
def test_of_a_repository_a_table_that_is_gone_with_its_line_is_missed(tmp_path: Path, number: int) -> None:
    """There, update indexes begin with 1."""
    (tmp_path / "HEAD").touch()
    for name in ("objects", "reftable"):
        (tmp_path / name).mkdir()
    directory = tmp_path / "reftable"
    list_tables(directory, [put(directory, at, at, at) for at in range(1, 5) if at != number])
    assert (
        only(directory, "indexes-missing").message == f"no table has the update indexes {number} to {number}"
    )


def test_an_update_index_of_a_table_that_is_missed_otherwise_is_not_told_again(tmp_path: Path) -> None:
    names = [put(tmp_path, number, number, number) for number in (1, 2, 3)]
    list_tables(tmp_path, [names[0], names[2]])
    assert codes(tmp_path) == ["table-unlisted-data"]
    list_tables(tmp_path, names)
    (tmp_path / names[1]).unlink()
    assert codes(tmp_path) == ["table-missing"]


def test_a_list_in_reverse_is_one_error(tmp_path: Path) -> None:
    make_stack(tmp_path, 9)
    list_tables(tmp_path, reversed(listed(tmp_path)))
    assert only(tmp_path, "tables-out-of-order").file == "tables.list"
    assert faults(tmp_path) == ["tables-out-of-order"]


def test_a_table_that_states_too_many_update_indexes_is_the_one_that_is_wrong(tmp_path: Path) -> None:
    names = make_stack(tmp_path, 9)
    change_header(tmp_path / names[3], max_update_index=1_000_000)
    found = only(tmp_path, "ranges-overlap")
    assert (found.file, faults(tmp_path)) == (names[3], ["ranges-overlap", "name-range"])
    what = f"update indexes 4 to 1000000; {names[4]} has 5 to 5 and 4 more; no ref shows an older value"
    assert (found.message, found.at_stake) == (what, 0)
    assert only(tmp_path, "name-range").cause == found


def test_that_no_ref_shows_an_older_value_is_said_only_where_all_can_be_read(tmp_path: Path) -> None:
    names = make_stack(tmp_path, 9)
    change_header(tmp_path / names[3], max_update_index=1_000_000)
    change_byte(tmp_path / names[6], 28)  # its first block
    found = only(tmp_path, "ranges-overlap")
    assert found.message == f"update indexes 4 to 1000000; {names[4]} has 5 to 5 and 4 more"


@pytest.mark.parametrize("place", [0, 4, 8])
def test_a_limit_that_was_never_set_is_the_error(tmp_path: Path, place: int) -> None:
    """As git once wrote it: no transaction can follow, and older tables are not to blame."""
    names = make_stack(tmp_path, 9)
    change_header(tmp_path / names[place], max_update_index=2**64 - 1)
    found = only(tmp_path, "limits-beyond-records")
    assert (found.file, found.offset) == (names[place], 16)
    assert found.message == f"update indexes up to {2**64 - 1}; its records end with {place + 1}"
    assert faults(tmp_path) == ["limits-beyond-records", "name-range"]
    assert only(tmp_path, "name-range").cause == found


def test_limits_that_records_reach_are_sound(tmp_path: Path) -> None:
    path = tmp_path / f"{format_table_name(2**63, 2**64 - 1, 1)}.ref"
    write_table(path, [RefRecord(b"refs/heads/a", 2**64 - 1, oid(1))], limits=(2**63, 2**64 - 1))
    list_tables(tmp_path, [path.name])
    assert faults(tmp_path) == []


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([0, 1, 2, 1], "list-repeats-older"),
        ([0, 1, 2, 2], "list-duplicate"),
        ([0, 1, 2, 0, 1, 2], "list-duplicate"),
        ([0, 1, 2, 0], "list-duplicate"),
    ],
)
def test_a_repetition_is_an_error_if_it_shows_older_values(
    tmp_path: Path, places: list[int], expected: str
) -> None:
    names = [f"{format_table_name(index, index, 0)}.ref" for index in (1, 2, 3)]
    changes = [b"refs/heads/b", b"refs/heads/a", b"refs/heads/a"]
    for index, (table, name) in enumerate(zip(names, changes, strict=True), 1):
        write_table(tmp_path / table, [RefRecord(name, index, oid(index))], limits=(index, index))
    list_tables(tmp_path, [names[place] for place in places])
    assert faults(tmp_path) == [expected]
    assert {one.file for one in findings(tmp_path)} == {"tables.list"}


def test_a_compaction_beside_its_inputs_is_an_error(tmp_path: Path) -> None:
    names = make_stack(tmp_path, 3)
    files = {name: (tmp_path / name).read_bytes() for name in names}
    with Stack.open(tmp_path) as stack:
        stack.compact_all()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    list_tables(tmp_path, [*listed(tmp_path), *names])
    assert faults(tmp_path) == ["ranges-overlap"]


def test_one_stack_has_one_hash_function(tmp_path: Path) -> None:
    names = [put(tmp_path, 1, 1, 1), put(tmp_path, 2, 2, 2, HashId.SHA256), put(tmp_path, 3, 3, 3)]
    list_tables(tmp_path, names)
    assert only(tmp_path, "hash-mixed").file == names[1]
    assert faults(tmp_path) == ["hash-mixed"]


def test_a_table_of_another_hash_function_is_checked_all_the_same(tmp_path: Path) -> None:
    names = [put(tmp_path, 1, 1, 1), put(tmp_path, 2, 2, 2, HashId.SHA256)]
    list_tables(tmp_path, names)
    change_byte(tmp_path / names[1], 28)
    assert faults(tmp_path) == ["hash-mixed", "block-damaged"]


# Names


BROKEN_NAMES = [
    b"refs/heads/a b",
    b"refs/heads/a..b",
    b"refs/heads/.a",
    b"refs/heads/a.lock",
    b"refs/heads/a.lock/b",
    b"refs/heads/a.",
    b"refs/heads/a@{b",
    b"refs/heads/a\n",
    b"refs/heads/a\\",
    b"refs/heads/\x1b[2J",
    b"refs/heads/a:b",
    b"/refs/heads/a",
    b"@",
    b"../../etc/passwd",
]
UNSAFE_NAMES = [
    b"refs/heads//a",
    b"refs/heads/a/",
    b"refs/../../x",
]
BAD_NAMES = BROKEN_NAMES + UNSAFE_NAMES


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_git_refuses_is_found(tmp_path: Path, name: bytes) -> None:
    stack_of(tmp_path, [value(name), value(b"refs/heads/good")])
    code = "ref-name" if name in BROKEN_NAMES else "ref-name-unsafe"
    assert faults(tmp_path) == [code]
    finding = only(tmp_path, code)
    assert finding.severity == ("warning" if name in BROKEN_NAMES else "error")
    assert (finding.file, finding.offset) == (listed(tmp_path)[0], 0)
    assert shown(name) in finding.message
    assert "\x1b" not in finding.message


def test_a_bad_name_that_was_deleted_is_fine(tmp_path: Path) -> None:
    stack_of(tmp_path, [value(b"a b"), value(b"c")], [gone(b"a b")], [gone(b"d e")])
    assert faults(tmp_path) == []


@pytest.mark.parametrize(
    "name", [b"HEAD", b"refs/heads/a-b", b"refs/heads/\xff", b"a/@/b", b"a./b", b"refs/@", b"a.b.c"]
)
def test_other_names_are_fine(tmp_path: Path, name: bytes) -> None:
    stack_of(tmp_path, [value(name), value(b"zzz")])
    assert codes(tmp_path) == []


def test_all_names_are_judged_together_as_each_is_judged_alone() -> None:
    parts = [b"a", b"/", b".", b"..", b".lock", b"@", b"@{", b"{", b"\n", b" ", b"lock", b"~", b"//"]
    names = [one + two + three for one in parts for two in parts for three in parts]
    fine = [name for name in names if is_refname(name)]
    assert not may_be_refused(fine)
    for name in set(names).difference(fine):
        assert may_be_refused([b"good", name, b"refs/heads/good"]), name


# Directory and file


@pytest.mark.parametrize(
    ("tables", "clashes"),
    [
        ([[b"a", b"a/b"]], 1),
        ([[b"a"], [b"a/b"]], 1),
        ([[b"a/b"], [b"a"]], 1),
        ([[b"a", b"a-b", b"a.b/c", b"a/b", b"a/c"]], 2),
        ([[b"a", b"a/b", b"a/b/c"]], 3),
        ([[b"a", b"a-b", b"ab", b"ab/c"]], 1),
        ([[b"a/b", b"a/bc", b"a/c", b"ab"]], 0),
        ([[b"refs/heads/main", b"refs/heads/main2", b"refs/heads/maintenance/x"]], 0),
    ],
)
def test_no_name_is_a_directory_of_another(tmp_path: Path, tables: list[list[bytes]], clashes: int) -> None:
    stack_of(tmp_path, *[map(value, names) for names in tables])
    found = findings(tmp_path)
    assert [finding.code for finding in found] == ["ref-clash"] * clashes
    assert all(finding.severity is Severity.WARNING for finding in found)


def test_a_clash_with_a_deleted_ref_is_none(tmp_path: Path) -> None:
    stack_of(tmp_path, [value(b"a"), value(b"z")], [gone(b"a")], [value(b"a/b")])
    assert faults(tmp_path) == []


def test_a_clash_may_be_far_away(tmp_path: Path) -> None:
    """Thousands of names lie between the directory and the first one in it, in several blocks."""
    between = [value(b"a-%06d" % number) for number in range(3000)]
    stack_of(tmp_path, [value(b"a"), *between, value(b"a/b")], [value(b"a-000500x")])
    assert b"a/b" in only(tmp_path, "ref-clash").message.encode()


# Symbolic refs


def test_a_symref_that_leads_to_a_ref_is_sound(tmp_path: Path) -> None:
    stack_of(tmp_path, [symref(b"refs/a", b"refs/b"), value(b"refs/x")], [symref(b"refs/b", b"refs/x")])
    assert codes(tmp_path) == []


def test_a_symref_to_nothing_is_mentioned(tmp_path: Path) -> None:
    stack_of(tmp_path, [symref(b"HEAD", b"refs/heads/main")])
    assert codes(tmp_path) == ["symref-dangling"]
    assert faults(tmp_path) == []


def test_a_symref_to_a_deleted_ref_is_mentioned(tmp_path: Path) -> None:
    stack_of(tmp_path, [symref(b"refs/s", b"refs/a"), value(b"refs/a"), value(b"refs/b")], [gone(b"refs/a")])
    assert codes(tmp_path) == ["symref-dangling"]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_symrefs_in_a_circle_are_a_warning(tmp_path: Path, length: int) -> None:
    stack_of(tmp_path, [symref(b"refs/%d" % at, b"refs/%d" % ((at + 1) % length)) for at in range(length)])
    assert faults(tmp_path) == ["symref-loop"]
    assert len(findings(tmp_path)) == length


def test_symrefs_may_follow_each_other_as_far_as_git_goes(tmp_path: Path) -> None:
    chain = [symref(b"refs/%d" % at, b"refs/%d" % (at + 1)) for at in range(5)]
    stack_of(tmp_path, [*chain, value(b"refs/5")])
    assert codes(tmp_path) == []
    stack_of(tmp_path, [symref(b"refs/q", b"refs/0")])
    assert [finding.code for finding in findings(tmp_path)] == ["symref-loop"]


@pytest.mark.parametrize("target", [b"", b"a b", b"refs/heads/\n"])
def test_a_symref_to_what_cannot_be_a_ref_is_an_error(tmp_path: Path, target: bytes) -> None:
    stack_of(tmp_path, [symref(b"refs/s", target)])
    assert faults(tmp_path) == ["symref-target"]


def test_a_worktrees_symrefs_lead_to_the_main_stack(tmp_path: Path) -> None:
    directory = tmp_path / "worktrees" / "w" / "reftable"
    directory.mkdir(parents=True)
    stack_of(directory, [symref(b"HEAD", b"refs/heads/w"), symref(b"refs/bisect/a", b"refs/bisect/b")])
    assert len(findings(directory)) == 2
    (directory.parent / "commondir").write_text("../..\n")
    assert "refs/bisect/b" in only(directory, "symref-dangling").message


def test_a_symref_into_a_damaged_table_is_not_judged(tmp_path: Path) -> None:
    stack_of(tmp_path, [value(b"refs/heads/main")], [symref(b"HEAD", b"refs/heads/main")])
    os.truncate(tmp_path / listed(tmp_path)[0], 60)
    assert "symref-dangling" not in codes(tmp_path)
    assert "cut-short" in codes(tmp_path)


# Damage and the view of all tables


def test_refs_of_damaged_tables_are_looked_at_as_far_as_they_can_be_read(tmp_path: Path) -> None:
    refs = [RefRecord(b"refs/heads/%04d" % number, 1, oid(number)) for number in range(450)]
    write_table(tmp_path / "x", [*refs, RefRecord(b"z z", 1, oid(1))])
    name = "0x000000000001-0x000000000001-00000001.ref"
    (tmp_path / "x").rename(tmp_path / name)
    list_tables(tmp_path, [name])
    change_byte(tmp_path / name, 4096)
    os.truncate(tmp_path / name, (tmp_path / name).stat().st_size - 68)
    assert faults(tmp_path) == ["cut-short", "block-damaged", "ref-name"]
    assert only(tmp_path, "ref-name").file in {"", name}


def test_keys_in_disorder_make_no_endless_view(tmp_path: Path) -> None:
    table = Handmade(limits=(1, 1))
    for name in (b"c", b"a", b"b", b"a"):
        table.refs([RefRecord(name, 1, oid(1))])
    first = "0x000000000001-0x000000000001-00000001.ref"
    table.write(tmp_path / first)
    list_tables(tmp_path, [first, put(tmp_path, 2, 2, 2)])
    assert faults(tmp_path) == ["key-order"]


def test_a_name_that_stands_twice_does_not_differ_from_itself_in_case() -> None:
    report = Report()
    check = RefCheck([], report, of_worktree=False, of_repository=False, wants_head=False)
    names = [b"refs/heads/A\0b", b"refs/heads/B", b"refs/heads/b"]
    for _ in check.check([[Names([name]) for name in (names[0], names[1], names[1], names[2])]]):
        pass
    cases = [one.message for one in report.close() if one.code == "ref-case"]
    assert cases == ["another name is 'refs/heads/b' but for its case"]


def test_a_name_with_capitals_costs_no_look_at_each_of_the_others() -> None:
    check = RefCheck([], Report(), of_worktree=False, of_repository=False, wants_head=False)
    lists = [
        Names([b"HEAD"]),
        *(Names([b"refs/heads/b%02d-%02d" % (at, other) for other in range(99)]) for at in range(9)),
    ]
    lower = "<method 'lower' of 'bytes' objects>"
    with counted(lower) as cost:
        for _ in check.check([lists]):
            pass
    assert 0 < cost.calls[lower] < 2 * len(lists)
