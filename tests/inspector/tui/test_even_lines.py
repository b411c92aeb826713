"""What is drawn at once looks as Textual would have drawn it line by line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widget import Widget

from inspector.tui import MainScreen
from inspector.tui.widgets.even_lines import EvenLines
from inspector.tui.widgets.virtual_list import VirtualList
from tests.support.screens import NARROW, WIDE, branches, inspect, make_stack


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("refs", [0, 3, 100])
def test_lines_that_are_drawn_at_once_are_the_same_as_one_by_one(
    tmp_path: Path, size: tuple[int, int], refs: int
) -> None:
    directory = make_stack(tmp_path / "reftable", (branches(refs), [])) if refs else tmp_path
    (directory / "tables.list").touch()

    async def steps(_pilot: Pilot[Any], screen: MainScreen) -> None:
        shown = [screen, *screen.walk_children(Widget)]
        drawn = [widget for widget in shown if isinstance(widget, (EvenLines, VirtualList))]
        assert len(drawn) == 5
        for widget in drawn:
            whole = Region(0, 0, *widget.outer_size)
            for crop in (whole, whole.shrink((1, 2, 0, 0)), whole.shrink((0, 0, 1, 3))):
                if crop:
                    one_by_one = widget._styles_cache.render_widget(widget, crop)
                    assert widget.render_lines(crop) == one_by_one, (widget, crop)

    inspect(directory, steps, size)
