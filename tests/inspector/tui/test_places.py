"""Every row leads somewhere: each destination is gone to and is what it says, and backspace comes back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from engine.format import OBJ, SECTION_NAMES, RefRecord
from engine.layout import Record
from engine.snapshot import take_snapshot
from engine.stack import Stack
from inspector.model import (
    CompactionPlace,
    Elsewhere,
    FilePlace,
    LogPlace,
    MomentPlace,
    OffsetPlace,
    OneTable,
    PastCompaction,
    Place,
    PlanPlace,
    RecordPlace,
    RefPlace,
    SectionPlace,
    SnapshotPlace,
    WholeStack,
)
from inspector.tui import InspectorApp, MainScreen
from inspector.tui.screens.changes import ChangesScreen, OutcomesScreen
from inspector.tui.screens.dialog import Dialog
from inspector.tui.screens.history import HistoryScreen
from inspector.tui.screens.plan import ActionScreen, RepairScreen
from inspector.tui.widgets.tab_line import TabLine
from inspector.tui.widgets.virtual_list import VirtualList
from tests.support.demo import copy_damaged_demo
from tests.support.screens import (
    branch,
    branches,
    drive,
    log,
    make_stack,
    open_session,
    press,
    settle,
    shown_lines,
)
from tests.support.stacks import OPTIONS
from tests.support.tables import oid

NOW = 1_800_000_000.0

REFUSALS = ("any more", "no reflog entries", "no such record", "Nothing but a repair")


def state(main: MainScreen) -> tuple[object, ...]:
    """What is on screen, and what has the keys; of the bytes only what is selected, which they follow."""
    focused = main.focused
    cursor = (focused.cursor, focused.above) if isinstance(focused, VirtualList) else None
    tree = main._blocks._tree
    return (
        _lines(main) if focused is not tree else [tree.current.title if tree.current else ""],
        focused,
        cursor,
        main.query_one(TabLine).active,
        main._refs.scope,
        main._logs.scope,
    )


def _lines(main: MainScreen) -> list[str]:
    """What is on screen; of a dialog its own box, since what lies under it is not drawn with it."""
    lines, screen = shown_lines(main.app), main.app.screen
    if screen is main:
        return lines
    box = screen.children[0].region
    return [line[box.x : box.right] for line in lines[box.y : box.bottom]]


def check(main: MainScreen, place: Place) -> None:
    """Assert that what is shown is what the place says."""
    tab = main.query_one(TabLine).active
    selected = main._blocks.selected
    match place:
        case FilePlace(name, "blocks") | OffsetPlace(name) | SectionPlace(name) | RecordPlace(name):
            assert tab == "blocks"
            assert main._blocks._file is not None
            assert main._blocks._file.name == name
            assert selected is not None
            if isinstance(place, RecordPlace):
                assert isinstance(selected.span, Record)
                assert selected.span.value == place.name
            elif not isinstance(place, FilePlace):
                assert selected.span.start <= max(place.offset, 28) < selected.span.end
        case FilePlace(name, kind):
            assert tab == kind
            scope = main._refs.scope
            if name in main._session.view.positions:
                assert scope == OneTable(name)
            else:
                assert isinstance(scope, Elsewhere)
                assert [table.name for table in scope.view.tables] == [name]
        case RefPlace(name):
            assert tab == "refs"
            assert main._refs.current is not None
            assert main._refs.current.record.name == name
        case LogPlace(name, update_index):
            assert tab == "logs"
            assert main._logs.current is not None
            assert main._logs.current.record.name == name
            assert update_index in (None, main._logs.current.record.update_index)
        case MomentPlace():
            assert main._refs.scope == WholeStack()
        case SnapshotPlace(_, tables):
            scope = main._refs.scope
            assert isinstance(scope, Elsewhere)
            assert [table.name for table in scope.view.tables] == list(tables)
        case CompactionPlace():
            assert tab == "compaction"
        case PastCompaction():
            assert tab == "compaction"
            assert main._compaction.shown.past == place
        case PlanPlace():
            assert isinstance(main.app.screen, ActionScreen)
        case _:
            raise AssertionError(f"no check of {place}")


async def visit(pilot: Pilot[Any], main: MainScreen, seen: set[object]) -> set[type]:
    """Go to each place that the row under the cursor leads to, and come back; the kinds of those places.

    Of the kinds that were `seen` from such a row, none is gone to again.
    """
    app = main.app
    screen = app.screen
    assert isinstance(screen, Dialog | MainScreen)
    assert screen.places
    kinds, before = set[type](), state(main)
    for place in screen.places:
        kind = type(screen), main.query_one(TabLine).active, type(place), getattr(place, "shows", "")
        if kind in seen:
            continue
        seen.add(kind)
        screen.go(place)
        await settle(pilot)
        message = " ".join(note.message for note in app._notifications)
        if message:
            assert any(words in message for words in REFUSALS), message
            app.clear_notifications()
            await settle(pilot)
        else:
            kinds.add(type(place))
            check(main, place)
            await press(pilot, "escape" if isinstance(place, PlanPlace) else "backspace")
        after = state(main)
        assert app.screen is screen
        assert [line for line in after[0] if line not in before[0]] == [], place
        assert after == before, place
    return kinds


def test_each_row_of_the_main_screen_leads_to_places_and_backspace_comes_back(tmp_path: Path) -> None:
    directory = tmp_path / "reftable"
    copy_damaged_demo(directory, NOW)
    kinds, seen = set[type](), set[object]()

    async def steps(pilot: Pilot[Any]) -> None:
        main = pilot.app.screen
        assert isinstance(main, MainScreen)
        for tab, keys in (("1", "gG"), ("2", "gG"), ("5", "gjG")):
            await press(pilot, tab)
            for key in keys:
                await press(pilot, key)
                kinds.update(await visit(pilot, main, seen))
        # A ref of the tree of prefixes: the tree is there again.
        await press(pilot, "1", "t")
        assert main._refs.shows_tree
        await visit(pilot, main, set())
        await press(pilot, "t", "shift+tab")
        listing = main.focused
        assert isinstance(listing, VirtualList)
        for row in (0, *range(listing.source.count - 3, listing.source.count)):
            listing.cursor = row
            await settle(pilot)
            kinds.update(await visit(pilot, main, seen))
        # A step of a plan, and what becomes of a ref: the dialogs are there again as they were.
        await press(pilot, "5", "r")
        while not isinstance(screen := pilot.app.screen, RepairScreen) or not screen.places:
            await press(pilot, "j")
        await visit(pilot, main, seen)
        await press(pilot, "d")
        assert isinstance(pilot.app.screen, OutcomesScreen)
        await visit(pilot, main, seen)
        await press(pilot, "escape", "escape")
        assert pilot.app.screen is main

    app = InspectorApp(open_session(directory), clock=lambda: NOW)
    drive(app, steps)
    assert kinds == {
        CompactionPlace,
        FilePlace,
        LogPlace,
        OffsetPlace,
        PlanPlace,
        RecordPlace,
        RefPlace,
        SectionPlace,
    }


def test_rows_of_dialogs_and_parts_of_a_table_lead_on_too(tmp_path: Path) -> None:
    directory = make_stack(
        tmp_path / "reftable",
        (branches(600), [log(branch(number), 1) for number in range(3)]),
        ([RefRecord(branch(1), 2, oid(77))], [log(branch(1), 2)]),
        ([RefRecord(branch(2), 3, oid(78))], [log(branch(2), 3)]),
        options=replace(OPTIONS, auto_compact=False),
    )
    kinds, seen = dict[str, set[type]](), set[object]()

    async def steps(pilot: Pilot[Any]) -> None:
        app, main = pilot.app, pilot.app.screen
        assert isinstance(main, MainScreen)
        taken = take_snapshot(directory, "compact", NOW)
        main._journal.note("Compact", "done", "", "compact", snapshot=taken.id)
        with Stack.open(directory) as stack:
            stack.compact(0, 3)
        main.look_again()
        await settle(pilot)
        app.clear_notifications()
        for key, name in (("B", "snapshots"), ("T", "moments"), ("L", "history"), ("at", "journal")):
            await press(pilot, key)
            kinds[name] = await visit(pilot, main, seen)
            if name == "history":
                await press(pilot, "enter")
                assert main.query_one(TabLine).active == "compaction"
                past = main._compaction.shown.past
                assert past is not None
                assert len(past.merged) == 3
                await press(pilot, "backspace")
                assert isinstance(app.screen, HistoryScreen)
            if name == "snapshots":  # what differs is on top of it, and both come back
                await press(pilot, "d")
                assert isinstance(app.screen, ChangesScreen)
            await press(pilot, "escape")
            while app.screen is not main:
                await press(pilot, "escape")
        # The tree of bytes: the first record of each section, and a part of it.
        await press(pilot, "3")
        tree, footer = main._blocks._tree, main._session.view.tables[0].footer
        for offset in (0, footer.ref_index_offset, footer.obj_offset, footer.log_offset):
            main._blocks.reveal(offset)
            await settle(pilot)
            while (node := tree.current) is not None and not isinstance(node.span, Record):
                await press(pilot, *(["j"] if node.opened or not node.expandable else ["enter", "j"]))
            assert node is not None
            kinds[node.span.name.split()[0]] = await visit(pilot, main, set())
            await press(pilot, "right", "right")
            await visit(pilot, main, seen)

    drive(InspectorApp(open_session(directory), clock=lambda: NOW), steps)
    assert kinds["snapshots"] == {PlanPlace, SnapshotPlace, FilePlace}
    assert kinds["moments"] == {MomentPlace, FilePlace, SectionPlace}
    assert kinds["history"] == {PastCompaction, FilePlace}
    assert kinds["journal"] == {PlanPlace}
    assert kinds["ref"] == {RefPlace, LogPlace}
    assert kinds["log"] == {RefPlace, LogPlace}
    assert kinds["index"] == kinds[SECTION_NAMES[OBJ]] == {OffsetPlace}
