"""README's page of what fsck checks is the table of faults, no more and no less.

`python -m tests.test_readme` writes the rows anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engine.fsck import FAULTS

README: Final = Path(__file__).parents[1] / "README.md"
BEGIN: Final = "| code | severity | what it is | what git does |\n|---|---|---|---|\n"
END: Final = "\n\n</details>"


def the_page() -> str:
    """A row for each kind of fault, in the order of the table."""
    return "\n".join(
        f"| `{fault.code}` | {fault.severity} | {fault.meaning} | {fault.git} |" for fault in FAULTS.values()
    )


def parts(text: str) -> tuple[str, str, str]:
    """What is before the rows, the rows, what is after them."""
    before, begin, rest = text.partition(BEGIN)
    rows, end, after = rest.partition(END)
    assert begin
    assert end
    return before + begin, rows, end + after


def test_every_fault_is_in_the_readme_in_the_words_of_the_program() -> None:
    _, rows, _ = parts(README.read_text())
    assert rows.splitlines() == the_page().splitlines()


if __name__ == "__main__":
    before, _, after = parts(README.read_text())
    README.write_text(before + the_page() + after)
