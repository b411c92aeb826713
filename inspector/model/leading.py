"""Where a row leads: the one home of what each kind of row leads to, the first destination first.

`enter` takes that one, and `l` lists them all. Nothing here reads anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, TypeGuard

from engine import repair, snapshot
from engine.format import INDEX, LOG, OBJ, REF, TABLES_LIST, is_table_file
from engine.fsck import Finding
from engine.layout import Record, SpanKind
from engine.merge import RefChange, Version
from engine.stack import LOCK_SUFFIX, UnlistedFile
from engine.table import Table
from inspector.model.event import Event
from inspector.model.journal import Entry
from inspector.model.moments import StackMoment
from inspector.model.objects import object_of
from inspector.model.places import (
    CommitPlace,
    CompactionPlace,
    FilePlace,
    LogPlace,
    MomentPlace,
    OffsetPlace,
    Place,
    PlanPlace,
    PrefixPlace,
    RecordPlace,
    RefPlace,
    SectionPlace,
    SnapshotPlace,
)
from inspector.model.trace import Link, RefTrace, UnreadTable
from inspector.model.view import StackView
from inspector.rows import LogRow, Node, PrefixRow, RefRow

if TYPE_CHECKING:
    from engine.repair import RefOutcome, Step
    from engine.snapshot import Snapshot

_MOST_VERSIONS: Final = 100
_MOST_OFFSETS: Final = 100
_MOST_TABLES: Final = 100


class StackRow(NamedTuple):
    """A table and its position in the stack, from 0 for the oldest."""

    position: int
    table: Table


_OfStack = (
    StackRow
    | UnlistedFile
    | RefRow
    | PrefixRow
    | LogRow
    | Version
    | UnreadTable
    | Link
    | Node
    | Finding
    | RefChange
    | StackMoment
    | Entry
    | Event
)
PlacedRow: TypeAlias = "_OfStack | RefOutcome | Step | Snapshot"
"""The rows that lead somewhere: those of every list, tree and plan."""


def is_placed(row: object) -> TypeGuard[PlacedRow]:
    """Whether a row leads somewhere. Those of plans and snapshots are imported with these."""
    if row is None or isinstance(row, _OfStack):
        return row is not None
    return isinstance(row, (repair.RefOutcome, repair.Step, snapshot.Snapshot))


def places_of(
    row: PlacedRow, view: StackView | None = None, trace: RefTrace | None = None
) -> tuple[Place, ...]:
    """What a row leads to, the first destination first.

    `view` is the stack in which the positions of rows count, for rows that have one; `trace` is what is known
    of the ref of a row.
    """
    return tuple(dict.fromkeys(_places(row, view, trace)))


def _places(row: PlacedRow, view: StackView | None, trace: RefTrace | None) -> Iterator[Place]:
    match row:
        case StackRow():
            yield from _of_table(row.table)
        case UnlistedFile():
            yield from _of_unlisted(row, view)
        case RefRow():
            yield from _of_ref(row, view, trace)
        case PrefixRow():
            yield from (PrefixPlace(row.prefix), PrefixPlace(row.prefix, "logs"))
        case LogRow(record, position):
            yield RefPlace(record.name)
            if name := _table_at(position, view):
                yield from (RecordPlace(name, record.name, record.update_index), FilePlace(name))
            yield from (CommitPlace(oid) for oid in (record.new, record.old) if oid is not None and any(oid))
        case Version():
            yield RecordPlace(row.table.name, row.record.name)
            yield FilePlace(row.table.name)
        case UnreadTable():
            yield FilePlace(row.table.name, "blocks")
            yield PlanPlace("repair")
        case Link():
            yield from (RefPlace(row.name), LogPlace(row.name))
        case Node():
            yield from _of_node(row)
        case Finding():
            yield from _of_finding(row, view)
        case StackMoment():
            yield MomentPlace(row.update_index)
            yield from _of_table(row.table)
        case Event():
            yield from _of_event(row)
        case Entry():
            if row.snapshot:
                yield PlanPlace("undo", snapshot=row.snapshot)
        case RefChange() | repair.RefOutcome():
            if row.before is not None or row.after is not None:
                yield RefPlace(row.name)
            yield LogPlace(row.name)
            target = row.after.target if row.after is not None else None
            if target is not None:
                yield RefPlace(target)
        case repair.Step():
            yield from _of_step(row)
        case snapshot.Snapshot():
            yield PlanPlace("undo", snapshot=row.id)
            yield SnapshotPlace(row.directory, row.tables, int(row.time))
            kept = [name for name in row.tables if name not in row.missing]
            yield from (FilePlace(name, "refs", row.directory) for name in kept[:_MOST_TABLES])


def _of_event(event: Event) -> Iterator[Place]:
    if (past := event.replay) is not None:
        yield past
    if event.entry is not None:
        record = event.entry.record
        yield LogPlace(record.name, record.update_index)
    added, merges, *_ = event.difference
    new = [*added, *(merge.made for merge in merges)]
    yield from (FilePlace(table.name) for table in new[:_MOST_VERSIONS])


def _of_table(table: Table) -> Iterator[Place]:
    name, footer = table.name, table.footer
    yield FilePlace(name)
    if table.has_logs:
        yield FilePlace(name, "logs")
    yield FilePlace(name, "blocks")
    sections = {
        "ref index": footer.ref_index_offset,
        "object section": footer.obj_offset,
        "object index": footer.obj_index_offset,
        "log section": footer.log_offset,
        "log index": footer.log_index_offset,
    }
    yield from (SectionPlace(name, section, offset) for section, offset in sections.items() if offset)


def _of_unlisted(file: UnlistedFile, view: StackView | None) -> Iterator[Place]:
    if file.kind.is_lock:
        yield PlanPlace("unlock", (file.name,))
        locked = file.name.removesuffix(LOCK_SUFFIX)
        if view is not None and locked in view.positions:
            yield FilePlace(locked)
        return
    if file.kind.is_table:
        yield from (FilePlace(file.name), FilePlace(file.name, "logs"))
    yield FilePlace(file.name, "blocks")
    yield PlanPlace("clean" if file.is_removable else "repair")


def _of_ref(row: RefRow, view: StackView | None, trace: RefTrace | None) -> Iterator[Place]:
    record = row.record
    yield LogPlace(record.name)
    if record.target is not None:
        yield RefPlace(record.target)
    if file := _table_at(row.position, view):
        yield RecordPlace(file, record.name)
    if trace is not None and trace.name == record.name:
        for version in trace.versions[:_MOST_VERSIONS]:
            yield RecordPlace(version.table.name, record.name)
        for link in trace.chain[1:]:
            yield RefPlace(link.name)
        for unread in trace.unread[:_MOST_VERSIONS]:
            yield FilePlace(unread.table.name, "blocks")
    if file:
        yield FilePlace(file)
    if (oid := object_of(row, trace)) is not None:
        yield CommitPlace(oid)


def _table_at(position: int, view: StackView | None) -> str:
    return view.tables[position].name if view is not None and position < len(view.tables) else ""


def _of_node(node: Node) -> Iterator[Place]:
    """Where a part of a table leads: a position to its block, a record to what it is about.

    A part that leads nowhere by itself leads where the record does that it is a part of.
    """
    above = node.ancestors()
    file = above[0].span.name if above else node.span.name
    for part in (node, *reversed(above)):
        span = part.span
        if isinstance(span, Record) and span.error is None and part.run is None:
            yield from _of_record(span, file)
            return
        leads = span.kind is SpanKind.POSITION and span.error is None and part is node
        if leads and (offset := node.led_to) is not None:
            yield OffsetPlace(file, offset)


def _of_record(record: Record, file: str) -> Iterator[Place]:
    if record.type == REF:
        yield from (RefPlace(record.key), LogPlace(record.key))
    elif record.type == LOG and isinstance(record.value, bytes) and isinstance(record.meaning, int):
        yield from (LogPlace(record.value, record.meaning), RefPlace(record.value))
    elif record.type in (INDEX, OBJ):
        fields = (field for field in record.children() if field.kind is SpanKind.POSITION)
        for field in islice(fields, _MOST_OFFSETS):
            if (offset := field.absolute) is not None:
                yield OffsetPlace(file, offset)


def _of_finding(finding: Finding, view: StackView | None) -> Iterator[Place]:
    name, offset = finding.file, finding.offset
    if finding.code == "compaction-due":
        yield CompactionPlace()
        if view is not None:
            due = view.tables[view.suggested.start : view.suggested.stop]
            yield PlanPlace("compact", tuple(table.name for table in due))
            yield from (FilePlace(table.name) for table in due)
        return
    is_table = is_table_file(name) or (view is not None and name in view.positions)
    is_lock = name.endswith(LOCK_SUFFIX)
    if (is_table or name == TABLES_LIST) and not finding.fault.is_absence:
        yield FilePlace(name, "blocks") if offset is None else OffsetPlace(name, offset)
    if is_lock and finding.fixes:
        yield PlanPlace("unlock", (name,))
    elif finding.fault.is_for_repair:
        yield PlanPlace("repair")
    elif finding.fault.is_of_head:
        yield PlanPlace("head")
    if is_table and not finding.fault.is_absence:
        yield from (FilePlace(name), FilePlace(name, "logs"))
    if (cause := finding.cause) is not None:
        yield from _of_finding(cause, view)


def _of_step(step: Step) -> Iterator[Place]:
    if step.kind.is_around:
        return
    if is_table_file(step.file):
        yield from (FilePlace(step.file, "blocks"), FilePlace(step.file), FilePlace(step.file, "logs"))
    elif step.kind is not repair.StepKind.REMOVE_LOCK and step.file:
        yield FilePlace(step.file, "blocks")
