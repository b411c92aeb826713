"""The pane of refs and the pane of reflog entries: their columns and their help. Their base has the rest."""

from __future__ import annotations

from inspector.model import LOGS, REFS
from inspector.rows import LogRow, RefRow
from inspector.tui.widgets.record_columns import log_columns, ref_columns
from inspector.tui.widgets.record_pane_base import RecordPane

_KEYS = """f goes to the first name that begins with what you type, or comes after it, through the index.
    s sorts by the next column, S turns the order round; a click on the title of a column does both.
    D shows tombstones, b opens the block of the record, y copies, E writes the rows to a file.
    """


class RefsPane(RecordPane[RefRow]):
    """The refs of a scope."""

    HELP = (
        """
    The refs, by name: what each points to, the update index of the transaction that wrote it, and the table
    of the stack in which it was found.

    A stack has many versions of one ref, one in each table that ever changed it. The newest table that has
    one wins; a tombstone wins as well, and says that the ref was deleted. The detail lists every version.
    Of a single table all records are shown, tombstones among them; as of an update index, what the tables up
    to there say.

    A ? behind the table means doubt: a newer table is damaged or missing, and may have held a newer version.

    / filters as you type: text that the name contains, re: in front of a regular expression of bytes,
    ! in front of either for the others. escape stops a scan, and drops the filter when none is going on.
    """
        + _KEYS
    )

    KIND = REFS
    LIST_ID = "refs"
    _columns = staticmethod(ref_columns)


class LogsPane(RecordPane[LogRow]):
    """The reflog entries of a scope."""

    HELP = (
        """
    The reflog entries, by ref and newest first: what moved each ref, when, who, and the message.

    An entry has the key (ref, update index). A tombstone of the same key in a newer table hides it, which is
    how git expires and deletes reflogs until a compaction drops both.

    / filters as you type: text that the name, the committer, the email or the message contains, re: in front
    of a regular expression of bytes, ! in front of either for the others. escape stops a scan, and drops
    the filter when none is going on.
    """
        + _KEYS
    )

    KIND = LOGS
    LIST_ID = "logs"
    _columns = staticmethod(log_columns)
