"""The table of keys: one key means one thing, and what a mode does not use does nothing else."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.screen import Screen

import inspector.tui
from inspector.tui import MainScreen
from inspector.tui.help import help_of
from inspector.tui.key_actions import key_actions
from inspector.tui.key_table import MEANINGS, PLACES
from inspector.tui.keys import ALWAYS, active_bindings, footer_label, key_label, rank
from inspector.tui.screens.change_menu import ChangeMenu
from inspector.tui.screens.dialog import Dialog, HelpScreen
from tests.support.demo import copy_demo
from tests.support.screens import NARROW, WIDE, footer, inspect, press
from tests.support.shared_screen import SharedScreen, shared_screen
from tests.support.thinning import thinned

SIZES = (NARROW, WIDE, (200, 50))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedScreen]:
    directory = tmp_path_factory.mktemp("keys") / "reftable"
    copy_demo(directory)
    with shared_screen(directory) as screen:
        yield screen


def classes() -> list[type[DOMNode]]:
    """Return every class of the terminal inspector that can have keys."""
    for module in pkgutil.walk_packages(inspector.tui.__path__, "inspector.tui."):
        importlib.import_module(module.name)
    found, waiting = set(), [DOMNode]
    while waiting:
        kinds = waiting.pop().__subclasses__()
        waiting += kinds
        found.update(kind for kind in kinds if kind.__module__.startswith("inspector.tui"))
    return sorted(found, key=lambda kind: kind.__qualname__)


def keys_of(binding: Binding) -> list[str]:
    return [one.key for one in Binding.make_bindings([binding])]


def test_a_key_has_one_meaning() -> None:
    meanings = defaultdict(set)
    for name, meaning in MEANINGS.items():
        for key in keys_of(Binding(meaning.keys, "")):
            meanings[key].add(name)
    assert {key: names for key, names in meanings.items() if len(names) > 1} == {}


def test_all_keys_come_from_the_table_and_have_words() -> None:
    used = set()
    for kind in classes():
        for binding in vars(kind).get("BINDINGS", ()):
            assert binding.id in MEANINGS, (kind, binding)
            assert binding.key == MEANINGS[binding.id].keys, (kind, binding)
            assert binding.description, (kind, binding)
            used.add((binding.id, binding.action))
    assert used == {(use.meaning, use.action) for uses in PLACES.values() for use in uses}


def test_every_dialog_explains_itself() -> None:
    dialogs = [kind for kind in classes() if issubclass(kind, Dialog) and not kind.__subclasses__()]
    assert len(dialogs) > 15
    assert [kind for kind in dialogs if kind is not HelpScreen and help_of(kind) is None] == []


# The modes of the main screen, and the screens above it: the keys that lead there.
MODES: dict[str, tuple[str, ...]] = {
    "refs": ("1",),
    "filter": ("1", "slash"),
    "jump": ("1", "f"),
    "logs": ("2",),
    "stack": ("1", "shift+tab"),
    "detail": ("1", "tab"),
    "tree": ("3",),
    "hex": ("3", "h"),
    "offset": ("3", "f"),
    "compaction": ("4",),
    "marked": ("4", "A"),
    "over time": ("4", "h"),
    "health": ("5",),
    "menu": ("w",),
    "copy": ("1", "y"),
    "export": ("1", "E"),
    "moments": ("T",),
    "snapshots": ("B",),
    "journal": ("at",),
    "add": ("w", "a"),
    "compact": ("w", "c"),
    "expire": ("w", "e"),
    "plan": ("w", "x"),
    "repair": ("w", "r"),
}
LEAVE = ("escape", "escape", "escape")


def chain(screen: Screen[Any]) -> dict[str, set[str]]:
    """Return what each key could come to mean where it is typed, whatever is allowed at the moment."""
    meanings = defaultdict(set)
    for _node, bindings in screen._modal_binding_chain:
        for key, bound in bindings.key_to_bindings.items():
            meanings[key] |= {one.id for one in bound if one.id is not None}
    return meanings


def test_letters_of_changes_do_nothing_on_the_main_screen_and_lead_to_their_plans_from_the_menu(
    shared: SharedScreen,
) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        for letter in "acexruz":
            await press(pilot, letter)
            assert pilot.app.screen is screen, letter
        for letter in "acexr":
            await press(pilot, "w", letter)
            assert not isinstance(pilot.app.screen, ChangeMenu), letter
            assert pilot.app.screen is not screen, letter
            await press(pilot, *LEAVE)
        await press(pilot, "w", "u")
        assert isinstance(pilot.app.screen, ChangeMenu)
        assert "no lock lies beside the tables" in str(pilot.app.screen._said.content)
        await press(pilot, "escape", "4", "h", "c", "X", "A", "enter", "space")
        assert pilot.app.screen is screen
        assert screen._compaction.study.marked == range(0)
        await press(pilot, "h")

    shared(steps)


@pytest.mark.parametrize("mode", thinned(MODES, 9))
def test_no_key_falls_through_and_the_footer_is_filled_with_whole_words_best_first(
    shared: SharedScreen, mode: str
) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, *MODES[mode])
        shown = pilot.app.screen
        assert {key: found for key, found in chain(shown).items() if len(found) > 1} == {}
        told = {label for action in key_actions(shown) for label in action.keys}
        ours = [
            one
            for one in active_bindings(shown)
            if one.enabled and one.binding.id is not None and not one.binding.system
        ]
        assert [key_label(one.binding.key) for one in ours if key_label(one.binding.key) not in told] == []
        lines = []
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            line = footer(pilot).rstrip()
            lines.append(line)
            items: dict[str, tuple[str, int]] = {}
            active = list(active_bindings(shown))
            meanings = {one.binding.id for one in active if one.enabled}
            for _node, binding, _enabled, _tip in active:
                if binding.show:
                    item = f"{footer_label(binding, meanings)} {binding.description}"
                    items.setdefault(binding.action, (item, rank(binding)))
            left = f"{line} "
            for item, _useful in sorted(items.values(), key=lambda item: -len(item[0])):
                left = left.replace(f"{item} ", "", 1)
            assert not left.strip(), size
            always = {item for item, useful in items.values() if useful < ALWAYS}
            assert {item for item in always if item not in line} == set(), size
        assert len(lines[0]) <= len(lines[1]) <= len(lines[2])
        assert "Help" in lines[0]
        if shown is screen and "Clear" not in lines[0]:
            assert lines[0].endswith("? Help q Quit")
        await press(pilot, *LEAVE)
        if screen._compaction.has_class("-what-if"):
            await press(pilot, "h")

    shared(steps)


@pytest.mark.parametrize("key", ["B", "T", "L", "at"])
def test_a_list_without_rows_offers_nothing_that_needs_one(key: str, tmp_path: Path) -> None:
    stack = tmp_path / "reftable"
    stack.mkdir()
    (stack / "tables.list").touch()

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, key)
        assert pilot.app.screen is not screen
        assert footer(pilot).strip() == "esc Back ? Help"

    inspect(stack, steps)


def test_a_list_that_a_filter_leaves_empty_offers_nothing_that_needs_a_row(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        for tab in "12":
            await press(pilot, tab)
            assert " y Copy " in footer(pilot)
            await press(pilot, "slash", *"no such", "enter")
            line = footer(pilot)
            assert "/ Filter" in line
            assert not [words for words in ("Copy", "Bytes", "Open", "Sort", "Export") if words in line]
            await press(pilot, "escape")
            assert " y Copy " in footer(pilot)

    shared(steps)
