"""Themes by numbers: contrast as WCAG 2 counts it, colour blindness as Machado et al. (2009) simulate it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.color import Color, rgb_to_lab
from textual.pilot import Pilot
from textual.theme import BUILTIN_THEMES, Theme

from engine.format import RefRecord
from inspector.rows import SequenceRows
from inspector.tui import MainScreen
from inspector.tui.themes import DEFAULT_THEME, THEMES, register_themes
from inspector.tui.widgets.virtual_list import Cell, Column, ListPane, VirtualList
from tests.support.screens import (
    branch,
    branches,
    drive,
    inspect,
    log,
    make_stack,
    press,
    settle,
    shown_lines,
)
from tests.support.thinning import thinned

Rgb = tuple[float, float, float]

TEXTS = ("foreground", "foreground-muted", "text-accent", "text-error", "text-warning", "text-success")
BACKGROUNDS = ("background", "surface", "panel", "surface-lighten-1", "surface-lighten-2")
STATES = ("text-error", "text-warning", "text-success")

# For linear RGB, at full severity.
BLINDNESS: dict[str, tuple[Rgb, Rgb, Rgb]] = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}


def colours(theme: Theme) -> dict[str, Color]:
    """Every variable that is a colour, as a stylesheet would have it."""
    variables = {**theme.to_color_system().generate(), **theme.variables}
    return {name: Color.parse(variables[name]) for name in (*TEXTS, *BACKGROUNDS)}


def linear(colour: Color) -> Rgb:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized
    )
    return red, green, blue


def contrast(one: Color, other: Color) -> float:
    bright, dark = sorted(
        (0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in map(linear, (one, other))),
        reverse=True,
    )
    return (bright + 0.05) / (dark + 0.05)


def seen(colour: Color, blindness: str) -> Color:
    """What the colour looks like to a user who is blind in this way."""
    source = linear(colour)
    parts = []
    for row in BLINDNESS[blindness]:
        part = min(1.0, max(0.0, sum(a * b for a, b in zip(row, source, strict=True))))
        parts.append(12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055)
    red, green, blue = (round(255 * part) for part in parts)
    return Color(red, green, blue)


def distance(one: Color, other: Color) -> float:
    """CIE 1976: about 2 can just be told apart side by side."""
    first, second = rgb_to_lab(one), rgb_to_lab(other)
    return ((first.L - second.L) ** 2 + (first.a - second.a) ** 2 + (first.b - second.b) ** 2) ** 0.5


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_every_text_can_be_read_on_every_background(theme: Theme) -> None:
    found = colours(theme)
    for text, background in itertools.product(TEXTS, BACKGROUNDS):
        assert contrast(found[text], found[background]) >= 4.5, (text, background)
    cursor = [Color.parse(theme.variables[f"block-cursor-{part}"]) for part in ("foreground", "background")]
    assert contrast(*cursor) >= 4.5


def test_the_contrast_is_the_one_of_the_recommendation() -> None:
    assert contrast(Color.parse("#000"), Color.parse("#fff")) == pytest.approx(21)
    assert contrast(Color.parse("#777"), Color.parse("#fff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize("theme", [theme for theme in THEMES if "blind" in theme.name], ids=lambda t: t.name)
def test_the_colour_blind_can_tell_states_apart(theme: Theme, blindness: str) -> None:
    found = colours(theme)
    for one, other in itertools.combinations((*STATES, "foreground"), 2):
        assert distance(seen(found[one], blindness), seen(found[other], blindness)) >= 20, (one, other)


def test_red_and_green_fail_where_blue_and_orange_do_not() -> None:
    red, green = Color.parse("#b05030"), Color.parse("#6a7a30")
    assert distance(red, green) > 45
    assert distance(seen(red, "deuteranopia"), seen(green, "deuteranopia")) < 20


def themed(monkeypatch: pytest.MonkeyPatch, name: str | None) -> App[Any]:
    if name is None:
        monkeypatch.delenv("TEXTUAL_THEME", raising=False)
    else:
        monkeypatch.setenv("TEXTUAL_THEME", name)
    app: App[Any] = App()
    register_themes(app)
    return app


@pytest.mark.parametrize(
    ("name", "theme"),
    [
        (None, DEFAULT_THEME),
        ("no-such-theme", DEFAULT_THEME),
        ("inspector-light", "inspector-light"),
        ("nord", "nord"),
    ],
)
def test_the_environment_chooses_the_theme(
    monkeypatch: pytest.MonkeyPatch, name: str | None, theme: str
) -> None:
    assert themed(monkeypatch, name).theme == theme


def test_textuals_themes_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(themed(monkeypatch, None).available_themes) == {*BUILTIN_THEMES, *(t.name for t in THEMES)}


class Listed(App[None]):
    """A list as the main screen has it, and a line that tells an error."""

    def __init__(self) -> None:
        super().__init__()
        register_themes(self)

    def compose(self) -> ComposeResult:
        columns: list[Column[str]] = [
            Column(look, lambda row, _width, look=look: Cell(row, look), width=12)  # type: ignore[misc]
            for look in ("plain", "muted", "accent", "warning")
        ]
        yield ListPane(VirtualList(columns, SequenceRows([f"row {number}" for number in range(50)])))


@pytest.mark.parametrize("no_color", [False, True], ids=["colour", "NO_COLOR"])
def test_every_theme_draws_the_same_text(monkeypatch: pytest.MonkeyPatch, no_color: bool) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    app = Listed()

    async def steps(pilot: Pilot[Any]) -> None:
        await pilot.press("j", "j")
        expected = shown_lines(app)
        assert [line[:7] for line in expected[1:5]] == ["  row 0", "  row 1", "> row 2", "  row 3"]
        for theme in app.available_themes:
            app.theme = theme
            await pilot.pause()
            assert shown_lines(app) == expected, theme

    drive(app, steps)


@pytest.mark.parametrize("no_color", thinned([False, True], 2))
def test_the_main_screen_says_the_same_in_every_theme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_color: bool
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    moved = [RefRecord(branch(1), 2), RefRecord(branch(2), 2, target=branch(3))]
    directory = make_stack(tmp_path / "reftable", (branches(30), [log(branch(1), 1)]), (moved, []))

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "j", "j")
        expected = shown_lines(screen.app)
        assert len([line for line in expected if "> " in line]) >= 2
        for theme in (*(theme.name for theme in THEMES), "textual-light", "ansi-dark", "ansi-light"):
            screen.app.theme = theme
            await settle(pilot)
            assert shown_lines(screen.app) == expected, theme

    inspect(directory, steps)
