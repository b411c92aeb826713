"""The newest reflog entry of a table: when it was written, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from engine.format import LogRecord
from engine.readable import damage_met
from engine.table import Table

LOG_BYTES: Final = 2**20
"""Size of a table's log section up to which all of its entries are read to find the newest."""


class NewestEntry(NamedTuple):
    """The newest reflog entry found in a table; `exact` unless others may be newer."""

    record: LogRecord
    exact: bool


def newest_entry(table: Table, stopped: Callable[[], bool] = lambda: False) -> NewestEntry | None:
    """The reflog entry of the highest update index in a table; None if it has none.

    Reads up to LOG_BYTES of compressed entries; of a larger section only the newest entry of HEAD's log.
    Raises `FormatError`, `OSError`, also when no entry is left and damage may have cost some.
    """
    if not table.has_logs:
        return None
    if (table.footer.log_index_offset or table.size) - table.footer.log_offset > LOG_BYTES:
        head = table.read_log(b"HEAD")
        return None if head is None or not is_entry(head) else NewestEntry(head, exact=False)
    newest: LogRecord | None = None
    for records in table.log_blocks():
        for record in records:
            if is_entry(record) and (newest is None or record.update_index > newest.update_index):
                newest = record
        if stopped():
            break
    damage = damage_met([table]).get(table.name)
    if newest is None and damage is not None:
        raise damage
    return None if newest is None else NewestEntry(newest, exact=damage is None)


def is_entry(record: LogRecord) -> bool:
    """Whether it is an entry of a reflog: not one that was deleted, nor the marker of an empty log."""
    return not (record.is_deletion or record.is_marker)
