"""Every row leads somewhere: each destination is gone to and is what it says, and backspace comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import TabbedContent

from engine.layout import Record
from inspector.demo import build_damaged_demo
from inspector.model import (
    CompactionPlace,
    Elsewhere,
    FilePlace,
    LogPlace,
    OffsetPlace,
    OneTable,
    Place,
    PlanPlace,
    RecordPlace,
    RefPlace,
    SectionPlace,
)
from inspector.tui import InspectorApp, MainScreen
from inspector.tui.screens.plan import ActionScreen
from inspector.tui.widgets.virtual_list import VirtualList
from tests.support.screens import WIDE, open_session, settle, shown_lines

NOW = 1_800_000_000.0

REFUSALS = ("any more", "no reflog entries", "no such record", "Nothing but a repair")


def state(main: MainScreen) -> tuple[object, ...]:
    """What is on screen, and what has the keys."""
    focused = main.focused
    cursor = focused.cursor if isinstance(focused, VirtualList) else None
    return (
        shown_lines(main.app),
        focused,
        cursor,
        main.query_one(TabbedContent).active,
        main._refs.scope,
        main._logs.scope,
    )


def check(main: MainScreen, place: Place) -> None:
    """Assert that what is shown is what the place says."""
    tab = main.query_one(TabbedContent).active
    selected = main._blocks.selected
    match place:
        case FilePlace(name, "blocks") | OffsetPlace(name) | SectionPlace(name) | RecordPlace(name):
            assert tab == "blocks-tab"
            assert main._blocks._file is not None
            assert main._blocks._file.name == name
            assert selected is not None
            if isinstance(place, RecordPlace):
                assert isinstance(selected.span, Record)
                assert selected.span.value == place.name
            elif not isinstance(place, FilePlace):
                assert selected.span.start <= max(place.offset, 28) < selected.span.end
        case FilePlace(name, kind):
            assert tab == f"{kind}-tab"
            scope = main._refs.scope
            if name in main._session.view.positions:
                assert scope == OneTable(name)
            else:
                assert isinstance(scope, Elsewhere)
                assert [table.name for table in scope.view.tables] == [name]
        case RefPlace(name):
            assert tab == "refs-tab"
            assert main._refs.current is not None
            assert main._refs.current.record.name == name
        case LogPlace(name, update_index):
            assert tab == "logs-tab"
            assert main._logs.current is not None
            assert main._logs.current.record.name == name
            assert update_index in (None, main._logs.current.record.update_index)
        case CompactionPlace():
            assert tab == "compaction-tab"
        case PlanPlace():
            assert isinstance(main.app.screen, ActionScreen)
        case _:
            raise AssertionError(f"no check of {place}")


async def visit(pilot: Pilot[Any], main: MainScreen) -> set[type]:
    """Go to each place that the row under the cursor leads to, and come back; the kinds of those places."""
    app = main.app
    assert main.places
    kinds = set[type]()
    for place in main.places:
        before = state(main)
        main.go(place)
        await settle(pilot)
        message = " ".join(note.message for note in app._notifications)
        if message:
            assert any(words in message for words in REFUSALS), message
            app.clear_notifications()
            await settle(pilot)
            assert state(main) == before, (place, message)
            continue
        kinds.add(type(place))
        check(main, place)
        await pilot.press("escape" if isinstance(place, PlanPlace) else "backspace")
        await settle(pilot)
        after = state(main)
        assert after[0] == before[0], (
            place,
            [pair for pair in zip(before[0], after[0], strict=False) if pair[0] != pair[1]],
        )
        assert after == before, place
    return kinds


def test_each_row_leads_to_places_and_backspace_comes_back(tmp_path: Path) -> None:
    directory = tmp_path / "reftable"
    build_damaged_demo(directory, NOW)
    kinds = set[type]()

    async def run() -> None:
        app = InspectorApp(open_session(directory), clock=lambda: NOW)
        async with app.run_test(size=WIDE, notifications=True) as pilot:
            await settle(pilot)
            main = app.screen
            assert isinstance(main, MainScreen)
            for tab, keys in (("1", "gG"), ("2", "gG"), ("5", "gjG")):
                await pilot.press(tab)
                await settle(pilot)
                for key in keys:
                    await pilot.press(key)
                    await settle(pilot)
                    kinds.update(await visit(pilot, main))
            await pilot.press("1", "shift+tab")
            listing = main.focused
            assert isinstance(listing, VirtualList)
            for row in (0, *range(listing.source.count - 3, listing.source.count)):
                listing.cursor = row
                await settle(pilot)
                kinds.update(await visit(pilot, main))

    asyncio.run(run())
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
