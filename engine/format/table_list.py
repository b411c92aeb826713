"""Names of tables, and the lines of `tables.list`.

A list has one name a line, oldest table first. `parse_table_list` is the one parser, for lists in any state:
it gives every line with its offset, the name that it means and what is wrong with it. A strict reader asks
for `require_names`, which refuses what git refuses; a reader of damaged lists takes `names`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from engine.errors import FormatError, shown
from engine.system import file_name, is_beside, name_bytes

TABLES_LIST: Final = "tables.list"

_LARGEST_LIST: Final = 16 * 2**20
_MOST_LINES: Final = 2**16
_LONGEST_FILE_NAME: Final = 255


class TableName(NamedTuple):
    """The parts of a table's file name: the range of its update indexes, and the suffix."""

    min_update_index: int
    max_update_index: int
    suffix: str


# git: 0x%012x-0x%012x-%08x.ref; JGit leaves 0x out and calls log-only tables .log;
# the Go library of 2020 has no suffix.
_ENDINGS: Final = ("ref", "log")
_DIGITS: Final = frozenset("0123456789abcdef")


def format_table_name(min_update_index: int, max_update_index: int, suffix: int) -> str:
    """The name git gives a table, without extension; `suffix` is 32 random bits."""
    return f"0x{min_update_index:012x}-0x{max_update_index:012x}-{suffix:08x}"


def parse_table_name(name: str) -> TableName | None:
    """The parts of a table name as git, JGit or the Go library write it, or None."""
    # To compile a pattern for this would take longer than all names of most stacks do.
    stem, _, ending = name.rpartition(".")
    low, _, rest = stem.removeprefix("0x").partition("-")
    high, dash, suffix = rest.removeprefix("0x").partition("-")
    limits_are_right = _is_hex(low, 12, 16) and _is_hex(high, 12, 16)
    if ending not in _ENDINGS or not limits_are_right or not (_is_hex(suffix, 1, 8) or not dash):
        return None
    return TableName(int(low, 16), int(high, 16), suffix)


def _is_hex(text: str, least: int, most: int) -> bool:
    return least <= len(text) <= most and _DIGITS.issuperset(text)


def limits_in_name(name: str) -> tuple[int, int] | None:
    """The lowest and highest update index that the name of a table states, or None."""
    parts = parse_table_name(name)
    return None if parts is None else (parts.min_update_index, parts.max_update_index)


def is_table_file(name: str) -> bool:
    """Whether a directory entry of this name is meant to be a table, listed or not."""
    return name.endswith((".ref", ".log")) and not name.startswith(".")


class ListFault(StrEnum):
    """What is wrong with a line of a list, as the codes of fsck's findings name it behind `list-`."""

    BLANK_LINE = "blank-line"
    NUL = "nul"
    LEAVES_DIRECTORY = "leaves-directory"
    CARRIAGE_RETURN = "carriage-return"
    NOT_A_TABLE = "not-a-table"
    DUPLICATE = "duplicate"
    NO_NEWLINE = "no-newline"


_REFUSED: Final = frozenset(
    {ListFault.NUL, ListFault.LEAVES_DIRECTORY, ListFault.NOT_A_TABLE, ListFault.NO_NEWLINE}
)
_NO_NAME: Final = "{} is no name of a table in this directory"
_REASONS: Final = {
    ListFault.BLANK_LINE: "an empty line",
    ListFault.CARRIAGE_RETURN: "{} ends in a carriage return",
    ListFault.DUPLICATE: "{} is named more than once",
}


class ListLine(NamedTuple):
    """A line of a list: where it begins, its bytes without the newline, and what is wrong with it.

    `name` is the file that the line means, without a carriage return at its end, or a NUL and what follows;
    None where no file of the directory can have it.
    """

    offset: int
    raw: bytes
    name: str | None
    fault: ListFault | None


class TableList(NamedTuple):
    """What a `tables.list` of `size` bytes holds. Without `is_whole`, no newline ends its last line."""

    lines: tuple[ListLine, ...]
    size: int
    is_whole: bool

    @property
    def names(self) -> list[str]:
        """The names that the lines mean, however damaged: each once, oldest first."""
        return list(dict.fromkeys(line.name for line in self.lines if line.name is not None))

    def require_names(self) -> list[str]:
        """The names as they stand in the list, for a strict reader. Raises `FormatError`.

        Empty lines are dropped; a missing final newline is refused, as by git since 2.52 (a list cut short
        must not pass for a shorter stack), and so is a name that leads out of the directory.
        """
        error = self.first_error(_REFUSED)
        if error is not None:
            raise error
        return [file_name(line.raw) for line in self.lines if line.raw]

    def first_error(self, faults: Collection[ListFault] = frozenset(ListFault)) -> FormatError | None:
        """The first of these faults in the list, or None."""
        if not self.is_whole and ListFault.NO_NEWLINE in faults:
            what = "no newline at the end: the list may have been cut short"
            return FormatError(TABLES_LIST, self.size, what)
        for line in self.lines:
            if line.fault is not None and line.fault in faults:
                reason = _REASONS.get(line.fault, _NO_NAME).format(shown(line.raw))
                return FormatError(TABLES_LIST, line.offset, reason)
        return None


def check_list_size(size: int, lines: int) -> None:
    """Raise `FormatError` for a list that is larger than any stack needs."""
    if size > _LARGEST_LIST or lines > _MOST_LINES:
        what = f"{size} bytes" if size > _LARGEST_LIST else f"{lines} lines"
        raise FormatError(TABLES_LIST, None, f"{what} are more than any stack needs")


def parse_table_list(data: bytes) -> TableList:
    """The lines of a `tables.list`, however wrong they are."""
    lines: list[ListLine] = []
    seen: set[str] = set()
    offset = 0
    for raw in data.removesuffix(b"\n").split(b"\n") if data else ():
        meant = raw.partition(b"\0")[0].rstrip(b"\r")
        named = file_name(meant)
        name = named if is_beside(named) and len(meant) <= _LONGEST_FILE_NAME else None
        fault = _fault(raw, is_again=name in seen)
        lines.append(ListLine(offset, raw, name, fault))
        if name is not None and fault is None:
            seen.add(name)
        offset += len(raw) + 1
    return TableList(tuple(lines), len(data), not data or data.endswith(b"\n"))


def _fault(raw: bytes, *, is_again: bool) -> ListFault | None:
    if not raw:
        return ListFault.BLANK_LINE
    if b"\0" in raw:
        return ListFault.NUL
    if not is_beside(file_name(raw)):
        return ListFault.LEAVES_DIRECTORY
    if raw.endswith(b"\r"):
        return ListFault.CARRIAGE_RETURN
    if len(raw) > _LONGEST_FILE_NAME:
        return ListFault.NOT_A_TABLE
    return ListFault.DUPLICATE if is_again else None


def pack_table_list(names: Iterable[str]) -> bytes:
    """The bytes of a `tables.list` with these names."""
    return b"".join(name_bytes(name) + b"\n" for name in names)
