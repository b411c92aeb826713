"""A copy of a stack for others to look at: with its layout and its damage, without its names.

Each file keeps its size and the time of its last change. In tables, what is a name, an object id, a person or
a message is replaced (see `words.py`); lengths, offsets, update indexes, times, zones and restart points stay
as they are, so that footers and their checksums, right or wrong, stay too. What cannot be read as records is
blanked, but for the numbers at which reading fails and for the records that salvaging finds in it: a byte
that is not zero becomes a dot. At last, what looks like a word or an id of the stack is blanked wherever else
it stands.

The deflated bytes of a log block are made anew and brought to the length they had by empty deflate blocks,
which no reader notices. Where they are longer, words become plain, then ids. A block that has hardly anything
but names may still be a few bytes longer; then what follows moves, indexes and footer say so, and the next
blocks are made shorter. A table that has another length in the end is told.

Names of files stay as far as they are those of tables, locks and temporary files.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

from engine.errors import FormatError, counted
from engine.export.deflating import deflated_to
from engine.export.target import new_directory
from engine.export.words import PLAINEST, SHORTEST_ID, SHORTEST_WORD, Collected, Replacements
from engine.format import (
    BLOCK_HEADER_SIZE,
    BLOCK_TYPES,
    CRC,
    INDEX,
    LOG,
    LOG_KEY_TAIL,
    MAX_OBJECT_ID_LEN,
    OBJ,
    REF,
    RESTART_COUNT_SIZE,
    RESTART_SIZE,
    TABLES_LIST,
    Block,
    HashId,
    Header,
    checksum_fault,
    footer_size,
    get_u24,
    is_table_file,
    put_varint,
)
from engine.layout import BlockSpan, Fields, Record, Records, Section, Span, SpanKind, TableLayout
from engine.progress import Progress, ProgressCallback
from engine.salvage import assumed_header, blocks_within, cut_block
from engine.stack import LIST_LOCK
from engine.table import RegularFile

_DOTS: Final = bytes((0, *b"." * 255))
_INVERSE: Final = bytes(range(255, -1, -1))
_OUTSIDE: Final = b"\xff" * RESTART_SIZE
_KNOWN_PART: Final = re.compile(
    rb"(?:0x)?[0-9a-f]{12,16}(?=[-.])|(?<=-)[0-9a-f]{1,8}(?=[.])"
    rb"|(?<=\.)(?:ref|log|lock|list|temp)(?=[.]|$)|^tables(?=\.list)|(?<=\.temp\.)[0-9A-Za-z]{6}$"
)
"""What stays of the name of a file: see `format_table_name`, locks and temporary files."""

_BETWEEN_NAMES: Final = re.compile(rb"([\0\r\n/])")
_KEPT_IN_A_ROW: Final = re.compile(rb"\0{%d,}" % SHORTEST_WORD)
_LONGEST_KEPT: Final = 4
"""Bytes of a number that stays although its record cannot be read."""

_TYPES: Final = {bytes((block_type,)) for block_type in BLOCK_TYPES}
_WIDE: Final = 8
"""Bytes of a field of header and footer that is wide enough for a word."""

_ATTEMPTS: Final = 1000


@dataclass(slots=True)
class Anonymous:
    """What was written: files and bytes, and what could not be made like the original, by file.

    `refused` is why the first of the files is left out that may not be read, if there is one.
    """

    files: int = 0
    size: int = 0
    different: list[tuple[str, str]] = field(default_factory=list)
    refused: PermissionError | None = None


def write_anonymous(directory: Path, target: Path, progress: ProgressCallback | None = None) -> Anonymous:
    """Write an anonymous copy of the stack in `directory` to `target`, which is new or empty.

    Every file is read twice; all components of names and ids of refs are kept in memory. Raises `ApiError`
    for a directory that cannot be taken, and `OSError`, also when no file may be read; then nothing is left.
    """
    with new_directory(target, directory) as made:
        collected = Collected()
        names = sorted(os.listdir(directory))
        first = _Copier(directory, names, collected, progress)
        for name in names:
            for _ in first.file(name):
                pass
        second = _Copier(directory, names, Replacements(collected), progress, collected.marks, first.done)
        for name in names:
            second.write(name, made)
        if not second.made.files and second.made.refused is not None:
            raise second.made.refused
        return second.made


class _Copier:
    """Goes through the files of a stack: to collect what is in them, or to write them with other words."""

    def __init__(
        self,
        directory: Path,
        names: list[str],
        words: Collected | Replacements,
        progress: ProgressCallback | None,
        marks: AbstractSet[bytes] = frozenset(),
        done: int = 0,
    ) -> None:
        self._directory = directory
        self._words = words
        self._progress = progress
        self._marks = marks
        self.done = done
        self.made = Anonymous()
        self._file = ""
        self._moves: list[tuple[int, int]] = []  # from where on all lies by how much behind its place
        self._names: dict[bytes, bytes] = {}
        for name in names:
            self._names[os.fsencode(name)] = self._new_name(os.fsencode(name))

    def write(self, name: str, target: Path) -> None:
        """Write the file of this name."""
        self._file = name
        path = os.path.join(target, os.fsdecode(self._names[os.fsencode(name)]))
        try:
            status = os.stat(self._directory / name)
            with open(path, "xb") as file:
                file.writelines(self.file(name))
                self.made.size += file.tell()
        except (FormatError, FileNotFoundError, PermissionError) as error:
            self._differs(f"left out: {error.reason if isinstance(error, FormatError) else error.strerror}")
            if isinstance(error, PermissionError):
                self.made.refused = self.made.refused or error
            with suppress(FileNotFoundError):
                os.unlink(path)
            return
        if os.path.islink(self._directory / name):
            self._differs("a symbolic link, copied as a file")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.made.files += 1

    def file(self, name: str) -> Iterator[bytes]:
        """The bytes of a file, as they are to be. Raises `FormatError` for what is no regular file."""
        self._file = name
        try:
            file = RegularFile.open(self._directory / name, name)
        except (FormatError, FileNotFoundError, PermissionError):
            if isinstance(self._words, Collected):
                return
            raise
        if name in (TABLES_LIST, LIST_LOCK):
            parts = _BETWEEN_NAMES.split(file.read(0, file.size))
            yield b"".join(self._names.get(part) or self._new_name(part) for part in parts)
            return
        layout = TableLayout(name, file.size, file.read)
        if layout.header is not None or is_table_file(name):
            yield from self._table(layout)
        else:
            yield file.read(0, file.size).translate(_DOTS)
        self.done += file.size

    def _differs(self, why: str) -> None:
        self.made.different.append((self._file, why))

    def _new_name(self, name: bytes) -> bytes:
        """What stands for a file's name, or a part of a line of the list: no other file has it."""
        parts: list[bytes] = []
        at = 0
        for known in _KNOWN_PART.finditer(name):
            parts += (self._words.text(name[at : known.start()]), known[0])
            at = known.end()
        made = b"".join((*parts, self._words.text(name[at:])))
        for _ in range(_ATTEMPTS):
            if made == name or made not in self._names.values():
                break
            made = self._words.text(made)
        return made

    def _table(self, layout: TableLayout) -> Iterator[bytes]:
        header, _ = assumed_header(layout, layout.name, HashId.SHA1)
        self._moves = []
        damaged: list[int] = []  # where stretches begin that follow each other
        at = 0
        for span in chain(_flat(layout), [None]):
            start, end = (
                (layout.end, layout.end) if span is None else (max(at, span.start), max(at, span.end))
            )
            if at < start and not damaged:
                damaged.append(at)
            is_known = span is None or isinstance(span, Fields | BlockSpan)
            if is_known and damaged:
                yield self._damaged(layout, header, damaged, start)
                damaged = []
            if span is not None and not is_known:
                damaged.append(start)
            elif isinstance(span, Fields):
                yield self._fields(span, layout.read(start, end - start))
            elif isinstance(span, BlockSpan):
                yield self._block(span.records(), span.section, start, layout.read(start, end - start))
            at = end
            if self._progress is not None:
                self._progress(Progress("replace", self.done + at, None))
        longer = self._moved(layout.end) - layout.end
        if longer:
            size, than = counted(abs(longer), "byte"), "longer" if longer > 0 else "shorter"
            self._differs(f"{size} {than}, since its log blocks deflate otherwise")

    def _fields(self, span: Fields, data: bytes) -> bytes:
        """Header or footer: numbers that make no sense become others that make none."""
        made = bytearray(data)
        for one in span.fields:
            if one.error is not None and one.end - one.start == _WIDE:
                start, end = one.start - span.start, one.end - span.start
                blank = b"\xff" * _WIDE if any(byte != 0xFF for byte in data[start:end]) else bytes(_WIDE)
                # In its last bits, one of them has another number.
                made[start:end] = blank[:-1] + bytes((blank[-1] & 0xE0 | data[end - 1] & MAX_OBJECT_ID_LEN,))
            elif one.kind is SpanKind.POSITION and one.name != "obj offset" and isinstance(one.value, int):
                start = one.start - span.start
                made[start : start + _WIDE] = self._moved(one.value).to_bytes(_WIDE, "big")
        guarded = self._guarded(data, made)
        if guarded != data and checksum_fault(data) is None:
            return guarded[: -CRC.size] + zlib.crc32(guarded[: -CRC.size]).to_bytes(CRC.size, "big")
        return guarded

    def _block(
        self, records: Records, of: int | None, start: int, data: bytes, *, may_grow: bool = True
    ) -> bytes:
        """A block whose frame is sound, in the section `of`; `data` are its bytes, from `start` on.

        A log block that `may_grow` is made longer, if it has to be, and the next ones shorter for that, if
        they can be. Of another one, nothing stays.
        """
        block = records.block
        if isinstance(self._words, Collected) and _collect(block, records.hash_size, self._words):
            return data
        if block.type != LOG:
            made, seen = bytearray(data), bytearray(data)
            end = block.offset + block.block_len - start
            made[end:] = data[end:].translate(_DOTS)
            self._replace(records, of, made, seen, start - block.offset)
            return self._guarded(seen, made)
        size = len(data) - BLOCK_HEADER_SIZE
        longer = self._moved(start) - start
        bodies: list[bytes] = []
        for wanted in (size - longer, size) if longer and may_grow else (size,):
            for plain in range(PLAINEST + 1):
                if len(bodies) == plain:
                    made, seen = bytearray(block.data), bytearray(block.data)
                    self._replace(records, of, made, seen, 0, plain=plain)
                    bodies.append(self._guarded(seen, made)[block.records_start :])
                if isinstance(self._words, Collected):
                    return data
                deflated = deflated_to(bodies[plain], wanted)
                if deflated is not None:
                    if wanted != size:
                        self._moves.append((start + len(data), 0))
                    return data[:BLOCK_HEADER_SIZE] + deflated
        if not may_grow:
            return data[:BLOCK_HEADER_SIZE] + data[BLOCK_HEADER_SIZE:].translate(_DOTS)
        shortest = min((zlib.compress(body, 9) for body in bodies), key=len)
        self._moves.append((start + len(data), longer + len(shortest) - size))
        return data[:BLOCK_HEADER_SIZE] + shortest

    def _moved(self, offset: int) -> int:
        """Where a place of the table at hand is in the copy."""
        return offset + next((longer for start, longer in reversed(self._moves) if start <= offset), 0)

    def _replace(
        self,
        records: Records,
        of: int | None,
        made: bytearray,
        seen: bytearray,
        lead: int,
        *,
        plain: int = 0,
        is_cut: bool = False,
    ) -> None:
        """Replace what is in the records of a block, of which `made` has no more than the first `lead` bytes.

        In `seen`, which is like it, what was replaced differs from it in every byte. Where `is_cut`, the
        block ends with the first record that cannot be read.
        """
        block, words = records.block, self._words
        shift = records.base + lead
        for record in records.children():
            if not isinstance(record, Record):
                if is_cut:
                    return
                self._blank(records, record, made, shift)
                continue
            for leaf in record.children():
                value, start, end = leaf.value, leaf.start - shift, leaf.end - shift
                if is_cut:
                    made[start:end] = seen[start:end]
                if leaf.kind is SpanKind.POSITION and isinstance(value, int) and self._moves:
                    moved = put_varint(self._moved(value)) if block.type == INDEX else b""
                    if len(moved) == end - start:
                        made[start:end] = moved
                if leaf.kind not in (SpanKind.TEXT, SpanKind.HASH) or not isinstance(value, bytes):
                    continue
                if leaf.name == "suffix":
                    new = self._key(block.type, of, record.key)[-len(value) :]
                elif leaf.kind is SpanKind.HASH:
                    new = words.log_id(value, plain) if block.type == LOG else words.id(value)
                elif leaf.name == "target":
                    new = words.name(value)
                else:
                    new = words.text(value, plain)
                made[start:end] = new
                seen[start:end] = new.translate(_INVERSE)
        for at in range(block.records_end, block.block_len - RESTART_COUNT_SIZE, RESTART_SIZE):
            if not block.records_start <= get_u24(block.data, at) < block.records_end and not is_cut:
                made[at - lead : at - lead + RESTART_SIZE] = _OUTSIDE

    def _key(self, block_type: int, of: int | None, key: bytes) -> bytes:
        words = self._words
        kind = of if block_type == INDEX else block_type
        if kind == OBJ:
            return words.id(key)
        if kind == LOG or (kind is None and key[-LOG_KEY_TAIL : 1 - LOG_KEY_TAIL] == b"\0"):
            return words.name(key[:-LOG_KEY_TAIL]) + key[-LOG_KEY_TAIL:]
        return words.name(key)

    def _blank(self, records: Records, damaged: Span, made: bytearray, shift: int) -> None:
        """Blank a record that cannot be read, but for the numbers up to the one at which reading fails."""
        start, end = damaged.start - shift, damaged.end - shift
        old = bytes(made[start:end])
        made[start:end] = old.translate(_DOTS)
        with suppress(IndexError, ValueError):
            for leaf in records.fields(damaged.start - records.base):
                if leaf.end > damaged.end:
                    break
                if leaf.kind in (SpanKind.NUMBER, SpanKind.POSITION):
                    at, size = leaf.start - damaged.start, leaf.end - leaf.start
                    kept = old[at : at + size] if size <= _LONGEST_KEPT else b"\xff" * (size - 1) + b"\x7f"
                    made[start + at : start + at + size] = kept

    def _damaged(self, layout: TableLayout, header: Header, starts: list[int], end: int) -> bytes:
        """Stretches in which no block can be made out, but for what salvaging finds in them."""
        start = starts[0]
        data = layout.read(start, end - start)
        made, seen = bytearray(data.translate(_DOTS)), bytearray(data)
        for one, following in zip(starts, [*starts[1:], end], strict=True):
            at, stop, first = one - start, following - start, header.size if one == header.size else 0
            cut = cut_block(layout.name, data[at:stop], one - first, first) if at < stop else None
            if cut is not None:
                self._cut(Records(cut[0], header), made, seen, one, start, stop)
        for block, at, stop in blocks_within(layout.name, data, start, header):
            made[at:stop] = self._block(
                Records(block, header), None, start + at, data[at:stop], may_grow=False
            )
            seen[at:stop] = made[at:stop].translate(_INVERSE)
        copied, size = header.pack(), footer_size(header.version)
        at = data.find(copied)
        while at >= 0:
            if len(data) - at >= size and checksum_fault(data[at : at + size]) is None:
                made[at : at + size] = data[at : at + size]
            at = data.find(copied, at + 1)
        for one in starts:
            _keep_frame(data, made, one - start, header.size if one == header.size else 0)
        return self._guarded(seen, made)

    def _cut(
        self, records: Records, made: bytearray, seen: bytearray, start: int, lead: int, stop: int
    ) -> None:
        """The records at the beginning of a block that is damaged otherwise.

        It begins at `start`; `made` and `seen` begin at `lead`, and the block's stretch ends at `stop` there.
        """
        if records.block.type == REF:
            self._replace(records, None, made, seen, lead - records.base, is_cut=True)
            return
        inflated = bytearray(records.block.data)
        body = inflated.translate(_DOTS)
        self._replace(records, None, body, inflated, 0, is_cut=True)
        deflater = zlib.compressobj(zlib.Z_BEST_COMPRESSION)
        kept = body[records.block.records_start : -RESTART_COUNT_SIZE]
        part = deflater.compress(kept) + deflater.flush(zlib.Z_SYNC_FLUSH)
        # Behind it, a dot is no beginning of a deflate block: there the stream is damaged.
        at = start - lead + BLOCK_HEADER_SIZE
        if kept and len(part) < stop - at:
            made[at : at + len(part)] = part
            seen[at : at + len(part)] = part.translate(_INVERSE)

    def _guarded(self, seen: bytes | bytearray, made: bytearray) -> bytes:
        """`made`, without what is a word or an id of the stack, and the same in `seen`."""
        if not self._marks:
            return bytes(made)
        size = len(made)
        same = (int.from_bytes(seen, "big") ^ int.from_bytes(made, "big")).to_bytes(size, "big")
        for run in _KEPT_IN_A_ROW.finditer(same):
            if not any(made[run.start() : run.end()]):
                continue
            for at in range(run.start(), run.end() - SHORTEST_WORD + 1):
                for length in (SHORTEST_WORD, SHORTEST_ID):
                    found = bytes(made[at : at + length])
                    if found in self._marks and at + length <= run.end():
                        made[at : at + length] = found.translate(_DOTS)
        return bytes(made)


def _collect(block: Block, hash_size: int, words: Collected) -> bool:
    """Collect what is in a block of refs or logs by its fast decoders; whether that was possible."""
    with suppress(FormatError):
        if block.type == REF:
            for ref in block.refs(hash_size, 0):
                words.name(ref.name)
                for oid in (ref.value, ref.peeled):
                    if oid is not None:
                        words.id(oid)
                if ref.target is not None:
                    words.name(ref.target)
            return True
        if block.type == LOG:
            for log in block.logs(hash_size):
                words.name(log.name)
                for oid in (log.old, log.new):
                    if oid is not None:
                        words.log_id(oid)
                words.text(b"%s %s %s" % (log.committer, log.email, log.message))
            return True
    return False


def _keep_frame(data: bytes, made: bytearray, at: int, first: int) -> None:
    """Keep of what should be a block what makes it none: its type, or its length and number of restarts."""
    kept = 1 if data[at : at + 1] not in _TYPES else BLOCK_HEADER_SIZE
    if kept == 1 and bytes(made[at : at + 1]) not in _TYPES:
        return
    made[at : at + kept] = data[at : at + kept]
    last = at + get_u24(data, at + 1) - first if len(data) - at >= BLOCK_HEADER_SIZE else 0
    if kept > 1 and data[at] != LOG and at + BLOCK_HEADER_SIZE < last <= len(data):
        made[last - RESTART_COUNT_SIZE : last] = data[last - RESTART_COUNT_SIZE : last]


def _flat(layout: TableLayout) -> Iterator[Span]:
    """Header, blocks, stretches without, footer."""
    for part in layout.children():
        if isinstance(part, Section):
            yield from part.children()
        else:
            yield part
