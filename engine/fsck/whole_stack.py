"""Checks of the refs as seen through all tables of a stack.

They are merged as a reader merges them, while the tables are being checked. One list of names of each table
is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from engine.errors import FormatError, RefnameError, shown
from engine.format import (
    MAX_SYMREF_DEPTH,
    OTHER_WORKTREES,
    PER_WORKTREE,
    RefRecord,
    check_refname,
    is_refname,
    is_root_ref,
    is_unsafe_refname,
    may_be_refused,
)
from engine.fsck.finding import Report
from engine.fsck.frame import CheckedTable
from engine.fsck.head import branch_of_head
from engine.fsck.names import Names, begin_with_another
from engine.fsck.special import Special
from engine.fsck.values import target_below_refs, unaltered
from engine.merge import MergedTable, merge_columns

_REFS, _BEHIND_REFS = b"refs/", b"refs0"
_MOST_CAPITALS = 100_000
"""Names with capital letters that are kept in mind."""
_FEW_CAPITALS = 32
"""So many are looked at faster one by one than by all the names of a list."""


class RefCheck:
    """The refs of the merged view, list by list in name order.

    `of_worktree` for the stack of a linked worktree, whose symbolic refs name branches of another stack;
    `of_repository` for that of each repository and worktree, in which git lists only names of certain places;
    `wants_head` for one that has to have a HEAD.
    """

    def __init__(
        self,
        tables: Sequence[CheckedTable],
        report: Report,
        *,
        of_worktree: bool,
        of_repository: bool,
        wants_head: bool,
    ) -> None:
        self._tables = tables
        self._of_repository = of_repository
        self._lowered: dict[bytes, bytes] = {}  # of the names so far that have capital letters
        self._wants_head = wants_head
        self._of_worktree = of_worktree
        self._report = report
        self._open: list[bytes] = []  # names that the next name may begin with, each one with those before it
        self._above: list[bytes] = []  # those of them which the one behind them lies below

    def check(self, sources: Sequence[Iterable[Names]]) -> Iterator[None]:
        """Merge the names of all tables, oldest first, and check them; a step for each list."""
        for names in merge_columns(sources):
            self._take(names)
            yield
        # What is damaged is no evidence.
        if (
            self._wants_head
            and self._tables
            and not any(self._report.is_damaged(one.name) for one in self._tables)
        ):
            self._report.add("head-missing", "", None, "no table has a HEAD, or the newest one deletes it")

    def _take(self, merged: Names) -> None:
        names, are_plain = merged.keys, merged.are_plain
        if not are_plain:
            names = self._take_special(names)
            if not names:
                return
            self._wants_head = self._wants_head and not (names[0] <= b"HEAD" and b"HEAD" in names)
            if may_be_refused(names):
                for name in names:
                    self._check_name(name)
        self._check_clashes(names, are_plain=are_plain)
        self._check_cases(names, are_plain=are_plain)
        if self._of_repository and (names[0] < _REFS or names[-1] >= _BEHIND_REFS):
            for name in names:
                if name.startswith(_REFS) or is_root_ref(name):
                    continue
                if (meant := unaltered(name)) is not None:
                    what = f"{shown(name)} is {shown(meant)} but for a byte, and no name that git writes"
                    self._add("name-altered", name, what)
                else:
                    self._add("ref-hidden", name, f"{shown(name)} is not below refs/")

    def _take_special(self, names: list[bytes]) -> list[bytes]:
        """Check those that are `Special`; the names without those of deleted refs."""
        if Special not in set(map(type, names)):
            return names
        for special in [name for name in names if isinstance(name, Special)]:
            if special.target is not None:
                self._check_symref(bytes(special), special.target)
            elif special.is_null:
                self._add("ref-id-null", bytes(special), f"{shown(special)} has the null object id")
        return [
            name for name in names if not isinstance(name, Special) or name.target is not None or name.is_null
        ]

    def _check_cases(self, names: list[bytes], *, are_plain: bool) -> None:
        """Report names of which an earlier one differs in case only: at that letter, it has a capital."""
        if not self._may_be_lowered(names):
            joined = b"" if are_plain else b"\0".join(names)
            # HEAD comes first and has capitals, nearly all others have none.
            if joined == joined.lower():
                return
        for name in names:
            lower = name.lower()
            if self._lowered.get(lower, name) != name:
                self._add("ref-case", name, f"another name is {shown(name)} but for its case")
            elif name != lower and len(self._lowered) < _MOST_CAPITALS:
                self._lowered[lower] = name

    def _may_be_lowered(self, names: list[bytes]) -> bool:
        """Whether one of these names may be an earlier one in lower case."""
        if len(self._lowered) < _FEW_CAPITALS:
            return any(names[0] <= lower <= names[-1] for lower in self._lowered)
        return not self._lowered.keys().isdisjoint(names)

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

    def _check_clashes(self, names: list[bytes], *, are_plain: bool) -> None:
        begun, above = self._open, self._above
        if begun and not names[0].startswith(begun[0]):
            begun.clear()
            above.clear()
        if not begun and (are_plain or not begin_with_another(names)):
            begun.append(names[-1])
            return
        for name in names:
            while begun and not name.startswith(begun[-1]):
                begun.pop()
                if above and above[-1] is begun[-1]:
                    above.pop()
            # Of the others, the last one has told already which are directories: it lies below them as well.
            if begun and name[len(begun[-1]) : len(begun[-1]) + 1] == b"/":
                above.append(begun[-1])
            for other in above:
                self._add("ref-clash", name, f"{shown(name)} lies below the ref {shown(other)}")
            begun.append(name)

    def _check_symref(self, name: bytes, target: bytes) -> None:
        # The rules of refs_fsck_symref() in git's refs.c, since 2.53; the first that is broken is told.
        what = f"{shown(name)} names {shown(target)}"
        if name == b"HEAD" and (branch := self._branch_of_head()) is not None:
            self._add("value-altered", name, f"{what}; its reflog says that it is {shown(branch)}")
            return
        meant = target_below_refs(RefRecord(name, 0, target=target)) if self._of_repository else None
        if meant is not None:
            self._add("value-altered", name, f"{what}, which is {shown(meant)} but for a byte")
            return
        if name == b"HEAD" and not target.startswith(b"refs/heads/"):
            self._add("head-target", name, f"{what}, which is no branch")
            return
        if not is_root_ref(target):
            if not is_refname(target) or b"/" not in target:
                self._add("symref-target", name, f"{what}, which cannot be a ref")
                return
            if not target.startswith((b"refs/", b"worktrees/")):
                self._add("symref-outside", name, f"{what}, which is not below refs/")
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
        what += f", and more than {MAX_SYMREF_DEPTH} symbolic refs follow each other from there"
        self._add("symref-loop", name, what)

    def _branch_of_head(self) -> bytes | None:
        """The branch that HEAD named before a byte of its target was altered; None if none was."""
        with suppress(FormatError):  # what is damaged is no evidence
            tables = [one.table for one in self._tables if one.table is not None]
            if len(tables) == len(self._tables):
                return branch_of_head(MergedTable(tables))
        return None

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
