"""The panes of refs and of reflog entries: their columns and help. `record_pane_base` has all they share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from engine.readable import in_doubt
from engine.table import Table
from inspector.model import LOGS, REFS
from inspector.rows import LogRow, RefRow
from inspector.text import log_time, short_id, shown, value_text
from inspector.tui.widgets.record_pane_base import RecordPane
from inspector.tui.widgets.virtual_list import Cell, Column, Look

_KEYS = """f goes to the first name that begins with what you type, or comes after it, through the index.
    s sorts by the next column, S turns the order round; a click on the title of a column does both.
    D shows tombstones, b opens the block of the record, y copies, E writes the rows to a file.
    """


class RefsPane(RecordPane[RefRow]):
    """The refs of a scope."""

    HELP = f"""
    The refs, by name: what each points to, the update index of the transaction that wrote it, and the table
    of the stack in which it was found.

    A stack has many versions of one ref, one in each table that ever changed it. The newest table that has
    one wins; a tombstone wins as well, and says that the ref was deleted. The detail lists every version.
    Of a single table all records are shown, tombstones among them; as of an update index, what the tables up
    to there say.

    A ? behind the table means doubt: a newer table is damaged or missing, and may have held a newer version.

    / filters as you type: text that the name contains, or that of the ref which a symref points to; an object
    id, or four digits of it and more, finds the refs that point there as well. ~ in front of letters finds
    names that have them in this order, re: names with a regular expression of bytes, and ! in front of any
    of it the others. escape stops a scan, and drops the filter when none is going on.
    {_KEYS}"""

    KIND = REFS
    LIST_ID = "refs"

    @staticmethod
    def _columns(tables: Sequence[Table], counting: Sequence[Table]) -> list[Column[RefRow]]:
        """Name, value, update index and table; a `?` if a newer table may have lost a newer version."""
        among = set(counting)
        asked = [table if table in among else None for table in tables]
        return [
            Column("ref", lambda row, _: shown(row.record.name), 24, flex=3),
            Column("value", _ref_value, 10, flex=2),
            _index_column(tables),
            _table_column(tables, asked),
        ]


class LogsPane(RecordPane[LogRow]):
    """The reflog entries of a scope."""

    HELP = f"""
    The reflog entries, by ref and newest first: what moved each ref, when, who, and the message.

    An entry has the key (ref, update index). A tombstone of the same key in a newer table hides it, which is
    how git expires and deletes reflogs until a compaction drops both.

    / filters as you type: text that the name, the committer, the email or the message contains; an object id,
    or four digits of it and more, finds the entries that led there or away. ~ in front of letters finds them
    in this order, re: is a regular expression of bytes, ! in front of any of it finds the others. escape
    stops a scan, and drops the filter when none is going on.
    {_KEYS}"""

    KIND = LOGS
    LIST_ID = "logs"

    @staticmethod
    def _columns(tables: Sequence[Table], counting: Sequence[Table]) -> list[Column[LogRow]]:  # noqa: ARG004
        """Ref, update index, new id, message, time, author and table."""
        return [
            Column("ref", lambda row, _: shown(row.record.name), 18, flex=2),
            _index_column(tables),
            Column("new", _log_new, 7),
            Column("message", lambda row, _: shown(row.record.message.rstrip(b"\n")), 20, flex=5),
            Column("time", lambda row, _: Cell(log_time(row.record), "muted"), 16, priority=5),
            Column("who", lambda row, _: Cell(shown(row.record.committer), "muted"), 10, 1, priority=2),
            _table_column(tables, ()),
        ]


def _ref_value(row: RefRow, width: int) -> Cell:
    look: Look = (
        "warning" if row.record.is_deletion else "accent" if row.record.target is not None else "plain"
    )
    return Cell(value_text(row.record, width), look)


def _log_new(row: LogRow, _width: int) -> Cell | str:
    record = row.record
    what = "deleted" if record.is_deletion else "marker" if record.is_marker else ""
    return Cell(what, "warning") if what else short_id(record.new)


def _index_column(tables: Sequence[Table]) -> Column[RefRow | LogRow]:
    widest = max((len(str(table.max_update_index)) for table in tables), default=0)
    return Column(
        "index", lambda row, _: str(row.record.update_index), max(widest, 5), align="right", priority=4
    )


def _table_column(tables: Sequence[Table], asked: Sequence[Table | None]) -> Column[RefRow | LogRow]:
    """The table of a row, with a `?` if one of those `asked` that is newer may have lost a newer version."""
    width = max(len(str(len(tables))) + 2, len("table"))
    return Column("table", partial(_position, asked), width, align="right", priority=3)


def _position(asked: Sequence[Table | None], row: RefRow | LogRow, _width: int) -> Cell:
    if in_doubt(asked, row.position, row.record.name):
        return Cell(f"#{row.position}?", "warning")
    return Cell(f"#{row.position}", "muted")
