"""What a sound stack and a damaged one have in common for whatever only reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine import (
    ApiError,
    FormatError,
    LogRecord,
    Progress,
    ReadStack,
    RefRecord,
    ReftableError,
    RepositoryError,
    Stack,
    StackOptions,
    open_readable,
)
from engine.errors import Cancelled, CommittedError
from tests.support.stacks import LOOSE, add, branch, entry, same


def told(stack: ReadStack) -> list[object]:
    """All that a stack answers, by the names that both kinds have."""
    name = branch(1).name
    return [
        *stack.refs(),
        *stack.refs(b"refs/tags/"),
        *stack.logs(),
        *stack.logs(name),
        *stack.refs_for(same(1)),
        stack.read_ref(name),
        stack.read_log(name),
        stack.read_ref(b"none"),
        stack.hash_id,
        [table.name for table in stack.tables],
        stack.merged.max_update_index,
        stack.reload(),
    ]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [branch(1), branch(2)], [entry(branch(1).name, 1)])
        add(stack, [branch(3, 2)])
    return tmp_path


def test_both_answer_alike(directory: Path) -> None:
    with Stack.open(directory, read_only=True) as sound, open_readable(directory) as tolerant:
        assert told(sound) == told(tolerant)


# A compiled engine refuses by itself what it is called with.
REFUSALS = (ApiError, TypeError)
SENTENCE = "names.* object ids.* are bytes|bytes( or None)? object expected"

READS: list[Callable[[ReadStack], object]] = [
    lambda stack: stack.read_ref("HEAD"),  # type: ignore[arg-type]
    lambda stack: stack.read_log("HEAD"),  # type: ignore[arg-type]
    lambda stack: stack.refs("refs/"),  # type: ignore[arg-type]
    lambda stack: stack.logs("HEAD"),  # type: ignore[arg-type]
    lambda stack: stack.refs_for("11" * 20),  # type: ignore[arg-type]
    lambda stack: stack.merged.read_ref("HEAD"),  # type: ignore[arg-type]
    lambda stack: stack.merged.refs("refs/"),  # type: ignore[arg-type]
    lambda stack: stack.merged.logs("HEAD"),  # type: ignore[arg-type]
    lambda stack: stack.merged.find_ref("HEAD"),  # type: ignore[arg-type]
    lambda stack: stack.merged.versions("HEAD"),  # type: ignore[arg-type]
    lambda stack: stack.merged.refs_for("11" * 20),  # type: ignore[arg-type]
    lambda stack: stack.tables[0].read_ref("HEAD"),  # type: ignore[arg-type]
    lambda stack: stack.tables[0].read_log("HEAD"),  # type: ignore[arg-type]
    lambda stack: stack.tables[0].refs("refs/"),  # type: ignore[arg-type]
    lambda stack: stack.tables[0].logs("HEAD"),  # type: ignore[arg-type]
    lambda stack: stack.tables[0].refs_for("11" * 20),  # type: ignore[arg-type]
]


def test_text_is_refused_with_a_sentence_wherever_a_name_or_an_id_is_wanted(directory: Path) -> None:
    with Stack.open(directory, read_only=True) as sound, open_readable(directory) as tolerant:
        for stack in (sound, tolerant):
            for read in READS:
                with pytest.raises(REFUSALS, match=SENTENCE):
                    list(read(stack))  # type: ignore[call-overload]


def add_and_stop(stack: Stack) -> None:
    with stack.telling_of_commits():
        add(stack, [branch(4, 3)])
        raise Cancelled


def test_a_stop_is_no_trouble_until_a_change_is_made(directory: Path) -> None:
    assert not issubclass(Cancelled, ReftableError)

    def stop(_: Progress) -> None:
        raise Cancelled

    with Stack.open(directory, LOOSE) as stack:
        before = [table.name for table in stack.tables]
        with pytest.raises(Cancelled):
            stack.compact_all(progress=stop)
        assert [table.name for table in stack.tables] == before
        with pytest.raises(CommittedError, match="stopped"):
            add_and_stop(stack)


RECORDS: list[Callable[[], RefRecord | LogRecord]] = [
    lambda: RefRecord("refs/heads/x", 3, value=same(1)),  # type: ignore[arg-type]
    lambda: RefRecord(b"refs/heads/x", 3, value="1" * 20),  # type: ignore[arg-type]
    lambda: RefRecord(b"refs/heads/x", 3, target="refs/heads/y"),  # type: ignore[arg-type]
    lambda: LogRecord("refs/heads/x", 3, same(0), same(1)),  # type: ignore[arg-type]
    lambda: LogRecord(b"refs/heads/x", 3, same(0), "1" * 20),  # type: ignore[arg-type]
    lambda: LogRecord(b"refs/heads/x", 3, same(0), same(1), committer="A U Thor"),  # type: ignore[arg-type]
    lambda: LogRecord(b"refs/heads/x", 3, same(0), same(1), message="said\n"),  # type: ignore[arg-type]
]


def write(stack: Stack, make: Callable[[], RefRecord | LogRecord]) -> None:
    record = make()
    add(stack, *([record], []) if isinstance(record, RefRecord) else ([], [record]))


@pytest.mark.parametrize("options", [LOOSE, replace(LOOSE, skip_name_check=True)])
def test_text_is_refused_with_a_sentence_where_it_is_written(directory: Path, options: StackOptions) -> None:
    with Stack.open(directory, options) as stack:
        before = [table.name for table in stack.tables]
        for make in RECORDS:
            with pytest.raises(REFUSALS, match=SENTENCE):
                write(stack, make)
        assert [table.name for table in stack.tables] == before


def test_another_directory_of_a_repository_is_no_stack_but_names_it(tmp_path: Path) -> None:
    git_dir = tmp_path / "x" / ".git"
    for name in ("objects/info", "refs/heads", "reftable"):
        (git_dir / name).mkdir(parents=True)
    (git_dir / "HEAD").write_text("ref: refs/heads/.invalid\n")
    for path in (git_dir / "objects", git_dir / "refs", git_dir, tmp_path / "x"):
        for read_only in (True, False):
            with pytest.raises(RepositoryError, match=f"{re.escape(str(git_dir / 'reftable'))}$"):
                Stack.open(path, read_only=read_only)
    with pytest.raises(FormatError, match="there is no table"):
        Stack.open(git_dir / "reftable")
