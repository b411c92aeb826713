"""Pictures of the screens over the demo stack; `--snapshot-update` accepts new ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from inspector.tui import InspectorApp
from tests.support.demo import copy_demo
from tests.support.pictures import SIZES, Compare
from tests.support.screens import NARROW, WIDE, make_stack, make_tall_stack, open_session, press, settle
from tests.support.thinning import thinned

NOW = 1_790_000_000.0


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    directory = tmp_path / "reftable"
    copy_demo(directory)
    return directory


@pytest.fixture
def picture(snap_compare: Compare) -> Compare:
    """Compare the screen over a stack, after some keys, with the picture accepted before."""

    def compare(
        directory: Path,
        *keys: str,
        size: tuple[int, int] = WIDE,
        prepare: Callable[[App[Any]], None] = lambda _app: None,
    ) -> bool:
        with open_session(directory, "demo") as session:
            app = InspectorApp(session, clock=lambda: NOW)

            async def before(pilot: Pilot[Any]) -> None:
                prepare(app)
                await settle(pilot)
                await press(pilot, *keys)

            return snap_compare(app, terminal_size=size, run_before=before)

    return compare


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x36", "80x24"])
def test_refs(picture: Compare, demo: Path, size: tuple[int, int]) -> None:
    assert picture(demo, size=size)


def test_logs(picture: Compare, demo: Path) -> None:
    assert picture(demo, "right_square_bracket", "pagedown")


def test_one_table(picture: Compare, demo: Path) -> None:
    assert picture(demo, "shift+tab", "j", "enter")


@SIZES
def test_blocks(picture: Compare, demo: Path, size: tuple[int, int]) -> None:
    assert picture(demo, "j", "j", "b", size=size)


def test_bytes_of_a_log_entry(picture: Compare, demo: Path) -> None:
    assert picture(demo, "2", "j", "b", "i", "h")


@SIZES
def test_compaction(picture: Compare, demo: Path, size: tuple[int, int]) -> None:
    assert picture(demo, "4", size=size)


def test_compaction_step_by_step(picture: Compare, demo: Path) -> None:
    assert picture(demo, "4", "X", "{", "full_stop", "full_stop", "full_stop")


def test_compaction_dry_run(picture: Compare, demo: Path) -> None:
    assert picture(demo, "4", "A", "enter")


def test_what_if(picture: Compare, demo: Path) -> None:
    assert picture(demo, "4", "h")


@SIZES
def test_health(picture: Compare, demo: Path, size: tuple[int, int]) -> None:
    (demo / "tables.list.lock").touch()
    os.utime(demo / "tables.list.lock", (NOW - 3 * 3600, NOW - 3 * 3600))
    assert picture(demo, "5", "v", size=size)


def test_empty_stack(picture: Compare, tmp_path: Path) -> None:
    assert picture(make_stack(tmp_path / "reftable"))


def test_thousand_tables(picture: Compare, tmp_path: Path) -> None:
    directory = make_tall_stack(tmp_path / "reftable", 1000)
    assert picture(directory, "shift+tab", "G")


@pytest.mark.parametrize("theme", thinned(["inspector-light", "inspector-colour-blind", "ansi-dark"], 3))
def test_refs_in_other_themes(picture: Compare, demo: Path, theme: str) -> None:
    def change(app: App[Any]) -> None:
        app.theme = theme

    assert picture(demo, "j", prepare=change)


def test_refs_without_colour(picture: Compare, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert picture(demo, "j")
