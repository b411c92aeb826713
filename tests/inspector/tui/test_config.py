"""The user's configuration: what counts, what is wrong and named, and that the program obeys it."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.color import Color
from textual.pilot import Pilot

from inspector.tui import InspectorApp, MainScreen
from inspector.tui.config import Config, checked, config_path, read_config, user_config
from inspector.tui.key_table import MEANINGS
from inspector.tui.screens.journal import JournalScreen
from inspector.tui.themes import DEFAULT_THEME, THEMES, register_themes
from inspector.tui.widgets.tab_line import TabLine
from tests.support.screens import branches, drive, footer, make_stack, open_session, press, shown_lines

NAMES = [theme.name for theme in THEMES]
PAGE = Path(__file__).parents[3] / "docs" / "terminal.md"


def test_the_example_on_the_page_is_right_and_the_page_names_everything() -> None:
    text = PAGE.read_text()
    example = re.search(r"<!-- config -->\n```toml\n(.*?)```", text, re.DOTALL)
    assert example is not None
    config = checked(tomllib.loads(example[1]), NAMES)
    assert config.wrong == ()
    assert (config.theme, config.tab, config.rule) == ("inspector-light", "health", "geometric")
    assert config.keymap == {"filter": "ctrl+f", "page-down": "pagedown,space", "mark": "M"}
    for name in (*NAMES, *(f"`{name}`" for name in MEANINGS)):
        assert name in text, name


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"theme": "inspector-drak"}, ["theme = 'inspector-drak': one of", *NAMES]),
        ({"theme": 1}, ["theme = 1: one of"]),
        ({"tab": "Refs"}, ["tab = 'Refs': one of refs, logs, blocks, compaction, health"]),
        ({"rule": ""}, ["rule = '': one of log2, geometric"]),
        ({"colour": "red"}, ["colour: there is no such entry"]),
        ({"keymap": "x"}, ["keymap = 'x': a table"]),
        ({"keymap": {"filtre": "x"}}, ["keymap.filtre: there is no such action", "filter"]),
        ({"keymap": {"filter": "no key"}}, ["keymap.filter = 'no key': a key such as"]),
        ({"keymap": {"filter": ["x"]}}, ["keymap.filter = ['x']: a key such as"]),
        ({"keymap": {"filter": ""}}, ["keymap.filter = '': a key such as"]),
        ({"keymap": {"filter": "f"}}, ["keymap.filter = 'f': f is Jump (jump)"]),
        ({"keymap": {"filter": "ctrl+j"}}, ["keymap.filter = 'ctrl+j': ctrl+j is Open (open)"]),
        ({"keymap": {"open": "o"}}, ["keymap.open = 'o': it ends a filter"]),
        ({"keymap": {"stop": "escape,space"}}, ["keymap.stop = 'escape,space': it ends a filter"]),
        ({"keymap": {"filter": "f3", "jump": "f3"}}, ["keymap.jump = 'f3': f3 is Filter (filter)"]),
    ],
)
def test_a_wrong_entry_is_named_and_ignored(entries: dict[str, Any], words: list[str]) -> None:
    config = checked({"tab": "logs", "keymap": {}} | entries, NAMES)
    [wrong] = config.wrong
    assert [word for word in words if word not in wrong] == []
    assert (config.theme, config.rule) == ("", None)
    assert config.tab == ("" if "tab" in entries else "logs")
    assert set(config.keymap) == ({"filter"} if "f3" in str(entries) else set())


def test_keys_can_change_places() -> None:
    keymap = {"filter": "f", "jump": "/"}
    assert checked({"keymap": keymap}, NAMES) == Config(keymap={"filter": "f", "jump": "slash"})


def test_a_file_that_is_none_or_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    assert read_config(file, NAMES) == Config()
    for content in (b"theme = ", b"\xff"):
        file.write_bytes(content)
        [wrong] = read_config(file, NAMES).wrong
        assert wrong.startswith(f"{file} is not read: ")
    assert "is not read" in read_config(tmp_path, NAMES).wrong[0]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    place = config_path()
    if tmp_path in place.parents:  # elsewhere the variable means nothing
        place.parent.mkdir()
        place.write_text('theme = "nord"\n')
        assert user_config() == Config(theme="nord")


def test_the_program_begins_as_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEXTUAL_THEME", raising=False)
    stack = make_stack(tmp_path / "reftable", (branches(3), []), (branches(2, 2), []))
    keymap = {"journal": "f9", "filter": "ctrl+f"}
    config = Config(
        "inspector-light", keymap, "geometric", "compaction", ("keymap.x: there is no such action",)
    )

    async def steps(pilot: Pilot[Any]) -> None:
        main = pilot.app.screen
        assert isinstance(main, MainScreen)
        assert "keymap.x: there is no such action" in "\n".join(shown_lines(pilot.app))
        assert main.query_one(TabLine).active == "compaction"
        assert main._compaction.study.rule == "geometric"
        assert main.styles.background == Color.parse(THEMES[1].background or "")
        await press(pilot, "at", "slash")
        assert pilot.app.screen is main
        await press(pilot, "f9")
        assert isinstance(pilot.app.screen, JournalScreen)
        await press(pilot, "f9")
        assert pilot.app.screen is main
        await press(pilot, "1")
        assert "ctrl+f Filter" in footer(pilot)

    with open_session(stack) as session:
        drive(InspectorApp(session, config=config), steps)


@pytest.mark.parametrize("name", [*NAMES, "nord", "no-such-theme"])
def test_a_theme_of_the_environment_is_seen_and_has_precedence(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Textual does when it is imported: the name is there before there is such a theme.
    monkeypatch.setenv("TEXTUAL_THEME", name)
    monkeypatch.setattr(App.theme, "_default", name)
    app: App[None] = App()
    register_themes(app, DEFAULT_THEME)

    async def steps(_pilot: Pilot[Any]) -> None:
        theme = app.get_theme(name) or THEMES[0]
        assert app.theme == theme.name
        expected = Color.parse(theme.background or "#2E3440")
        assert app.screen.styles.background == expected

    drive(app, steps)


def test_a_file_without_an_end_is_not_waited_for(tmp_path: Path) -> None:
    fifo, long, directory, deep = (tmp_path / name for name in ("fifo", "long", "directory", "deep"))
    os.mkfifo(fifo)
    directory.mkdir()
    long.write_bytes(b'theme = "' + b"x" * 70_000 + b'"')
    deep.write_text("theme = " + "[" * 20_000)
    for path, why in (
        (fifo, "no regular file"),
        (Path("/dev/zero"), "no regular file"),
        (directory, "directory"),
        (long, "more than 65,536 bytes"),
        (deep, "recursion"),
    ):
        config = read_config(path, NAMES)
        assert (config.theme, len(config.wrong)) == ("", 1), path
        assert f"{path} is not read" in config.wrong[0]
        assert why in config.wrong[0]
