"""The virtual list: widths, drawing, moving, and that none of it depends on how long the list is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from rich.cells import cell_len
from textual import on
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from inspector.rows import RowSource, SequenceRows
from inspector.tui.widgets.virtual_list import Cell, Column, ListPane, VirtualList, fit_columns, fit_text
from tests.support.screens import drive, shown_lines


class Numbers:
    """A source of any length that counts how often it is asked; rows from `known` on are not at hand."""

    def __init__(self, count: int, known: int | None = None, complete: bool = True) -> None:
        self.count = count
        self.known = count if known is None else known
        self.complete = complete
        self.asked = 0
        self.wanting = False

    def row(self, index: int) -> int | None:
        self.asked += 1
        if index < self.known:
            return index
        self.wanting = True
        return None


COLUMNS: list[Column[int]] = [
    Column("number", lambda row, _width: Cell(str(row)), width=8, align="right"),
    Column("text", lambda row, _width: Cell(f"row {row} [bold]x[/bold]"), width=10, flex=1),
]


class ListApp(App[None]):
    """One list, and what it posted."""

    def __init__(self, source: RowSource[int], columns: list[Column[int]] | None = None) -> None:
        super().__init__()
        self.rows: VirtualList[int] = VirtualList(columns or COLUMNS, source, empty="nothing here")
        self.highlighted: list[int | None] = []
        self.wanted = 0

    def compose(self) -> ComposeResult:
        yield ListPane(self.rows)

    def on_mount(self) -> None:
        self.rows.source_changed()
        self.rows.focus()

    @on(VirtualList.Highlighted)
    def _highlighted(self) -> None:
        self.highlighted.append(self.rows.current)

    @on(VirtualList.RowsWanted)
    def _wanted(self) -> None:
        self.wanted += 1


def column(title: str, width: int, flex: int = 0, priority: int = 9) -> Column[object]:
    return Column(title, lambda _row, _width: Cell(""), width=width, flex=flex, priority=priority)


def widths(columns: list[Column[object]], width: int) -> dict[str, int]:
    return {column.title: width for column, width in fit_columns(columns, width)}


def test_what_is_left_over_goes_to_flexible_columns() -> None:
    columns = [column("a", 4), column("b", 5, flex=1), column("c", 5, flex=3)]
    assert widths(columns, 16) == {"a": 4, "b": 5, "c": 5}
    assert widths(columns, 24) == {"a": 4, "b": 7, "c": 11}
    assert widths(columns, 25) == {"a": 4, "b": 7, "c": 12}


@pytest.mark.parametrize("width", range(80))
def test_columns_never_take_more_than_there_is(width: int) -> None:
    columns = [column("a", 10, flex=2), column("b", 5), column("c", 7, flex=1, priority=2), column("d", 3)]
    fitted = fit_columns(columns, width)
    assert sum(width for _, width in fitted) + len(fitted) - 1 <= max(width, 0)


def test_columns_of_low_priority_go_first() -> None:
    columns = [column("a", 10), column("b", 5, priority=3), column("c", 5, priority=1), column("d", 5)]
    assert list(widths(columns, 28)) == ["a", "b", "c", "d"]
    assert list(widths(columns, 27)) == ["a", "b", "d"]
    assert list(widths(columns, 21)) == ["a", "d"]
    assert widths(columns, 7) == {"a": 7}


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 5, "abc  "),
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcd…"),
        ("漢字漢字", 5, "漢字…"),
        ("漢字漢字", 6, "漢字 …"),
        ("e\u0301" * 5, 5, "e\u0301" * 5),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("", 2, "  "),
    ],
)
def test_a_text_takes_exactly_its_width(text: str, width: int, shown: str) -> None:
    assert fit_text(text, width) == shown
    assert cell_len(shown) == width


def test_texts_are_aligned_to_the_right_when_asked() -> None:
    assert fit_text("12", 4, "right") == "  12"


def test_a_huge_text_is_not_measured_whole() -> None:
    assert fit_text("x" * 10**7, 5) == "xxxx…"
    assert fit_text("\u0301" * 10**7, 5).rstrip().endswith("…")


def test_titles_stand_above_their_columns_and_the_cursor_has_a_mark() -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        lines = shown_lines(pilot.app)
        assert lines[0].rstrip() == "    number text"
        assert lines[1].rstrip() == ">        0 row 0 [bold]x[/bold]"
        assert lines[2].rstrip() == "         1 row 1 [bold]x[/bold]"
        assert lines[3].strip() == ""

    drive(ListApp(Numbers(2)), steps, size=(60, 10))


def test_a_list_without_rows_says_so() -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ListApp)
        assert shown_lines(app)[1].rstrip() == "  nothing here"
        await pilot.press("j", "G", "pagedown", "k", "g")
        assert (app.rows.cursor, app.rows.current) == (0, None)
        await pilot.click(app.rows, offset=(5, 3))
        assert app.rows.cursor == 0

    drive(ListApp(SequenceRows()), steps, size=(60, 10))


def test_keys_move_the_cursor() -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ListApp)
        height = app.rows.size.height
        assert height == 20

        def expected() -> Iterator[tuple[str, int]]:
            yield "j", 1
            yield "down", 2
            yield "k", 1
            yield "up", 0
            yield "k", 0
            yield "pagedown", height - 1
            yield "ctrl+d", height - 1 + (height - 1) // 2
            yield "ctrl+u", height - 1
            yield "pageup", 0
            yield "G", 999
            yield "j", 999
            yield "home", 0
            yield "end", 999
            yield "g", 0

        for key, row in expected():
            await pilot.press(key)
            assert app.rows.cursor == row, key
            top = app.rows.scroll_offset.y
            assert top <= row < top + height, key

    drive(ListApp(Numbers(1000)), steps, size=(60, 21))


def test_wheel_and_click() -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ListApp)
        await pilot.click(app.rows, offset=(5, 4))
        assert app.rows.cursor == 4
        app.rows.scroll_to(y=500, animate=False)
        await pilot.pause()
        assert app.rows.cursor == 4
        await pilot.click(app.rows, offset=(5, 2))
        assert app.rows.cursor == 502
        app.rows.scroll_to(y=0, animate=False)
        await pilot.press("j")
        assert app.rows.cursor == 503
        assert app.rows.scroll_offset.y <= 503 < app.rows.scroll_offset.y + app.rows.size.height
        await pilot.press("g")
        app.rows.scroll_to(y=500, animate=False)
        await pilot.press("k")
        assert (app.rows.cursor, app.rows.scroll_offset.y) == (0, 0)

    drive(ListApp(Numbers(1000)), steps, size=(60, 21))


def test_a_key_costs_the_same_at_any_length() -> None:
    costs = {}

    async def steps(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ListApp)
        source = app.rows.source
        assert isinstance(source, Numbers)
        cost = {"start": source.asked}
        for key in ("j", "pagedown", "G", "g", "G", "k"):
            before = source.asked
            await pilot.press(key)
            await pilot.pause()
            cost[key] = max(cost.get(key, 0), source.asked - before)
        costs[source.count] = cost

    for count in (1000, 10_000_000):
        drive(ListApp(Numbers(count)), steps, size=(60, 21))
    assert costs[10_000_000] == costs[1000]
    assert max(costs[1000].values()) <= 100
    assert costs[1000]["j"] <= 6


def test_a_row_that_is_not_at_hand_is_drawn_when_it_comes() -> None:
    source = Numbers(100, known=3)

    async def steps(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ListApp)
        lines = shown_lines(app)
        assert "row 2" in lines[3]
        assert lines[4].strip() == "…"
        wanted = app.wanted
        await pilot.press("G")
        await pilot.pause()
        assert app.wanted > wanted
        assert app.highlighted[-1] is None
        source.known, source.wanting = 100, False
        app.rows.source_changed()
        await pilot.pause()
        assert "row 99" in shown_lines(app)[-1]
        assert app.highlighted[-1] == 99

    drive(ListApp(source), steps, size=(60, 11))


def test_the_end_is_followed_while_rows_are_counted_until_another_key() -> None:
    source = Numbers(100, complete=False)

    async def steps(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ListApp)
        await pilot.press("G")
        for source.count in (1000, 2000):
            app.rows.source_changed()
            assert app.rows.cursor == source.count - 1
        await pilot.press("k")
        source.count = 3000
        app.rows.source_changed()
        assert app.rows.cursor == 1998
        await pilot.press("G")
        source.count, source.complete = 4000, True
        app.rows.source_changed()
        await pilot.pause()
        assert app.rows.cursor == 3999
        assert app.rows.scroll_offset.y == 4000 - app.rows.size.height

    drive(ListApp(source), steps, size=(60, 11))


def test_a_shorter_source_keeps_the_cursor_inside() -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ListApp)
        await pilot.press("G")
        app.rows.show(SequenceRows([7, 8]))
        await pilot.pause()
        assert (app.rows.cursor, app.rows.current) == (1, 8)
        assert "row 8" in shown_lines(app)[2]
        app.rows.show(SequenceRows())
        await pilot.pause()
        assert app.rows.cursor == 0
        assert "nothing here" in shown_lines(app)[1]

    drive(ListApp(Numbers(100)), steps, size=(60, 11))


def test_the_cursor_stays_on_screen_when_the_terminal_shrinks() -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ListApp)
        await pilot.press("pagedown")
        cursor = app.rows.cursor
        await pilot.resize_terminal(30, 8)
        await pilot.pause()
        top = app.rows.scroll_offset.y
        assert app.rows.cursor == cursor
        assert top <= cursor < top + app.rows.size.height
        assert any(line.startswith(">") for line in shown_lines(app))
        assert all(cell_len(line) <= 30 for line in shown_lines(app))

    drive(ListApp(Numbers(100)), steps, size=(60, 21))


def test_lines_are_drawn_anew_in_another_theme() -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ListApp)
        dark = app.rows.render_line(3)
        app.theme = "textual-light"
        await pilot.pause()
        light = app.rows.render_line(3)
        assert light.text == dark.text
        assert light != dark

    drive(ListApp(Numbers(100)), steps, size=(60, 21))
