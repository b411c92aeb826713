"""Keys on a stack of a million refs, judged by the work they cause: records decoded, and by which thread.

A record costs about a microsecond, so a few thousand of them are a few milliseconds, far from the 100 that a
key may take. A clock would measure the machine.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

import engine.table.reader
from engine.format import RefRecord
from engine.format.codec import Part
from engine.stack import Stack, StackOptions
from inspector.tui import InspectorApp, MainScreen
from inspector.tui.widgets.record_pane import RefsPane
from tests.support.screens import branch, drive, open_session, settle
from tests.support.tables import oid
from tests.support.thinning import ALL

REFS = 1_000_000 if ALL else 90_000
KEYS = (
    "j",
    "k",
    "pagedown",
    "pageup",
    "G",
    "ctrl+u",
    "g",
    "ctrl+d",
    "end",
    "home",
    "tab",
    "2",
    "1",
    "b",
    "1",
)
MOST_RECORDS = 8_192
"""Records that may be decoded between a key and the rows it leads to: pages, and the blocks to find them."""


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A million branches in one table, a thousand of them moved in a second one."""
    directory = tmp_path_factory.mktemp("million") / "reftable"
    directory.mkdir()
    ids = [oid(number) for number in range(1000)]
    with Stack.open(directory, StackOptions(auto_compact=False, skip_name_check=True)) as stack:
        for step in (1, 1000):
            with stack.addition() as addition, addition.table() as writer:
                index = addition.update_index
                writer.add_refs(
                    RefRecord(branch(number), index, ids[number % 1000]) for number in range(0, REFS, step)
                )
    return directory


class Meter:
    """Counts the records that each thread decodes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.records: dict[int, int] = {}
        decode = engine.table.reader.decode_refs

        def counting(*args: Any) -> Part[RefRecord]:  # noqa: ANN401 - as the function it stands for
            part = decode(*args)
            thread = threading.get_ident()
            self.records[thread] = self.records.get(thread, 0) + len(part[0])
            return part

        monkeypatch.setattr(engine.table.reader, "decode_refs", counting)


def test_a_key_costs_no_more_than_on_a_small_stack(million: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few thousand records whatever the key, and none in the thread that draws."""
    meter = Meter(monkeypatch)
    with open_session(million) as session:
        app = InspectorApp(session)

        async def steps(pilot: Pilot[Any]) -> None:
            screen = app.screen
            assert isinstance(screen, MainScreen)
            assert session.view.refs.count == REFS <= sum(meter.records.values())
            for key in KEYS:
                before = sum(meter.records.values())
                await pilot.press(key)
                await settle(pilot)
                assert screen.query_one(RefsPane).current is not None
                assert sum(meter.records.values()) - before <= MOST_RECORDS, key
            assert meter.records.get(threading.get_ident(), 0) == 0

        drive(app, steps)


def test_what_a_key_wants_is_read_before_counting_goes_on(
    million: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first piece of work after a key is what the key wants, and it is a small one."""
    meter = Meter(monkeypatch)
    with open_session(million) as session:
        work = session.work()
        refs = session.view.refs
        for _ in range(20):
            next(work)
        assert 0 < refs.count < REFS
        assert not refs.complete
        here = threading.get_ident()
        for row in (0, refs.count // 2, refs.count - 1):
            before = meter.records.get(here, 0)
            if refs.row(row) is None:
                next(work)
            assert refs.row(row) is not None
            assert meter.records.get(here, 0) - before <= MOST_RECORDS
        # However far one scrolls, what is kept of it stays small.
        for _ in work:
            pass
        assert refs.count == REFS
        for row in range(0, REFS, 997):
            refs.row(row)
            refs.read_page()
        assert len(refs._pages) <= 32
        assert len(refs._anchors.kept) <= 8192
