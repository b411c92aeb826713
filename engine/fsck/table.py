"""Checks of one table, frame and all: sections and their order, every block, indexes, object section.

The table's layout (`engine.layout`) says which blocks there are, and goes on behind what cannot be read; here
they are read once, in the order of the file, and each is compared with what points to it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from engine.errors import FormatError, shown
from engine.format import (
    INDEX,
    LOG,
    LOG_KEY_TAIL,
    LOG_UPDATE,
    MIN_UPDATE_INDEX,
    OBJ,
    REF,
    SECTION_NAMES,
    Block,
    Encoded,
    Footer,
    Header,
    ObjectRecord,
    RefRecord,
    decimal_zone,
    decode_index,
    decode_objects,
    decode_refs,
    get_varint,
    raw_committer,
    split_logs,
)
from engine.fsck.block import check_records, pass_block
from engine.fsck.finding import Finding, Report
from engine.fsck.frame import CheckedTable, check_fields, check_header
from engine.fsck.index import IndexCheck
from engine.fsck.names import Names
from engine.fsck.objects import ObjectCheck
from engine.fsck.passing import SoundBlock, Witness
from engine.fsck.special import name_of
from engine.fsck.values import Lacking, ValueCheck
from engine.layout import BlockSpan, Section, Span, TableLayout
from engine.merge import MergedTable

_FEW_INFLATED: Final = 2**24
_USUAL_RATIO: Final = 250
"""Log entries have an id that does not deflate: so many times their size takes long dull messages."""

_MOST_DAMAGED: Final = 1000
"""Stretches of a table that cannot be read before the rest is left alone: a huge file of zeros has no end."""

_BLOCKS_PER_TICK: Final = 64
_MOST_COMMITTERS: Final = 10_000
_ENDS: Final = frozenset(b"<>\n")
_SECTIONS_IN_ORDER: Final = (REF, OBJ, LOG)

Tick = Callable[[int], None]
"""Called now and then with the position that has been reached in the file. May raise `Cancelled`."""


def check_table(
    file: CheckedTable,
    report: Report,
    tick: Tick,
    witness: Witness | None = None,
    is_symref: Callable[[bytes], bool] | None = None,
    below: Callable[[], MergedTable] | None = None,
    lacking: Lacking | None = None,
) -> Iterator[Names]:
    """Report everything that is wrong with a table; the names of its refs, block by block.

    Names of symbolic and of deleted refs are `Special`. The table has been checked when the iterator is at
    its end; a `witness` has been told all its records then, if there are no errors. `is_symref` says of a
    name whether any table of the stack has a symbolic ref of it, `below` gives the older ones, `lacking` says
    of which ids there are no objects. Raises what `tick` raises.
    """
    try:
        layout = file.laid_out()
        check_fields(file, layout, report)
        header = layout.used_header
        if header is not None:
            high, (_, end) = header.max_update_index, file.limits or (0, header.max_update_index)
            if end < high:
                what = f"update indexes up to {high}; its records end with {end}"
                report.add("limits-beyond-records", file.name, MIN_UPDATE_INDEX.offset + 8, what)
            check_header(file.name, header, report)
            values = ValueCheck(file.table, is_symref, below, lacking) if file.table is not None else None
            yield from _Blocks(file, layout, header, report, tick, witness, values).check()
    except OSError as error:
        report.add_unreadable(file.name, error)


def check_file(
    directory: str | os.PathLike[str],
    name: str,
    witness: Witness | None = None,
    *,
    is_symref: Callable[[bytes], bool] | None = None,
    below: Callable[[], MergedTable] | None = None,
    lacking: Lacking | None = None,
) -> list[Finding]:
    """Everything that is wrong with one table; of one that the system cannot read, that.

    A `witness` is told all its records, if there are no errors; the rest is as for `check_table`.

    Raises `FormatError` for what is no file, `PermissionError`, `FileNotFoundError`.
    """
    report = Report()
    try:
        table, asked = CheckedTable(directory, name), (is_symref, below, lacking)
        for _ in check_table(table, report, lambda _: None, witness, *asked):
            pass
    except (PermissionError, FileNotFoundError):
        raise
    except OSError as error:
        report.add_unreadable(name, error)
    return report.close()


class _Blocks:
    """One pass over the blocks of a table."""

    def __init__(
        self,
        file: CheckedTable,
        layout: TableLayout,
        header: Header,
        report: Report,
        tick: Tick,
        witness: Witness | None,
        values: ValueCheck | None,
    ) -> None:
        self._witness = witness
        self._layout = layout
        self._name = file.name
        self._header = header
        self._report = report
        self._tick = tick
        self._footer = file.table.footer if file.table is not None else None
        self._indexes = {of: IndexCheck(self._name, of, report) for of in _SECTIONS_IN_ORDER}
        footer = self._footer or Footer()
        self._numbers = (header.hash_id.size, header.min_update_index)
        self._hash_size = header.hash_id.size
        self._objects = ObjectCheck(footer.object_id_len if footer.obj_offset else 0, header.block_size)
        self._values = values
        self._committers: set[bytes] = set()
        self._has_minutes = False
        self._deflated = self._inflated = 0
        self._damaged = 0
        self._passed = 0

    def _add(self, code: str, offset: int | None, message: str) -> None:
        self._report.add(code, self._name, offset, message)

    def check(self) -> Iterator[Names]:
        """Report what is wrong with them; the names in the ref blocks."""
        layout = self._layout
        if not layout.sections and self._footer is not None:
            self._add("table-empty", None, "header and footer, and nothing between them")
        self._check_section_order()
        for section in layout.sections:
            for span in section.children():
                self._passed += 1
                if self._passed % _BLOCKS_PER_TICK == 0:
                    self._tick(span.start)
                if isinstance(span, BlockSpan):
                    yield from self._take(section, span)
                else:
                    self._take_damaged(section, span)
                if self._damaged > _MOST_DAMAGED:
                    what = f"more than {_MOST_DAMAGED} damaged blocks up to here"
                    self._add("table-given-up", span.start, what)
                    return
        if self._footer is not None:
            self._check_sections(self._footer)
        if self._values is not None:
            self._values.finish(self._report)
        if self._inflated > max(_FEW_INFLATED, _USUAL_RATIO * self._deflated):
            what = f"{self._deflated:,} bytes of log blocks inflate to {self._inflated:,}"
            self._add("log-inflation", None, what)

    def _check_committers(self, offset: int, logs: Sequence[Encoded]) -> None:
        """Report those for whom a line of a reflog in the files backend has no place."""
        who, ids_len = b"\xff" * 12, 2 * self._hash_size
        for item in logs:
            if item[3] != LOG_UPDATE:
                continue
            encoded = item[5]
            begin = len(encoded) - item[4] + ids_len
            # Most are by the committer of the one before: with its lengths, it is told by its beginning.
            is_same = encoded.startswith(who, begin)
            if not is_same:
                who = raw_committer(item, self._hash_size)
            if not self._has_minutes:
                at = get_varint(encoded, begin + len(who))[1]  # behind the time
                zone = int.from_bytes(encoded[at : at + 2], "big", signed=True)
                shown_as = decimal_zone(zone)
                if shown_as != zone:
                    self._has_minutes = True
                    what = f"in the reflog of {shown(item[0][:-LOG_KEY_TAIL])}, and maybe in others"
                    self._add("log-zone", offset, f"{zone} minutes, which is {shown_as:+05d}, {what}")
            if is_same or who in self._committers:
                continue
            if len(self._committers) < _MOST_COMMITTERS:
                self._committers.add(who)
            size, begin = get_varint(who, 0)
            name, email = who[begin : begin + size], who[get_varint(who, begin + size)[1] :]
            if not _ENDS.isdisjoint(name + email):
                what = f"in the reflog of {shown(item[0][:-LOG_KEY_TAIL])}: {shown(name)}, {shown(email)}"
                self._add("log-committer", offset, what)

    def _check_section_order(self) -> None:
        before = (-1, 0)
        for section in self._layout.sections:
            if section.of is None:
                continue
            place = (_SECTIONS_IN_ORDER.index(section.of), section.level or 0)
            if place < before:
                what = f"the {section.name} come after sections that should follow them"
                self._add("section-order", section.start, what)
            before = max(before, place)

    def _take_damaged(self, section: Section, span: Span) -> None:
        self._damaged += 1
        error = span.error or FormatError(self._name, span.start, "a block that cannot be read")
        inflating = section.of == LOG and error.reason.startswith("a log block")
        self._report.add_error("block-inflate" if inflating else "block-damaged", error)
        self._note_damage(section, section.first if span.start == section.start else span.start)

    def _note_damage(self, section: Section, offset: int) -> None:
        if section.of is None:
            return
        if section.level == 0:
            blocks = self._indexes[section.of].blocks
            blocks.add(offset, None)
            blocks.is_whole = False
            if section.of != LOG:
                self._objects.is_whole = False
        else:
            self._indexes[section.of].take(offset, iter(()), None)

    def _take(self, section: Section, span: BlockSpan) -> Iterator[Names]:
        """Check a block; the names in it, if it is one of refs."""
        if span.error is not None:
            self._report.add_error("section-order", span.error)
            self._note_damage(section, span.offset)
            return
        block, highest, id_len = span.block(), self._header.max_update_index, self._objects.id_len
        found: SoundBlock | None = None
        first = last = None
        try:
            found = pass_block(block, self._header, id_len, self._objects.weights, highest, self._witness)
        except FormatError as error:
            self._report.add_error("record-damaged", error)
        else:
            if found is not None:
                first, last = found.first, found.last
            else:
                tick = partial(self._tick, span.start)
                first, last = check_records(span.records(), id_len, highest, self._report, tick)
        self._check_padding(span)
        if block.type == INDEX:
            self._take_index(section, block)
            return
        if block.type == LOG:
            self._deflated += span.end - span.start
            self._inflated += block.block_len
        blocks = self._indexes[block.type].blocks
        if first is not None and blocks.last_key is not None and first <= blocks.last_key:
            what = f"{shown(first)} does not sort after {shown(blocks.last_key)} in the block before"
            self._add("key-order", block.offset, what)
        blocks.add(block.offset, last)
        if found is None:
            self._objects.is_whole = self._objects.is_whole and block.type == LOG
        elif block.type == REF:
            self._objects.take_refs(block.offset, found)
        elif block.type == OBJ:
            self._objects.take_objects(block.offset, found)
        elif self._values is not None and not self._report.has(self._name, "block-too-long"):
            lists = block.parts(split_logs, self._hash_size) if found.logs is None else [found.logs]
            for logs in lists:
                self._values.take(logs)
                self._check_committers(block.offset, logs)
        if block.type != REF:
            return
        if found is not None and found.names is not None and not found.may_have_null:
            yield found.names
        else:
            with suppress(FormatError):
                for refs in block.parts(decode_refs, *self._numbers):
                    yield Names(list(map(name_of, refs)))

    def _take_index(self, section: Section, block: Block) -> None:
        if section.of is not None:
            try:
                last = deque(block.records(decode_index), 1)
            except FormatError:
                self._note_damage(section, block.offset)
            else:
                self._indexes[section.of].take(block.offset, block.records(decode_index), last[0].last_key)

    def _check_padding(self, span: BlockSpan) -> None:
        """The length of a block, and what fills it up."""
        size = self._header.block_size
        if span.type in (REF, OBJ) and 0 < size < span.block_len:
            what = f"a {SECTION_NAMES[span.type]} block of {span.block_len} bytes; the block size is {size}"
            self._add("block-too-long", span.start, what)
        rest = span.padding_bytes().lstrip(b"\0")
        if not rest:
            return
        offset = span.next_offset - len(rest)
        try:
            block = self._layout.block_at(offset)
        except FormatError:
            self._add("padding", offset, f"{len(rest)} bytes from the first one on that is not zero")
        else:
            what = f"a {SECTION_NAMES[block.type]} block of {block.block_len} bytes"
            self._add("block-hidden", offset, what)

    def _check_sections(self, footer: Footer) -> None:
        """What the footer says of the sections, when all blocks have been passed."""
        end = self._layout.footer.start if self._layout.footer is not None else None
        for of, offset in ((OBJ, footer.obj_offset), (LOG, footer.log_offset)):
            blocks = self._indexes[of].blocks
            begins = blocks.offsets[0] if len(blocks) else 0
            if begins != offset:
                there = f"begins at {begins}" if len(blocks) else "does not exist"
                what = f"the {SECTION_NAMES[of]} section {there}; the footer says that it begins at {offset}"
                self._add("section-offset", end, what)
        roots = {REF: footer.ref_index_offset, OBJ: footer.obj_index_offset, LOG: footer.log_index_offset}
        for of, root in roots.items():
            self._indexes[of].finish(root)
            if root and not self._indexes[of].levels:
                what = f"the footer has the {SECTION_NAMES[of]} index at {root}, where there is none"
                self._add("index-damaged", end, what)
        if not footer.obj_offset:
            return
        if footer.object_id_len > self._header.hash_id.size:
            what = f"beginnings of {footer.object_id_len} bytes of ids of {self._header.hash_id.size}"
            self._add("object-id-length", None, what)
        elif self._objects.is_whole and not self._objects.agrees():
            self._objects.explain(self._name, self._refs_at, self._objects_at, self._report)

    def _refs_at(self, offset: int) -> Iterator[RefRecord]:
        """The refs of the block at `offset`, as far as it can be read."""
        with suppress(FormatError):
            yield from self._layout.block_at(offset).records(decode_refs, *self._numbers)

    def _objects_at(self, offset: int) -> Iterator[ObjectRecord]:
        """The records of the block of the object section at `offset`, as far as it can be read."""
        with suppress(FormatError):
            yield from self._layout.block_at(offset).records(decode_objects)
