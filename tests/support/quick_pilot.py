"""A Textual that is as quick under test as it can be: its pilot waits for the application, not for time.

Textual's pilot has each of a screen's hundred widgets answer, and sleeps until the process has been idle for
a fiftieth of a second: twice for each key. All it wants to know is whether the application is at rest. It is
when the event loop has nothing left to do and nothing is left to draw; then only a thread or a timer can
bring more.

Nothing is drawn but what a test looks at (`shown_lines`, pictures), since nothing else would be seen: drawing
was a good part of the work. Only bytes are drawn each time, for drawing them is what asks for those that are
missing. Where REFTABLE_TESTS=all asks for everything, whatever comes to rest is drawn as in a terminal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import FunctionType, MethodType
from typing import Any, Final
from weakref import WeakSet

import textual._callback
import textual.app
import textual.constants
import textual.screen
from textual.app import App, ScreenStackError
from textual.cache import LRUCache
from textual.css.stylesheet import Stylesheet
from textual.message import Message
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.screen import Screen

from inspector.tui.widgets.hex_view import HexView
from tests.support.thinning import ALL

_GLANCE: Final = 0.02
"""Seconds between two looks at what threads do."""

_MOST_STEPS: Final = 200_000
"""Steps of the event loop after which an application is taken to be one that never rests."""

_waiting: WeakSet[Screen[Any]] = WeakSet()
"""Screens of which something is to be drawn."""

draw_at_once: Final = Screen._compositor_refresh
"""As Textual draws, for a test of what is drawn."""

_init_alone: Final = Stylesheet.__init__
_set_variables_alone: Final = Stylesheet.set_variables
_parsed: dict[frozenset[tuple[str, str]], LRUCache[Any, Any]] = {}
"""Rules of style sheets by the colours that they were parsed with."""


def make_textual_quick() -> None:
    """Change Textual for all tests of this process."""
    # A screen without a terminal has no viewer who sees a line glide to another tab, and each key would wait.
    # The plugin for snapshots has imported Textual by now, so variables of the environment come too late.
    textual.constants.TEXTUAL_ANIMATIONS = "none"  # type: ignore[misc]
    # The pilot draws when it looks, so frames in between would be for nothing.
    textual.screen.UPDATE_PERIOD = 0.5  # type: ignore[misc]
    Screen._compositor_refresh = _draw_later  # type: ignore[method-assign]
    textual._callback._count_parameters = _count_parameters  # type: ignore[assignment]
    MessagePump._get_dispatch_methods = _handlers  # type: ignore[method-assign]
    Stylesheet.__init__ = _init  # type: ignore[method-assign]
    Stylesheet.set_variables = _set_variables  # type: ignore[method-assign]
    textual.app.wait_for_idle = _do_not_wait  # type: ignore[attr-defined]
    Pilot._wait_for_screen = _wait_for_screen  # type: ignore[assignment,method-assign]
    Pilot.pause = _pause  # type: ignore[method-assign]
    Pilot.press = _press  # type: ignore[method-assign]


def _set_variables(stylesheet: Stylesheet, variables: dict[str, str]) -> None:
    stylesheet._parse_cache = LRUCache(1)  # which this empties
    _set_variables_alone(stylesheet, variables)
    _share_rules(stylesheet, variables)


def _init(stylesheet: Stylesheet, *, variables: dict[str, str] | None = None) -> None:
    _init_alone(stylesheet, variables=variables)
    _share_rules(stylesheet, variables or {})  # also that with which Textual parses all anew, for a theme


def _share_rules(stylesheet: Stylesheet, variables: dict[str, str]) -> None:
    # Each application would parse the same styles of all widgets anew.
    stylesheet._parse_cache = _parsed.setdefault(frozenset(variables.items()), LRUCache(1000))


_handlers_alone: Final = MessagePump._get_dispatch_methods
_handled: dict[tuple[type, str, type[Message]], list[tuple[type, Any]] | None] = {}


def _handlers(
    pump: MessagePump, name: str, message: Message
) -> Iterable[tuple[type, Callable[[Message], Awaitable[Any]]]]:
    """The handlers that Textual looks for anew in all classes, a thousand times for one application."""
    key = (type(pump), name, type(message))
    try:
        handlers = _handled[key]
    except KeyError:
        handlers = _handled[key] = _look_for_handlers(*key)
    if handlers is None:
        yield from _handlers_alone(pump, name, message)
        return
    for owner, method in handlers:
        if message._no_default_action:
            return
        yield owner, method.__get__(pump, owner)


def _look_for_handlers(pump: type, name: str, message: type[Message]) -> list[tuple[type, Any]] | None:
    """The handlers of a class, in order; None if it depends on the message itself."""
    found: list[tuple[type, Any]] = []
    for owner in pump.__mro__:
        decorated = owner.__dict__.get("_decorated_handlers") or {}
        handlers = [handler for kind in message.__mro__ for handler in decorated.get(kind, ())]
        by_name = owner.__dict__.get(f"_{name}") or owner.__dict__.get(name)
        methods = [method for method, _ in handlers]
        if by_name is not None and not getattr(by_name, "_textual_on", None):
            methods.append(by_name)
        if len(methods) > 1 or any(selectors for _, selectors in handlers):
            return None
        found += [(owner, method) for method in methods]
    methods = [method for _, method in found]
    return found if len(set(methods)) == len(methods) else None


_count_alone: Final = textual._callback._count_parameters


def _count_parameters(function: Any) -> int:  # noqa: ANN401 - whatever can be called
    """As many as a signature has, which Textual makes anew for each callback."""
    if isinstance(function, MethodType):
        return _count_parameters(function.__func__) - 1
    if not isinstance(function, FunctionType) or function.__dict__:  # it may stand for another one
        return _count_alone(function)
    code = function.__code__
    return (
        code.co_argcount
        + code.co_kwonlyargcount
        + bool(code.co_flags & CO_VARARGS)
        + bool(code.co_flags & CO_VARKEYWORDS)
    )


async def rest(app: App[Any]) -> None:
    """Let `app` go on until only a thread or a timer can bring anything new."""
    loop: Any = asyncio.get_running_loop()
    for _ in range(_MOST_STEPS):
        if loop._ready:
            await asyncio.sleep(0)
        elif not _draw(app):
            return
    raise AssertionError("the application never comes to rest")


def _draw_later(screen: Screen[Any]) -> None:
    screen._dirty_widgets.clear()
    _waiting.add(screen)


def _draw(app: App[Any]) -> bool:
    """Lay out or draw what has changed; False if that is nothing."""
    try:
        screen = app.screen
    except ScreenStackError:  # it has ended
        return False
    if app._resize_timer is not None:  # Textual waits for a moment, whether the size changes once more
        app._check_resize()
        return True
    is_due = (
        screen._layout_required
        or screen._scroll_required
        or screen._repaint_required
        or screen._recompose_required
        or screen._dirty_widgets
        or screen._callbacks
    )
    if is_due and screen.is_running and not app._batch_count:
        screen._on_timer_update()
        return True
    if screen not in _waiting:
        return False
    _waiting.remove(screen)
    if ALL:
        draw_at_once(screen)
        return True
    app._update_mouse_over(screen)
    for widget, (region, _clip) in screen._compositor.visible_widgets.items():
        if isinstance(widget, HexView):
            widget.render_lines(region.size.region)
    return True


async def _wait_for_screen(pilot: Pilot[Any], timeout: float = 30.0) -> bool:  # noqa: ARG001, ASYNC109
    await rest(pilot.app)
    return pilot.app._exception is None


async def _do_not_wait(min_sleep: float = 0, max_sleep: float = 0) -> None:
    """Wait in place of Textual, for nothing."""


async def _pause(pilot: Pilot[Any], delay: float | None = None) -> None:
    if delay is not None:
        await asyncio.sleep(delay)
    await rest(pilot.app)
    if delay is None:
        await _wait_for_threads(pilot.app)


async def _wait_for_threads(app: App[Any]) -> None:
    """Wait until those that compute have done so, and those that wait for something do wait."""
    deadline = time.monotonic() + 1
    while tasks := [worker._task for worker in app.workers if worker._task is not None]:
        before = time.process_time()
        done, _ = await asyncio.wait(tasks, timeout=_GLANCE, return_when=asyncio.FIRST_COMPLETED)
        await rest(app)
        is_idle = not done and time.process_time() - before < _GLANCE / 20
        if is_idle or time.monotonic() > deadline:
            return


async def _press(pilot: Pilot[Any], *keys: str) -> None:
    for key in keys:
        await pilot.app._press_keys([key])
        await _pause(pilot)
