"""The tree of a table's parts: rows of what is open, under a cursor, with where each part lies.

The tree holds the nodes that are open and draws them; it reads nothing. When a node is opened whose
children are not at hand it says so in the row of the node and posts `ChildrenWanted`; once they are read,
they are given to `fill`. `reveal` opens the way to a node that lies deeper, and closes again what was
opened only for such a way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from textual import events, on
from textual.message import Message

from engine.layout import SpanKind
from inspector.rows import Node, SequenceRows
from inspector.tui.keys import bindings
from inspector.tui.navigation import Follow
from inspector.tui.widgets.virtual_list import MARK_WIDTH, Cell, Column, VirtualList

_NARROW: Final = 60
"""Cells of the first column below which the indent of a level is one cell instead of two."""


class BlockTree(VirtualList[Node]):
    """The parts of one table; `current` is the node that is selected."""

    BINDINGS = bindings("block-tree")

    @dataclass
    class ChildrenWanted(Message):
        """The children of a node are to be read; those of another one are not wanted any more."""

        node: Node

    @dataclass
    class Followed(Message):
        """The user wants to go where a field leads: to a block of the file, to a record of its block."""

        node: Node
        offset: int

    def __init__(self) -> None:
        super().__init__((), empty="no table", id="block-tree")
        self._shown: list[Node] = []
        self._reading: Node | None = None
        self._revealed: Node | None = None
        self._row_before = -1

    def show_root(self, root: Node | None) -> None:
        """Show the parts of another table, or of none, from the top."""
        self._reading = self._revealed = None
        self._shown = [] if root is None else _below(root)
        size = root.span.end if root is not None else 0
        columns = [
            Column("part", self._part, 24, flex=1),
            Column("offset", _offset, max(len("offset"), len(f"+{size:#x}")), align="right", priority=2),
            Column("bytes", _bytes, max(len("bytes"), len(f"{size:,}")), align="right", priority=1),
        ]
        self.show(SequenceRows(self._shown), columns)
        self.cursor = 0

    def fill(self, node: Node, children: list[Node]) -> None:
        """Show the children of a node that was opened."""
        if node is self._reading:
            self._reading = None
        node.children = children
        self._redraw()

    def stop_reading(self) -> None:
        """The children that were wanted will not come: close their node."""
        if self._reading is not None:
            self._reading.opened = False
            self._reading = None
            self._redraw()

    def reveal(self, target: Node, above: int | None = None) -> None:
        """Open the way to `target` and go there; close what was opened for another one.

        It has so many rows `above` it, or stays where it was on screen.
        """
        way = target.ancestors()
        for node in way:
            if not node.opened:
                node.opened = node.linked = True
        kept = {id(node) for node in way}
        for node in self._shown:
            if node.linked and id(node) not in kept:
                node.opened = node.linked = False
                # What was opened in passing is not kept either, unless that would be long to find again.
                if node.children and node.children[0].run is None:
                    node.children = None
        self._revealed = target
        before = self._shown.index(target) - self.scroll_offset.y if target in self._shown else -1
        self._row_before = before if above is None else above
        self._place()

    def _place(self) -> None:
        # What was off the screen is not put at its edge, so that it is seen between what is around it.
        height, row = self.size.height, self._row_before
        self._redraw(self._revealed, row if 0 <= row < height else height // 3)

    def on_resize(self) -> None:
        """Place what was revealed anew: how much room there is, it may know only now."""
        if self._revealed is not None and self.current is self._revealed:
            self._place()

    def keep(self, node: Node) -> None:
        """The user is at `node`: what was opened to show it stays open."""
        for above in node.ancestors():
            above.linked = False

    def _redraw(self, target: Node | None = None, above: int | None = None) -> None:
        """Draw what is open now; the cursor goes to `target`, with `above` rows above it, or stays."""
        target = target or self.current
        if target is None:
            return
        self._shown = _below(self._shown[0])
        while target not in self._shown and target.parent is not None:
            target = target.parent
        row = self._shown.index(target)
        self.show(SequenceRows(self._shown), cursor=row, above=self.above if above is None else above)

    @on(VirtualList.Opened)
    def action_toggle_part(self) -> None:
        """Open what is closed, close what is open, follow what leads to a block."""
        node = self.current
        if node is None:
            return
        if node.opened:
            self.action_fold()
        elif node.expandable:
            self.action_unfold()
        elif node.span.error is None and (
            node.span.kind is SpanKind.POSITION or node.span.name == "restart offset"
        ):
            if (offset := node.led_to) is not None:
                self.post_message(self.Followed(node, offset))
        else:
            self.post_message(Follow())

    def action_unfold(self) -> None:
        """Open the selected node, or go to what is in it."""
        node = self.current
        if node is None or not node.expandable:
            return
        if node.opened:
            self.action_move(1 if node.children else 0)
            return
        self.stop_reading()
        node.opened = True
        if node.children is None:
            self._reading = node
            self.post_message(self.ChildrenWanted(node))
        self._redraw()

    def action_fold(self) -> None:
        """Close the selected node, or go to what it is part of."""
        node = self.current
        if node is None:
            return
        if node.opened:
            node.opened = node.linked = False
            if node is self._reading:
                self._reading = None
            self._redraw()
        elif node.parent is not None:
            self._move_to(self._shown.index(node.parent))

    def on_click(self, event: events.Click) -> None:
        """Select the row that was clicked; its triangle opens and closes it, and so does a second click."""
        event.prevent_default()  # else the list's own method would be called a second time
        super().on_click(event)
        offset, node, fitted = event.get_content_offset(self), self.current, self.fitted()
        if offset is None or node is None or not fitted or offset.y != self.above:
            return
        mark = MARK_WIDTH + self._indent(node, fitted[0][1])
        if event.chain == 1 and mark <= offset.x < mark + 2:
            self.action_toggle_part()

    def _indent(self, node: Node, width: int) -> int:
        depth = len(node.ancestors())
        return depth if width < _NARROW else 2 * depth

    def _part(self, node: Node, width: int) -> Cell:
        damaged = node.span.error is not None
        mark = "X" if damaged else " "
        if node.expandable:
            mark = ("▾" if node.opened else "▸") + (" X" if damaged else "")
        text = f"{' ' * self._indent(node, width)}{mark} "
        if damaged:
            return Cell(text + node.title, "error")
        if node is self._reading:
            return Cell(f"{text}{node.title}  reading…", "accent")
        return Cell(text + node.title)


def _offset(node: Node, _width: int) -> Cell:
    # As the hex view has it, and as the prompt for an offset takes it.
    return Cell(f"{'+' if node.span.inflated else ''}{node.span.start:#x}", "muted")


def _bytes(node: Node, _width: int) -> Cell:
    return Cell(f"{node.span.end - node.span.start:,}", "muted")


def _below(root: Node) -> list[Node]:
    """`root` and all nodes below it that are to be seen, in their order."""
    found: list[Node] = []
    left = [root]
    while left:
        node = left.pop()
        found.append(node)
        if node.opened and node.children:
            left.extend(reversed(node.children))
    return found
