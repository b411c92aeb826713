"""A walk through the inspector with keys that only look: every pane, every list, every dialog, and back."""

from __future__ import annotations

from tests.support.terminal import Terminal

_LISTS = ("j", "j", "G", "k", "g", "\x04", "\x15", "\x1b[6~", "\x1b[5~", "D", "D", "s", "S", "b")
# As a terminal with the kitty protocol sends it: a key of its own, whatever follows.
_ESCAPE = "\x1b[27u"
_PAUSE = 0.03

# Each part begins and ends on the main screen, in whatever pane.
WALK: tuple[tuple[str, ...], ...] = (
    _LISTS,
    ("/", "h", "e", "\r", _ESCAPE, _ESCAPE),
    ("f", "r", "e", "f", "s", "/", "\r", _ESCAPE),
    ("]", *_LISTS, "]", "j", "j", "l", "\r", "]", "n", "p", "+", "]", "j", "]", "[", "["),
    ("\t", *_LISTS, "\r", _ESCAPE, "\t", "j", "\t", "\t", "\x1b[Z"),
    ("?", "G", "g", _ESCAPE),
    ("\x10", "t", "h", "e", _ESCAPE, _ESCAPE),
    ("@", "j", _ESCAPE),
    ("T", "j", "k", _ESCAPE, "L", "j", _ESCAPE),
    ("m", "m", "R", "p", "p"),
    # To ask for a change is not to make one: each dialog is left again.
    ("a", "x", _ESCAPE, _ESCAPE, "c", "j", _ESCAPE, _ESCAPE, "e", _ESCAPE, _ESCAPE, "x", _ESCAPE, _ESCAPE),
)


def walk(terminal: Terminal) -> None:
    """Press all of it, each key when what the one before has drawn is complete."""
    for part in WALK:
        for key in part:
            terminal.send(key.encode())
            terminal.quiet(_PAUSE)
            if terminal.process.poll() is not None:
                raise AssertionError(f"{key!r} of {part} ended it:\n{terminal.text[-3000:]}")
