"""A hex view: offsets, bytes and their characters, with a byte cursor and a run of bytes that is lit.

It draws from a `ByteSource` and reads nothing: bytes that are not at hand are drawn as placeholders and
wanted from then on, and `BytesWanted` asks for them. The run is in brackets and the cursor's row has a mark,
for terminals without colour. As many bytes make a row as there is room for: 16, 8 or 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from inspector.rows import ByteSource, HeldBytes
from inspector.tui.keys import bindings

_HALF: Final = 8
_FEWEST_DIGITS: Final = 4
_MARK: Final = 1


class _Grid(NamedTuple):
    """Where things are in a row: mark, offset, a separator and two digits for each byte, characters.

    The separator is where a bracket may stand. `left` is the column of the first one, `characters` that of
    the first character.
    """

    per_row: int
    digits: int
    gap: int
    left: int
    characters: int

    def byte_at(self, x: int) -> int | None:
        """The number of the byte in column `x`, as digits or character; None between them."""
        if self.characters <= x < self.characters + self.per_row:
            return x - self.characters
        if not self.left <= x < self.characters - 1:
            return None
        middle = self.left + 3 * _HALF
        if self.gap and x >= middle:
            x = max(middle, x - self.gap)
        return (x - self.left) // 3


def _grid(width: int, digits: int) -> _Grid:
    """The grid of the most bytes in a row, with a gap in its middle if there is room, else the smallest."""
    left = _MARK + digits
    larger = ((16, 1), (16, 0), (8, 0))
    fitting = ((count, gap) for count, gap in larger if left + 4 * count + gap + 1 <= width)
    per_row, gap = next(fitting, (4, 0))
    return _Grid(per_row, digits, gap, left, left + 3 * per_row + gap + 1)


class HexView(ScrollView, can_focus=True):
    """The bytes of a source."""

    ALLOW_SELECT = False

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"hex-view--{name}" for name in ("byte", "muted", "lit", "cursor")
    }

    DEFAULT_CSS = """
    HexView {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        background: transparent;
        & > .hex-view--muted { color: $foreground-muted; }
        & > .hex-view--lit { background: $surface-lighten-3; color: $foreground; text-style: bold; }
        & > .hex-view--cursor { background: $foreground; color: $background; text-style: underline; }
        &:focus > .hex-view--cursor {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: bold underline;
        }
    }
    """

    BINDINGS = bindings("hex")

    cursor: var[int] = var(0, init=False)
    """The offset of the byte that keys act on; 0 when there is none."""

    @dataclass
    class Moved(Message):
        """The user moved the cursor."""

        offset: int

    class BytesWanted(Message):
        """Bytes were to be drawn that are not at hand, and are to be read."""

    def __init__(self) -> None:
        super().__init__(id="block-hex")
        self._source: ByteSource = HeldBytes(b"")
        self.inflated = False
        """Whether the bytes are those of an inflated block rather than of the file."""
        self.lit = range(0)
        """The offsets of the bytes that are lit."""
        self._wants = False
        self._top_before = 0

    def show(self, source: ByteSource | None, *, inflated: bool = False) -> bool:
        """Show the bytes of another source, from its start; False if it is the one that is shown."""
        source = source if source is not None else HeldBytes(b"")
        if source == self._source and inflated == self.inflated:
            return False
        self._source = source
        self.inflated = inflated
        self.lit = range(0)
        self._fit()
        self.set_reactive(HexView.cursor, 0)
        self.scroll_to(0, 0, animate=False, force=True)
        self.refresh()
        return True

    def light(self, start: int, end: int, *, move: bool) -> None:
        """Light bytes `start` to `end`; with `move`, go to the first of them and have them on screen."""
        self.lit = range(start, end)
        if move:
            self._top_before = self.scroll_offset.y
            self.cursor = start
            self._reveal(start, end)
        self.refresh()

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a byte."""
        return max(0, min(cursor, self._source.size - 1))

    def watch_cursor(self) -> None:
        """Keep the cursor on screen."""
        self._reveal(self.cursor, self.cursor)
        self.refresh()

    def go_to(self, offset: int) -> None:
        """Move the cursor to a byte, as the user does."""
        self.cursor = offset
        self._reveal(self.cursor, self.cursor)
        self.post_message(self.Moved(self.cursor))

    def _reveal(self, start: int, end: int) -> None:
        """Have bytes `start` to `end` on screen, or as many of them as there is room for."""
        height, top, per_row = self.size.height, self.scroll_offset.y, self._grid().per_row
        if not height:
            return
        first = start // per_row
        rows = max(start, end - 1) // per_row - first + 1
        if not top - 1 <= first <= top + height:
            # Far away: not at the edge, so that it is seen between what is around it.
            self.scroll_to(0, max(0, first - height // 3), animate=False, force=True)
            top = self.scroll_offset.y
        region = Region(0, first, 1, min(rows, height))
        self.scroll_to_region(region, animate=False, force=True, x_axis=False)

    def _grid(self) -> _Grid:
        digits = max(_FEWEST_DIGITS, len(f"{max(0, self._source.size - 1):x}")) + self.inflated
        return _grid(self.scrollable_content_region.width, digits)

    def _fit(self) -> None:
        rows = -(-self._source.size // self._grid().per_row)
        if rows != self.virtual_size.height:
            self.virtual_size = Size(0, rows)

    def on_resize(self) -> None:
        """Rows of another length; the cursor stays on screen, with what is lit if it is at its start."""
        self._fit()
        if self.lit and self.cursor == self.lit.start:
            self.scroll_to(0, self._top_before, animate=False, force=True)
            self._reveal(self.lit.start, self.lit.stop)
        else:
            self._reveal(self.cursor, self.cursor)

    def action_step(self, count: int) -> None:
        """Move the cursor by `count` bytes."""
        self.go_to(self.cursor + count)

    def action_move(self, rows: int) -> None:
        """Move the cursor by `rows`, to the same column where there is one."""
        per_row = self._grid().per_row
        target = self.cursor + rows * per_row
        is_row = 0 <= target - target % per_row < self._source.size
        self.go_to(target if is_row else self.cursor)

    def action_page(self, pages: float) -> None:
        """Move the cursor by so many screens."""
        self.go_to(self.cursor + int(pages * max(1, self.size.height - 1)) * self._grid().per_row)

    def action_row_end(self, side: int) -> None:
        """Go to the first byte of the row, at `side` -1, or to the last one."""
        per_row = self._grid().per_row
        first = self.cursor - self.cursor % per_row
        self.go_to(first if side < 0 else first + per_row - 1)

    def action_first(self) -> None:
        """Go to the first byte."""
        self.go_to(0)

    def action_last(self) -> None:
        """Go to the last byte."""
        self.go_to(self._source.size - 1)

    def on_click(self, event: events.Click) -> None:
        """Go to the byte that was clicked."""
        offset = event.get_content_offset(self)
        grid = self._grid()
        number = grid.byte_at(offset.x) if offset is not None else None
        if offset is None or number is None:
            return
        target = (offset.y + self.scroll_offset.y) * grid.per_row + number
        if target < self._source.size:
            self.go_to(target)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw what is on screen, and ask for bytes that were missing."""
        self._wants = False
        lines = super().render_lines(crop)
        if self._wants:
            self.post_message(self.BytesWanted())
        return lines

    def render_line(self, y: int) -> Strip:
        """Line `y` of the screen."""
        width = self.scrollable_content_region.width
        grid = self._grid()
        start = (y + self.scroll_offset.y) * grid.per_row
        end = min(start + grid.per_row, self._source.size)
        if start >= end:
            return Strip.blank(width, self.rich_style)
        muted = self.get_component_rich_style("hex-view--muted")
        mark = ">" if start <= self.cursor < end else " "
        digits = grid.digits - self.inflated
        segments = [Segment(f"{mark}{'+' if self.inflated else ''}{start:0{digits}x}", muted)]
        data = self._source.bytes_at(start, end)
        if data is None:
            self._wants = True
            segments.append(Segment(" …", muted))
        else:
            segments += self._bytes(grid, start, end, data, muted)
        return Strip(segments).crop_extend(0, width, self.rich_style)

    def _bytes(self, grid: _Grid, start: int, end: int, data: bytes, muted: Style) -> list[Segment]:
        plain = self.get_component_rich_style("hex-view--byte")
        lit = self.get_component_rich_style("hex-view--lit")
        at_cursor = self.get_component_rich_style("hex-view--cursor", partial=True)
        digits: list[Segment] = []
        characters: list[Segment] = []
        for number in range(grid.per_row + 1):
            offset = start + number
            within = offset in self.lit
            gap = Segment(" ", lit if within and offset - 1 in self.lit else plain)
            between = lit if within and offset != self.lit.start else plain
            bracket = Segment(self._separator(offset, start, end), between)
            if grid.gap and number == _HALF:
                digits += [bracket, gap] if bracket.text == "]" else [gap, bracket]
            else:
                digits.append(bracket)
            if number == grid.per_row:
                break
            if offset >= end:
                digits.append(Segment("  ", plain))
                continue
            style = lit if within else plain
            known = number < len(data)
            byte = data[number] if known else 0
            visible = known and 0x20 <= byte < 0x7F
            character_style = style if visible or within else muted
            if offset == self.cursor:
                style += at_cursor
                character_style = style
            elif not byte and not within:
                style = muted
            digits.append(Segment(f"{byte:02x}" if known else "--", style))
            characters.append(Segment(chr(byte) if visible else "·", character_style))
        return digits + characters

    def _separator(self, offset: int, start: int, end: int) -> str:
        lit = self.lit
        if not lit:
            return " "
        if offset == lit.start and offset < end:
            return "["
        return "]" if offset == lit.stop and start < offset <= end else " "
