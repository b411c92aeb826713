"""One cause is one finding: what follows from it says so, and the numbers at stake are true."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from engine.format import LogRecord, RefRecord
from engine.fsck import FAULTS, Finding, Severity, by_cause
from engine.stack import Stack
from tests.support.findings import findings, only
from tests.support.handmade import change_header
from tests.support.stacks import LOOSE, add, list_tables, listed
from tests.support.tables import oid

Fault = Callable[[Path, Sequence[str]], None]


def build(directory: Path) -> list[str]:
    """Make nine tables, each with some refs of the one before, and a reflog entry for each ref."""
    directory.mkdir()
    with Stack.open(directory, LOOSE) as stack:
        for number in range(9):
            index = stack.next_update_index
            names = sorted({b"refs/heads/%04d" % one for one in range(number * 40, number * 40 + 60)})
            values = [(name, oid(place + number * 1000 + 1)) for place, name in enumerate(names)]
            refs = [RefRecord(name, index, value) for name, value in values]
            who = (b"A", b"a@example.com", 1_700_000_000, 0, b"m\n")
            add(stack, refs, [LogRecord(name, index, oid(9), value, *who) for name, value in values])
    return listed(directory)


def zeros(path: Path, start: int, end: int | None = None) -> None:
    data = bytearray(path.read_bytes())
    data[start:end] = bytes(len(data[start:end]))
    path.write_bytes(data)


def rename(path: Path) -> None:
    path.rename(path.with_name("x.ref"))


def keep_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_list(directory: Path) -> None:
    path = directory / "tables.list"
    path.write_bytes(path.read_bytes()[:-130])


def older_list(directory: Path, names: Sequence[str]) -> None:
    """The list of five tables was put back, and the stack went on from there, to the eighth update index."""
    aside = directory.with_name("aside")
    aside.mkdir()
    for name in names[5:]:
        shutil.move(directory / name, aside / name)
    list_tables(directory, names[:5])
    with Stack.open(directory, LOOSE) as stack:
        for number in range(2):
            add(stack, [RefRecord(b"refs/heads/new%d" % number, stack.next_update_index, oid(77))])
    for name in names[5:]:
        shutil.move(aside / name, directory / name)


def two_histories(directory: Path, names: Sequence[str]) -> None:
    copy = directory.with_name("copy")
    shutil.copytree(directory, copy)
    for where, count in ((directory, 2), (copy, 3)):
        with Stack.open(where, LOOSE) as stack:
            for _ in range(count):
                add(stack, [RefRecord(b"refs/heads/x", stack.next_update_index, oid(count))])
    others = [name for name in listed(copy) if name not in names]
    for name in others:
        shutil.copy(copy / name, directory / name)
    list_tables(directory, [*listed(directory), *others])


FAULTS_BY_HAND: dict[str, tuple[Fault, str, int]] = {
    "list in reverse": (lambda at, names: list_tables(at, reversed(names)), "tables-out-of-order", 160),
    "two lines swapped": (
        lambda at, names: list_tables(at, [*names[:3], names[4], names[3], *names[5:]]),
        "tables-out-of-order",
        20,
    ),
    "a line twice": (lambda at, names: list_tables(at, [*names, names[1]]), "list-repeats-older", 20),
    "a line lost": (
        lambda at, names: list_tables(at, [*names[:3], *names[4:]]),
        "table-unlisted-data",
        120,
    ),
    "the list cut": (lambda at, _: cut_list(at), "list-no-newline", 0),
    "no list": (lambda at, _: (at / "tables.list").unlink(), "list-missing", 0),
    "an older list": (older_list, "table-unlisted-data", 120),
    "two histories": (two_histories, "ranges-overlap", 0),
    "a maximum too high": (
        lambda at, names: change_header(at / names[3], max_update_index=1_000_000),
        "ranges-overlap",
        0,
    ),
    "a minimum too low": (
        lambda at, names: change_header(at / names[3], min_update_index=1),
        "ranges-overlap",
        0,
    ),
    "a minimum too high": (
        lambda at, names: change_header(at / names[3], min_update_index=100),
        "limits-reversed",
        0,
    ),
    "a file renamed": (lambda at, names: rename(at / names[3]), "table-missing", 0),
    "a file gone": (lambda at, names: (at / names[3]).unlink(), "table-missing", 0),
    "two files gone": (
        lambda at, names: [(at / names[place]).unlink() for place in (3, 4)],
        "table-missing",
        0,
    ),
    "two files renamed": (
        lambda at, names: [
            (at / name).rename(at / f"{name[:30]}0000000{n}.ref") for n, name in enumerate(names[3:5])
        ],
        "table-missing",
        0,
    ),
    "a header lost": (lambda at, names: zeros(at / names[3], 0, 24), "header-damaged", 0),
    "a footer lost": (lambda at, names: zeros(at / names[3], -68), "cut-short", 0),
    "a file of zeros": (lambda at, names: zeros(at / names[3], 0), "not-a-table", 0),
    "a file cut": (lambda at, names: keep_half(at / names[3]), "cut-short", 0),
}


@pytest.mark.parametrize("fault", FAULTS_BY_HAND)
def test_one_cause_is_one_finding(tmp_path: Path, fault: str) -> None:
    """The finding is on the file that is wrong, or stands for it, and has the number that is at stake."""
    make, code, at_stake = FAULTS_BY_HAND[fault]
    names = build(tmp_path / "stack")
    make(tmp_path / "stack", names)
    groups = by_cause(findings(tmp_path / "stack"))
    assert [group[0].code for group in groups] == [code]
    cause, *following = groups[0]
    assert (cause.severity, cause.at_stake) == (Severity.ERROR, at_stake)
    assert cause.cause is None
    assert {one.cause for one in following} <= {cause}


def test_what_is_worse_than_its_cause_is_told_by_itself(tmp_path: Path) -> None:
    """A name that tells other update indexes is a warning; the damage in the table is none of its making."""
    names = build(tmp_path / "stack")
    renamed = "0x000000000004-0x000000000007-0000cafe.ref"
    (tmp_path / "stack" / names[3]).rename(tmp_path / "stack" / renamed)
    list_tables(tmp_path / "stack", [*names[:3], renamed, *names[4:]])
    zeros(tmp_path / "stack" / renamed, -4)
    assert [one[0].code for one in by_cause(findings(tmp_path / "stack"))] == [
        "footer-checksum",
        "name-range",
    ]


def test_numbers_tell_what_is_at_stake(tmp_path: Path) -> None:
    names = build(tmp_path / "stack")
    list_tables(tmp_path / "stack", [*names[:3], *names[4:]])
    lost = only(tmp_path / "stack", "table-unlisted-data")
    assert lost.message.endswith("no listed table has all of these; it holds 60 refs and 60 reflog entries")
    list_tables(tmp_path / "stack", reversed(names))
    assert only(tmp_path / "stack", "tables-out-of-order").message.endswith(
        "; 160 refs show older values: 'refs/heads/0040' and others"
    )


def test_what_keeps_git_from_the_whole_stack_comes_before_what_costs_some_refs() -> None:
    hiding = {code for code, fault in FAULTS.items() if fault.hides_all}
    assert {code for code, fault in FAULTS.items() if "whole stack" in fault.git} <= hiding
    assert {"list-missing", "repository-head", "repository-storage"} <= hiding
    assert not hiding & {"key-order", "update-index", "orphan-table"}
    assert all(FAULTS[code].severity is Severity.ERROR for code in hiding)
    lost, some = Finding(FAULTS["table-missing"], "a", None, ""), Finding(FAULTS["key-order"], "b", None, "")
    assert [group[0].code for group in by_cause([some, lost])] == ["table-missing", "key-order"]
