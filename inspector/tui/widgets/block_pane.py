"""The bytes of one table and their meaning: a tree of its parts, a hex view, and a line that explains.

What is selected in the tree is lit in the hex view; the byte cursor of the hex view selects the deepest part
that it is on. The pane reads nothing itself: a `LayoutReader` does, as a job. Another table has another
reader, and what the one before still brings is dropped.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import ClassVar, Final

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.reactive import var

from engine.format import BLOCK_HEADER_SIZE, LOG, Read
from engine.layout import SpanKind
from engine.table import Table
from inspector.model import (
    COPY_LIMIT,
    BytesRead,
    ChildrenRead,
    Copied,
    DamageFound,
    LayoutNews,
    LayoutOpened,
    LayoutReader,
    Looking,
    PathRead,
    ReadFailed,
)
from inspector.rows import HeldBytes, Node, Place, place_of
from inspector.text import copied_value
from inspector.tui.widgets.block_facts import BlockFacts
from inspector.tui.widgets.block_tree import BlockTree
from inspector.tui.widgets.hex_view import HexView
from inspector.tui.widgets.record_bar import Prompt
from inspector.tui.widgets.virtual_list import ListPane, VirtualList
from inspector.tui.work import Jobs, failure_text

_BESIDE: Final = 132
"""Columns from which tree and hex view stand beside each other."""

_LOW: Final = 15
"""Lines below which only one of them is shown, the one that has the keys."""

_OFFSET: Final = re.compile(r"0[xX]([0-9a-fA-F]{1,16})|([0-9]{1,20})")


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
and back, i (in a log block) from the compressed bytes to the inflated ones, o to an offset. n and N go to \
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

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h", "other", "Tree/hex"),
        Binding("i", "inflated", "Inflated"),
        Binding("o", "ask_offset", "Offset"),
        Binding("n", "damage(1)", "Damage", key_display="n/N"),
        Binding("N", "damage(-1)", "Damage before", show=False),
        Binding("y", "copy_value", "Copy", key_display="y/Y"),
        Binding("Y", "copy_bytes", "Copy bytes", show=False),
        Binding("O", "copy_offset", "Copy offset", show=False),
    ]

    inflatable: var[bool] = var(False, bindings=True)
    """Whether a log block is selected, or something in one."""

    def __init__(self) -> None:
        super().__init__()
        self._tree = BlockTree()
        self._hex = HexView()
        self._facts = BlockFacts()
        self._offset = Prompt(self._tree, placeholder="", classes="offset", restrict=r"[0-9a-fA-FxX]*")
        self._reader: LayoutReader | None = None
        self._jobs = Jobs(self)
        self._selected: Node | None = None
        self._going = False
        self._following: Place | None = None

    def compose(self) -> ComposeResult:
        """Tree and hex view; below them what is selected, in words."""
        with Container(id="block-views"):
            yield ListPane(self._tree, id="block-parts")
            yield self._hex
        yield self._facts
        yield self._offset

    @property
    def idle(self) -> bool:
        """Whether nothing that was wanted is still to come."""
        return self._jobs.idle and not (self._reader is not None and self._reader.wanting)

    def show_table(self, table: Table | None) -> None:
        """Show `table`; one that is shown already stays as it is, with all that is open and selected."""
        shown = self._reader
        if table is None:
            self._show_reader(None)
        elif shown is None or (shown.name, shown.size) != (table.name, table.size):
            self.show_file(table.name, table.size, table.read)

    def show_file(self, name: str, size: int, read: Read) -> None:
        """Show a file of `size` bytes, which may be no sound table; `read` is called in a thread."""
        self._show_reader(LayoutReader(name, size, read))

    def reveal(self, offset: int, key: bytes | None = None) -> None:
        """Go to the block at `offset` of the table shown, or to the record of this key in it.

        `key` is the one that the block stores: of a reflog entry, that of `engine.format.record.log_key`. An
        offset at which no block begins leads to the part of that byte.
        """
        if self._reader is not None:
            self._reader.want_record(offset, key)
            self._go()

    def _show_reader(self, reader: LayoutReader | None) -> None:
        self._jobs.drop("layout")
        self._reader = reader
        self._selected = self._following = None
        self._going = False
        self.inflatable = False
        self._tree.show_root(None)
        self._hex.show(None)
        self._facts.show(None)
        if reader is not None:
            self._facts.say("reading…")
        self._work()

    # The reader's work.

    def _go(self, following: Place | None = None) -> None:
        """Have the way read that is wanted, to the part below the byte cursor if `following` is its place."""
        self._going = True
        self._following = following
        self._tree.stop_reading()
        self._work()

    @on(events.Mount)
    @on(HexView.BytesWanted)
    def _work(self) -> None:
        if self._reader is not None and self.is_attached:
            self._jobs.drive("layout", self._reader, self._take_news, self._fail)

    def _fail(self, error: Exception) -> None:
        self._tree.stop_reading()
        self._facts.say(failure_text(error))

    def _take_news(self, news: LayoutNews) -> None:
        match news:
            case BytesRead():
                self._hex.refresh()
            case LayoutOpened(root):
                self._select(root, move=True)
                self._tree.show_root(root)
            case ChildrenRead(node, children):
                self._tree.fill(node, children)
            case PathRead() as path:
                self._take_path(path)
            case DamageFound(number, count):
                self._facts.say(f"damage {number:,} of {count:,}" if count else "nothing is damaged")
            case Looking(percent):
                if self._going:
                    self._facts.say(f"looking for damage: {percent}%; any move stops")
            case Copied(data, whole):
                self._copy_bytes(data, whole=whole)
            case ReadFailed(error):
                self._fail(error)

    def _take_path(self, path: PathRead) -> None:
        if not self._going or (self._following is not None and path.place is not self._following):
            return
        for node, children in path.read:
            if node.children is None:
                node.children = children
        way = [*path.target.ancestors(), path.target]
        if any(node not in (above.children or ()) for above, node in pairwise(way)):
            # What the reader saw open on its way down was closed meanwhile.
            if self._reader is not None:
                self._reader.want_place(path.place)
                self._work()
            return
        by_cursor = self._following is not None
        self._following = None
        self._going = False
        self._select(path.target, move=not by_cursor)
        self._tree.reveal(path.target)

    # What is selected.

    @on(VirtualList.Highlighted)
    def _row_highlighted(self) -> None:
        node = self._tree.current
        if node is not None and node is not self._selected:
            if self._going and self._reader is not None:
                # The user is elsewhere by now.
                self._going = False
                self._reader.forget()
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
        node, reader = self._selected, self._reader
        if node is None or reader is None:
            return
        place = Place(event.offset)
        block, deflated = node.block, _deflated(node)
        if self._hex.inflated and block is not None and deflated is not None:
            place = Place(deflated.span.start, event.offset)
            # The head of a block is not compressed: those bytes are the file's.
            if event.offset < deflated.span.start - block.offset:
                place = Place(block.offset + event.offset)
        reader.want_place(place)
        self._go(place)

    @on(BlockTree.ChildrenWanted)
    def _children_wanted(self, event: BlockTree.ChildrenWanted) -> None:
        if self._reader is not None:
            self._going = False
            self._reader.want_children(event.node)
            self._work()

    @on(BlockTree.Followed)
    def _offset_followed(self, event: BlockTree.Followed) -> None:
        node, reader = event.node, self._reader
        if reader is None:
            return
        if node.span.kind is SpanKind.POSITION or node.block is None:
            self.reveal(event.offset)
            return
        deflated = _deflated(node)
        position, inner = node.block.offset + event.offset, None
        if deflated is not None:
            position, inner = deflated.span.start, event.offset
        reader.want_place(Place(position, inner, SpanKind.RECORD))
        self._go()

    # Keys.

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
        node, reader = self._selected, self._reader
        if node is None or reader is None:
            return
        deflated = _deflated(node)
        if node.span.inflated and deflated is not None:
            self._select(deflated, move=True)
            self._tree.reveal(deflated)
        elif node.block is not None:
            start = node.block.start + BLOCK_HEADER_SIZE
            reader.want_place(Place(start, start - node.block.offset, SpanKind.RECORDS))
            self._go()

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
        match = _OFFSET.fullmatch(self._offset.value)
        if event.kept and match is None:
            self._facts.say("an offset is a number such as 4096 or 0x1000")
            self._offset.focus()
            return
        self._offset.display = False
        if event.kept and match is not None:
            self._hex.go_to(int(match[1], 16) if match[1] else int(match[2]))

    def action_damage(self, step: int) -> None:
        """Go to the next or previous damage."""
        if self._selected is not None and self._reader is not None:
            self._reader.want_damage(step, place_of(self._selected))
            self._go()

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
        node = self._selected
        if node is None or self._reader is None:
            return
        if node.inflated is not None:
            data = node.inflated[node.span.start : node.span.end]
            self._copy_bytes(data[:COPY_LIMIT], whole=len(data) <= COPY_LIMIT)
        else:
            self._reader.want_copy(node.span.start, node.span.end)
            self._tree.stop_reading()
            self._work()

    def action_copy_offset(self) -> None:
        """Copy the offset of what is selected."""
        if self._selected is not None:
            self._copy(str(self._selected.span.start), "the offset")

    def _copy_bytes(self, data: bytes, *, whole: bool) -> None:
        self._copy(data.hex(" "), "the bytes" if whole else f"the first {COPY_LIMIT:,} bytes")

    def _copy(self, text: str, what: str) -> None:
        self.app.copy_to_clipboard(text)
        self._facts.say(f"copied {what}")


def _deflated(node: Node) -> Node | None:
    """The deflated bytes that `node` is or lies in."""
    return next((above for above in [node, *node.ancestors()] if above.span.kind is SpanKind.DEFLATED), None)
