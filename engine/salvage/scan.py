"""Every record of a table that can still be read, whatever is wrong with the rest of it.

Blocks are found as the layout of the file finds them: behind a damaged one by the index or the
block size, even where the footer is wrong. In what is left over, block starts are looked for byte by byte.
Of a damaged block there remain

    records damaged     those before, and those from the next restart point on
    frame damaged       the records from its beginning, as long as they are sound and their keys ascend
    log block cut off   what inflates of it, read likewise

Nothing is guessed: a record that is handed out has been read whole, in its place, and its key comes behind
the one before or is stored whole. What could not be read is handed out too, as a stretch of the file with
the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from engine.errors import FormatError
from engine.format import LOG, REF, Header, IndexRecord
from engine.layout import BlockSpan, Section, TableLayout
from engine.salvage.block_records import Readable, Unreadable, sound_records, whole_records
from engine.salvage.search import search


def salvage(layout: TableLayout, header: Header, *, blind: bool = False) -> Iterator[Readable | Unreadable]:
    """What is in the ref and log blocks of a table, in the order of the file.

    `header` is the layout's own, or one made up for a file that has lost its header. `blind`
    looks for blocks at every byte instead of where footer, indexes and block size lead: for files in which
    these are wrong. Raises nothing for wrong bytes; `OSError` passes through. A block is in memory at a time.
    """
    limit = layout.footer.start if layout.footer is not None else layout.end
    if blind or layout.header is None:
        reason = "no block can be made out" if layout.header else "neither a header nor a footer"
        yield from search(layout, header.size, limit, limit, header, reason)
        return
    done = 0
    # Without a footer that can be trusted, a section may go on with blocks of the next.
    is_certain = layout.footer is not None and not layout.footer.errors()
    for section in layout.sections:
        last_keys = _LastKeys(section if section.of == REF else None)
        holds_records = not is_certain or (section.of in (REF, LOG, None) and not section.level)
        for span in section.children():
            if isinstance(span, BlockSpan):
                if span.type in (REF, LOG) and span.start >= done:
                    yield from _block(span, header, last_keys.of(span.offset))
                    yield from _hidden(layout, span, header)
                continue
            reason = span.error.reason if span.error else "bytes that are no block"
            for found in search(layout, max(span.start, done), span.end, limit, header, reason):
                done = max(done, found.end)
                if isinstance(found, Readable):
                    yield found
                elif holds_records:
                    yield found._replace(section=found.section or (section.of if is_certain else None))


class _LastKeys:
    """The last keys of the blocks of a section as its index has them, asked for in the order of the file."""

    def __init__(self, section: Section | None) -> None:
        above = section.above if section is not None else None
        self._entries = self._read(above) if above is not None else iter(())
        self._next = next(self._entries, None)

    def of(self, offset: int) -> bytes | None:
        """That of the block at this offset; None if the index does not tell."""
        while self._next is not None and self._next.offset < offset:
            self._next = next(self._entries, None)
        found = self._next
        return found.last_key if found is not None and found.offset == offset else None

    @staticmethod
    def _read(index: Section) -> Iterator[IndexRecord]:
        for span in index.children():
            if isinstance(span, BlockSpan):
                with suppress(FormatError):
                    yield from span.block().index()


def _block(span: BlockSpan, header: Header, last_key: bytes | None) -> Iterator[Readable | Unreadable]:
    """A block whose frame is sound, and which has this last key by its index."""
    try:
        records = span.records()
    except FormatError as error:
        yield Unreadable(span.start, span.end, error.reason, span.type)
        return
    whole = whole_records(records.block, header, span.end, last_key)
    yield from whole or sound_records(records, span.start, span.end)


def _hidden(layout: TableLayout, span: BlockSpan, header: Header) -> Iterator[Readable]:
    """The blocks in what seems to be padding, because the header states too large a block size."""
    rest = layout.read(span.next_offset - span.padding, span.padding).lstrip(b"\0") if span.padding else b""
    if rest[:1] in (b"r", b"g"):
        end = span.next_offset
        for found in search(layout, end - len(rest), end, end, header, "bytes in padding"):
            if isinstance(found, Readable):
                yield found
