"""Left open on whatever screen, or beside a stack that never rests, the inspector does not grow.

Time is the test's: it calls what the program calls twice a second. Objects are counted by their types.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import pkgutil
import weakref
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

import inspector.model.history
import inspector.tui.screens
from engine.format import RefRecord
from engine.git import StackLocation
from engine.stack import Stack, StackOptions
from inspector.rows import LogRows, RefRows, SequenceRows
from inspector.tui import InspectorApp, MainScreen
from inspector.tui.screens.add import AddScreen
from inspector.tui.screens.change_menu import ChangeMenu
from inspector.tui.screens.changes import ChangesScreen, OutcomesScreen
from inspector.tui.screens.compact import CompactScreen
from inspector.tui.screens.copy_row import CopyScreen
from inspector.tui.screens.dialog import ConfirmScreen, Dialog, HelpScreen, LeadsToScreen, ListDialog
from inspector.tui.screens.expire import ExpireScreen
from inspector.tui.screens.export_rows import ExportScreen
from inspector.tui.screens.form import FormScreen
from inspector.tui.screens.history import HistoryScreen
from inspector.tui.screens.journal import JournalScreen
from inspector.tui.screens.live import LiveScreen
from inspector.tui.screens.moments import MomentsScreen
from inspector.tui.screens.navigable import NavigableScreen
from inspector.tui.screens.no_prompt import NoPromptScreen
from inspector.tui.screens.picker import PickerScreen
from inspector.tui.screens.plan import ActionScreen, RepairScreen
from inspector.tui.screens.snapshots import SnapshotsScreen
from inspector.tui.screens.stack_screen import StackScreen
from inspector.tui.screens.tour import TourScreen
from inspector.tui.terminal import Palette
from inspector.tui.widgets.virtual_list import VirtualList
from tests.support.quick_pilot import rest
from tests.support.screens import branches, damage_block, log, make_stack, open_session, press, settle
from tests.support.tables import oid
from tests.support.thinning import ALL, thinned

LOOKS: Final = 1000 if ALL else 60
FEW_LOOKS: Final = 250 if ALL else 60
FIRST_LOOKS: Final = 50
"""Looks after which everything is there that is made once: threads, what is kept for the next time."""

COMMITS: Final = 3000
COMMITS_PER_LOOK: Final = 25

Way = tuple[str, ...] | Callable[[Path], Screen[Any]]

# How to come to each screen, from the list of refs. A new screen has to be added.
WAYS: Final[dict[type[Screen[Any]], Way]] = {
    AddScreen: ("w", "a"),
    ChangeMenu: ("w",),
    ChangesScreen: ("T", "d"),
    OutcomesScreen: ("w", "r", "d"),
    CompactScreen: ("w", "c"),
    CopyScreen: ("y",),
    HelpScreen: ("question_mark",),
    ConfirmScreen: ("w", "r", "enter"),
    ExpireScreen: ("w", "e"),
    ExportScreen: ("E",),
    HistoryScreen: ("L",),
    JournalScreen: ("at",),
    NoPromptScreen: ("5", "slash"),
    MomentsScreen: ("T",),
    PickerScreen: lambda stack: PickerScreen([StackLocation("main", stack, True)], StackOptions()),
    LeadsToScreen: ("l",),
    TourScreen: lambda _stack: TourScreen(),
    ActionScreen: ("w", "x"),
    RepairScreen: ("w", "r"),
    SnapshotsScreen: ("B",),
    Palette: ("colon",),
}
FOUNDATIONS: Final = {Dialog, ListDialog, FormScreen, StackScreen, LiveScreen, NavigableScreen}
TABS: Final = ("1", "2", "3", "4", "5")


def all_screens() -> set[type[Screen[Any]]]:
    """Every class of a screen that the program has, but those that others are made of."""
    for module in pkgutil.iter_modules(inspector.tui.screens.__path__, "inspector.tui.screens."):
        importlib.import_module(module.name)
    found: list[type[Screen[Any]]] = [Screen]
    for kind in found:
        found += [one for one in kind.__subclasses__() if one not in found]
    ours = {kind for kind in found if kind.__module__.startswith("inspector.")}
    return ours - FOUNDATIONS


def test_the_soak_knows_every_screen() -> None:
    assert all_screens() == {MainScreen, *WAYS}


async def look(app: InspectorApp, main: MainScreen) -> None:
    """Have the watch look once, and wait for what comes of it."""
    main._watching = True
    main._look()
    await rest(app)
    while not main._jobs.idle:
        await asyncio.sleep(0.0005)
        await rest(app)


def objects() -> Counter[str]:
    """All objects that are not garbage, by the names of their types.

    Of the caches that Textual makes by the seven for each strip, the strips are counted: ten lines more that
    happen to be drawn make seventy of them.
    """
    gc.collect()
    names: Counter[str] = Counter()
    for kind, number in Counter(map(type, gc.get_objects())).items():
        names[f"{kind.__module__}.{kind.__qualname__}"] += number
    names.pop("textual.cache.FIFOCache", None)
    return names


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def growth(before: Counter[str], looks: int) -> dict[str, int]:
    """The types of which there is one more for each few looks: not all looks do the same."""
    return {name: more for name, more in (objects() - before).items() if more > max(40, looks // 5)}


async def stay(app: InspectorApp, main: MainScreen, looks: int) -> dict[str, int]:
    """Look so often, after some looks more; what has grown twice: a cache that fills does so once."""
    for _ in range(FIRST_LOOKS):
        await look(app, main)
    files = descriptors()
    grown: dict[str, int] | None = None
    for _ in range(2):
        before = objects()
        for _ in range(looks):
            await look(app, main)
        assert descriptors() <= files
        now = growth(before, looks)
        grown = now if grown is None else {name: now[name] for name in now if name in grown}
        if not grown:
            return {}
    return grown or {}


async def come(pilot: Pilot[Any], way: Way, stack: Path) -> None:
    if callable(way):
        await pilot.app.push_screen(way(stack))
    else:
        await press(pilot, *way)
    await settle(pilot)


async def go_back(pilot: Pilot[Any], main: MainScreen) -> None:
    while pilot.app.screen is not main:
        await pilot.app.pop_screen()
    await press(pilot, "1")


@pytest.mark.timeout(600)
def test_a_screen_that_stays_open_keeps_nothing(tmp_path: Path) -> None:
    stack = make_stack(
        tmp_path / "reftable",
        (branches(2000), [log(b"HEAD", 1)]),
        (branches(1000, 2), [log(b"HEAD", 2)]),
        (branches(5, 3), []),
    )
    damage_block(stack, 1)
    if ALL:
        (stack / "tables.list.lock").touch()  # its holder is looked for in all processes
    ticks = count()

    async def steps(pilot: Pilot[Any], app: InspectorApp, main: MainScreen) -> None:
        for key in TABS if ALL else TABS[:1]:
            await press(pilot, key)
            assert await stay(app, main, LOOKS) == {}, f"on tab {key}"
        await press(pilot, "1")
        for screen, way in thinned(WAYS.items(), 30):
            await come(pilot, way, stack)
            assert type(app.screen) is screen, f"{app.screen} is no {screen}"
            assert await stay(app, main, FEW_LOOKS) == {}, f"on {screen}"
            await go_back(pilot, main)

    async def run() -> None:
        with open_session(stack) as session:
            app = InspectorApp(session, clock=lambda: 1_700_000_000 + next(ticks) / 8)
            async with app.run_test(size=(120, 36), notifications=True) as pilot:
                await settle(pilot)
                assert isinstance(app.screen, MainScreen)
                await steps(pilot, app, app.screen)

    asyncio.run(run())


def test_what_an_unshown_list_says_of_itself_waits_once() -> None:
    rows = VirtualList((), SequenceRows(range(3)))
    for number in range(9):
        rows.show(SequenceRows(range(number)))
    assert rows._untold is not None
    assert len(rows._untold) == 1


def test_rows_that_are_done_with_let_go_of_their_tables_at_once(tmp_path: Path) -> None:
    with open_session(make_stack(tmp_path / "reftable", (branches(5), [log(b"HEAD", 1)]))) as session:
        merged = session.view.merged
        gc.disable()
        try:
            assert [weakref.ref(kind(merged))() for kind in (RefRows, LogRows)] == [None, None]
        finally:
            gc.enable()


@pytest.mark.whole
@pytest.mark.timeout(600)
def test_a_stack_that_changes_without_rest_costs_no_more_with_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _file: None)
    # These are bounded, but by more than is made here.
    monkeypatch.setattr(inspector.model.history, "MOST_EVENTS", 5)
    stack = make_stack(tmp_path / "reftable", (branches(50), [log(b"HEAD", 1)]))
    measured: list[tuple[int, Counter[str]]] = []  # after each third

    async def run() -> None:
        with open_session(stack) as session, Stack.open(stack, StackOptions(skip_name_check=True)) as writer:
            app = InspectorApp(session)
            async with app.run_test(size=(120, 36), notifications=True) as pilot:
                await settle(pilot)
                assert isinstance(app.screen, MainScreen)
                for number in range(COMMITS):
                    index = writer.next_update_index
                    ref = RefRecord(b"refs/heads/branch-%07d" % (number % 60), index, oid(number))
                    writer.add(lambda table, ref=ref: table.add_ref(ref))  # type: ignore[misc]
                    if number % COMMITS_PER_LOOK == 0:
                        await look(app, app.screen)
                    if number % (COMMITS // 3) == COMMITS // 3 - 1:
                        await settle(pilot)
                        measured.append((descriptors(), objects()))

    files = descriptors()
    gc.disable()  # what is done with has to go without it
    try:
        asyncio.run(run())
    finally:
        gc.enable()
    assert max(number for number, _ in measured) < files + 60
    (_, before), (_, after) = measured[1:]
    # What is made now and then, as a cache or a thread is, comes by the dozen.
    assert {name: more for name, more in (after - before).items() if more > 60} == {}
