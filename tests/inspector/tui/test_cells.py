"""Text is measured in the cells that it takes, not in characters."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from inspector.tui.cells import shorten_middle


@pytest.mark.parametrize(
    ("width", "text"), [(20, "/srv/git/project.git"), (12, "/srv…ect.git"), (3, "/…t"), (1, "…")]
)
def test_a_path_is_shortened_in_its_middle(width: int, text: str) -> None:
    assert shorten_middle("/srv/git/project.git", width) == text


@pytest.mark.parametrize("text", ["/srv/倉庫/プロジェクト.git", "é" * 30, "e\u0301" * 30, "a"])
def test_what_is_shortened_takes_no_more_cells_than_it_may(text: str) -> None:
    for width in range(1, 40):
        short = shorten_middle(text, width)
        assert cell_len(short) <= width
        assert (short == text) is (cell_len(text) <= width)
        assert short[-1:] in (text[-1:], "…")
