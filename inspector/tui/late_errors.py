"""Errors that say no more than that something was closed in the meantime.

A key that closes a screen may overtake what builds or fills it: on a busy machine somebody who opens a
dialog and leaves it at once is faster than its parts are made. What comes too late does not find the parts
that it is for, and Textual would end the program over it. Nobody waits for the result any more, so such
an error is none; any other is a fault, and stays one.
"""

from __future__ import annotations

import traceback
from types import FrameType

from textual.css.query import NoMatches
from textual.dom import DOMNode
from textual.screen import Screen
from textual.worker import WorkerFailed

__all__ = ["came_too_late"]


def came_too_late(error: Exception) -> bool:
    """Whether `error` befell something that was being closed, or the palette before it had a list."""
    if isinstance(error, WorkerFailed) and isinstance(error.error, Exception):
        error = error.error
    frames = [frame for frame, _line in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, NoMatches) and any(_is_gone(frame.f_locals.get("self")) for frame in frames):
        return True
    # Textual's palette trips when a page is turned in it, or it is closed, before it has found anything.
    modules = [_module(frame) for frame in frames]
    in_palette = "textual.command" in modules
    return in_palette and not any(module.startswith(("inspector", "engine")) for module in modules)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _is_gone(node: object) -> bool:
    if not isinstance(node, DOMNode):
        return False
    if not node.is_attached:
        return True
    screens = [ancestor for ancestor in node.ancestors_with_self if isinstance(ancestor, Screen)]
    return any(screen not in node.app.screen_stack for screen in screens)
