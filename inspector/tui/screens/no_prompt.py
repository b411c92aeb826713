"""What is shown where a key asks for a prompt and there is none."""

from __future__ import annotations

from typing import Final

from textual.widgets import Static

from inspector.tui.keys import bindings
from inspector.tui.screens.dialog import Dialog
from inspector.tui.widgets.record_bar import Which

_WORDS: Final[dict[Which, tuple[str, str]]] = {
    "filter": ("Nothing to filter", "Nothing here can be filtered; refs and reflog entries can."),
    "jump": ("Nowhere to jump to", "Nothing here can be jumped to; refs, reflog entries and bytes can."),
}


class NoPromptScreen(Dialog[None]):
    """Says so, and takes what was typed for the prompt: elsewhere each letter would be a command."""

    HELP = """
    The key that you have pressed asks for something to be typed, and there is nothing here that it could be
    for. So what you type does nothing. Enter and escape go back.
    """

    DEFAULT_CSS = """
    NoPromptScreen > .box { width: 72; max-width: 100%; height: auto; padding: 0 2; }
    """

    BINDINGS = bindings("no-prompt")

    def __init__(self, which: Which) -> None:
        title, sentence = _WORDS[which]
        super().__init__(title, Static(f"{sentence}\nWhat is typed now does nothing.", markup=False))
