"""Findings: one fault in one place each, and how they are gathered.

What kinds of faults there are is told by `faults.py`; what looks for them is `fsck.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.faults import FAULTS, Fault, Severity


@dataclass(slots=True, frozen=True)
class Finding:
    """A fault in one place.

    `file` is the name of the file in the stack's directory (bytes that are not UTF-8 escaped as in
    `os.fsdecode`; empty for the directory as such), `offset` the position in it, None if the fault has none.
    `message` says what is wrong here; it may quote bytes of the file, escaped by `repr`.
    """

    fault: Fault
    file: str
    offset: int | None
    message: str

    @property
    def code(self) -> str:
        """The code of its kind."""
        return self.fault.code

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.fault.severity

    @property
    def git(self) -> str:
        """What git does with it."""
        return self.fault.git

    @property
    def fixes(self) -> tuple[str, ...]:
        """The repairs that apply, safest first."""
        return self.fault.fixes


class Report:
    """Gathers findings, and takes care that no fault drowns the others.

    Of one kind in one file, `MOST_ALIKE` findings are kept; the others are counted, and told by one more
    finding at the end (`close`).
    """

    MOST_ALIKE: Final = 20

    __slots__ = ("_counts", "_findings")

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, code: str, file: str, offset: int | None, message: str) -> None:
        """Take up a finding of the kind `code`."""
        count = self._counts.get((file, code), 0) + 1
        self._counts[file, code] = count
        if count <= self.MOST_ALIKE:
            self._findings.append(Finding(FAULTS[code], file, offset, message))

    def count(self, file: str) -> int:
        """How many findings there have been in a file, of all kinds."""
        return sum(count for (name, _), count in self._counts.items() if name == file)

    def has(self, file: str, *codes: str) -> bool:
        """Whether there has been a finding of one of these kinds in a file."""
        return any((file, code) in self._counts for code in codes)

    def close(self) -> None:
        """Say how many findings were left out."""
        for (file, code), count in self._counts.items():
            if count > self.MOST_ALIKE:
                surplus = count - self.MOST_ALIKE
                self._findings.append(Finding(FAULTS[code], file, None, f"and {surplus} more of this kind"))

    def forget(self) -> None:
        """Begin anew."""
        self._findings.clear()
        self._counts.clear()

    def drain(self) -> list[Finding]:
        """The findings since the last call."""
        findings, self._findings = self._findings, []
        return findings
