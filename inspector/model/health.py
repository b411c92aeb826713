"""What is known of the health of a stack: findings, where they come from, and what they add up to.

Findings have two sources. `findings_at_hand` needs nothing but what is known anyway: the headers of the
tables, the damage that reading them has met, and the files beside them. A check (`diagnose`, by its type
`Check`) looks at the stack from its list to its last byte, and at the repository around it, once it is asked
for. `Health` keeps what both have told, and forgets what is not true any more: findings of tables that are
gone, and, when the stack is another one, those of the list.

Nothing here raises for wrong bytes, and nothing writes.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.errors import FormatError, MissingTableError
from engine.format import TABLES_LIST
from engine.fsck import (
    FAULTS,
    Causes,
    Finding,
    Severity,
    check_order,
    finding_of,
)
from engine.readable import OpenError, ReadableTable
from engine.stack import UnlistedFile
from engine.table import Table
from inspector.model.check import due_finding
from inspector.text import counted, loss_text

if TYPE_CHECKING:
    from inspector.model.view import StackView


class HealthMark(StrEnum):
    """What is known of one table, as the letters that stand for it."""

    UNCHECKED = "."
    SOUND = "ok"
    DOUBTFUL = "!"
    DAMAGED = "X"


def identity(finding: Finding) -> tuple[str, str, int | None]:
    """What stays when the same fault is found again, though its words may change."""
    return finding.code, finding.file, finding.offset


class Counts(NamedTuple):
    """How many causes there are of each severity, and how many tables of all have been checked."""

    errors: int
    warnings: int
    notes: int
    checked: int
    tables: int


class Health:
    """What is known of the stack now on screen. Belongs to one thread, which never waits here."""

    def __init__(self) -> None:
        self._tables: Sequence[Table] = ()
        self._positions: dict[str, int] = {}
        self._at_hand: list[Finding] = []
        self._beside: frozenset[str] = frozenset()
        self._found: list[Finding] = []
        self._alone: list[Finding] = []  # those at hand that no check has told more of
        self._shown: list[Finding] = []  # these and what was found, worst first
        self._numbers = dict.fromkeys(Severity, 0)
        self._worst: dict[str, Finding] = {}  # of each file
        self._checked: set[str] = set()
        self._whole = False

    def show(self, tables: Sequence[Table], at_hand: Iterable[Finding], beside: Iterable[str]) -> None:
        """The stack has these tables now, and these are the names of the files beside them.

        What was found of tables and files that are gone is forgotten.
        """
        names = [table.name for table in tables]
        is_other = names != list(self._positions)
        gone = self._beside.difference(beside)
        self._tables = tables
        self._positions = {name: position for position, name in enumerate(names)}
        self._at_hand = list(at_hand)
        self._beside = frozenset(beside)
        # Tables never change, so what was found in those that stayed stays true. The list is another one.
        self._found = [
            one for one in self._found if one.file in self._positions or not (is_other or one.file in gone)
        ]
        self._checked.intersection_update(names)
        self._whole = self._whole and not is_other
        self._sort()

    def _order(self, finding: Finding) -> tuple[object, ...]:
        first = finding.cause or finding
        if finding.cause is None:
            return *first.urgency, *self._place(first), first.code
        return *first.urgency, *self._place(first), first.code, *self._place(finding), finding.code

    def _place(self, finding: Finding) -> tuple[int, str, int]:
        return self._positions.get(finding.file, -1), finding.file, finding.offset or 0

    def _sort(self) -> None:
        self._numbers = dict.fromkeys(Severity, 0)
        self._worst = {}
        self._alone = self._without_those_told_by(self._found, self._at_hand)
        known = [*self._alone, *self._found]
        causes = {identity(one) for one in known}
        # What a finding followed from may be gone.
        known = [
            one._replace(cause=None) if one.cause is not None and identity(one.cause) not in causes else one
            for one in known
        ]
        self._shown = sorted(known, key=self._order)
        for one in self._shown:
            self._count(one)

    def look(self, view: StackView, unlisted: Sequence[UnlistedFile]) -> None:
        """Show these tables, and what they and the files beside them tell without being read."""
        at_hand = findings_at_hand(view.tables, view.suggested, view.options.policy, unlisted)
        self.show(view.tables, at_hand, [file.name for file in unlisted])

    def _without_those_told_by(self, found: Sequence[Finding], at_hand: Sequence[Finding]) -> list[Finding]:
        """Of those at hand the ones that `found` says nothing of."""
        # What a check has found of a file says more than what is known without one.
        told = {one.file for one in found if one.file not in self._positions}
        same = {(one.code, one.file) for one in found}
        # So it does of damage that reading has met, which may be another kind of fault to it.
        errors = {one.file for one in found if one.severity is Severity.ERROR}
        return [
            one
            for one in at_hand
            if one.file not in told
            and (one.code, one.file) not in same
            and not (one.code == _MET and one.file in errors)
        ]

    def _count(self, finding: Finding) -> None:
        self._numbers[finding.severity] += finding.cause is None
        worst = self._worst.setdefault(finding.file, finding)
        if (finding.severity.rank, self._order(finding)) < (worst.severity.rank, self._order(worst)):
            self._worst[finding.file] = finding

    def add(self, findings: Sequence[Finding]) -> None:
        """Take up what a check has found. There may be tens of thousands: each is put where it belongs."""
        self._found += findings
        if len(self._without_those_told_by(findings, self._alone)) < len(self._alone):
            self._sort()
            return
        for one in findings:
            insort(self._shown, one, key=self._order)
            self._count(one)

    def finish(self, read: Iterable[str], *, is_whole: bool) -> None:
        """A check has come to its end that has read these tables; `is_whole` if it was of the stack shown."""
        self._checked.update(name for name in read if name in self._positions)
        self._whole = is_whole

    def forget(self) -> None:
        """Forget what was found: everything is looked at again."""
        self._found.clear()
        self._checked.clear()
        self._whole = False
        self._sort()

    @property
    def is_checked(self) -> bool:
        """Whether a check of the stack as it is now has come to its end."""
        return self._whole

    def position(self, name: str) -> int | None:
        """The position of a table of this name, None for any other file."""
        return self._positions.get(name)

    def table(self, name: str) -> Table | None:
        """The table of this name."""
        position = self._positions.get(name)
        return None if position is None else self._tables[position]

    def findings(self) -> Sequence[Finding]:
        """All findings, worst first, then by table (the files beside them first) and offset.

        What follows from a finding comes behind it.
        """
        return self._shown

    @property
    def stops_git(self) -> bool:
        """Whether anything is known that keeps git from working, or that it answers falsely for."""
        return self._numbers[Severity.ERROR] > 0 or any(one.code == "lock-stale" for one in self._shown)

    def counts(self) -> Counts:
        """How many there are."""
        return Counts(
            self._numbers[Severity.ERROR],
            self._numbers[Severity.WARNING],
            self._numbers[Severity.INFO],
            len(self._checked),
            len(self._tables),
        )

    def damage(self) -> dict[str, FormatError]:
        """The worst finding of each damaged table, by name, as the error that a reader would meet."""
        return {
            name: FormatError(name, one.offset, one.message)
            for name, one in self._worst.items()
            if name in self._positions and one.severity is Severity.ERROR
        }

    def marks(self) -> dict[str, HealthMark]:
        """The mark of every table, by name."""
        marks = dict.fromkeys(self._positions, HealthMark.UNCHECKED)
        marks |= dict.fromkeys(self._checked, HealthMark.SOUND)
        for name, one in self._worst.items():
            if name in marks and one.severity is not Severity.INFO:
                is_error = one.severity is Severity.ERROR
                marks[name] = HealthMark.DAMAGED if is_error else HealthMark.DOUBTFUL
        return marks


# What is known without reading.

_MET: Final = "block-damaged"
"""What damage that reading has met is, as long as no check has told what kind of fault it is."""


def findings_at_hand(
    tables: Sequence[Table], suggested: range, policy: str, unlisted: Iterable[UnlistedFile]
) -> list[Finding]:
    """What headers, the files beside the tables, and the damage that reading has met tell.

    Tables that do not open are left out: of these, a check tells more. `suggested` are the positions that
    auto-compaction under `policy` would merge, empty for none.
    """
    found = [finding_of(file) for file in unlisted]
    # Each table once, as fsck has it: that the list repeats one is another finding.
    limits = {table.name: (table.min_update_index, table.max_update_index) for table in tables}
    for name, (low, high) in limits.items():
        if low > high:
            what = f"update indexes from {low} to {high}"
            found.append(Finding(FAULTS["limits-reversed"], name, None, what))
    found += check_order(list(limits.items()))
    for table in tables:
        if not isinstance(table, ReadableTable) or table.fault is not None or table.losses is None:
            continue
        if isinstance(first := table.loss(), FormatError):
            what = f"{first.reason} ({loss_text(table.losses)})"
            found.append(Finding(FAULTS[_MET], table.name, first.offset, what))
    return [*map(Causes().told, found), *due_finding(tables, suggested, policy)]


# What the main screen says, in few words: the Health tab and the detail of a table say more.


def broken_text(faults: Sequence[OpenError]) -> str:
    """What keeps a stack from being opened: `2 tables, 1 missing table`; empty for nothing.

    A table that opens may have damaged blocks all the same: then it is among the errors alone.
    """
    of_list = [fault for fault in faults if isinstance(fault, FormatError) and fault.name == TABLES_LIST]
    missing = sum(isinstance(fault, MissingTableError) for fault in faults)
    shut = len(faults) - missing - len(of_list)
    parts = [counted(shut, "table")] if shut else []
    parts += [counted(missing, "missing table")] if missing else []
    return ", ".join(parts + [TABLES_LIST] * bool(of_list))
