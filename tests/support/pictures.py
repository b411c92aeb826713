"""Pictures of the screens that change a stack: the same on every machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, TextArea

from inspector.actions import Workplace
from tests.support.actions import ActionApp
from tests.support.screens import NARROW, WIDE

Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize(
    "size", [pytest.param(WIDE, id="120x36"), pytest.param(NARROW, id="80x24", marks=pytest.mark.whole)]
)
"""The size of most pictures, and a narrow one for where everything is wanted."""


class Somewhere(Workplace):
    """The same place on every machine."""

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("/srv/lantern.git",)


def still(screen: Screen[Any]) -> None:
    """Let no cursor blink."""
    for field in screen.query(Input):
        field.cursor_blink = False
    for area in screen.query(TextArea):
        area.cursor_blink = False


def comparing(snap_compare: Compare) -> Compare:
    """Return what compares a screen, after some steps and keys, with the picture accepted before."""

    def compare(
        screen: Screen[Any],
        steps: Callable[[Pilot[Any]], Any] | None = None,
        keys: Sequence[str] = (),
        size: tuple[int, int] = WIDE,
    ) -> bool:
        async def before(pilot: Pilot[Any]) -> None:
            await pilot.pause()
            still(screen)
            if steps is not None:
                await steps(pilot)
            await pilot.app.workers.wait_for_complete()
            await pilot.press(*keys)
            await pilot.pause()
            still(pilot.app.screen)

        return snap_compare(ActionApp(screen), terminal_size=size, run_before=before)

    return compare
