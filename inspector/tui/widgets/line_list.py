"""Text of any length, line by line in a list: what is too long for the list's width goes on in the next line.

The lines come ready for a terminal. Only those that are too long cost anything when the width changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len, chop_cells

from inspector.rows import SequenceRows
from inspector.tui.widgets.virtual_list import MARK_WIDTH, Cell, Column, Look, VirtualList


class Line(NamedTuple):
    """A line of text, how it looks, and the number of the thing that it is about, if there are several."""

    text: str
    look: Look = "plain"
    about: int | None = None


class LineList(VirtualList[Line]):
    """Lines to read; the cursor is for scrolling."""

    # The width does not depend on whether there is something to scroll.
    DEFAULT_CSS = """
    LineList { scrollbar-gutter: stable; }
    """

    def __init__(self) -> None:
        column: Column[Line] = Column("", lambda line, _width: Cell(line.text, line.look), width=1, flex=1)
        super().__init__([column])
        self._all: Sequence[Line] = ()
        self._wrapped_at = -1

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines from the first one on."""
        self._all = lines
        self._wrap()
        self.action_first()

    def go_to(self, about: int) -> None:
        """Move the cursor to the first line about this, with the others in view if there is room."""
        rows = [self.source.row(number) for number in range(self.source.count)]
        found = [number for number, line in enumerate(rows) if line is not None and line.about == about]
        if found:
            for row in (found[-1], found[0]):  # each is scrolled into view
                self.cursor = row

    def on_resize(self) -> None:
        """Another width, other line ends."""
        if self._room() != self._wrapped_at:
            self._wrap()

    def _room(self) -> int:
        return max(self.scrollable_content_region.width - MARK_WIDTH, 10)

    def _wrap(self) -> None:
        self._wrapped_at = width = self._room()
        self.show(SequenceRows(list(_wrapped_lines(self._all, width))))


def _wrapped_lines(lines: Iterable[Line], width: int) -> Iterator[Line]:
    for line in lines:
        if 2 * len(line.text) <= width:  # no character is wider than two cells
            yield line
        else:
            for part in wrapped(line.text, width):
                yield line._replace(text=part)


def wrapped(text: str, width: int) -> Iterator[str]:
    """`text` in parts of at most `width` cells, broken at spaces where there are some.

    Parts after the first are indented by two cells more than the text itself.
    """
    if cell_len(text) <= width:
        yield text
        return
    own = len(text) - len(text.lstrip(" "))
    indent = " " * min(own + 2, width // 2)
    line = text[:own]
    empty = True  # nothing but indentation in this line yet
    for word in text[own:].split(" "):
        longer = line + word if empty else f"{line} {word}"
        if cell_len(longer) <= width:
            line, empty = longer, False
            continue
        if not empty:
            yield line
            line = indent
        *full, rest = chop_cells(word, width - max(own, len(indent))) or [""]
        for part in full:
            yield line + part
            line = indent
        line, empty = line + rest, False
    yield line
