"""A walk through the inspector with keys that only look: every pane, every list, every dialog, and back."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.terminal import Terminal


class See(NamedTuple):
    """A key after which something is to be seen."""

    key: str
    sight: str


# As a terminal with the kitty protocol sends it: a key of its own, whatever follows.
_ESCAPE = "\x1b[27u"
_BACK = (_ESCAPE,) * 3
_MOVES = ("j", "j", "G", "k", "g", "\x04", "\x15", "\x1b[6~", "\x1b[5~")
_SORTS = ("s", "s", "S", "S")
_RIGHT, _BACKTAB = "\x1b[C", "\x1b[Z"
_PAUSE = 0.03

# Each part begins on the main screen, wherever the focus is. None ends in something that is written.
_WALK: tuple[tuple[str | See, ...], ...] = (
    ("1", *_MOVES, "D", "D", *_SORTS),
    ("1", *"/he", "\r", *_BACK, *"frefs", "\r", *_BACK),
    ("1", See("y", "━ Copy"), *_BACK, See("E", "━ Export"), *_BACK),
    # The block is found in a thread, so its tab comes late: it is waited for, or it would come in between.
    (See("2", "logs"), *_MOVES, *_SORTS, "y", *_BACK, See("b", "blocks")),
    ("3", "j", "j", "\r", "j", _RIGHT, "j", _RIGHT, *"jhj", _RIGHT, *"hin"),
    ("3", *"f40", "\r", *_BACK),
    (See("4", "compaction"), *"..,X+-j jVkF", "\r", "h", *_BACK),
    (See("5", "health"), *"vjj", "\r", "5", "b"),
    (See("1", "refs"), _BACKTAB, *_MOVES, " ", _ESCAPE, "\r", "2", "1", *_BACK, "\t", "\t"),
    (See("?", "Keys"), *"tomb", "\x1b[6~", "\x1b[5~", _ESCAPE),
    (See("\x10", "Search"), *"the", *_BACK),
    (See("@", "Journal"), "j", *_BACK),
    (See("T", "Time travel"), "j", "k", *_BACK, "L", "j", *_BACK),
    ("m", "m", "R", "p", "p"),
    # To plan a change is not to make it: each is left before it is confirmed.
    (See("w", "Change the stack"), See("a", "Add a transaction"), "x", *_BACK),
    (See("w", "Change the stack"), See("c", "Compact: merge"), "\r", *_BACK),
    (See("w", "Change the stack"), See("e", "Expire reflog"), *"now", "\r", *_BACK),
    (See("w", "Change the stack"), See("x", "Clean"), "j", *_BACK),
)


def walk(terminal: Terminal) -> int:
    """Press all of it, each key when what the one before has drawn is complete, and leave; the exit code."""
    for part in _WALK:
        for key in part:
            if isinstance(key, See):
                terminal.press(key.key.encode(), key.sight)
            else:
                terminal.send(key.encode())
            terminal.quiet(_PAUSE)
            if terminal.process.poll() is not None:
                raise AssertionError(f"{key!r} of {part} ended it:\n{terminal.text[-3000:]}")
        terminal.quiet(3 * _PAUSE)
    # A dialog that came late, on a busy machine, is left first.
    for _ in range(20):
        for key in (*_BACK, "q"):
            terminal.send(key.encode())
        terminal.quiet(1.0)
        if terminal.process.poll() is not None:
            break
    return terminal.end()
