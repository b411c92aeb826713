"""Ctrl-C at every line of a change: the stack is the old or the new one, which is known, and no file is left.

`pytest -s` shows how many lines each operation has. By default some of them are tried, the same each time.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import engine
from engine.snapshot.manifest import PARTIAL, snapshots_directory
from engine.stack import LockFile
from tests.interop.test_faults import names, shape
from tests.support.operations import OPERATIONS, Operation, prepare
from tests.support.thinning import SHARES, thinned

Place = tuple[str, int]
"""A file and the number of a line."""

ROOT = os.path.dirname(engine.__file__)
CHANGING = tuple(os.path.join(ROOT, wing) + os.sep for wing in ("stack", "snapshot", "repair"))
CHANGES = [
    "add",
    "compact",
    "compact held",
    "expire",
    "clean",
    "recorded compact",
    "go back",
    "mend lose_table",
    "keep",
    "prune",
]

pytestmark = pytest.mark.timeout(300)


def traced(work: Callable[[], object], seen: Callable[[Place], None]) -> None:
    """Work, and tell `seen` of each line of what changes stacks before it is run; it may raise.

    What is run at the end of an object is left out: Python itself lets no interrupt out of that.
    """
    dying = 0

    # Two functions, since most of what is called is none of it: of that, the first is all that is paid.
    def called(frame: FrameType, _event: str, _argument: Any) -> Any:  # noqa: ANN401 - as of sys.settrace
        nonlocal dying
        code = frame.f_code
        if code.co_name == "__del__":
            dying += 1
        elif not code.co_filename.startswith(CHANGING):
            return None
        return within

    def within(frame: FrameType, event: str, _argument: Any) -> Any:  # noqa: ANN401 - likewise
        nonlocal dying
        if event == "line":
            if not dying:
                seen((frame.f_code.co_filename, frame.f_lineno))
        elif event == "return" and frame.f_code.co_name == "__del__":
            dying -= 1
        return within

    before = sys.gettrace()
    sys.settrace(called)
    try:
        work()
    finally:
        sys.settrace(before)


def points(work: Callable[[], object]) -> list[int]:
    """The numbers of the lines to interrupt: where each one is run for the first and for the last time."""
    first: dict[Place, int] = {}
    last: dict[Place, int] = {}
    number = 0

    def seen(place: Place) -> None:
        nonlocal number
        first.setdefault(place, number)
        last[place] = number
        number += 1

    traced(work, seen)
    return sorted({*first.values(), *last.values()})


def interrupted(work: Callable[[], object], at: int) -> str:
    """Work until the line of this number is about to be run, and say which it is."""
    number = 0
    where = ""

    def seen(place: Place) -> None:
        nonlocal number, where
        if number == at:
            where = f"{os.path.relpath(place[0], ROOT)}:{place[1]}"
            raise KeyboardInterrupt
        number += 1

    # At the end of a generator that is dropped, Python lets none out: the work then goes on to its end.
    with suppress(KeyboardInterrupt):
        traced(work, seen)
    return where


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave out what costs most and changes nothing: fsync, the files of other processes, old objects."""
    monkeypatch.setattr(os, "fsync", lambda _fd: None)
    monkeypatch.setattr("engine.stack.holders._processes", lambda: [1, os.getpid()])
    gc.collect()
    gc.freeze()  # a test collects garbage hundreds of times, and would look at all other objects each time
    yield
    gc.unfreeze()


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", CHANGES)
def test_an_interrupt_at_any_line_leaves_the_old_stack_or_the_new_and_no_file(
    tmp_path: Path, name: str, share: int
) -> None:
    operation: Operation = OPERATIONS[name]
    source = prepare(tmp_path / "source")
    operation.before(source)

    def copy(parent: Path) -> Path:
        shutil.rmtree(parent, ignore_errors=True)
        shutil.copytree(source.parent, parent, copy_function=os.link)
        return parent / source.name

    def unlisted(directory: Path) -> set[str]:
        return names(directory) - set((directory / "tables.list").read_text().split())

    old, there = shape(source), unlisted(source)
    numbers = points(lambda: operation.work(copy(tmp_path / "whole")))
    new, allowed = shape(tmp_path / "whole" / source.name), there | unlisted(tmp_path / "whole" / source.name)
    wrong = []
    for at in thinned(numbers[share :: len(SHARES)], 40):
        directory = copy(tmp_path / "copy")
        commits = LockFile.commits
        where = interrupted(lambda directory=directory: operation.work(directory), at)
        gc.collect()  # as at the end of the process: what an interrupt has kept from being closed, is then
        now, left = shape(directory), unlisted(directory) - allowed
        unfinished = [file for file in names(snapshots_directory(directory)) if file.endswith(PARTIAL)]
        # A table that the new list does not name any more is known as superseded, and cleaned.
        left = {file for file in left if now == old or not file.endswith(".ref")}
        is_known = (LockFile.commits > commits) == (now != old)
        if now not in (old, new) or left or unfinished or not is_known:
            wrong.append((where, now == old, now == new, left, unfinished, is_known))
    assert not wrong, "\n".join(map(str, wrong))
    print(f"\n{name}: {len(numbers)} lines", end=" ")  # noqa: T201 - shown with -s
