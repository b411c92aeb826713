"""Checks of what is around the blocks of a table: the file, its name, its header and footer."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Final

from engine import layout
from engine.errors import FormatError
from engine.format import MAGIC, MIN_UPDATE_INDEX, Header, header_size, limits_in_name
from engine.fsck.finding import Report
from engine.stack import HIGHEST_LIMIT
from engine.table import RegularFile, Table

_FIELD_CODES: Final = {"checksum": "footer-checksum", "position": "section-offset"}
"""The faults of damaged fields by their `SpanKind`."""

# 0x%016x-0x%016x-%08x: every other writer has more than 12 digits only where it needs them.
_DULWICH_LENGTH: Final = 50
_DULWICH_NAME: Final = r"0x0[0-9a-f]{15}-0x0[0-9a-f]{15}-[0-9a-f]{8}\.ref"

Limits = tuple[int, int]
"""The lowest and the highest update index of a table."""


class CheckedTable:
    """An open file that is listed as a table.

    `table` is None if it does not open as one, `layout` if it does or cannot be read; `header` is the one to
    read it by, None if there is none; `read` is that of the file.
    """

    __slots__ = ("header", "layout", "name", "read", "size", "table")

    def __init__(self, directory: str | os.PathLike[str], name: str) -> None:
        """Open the file. Raises `OSError`, and `FormatError` for what is no regular file."""
        path = os.path.join(directory, name)
        self.name = name
        self.table: Table | None = None
        self.layout: layout.TableLayout | None = None
        file = RegularFile.open(path, name)
        self.size = file.size
        self.read = file.read
        self.header: Header | None = None
        try:
            self.table = Table(file, path)
            self.header = self.table.header
        except (FormatError, OSError):
            with suppress(OSError):
                self.layout = self.laid_out()
                self.header = self.layout.used_header

    def laid_out(self) -> layout.TableLayout:
        """The layout, also of a file that opens as a table. Raises `OSError`."""
        return self.layout or layout.TableLayout(self.name, self.size, self.read)

    @property
    def stated(self) -> Limits | None:
        """The update indexes in its header, None without one."""
        header = self.header
        return None if header is None else (header.min_update_index, header.max_update_index)

    @property
    def limits(self) -> Limits | None:
        """Its update indexes, None without a header.

        Of a highest one that was never set, that of the records, which are read for this.
        """
        if self.stated is None:
            return None
        low, high = self.stated
        if high >= HIGHEST_LIMIT and self.table is not None:
            with suppress(FormatError, OSError):
                refs, logs = self.table.refs(), self.table.logs()
                of_refs = max((ref.update_index for ref in refs), default=low)
                of_logs = max((log.update_index for log in logs if not log.is_deletion), default=low)
                high = max(low, of_refs, of_logs)
        return low, high


def check_frame(file: CheckedTable, report: Report) -> None:
    """Report what name, header and footer of a table tell; of one that opens, no block is read."""
    try:
        if file.table is None:
            check_fields(file, file.laid_out(), report)
    except OSError as error:
        report.add_unreadable(file.name, error)
    if file.header is not None:
        if file.header.max_update_index >= HIGHEST_LIMIT:
            what = f"update indexes up to {file.header.max_update_index}, which no stack has reached"
            report.add("limits-beyond-records", file.name, MIN_UPDATE_INDEX.offset + 8, what)
        check_header(file.name, file.header, report)


def check_fields(file: CheckedTable, spans: layout.TableLayout, report: Report) -> None:
    """Report what is wrong with header and footer."""
    name = file.name
    before = report.count(name)
    if spans.header is None:
        head, reason = file.read(0, header_size(2)), "neither a header nor a footer can be read"
        code = "cut-short" if head.startswith(MAGIC) and len(head) < header_size(1) else "not-a-table"
        try:
            Header.parse(name, head)
        except FormatError as wrong:
            reason = wrong.reason
        report.add(code, name, 0, reason)
        return
    if spans.footer is None:
        report.add("cut-short", name, file.size, f"no footer at the end of its {file.size} bytes")
    for error in spans.header.errors():
        report.add_error("header-damaged", error)
    for field in spans.footer.fields if spans.footer is not None else ():
        if field.error is not None:
            is_length = field.name == "object id length"
            code = "object-id-length" if is_length else _FIELD_CODES.get(field.kind, "footer-damaged")
            report.add_error(code, field.error)
    if file.table is None and report.count(name) == before:
        report.add("footer-damaged", name, None, "the file does not open as a table")


def check_header(name: str, header: Header, report: Report) -> None:
    """Report what is wrong with the update indexes, and with what the name says of them."""
    stated, limits = limits_in_name(name), (header.min_update_index, header.max_update_index)
    if limits[0] > limits[1]:
        what = f"update indexes from {limits[0]} to {limits[1]}"
        report.add("limits-reversed", name, MIN_UPDATE_INDEX.offset, what)
    if len(name) == _DULWICH_LENGTH and re.fullmatch(_DULWICH_NAME, name):
        report.add("dulwich-table", name, None, "a name with 16 digits, as dulwich gives")
    elif stated is None:
        what = "not 0xMIN-0xMAX-SUFFIX.ref, as git, JGit and the Go library have it"
        report.add("table-name", name, None, what)
    elif stated != limits:
        what = f"the name says {range_words(stated)}, the header {range_words(limits)}"
        report.add("name-range", name, None, what)


def range_words(limits: Limits) -> str:
    """Update indexes from the lowest to the highest."""
    return f"{limits[0]} to {limits[1]}"
