"""The stack over time: bands that join, where the cursor is, and the words about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from engine.format import RefRecord
from engine.merge import fastlog2
from engine.stack import Policy, Stack
from engine.table import Table
from inspector.model import LOADS, Course, TableShape, past, replay
from inspector.tui import MainScreen
from inspector.tui.widgets.bands import Scale, counts_line, magnitudes, picture
from inspector.tui.widgets.over_time import ADDITIONS, PAST, OverTime
from tests.support.screens import branches, drive, inspect, log, make_stack, settle, shown_lines
from tests.support.tables import oid


def drawn(course: Course, moments: int, width: int, rows: int = 9) -> list[str]:
    scale = Scale([course.last], [width], width, magnitudes(sizes_of(course), rows))
    return ["".join(run.text for run in line) for line in picture(course, moments, scale)]


def sizes_of(course: Course) -> list[int]:
    return [band.size for band in course.bands(len(course.moments))]


def course(sizes: Sequence[int], rule: Policy) -> Course:
    return Course((), replay([], sizes, rule, 2))


def test_bands_join_in_a_row_above() -> None:
    """Three of one size: two are merged, then the third with both."""
    found = course([100, 100, 100], "geometric")
    assert drawn(found, 1, 6) == [" ┊    ", " ┊    ", "┏┓    "]
    assert drawn(found, 2, 6) == ["   ┊  ", "┏━━┓  ", "╞╡╞╡  "]
    assert drawn(found, 3, 6) == ["┏━━━━┓", "╞══╡ ┊", "├┤├┤╞╡"]


def test_tables_that_never_join_stand_side_by_side_and_are_counted_in_a_cell() -> None:
    found = course([300, 60] * 3, "log2")
    assert drawn(found, 6, 6) == ["┃ ┃ ┃┊", " ┃ ┃ ┃"]
    assert drawn(found, 6, 3) == ["┃┃┃", "┃┃┃"]
    assert drawn(found, 6, 1, rows=1) == ["6"]
    assert drawn(course([300, 60] * 6, "log2"), 12, 1, rows=1) == ["+"]


def test_magnitudes_share_rows_when_there_are_few() -> None:
    assert magnitudes([1, 2, 70, 1000], 9) == [range(9, 10), range(6, 7), range(1, 2), range(1)]
    assert magnitudes([1, 2, 70, 1000], 2) == [range(6, 10), range(2)]
    assert magnitudes([5], 3) == [range(2, 3)]


def test_the_number_of_tables_over_time_fills_its_cells() -> None:
    found = course([300, 60] * 4, "log2")
    scale = Scale([8], [8], 8, magnitudes(sizes_of(found), 2))
    assert counts_line(found, 8, scale, 8) == "▁▂▃▄▅▆▇█"
    assert counts_line(found, 3, scale, 8) == "▁▂▃     "
    wide = Scale([8], [16], 16, scale.rows)
    assert counts_line(found, 8, wide, 8) == "▁▁▂▂▃▃▄▄▅▅▆▆▇▇██"


@given(
    st.lists(st.integers(1, 2**16), min_size=1, max_size=40),
    st.integers(1, 50),
    st.integers(1, 6),
    st.sampled_from(["log2", "geometric"]),
    st.data(),
)
def test_a_picture_never_leaves_its_box(
    sizes: list[int], width: int, rows: int, rule: Policy, data: st.DataObject
) -> None:
    found = course(sizes, rule)
    moments = data.draw(st.integers(1, len(sizes)))
    lines = drawn(found, moments, width, rows)
    assert {len(line) for line in lines} == {width}
    assert len(lines) == min(rows, len({fastlog2(size) for size in sizes_of(found)}))
    heavy = "".join(lines).translate({ord(digit): "9" for digit in "23456789+"})
    assert re.search("[┏┃┗9]", heavy), "there is always a table"


class Host(App[None]):
    def __init__(self, tables: Sequence[Table]) -> None:
        super().__init__()
        self.tables = tables
        self.over_time = OverTime()

    def compose(self) -> ComposeResult:
        yield self.over_time

    def on_mount(self) -> None:
        self.over_time.focus()
        self.over_time.ask(self.tables, 2)

    @property
    def idle(self) -> bool:
        return self.over_time._jobs.idle


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(
        tmp_path / "reftable",
        (branches(60), []),
        (branches(8, 2), [log(b"refs/heads/main", 2)]),
        (branches(1, 3), []),
    )


def test_loads_numbers_and_the_cursor_by_keys_and_mouse_at_every_size(stack: Path) -> None:
    with Stack.open(stack, read_only=True) as opened:
        host = Host(opened.tables)
        host.animation_level = "none"

        async def steps(pilot: Pilot[Any]) -> None:
            widget = host.over_time

            def words() -> str:
                return re.sub(r"\s+", " ", "\n".join(shown_lines(host)))

            async def press(*keys: str) -> str:
                await pilot.press(*keys)
                await settle(pilot)
                return words()

            log2, geometric = widget.courses
            assert len(log2.moments) == widget.question.additions == 50
            said = words()
            assert "load git creates and deletes a branch" in said
            assert f"3 → {log2.moments[-1].tables} tables, at most {log2.most}" in said
            assert f"3 → {geometric.moments[-1].tables} tables, at most {geometric.most}" in said
            assert log2.most >= 50
            assert geometric.most <= 6
            assert "transaction 50: +65 bytes; nothing merged: " in said

            said = await press("comma")
            at = widget.moments
            assert at < 50
            assert any(course.moments[at - 1].merged for course in widget.courses)
            assert f"transaction {at}: " in said
            assert re.search(r"tables \d+ (and|to) \d+ merged: \d+ tables?, [\d.]+× written", said)
            assert "╞" in said or "║" in said
            await press("left", "left")
            assert widget.moments == at - 2
            await press("pageup", "right")
            assert widget.moments == at - 6
            assert "transaction 1: " in await press("home")
            assert "transaction 50: " in await press("end")

            await press("greater_than_sign")
            assert widget.moments == 50, "at once, where nothing is to move by itself"
            host.animation_level = "full"
            await pilot.press("home", "greater_than_sign")
            assert widget._player.playing
            await pilot.press("greater_than_sign")
            assert not widget._player.playing
            widget._advance(3)
            assert widget.moments >= 4
            await pilot.press("greater_than_sign", "down", "up")
            assert not widget._player.playing, "another load is another time"
            host.animation_level = "none"
            await press("end")

            assert "100 (⇧←→) of 360 and 130 bytes" in await press("shift+right", "shift+up")
            assert widget.moments == 100
            await pilot.click(OverTime, offset=(40, 8))
            assert 1 < widget.moments < 60
            for _ in range(len(ADDITIONS)):
                widget.action_additions(-1)
            assert "10 (⇧←→)" in await press("shift+down")

            names = []
            for _ in widget.loads:
                said = await press("down")
                names.append(widget.question.load.name)
                assert names[-1] in said
            assert len(set(names)) == len(LOADS) + 2, "each load, the past, and this stack's own updates"
            while widget.question.load is not PAST:
                await press("down")
            assert widget.courses[0].moments == past(tuple(map(TableShape.of, opened.tables))).moments
            assert "past how this stack came to be" in words()
            assert "transaction 3: " in words()
            assert "transaction 1: " in await press("home")
            assert "╞" not in words()

            for size in ((80, 24), (60, 12), (30, 6), (200, 50), (120, 36)):
                await pilot.resize_terminal(*size)
                for _ in range(2):
                    await press("down")
                    assert widget.courses[0].moments

            widget.ask((), 2)
            await settle(pilot)
            assert [course.begin for course in widget.courses] == [(), ()]
            while widget.question.load is not PAST:
                await press("up")
            assert "The stack is empty: it has no past." in words()
            await press("left", "right", "comma", "full_stop", "pageup", "home", "end")

        drive(host, steps)


def test_a_merge_that_is_seen_is_drawn_as_the_past(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await pilot.press("4")
        await settle(pilot)
        await pilot.press("h", "up")
        await settle(pilot)
        assert "transaction 3: " in "\n".join(shown_lines(pilot.app))
        with Stack.open(stack) as opened:
            opened.compact_all()
        await pilot.press("R")
        await settle(pilot)
        said = "\n".join(shown_lines(pilot.app))
        assert re.search(r"tables 0 to 2, became one of [\d,]+ bytes; 1 table\b", said)
        assert "╞" in said
        with Stack.open(stack) as opened, opened.addition() as addition, addition.table() as writer:
            writer.add_ref(RefRecord(b"HEAD", addition.update_index, oid(1)))
        await pilot.press("R")
        await settle(pilot)
        said = "\n".join(shown_lines(pilot.app))
        assert "transaction 4: a table of " in said
        with Stack.open(stack) as opened:
            opened.compact_all()
            with opened.addition() as addition, addition.table() as writer:
                writer.add_ref(RefRecord(b"HEAD", addition.update_index, oid(2)))
            opened.compact_all()
        await pilot.press("R")
        await settle(pilot)
        said = "\n".join(shown_lines(pilot.app))
        assert re.search("tables 0 and 1, with transaction 5, became one of ", said)

    inspect(stack, steps)
