"""The compaction pane on real stacks: bars, steps, ranges marked by hand, dry runs, what-if."""

from __future__ import annotations

import re
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot

from engine.format import RefRecord
from engine.merge import CompactionPlan, plan_compaction
from engine.stack import Stack, StackOptions
from inspector.model import Blocked, PastCompaction, Session, StackView, TableSize
from inspector.text import file_size
from inspector.tui import MainScreen
from inspector.tui.widgets.axis import Axis
from inspector.tui.widgets.compaction_pane import CompactionPane
from inspector.tui.widgets.geometry import BarList
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.widgets.over_time import OverTime
from tests.support.handmade import change_byte
from tests.support.screens import (
    NARROW,
    WIDE,
    branches,
    drive,
    inspect,
    make_stack,
    make_tall_stack,
    shown_lines,
)
from tests.support.thinning import thinned

COUNTS = (400, 100, 50, 45, 6, 5, 1)
"""Refs of the tables: one large, two of a magnitude, and a tail that the geometric rule merges."""

Steps = Callable[[Pilot[Any], CompactionPane], Awaitable[None]]


class Host(App[None]):
    """A screen that holds the pane, and notes what it says."""

    def __init__(self, view: StackView, pane: CompactionPane) -> None:
        super().__init__()
        self.view = view
        self.pane = pane
        self.wanted: list[tuple[int, int]] = []
        self.escaped = 0

    BINDINGS = [("escape", "note_escape", "Back")]  # noqa: RUF012 - Textual's interface

    def compose(self) -> ComposeResult:
        yield self.pane
        yield KeyBar()

    def on_mount(self) -> None:
        self.pane.show(self.view)
        self.pane.focus_target.focus()

    def on_compaction_pane_compact_wanted(self, event: CompactionPane.CompactWanted) -> None:
        self.wanted.append((event.tables.start, event.tables.stop))

    def action_note_escape(self) -> None:
        self.escaped += 1


def show(
    directory: Path,
    steps: Steps,
    size: tuple[int, int] = WIDE,
    options: StackOptions | None = None,
    pane: CompactionPane | None = None,
) -> Host:
    with Session.open(directory, label="test", options=options or StackOptions()) as session:
        host = Host(session.view, pane or CompactionPane())

        async def run(pilot: Pilot[Any]) -> None:
            await steps(pilot, host.pane)

        drive(host, run, size)
    return host


async def settle(pilot: Pilot[Any]) -> None:
    """Wait for what runs in threads, also for what was cancelled there."""
    while not all(worker.is_finished for worker in pilot.app.workers):
        await pilot.pause()
    await pilot.pause()


async def press(pilot: Pilot[Any], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
    await settle(pilot)


def text(pane: CompactionPane) -> str:
    return "\n".join(shown_lines(pane.app))


def words(pane: CompactionPane) -> str:
    """The screen's text with its lines run together, since sentences wrap."""
    return re.sub(r"\s+", " ", text(pane))


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make_stack(
        tmp_path / "reftable",
        *((branches(count, index), []) for index, count in enumerate(COUNTS, start=1)),
    )


def column(pane: CompactionPane, title: str) -> list[str]:
    """What stands under a title of the bars before, from the oldest table on."""
    bars = pane.query(BarList).first()
    places = {column.title: (column, width) for column, width in bars.fitted()}
    cells, width = places[title]
    found = [cells.cell(bars.source.row(index), width) for index in range(bars.source.count)]
    return [cell if isinstance(cell, str) else cell.text for cell in found]


def test_a_suggestion_stands_beside_the_bars_once_its_steps_have_led_there(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        assert not any(column(pane, "L") + column(pane, "G") + column(pane, "R") + column(pane, "2^k"))
        assert "Merge tables" not in words(pane)
        assert not pane.has_class("-seen"), "the bars after the merge"
        await press(pilot, "right_curly_bracket")
        assert "Merge tables" in words(pane)
        assert pane.has_class("-seen")
        assert any(column(pane, "L"))
        assert not any(column(pane, "G")), "each rule has its own steps"
        await press(pilot, "X", "right_curly_bracket")
        marks = {"log2": column(pane, "L"), "geometric": column(pane, "G")}
        for rule, marked in marks.items():
            suggested = pane.study.suggestion(rule)  # type: ignore[arg-type]
            assert [bool(mark) for mark in marked] == [at in suggested for at in range(len(COUNTS))]
        assert marks["log2"] != marks["geometric"]
        await press(pilot, "left_curly_bracket")
        assert not any(column(pane, "G") + column(pane, "R")), "to guess once more"
        assert column(pane, "L") == marks["log2"]

    show(stack, steps)


def test_a_rule_that_is_configured_is_shown_first_at_its_result(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        assert "[geometric ×2] (+ -) the stack's own: log2" in words(pane)
        assert "Merge tables" in words(pane)
        await press(pilot, "X")
        assert pane.study.hidden

    show(stack, steps, pane=CompactionPane("geometric"))


def test_the_rule_of_the_stack_is_shown_first_and_named(stack: Path) -> None:
    async def log2(_pilot: Pilot[Any], pane: CompactionPane) -> None:
        assert "[log2] geometric ×2 the stack's own: log2" in words(pane)

    async def geometric(_pilot: Pilot[Any], pane: CompactionPane) -> None:
        assert "log2 [geometric ×5] (+ -) the stack's own: geometric ×5" in words(pane)

    show(stack, log2)
    show(stack, geometric, options=StackOptions(policy="geometric", factor=5))


@pytest.mark.parametrize("size", thinned([WIDE, NARROW], 2))
def test_steps_go_forth_and_back_in_words_with_their_numbers(stack: Path, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        last = len(pane.study.steps)
        sizes = pane.study.sizes
        assert f"step 0 of {last} which tables are merged?" in words(pane)
        assert "2 Begin: it begins with the oldest table smaller than 2 × all newer ones" in words(pane)
        await press(pilot, ",", ".")
        assert f"step 1 of {last}" in words(pane), "before the start there is nothing"
        expected = f"Is table 5 smaller than 2 × table 6: {sizes[5]:,} < 2 × {sizes[6]:,} = {2 * sizes[6]:,}?"
        assert expected in words(pane)
        await press(pilot, ".")
        assert f"step 2 of {last}" in words(pane)
        compared = f"{sizes[4]:,} < 2 × {sizes[5]:,} = {2 * sizes[5]:,}?"
        assert f"{compared} Yes, too small: the range ends with table 5." in words(pane)
        assert re.search(r"2 × table 5 \S+ [\d.]+K? 0\.\d\d times as large: too small", words(pane)), (
            "as bars"
        )
        await press(pilot, ",")
        assert expected in words(pane)
        await press(pilot, "right_curly_bracket")
        assert f"step {last} of {last}" in words(pane)
        await press(pilot, ".")
        assert f"step {last} of {last}" in words(pane), "there is nothing behind the result"
        await press(pilot, "left_curly_bracket")
        assert f"step 0 of {last}" in words(pane)

    show(stack, steps, size, StackOptions(policy="geometric"))


def test_play_stops_at_each_answer_that_changes_something(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        stops = []
        while pane.study.hidden:
            await press(pilot, "greater_than_sign")
            stops.append(pane.study.at)
            assert pane.study.at == len(pane.study.steps) or pane.study.step.yes  # type: ignore[union-attr]
        missed = [number for number in range(1, stops[-1]) if number not in stops]
        assert missed
        assert not any(pane.study.steps[number - 1].yes for number in missed)
        await press(pilot, "greater_than_sign")
        assert pane.study.at == 0, "from the result, it is played once more"

    show(stack, steps, options=StackOptions(policy="geometric"))


def test_a_step_marks_what_is_asked_and_what_it_is_compared_with(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, ".", ".", ".")
        step = pane.study.step
        assert step is not None
        assert step.kind == "begin"
        asked = column(pane, "?")
        assert [at for at, mark in enumerate(asked) if mark == "?"] == list(step.looked)
        assert [at for at, mark in enumerate(asked) if mark == "="] == list(step.against)
        marked = range(step.marked.start, step.marked.end)
        assert [at for at, mark in enumerate(column(pane, "R")) if mark] == list(marked)

    show(stack, steps, options=StackOptions(policy="geometric"))


def test_segments_are_drawn_as_far_as_the_stack_is_cut(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, ".", ".")
        assert [bool(mark.strip()) for mark in column(pane, "2^k")] == [True] * 2 + [False] * 5
        await press(pilot, "right_curly_bracket")
        whole = column(pane, "2^k")
        assert all(whole)
        assert [mark.strip() for mark in whole if "┌" in mark]

    show(stack, steps)


def test_the_factor_changes_what_the_geometric_rule_says(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "right_curly_bracket")
        before = column(pane, "G")
        pane.action_factor(4)
        await press(pilot, "+")
        assert "geometric ×7" in words(pane)
        assert column(pane, "G") != before
        await press(pilot, "-")
        assert "geometric ×6" in words(pane)
        pane.action_factor(-4)
        assert column(pane, "G") == before
        pane.action_factor(-1000)
        assert pane.study.factor == 1
        pane.action_factor(1000)
        assert pane.study.factor == 255

    show(stack, steps, options=StackOptions(policy="geometric"))


def test_a_range_is_marked_by_hand_in_one_piece(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "j", "space")
        assert pane.study.marked == range(1, 2)
        assert "one table alone is not merged" in words(pane)
        await press(pilot, "j", "j", "space")
        assert pane.study.marked == range(1, 4), "with all between"
        assert [bool(mark) for mark in column(pane, "M")] == [at in range(1, 4) for at in range(7)]
        assert "Merge tables 1 to 3 (marked)" in words(pane)
        await press(pilot, "space")
        assert pane.study.marked == range(1, 3)
        await press(pilot, "g", "j", "space")
        assert pane.study.marked == range(2, 3)
        await press(pilot, "A")
        assert pane.study.marked == range(7)
        await press(pilot, "escape")
        assert not pane.study.marked
        assert pane.study.target == pane.study.suggestion("log2")

    host = show(stack, steps)
    assert host.escaped == 0


def test_marks_follow_the_cursor_with_capital_v_and_with_shift(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "j", "V", "j", "j")
        assert pane.study.marked == range(1, 4)
        await press(pilot, "V", "j")
        assert pane.study.marked == range(1, 4), "the cursor has gone on alone"
        await press(pilot, "escape", "shift+up", "shift+up")
        assert pane.study.marked == range(2, 5)
        await press(pilot, "shift+down", "shift+down", "shift+down")
        assert pane.study.marked == range(4, 6), "over the table where it began"

    show(stack, steps)


def test_a_dry_run_says_exactly_what_the_merge_would_do(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "A")
        assert re.search(r"~[\d,]+ bytes out of [\d,]+ by the sizes alone \(enter: exactly\)", words(pane))
        assert "7 → 1 table." in words(pane)
        await press(pilot, "enter")
        plan = plan_compaction(pane.study.tables, 0, 7, StackOptions())
        assert pane.study.outcome == plan
        assert f"Exactly {plan.bytes:,} bytes out of " in words(pane)
        assert f"drops {plan.dropped.shadowed:,} superseded, 0 tombstones. Tombstones go" in words(pane)
        await press(pilot, "escape", "j", "space", "j", "space")
        assert "by the sizes alone" in words(pane), "another range, another result"
        assert "Tombstones stay: table 0 is out of the range" in words(pane)
        await press(pilot, "A")
        assert "Exactly " in words(pane), "a result that is known stays"

    show(stack, steps)


def test_a_merge_that_leaves_nothing_leaves_no_bar(tmp_path: Path) -> None:
    gone = make_stack(tmp_path, (branches(1), []), ([RefRecord(branches(1)[0].name, 2)], []))

    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "A", "enter")
        assert "2 → 0 tables" in words(pane)
        assert "Exactly 0 bytes" in words(pane)
        assert "no table is left" in words(pane)

    show(gone, steps)


def test_a_range_with_a_damaged_table_is_blocked_and_says_why(stack: Path) -> None:
    name = (stack / "tables.list").read_text().split()[3]

    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "A", "enter")
        assert isinstance(pane.study.outcome, Blocked)
        assert f"BLOCKED: tables 0 to 6 (marked) cannot be merged (enter: repair). Table 3, {name}" in words(
            pane
        )
        assert "enter Repair…" in words(pane)
        await press(pilot, "escape", "G", "space", "k", "space", "enter")
        assert "Exactly " in words(pane), "other tables are merged as before"
        assert "enter Dry run" in words(pane)
        await press(pilot, "escape", "g", "j", "j", "space", "j", "space")
        assert "BLOCKED: tables 2 and 3 (marked)" in words(pane), "damage that was met is remembered"

    change_byte(stack / name, 28, 0x30)
    show(stack, steps)


def test_c_asks_for_the_range_whether_or_not_steps_were_made(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "c")
        assert pane.study.hidden
        await press(pilot, "A", "c")
        await press(pilot, "escape", "space", "c")
        assert pane.study.marked == range(1)

    host = show(stack, steps)
    with Stack.open(stack, read_only=True) as opened:
        suggested = opened.suggestion()
    assert host.wanted == [(suggested.start, suggested.end), (0, 7)], "one table alone is no range to merge"


def test_escape_that_has_nothing_to_leave_is_for_the_screen(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "h")
        assert isinstance(pane.app.focused, OverTime)
        await press(pilot, "escape")
        assert isinstance(pane.app.focused, BarList)
        await press(pilot, "escape")

    assert show(stack, steps).escaped == 1


class Held(CompactionPane):
    """A pane whose dry run waits at its first report until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def post_message(self, message: Message) -> bool:
        posted = super().post_message(message)
        if threading.current_thread() is not threading.main_thread():
            assert self.go_on.wait(60)
        return posted


def test_escape_stops_a_dry_run_in_the_middle(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        assert isinstance(pane, Held)
        await pilot.press("A", "enter")
        while not (progress := re.search(r"Dry run of tables 0 to 6… refs (\d+%)", words(pane))):
            await pilot.pause()
        assert progress[1] != "100%"
        assert "by the sizes alone" in words(pane), "what is known is still shown"
        await pilot.press("escape")
        assert not pane.running
        assert pane.study.marked, "one thing at a time"
        pane.go_on.set()
        await settle(pilot)
        assert pane.study.outcome is None
        assert "Dry run of" not in words(pane)
        await press(pilot, "enter")
        assert "Exactly " in words(pane)

    show(stack, steps, pane=Held())


class Faulty(CompactionPane):
    """A pane whose dry run meets a fault of the program at its first report."""

    is_faulty = True

    def post_message(self, message: Message) -> bool:
        if self.is_faulty and threading.current_thread() is not threading.main_thread():
            self.is_faulty = False
            raise RuntimeError("out of \x1b[2J order")
        return super().post_message(message)


def test_a_dry_run_that_fails_for_no_fault_of_a_table_says_so(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "A", "enter")
        assert r"The dry run failed: a defect of this program: RuntimeError: out of \x1b[2J order" in words(
            pane
        )
        assert not pane.running
        assert pane.study.outcome is None

    show(stack, steps, pane=Faulty())


def test_a_dry_run_of_tables_that_are_gone_is_stopped(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        assert isinstance(pane, Held)
        await pilot.press("A", "enter")
        with Stack.open(stack, StackOptions(auto_compact=False)) as writer:
            writer.compact(5, 7)
        with Session.open(stack, label="test", options=StackOptions()) as newer:
            pane.show(newer.view)
            assert not pane.running
            pane.go_on.set()
            await settle(pilot)
            assert pane.study.outcome is None

    show(stack, steps, pane=Held())


def test_marks_cursor_and_results_stay_when_the_stack_grows(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "j", "space", "j", "space", "enter")
        exact = pane.study.outcome
        assert isinstance(exact, CompactionPlan)
        with Stack.open(stack, StackOptions(auto_compact=False)) as writer:
            writer.compact(3, 7)
        make_stack(stack, (branches(3, 8), []))
        with Session.open(stack, label="test", options=StackOptions()) as newer:
            pane.show(newer.view)
            await settle(pilot)
            assert len(pane.study.tables) == 5
            assert pane.study.marked == range(1, 3)
            assert pane.query(BarList).first().cursor == 2
            assert pane.study.outcome == exact
            with Stack.open(stack, StackOptions(auto_compact=False)) as writer:
                writer.compact_all()
            with Session.open(stack, label="test", options=StackOptions()) as newest:
                pane.show(newest.view)
                await settle(pilot)
                assert not pane.study.marked, "the tables are gone"
                assert "One table alone: there is nothing to merge." in words(pane)

    show(stack, steps)


def test_another_stack_is_another_question_unless_the_result_is_looked_at(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, ".", ".", "X", "right_curly_bracket")
        make_stack(stack, (branches(3, 8), []))
        with Session.open(stack, label="test", options=StackOptions()) as newer:
            pane.show(newer.view)
            await settle(pilot)
            assert len(pane.study.tables) == len(COUNTS) + 1
            assert not pane.study.hidden
            await press(pilot, "X")
            assert pane.study.at == 0

    show(stack, steps)


def test_the_same_view_again_keeps_the_step(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, ".", ".")
        pane.show(pane.app.view)  # type: ignore[attr-defined]
        assert pane.study.at == 2

    show(stack, steps)


@pytest.mark.parametrize("tables", [0, 1])
def test_a_stack_with_nothing_to_merge_takes_every_key(tmp_path: Path, tables: int) -> None:
    directory = make_stack(tmp_path / "reftable", *[(branches(3), [])] * tables)

    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "space", "enter", "c", "shift+down", "escape")
        for binding in pane.BINDINGS:
            if binding.action not in ("leave", "now"):  # type: ignore[union-attr]
                await pane.run_action(binding.action)  # type: ignore[union-attr]
        await settle(pilot)
        assert not pane.running
        assert isinstance(pane.focus_target, OverTime), "to which a key went"

    assert show(directory, steps).wanted == []


def test_file_sizes_are_shown_on_request(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        assert column(pane, "size") == [file_size(table.policy_size) for table in pane.study.tables]
        await press(pilot, "F")
        assert "file sizes" in words(pane)
        assert column(pane, "size") == [file_size(table.size) for table in pane.study.tables]

    show(stack, steps)


def test_the_stack_over_time_is_drawn_in_place_of_the_study_and_follows_the_factor(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "h")
        assert "geometric ×2 (+ -)" in words(pane)
        before = pane.query_one(OverTime).courses
        assert len(before) == 2
        await press(pilot, "+")
        assert "geometric ×3" in words(pane)
        after = pane.query_one(OverTime).courses
        assert after[0].moments == before[0].moments
        assert after[1].moments != before[1].moments
        await press(pilot, "h")
        assert pane.study.factor == 3

    show(stack, steps)


def test_a_tall_stack_makes_only_the_rows_on_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = make_tall_stack(tmp_path / "reftable", 1500)
    row = Axis.row
    made: list[int] = []

    def counted(axis: Axis, size: int, threshold: int | None = None) -> tuple[str, int]:
        made.append(size)
        return row(axis, size, threshold)

    monkeypatch.setattr(Axis, "row", counted)

    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        for key in (".", "G", "space"):
            await press(pilot, key)
            assert text(pane)
        assert 0 < len(made) < 1000

    show(directory, steps)


def test_resizing_keeps_everything(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "j", "space", "j", "space")
        for size in ((60, 16), (30, 8), (200, 60), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert pane.study.marked == range(1, 3)
        assert "Merge tables 1 and 2 (marked)" in words(pane)

    show(stack, steps)


def sizes_of_then(*sizes: int, begin: int = 0) -> tuple[TableSize, ...]:
    return tuple(TableSize(f"{number}", size + 91, size) for number, size in enumerate(sizes, start=begin))


@pytest.mark.parametrize("size", thinned([WIDE, NARROW], 2))
def test_a_compaction_that_has_been_is_played_on_the_sizes_of_then(
    stack: Path, size: tuple[int, int]
) -> None:
    before, new = sizes_of_then(9000, 100, 90, 80, 3), sizes_of_then(200, begin=9)

    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        await press(pilot, "j", "j", "space")
        pane.replay(PastCompaction("git at 12:01\x1b[2J", before, range(1, 4), (before[0], *new, before[4])))
        await pilot.pause()
        assert r"REPLAY git at 12:01\x1b[2J · sizes of then · escape: now" in words(pane)
        assert "step 0 of " in words(pane)
        assert column(pane, "size") == [file_size(table.policy_size) for table in before]
        await press(pilot, "enter", "c")
        assert not pane.running
        assert pane.shown.hidden, "there is nothing to merge any more"
        await press(pilot, "right_curly_bracket")
        assert "Merge tables 1 to 3 (as it was)" in words(pane)
        assert "Exactly 291 bytes out of " in words(pane)
        pane.show(pane.app.view)  # type: ignore[attr-defined]
        assert "REPLAY" in words(pane), "what is seen of the stack of now waits behind it"
        await press(pilot, "escape")
        assert "REPLAY" not in words(pane)
        assert pane.study.marked == range(2, 3), "all is as it was left"
        pane.replay(PastCompaction("compact --from 0", before, range(3), (*new, *before[3:])))
        await pilot.pause()
        assert "Merge tables 0 to 2 (by neither rule)" in words(pane)
        pane.now()
        await pilot.pause()
        assert "REPLAY" not in words(pane)

    host = show(stack, steps, size)
    assert host.wanted == []
    assert host.escaped == 0


def bar_styles(bars: BarList, row: int) -> set[Style | None]:
    """How the bar in a row is drawn."""
    return {segment.style for segment in bars.render_line(row) if "█" in segment.text}


def test_the_bar_under_the_cursor_keeps_its_colour(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        bars = pane.query(BarList).first()
        assert bars.has_focus
        assert bars.render_line(0).text.startswith(">"), "the mark of the cursor"
        assert bar_styles(bars, 0) == bar_styles(bars, 1)
        await press(pilot, "A")
        assert bar_styles(bars, 0) == bar_styles(bars, 1)

    show(stack, steps)


def test_tables_slide_into_one_and_any_key_ends_it(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        def after() -> list[int | range]:
            source = pane._after.source
            return [source.row(at) for at in range(source.count)]

        pane.action_result()
        target = pane.study.target
        end = [*range(target.start), target, *range(target.stop, len(COUNTS))]
        assert after() == end, "at once where nothing is to move by itself"
        pane.app.animation_level = "full"
        pane.action_start()
        pane.action_result()
        assert len(after()) == len(COUNTS), "at first each stands alone"
        while pane._slides:
            await pilot.pause(0.01)
        assert after() == end
        pane.action_start()
        pane.action_result()
        await pilot.press("j")
        assert after() == end
        assert not pane._slider.playing

    show(stack, steps)


def test_playing_is_said_and_ends_with_a_key_or_when_it_is_not_seen(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], pane: CompactionPane) -> None:
        pane.app.animation_level = "full"
        pane.action_play()
        assert pane.study.at == 1, "a key is answered at once"
        assert pane._player.playing
        await pilot.pause()
        assert "step 1 of" in words(pane)
        assert "playing, > pauses" in words(pane)
        await press(pilot, "escape")
        assert not pane._player.playing
        assert "playing" not in words(pane)
        for stop in ("action_play", "action_switch_rule", "action_start", "action_other_view"):
            pane.action_play()
            assert pane._player.playing
            getattr(pane, stop)()
            assert not pane._player.playing
        await press(pilot, "h")
        pane.action_play()
        pane.display = False
        while pane._player.playing:
            await pilot.pause()
        assert pane.shown.hidden

    assert show(stack, steps).escaped == 0


@pytest.mark.parametrize("key", ["c", "enter"])
def test_a_key_that_has_nothing_to_merge_says_why(tmp_path: Path, key: str) -> None:
    stack = make_stack(tmp_path / "one", (branches(3), []))

    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await pilot.press("4", key)
        await pilot.pause()
        assert [one.message for one in pilot.app._notifications] == ["There is nothing to merge."]
        await pilot.press("space", key)
        await pilot.pause()
        assert "one table alone is not merged" in [one.message for one in pilot.app._notifications][-1]

    inspect(stack, steps)
