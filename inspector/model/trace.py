"""All that a stack holds about one ref: its versions, its newest reflog entries, where it leads as a symref.

`trace_ref` reads and never raises: what cannot be read is named with its error, and what can be read is there
all the same. One lookup for each table, a log seek, and a lookup in each table for each link of a chain of
symrefs; so it is for a worker, and what it returns may be drawn from any thread.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from engine.errors import ReftableError
from engine.format import RefRecord, is_per_worktree
from engine.git import find_repository
from engine.merge import MergedTable, Version
from engine.readable import ReadableTable, open_readable
from engine.stack import StackOptions
from engine.table import Table
from inspector import rows
from inspector.model.newest_log import is_entry

if TYPE_CHECKING:
    from inspector.model.view import StackView
    from inspector.rows import LogRow

MAX_LOGS: Final = 5
"""Reflog entries of a trace; `more_logs` says whether there are others."""

MAX_LOG_RECORDS: Final = 4096
"""Log records looked at for them: a ref may have any number of tombstones in front of its first entry."""

MAX_LINKS: Final = 5
"""Refs of a chain that are looked up: git gives up when the fifth is still a symref."""

Unreadable = ReftableError | OSError

ChainEnd = Literal["id", "missing", "unborn", "shared", "loop", "deep", "unreadable"]
"""How a chain of symrefs ends: at an object id; at a name that no ref has (or at a branch that HEAD is to
begin); at a ref in the stack which all worktrees share, with its record if that could be read; where it was
before; beyond what git follows; or at a ref that cannot be read."""


class UnreadTable(NamedTuple):
    """A table that may hold a version of the ref but could not be asked.

    `position` is its place in the stack; `counts` is False when it was left out of what may win.
    """

    table: Table
    position: int
    counts: bool
    error: Unreadable


class Link(NamedTuple):
    """One ref on the way from a symref to an object id; `record` is None at the end that has none."""

    name: bytes
    record: RefRecord | None


class RefTrace(NamedTuple):
    """What was found about the ref `name`.

    `versions` are newest first. The one that `wins` is the newest of the tables that were asked about;
    newer ones than it lie in tables that were left out (a view of an earlier moment). `unread` are the
    tables that could not be read, newest first. `logs` are the newest entries, `more_logs` whether there
    are others, `logs_error` what kept (further) ones from being read. `chain` begins with the ref itself
    and has more than one link when it is a symref; `chain_error` belongs to the end "unreadable".
    """

    name: bytes
    versions: tuple[Version, ...]
    unread: tuple[UnreadTable, ...]
    logs: tuple[LogRow, ...]
    more_logs: bool
    logs_error: Unreadable | None
    chain: tuple[Link, ...]
    chain_end: ChainEnd
    chain_error: Unreadable | None

    @property
    def winner(self) -> Version | None:
        """The version that counts, as far as tables could be read; it may be a tombstone."""
        return next((version for version in self.versions if version.wins), None)

    @property
    def in_doubt(self) -> bool:
        """Whether an unread table may hold a version that counts instead of the winner."""
        winner = self.winner
        return any(
            unread.counts and (winner is None or unread.position > winner.position) for unread in self.unread
        )


def trace_ref(view: StackView, name: bytes, within: MergedTable | None = None) -> RefTrace:
    """The trace of `name` in the stack of `view`.

    `within` has those tables of the stack that count: what wins, the reflog entries and the chain
    are theirs. None means all. Versions are traced through every table.
    """
    merged = view.merged if within is None else within
    positions = {table: position for position, table in enumerate(view.tables)}
    versions, unread = find_versions(view.tables, set(merged.tables), name)
    logs, more_logs, logs_error = _logs(merged, name, positions)
    chain, chain_end, chain_error = _follow(merged, name)
    if chain_end == "missing" and is_shared(view, chain[-1].name):
        chain_end = "shared"
        if merged is view.merged:  # what the other stack was at another moment is not known
            chain, chain_end, chain_error = _follow_shared(view, chain)
    if chain_end == "missing" and _begins_branch(chain):
        chain_end = "unborn"
    return RefTrace(name, versions, unread, logs, more_logs, logs_error, chain, chain_end, chain_error)


def find_versions(
    tables: tuple[Table, ...], counting: Collection[Table], name: bytes
) -> tuple[tuple[Version, ...], tuple[UnreadTable, ...]]:
    """Every version of a ref in `tables`, newest first, and those of them that could not be asked.

    `counting` are the tables among which one wins.
    """
    versions: list[Version] = []
    unread: list[UnreadTable] = []
    won = False
    for position in reversed(range(len(tables))):
        table = tables[position]
        try:
            located = table.locate_ref(name)
        except (ReftableError, OSError) as error:
            unread.append(UnreadTable(table, position, table in counting, error))
            continue
        if located is not None:
            wins = not won and table in counting
            won = won or wins
            versions.append(Version(table, position, *located, wins=wins))
    return tuple(versions), tuple(unread)


def _logs(
    merged: MergedTable, name: bytes, positions: dict[Table, int]
) -> tuple[tuple[LogRow, ...], bool, Unreadable | None]:
    found: list[LogRow] = []
    looked_at = 0
    try:
        for origins in merged.log_origins(name, deletions=True):
            for record, table in origins:
                if record.name != name:
                    return tuple(found), False, None
                looked_at += 1
                if looked_at > MAX_LOG_RECORDS or (len(found) == MAX_LOGS and is_entry(record)):
                    return tuple(found), True, None
                if is_entry(record):
                    found.append(rows.log_row(record, positions.get(table, 0)))
    except (ReftableError, OSError) as error:
        return tuple(found), False, error
    return tuple(found), False, None


def _follow(merged: MergedTable, name: bytes) -> tuple[tuple[Link, ...], ChainEnd, Unreadable | None]:
    chain: list[Link] = []
    while True:
        if any(link.name == name for link in chain):
            return (*chain, Link(name, None)), "loop", None
        if len(chain) == MAX_LINKS:
            return (*chain, Link(name, None)), "deep", None
        try:
            record = merged.read_ref(name)
        except (ReftableError, OSError) as error:
            return (*chain, Link(name, None)), "unreadable", error
        chain.append(Link(name, record))
        if record is None:
            loss = _loss(merged, name)
            return tuple(chain), "missing" if loss is None else "unreadable", loss
        if record.target is None:
            return tuple(chain), "id", None
        name = record.target


def is_shared(view: StackView, name: bytes) -> bool:
    """Whether the ref `name` belongs into the stack that all worktrees share, which is not that of `view`."""
    # The stack of a linked worktree has its HEAD and little more.
    return (view.directory.parent / "commondir").exists() and not is_per_worktree(name)


def _begins_branch(chain: tuple[Link, ...]) -> bool:
    return len(chain) == 2 and chain[0].name == b"HEAD" and chain[1].name.startswith(b"refs/heads/")


def _follow_shared(
    view: StackView, chain: tuple[Link, ...]
) -> tuple[tuple[Link, ...], ChainEnd, Unreadable | None]:
    """The chain on through the stack that all worktrees share, as far as that can be read now."""
    try:
        shared = find_repository(view.directory, git=None).stacks[0].directory
        if shared.samefile(view.directory):  # what `commondir` names is no repository
            return chain, "shared", None
        with open_readable(shared, StackOptions(hash_id=view.hash_id)) as stack:
            rest, end, error = _follow(stack.merged, chain[-1].name)
            if end == "missing" and stack.faults:
                end, error = "unreadable", stack.faults[0]
    except (ReftableError, OSError):
        return chain, "shared", None
    return (*chain[:-1], *rest), "shared" if end == "id" else end, error


def _loss(merged: MergedTable, name: bytes) -> Unreadable | None:
    """Why a ref that was not found may be there all the same."""
    for table in reversed(merged.tables):
        if isinstance(table, ReadableTable) and table.may_have_lost(name):
            return table.loss()
    return None
