"""The verbs that read, on broken stacks: what can be read is printed, what cannot is named, the code is 3."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.format import LogRecord, RefRecord
from engine.stack import Stack, StackOptions
from tests.support.cli import Outcome, ok, run
from tests.support.tables import oid, stack_files

READING = ["tables", "refs", "logs", "print", "layout"]


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Three tables: 40 refs in many blocks, with logs; the first three anew; the first two anew."""
    directory = tmp_path / "stack"
    directory.mkdir()
    options = StackOptions(auto_compact=False, block_size=256)
    with Stack.open(directory, options) as handle:
        for index, count in ((1, 40), (2, 3), (3, 2)):
            with handle.addition() as addition, addition.table() as writer:
                names = [b"refs/heads/%02d" % number for number in range(count)]
                writer.add_refs(RefRecord(name, index, oid(index)) for name in names)
                writer.add_logs(
                    LogRecord(name, index, oid(0), oid(index), b"A", b"a@b", index, 0, b"m\n")
                    for name in names[:3]
                )
    return directory


def tables(stack: Path) -> list[Path]:
    return [stack / name for name in (stack / "tables.list").read_text().split()]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


def told(done: Outcome, *names: str) -> None:
    """See that each of these is named by a line of its own, and what to do about it by the last."""
    assert done.code == 3, done.err
    lines = done.err.splitlines()
    assert len(lines) == len(names), done.err
    for name, line in zip(names, lines, strict=True):
        assert line.startswith(f"reftable-inspector: {name}"), done.err
    assert lines[-1].endswith("what can be read was shown: see the verbs fsck and repair")


@pytest.mark.parametrize("verb", READING)
@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
def test_of_a_stack_with_a_damaged_footer_everything_is_printed(
    stack: Path, verb: str, json: list[str]
) -> None:
    sound = ok(verb, stack, *json).out
    path = tables(stack)[1]
    flip(path, path.stat().st_size - 1)
    before = stack_files(stack)
    done = run(verb, stack, *json)
    told(done, path.name)
    if verb != "layout" or json:
        assert done.out == sound
    else:
        assert len(done.lines) == len(sound.splitlines())
    assert stack_files(stack) == before


def test_of_a_missing_table_the_others_are_printed_and_older_values_are_told(stack: Path) -> None:
    sound = ok("refs", stack).lines
    lost = tables(stack)[2]
    lost.unlink()
    done = run("refs", stack)
    told(done, lost.name)
    assert [line.split()[1] for line in done.lines] == [line.split()[1] for line in sound]
    assert done.lines[2:] == sound[2:]
    assert done.lines[0].split()[0] == oid(2).hex().encode()


def test_a_damaged_block_costs_its_records_and_no_others(stack: Path) -> None:
    sound = ok("refs", stack).lines
    path = tables(stack)[0]
    block = [one for one in ok("layout", stack, "--json").objects if one["type"] == "ref"][2]
    flip(path, block["offset"])
    done = run("refs", stack)
    told(done, f"{path.name} at byte {block['offset']}")
    lost = set(sound).difference(done.lines)
    assert 0 < len(lost) <= block["records"]
    assert [line for line in sound if line not in lost] == done.lines


def test_damage_that_a_question_does_not_meet_is_no_matter_for_the_answer(stack: Path) -> None:
    sound = ok("trace", "refs/heads/39", stack).lines
    block = [one for one in ok("layout", stack, "--json").objects if one["type"] == "ref"][1]
    flip(tables(stack)[0], block["offset"])
    assert ok("trace", "refs/heads/39", stack).lines == sound


def test_a_trace_names_the_tables_that_may_hold_another_version(stack: Path) -> None:
    sound = ok("trace", "refs/heads/00", stack, "--json").objects
    lost = tables(stack)[2]
    lost.unlink()
    done = run("trace", "refs/heads/00", stack, "--json")
    told(done, f"{lost.name} may hold a version of it", lost.name)
    assert done.objects == [sound[1] | {"wins": True}, sound[2]]


def test_without_a_list_the_tables_of_the_directory_are_printed(stack: Path) -> None:
    sound = ok("refs", stack).out
    (stack / "tables.list").write_bytes(b"")
    done = run("refs", stack)
    told(done, "tables.list")
    assert done.out == sound


def test_one_table_of_a_broken_stack_is_looked_at_alone(stack: Path) -> None:
    paths = tables(stack)
    sound = ok("layout", stack, "--table", "0", "--json").out
    flip(paths[2], 0)
    assert ok("layout", stack, "--table", "0", "--json").out == sound
    told(run("layout", stack, "--table", "2"), paths[2].name)


def test_what_nothing_can_be_read_of_is_an_error_and_no_more(stack: Path) -> None:
    for path in tables(stack):
        path.unlink()
    done = run("refs", stack)
    assert (done.code, done.out) == (3, b"")


def test_hostile_names_reach_no_terminal_through_a_broken_list(stack: Path) -> None:
    (stack / "tables.list").write_bytes(b"\x1b[2J\xff.ref\n")
    done = run("refs", stack)
    assert done.code == 3
    assert all(line.isprintable() for line in done.err.splitlines())
    assert os.fsencode(done.err).count(b"\\xff.ref") == 1
