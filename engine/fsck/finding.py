"""A finding is a fault in one place; a report gathers findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from operator import attrgetter
from typing import Final, NamedTuple

from engine.errors import FormatError, reason_of
from engine.fsck.faults import FAULTS, FaultKind, Severity


class Finding(NamedTuple):
    """A fault in one place.

    `file` is the name of the file in the stack's directory (bytes that are not UTF-8 escaped as in
    `os.fsdecode`; empty for the directory as such), `offset` the position in it, None if the fault has none.
    `message` says what is wrong here; it may quote bytes of the file, escaped by `repr`. `at_stake` is how
    many refs and log entries are hidden by it or show older values, as far as that is known. `cause` is the
    finding that this one follows from; it has none itself.
    """

    fault: FaultKind
    file: str
    offset: int | None
    message: str
    at_stake: int = 0
    cause: Finding | None = None

    @property
    def code(self) -> str:
        """The code of its kind."""
        return self.fault.code

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.fault.severity

    @property
    def urgency(self) -> tuple[int, bool, int]:
        """What to sort by, the worst first: severity, then whether git sees nothing at all, then numbers.

        What follows from another finding stays with that.
        """
        first = self.cause or self
        return first.severity.rank, not first.fault.hides_all, -first.at_stake

    @property
    def git(self) -> str:
        """What git does with it."""
        return self.fault.git

    @property
    def fixes(self) -> tuple[str, ...]:
        """The repairs that apply, safest first."""
        return self.fault.fixes


def by_cause(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Findings in groups, the worst first: each cause, and behind it what follows from it."""
    told: dict[Finding, list[Finding]] = {}
    for one in findings:
        told.setdefault(one.cause or one, []).append(one)
    return [told[cause] for cause in sorted(told, key=attrgetter("urgency"))]


class Report:
    """Findings so far, bounded in number so that one kind does not hide the others.

    Of one kind, `MOST_ALIKE` findings are kept in one file, and `MOST_IN_ALL` in all of them; the others are
    counted, and `close` adds one finding that says how many.
    """

    MOST_ALIKE: Final = 20
    MOST_IN_ALL: Final = 1000

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._in_file: Counter[str] = Counter()
        self._in_all: Counter[str] = Counter()
        self._damaged: set[str] = set()

    def add(self, code: str, file: str, offset: int | None, message: str, at_stake: int = 0) -> None:
        """Add a finding of the kind `code`."""
        self.take(Finding(FAULTS[code], file, offset, message, at_stake))

    def add_error(self, code: str, error: FormatError) -> None:
        """Add a finding of the kind `code` where the error is."""
        self.add(code, error.name, error.offset, error.reason)

    def add_unreadable(self, file: str, error: OSError) -> None:
        """Add that the system cannot read a table, or does not let this user read it."""
        code = "table-not-permitted" if isinstance(error, PermissionError) else "table-unreadable"
        self.add(code, file, None, reason_of(error))

    def take(self, finding: Finding) -> None:
        """Add a finding."""
        code, file = finding.code, finding.file
        self._in_file[file] += 1
        if finding.fault.costs_records:
            self._damaged.add(file)
        if self._in_all[code] >= self.MOST_IN_ALL and (file, code) not in self._counts:
            self._in_all[code] += 1
            return
        self._counts[file, code] += 1
        if self._counts[file, code] <= self.MOST_ALIKE:
            self._in_all[code] += 1
            self._findings.append(finding)

    def count(self, file: str) -> int:
        """How many findings there have been in a file, of all kinds."""
        return self._in_file[file]

    def is_damaged(self, file: str) -> bool:
        """Whether something has been found because of which records of a file cannot be read."""
        return file in self._damaged

    def has(self, file: str, *codes: str) -> bool:
        """Whether there has been a finding of one of these kinds in a file."""
        return any((file, code) in self._counts for code in codes)

    def close(self) -> list[Finding]:
        """The findings since the last call of `drain`, and how many were left out."""
        alike = [(file, code, count - self.MOST_ALIKE, "") for (file, code), count in self._counts.items()]
        others = [
            ("", code, count - self.MOST_IN_ALL, " in other files") for code, count in self._in_all.items()
        ]
        for file, code, more, where in (*alike, *others):
            if more > 0:
                what = f"and {more} more of this kind{where}"
                self._findings.append(Finding(FAULTS[code], file, None, what))
        return self.drain()

    def drain(self) -> list[Finding]:
        """The findings since the last call."""
        findings, self._findings = self._findings, []
        return findings
