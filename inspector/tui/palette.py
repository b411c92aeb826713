"""The command palette: every action that is possible now, by name.

Actions are those of the active bindings, so none is forgotten and none is offered that is hidden or dimmed.
Besides them: what changes the stack, the tabs of the screen, the themes, and a picture of the screen.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape

from engine.errors import ReftableError
from inspector.tui.key_actions import key_actions
from inspector.tui.screens.main import MainScreen
from inspector.tui.themes import THEMES
from inspector.tui.widgets.tab_line import TabLine

# What moves the cursor or the focus is done by its key or not at all: it is found, but not listed.
_MOVING: Final = "move|page|first|last|home|end|cursor|scroll|focus|tab|show_tab|copy_text"


class _Command(NamedTuple):
    """What the palette offers: `listed` before anything is typed, or only found by typing."""

    title: str
    keys: tuple[str, ...]
    hint: str | None
    run: Callable[[], Any]
    listed: bool


class InspectorCommands(Provider):
    """Actions of the focused pane, then of the screen, then what has no key."""

    async def startup(self) -> None:
        """Take the actions as they are when the palette opens: it has the focus from then on."""
        self._commands = [
            *self._actions(),
            *await self._changes(),
            *self._tabs(),
            *self._general(),
            *self._themes(),
        ]

    async def discover(self) -> Hits:
        """Everything but movements and single themes, which are found by typing."""
        for command in self._commands:
            if command.listed:
                prompt = _prompt(Content(command.title), command.keys)
                yield DiscoveryHit(prompt, command.run, command.title, command.hint)

    async def search(self, query: str) -> Hits:
        """Whatever contains the letters of `query` in their order; a space is any gap."""
        matcher = self.matcher(query.replace(" ", ""))
        for command in self._commands:
            score = matcher.match(command.title)
            if score > 0:
                prompt = _prompt(matcher.highlight(command.title), command.keys)
                yield Hit(score, prompt, command.run, command.title, command.hint)

    def _actions(self) -> Iterator[_Command]:
        for action in key_actions(self.screen):
            if action.action != "command_palette":  # to open it in order to open it
                run = partial(self.app.run_action, action.action, action.node)
                listed = re.match(_MOVING, action.action) is None
                yield _Command(action.title, action.keys, escape(action.hint) or None, run, listed)

    async def _changes(self) -> list[_Command]:
        if not isinstance(self.screen, MainScreen):
            return []
        changes = {change.action: change for change in self.screen.changes()}
        with suppress(ReftableError, OSError):  # the plan says why
            changes["undo"] = await asyncio.to_thread(self.screen.undo)
        return [
            _Command(
                change.title,
                (),
                escape(change.does),
                partial(self.app.run_action, change.action, self.screen),
                listed=True,
            )
            for change in changes.values()
            if not change.refused
        ]

    def _tabs(self) -> Iterator[_Command]:
        for tabs in self.screen.query(TabLine):
            for tab in tabs.names:
                if tab != tabs.active:
                    run = partial(tabs.post_message, TabLine.Chosen(tab))
                    yield _Command(f"Go to tab: {tab.capitalize()}", (), None, run, listed=True)

    def _general(self) -> Iterator[_Command]:
        yield _Command("Theme…", (), "Choose the colours", self.app.action_change_theme, listed=True)
        # A moment later, or the picture would be one of the palette.
        picture = partial(self.app.set_timer, 0.1, self.app.deliver_screenshot)
        yield _Command("Screenshot", (), "Save a picture of the screen as SVG", picture, listed=True)

    def _themes(self) -> Iterator[_Command]:
        ours = [theme.name for theme in THEMES]
        for name in [*ours, *(name for name in self.app.available_themes if name not in ours)]:
            run = partial(setattr, self.app, "theme", name)
            yield _Command(f"Theme: {name}", (), None, run, listed=False)


def _prompt(title: Content, keys: tuple[str, ...]) -> Content:
    return Content.assemble(title, ("  " + " ".join(keys), "$foreground-muted")) if keys else title
