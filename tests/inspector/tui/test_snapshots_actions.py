"""Pictures of the screens that change a stack; `--snapshot-update` accepts new ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from engine.format import HashId, RefRecord
from engine.stack import StackOptions
from inspector.actions import AddAction, CompactAction, Workplace
from inspector.model import Session
from inspector.tui.screens.add import AddScreen
from inspector.tui.screens.compact import CompactScreen
from inspector.tui.screens.expire import ExpireScreen
from inspector.tui.screens.form import Choice
from inspector.tui.screens.journal import JournalScreen
from inspector.tui.screens.plan import ActionScreen, Phase
from tests.support.actions import confirm, journal, phase
from tests.support.demo import copy_demo
from tests.support.pictures import Compare, Somewhere, comparing

TOPIC = RefRecord(b"refs/heads/maeve/fix-tile-cache", 1960, bytes.fromhex("5a" * 20))
COMMANDS = f"create refs/heads/new {'12' * 20}\nsymref-create refs/heads/alias refs/heads/new\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Somewhere:
    """The demo stack, and beside it a table that a crash left behind and a file of another program."""
    for name, value in (("NAME", "A U Thor"), ("EMAIL", "author@example.com"), ("DATE", "1700000000 +0130")):
        monkeypatch.setenv(f"GIT_COMMITTER_{name}", value)
    monkeypatch.chdir(tmp_path)
    copy_demo(Path("reftable"))
    oldest = Path("reftable", "tables.list").read_text().split()[0]
    stale = Path("reftable", "0x000000000001-0x000000000009-0badcafe.ref")
    stale.write_bytes(Path("reftable", oldest).read_bytes())
    Path("reftable", "notes.txt").write_text("mine")
    return Somewhere(Path("reftable"), StackOptions(suffix=lambda: 0xC0FFEE))


@pytest.fixture
def picture(snap_compare: Compare) -> Compare:
    """Compare a screen, after some steps, with the picture accepted before."""
    return comparing(snap_compare)


def lock_forever(directory: Path) -> None:
    lock = directory / "tables.list.lock"
    lock.touch()
    os.utime(lock, (2**33, 2**33))  # of the future: its age is 0 s for centuries


async def planned(pilot: Pilot[Any]) -> None:
    await phase(pilot, Phase.PLANNED)


async def done(pilot: Pilot[Any]) -> None:
    await phase(pilot, Phase.PLANNED)
    await confirm(pilot)
    await phase(pilot, Phase.DONE)


def test_form_for_a_ref(picture: Compare, place: Workplace) -> None:
    assert picture(AddScreen(place, journal(), HashId.SHA1, ref=TOPIC), keys=["1", "2", "g"])


def test_form_for_commands(picture: Compare, place: Workplace) -> None:
    screen = AddScreen(place, journal(), HashId.SHA1)

    async def steps(pilot: Pilot[Any]) -> None:
        screen.query_one("#mode", Choice).value = "commands"
        screen.query_one(TextArea).text = COMMANDS
        await pilot.pause()

    assert picture(screen, steps)


def test_form_for_a_compaction(picture: Compare, place: Workplace) -> None:
    with Session.open(place.directory, label="demo", options=place.options) as session:
        screen = CompactScreen(place, journal(), session.view)
    assert picture(screen, keys=["up"])


def test_plan_of_a_compaction(picture: Compare, place: Workplace) -> None:
    assert picture(ActionScreen(CompactAction(place, "geometric"), journal()), planned)


def test_confirmation(picture: Compare, place: Workplace) -> None:
    assert picture(ActionScreen(CompactAction(place, "all"), journal()), planned, keys=["enter"])


def test_result_of_a_compaction(picture: Compare, place: Workplace) -> None:
    assert picture(ActionScreen(CompactAction(place, "all"), journal()), done)


def test_form_for_an_expiry(picture: Compare, place: Workplace) -> None:
    screen = ExpireScreen(place, journal())
    assert picture(screen, keys=list("90.days.ago"))


def test_locked(picture: Compare, place: Workplace) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await phase(pilot, Phase.PLANNED)
        lock_forever(place.directory)
        await confirm(pilot)
        await phase(pilot, Phase.FAILED)

    assert picture(ActionScreen(CompactAction(place, "all"), journal()), steps)


def test_journal(picture: Compare) -> None:
    kept = journal()
    place = Somewhere(Path("reftable"), StackOptions())
    compact, add = CompactAction(place, "all"), AddAction(place, COMMANDS.encode(), "made by hand")
    kept.note(compact.title, "failed", "The stack is locked.", compact.command_line)
    kept.note(compact.title, "done", "Done: 8 tables became one.", compact.command_line)
    kept.note(add.title, "done", "Done: 2 refs and 1 reflog entry written.", add.command_line)
    assert picture(JournalScreen(kept))


def test_confirmation_without_colour(
    picture: Compare, place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert picture(ActionScreen(CompactAction(place, "all"), journal()), planned, keys=["enter"])
