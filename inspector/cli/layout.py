"""The verb that looks at the bytes of tables: layout.

It goes on behind whatever it cannot read. When everything else has been printed, each fault is a note, and
the exit code says that there were some.
"""

from __future__ import annotations

from typing import Any

import click

from engine.errors import FormatError, MissingTableError
from engine.format import SECTION_NAMES
from engine.layout import BlockSpan, Fields, Section, Span, SpanKind, TableLayout
from engine.readable import ReadableTable
from engine.table import Table
from inspector.cli.opening import Call, chosen_tables, end_with_faults, stack_verb, table_option
from inspector.exit_codes import note
from inspector.text import picked, safe_message, safe_name, safe_text

_BLOCK_HEADINGS = ("length", "records end", "records", "restarts", "padding")
_BLOCK_ROW = "{:<20}{:>9}{:>13}{:>9}{:>10}{:>9}"


@click.command()
@table_option
@stack_verb
def layout(call: Call, table_name: str | None) -> None:
    """Where everything lies in the tables: header, sections, blocks, footer.

    Oldest table first, blocks in the order of the file. `bytes` is what something takes in the file, padding
    not included; `length` is what the block's own header says, which in a log block is its length when
    inflated. `records end` is where the records end in the block. In the first block of a table both count
    from the start of the file. With --json, one object for each block, and none for what cannot be read.
    """
    faults: list[Exception] = []
    with call.opened() as stack:
        if not stack.tables and not call.as_json:
            note("the stack is empty: it has no table")
        of_tables: dict[Table, Exception | None] = {
            table: table.fault for table in stack.tables if isinstance(table, ReadableTable)
        }
        faults += [fault for fault in stack.faults if fault not in of_tables.values()]
        for number, table in enumerate(chosen_tables(call, stack, table_name)):
            if number and not call.as_json:
                call.out.text([""])
            fault = of_tables.get(table)
            if isinstance(fault, OSError | MissingTableError):
                if not call.as_json:
                    call.out.text([_heading(table.name, table.size)])
                faults.append(fault)
                continue
            errors = _print(call, TableLayout(table.name, table.size, table.read))
            # The layout says more of it, but not of another hash function.
            faults += errors or ([fault] if fault is not None else [])
    end_with_faults(faults)


def _heading(name: str, size: int) -> str:
    return f"{safe_name(name)}: {size} bytes"


def _block_fields(table_name: str, block: BlockSpan, records: int) -> dict[str, Any]:
    return {
        "table": table_name,
        "offset": block.offset,
        "type": SECTION_NAMES[block.type],
        **picked(block, "block_len", "records_end", restarts="restart_count"),
        "records": records,
        **picked(block, "padding", "next_offset", "file_len"),
        "section": SECTION_NAMES[block.section] if block.section is not None else None,
        "level": block.level,
    }


def _print(call: Call, table: TableLayout) -> list[FormatError]:
    """Print one table as the verb was asked to; returns what cannot be read of it."""
    width = max(len("offset"), len(str(table.end)))

    def line(offset: int | str, size: int | str, text: str) -> str:
        return f"{offset:>{width}}  {size:>{width}}  {text}"

    def text(*lines: str) -> None:
        if not call.as_json:
            call.out.text(lines)

    errors = table.errors()
    text(_heading(table.name, table.end))
    for group in table.children():
        if isinstance(group, Fields):
            rows = [line(field.start, field.end - field.start, _field(field)) for field in group.fields]
            text("", line("offset", "bytes", group.name), *rows)
        elif isinstance(group, Section):
            text("", line("offset", "bytes", _BLOCK_ROW.format(group.name, *_BLOCK_HEADINGS)))
            for span in group.children():
                if span.error is not None:
                    errors.append(span.error)
                if isinstance(span, BlockSpan):
                    found = span.records().errors()
                    errors += found
                    records = span.records().count() - len(found)
                    if call.as_json:
                        call.out.objects([_block_fields(table.name, span, records)])
                    else:
                        numbers = span.block_len, span.records_end, records, span.restart_count, span.padding
                        row = _BLOCK_ROW.format(SECTION_NAMES[span.type], *numbers)
                        text(line(span.offset, span.file_len, row))
                elif span.error is not None:
                    reason = safe_message(span.error.reason)
                    text(line(span.start, span.end - span.start, f"damaged: {reason}"))
    return errors


def _field(field: Span) -> str:
    if isinstance(field.value, bytes):
        value = safe_text(field.value)
    else:
        value = f"{field.value:08x}" if field.kind is SpanKind.CHECKSUM else f"{field.value}"
    wrong = f" (damaged: {safe_message(field.error.reason)})" if field.error is not None else ""
    return f"{field.name:<18}{value}{wrong}"
