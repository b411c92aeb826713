"""The pane of refs and the pane of reflog entries: their columns and their help; the rest is their base's."""

from __future__ import annotations

from collections.abc import Sequence

from engine.table import Table
from inspector.model import LOGS, REFS
from inspector.rows import LogRow, RefRow
from inspector.tui.widgets.record_columns import log_columns, ref_columns
from inspector.tui.widgets.record_pane_base import RecordPane
from inspector.tui.widgets.virtual_list import Column

__all__ = ["LogsPane", "RecordPane", "RefsPane"]


class RefsPane(RecordPane[RefRow]):
    """The refs of a scope."""

    HELP = """
    The refs, by name: what each points to, the update index of the transaction that wrote it, and the table
    of the stack in which it was found.

    A stack has many versions of one ref, one in each table that ever changed it. The newest table that has
    one wins; a tombstone wins as well, and says that the ref was deleted. The detail lists every version.
    Of a single table all records are shown, tombstones among them; as of an update index, what the tables up
    to there say.

    A ? behind the table means doubt: a newer table is damaged or missing, and may have held a newer version.

    / filters as you type: text that the name contains, re: in front of a regular expression of bytes,
    ! in front of either for the others. escape stops a scan, and drops the filter when none is going on.
    f goes to the first name that begins with what you type, or comes after it, through the index.
    s sorts by the next column, S turns the order round; a click on a column's title does both.
    D shows tombstones, b opens the block of the record, y copies, E writes the rows to a file.
    """

    KIND = REFS
    LIST_ID = "refs"

    def _columns(self, tables: Sequence[Table], counting: Sequence[Table]) -> list[Column[RefRow]]:
        return ref_columns(tables, counting)


class LogsPane(RecordPane[LogRow]):
    """The reflog entries of a scope."""

    HELP = """
    The reflog entries, by ref and newest first: what moved each ref, when, who, and the message.

    An entry has the key (ref, update index). A tombstone of the same key in a newer table hides it, which is
    how git expires and deletes reflogs until a compaction drops both.

    / filters as you type: text that the name, the committer, the email or the message contains, re: in front
    of a regular expression of bytes, ! in front of either for the others. escape stops a scan, and drops
    the filter when none is going on.
    f goes to the first name that begins with what you type, or comes after it, through the index.
    s sorts by the next column, S turns the order round; a click on a column's title does both.
    D shows tombstones, b opens the block of the record, y copies, E writes the rows to a file.
    """

    KIND = LOGS
    LIST_ID = "logs"

    def _columns(self, tables: Sequence[Table], counting: Sequence[Table]) -> list[Column[LogRow]]:  # noqa: ARG002
        return log_columns(tables)
