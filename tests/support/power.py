"""What a power cut may leave: a disk that remembers what was made durable, and what only might be.

A file has what was last synced, or else what it has now, a part of that, or nothing. An entry of a directory
that was made, renamed or removed since that directory was last synced is as before or as after, and each for
itself: the newer may be there without the older. A rename is one step, as every journal has it, and durable
once the directory of its target is.
"""

from __future__ import annotations

import builtins
import io
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from tests.support.faults import CHANGING

_MOST_AT_ONCE: Final = 5
"""How many uncertain entries have all their subsets tried."""

_DRAWN: Final = 24
"""How many subsets are drawn of more of them, besides those that are tried always."""

State = dict[str, bytes | None]
"""What is on the disk: paths below its root, with the bytes of files and None for directories."""


@dataclass(eq=False, slots=True)
class _File:
    data: bytes
    durable: bytes | None
    """What was last synced; None if nothing ever was."""


@dataclass(eq=False, slots=True)
class _Directory:
    entries: dict[str, _File | _Directory] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Step:
    """One change of entries: each of them is set, or removed where there is None."""

    changes: tuple[tuple[_Directory, str, _File | _Directory | None], ...]


class Disk:
    """A directory, and what becomes of it; a recorder of the changes made inside `watched`."""

    def __init__(self, root: Path, *, unsynced_end: int = 0) -> None:
        """The files of `root` are durable, but for the last `unsynced_end` bytes of tables."""
        self._unsynced_end = unsynced_end
        self._root = os.path.realpath(root)
        self._live = _Directory()
        self._pending: list[_Step] = []
        self.on_step: Callable[[str], None] = lambda _what: None
        """Called behind each change with what it was."""
        self._load(self._root, self._live, {})
        self._durable_entries = self._copy_entries(self._live)

    def _load(self, path: str, into: _Directory, known: dict[int, _File]) -> None:
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                below = _Directory()
                self._load(entry.path, below, known)
                into.entries[entry.name] = below
            else:
                data = Path(entry.path).read_bytes()
                end = len(data) - (self._unsynced_end if entry.name.endswith(".ref") else 0)
                into.entries[entry.name] = known.setdefault(entry.inode(), _File(data, data[:end]))

    @staticmethod
    def _copy_entries(top: _Directory) -> dict[_Directory, dict[str, _File | _Directory]]:
        found = {top: dict(top.entries)}
        for node in top.entries.values():
            if isinstance(node, _Directory):
                found |= Disk._copy_entries(node)
        return found

    # What is called

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Follow every call that changes the disk. Nothing is really synced meanwhile."""

        def wrap(real: Callable[..., Any], name: str) -> Callable[..., Any]:
            def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - any of these functions
                if name == "fsync":
                    self._sync(args[0])
                    return None
                result = real(*args, **options)
                self._follow(name, args, options)
                return result

            return call

        places = [(os, name) for name in CHANGING] + [(builtins, "open"), (io, "open")]
        real_calls = [(module, name, getattr(module, name)) for module, name in places]
        for module, name, real in real_calls:
            setattr(module, name, wrap(real, name))
        self._open = real_calls[-1][2]
        try:
            yield
        finally:
            for module, name, real in real_calls:
                setattr(module, name, real)

    def _place(self, path: Any, dir_fd: int | None = None) -> tuple[_Directory, str] | None:  # noqa: ANN401
        """The directory and the name that a path or descriptor means; None outside the root."""
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        path = os.fspath(path)
        if dir_fd is not None:
            path = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), path)
        path = os.path.abspath(path)
        path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if not path.startswith(self._root + os.sep):
            return None
        *parents, name = path[len(self._root) + 1 :].split(os.sep)
        directory: _File | _Directory = self._live
        for parent in parents:
            assert isinstance(directory, _Directory)
            directory = directory.entries[parent]
        assert isinstance(directory, _Directory)
        return directory, name

    def _sync(self, fd: int) -> None:
        path = os.readlink(f"/proc/self/fd/{fd}")
        node: _File | _Directory | None = self._live
        if path != self._root:
            place = self._place(path)
            node = None if place is None else place[0].entries.get(place[1])
        self._refresh()
        if isinstance(node, _File):
            node.durable = node.data
        elif node is not None:
            # All that was done to this directory's entries so far.
            kept = []
            for step in self._pending:
                if step.changes[-1][0] is node:
                    self._apply(step, self._durable_entries)
                else:
                    kept.append(step)
            self._pending = kept
        self.on_step(f"fsync {path}")

    def _follow(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        changes: list[tuple[_Directory, str, _File | _Directory | None]] = []
        where = (
            self._place(args[0], options.get("dir_fd")) if name not in {"link", "rename", "replace"} else None
        )
        if name in {"rename", "replace", "link"}:
            source, target = self._place(args[0]), self._place(args[1])
            assert (source is None) == (target is None), "nothing is moved into a stack, or out of it"
            if source is None or target is None:
                return
            node = source[0].entries[source[1]]
            if name != "link":
                changes.append((*source, None))
            changes.append((*target, node))
        elif where is None:
            return
        elif name in {"unlink", "remove", "rmdir"}:
            changes.append((*where, None))
        elif name == "mkdir":
            changes.append((*where, _Directory()))
        elif name == "open":
            path = os.path.join(self._path_of(where))
            if where[1] in where[0].entries or not os.path.isfile(path):
                return
            changes.append((*where, _File(b"", None)))
        if changes:
            step = _Step(tuple(changes))
            self._apply(step, None)
            for node in (changed[2] for changed in changes):
                if isinstance(node, _Directory):
                    self._durable_entries.setdefault(node, {})
            self._pending.append(step)
        self._refresh()
        self.on_step(f"{name} {' '.join(str(arg) for arg in args[:2])[:300]}")

    def _path_of(self, where: tuple[_Directory, str]) -> str:
        def search(top: _Directory, path: str) -> str | None:
            if top is where[0]:
                return path
            for name, node in top.entries.items():
                if isinstance(node, _Directory) and (found := search(node, os.path.join(path, name))):
                    return found
            return None

        found = search(self._live, self._root)
        assert found is not None
        return os.path.join(found, where[1])

    @staticmethod
    def _apply(step: _Step, entries: dict[_Directory, dict[str, _File | _Directory]] | None) -> None:
        moved = step.changes[-1][2]
        for directory, name, node in step.changes:
            names = directory.entries if entries is None else entries.setdefault(directory, {})
            if node is not None:
                names[name] = node
            elif moved is None or names.get(name) is moved:
                names.pop(name, None)

    def _refresh(self) -> None:
        """Read what files hold now: not each way of writing is a call that is followed."""

        def visit(top: _Directory, path: str) -> None:
            for name, node in top.entries.items():
                below = os.path.join(path, name)
                if isinstance(node, _Directory):
                    visit(node, below)
                elif os.path.isfile(below):
                    with self._open(below, "rb") as file:
                        node.data = file.read()

        visit(self._live, self._root)

    # What may be left

    def states(self) -> Iterator[State]:
        """What may be on the disk if the power is cut now; a state may come several times."""
        for steps in _subsets(self._pending):
            entries = {directory: dict(names) for directory, names in self._durable_entries.items()}
            for step in steps:
                self._apply(step, entries)
            for content in (_whole, _torn, _lost):
                state: State = {}
                self._gather(self._live, "", entries, content, state)
                yield state

    def _gather(
        self,
        top: _Directory,
        path: str,
        entries: dict[_Directory, dict[str, _File | _Directory]],
        content: Callable[[_File], bytes],
        state: State,
    ) -> None:
        for name, node in entries.get(top, {}).items():
            below = f"{path}/{name}" if path else name
            if isinstance(node, _Directory):
                state[below] = None
                self._gather(node, below, entries, content, state)
            else:
                state[below] = content(node)


def lay_out(state: State, root: Path) -> None:
    """Make files and directories of a state, in a directory that is there and empty."""
    for path, data in sorted(state.items()):
        if data is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(data)


def _whole(file: _File) -> bytes:
    return file.data


def _torn(file: _File) -> bytes:
    return file.data if file.durable == file.data else file.data[: len(file.data) // 2]


def _lost(file: _File) -> bytes:
    return file.durable or b""


def _subsets(steps: Sequence[_Step]) -> Iterator[Sequence[_Step]]:
    """Which of the uncertain steps have happened: all subsets of a few, a choice of them for many."""
    if len(steps) <= _MOST_AT_ONCE:
        for size in range(len(steps) + 1):
            yield from combinations(steps, size)
        return
    for end in range(len(steps) + 1):
        yield steps[:end]
        yield steps[end:]
    for at in range(len(steps)):
        yield [*steps[:at], *steps[at + 1 :]]
        yield [steps[at]]
    drawing = random.Random(len(steps))
    for _ in range(_DRAWN):
        yield [step for step in steps if drawing.random() < 0.5]
