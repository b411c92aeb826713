"""The bytes of one table and their meaning: a tree of its parts, a hex view, and a line that explains.

What is selected in the tree is lit in the hex view; the byte cursor of the hex view selects the deepest part
that it is on. The pane reads nothing itself: a `LayoutReader` does, in jobs. Another table has another
reader, and what the one before still brings is dropped.

    open        the table
    children    those of a part that was opened
    way         to a part that was asked for
    bytes       those on screen
    copy        those that are to be copied
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

from textual import events, on
from textual.containers import Container, Vertical
from textual.reactive import var

from engine.format import BLOCK_HEADER_SIZE, LOG, Read
from engine.layout import SpanKind
from engine.progress import Progress
from engine.table import Table
from inspector.model import LayoutReader, reading
from inspector.rows import HeldBytes, Node, NodePlace, PathRead, node_place
from inspector.text import copied_value
from inspector.tui.keys import bindings
from inspector.tui.widgets.block_facts import BlockFacts
from inspector.tui.widgets.block_tree import BlockTree
from inspector.tui.widgets.hex_view import HexView
from inspector.tui.widgets.record_bar import Prompt
from inspector.tui.widgets.virtual_list import ListPane, VirtualList
from inspector.tui.work import Job, Jobs, failure_text

Answer = TypeVar("Answer")

_BESIDE: Final = 132
"""Columns from which tree and hex view stand beside each other."""

_LOW: Final = 15
"""Lines below which only one of them is shown, the one that has the keys."""

_COPIED: Final = 65536
"""The most bytes that are copied at a time."""

_OFFSET: Final = r"0[xX]([0-9a-fA-F]{1,16})|([0-9]{1,20})"


class ShownFile(NamedTuple):
    """A file of `size` bytes, which may be no sound table; `read` is called in a thread."""

    path: str
    name: str
    size: int
    read: Read


class BlockSpot(NamedTuple):
    """What a block pane showed: a file, a part of it, and so many rows above that."""

    file: ShownFile | None
    place: NodePlace | None
    above: int


class BlockPane(Vertical):
    """One table, byte by byte."""

    HELP = """\
Blocks: what each byte of the selected table means.

A table is one file that never changes: a header, sections of blocks, a footer. The refs come first, \
then which blocks mention which object, then the reflogs; each section may have an index over its blocks. \
A block holds records in key order. A record stores only what differs from the key before; every few \
records a restart point has its whole key, and a search begins there. The footer says where the sections \
begin, and has a checksum. Log blocks are compressed.

The tree shows the parts, the hex view the bytes of the selected one, in brackets. A cursor in the hex view \
selects the part below it. Offsets are hexadecimal; one with a + counts in an inflated log block. Parts that \
cannot be understood have an X and the word damaged.

enter opens and closes a part; on an offset it goes where that leads. h goes from the tree to the hex view \
and back, i (in a log block) from the compressed bytes to the inflated ones, f to an offset. n and N go to \
the next and previous damage of the table. y copies the value, Y the bytes, O the offset."""

    DEFAULT_CSS = """
    BlockPane #block-parts { height: 3fr; }
    BlockPane #block-hex { height: 2fr; border-top: solid $surface-lighten-3; }
    BlockPane #block-hex:focus { border-top: heavy $accent; }
    BlockPane.-beside #block-views { layout: horizontal; }
    BlockPane.-beside #block-parts { width: 1fr; height: 1fr; }
    BlockPane.-beside #block-hex {
        width: 79;
        height: 1fr;
        border-top: none;
        border-left: solid $surface-lighten-3;
    }
    BlockPane.-beside #block-hex:focus { border-left: heavy $accent; }
    BlockPane > .offset { display: none; }
    BlockPane.-low #block-hex { display: none; }
    BlockPane.-low.-hex #block-hex { display: block; }
    BlockPane.-low.-hex #block-parts { display: none; }
    """

    BINDINGS = bindings("blocks")

    inflatable: var[bool] = var(False, bindings=True)
    """Whether a log block is selected, or something in one."""

    def __init__(self) -> None:
        self._tree = BlockTree()
        self._hex = HexView()
        self._facts = BlockFacts()
        self._offset = Prompt(self._tree, placeholder="", classes="offset", restrict=r"[0-9a-fA-FxX]*")
        views = Container(ListPane(self._tree, id="block-parts"), self._hex, id="block-views")
        super().__init__(views, self._facts, self._offset)
        self._file: ShownFile | None = None
        self._reader: LayoutReader | None = None  # None until the file is open
        self._asked: tuple[Callable[[LayoutReader, Job], PathRead], int | None] | None = None  # the way then
        self._jobs = Jobs(self)
        self._selected: Node | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing that was wanted is still to come."""
        return self._jobs.idle and not (self._reader is not None and self._reader.bytes.wanting)

    def show_table(self, table: Table | None) -> None:
        """Show `table`; one that is shown already stays as it is, with all that is open and selected."""
        if table is None:
            self.show(None)
        elif self._file is None or (self._file.path, self._file.size) != (table.path, table.size):
            self.show(ShownFile(table.path, table.name, table.size, reading(table)))

    @property
    def selected(self) -> Node | None:
        """The part that is selected."""
        return self._selected

    @property
    def spot(self) -> BlockSpot:
        """Which file is shown, and the place of the part that is selected."""
        place = None if self._selected is None else node_place(self._selected)
        return BlockSpot(self._file, place, self._tree.above)

    def restore(self, spot: BlockSpot) -> None:
        """Show what was shown then."""
        if spot.file != self._file:
            self.show(spot.file)
        if (place := spot.place) is not None:
            self._go_to(place, above=spot.above)

    def reveal(self, offset: int, key: bytes | None = None) -> None:
        """Go to the block at `offset` of the table shown, or to the record of this key in it.

        `key` is the one that the block stores: of a reflog entry, that of `engine.format.record.log_key`. An
        offset at which no block begins leads to the part of that byte.
        """
        self._go_by(lambda reader, job: reader.record(offset, key, job.check))

    def _go_to(self, place: NodePlace, *, above: int | None = None, by_cursor: bool = False) -> None:
        """Go to the part at `place`, which may be the one below the byte cursor."""
        self._go_by(lambda reader, job: reader.path(place, job.check), above, by_cursor=by_cursor)

    def _go_by(
        self,
        way: Callable[[LayoutReader, Job], PathRead],
        above: int | None = None,
        *,
        by_cursor: bool = False,
    ) -> None:
        reader = self._reader
        if reader is None:
            self._asked = way, above
        else:
            take = partial(self._take_path, above=above, by_cursor=by_cursor)
            self._go(lambda job: way(reader, job), take)

    def show(self, file: ShownFile | None) -> None:
        """Show another file, or none."""
        for group in ("open", "children", "way", "bytes", "copy"):
            self._jobs.drop(group)
        self._file = file
        self._reader = self._asked = self._selected = None
        self.inflatable = False
        self._tree.show_root(None)
        self._hex.show(None)
        self._facts.show(None)
        if file is not None:
            self._facts.say("reading…")
        self._open()

    # What is read.

    @on(events.Mount)
    def _open(self) -> None:
        file = self._file
        if file is not None and self._reader is None and self.is_attached:
            self._jobs.start("open", lambda _job: LayoutReader(*file[1:]), self._opened, self._fail)

    def _opened(self, reader: LayoutReader) -> None:
        self._reader = reader
        self._select(reader.root, move=True)
        self._tree.show_root(reader.root)
        if self._asked is not None:
            self._go_by(*self._asked)

    def _fail(self, error: Exception) -> None:
        self._tree.stop_reading()
        self._hex.refresh()  # bytes that cannot be read are drawn as such, and others are wanted
        self._facts.say(failure_text(error))

    @on(HexView.BytesWanted)
    def _read_bytes(self) -> None:
        if self._reader is not None:
            self._jobs.drive("bytes", self._reader.bytes, lambda _read: self._hex.refresh(), self._fail)

    def _go(self, read: Callable[[Job], Answer], take: Callable[[Answer], object]) -> None:
        """Read the way to a part; `take` goes it, unless the user is elsewhere by then."""
        self._jobs.drop("children")
        self._tree.stop_reading()
        self._jobs.start("way", read, take, self._fail)

    def _take_path(self, path: PathRead, *, by_cursor: bool = False, above: int | None = None) -> None:
        for node, children in path.read:
            if node.children is None:
                node.children = children
        way = [*path.target.ancestors(), path.target]
        if any(node not in (above.children or ()) for above, node in pairwise(way)):
            # What was open when it was read was closed meanwhile.
            self._go_to(path.place, by_cursor=by_cursor)
            return
        self._select(path.target, move=not by_cursor)
        self._tree.reveal(path.target, above)

    # What is selected.

    @on(VirtualList.Highlighted)
    def _row_highlighted(self, event: VirtualList.Highlighted) -> None:
        event.stop()
        node = self._tree.current
        if node is not None and node is not self._selected:
            self._jobs.drop("way")  # the user is elsewhere by now
            self._tree.keep(node)
            self._select(node, move=True)

    def _select(self, node: Node, *, move: bool) -> None:
        self._selected = node
        if node.inflated is not None:
            other = self._hex.show(HeldBytes(node.inflated), inflated=True)
        else:
            other = self._hex.show(self._reader.bytes if self._reader is not None else None)
        self._hex.light(node.span.start, node.span.end, move=move or other)
        self.inflatable = node.block is not None and node.block.type == LOG
        self._facts.show(node)

    @on(HexView.Moved)
    def _byte_moved(self, event: HexView.Moved) -> None:
        node = self._selected
        if node is None:
            return
        place = NodePlace(event.offset)
        block, deflated = node.block, _deflated(node)
        if self._hex.inflated and block is not None and deflated is not None:
            place = NodePlace(deflated.span.start, event.offset)
            # The head of a block is not compressed: those bytes are the file's.
            if event.offset < deflated.span.start - block.offset:
                place = NodePlace(block.offset + event.offset)
        self._go_to(place, by_cursor=True)

    @on(BlockTree.ChildrenWanted)
    def _children_wanted(self, event: BlockTree.ChildrenWanted) -> None:
        node, reader = event.node, self._reader
        if reader is not None:
            self._jobs.drop("way")
            done = partial(self._tree.fill, node)
            self._jobs.start("children", lambda job: reader.children(node, job.check), done, self._fail)

    @on(BlockTree.Followed)
    def _offset_followed(self, event: BlockTree.Followed) -> None:
        node = event.node
        if node.span.kind is SpanKind.POSITION or node.block is None:
            self.reveal(event.offset)
            return
        deflated = _deflated(node)
        position, inner = node.block.offset + event.offset, None
        if deflated is not None:
            position, inner = deflated.span.start, event.offset
        self._go_to(NodePlace(position, inner, SpanKind.RECORD))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Where only one of them has room, it is the one with the keys."""
        if event.widget in (self._tree, self._hex):
            self.set_class(event.widget is self._hex, "-hex")

    def on_resize(self, event: events.Resize) -> None:
        """Beside or above each other, or one at a time."""
        self.set_class(event.size.width >= _BESIDE, "-beside")
        self.set_class(event.size.height < _LOW, "-low")

    def action_other(self) -> None:
        """Go from the tree to the hex view, or back."""
        to_hex = not self._hex.has_focus
        self.set_class(to_hex, "-hex")
        (self._hex if to_hex else self._tree).focus()

    def action_inflated(self) -> None:
        """Go from the compressed bytes of a log block to the inflated ones, or back."""
        node = self._selected
        if node is None:
            return
        deflated = _deflated(node)
        if node.span.inflated and deflated is not None:
            self._select(deflated, move=True)
            self._tree.reveal(deflated)
        elif node.block is not None:
            start = node.block.start + BLOCK_HEADER_SIZE
            self._go_to(NodePlace(start, start - node.block.offset, SpanKind.RECORDS))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only log blocks are compressed."""
        return action != "inflated" or self.inflatable

    def action_ask_offset(self) -> None:
        """Ask where to go."""
        where = "the inflated block" if self._hex.inflated else "the file"
        self._offset.placeholder = f"offset in {where}, such as 4096 or 0x1000"
        self._offset.value = ""
        self._offset.leads_to = self._hex if self._hex.has_focus else self._tree
        self._offset.display = True
        self._offset.focus()

    @on(Prompt.Left)
    def _offset_given(self, event: Prompt.Left) -> None:
        match = re.fullmatch(_OFFSET, self._offset.value)
        if event.kept and match is None:
            self._facts.say("an offset is a number such as 4096 or 0x1000")
            self._offset.focus()
            return
        self._offset.display = False
        if event.kept and match is not None:
            self._hex.go_to(int(match[1], 16) if match[1] else int(match[2]))

    def action_damage(self, step: int) -> None:
        """Go to the next or previous damage."""
        node, reader = self._selected, self._reader
        if node is not None and reader is not None:

            def look(job: Job) -> tuple[PathRead, int, int] | None:
                tell = job.paced(lambda progress: job.report(self._say_looking, progress))
                return reader.damage(step, node_place(node), tell)

            self._go(look, self._take_damage)

    def _say_looking(self, progress: Progress) -> None:
        if progress.percent:
            self._facts.say(f"looking for damage: {progress.percent}%; any move stops")

    def _take_damage(self, found: tuple[PathRead, int, int] | None) -> None:
        if found is None:
            self._facts.say("nothing is damaged")
        else:
            path, number, count = found
            self._take_path(path)
            self._facts.say(f"damage {number:,} of {count:,}")

    def action_copy_value(self) -> None:
        """Copy the value of the selected field, or the key of the record."""
        if self._selected is None:
            return
        if value := copied_value(self._selected.span):
            self._copy(value, "the value")
        else:
            self._facts.say("this has no value: Y copies its bytes, O its offset")

    def action_copy_bytes(self) -> None:
        """Copy the bytes of what is selected."""
        node, reader = self._selected, self._reader
        if node is None or reader is None:
            return
        start, end = node.span.start, min(node.span.end, node.span.start + _COPIED)
        what = "the bytes" if end == node.span.end else f"the first {_COPIED:,} bytes"

        def copy(data: bytes) -> None:
            self._copy(data.hex(" "), what)

        if node.inflated is not None:
            copy(node.inflated[start:end])
        else:
            self._jobs.start("copy", lambda _job: reader.read(start, end - start), copy, self._fail)

    def action_copy_offset(self) -> None:
        """Copy the offset of what is selected."""
        if self._selected is not None:
            self._copy(str(self._selected.span.start), "the offset")

    def _copy(self, text: str, what: str) -> None:
        self.app.copy_to_clipboard(text)
        self._facts.say(f"copied {what}")


def _deflated(node: Node) -> Node | None:
    """The deflated bytes that `node` is or lies in."""
    return next((above for above in [node, *node.ancestors()] if above.span.kind is SpanKind.DEFLATED), None)
