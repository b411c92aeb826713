"""Checks of the tables as a stack: update indexes, hash functions, and the refs as seen through all of them.

Refs are merged as a reader merges them, while the tables are being checked. One list of names of each table
is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from engine.errors import FormatError, RefnameError, shown
from engine.format import (
    MAX_SYMREF_DEPTH,
    OTHER_WORKTREES,
    PER_WORKTREE,
    HashId,
    RefRecord,
    check_refname,
    is_refname,
    is_unsafe_refname,
    may_be_refused,
)
from engine.fsck.block import Special
from engine.fsck.finding import Report
from engine.fsck.table import CheckedTable
from engine.merge import merge_blocks


def check_tables(
    tables: Sequence[CheckedTable], hash_id: HashId | None, report: Report
) -> list[CheckedTable]:
    """Report what is wrong with the headers together, oldest first; returns the tables that fit the stack.

    `hash_id` is the hash function of the stack, None for that of the oldest table.
    """
    fitting: list[CheckedTable] = []
    high = -1
    low_before, high_before, name_before = 0, 0, ""
    for table in tables:
        header = table.header
        if header is None:
            continue
        first, last = header.min_update_index, header.max_update_index
        if first <= high:
            if last < low_before:
                code = "tables-out-of-order"
            elif first == high == high_before:
                code = "update-index-shared"
            else:
                code = "ranges-overlap"
            what = f"{first} to {last}, listed after {name_before} with {low_before} to {high_before}"
            report.add(code, table.name, None, f"update indexes {what}")
        high = max(high, last)
        low_before, high_before, name_before = first, last, table.name
        hash_id = hash_id or header.hash_id
        if header.hash_id is hash_id:
            fitting.append(table)
        else:
            what = f"a {header.hash_id} table in a stack of {hash_id} tables"
            report.add("hash-mixed", table.name, None, what)
    return fitting


class RefCheck:
    """The refs of the merged view, list by list in name order.

    `of_worktree` for the stack of a linked worktree, whose symbolic refs name branches of another stack.
    """

    def __init__(self, tables: Sequence[CheckedTable], of_worktree: bool, report: Report) -> None:
        self._tables = tables
        self._of_worktree = of_worktree
        self._report = report
        self._open: list[bytes] = []  # names that the next name may begin with, each one with those before it

    def check(self, sources: Sequence[Iterable[list[bytes]]]) -> Iterator[None]:
        """Merge the names of all tables, oldest first, and check them; a step for each list."""
        for names in merge_blocks(sources, bytes):
            self._take(names)
            yield

    def _take(self, names: list[bytes]) -> None:
        if Special in set(map(type, names)):
            for special in [name for name in names if isinstance(name, Special)]:
                if special.target is not None:
                    self._check_symref(bytes(special), special.target)
            names = [name for name in names if not isinstance(name, Special) or name.target is not None]
        if names:
            if may_be_refused(names):
                for name in names:
                    self._check_name(name)
            self._check_clashes(names)

    def _check_name(self, name: bytes) -> None:
        try:
            check_refname(name)
        except RefnameError as error:
            # Of a name that is refused git makes a broken ref, of one that is unsafe a fatal error.
            code = "ref-name-unsafe" if is_unsafe_refname(name) else "ref-name"
            self._add(code, name, f"{shown(name)}: {error.reason}")

    def _add(self, code: str, name: bytes, message: str) -> None:
        """Report a ref, with the table and the block that it is in."""
        for table in reversed(self._tables):
            try:
                located = table.table.locate_ref(name) if table.table is not None else None
            except FormatError:
                continue
            if located is not None:
                self._report.add(code, table.name, located[0], message)
                return
        self._report.add(code, "", None, message)

    def _check_clashes(self, names: list[bytes]) -> None:
        self._open = [name for name in self._open if names[0].startswith(name)]
        # A name that some later one begins with is also what the very next one begins with.
        if not self._open and not any(map(bytes.startswith, names[1:], names)):
            self._open = [names[-1]]
            return
        begun = self._open
        for name in names:
            while begun and not name.startswith(begun[-1]):
                begun.pop()
            for other in begun:
                if name[len(other) : len(other) + 1] == b"/":
                    self._add("ref-clash", name, f"{shown(name)} lies below the ref {shown(other)}")
            begun.append(name)

    def _check_symref(self, name: bytes, target: bytes) -> None:
        what = f"{shown(name)} names {shown(target)}"
        if not is_refname(target):
            self._add("symref-target", name, f"{what}, which cannot be a ref")
            return
        for _ in range(MAX_SYMREF_DEPTH):
            if self._is_elsewhere(target):
                return
            try:
                found = self._find(target)
            except FormatError:
                return  # what is damaged is no evidence
            if found is None or found.is_deletion:
                self._add("symref-dangling", name, f"{what}, which is not there")
                return
            if found.target is None:
                return
            target = found.target
        self._add(
            "symref-loop",
            name,
            f"{what}, and more than {MAX_SYMREF_DEPTH} symbolic refs follow each other from there",
        )

    def _is_elsewhere(self, target: bytes) -> bool:
        """Whether a ref is looked for in another stack of the repository."""
        if target.startswith(OTHER_WORKTREES):
            return True
        return self._of_worktree and target.startswith(b"refs/") and not target.startswith(PER_WORKTREE)

    def _find(self, name: bytes) -> RefRecord | None:
        for table in reversed(self._tables):
            if table.table is None:
                raise FormatError(table.name, None, "the table does not open")
            record = table.table.read_ref(name)
            if record is not None:
                return record
        return None
