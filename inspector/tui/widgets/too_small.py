"""What a terminal shows that is too small for the screens: how large it has to be."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.widgets import Static

LEAST_COLUMNS: Final = 60
LEAST_LINES: Final = 16


class TooSmall(Static):
    """Lies over the whole screen while that has one of the classes `-cramped` and `-tiny`.

    A screen that yields it sets the classes by its breakpoints: `(0, "-cramped")` below LEAST_COLUMNS,
    `(0, "-tiny")` below LEAST_LINES. What lies below keeps focus and state.
    """

    # A scope would be put in front of `Screen`, below which there is none.
    SCOPED_CSS = False
    DEFAULT_CSS: ClassVar[str] = """
    TooSmall {
        display: none;
        overlay: screen;
        position: absolute;
        offset: 0 0;
        width: 100vw;
        height: 100vh;
        background: $background;
        color: $foreground;
        content-align: center middle;
        text-align: center;
    }
    Screen.-cramped TooSmall, Screen.-tiny TooSmall { display: block; }
    """

    def __init__(self) -> None:
        super().__init__(f"terminal too small: {LEAST_COLUMNS}x{LEAST_LINES} needed", markup=False)
