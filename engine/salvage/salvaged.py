"""Salvaging a damaged file, once, into a sound table that all read that need its records.

Entries of damaged deflate streams may be wrong, and lie in a table of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Final

from engine.errors import EntryTooBigError
from engine.format import (
    LOG,
    LOG_KEY_TAIL,
    MAGIC,
    MAX_BLOCK_SIZE,
    REF,
    U64_MAX,
    AnyLog,
    AnyRef,
    Encoded,
    HashId,
    Header,
    LogRecord,
    Read,
    checksum_fault,
    footer_size,
    is_refname,
    limits_in_name,
    log_key,
    log_order,
)
from engine.layout import SpanKind, TableLayout
from engine.merge import merge_blocks
from engine.salvage.block_records import Readable, Unreadable
from engine.salvage.builder import Builder, Contents, Places
from engine.salvage.gaps import MOST_GAPS, Losses, LossTally
from engine.salvage.items import holds_altered, is_altered, item_key
from engine.salvage.scan import salvage
from engine.table import Table

_USUAL_BLOCK_SIZE: Final = 2**16
_MOST_APPENDED: Final = 2**20
"""Bytes at the end of a file in which its footer is looked for."""

_update_index: Callable[[LogRecord], int] = attrgetter("update_index")


@dataclass(slots=True, frozen=True, eq=False)
class Salvaged:
    """The readable records of a damaged file, and what may be lost of it. Safe to read from several threads.

    `table` is sound and holds all of them but those log entries that come from damaged deflate streams: these
    are in `uncertain`. Both are closed when nothing reads them any more. `contents` is what `table` has,
    `header` what the file was read by. `scan` reads it once more, by a function to read it, as its records
    are stored: what was salvaged keeps no file open.
    """

    header: Header
    losses: Losses
    table: Table
    contents: Contents
    uncertain: Table
    scan: Callable[[Read], Iterator[Readable | Unreadable]]
    _refs_at: Places
    _logs_at: Places

    def locate_ref(self, name: bytes) -> tuple[int, AnyRef] | None:
        """The ref of this name, and the offset of the block of the damaged file that it was read in."""
        found = self.table.read_ref(name)
        return (self._refs_at.of(name), found) if found is not None else None

    def locate_log(self, name: bytes, update_index: int) -> tuple[int, AnyLog] | None:
        """The newest log entry of a ref at or below an update index, and the offset of its block."""
        both = (table.read_log(name, update_index) for table in (self.uncertain, self.table))
        found = [log for log in both if log is not None]
        # Of one update index, the certain entry, which comes last.
        newest = max(reversed(found), key=_update_index, default=None)
        if newest is None:
            return None
        return self._logs_at.of(log_key(newest.name, newest.update_index)), newest

    def log_blocks(self, start: bytes = b"", update_index: int = U64_MAX) -> Iterator[list[LogRecord]]:
        """All log entries from a key on, the uncertain ones among them."""
        tables = (self.uncertain, self.table)
        return merge_blocks([table.log_blocks(start, update_index) for table in tables], log_order)


def altered_alike(salvaged: Salvaged, read: Read, names: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The names of refs that share an altered byte with one of these, each with what it was before.

    `names` are altered ones, each with what it was: they differ in one byte. A name is stored without what it
    shares with the one before it, so the file is read once more, by `read`. Raises `OSError`.
    """
    found: dict[bytes, bytes] = {}
    for one in salvaged.scan(read) if names else ():
        if isinstance(one, Unreadable) or one.type != REF:
            continue
        for number, (altered, *_) in enumerate(one.items):
            if (name := names.get(altered)) is None:
                continue
            at = next(at for at, byte in enumerate(name) if byte != altered[at])
            first, end = number, number + 1
            while first and one.items[first][2] > at:
                first -= 1
            while end < len(one.items) and one.items[end][2] > at:
                end += 1
            alike = [item[0] for item in one.items[first:end]]
            found.update((key, key[:at] + name[at : at + 1] + key[at + 1 :]) for key in alike)
    return {altered: name for altered, name in found.items() if altered not in names}


def without_refs(salvaged: Salvaged, names: Collection[bytes]) -> Salvaged:
    """What was salvaged but the refs of these names, which are among its losses still. Raises `OSError`."""
    table = salvaged.table
    low = table.min_update_index
    with Builder(table.name, table.hash_id, table.block_size, low) as made:
        for offset, items in table.encoded_ref_blocks(low):
            if kept := [item for item in items if item[0] not in names]:
                made.add_refs(kept, offset)
        for offset, items in table.encoded_log_blocks():
            made.add_logs(items, offset)
        table, contents = made.finish()
    return replace(salvaged, table=table, contents=contents)


def with_logs(salvaged: Salvaged, logs: Iterator[list[Encoded]]) -> Salvaged:
    """What was salvaged with more log entries, in the order of their keys; of one key, its own remains.

    Raises `OSError`, and what `logs` raise.
    """
    table = salvaged.table
    low = table.min_update_index
    with Builder(table.name, table.hash_id, table.block_size, low) as made:
        for offset, refs in table.encoded_ref_blocks(low):
            made.add_refs(refs, offset)
        own = (items for _, items in table.encoded_log_blocks())
        for items in merge_blocks([logs, own], item_key):
            made.add_logs(items, 0)
        table, contents = made.finish()
    return replace(salvaged, table=table, contents=contents)


def salvage_table(name: str, size: int, read: Read, header: Header) -> Salvaged:
    """Salvage a file of `size` bytes that `read` reads, by `header`. Raises `OSError`."""
    layout = TableLayout(name, size, read)
    if layout.footer is None or layout.footer.errors():
        layout = TableLayout(name, _whole_size(size, read, header), read)
    salvaged = _salvage(layout, header, blind=False)
    frame = (layout.header, layout.footer)
    if salvaged.losses.stretches and any(part is None or part.errors() for part in frame):
        return max(
            salvaged, _salvage(layout, header, blind=True), key=lambda one: one.losses.refs + one.losses.logs
        )
    return salvaged


def _whole_size(size: int, read: Read, header: Header) -> int:
    """The size of a table behind whose footer something was appended; `size` itself if there is none such."""
    start, length = max(0, size - _MOST_APPENDED), footer_size(header.version)
    data, copied = read(start, size - start), read(0, header.size)
    at = data.rfind(copied) if len(copied) == header.size and copied.startswith(MAGIC) else -1
    while at >= 0:
        footer = data[at : at + length]
        if len(footer) == length and checksum_fault(footer) is None:
            return start + at + length
        at = data.rfind(copied, 0, at)
    return size


def assumed_header(layout: TableLayout, name: str, hash_id: HashId) -> tuple[Header, bool]:
    """The header to read a damaged file by, and whether its update indexes are known.

    Where header and footer are lost or contradict each other, the file's name tells the update indexes. Where
    the footer alone is lost, and both limits in the header are others, another table lies under this name.
    """
    named = limits_in_name(name)
    stated = named if named is not None and named[0] <= named[1] else None
    found = layout.used_header
    if found is None:
        low, high = stated or (0, U64_MAX)
        return Header(hash_id.version, 0, low, high, hash_id), named is not None
    low, high = found.min_update_index, found.max_update_index
    is_other = named is not None and named[0] != low > 0 and high != named[1]
    if low <= high and (named is None or _is_confirmed(layout) or (is_other and layout.footer is None)):
        return found, True
    low, high = stated or sorted((low, high))
    return found._replace(min_update_index=low, max_update_index=high), True


def _is_confirmed(layout: TableLayout) -> bool:
    """Whether the header stands in the file twice, or under a checksum that holds."""
    if layout.header is None or layout.footer is None:
        return False
    if not any(field.error for field in layout.footer.fields if field.kind is SpanKind.CHECKSUM):
        return True
    copied = [field for field in layout.footer.fields[: len(layout.header.fields)] if field.error]
    return not layout.header.errors() and not copied


def _salvage(layout: TableLayout, header: Header, *, blind: bool) -> Salvaged:
    try:
        return _salvage_into(layout, header, _USUAL_BLOCK_SIZE, blind=blind)
    except EntryTooBigError:
        return _salvage_into(layout, header, MAX_BLOCK_SIZE, blind=blind)


def _salvage_into(layout: TableLayout, header: Header, block_size: int, *, blind: bool) -> Salvaged:
    tally = LossTally()
    found = 0
    like = (layout.name, header.hash_id, block_size, header.min_update_index)
    with Builder(*like) as certain, Builder(*like) as doubtful:
        for one in salvage(layout, header, blind=blind):
            tally.take(one)
            if isinstance(one, Unreadable):
                continue
            found += len(one.items)
            items = _possible(one)
            if items and one.type == REF:
                certain.add_refs(items, one.offset)
            elif items:
                (certain if one.is_certain else doubtful).add_logs(items, one.offset)
        table, contents = certain.finish()
        uncertain_table, in_doubt = doubtful.finish()
    certain.logs_at.add_all(doubtful.logs_at)
    refs, logs, uncertain = contents.refs, contents.logs, in_doubt.logs
    left_out = found - refs - logs - uncertain
    is_cut = layout.footer is None
    losses = tally.losses(refs, logs + uncertain, uncertain, left_out, is_cut=is_cut)
    if losses.doubtful is not None and (unlike := _unlike(table, uncertain_table)):
        doubtful_refs = losses.doubtful | unlike
        losses = replace(losses, doubtful=doubtful_refs if len(doubtful_refs) <= MOST_GAPS else None)
    scan = partial(_scan, layout.name, layout.end, header, blind)
    if blind:
        header = header._replace(block_size=0)  # which misled
    places = certain.refs_at, certain.logs_at
    return Salvaged(header, losses, table, contents, uncertain_table, scan, *places)


def _unlike(table: Table, uncertain: Table) -> set[bytes]:
    """The refs of which an `uncertain` log entry says that the same update gave them another value."""
    unlike: set[bytes] = set()
    last = b""
    for logs in uncertain.log_blocks():
        for log in logs:
            ref = table.read_ref(log.name) if log.name != last else None
            last = log.name
            if ref is not None and ref.value is not None and log.update_index == ref.update_index:
                unlike |= {log.name} if any(log.new or b"") and log.new != ref.value else set()
    return unlike


def _scan(name: str, size: int, header: Header, blind: bool, read: Read) -> Iterator[Readable | Unreadable]:
    return salvage(TableLayout(name, size, read), header, blind=blind)


def _possible(found: Readable) -> list[Encoded]:
    """The records but for those that no table can hold, and out of damaged bytes those that cannot be."""
    items, tail = found.items, LOG_KEY_TAIL if found.type == LOG else 0
    # A sound log key has a NUL in front of its update index.
    names = [item[0][:-tail] for item in items] if tail else [*map(item_key, items)]
    if holds_altered(names):
        items = [item for item, name in zip(items, names, strict=True) if not is_altered(name)]
    if not found.is_certain:
        items = [item for item in items if is_refname(item[0][:-LOG_KEY_TAIL])]
    return items
