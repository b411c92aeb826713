"""What can be told of the health of a stack: findings, where they come from, and what they add up to.

Findings have two sources. `findings_at_hand` needs nothing but what is known anyway: the headers of the
tables and the files beside them. `check_tables` reads tables from end to end as `engine.layout` does:

    header and footer, the footer's checksum, offsets and index levels
    each block: its frame, its records, its restart points, its padding

Not looked at are the order of keys, whether an index names every block, and values: a table without
findings has a sound structure, no more. A source is a function (`Check`), so that another one can take
its place; `Health` keeps what it reported and knows no source.

Nothing here raises for wrong bytes, and nothing writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from engine.block_contents import Restarts
from engine.clean import FileKind
from engine.errors import ChecksumError, FormatError
from engine.layout import TableLayout
from engine.neighbours import Neighbour
from engine.progress import Progress, ProgressCallback
from engine.section import BlockSpan
from engine.table import Table
from inspector.widgets.facts import age_text

__all__ = [
    "Check",
    "Counts",
    "Finding",
    "Health",
    "HealthMark",
    "Report",
    "Severity",
    "check_tables",
    "findings_at_hand",
]

MOST_FINDINGS: Final = 100
"""Findings of one table that are kept: what has more is damaged throughout."""

YOUNG_LOCK: Final = 60.0
"""Seconds for which a lock is nothing to wonder at."""

_STRIDE: Final = 4096
_TELL_BYTES: Final = 2**18

_DAMAGE: Final = (
    "Read what other blocks and other tables hold, and export it.",
    "If there is a copy of the repository, compare the file with the one in it.",
)
_KEEP: Final = ("Nothing is lost; a compaction writes the table anew without it.",)
_GIT_AND_DAMAGE: Final = (
    "fails when it needs what is damaged here, and whenever a compaction includes this table; "
    "it does not notice before"
)


class Severity(StrEnum):
    """How bad a finding is, worst first."""

    ERROR = "error"  # something cannot be read
    WARNING = "warning"  # something is in the way, or may have been lost
    INFO = "info"  # worth knowing


_RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}


class HealthMark(StrEnum):
    """What is known of one table, as the letters that stand for it."""

    UNCHECKED = "."
    SOUND = "ok"
    DOUBTFUL = "!"
    DAMAGED = "X"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one file of a stack.

    `code` is short and stays the same from version to version, `file` is the file's name, `offset` a byte
    position in it or None, `message` says what is wrong, `git` what git does with it (empty where that is
    not known), and `fixes` what to do, safest first.
    """

    severity: Severity
    code: str
    file: str
    offset: int | None
    message: str
    fixes: tuple[str, ...]
    git: str = ""

    @property
    def identity(self) -> tuple[str, str, int | None]:
        """What stays when the same fault is found again, though its words may change."""
        return self.code, self.file, self.offset


@dataclass(frozen=True, slots=True)
class Report:
    """One table was read to its end: these are all findings about it."""

    table: str
    findings: tuple[Finding, ...]


Check = Callable[[Path, Sequence[tuple[int, Table]], ProgressCallback], Iterator[Report]]
"""Looks at a stack's directory and at those of its tables (with their positions) that have not been read yet,
and reports on each of them. Raises only what the callback raises."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many findings there are of each severity, and how many tables of all have been read."""

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
        self._reports: dict[str, Report] = {}

    def show(self, tables: Sequence[Table], at_hand: Iterable[Finding]) -> None:
        """The stack has these tables now. What was reported of tables that are gone is forgotten."""
        self._tables = tables
        self._positions = {table.name: position for position, table in enumerate(tables)}
        self._at_hand = list(at_hand)
        # Tables never change, so what was reported of those that stayed stays true.
        self._reports = {name: report for name, report in self._reports.items() if name in self._positions}

    def add(self, report: Report) -> None:
        """Take up a report, unless its table is gone."""
        if report.table in self._positions:
            self._reports[report.table] = report

    def forget(self) -> None:
        """Forget all reports, so that every table is looked at again."""
        self._reports.clear()

    @property
    def unchecked(self) -> list[tuple[int, Table]]:
        """The tables that nothing has been reported of, with their positions, oldest first."""
        return [item for item in enumerate(self._tables) if item[1].name not in self._reports]

    def position(self, name: str) -> int | None:
        """The position of a table of this name, None for any other file."""
        return self._positions.get(name)

    def table(self, name: str) -> Table | None:
        """The table of this name."""
        position = self._positions.get(name)
        return None if position is None else self._tables[position]

    def findings(self) -> list[Finding]:
        """All findings, worst first, then by table (the files beside them first) and offset."""

        def order(finding: Finding) -> tuple[int, int, int]:
            offset = -1 if finding.offset is None else finding.offset
            return _RANKS[finding.severity], self._positions.get(finding.file, -1), offset

        reported = (finding for report in self._reports.values() for finding in report.findings)
        return sorted([*self._at_hand, *reported], key=order)

    def counts(self) -> Counts:
        """How many there are."""
        severities = [finding.severity for finding in self.findings()]
        return Counts(
            severities.count(Severity.ERROR),
            severities.count(Severity.WARNING),
            severities.count(Severity.INFO),
            len(self._reports),
            len(self._tables),
        )

    def marks(self) -> dict[str, HealthMark]:
        """The mark of every table, by name."""
        marks = dict.fromkeys(self._positions, HealthMark.UNCHECKED)
        marks |= dict.fromkeys(self._reports, HealthMark.SOUND)
        for finding in reversed(self.findings()):  # the worst last, so that it stays
            if finding.file in marks and finding.severity is not Severity.INFO:
                worst = finding.severity is Severity.ERROR
                marks[finding.file] = HealthMark.DAMAGED if worst else HealthMark.DOUBTFUL
        return marks


# What is known without reading.


def findings_at_hand(
    tables: Sequence[Table], suggested: range, policy: str, neighbours: Iterable[Neighbour]
) -> list[Finding]:
    """What headers and the files beside the tables tell.

    `suggested` are the positions that auto-compaction under `policy` would merge, empty for none.
    """
    found = [_of_neighbour(neighbour) for neighbour in neighbours]
    found += _of_ranges(tables)
    if suggested:
        found.append(
            Finding(
                Severity.INFO,
                "compaction-due",
                tables[suggested.start].name,
                None,
                f"by the {policy} rule, tables #{suggested.start} to #{suggested.stop - 1} are due to be "
                "merged; git does that after each write, unless it is told not to or somebody holds a lock",
                ("Leave it to the next write.", "Compact (c)."),
            )
        )
    return found


def _of_ranges(tables: Sequence[Table]) -> Iterator[Finding]:
    before = 0
    for position, table in enumerate(tables):
        low, high = table.min_update_index, table.max_update_index
        if low > high:
            yield Finding(
                Severity.WARNING,
                "range-reversed",
                table.name,
                None,
                f"the header says update indexes {low} to {high}, which is no range",
                ("Look at the header in Blocks (b): a writer made a mistake, or the bytes were changed.",),
            )
        elif position and low <= before:
            yield Finding(
                Severity.WARNING,
                "ranges-overlap",
                table.name,
                None,
                f"begins at update index {low}, but older tables go up to {before}: what is newer is decided "
                "by the order of the list, which may not be the order in which things happened",
                ("Compare the order of the names in tables.list with their update indexes.",),
            )
        before = max(before, high)


def _of_neighbour(neighbour: Neighbour) -> Finding:
    what = f"{neighbour.reason}; {age_text(neighbour.age)} old"
    if neighbour.holder is not None or neighbour.kind is FileKind.LOCK:
        what += f"; {neighbour.holding}"
    severity, code = Severity.INFO, "foreign-file"
    fix, git = "Nothing has to be done.", "leaves it alone"
    match neighbour.kind:
        case FileKind.LOCK if neighbour.holder is not None or neighbour.age < YOUNG_LOCK:
            code, fix = "lock-held", "Wait: its holder removes it."
        case FileKind.LOCK:
            severity, code = Severity.WARNING, "lock-old"
            fix = (
                "Find out whether a process still works on this stack, also on other machines that share it. "
                "If none does, remove the lock by hand."
            )
        case FileKind.TEMPORARY:
            code = "temporary-file"
            fix = "Clean (x) removes it." if neighbour.removable else "Leave it: somebody may be writing it."
        case FileKind.ORPHAN if neighbour.removable:
            code, fix, git = "orphan-table", "Clean (x) removes it.", "does not read it"
        case FileKind.ORPHAN:
            severity, code, git = Severity.WARNING, "orphan-doubtful", "does not read it"
            fix = "Keep it: it may hold what the stack has lost. Compare it with the tables of the stack."
        case _:
            pass
    if neighbour.kind is FileKind.LOCK:
        git = "can neither write nor compact what is locked as long as the file exists"
    return Finding(severity, code, neighbour.name, None, what, (fix,), git)


# What reading the tables tells.


def check_tables(
    _directory: Path, tables: Sequence[tuple[int, Table]], progress: ProgressCallback
) -> Iterator[Report]:
    """Read these tables from end to end, and report on each. Progress is in bytes of them all."""
    total = sum(table.size for _, table in tables)
    done = 0
    for position, table in tables:

        def tell(phase: str, read: int, base: int = done, at: int = position, size: int = table.size) -> None:
            progress(Progress(f"#{at}, {phase}", base + min(read, size), total))

        yield Report(table.name, tuple(_check_table(table, tell)))
        done += table.size


def _check_table(table: Table, tell: Callable[[str, int], None]) -> list[Finding]:
    def damaged(code: str, offset: int | None, message: str) -> Finding:
        if code == "padding":
            return Finding(Severity.WARNING, code, table.name, offset, message, _KEEP, "does not read it")
        return Finding(Severity.ERROR, code, table.name, offset, message, _DAMAGE, _GIT_AND_DAMAGE)

    found: list[Finding] = []
    try:
        for code, error in _damage(table, tell):
            if len(found) == MOST_FINDINGS:
                what = f"{MOST_FINDINGS} findings are enough: the rest of the table was not looked at"
                found.append(damaged("too-many", None, what))
                break
            found.append(damaged(code, error.offset, error.reason))
    except OSError as error:
        found.append(damaged("unreadable", None, f"cannot be read: {error.strerror or error}"))
    return found


def _damage(table: Table, tell: Callable[[str, int], None]) -> Iterator[tuple[str, FormatError]]:
    tell("header, footer, indexes", 0)
    layout = TableLayout(table.name, table.size, table.read)
    for error in layout.errors():
        yield "checksum" if isinstance(error, ChecksumError) else "structure", error
    told = 0
    for span in layout.blocks():
        if isinstance(span, BlockSpan):
            yield from _block_damage(span, tell)
        elif span.error is not None:
            yield "block", span.error
        if span.end - told >= _TELL_BYTES:
            told = span.end
            tell("blocks", told)


def _block_damage(block: BlockSpan, tell: Callable[[str, int], None]) -> Iterator[tuple[str, FormatError]]:
    if block.error is not None:
        yield "stray-block", block.error
    try:
        contents = block.contents()
        # In strides, because one block may hold millions of records.
        number = _STRIDE
        while contents.has(number):
            number += _STRIDE
            tell("blocks", block.start)
        for error in contents.errors():
            yield "record", error
        for part in contents.parts():
            if isinstance(part, Restarts):
                for restart in part.children():
                    if restart.error is not None:
                        yield "restart-point", restart.error
        if block.padding:
            *_, padding = block.children()
            if padding.error is not None:
                yield "padding", padding.error
    except FormatError as error:  # the file has changed under our eyes
        yield "block", error
