"""The history on screen: its newest event is the one that was told of last, and it grows while it is open."""

from __future__ import annotations

import re
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.stack import Stack
from inspector.model import Event, EventKind
from inspector.tui import InspectorApp, MainScreen
from inspector.tui.screens.changes import ChangesScreen
from inspector.tui.screens.history import HistoryScreen
from inspector.tui.screens.journal import JournalScreen
from tests.support.actions import ActionApp, act, journal, until
from tests.support.git import Git, Repository
from tests.support.screens import NARROW, drive, look, open_session, press, settle, shown_lines
from tests.support.stacks import LOOSE, add_branches


@pytest.fixture
def repo(git: Git, tmp_path: Any) -> Repository:  # noqa: ANN401
    """Two commits in tables of their own."""
    made = git.init(tmp_path / "repo", auto_compaction=False)
    for number in range(2):
        made.commit(str(number))
    return made


def text(pilot: Pilot[Any]) -> str:
    return "\n".join(shown_lines(pilot.app))


def current(pilot: Pilot[Any]) -> Event:
    screen = pilot.app.screen
    assert isinstance(screen, HistoryScreen)
    event = screen._list.current
    assert event is not None
    return event


def test_what_was_told_last_is_first_in_the_list(repo: Repository) -> None:
    """Three commits outside, then `git pack-refs`; then a compaction made here; then a commit while open."""

    async def steps(pilot: Pilot[Any]) -> None:
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        await press(pilot, "L")
        assert "nothing has changed since the stack was opened here" in text(pilot)
        await press(pilot, "d", "y", "L")
        assert pilot.app.screen is screen
        for number in range(3):
            repo.commit(f"outside {number}")
            await look(pilot, screen)
            assert re.search(r"[0-9:]{8} UTC  refs/heads/main .* -> .* \(L\)", text(pilot).splitlines()[1])
        repo.git("pack-refs", "--all")
        await look(pilot, screen)
        assert "no ref changed: 6 tables became 1" in text(pilot)

        await press(pilot, "L")
        assert (current(pilot).kind, current(pilot).by) == (EventKind.COMPACTED, "another process")
        row = "> .* compacted +6 tables became 1 .* no ref changed +another process"
        assert re.search(row, text(pilot))
        for line in ("6 tables became 1 (updates 1-6)", "- ", "updates 6", "+ ", "updates 1-6"):
            assert line in text(pilot)
        await press(pilot, "j")
        assert current(pilot).kind is EventKind.ADDED
        assert "newest reflog entry: HEAD" in text(pilot)
        assert "A U Thor <author@example.com>  commit: outside 2" in text(pilot)
        await press(pilot, "d")
        assert isinstance(pilot.app.screen, ChangesScreen)
        assert "~ 1 updated" in text(pilot)
        await press(pilot, "escape")

        # enter replays the compaction on the sizes of then; on another change it shows what differs.
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, ChangesScreen)
        await press(pilot, "escape", "k", "enter")
        assert pilot.app.screen is screen
        assert "REPLAY" in text(pilot)
        past = screen._compaction.shown.past
        assert past is not None
        assert (len(past.before), past.merged) == (6, range(6))
        assert [table.name for table in past.after] == [table.name for table in screen._session.view.tables]
        repo.commit("while away")
        await look(pilot, screen)
        await press(pilot, "backspace")
        assert [event.number for event in screen._history.events] == [5, 4, 3, 2, 1]
        assert current(pilot).number == 4, "it comes back as it was, with what has come"
        assert "1 table added (update 7)" in text(pilot)
        await press(pilot, "j", "l")
        leads = "\n".join(shown_lines(pilot.app))
        assert "the reflog entry HEAD, update 6 in the reflogs" in leads
        assert "the refs of table" in leads
        await press(pilot, "escape")

        # The list grows while it is open, and the cursor stays with its event.
        before = current(pilot)
        repo.commit("while open")
        await look(pilot, screen)
        assert (current(pilot), screen._history.events.index(before)) == (before, 3)
        assert "1 table added (update 8)" in text(pilot)
        await press(pilot, "backspace")
        assert pilot.app.screen is screen

        # What is done here is told by its result, and is first in the list, once.
        await press(pilot, "shift+tab", "space", "space")
        screen.compact(range(2))
        await settle(pilot)
        await press(pilot, "enter", "tab", "enter")
        await look(pilot, screen)
        await press(pilot, "escape")
        assert "3 tables became 2 (L)" in text(pilot).splitlines()[1]
        await press(pilot, "L")
        assert (current(pilot).what, current(pilot).by) == ("2 tables became 1 (updates 1-7)", "this program")
        assert "$ reftable-inspector compact --range 0:2" in text(pilot)
        assert [event.own is not None for event in screen._history.events] == [True, *[False] * 6]
        copied: list[str] = []
        pilot.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        await press(pilot, "y")
        assert copied == [current(pilot).own and current(pilot).own.command]  # type: ignore[union-attr]

        # Tables of old events are closed: what they were is shown, what differed is not.
        for number in range(6):
            with Stack.open(repo.reftable, LOOSE) as other:
                add_branches(other, 1, number)
            await look(pilot, screen)
        await press(pilot, "G")
        assert current(pilot).summary is not None
        assert "Its tables are not open any more" in text(pilot)
        await press(pilot, "d")
        assert "What differed cannot be read any more" in text(pilot)
        row = [event.own is not None for event in screen._history.events].index(True)
        await press(pilot, "g", *["j"] * row, "d")
        assert isinstance(pilot.app.screen, ChangesScreen), "its tables are in the snapshot, and in the stack"
        await press(pilot, "escape")
        await pilot.resize_terminal(*NARROW)
        await settle(pilot)
        assert "another proc" in text(pilot), (
            "nothing but the kind, which the tables tell as well, is left out"
        )

    with open_session(repo.reftable) as session:
        drive(InspectorApp(session, watch=3600.0), steps)


def test_a_defect_is_in_the_journal_with_its_traceback() -> None:
    """In full: it can be scrolled, and nothing in it reaches the terminal."""
    kept = journal()
    lines = [f'  File "x.py", line {number}, in plan\x1b[2J' for number in range(30)]
    details = "\n".join(["Traceback (most recent call last):", *lines, "ZeroDivisionError: the last line"])
    kept.note("Clean", "failed", "A defect of this program.", "reftable-inspector clean .", details)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        text = "\n".join(shown_lines(app))
        assert "Traceback (most recent call last):" in text
        assert r"in plan\x1b[2J" in text
        assert "ZeroDivisionError" not in text
        await pilot.press("tab", "end")
        await until(pilot, lambda: "ZeroDivisionError: the last line" in "\n".join(shown_lines(app)))

    act(JournalScreen(kept), steps)
