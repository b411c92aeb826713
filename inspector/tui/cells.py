"""Text in the cells of a terminal, of which a character may take two, or none."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def shorten_middle(text: str, width: int) -> str:
    """`text` in at most `width` cells, its middle replaced by an ellipsis: both ends of a path tell."""
    if cell_len(text) <= width:
        return text
    tail = max(0, width - 1) * 2 // 3
    at = len(text)
    while at and cell_len(text[at - 1 :]) <= tail:
        at -= 1
    return set_cell_size(text, max(0, width - 1 - tail)) + "…" + text[at:]
