"""The page of what fsck checks is the table of faults, no more and no less.

`python -m tests.test_findings_page` writes the rows anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engine.fsck import FAULTS

PAGE: Final = Path(__file__).parents[1] / "docs" / "findings.md"
BEGIN: Final = "| code | severity | what it is | what git does |\n|---|---|---|---|\n"


def rows() -> str:
    """A row for each kind of fault, in the order of the table."""
    return "".join(
        f"| `{fault.code}` | {fault.severity} | {fault.meaning} | {fault.git} |\n"
        for fault in FAULTS.values()
    )


def test_every_fault_is_on_the_page_in_the_words_of_the_program() -> None:
    _, begin, table = PAGE.read_text().partition(BEGIN)
    assert begin
    assert table.splitlines() == rows().splitlines()


if __name__ == "__main__":
    before, begin, _ = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + begin + rows())
