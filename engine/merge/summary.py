"""A table of a plan: what is known of it before it is written, and of those that it takes the place of."""

from __future__ import annotations

from typing import NamedTuple


class TableSummary(NamedTuple):
    """A table of a plan: its name (None while it is not written yet) and file size."""

    name: str | None
    size: int
    min_update_index: int
    max_update_index: int
