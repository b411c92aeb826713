"""What comes late: messages of a tab, keys behind a button, writes to a terminal that has gone."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Button, Input

from inspector.tui.keys_in_turn import KeysInTurnApp
from inspector.tui.lasting_driver import _Lasting
from tests.support.screens import drive, settle
from tests.support.terminal import Gone


class Behind(Screen[None]):
    """Has a field for what is typed."""

    def compose(self) -> ComposeResult:
        yield Input()


class Busy(Vertical):
    """Takes its time before it lets pass what a button below it tells."""

    async def on_button_pressed(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)


class Deep(KeysInTurnApp[None]):
    """A button deep below the application, which opens a screen when it is told of the button."""

    ENABLE_COMMAND_PALETTE = False

    def compose(self) -> ComposeResult:
        with Vertical(), Busy(), Vertical(), Vertical():
            yield Button("Open")

    @on(Button.Pressed)
    def _open(self) -> None:
        self.push_screen(Behind())


def test_a_key_behind_one_that_presses_a_button_is_for_what_the_button_opens() -> None:
    app = Deep()

    async def steps(pilot: Pilot[Any]) -> None:
        app.query_one(Button).focus()
        await pilot.pause()
        for key in ("enter", "x", "y"):
            app.simulate_key(key)
        await settle(pilot)
        await pilot.pause()
        assert isinstance(app.screen, Behind)
        assert app.screen.query_one(Input).value == "xy"

    drive(app, steps)


def test_what_is_written_to_a_terminal_that_is_gone_is_forgotten() -> None:
    file = _Lasting(Gone())
    assert file.write("text") == 4
    file.flush()
    kept = io.StringIO()
    assert _Lasting(kept).write("text") == 4
    assert kept.getvalue() == "text"
