"""Ctrl-C at every line of a change: the stack is the old or the new one, which is known, and no file is left.

`pytest -s` shows how many lines each operation has. By default some of them are tried, the same each time.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import engine
from engine.snapshot.manifest import PARTIAL, _parse, snapshots_directory
from engine.stack import LockFile
from tests.interop.test_faults import names, shape
from tests.support.operations import OPERATIONS, Operation, prepare
from tests.support.thinning import SHARES, thinned

Place = tuple[CodeType, int]
"""A function and the number of a line in it."""

Point = tuple[Place, int]
"""A place, and how often it was come to before."""

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


def traced(work: Callable[[], object], seen: Callable[[Place], None], only: CodeType | None = None) -> None:
    """Work, and tell `seen` of each line of what changes stacks before it is run; it may raise.

    Of the lines of `only` one function, if it is given: that takes half the time. What is run at the end of
    an object is left out: Python itself lets no interrupt out of that.
    """
    dying = 0

    # Two functions, since most of what is called is none of it: of that, the first is all that is paid.
    def called(frame: FrameType, _event: str, _argument: Any) -> Any:  # noqa: ANN401 - as of sys.settrace
        nonlocal dying
        code = frame.f_code
        if code.co_name == "__del__":
            dying += 1
        elif code is not only if only else not code.co_filename.startswith(CHANGING):
            return None
        return within

    def within(frame: FrameType, event: str, _argument: Any) -> Any:  # noqa: ANN401 - likewise
        nonlocal dying
        if event == "line":
            if not dying:
                seen((frame.f_code, frame.f_lineno))
        elif event == "return" and frame.f_code.co_name == "__del__":
            dying -= 1
        return within

    before = sys.gettrace()
    sys.settrace(called)
    try:
        work()
    finally:
        sys.settrace(before)


def points(work: Callable[[], object]) -> list[Point]:
    """Where to interrupt: each line where it is run for the first and for the last time."""
    times: Counter[Place] = Counter()

    def seen(place: Place) -> None:
        times[place] += 1

    traced(work, seen)
    return [(place, time) for place, last in times.items() for time in sorted({0, last - 1})]


def interrupted(work: Callable[[], object], point: Point) -> str:
    """Work until this line is about to be run, and say which it is."""
    (code, line), time = point
    left = time
    where = ""

    def seen(place: Place) -> None:
        nonlocal left, where
        if place == point[0]:
            if not left:
                where = f"{os.path.relpath(code.co_filename, ROOT)}:{line}"
                raise KeyboardInterrupt
            left -= 1

    # At the end of a generator that is dropped, Python lets none out: the work then goes on to its end.
    with suppress(KeyboardInterrupt):
        traced(work, seen, code)
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
        _parse.cache_clear()  # as in a process of its own: the same lines are run each time
        shutil.copytree(source.parent, parent, copy_function=os.link)
        return parent / source.name

    def unlisted(directory: Path) -> set[str]:
        return names(directory) - set((directory / "tables.list").read_text().split())

    old, there = shape(source), unlisted(source)
    operation.work(copy(tmp_path / "whole"))  # imports what it imports, once: those lines are no work
    lines = points(lambda: operation.work(copy(tmp_path / "whole")))
    new, allowed = shape(tmp_path / "whole" / source.name), there | unlisted(tmp_path / "whole" / source.name)
    wrong = []
    for at in thinned(lines[share :: len(SHARES)], 40):
        directory = copy(tmp_path / "copy")
        commits = LockFile.commits
        where = interrupted(lambda directory=directory: operation.work(directory), at)
        gc.collect()  # as at the end of the process: what an interrupt has kept from being closed, is then
        now, left = shape(directory), unlisted(directory) - allowed
        unfinished = [file for file in names(snapshots_directory(directory)) if file.endswith(PARTIAL)]
        assert where
        # A table that the new list does not name any more is known as superseded, and cleaned.
        left = {file for file in left if now == old or not file.endswith(".ref")}
        is_known = (LockFile.commits > commits) == (now != old)
        if now not in (old, new) or left or unfinished or not is_known:
            wrong.append((where, now == old, now == new, left, unfinished, is_known))
    assert not wrong, "\n".join(map(str, wrong))
    print(f"\n{name}: {len(lines)} lines", end=" ")  # noqa: T201 - shown with -s
