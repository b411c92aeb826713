"""The pictures in the README are of the program as it is."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from textual.screen import Screen

from tests.support.git import Git
from tests.support.quick_pilot import draw_at_once
from tests.support.thinning import thinned

SCREENSHOTS = Path(__file__).resolve().parents[3] / "screenshots"


@pytest.fixture
def take(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("screenshots_take", SCREENSHOTS / "take.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(Screen, "_compositor_refresh", draw_at_once)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where its dataclasses look for their names
    spec.loader.exec_module(module)
    return module


def test_no_picture_is_stale(take: ModuleType, tmp_path: Path) -> None:
    stale = [
        path.name
        for path in take.take(tmp_path, thinned(take.PICTURES, 5))
        if not (SCREENSHOTS / path.name).exists()
        or (SCREENSHOTS / path.name).read_bytes() != path.read_bytes()
    ]
    assert stale == [], "run: python screenshots/take.py"


@pytest.mark.whole
def test_the_recording_is_not_stale(take: ModuleType, git: Git, tmp_path: Path) -> None:
    recorded = take.record(tmp_path, git.program)
    is_same = recorded.read_bytes() == (SCREENSHOTS / take.RECORDING).read_bytes()
    assert is_same, "run: python screenshots/take.py"


def test_no_picture_is_left_over(take: ModuleType) -> None:
    assert {path.name for path in SCREENSHOTS.glob("*.svg")} == {*take.PICTURES, take.RECORDING}
