"""What a transaction writes: to each stack its part, records under the names that git has for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple, TypeVar

from engine import merge
from engine.format import U64_MAX, LogRecord, RefRecord, Walk, log_order, ref_key, split_worktree
from engine.table import TableWriter
from engine.update.commands import Symref, is_null
from engine.update.resolution import Change

_AS_SPACES: Final = bytes.maketrans(b"\t\r\n", b"   ")

Record = TypeVar("Record", RefRecord, LogRecord)


class Identity(NamedTuple):
    """Who makes a reflog entry, when (seconds since 1970), and in which zone ("+0530" is 530)."""

    name: bytes
    email: bytes
    time: int
    tz: int


class TransactionResult(NamedTuple):
    """The records that a transaction wrote, tombstones too, in key order; none if nothing had to change.

    Refs have the names that git knows them by from the worktree, wherever they are stored.
    """

    refs: tuple[RefRecord, ...] = ()
    logs: tuple[LogRecord, ...] = ()


class StackUpdate(NamedTuple):
    """What a transaction writes to the stack in a directory, which is one of exactly these tables.

    `has_other_names` if the stack has a record under another name than git from the worktree. `table` is what
    a plan knows of the table that would be written.
    """

    directory: str
    names: tuple[str, ...]
    result: TransactionResult
    has_other_names: bool = False
    table: merge.TableSummary | None = None

    @property
    def changed(self) -> tuple[bytes, ...]:
        """The refs and reflogs that it changes."""
        refs = (ref.name for ref in self.result.refs)
        return tuple(dict.fromkeys(chain(refs, (log.name for log in self.result.logs))))

    @property
    def refs(self) -> Iterable[RefRecord]:
        """The refs as the stack has them."""
        return map(_as_stored, self.result.refs) if self.has_other_names else self.result.refs

    def write(self, writer: TableWriter) -> None:
        """Write the records."""
        writer.add_refs(self.refs)
        writer.add_logs(map(_as_stored, self.result.logs) if self.has_other_names else self.result.logs)


def joined(parts: Sequence[StackUpdate]) -> TransactionResult:
    """What is written to all stacks."""
    if len(parts) == 1:
        return parts[0].result
    return TransactionResult(
        tuple(sorted((ref for part in parts for ref in part.result.refs), key=ref_key)),
        tuple(sorted((log for part in parts for log in part.result.logs), key=log_order)),
    )


def _as_stored(record: Record) -> Record:
    """A record under the name that it has in its stack."""
    name = split_worktree(record.name)[1]
    return record if name == record.name else record.replace(name=name)


def reflog(walk: Walk[LogRecord, tuple[bytes, int]], name: bytes) -> list[LogRecord]:
    """All entries of a ref's reflog, and the markers that keep one without entries."""
    entries = []
    entry = walk.to((name, -U64_MAX))
    while entry is not None and entry.name == name:
        entries.append(entry)
        entry = walk.step()
    return entries


def ref_record(change: Change, update_index: int, peeled: Mapping[bytes, bytes | None]) -> RefRecord:
    """What a change makes of a ref; `peeled` says where annotated tags lead."""
    if isinstance(change.new, Symref):
        return RefRecord(change.name, update_index, target=change.new.target)
    if change.new is None or is_null(change.new):
        return RefRecord(change.name, update_index)
    return RefRecord(change.name, update_index, value=change.new, peeled=peeled.get(change.new))


def one_line(message: bytes) -> bytes:
    """A message as it goes into a reflog: each run of white space is a space."""
    words = message.translate(_AS_SPACES).split(b" ")
    return b" ".join(filter(None, words))
