"""Text in the cells of a terminal, of which a character may take two, or none."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from engine.format import RefRecord
from inspector.text import shown, value_text


def shorten_middle(text: str, width: int) -> str:
    """`text` in at most `width` cells, its middle replaced by an ellipsis: both ends of a path tell."""
    if cell_len(text) <= width:
        return text
    tail = max(0, width - 1) * 2 // 3
    at = len(text)
    while at and cell_len(text[at - 1 :]) <= tail:
        at -= 1
    # Half of a wide character would be a space.
    return set_cell_size(text, max(0, width - 1 - tail)).rstrip() + "…" + text[at:]


def name_text(name: bytes, width: int) -> str:
    """A ref's name in `width` cells: too long a one without its first parts, and if need be its middle.

    What tells refs apart is at their end, and `refs/heads/` is in front of most.
    """
    text, begins = shown(name), 0
    while cell_len(text[begins:]) + bool(begins) > width and (cut := text.find("/", begins)) >= 0:
        begins = cut + 1
    return shorten_middle(f"…{text[begins:]}" if begins else text, width)


def fitted_value(record: RefRecord, width: int) -> str:
    """What a ref record says in `width` cells: an id, or the target by its end, since that tells it apart."""
    if record.target is None:
        return value_text(record, width)
    return "-> " + name_text(record.target, width - 3)
