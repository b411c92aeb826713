"""Help is about what has the focus, and its keys are those that work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Input

from inspector.tui import MainScreen
from inspector.tui.help import GENERAL, GLOSSARY, help_text, key_columns, matching, paragraphs
from inspector.tui.key_actions import KeyAction, key_actions
from inspector.tui.keys import key_label
from inspector.tui.screens.dialog import HelpScreen
from tests.support.habits import HabitsApp, Tables
from tests.support.screens import NARROW, branches, drive, inspect, make_stack, press, shown_lines


def text(app: HabitsApp) -> str:
    return "\n".join(shown_lines(app))


def test_the_text_is_that_of_the_nearest_pane_which_has_one() -> None:
    app = HabitsApp()

    async def steps(pilot: Pilot[Any]) -> None:
        assert help_text(app.screen).strip().startswith("The tables of the stack")
        app.screen.show_tab("logs")  # type: ignore[attr-defined]
        await pilot.pause()
        app.screen.set_focus(app.screen.query_one(Input))
        assert help_text(app.screen) == GENERAL, "what Textual says of an input is not about its use here"

    drive(app, steps)


def test_help_shows_keys_then_text_and_glossary_and_goes_away() -> None:
    app = HabitsApp()

    async def steps(pilot: Pilot[Any]) -> None:
        for closing in ("escape", "question_mark", "f1"):
            await pilot.press("question_mark")
            assert isinstance(app.screen, HelpScreen)
            shown = text(app)
            order = (
                r"Keys of this pane.*↓  j +Move.*Keys everywhere.*R +Reload.*A table is a file that is never"
            )
            assert re.search(order, shown, re.DOTALL)
            assert re.search(r"│   #  position, 0 for the oldest", shown)
            assert re.search(r"b +Block", shown)
            assert "Hidden" not in shown
            assert "Dimmed" not in shown
            for _ in range(4):
                await pilot.press("pagedown")
            assert "update index: The number of a transaction" in text(app)
            await pilot.press(closing)
            assert app.screen.focused is app.screen.query_one(Tables)
        assert app.is_running

    drive(app, steps)


def test_typing_filters_and_enter_runs_what_is_marked_in_its_pane() -> None:
    app = HabitsApp()

    async def steps(pilot: Pilot[Any]) -> None:
        Tables.done.clear()
        await pilot.press("question_mark", "enter")
        assert isinstance(app.screen, HelpScreen), "with nothing marked, there is nothing to run"
        await pilot.press(*"bloc")
        shown = text(app)
        assert re.search(r"> b +Block", shown)
        assert "Reload" not in shown
        assert "See the bytes [of] the block" in shown
        assert "restart point: A record" in shown
        assert "tombstone: A record" not in shown
        await pilot.press("enter")
        assert app.screen.focused is app.screen.query_one(Tables)
        assert Tables.done == ["block"]
        await pilot.press("question_mark", "R", "enter")  # a key is found as well as a word
        assert Tables.done == ["block", "reload"]
        await pilot.press("question_mark", "down", "down", "up", "enter")
        assert Tables.done == ["block", "reload", "move 1"]
        await pilot.press("question_mark", *"zzzz")
        assert "Keys" not in text(app)
        await pilot.press("down", "enter", "escape")
        assert Tables.done == ["block", "reload", "move 1"]

    drive(app, steps)


def test_keys_are_in_as_many_columns_as_have_room() -> None:
    screen = HabitsApp()
    actions = [KeyAction(screen, "", f"Action {number}", "", number < 7, 0, ("x",)) for number in range(9)]
    narrow, _ = key_columns(actions, 0, 20)
    assert [str(line).rstrip() for line in narrow[:3]] == [
        "Keys of this pane",
        "> x  Action 0",
        "  x  Action 1",
    ]
    wide, at = key_columns(actions, 8, 60)
    assert [str(line).split() for line in wide[1:3]] == [
        ["x", "Action", "0", "x", "Action", "2", "x", "Action", "4", "x", "Action", "6"],
        ["x", "Action", "1", "x", "Action", "3", "x", "Action", "5"],
    ]
    assert str(wide[at]).split() == ["x", "Action", "7", ">", "x", "Action", "8"]
    assert matching(actions, "tion 3") == [actions[3]]
    assert matching(actions, "x") == actions
    assert key_columns([], -1, 60) == ([], 0)


@pytest.mark.parametrize("size", [NARROW, (60, 16), (20, 5), (1, 1)])
def test_help_scrolls_in_a_small_terminal(size: tuple[int, int]) -> None:
    app = HabitsApp()

    async def steps(pilot: Pilot[Any]) -> None:
        await pilot.press("question_mark")
        box = app.screen.query_one(VerticalScroll)
        positions = [box.scroll_y]
        for key in ("pagedown", "pagedown", "pageup", "pageup", "pageup"):
            await pilot.press(key)
            positions.append(box.scroll_y)
        assert positions[-1] == 0
        if size[1] > 4:
            assert box.max_scroll_y > 0
            assert positions[1] == positions[3] > 0
        if size[1] > 10:
            for _ in range(9):
                await pilot.press("down")
            assert any(">" in line for line in shown_lines(app)), "what is marked stays in view"

    drive(app, steps, size)


def test_an_action_is_listed_once_with_all_its_keys() -> None:
    app = HabitsApp()

    async def steps(_pilot: Pilot[Any]) -> None:
        actions = {action.action: action for action in key_actions(app.screen)}
        assert actions["move(1)"].keys == ("↓", "j")
        assert actions["quit"].keys == ("q", "ctrl+q")
        assert not {"hidden", "dimmed", "nameless"} & set(actions)
        ours = [action.of_pane for action in key_actions(app.screen)]
        assert ours == sorted(ours, reverse=True)
        assert any(ours)
        assert not all(ours)

    drive(app, steps)


def test_what_does_not_scroll_has_no_keys_to_scroll_it() -> None:
    app = HabitsApp()

    async def steps(pilot: Pilot[Any]) -> None:
        app.screen.show_tab("logs")  # type: ignore[attr-defined]
        scroll = app.screen.query_one("#scroll", VerticalScroll)
        await pilot.pause()
        scroll.focus()
        await pilot.pause()
        assert app.screen.focused is scroll
        assert {"scroll_down", "page_right"} & {b.binding.action for b in app.screen.active_bindings.values()}
        assert not [action for action in key_actions(app.screen) if "scroll" in action.action]

    drive(app, steps)


@pytest.mark.parametrize(
    ("key", "label"),
    [("question_mark", "?"), ("ctrl+d", "ctrl+d"), ("pagedown", "page down"), ("G", "G"), ("enter", "enter")],
)
def test_keys_are_called_as_users_call_them(key: str, label: str) -> None:
    assert key_label(key) == label


def test_paragraphs_lose_their_line_ends_and_indented_lines_keep_them() -> None:
    assert paragraphs("\n  one\n  two\n\n  three\n    a\n    b\n") == ["one two", "three\n  a\n  b"]


def test_the_glossary_has_every_term_of_the_field_in_order() -> None:
    terms = [paragraph.partition(": ")[0] for paragraph in paragraphs(GLOSSARY)]
    assert terms == sorted(terms)
    field = "addition block expiry footer index record section segment stack table tombstone"
    assert {*field.split(), "merged view", "restart point", "update index"} <= set(terms)
    assert all(len(paragraph) > 30 for paragraph in paragraphs(GLOSSARY))


def test_what_textual_binds_has_our_words_and_is_left_out_where_it_does_nothing(tmp_path: Path) -> None:
    stack = make_stack(tmp_path / "reftable", (branches(2), []))

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert {action.title: action.keys for action in key_actions(screen)}["Next pane"] == ("tab",)
        await press(pilot, "B")
        titles = {action.title for action in key_actions(pilot.app.screen)}
        assert not {"Focus Next", "Next pane"} & titles, "nothing but the list can have the keys"
        await press(pilot, "escape", "w", "c", "enter")
        titles = {action.title for action in key_actions(pilot.app.screen)}
        assert "Focus Next" not in titles

    inspect(stack, steps)
