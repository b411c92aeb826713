"""fsck on refs against their reflogs: one bit of a value is seen, and nothing that git writes is doubted."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from engine.format import REF, LogRecord, RefRecord
from engine.fsck import Severity
from engine.stack import Stack
from engine.table import Table
from tests.support.findings import codes, findings, install, only
from tests.support.git import Git
from tests.support.handmade import Handmade
from tests.support.stacks import LOOSE, add, listed
from tests.support.tables import oid


def ref(number: int, value: bytes | None, index: int = 1) -> RefRecord:
    return RefRecord(b"refs/heads/%04d" % number, index, value)


def log(number: int, new: bytes, index: int = 1, old: bytes = bytes(20)) -> LogRecord:
    return LogRecord(b"refs/heads/%04d" % number, index, old, new, b"A", b"a@x", 1_700_000_000, 0, b"m\n")


def write(directory: Path, refs: Sequence[RefRecord], logs: Sequence[LogRecord]) -> str:
    directory.mkdir(exist_ok=True)
    with Stack.open(directory, LOOSE) as stack:
        add(stack, refs, logs)
    return listed(directory)[-1]


def flip(path: Path, value: bytes) -> None:
    """Flip one bit of a value; blocks of refs have no checksum."""
    data = bytearray(path.read_bytes())
    data[data.index(value) + 10] ^= 1
    path.write_bytes(data)


def doubted(directory: Path) -> list[str]:
    """What is said of values and names that are not those of a reflog."""
    return [code for code in codes(directory) if code.startswith(("value-", "name-alt", "deletion-"))]


def test_one_bit_of_a_value_is_an_error_where_the_table_agrees_otherwise(tmp_path: Path) -> None:
    """The table has several blocks of refs and of logs; its object section has the beginnings of ids only."""
    numbers = range(1000)
    values = [bytes((number >> 8, number & 255)) * 8 + b"abcd" for number in numbers]
    refs = [ref(number, value) for number, value in zip(numbers, values, strict=True)]
    name = write(tmp_path, refs, [log(number, value) for number, value in zip(numbers, values, strict=True)])
    assert codes(tmp_path) == []
    flip(tmp_path / name, values[700])
    found = only(tmp_path, "value-altered")
    assert (found.severity, found.file, found.at_stake) == (Severity.ERROR, name, 1)
    assert found.message.startswith("'refs/heads/0700' is 02bc02bc02bc02bc02bc03bc")
    assert found.message.endswith(f"its reflog says that update 1 made it {values[700].hex()}")
    assert found.offset
    assert found.offset % 4096 == 0


def test_where_nothing_else_agrees_it_is_a_warning(tmp_path: Path) -> None:
    name = write(tmp_path, [ref(1, oid(1))], [log(1, oid(1))])
    assert codes(tmp_path) == []
    flip(tmp_path / name, oid(1))
    assert only(tmp_path, "value-unlike-log").severity is Severity.WARNING


def test_where_the_reflog_of_head_says_the_same_it_is_an_error(tmp_path: Path) -> None:
    """As of a branch that was committed to, in the table of that commit."""
    of_head = [log(1, oid(1)).replace(name=b"HEAD"), log(1, oid(1))]
    name = write(tmp_path, [ref(1, oid(1))], of_head)
    assert codes(tmp_path) == []
    flip(tmp_path / name, oid(1))
    assert only(tmp_path, "value-altered").severity is Severity.ERROR


def flip_name(path: Path, name: bytes, at: int) -> None:
    """Flip one bit of a name where it is stored whole."""
    data = bytearray(path.read_bytes())
    data[data.index(name) + at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("at", range(len("refs/heads/"), len("refs/heads/main")))
def test_one_bit_of_a_name_is_told_by_the_reflog_that_has_lost_its_ref(tmp_path: Path, at: int) -> None:
    name = b"refs/heads/main"
    logs = [log(0, oid(1)).replace(name=one) for one in (b"HEAD", name)]
    written = write(tmp_path, [ref(0, oid(1)).replace(name=name)], logs)
    assert codes(tmp_path) == []
    flip_name(tmp_path / written, name, at)
    found = only(tmp_path, "name-altered")
    assert (found.severity, found.offset, found.at_stake) == (Severity.ERROR, 0, 1)
    assert found.message.endswith("that of 'refs/heads/main', which is no ref here, tells of it")


def test_a_name_within_a_large_table_is_told_by_its_reflog_as_well(tmp_path: Path) -> None:
    """The table has an index, and an object section that leads from a value to its refs."""
    values = {number: bytes((number >> 8, number & 255)) * 10 for number in range(2, 2000, 2)}
    refs = [ref(number, value) for number, value in values.items()]
    name = write(tmp_path, refs, [log(number, value) for number, value in values.items()])
    assert codes(tmp_path) == []
    flip_name(tmp_path / name, b"refs/heads/0034", len("refs/heads/003"))
    assert only(tmp_path, "name-altered").message.startswith("'refs/heads/0035' has no reflog")


@pytest.mark.parametrize(
    ("refs", "logs"),
    [
        ([ref(1, oid(1), 2)], [log(1, oid(2), 1)]),  # another update
        ([ref(1, oid(9), 1)], [log(1, oid(9), 3), log(1, oid(1), 2), log(1, oid(2), 1)]),  # git's migration
        ([ref(1, oid(1))], [log(1, bytes(20))]),  # the marker of an empty reflog
        ([ref(1, oid(1))], [log(1, bytes(20), old=oid(1))]),  # a deletion, or what damage has left
        ([ref(1, None)], [log(1, oid(1))]),  # deleted
        ([RefRecord(b"refs/heads/0001", 1, target=b"refs/heads/0002")], [log(1, oid(1))]),
        ([ref(1, oid(1)), ref(3, oid(3))], [log(2, oid(2)), log(4, oid(4))]),  # no ref of that name
        ([ref(1, oid(1))], [log(1, oid(1)), log(2, oid(1))]),  # and the one that is there has a reflog
        ([ref(1, oid(1))], [log(2, oid(1), 2)]),  # another update
        ([ref(1, oid(1))], [log(22, oid(1))]),  # another name
    ],
)
def test_what_was_not_written_together_says_nothing(
    tmp_path: Path, refs: list[RefRecord], logs: list[LogRecord]
) -> None:
    table = Handmade(limits=(1, 3), block_size=4096)
    table.refs(refs)
    install(tmp_path, table, log_offset=table.logs(logs))
    assert not doubted(tmp_path)


def deleted(directory: Path, below: Sequence[RefRecord], logs: Sequence[LogRecord], *more: RefRecord) -> str:
    """A stack of branch 2, and others; then branch 3 is deleted, and the first entry of the reflog of 2."""
    write(
        directory, [ref(2, oid(2)), *below], [log(2, oid(2)), *(one for one in logs if one.update_index == 1)]
    )
    write(directory, [ref(9, oid(9), 2)], [one for one in logs if one.update_index == 2])
    return write(directory, [ref(3, None, 3), *more], [LogRecord(b"refs/heads/0002", 1)])


@pytest.mark.parametrize("is_there", [False, True])
def test_a_byte_of_a_tombstones_name_is_told_by_the_reflog_that_is_deleted(
    tmp_path: Path, is_there: bool
) -> None:
    """Whether the ref that it deletes is one, which then has a reflog, or none."""
    name = deleted(tmp_path, *([ref(3, oid(3))], [log(3, oid(3))]) if is_there else ([], []))
    found = only(tmp_path, "deletion-altered")
    assert (found.severity, found.file, found.offset, found.at_stake) == (Severity.ERROR, name, 0, 1)
    said = "it deletes the reflog of 'refs/heads/0002', but the ref 'refs/heads/0003'"
    assert found.message == said


@pytest.mark.parametrize(
    ("below", "logs", "more"),
    [
        ([ref(3, oid(3))], [], []),  # a ref without a reflog is deleted, and a reflog without its ref
        ([], [log(2, oid(1), 2)], []),  # of which an entry is left
        ([], [], [ref(2, None, 3)]),  # both refs are deleted
        ([], [], [ref(2, oid(5), 3)]),  # the other one is written, and loses its reflog
    ],
)
def test_what_deletes_a_ref_by_its_own_name_says_nothing(
    tmp_path: Path, below: list[RefRecord], logs: list[LogRecord], more: list[RefRecord]
) -> None:
    deleted(tmp_path, below, logs, *more)
    assert not doubted(tmp_path)


def test_long_names_of_deleted_reflogs_take_no_memory_by_their_square(tmp_path: Path) -> None:
    long = b"refs/heads/" + 12_000 * b"x"
    entry = log(1, oid(1)).replace(name=long)
    with Stack.open(tmp_path, replace(LOOSE, block_size=2**16)) as stack:
        add(stack, [RefRecord(long, 1, oid(1))], [entry])
        add(stack, [RefRecord(long[:-1] + b"y", 2)], [LogRecord(long, 1)])
    tracemalloc.start()
    findings(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30_000_000


def test_of_many_a_few_are_told_and_all_are_counted(tmp_path: Path) -> None:
    numbers = range(500)
    write(tmp_path, [ref(number, oid(1)) for number in numbers], [log(number, oid(2)) for number in numbers])
    found = findings(tmp_path)
    assert {one.code for one in found} == {"value-unlike-log"}
    assert len(found) == 20
    assert found[-1].message == "and 481 more of this kind"


def test_gits_own_stacks_agree_also_migrated_and_with_logs_rewritten(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    for number in range(4):
        repo.commit()
        repo.git("branch", f"b{number}")
        repo.git("update-ref", "--create-reflog", "refs/tags/t", "HEAD")
    repo.git("branch", "-m", "b1", "moved")
    repo.git("branch", "-c", "b2", "copied")
    repo.git("checkout", "--detach")
    repo.commit()
    repo.git("reflog", "delete", "--rewrite", "--updateref", "HEAD@{0}")
    repo.git("reflog", "expire", "--expire=all", "refs/heads/b3")
    repo.git("branch", "-D", "moved", "copied")
    assert not doubted(repo.reftable)
    repo.git("pack-refs")
    assert not doubted(repo.reftable)
    table = repo.reftable / listed(repo.reftable)[-1]
    value = bytes.fromhex(repo.git("rev-parse", "b0").stdout.decode().strip())
    flip(table, value)
    assert "value-altered" in codes(repo.reftable)


def test_the_reflog_of_a_symbolic_ref_has_not_lost_its_ref(git: Git, tmp_path: Path) -> None:
    """It has an entry without a record, of the transaction that changed the ref it leads to."""
    repo = git.init(tmp_path / "repo")
    repo.env["GIT_TEST_REFTABLE_AUTOCOMPACTION"] = "false"
    repo.commit()
    repo.git("update-ref", "refs/tags/va", "HEAD")
    repo.git("update-ref", "--create-reflog", "refs/tags/vb", "HEAD")
    repo.git("symbolic-ref", "refs/tags/vb", "refs/tags/va")
    repo.commit()
    repo.git("update-ref", "refs/tags/vb", "HEAD")
    assert not doubted(repo.reftable)


def test_a_migrated_repository_agrees(git: Git, tmp_path: Path) -> None:
    """The entries of each reflog get update indexes from that of its ref on, the oldest one the same.

    A git older than 2.49 refuses to migrate reflogs, and no stack of this kind comes from it.
    """
    repo = git.init(tmp_path / "repo")
    for _ in range(3):
        repo.commit()
    repo.git("checkout", "--detach")  # HEAD has a value of its own, and the first of all reflogs
    done = repo.git("refs", "migrate", "--ref-format=files", check=False)
    if done.returncode == 0:
        repo.git("refs", "migrate", "--ref-format=reftable")
    else:
        assert b"migrating reflogs is not supported" in done.stderr
    assert not doubted(repo.reftable)


def test_zones_in_minutes_are_mentioned_once_where_they_show(tmp_path: Path) -> None:
    """JGit stores -480 for -08:00. Of 330 nobody can tell: git would mean +03:30, JGit +05:30."""
    write(tmp_path, [], [log(number, oid(1)).replace(tz=tz) for number, tz in enumerate((330, -800, 1400))])
    assert codes(tmp_path) == []
    write(tmp_path, [], [log(number, oid(1), 2).replace(tz=-480) for number in range(2)])
    found = only(tmp_path, "log-zone")
    assert (found.severity, "-480 minutes, which is -0800" in found.message) == (Severity.INFO, True)
    assert codes(tmp_path) == ["log-zone"]


def test_logs_that_inflate_beyond_what_reflogs_do_are_mentioned(tmp_path: Path) -> None:
    options = replace(LOOSE, block_size=2**24 - 1)
    unlike = random.Random(1).randbytes(2**16).replace(b"\0", b"x").replace(b"\n", b"x")
    for number, message in enumerate((unlike * 2**6, b"x" * 2**22), 1):
        entries = [log(at, oid(at), number).replace(message=message) for at in range(5)]
        with Stack.open(tmp_path, options) as stack:
            add(stack, [], entries)
        found = [one for one in findings(tmp_path) if one.code == "log-inflation"]
        assert [one.severity for one in found] == [Severity.INFO] * (number - 1), found


@pytest.mark.parametrize("who", [(b"A\nB", b"a@x"), (b"A <x", b"a@x"), (b"A", b"a>@x")])
def test_a_committer_with_what_ends_a_field_of_a_reflog_line_is_a_warning(
    tmp_path: Path, who: tuple[bytes, bytes]
) -> None:
    """Lengths of names do not count as such: 10 is a newline, 60 and 62 are brackets."""
    sound = [
        LogRecord(b"refs/heads/a", number, bytes(20), oid(1), b"n" * number, b"e" * number, 1, 0, b"<a\n")
        for number in (10, 60, 62)
    ]
    write(
        tmp_path,
        [],
        [one.replace(update_index=1, name=b"refs/heads/%d" % one.update_index) for one in sound],
    )
    assert codes(tmp_path) == []
    write(tmp_path, [], [LogRecord(b"refs/heads/x", 2, bytes(20), oid(1), *who, 1, 0, b"m\n")])
    found = only(tmp_path, "log-committer")
    assert (found.severity, "'refs/heads/x'" in found.message) == (Severity.WARNING, True)
    assert codes(tmp_path) == ["log-committer"]


def test_a_value_is_doubted_also_where_its_block_cannot_be_searched(tmp_path: Path) -> None:
    name = write(tmp_path, [ref(at, oid(at)) for at in range(200)], [log(at, oid(at)) for at in range(200)])
    flip(tmp_path / name, oid(190))
    with Table.open(tmp_path / name) as table:
        block = [one for one in table.blocks() if one.type == REF][-1]
        assert block.offset
        middle = block.offset + block.records_end + 3 * (block.restart_count // 2)
    data = bytearray((tmp_path / name).read_bytes())
    data[middle : middle + 3] = b"\xff\xff\xff"
    (tmp_path / name).write_bytes(data)
    assert {"value-altered", "restart-offset"} <= set(codes(tmp_path))
