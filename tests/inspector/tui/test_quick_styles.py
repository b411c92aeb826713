"""The styles that tests share between applications are those that Textual finds by itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from inspector.tui import MainScreen
from tests.support.demo import copy_demo
from tests.support.quick_styles import styles_of_textual
from tests.support.screens import inspect, press


def styles(screen: Any) -> dict[Any, tuple[object, object]]:  # noqa: ANN401 - any screen
    """The rules of all widgets of a screen and of their parts."""
    return {
        node: (
            dict(node._css_styles._rules),
            {name: dict(part.base._rules) for name, part in node._component_styles.items()},
        )
        for node in screen.walk_children(with_self=True)
    }


def test_nothing_changes_when_textual_finds_all_styles_anew(tmp_path: Path) -> None:
    directory = tmp_path / "reftable"
    copy_demo(directory)

    async def steps(pilot: Pilot[Any], _main: MainScreen, *, compared: bool = True) -> None:
        app = pilot.app

        def compare() -> None:
            if compared:
                shared = styles(app.screen)
                with styles_of_textual():
                    app.stylesheet.update_nodes(app.screen.walk_children(with_self=True))
                assert styles(app.screen) == shared

        for keys in (["2", "m", "slash"], ["escape", "m", "tab", "5"], ["w", "c"]):
            await press(pilot, *keys)
            compare()
        app.theme = "inspector-light"
        await pilot.pause()
        compare()

    # The second application takes what the first one has found.
    inspect(directory, partial(steps, compared=False))
    inspect(directory, steps)
