"""What there is at a place by now: the row of a list, the bytes of a file, or words for why there is nothing.

`find` reads: the list or the file is looked into before anything on screen moves, so that a place that has
gone (a table that was merged, a ref that was deleted) leaves the user where they are. It is for a worker,
unless `is_at_hand` says that nothing has to be read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from engine.errors import MissingTableError, ReftableError
from engine.format import log_key
from engine.readable import ReadableTable, open_readable, open_table
from engine.table import Table
from inspector.model.arrangement import LOGS, REFS, RecordKind, Row
from inspector.model.places import (
    FilePlace,
    LogPlace,
    MomentPlace,
    OffsetPlace,
    PrefixPlace,
    ReadPlace,
    RecordPlace,
    RefPlace,
    SectionPlace,
    SnapshotPlace,
    file_words,
)
from inspector.model.trace import is_shared
from inspector.model.view import AsOf, Elsewhere, OneTable, Scope, StackView, WholeStack, view_of
from inspector.rows import beginning
from inspector.text import error_text, shown, utc_time

_SHARED: Final = "The stack that all worktrees share"


class InList(NamedTuple):
    """The row with this key, or the first, in the list of refs or reflog entries of a scope.

    With a `row_filter`, as it is typed, the first that it admits.
    """

    kind: Literal["refs", "logs"]
    scope: Scope
    key: Any = None
    row_filter: str = ""


class InBytes(NamedTuple):
    """The block at an offset of a table, or the record of this stored key in it; the whole file without.

    `words` say which file it is, where it is none of the listed tables.
    """

    table: Table
    offset: int | None = None
    key: bytes | None = None
    words: str = ""


def is_at_hand(place: ReadPlace, view: StackView) -> bool:
    """Whether `find` reads nothing for it."""
    match place:
        case FilePlace(name, _, directory) | OffsetPlace(name, _, directory):
            return directory is None and name in view.positions
        case SectionPlace(name):
            return name in view.positions
    return isinstance(place, (MomentPlace, PrefixPlace))


def find(place: ReadPlace, view: StackView, scope: Scope) -> InList | InBytes | str:
    """What is at a place in the stack of `view`, or why there is nothing.

    A ref or reflog entry is looked for in what the lists show (`scope`), then in the whole stack. Raises
    `OSError` when no more files can be opened, or the directory cannot be read.
    """
    if isinstance(place, FilePlace) and place.directory is None:
        place = place._replace(directory=_directory_of(place.name, view, scope))
    match place:
        case FilePlace(name, kind, directory):
            if kind == "blocks":
                return _bytes(view, name, directory)
            if directory is None and name in view.positions:
                return InList(kind, OneTable(name))
            words = f"{file_words(name)} ({_beside(directory)})"
            return _elsewhere(kind, view, directory or view.directory, (name,), words)
        case SectionPlace(file, _, offset):
            return _bytes(view, file, None, offset)
        case OffsetPlace(file, offset, directory):
            return _bytes(view, file, directory, offset)
        case RecordPlace(file, name, update_index):
            return _record(view, file, name, update_index, _directory_of(file, view, scope))
        case RefPlace(name):
            return _ref(view, name, scope)
        case LogPlace(name, update_index):
            return _entry(view, name, update_index, scope)
        case PrefixPlace(prefix, kind):
            return InList(kind, scope, row_filter=beginning(prefix))
        case MomentPlace(update_index):
            is_now = update_index >= view.merged.max_update_index
            return InList("refs", WholeStack() if is_now else AsOf(update_index))
        case SnapshotPlace(directory, tables, time):
            words = f"snapshot of {utc_time(time)}"
            return _elsewhere("refs", view, directory, tables, words)


def _directory_of(file: str, view: StackView, scope: Scope) -> Path | None:
    """Where a file lies that the stack has not, if it is of the tables that the lists show."""
    shown = view_of(scope, view)
    is_other = shown.directory != view.directory and file in shown.positions
    return shown.directory if is_other and file not in view.positions else None


def _beside(directory: Path | None) -> str:
    return "not in tables.list" if directory is None else "of a snapshot"


def _elsewhere(
    kind: Literal["refs", "logs"], view: StackView, directory: Path, names: tuple[str, ...], words: str
) -> InList | str:
    stack = open_readable(directory, view.options, names=names)
    faults = [table.fault for table in stack.tables if isinstance(table, ReadableTable)]
    if faults and all(isinstance(fault, MissingTableError) for fault in faults):
        return f"There is no {words} any more"
    return InList(kind, Elsewhere(StackView(stack), words))


def _bytes(view: StackView, name: str, directory: Path | None, offset: int | None = None) -> InBytes | str:
    if directory is None and (position := view.positions.get(name)) is not None:
        listed = view.tables[position]
        if isinstance(listed, ReadableTable) and isinstance(listed.fault, MissingTableError | OSError):
            return f"There are no bytes to show: {error_text(listed.fault)}"
        return InBytes(listed, offset)
    table = open_table(os.path.join(directory or view.directory, name), name, view.hash_id)
    words = f"{file_words(name)} ({_beside(directory)})"
    if isinstance(table.fault, MissingTableError):
        return f"There is no {file_words(name)} any more"
    if isinstance(table.fault, OSError) or (table.fault is not None and not table.size):
        return f"There are no bytes to show: {error_text(table.fault)}"
    return InBytes(table, offset, words=words)


def _record(
    view: StackView, file: str, name: bytes, update_index: int | None, directory: Path | None
) -> InBytes | str:
    at = _bytes(view, file, directory)
    if isinstance(at, str):
        return at
    try:
        found: tuple[int, object] | None
        if update_index is None:
            found, key = at.table.locate_ref(name), name
        else:
            found, key = at.table.locate_log(name, update_index), log_key(name, update_index)
    except (ReftableError, OSError) as error:
        return error_text(error)
    if found is None:
        return f"There is no such record of {shown(name)} in {file_words(file)}"
    return InBytes(at.table, found[0], key, at.words)


def _rows_at(
    kind: RecordKind[Row],
    view: StackView,
    scope: Scope,
    key: Any,  # noqa: ANN401
) -> Iterator[tuple[Scope, Row]]:
    """In the scope, and then in the whole stack: the first row that is not before this key."""
    for one in dict.fromkeys((scope, WholeStack())):
        if (merged := one.resolve(view)) is not None:
            for row in kind.rows(merged, deletions=one.shows_deletions).rows_at(key, 1):
                yield one, row


def _ref(view: StackView, name: bytes, scope: Scope) -> InList | str:
    for one, row in _rows_at(REFS, view, scope, name):
        if row.record.name == name:
            return InList("refs", one, row.key)
    if is_shared(view, name):
        return f"{_SHARED} has the ref {shown(name)}, if there is one (W changes over)"
    return f"There is no ref {shown(name)} in this stack (any more)"


def _entry(view: StackView, name: bytes, update_index: int | None, scope: Scope) -> InList | str:
    key = LOGS.first_key(name) if update_index is None else (name, -update_index)
    for one, row in _rows_at(LOGS, view, scope, key):
        if row.record.name == name and update_index in (None, row.record.update_index):
            return InList("logs", one, row.key)
    if is_shared(view, name):
        return f"{_SHARED} has the reflog of {shown(name)}, if there is one (W changes over)"
    if update_index is None:
        return f"There are no reflog entries of {shown(name)} in this stack"
    return f"The reflog entry of {shown(name)} at update {update_index} is not there (any more)"
