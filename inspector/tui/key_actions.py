"""What the keys do here: the bindings that work on a screen right now, as a list to show or to choose from.

The help screen and the command palette are both made of it, so that neither can forget a key. Which key
does what is declared where the action is; this only reads it, through `Screen.active_bindings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

from inspector.tui.key_table import MEANINGS
from inspector.tui.keys import active_bindings, key_label, rank

# Textual binds these for everything that could scroll, whether or not it does.
_SIDEWAYS: Final = {"scroll_left", "scroll_right", "page_left", "page_right"}
_UPRIGHT: Final = {"scroll_up", "scroll_down", "scroll_home", "scroll_end", "page_up", "page_down"}
# And these, which have other words there than here, also where nothing else can have the focus.
_FOCUS: Final = {"focus_next": "next-pane", "focus_previous": "pane-before"}


@dataclass(slots=True)
class KeyAction:
    """One action and every key that does it: `node` is whose action it is.

    `of_pane` says that it belongs to what has the focus, and not to the screen or the program.
    """

    node: DOMNode
    action: str
    title: str
    hint: str
    of_pane: bool
    rank: int
    keys: tuple[str, ...] = ()


def key_actions(screen: Screen[Any]) -> list[KeyAction]:
    """What can be done on `screen` now, the focused pane's first, and the most useful ones of each.

    Left out is what `check_action` hides or dims, and what scrolls something that does not scroll.
    """
    found: dict[tuple[DOMNode, str], KeyAction] = {}
    for node, binding, enabled, _tooltip in active_bindings(screen):
        target, action = _target(screen, node, binding.action)
        if not enabled or binding.system or not binding.description or _is_idle(target, action):
            continue
        if action in _FOCUS and len(screen.focus_chain) < 2:
            continue
        if binding.key.startswith("super+"):  # for terminals that pass it on; there is another
            continue
        of_pane = node not in (screen, screen.app)
        words = (
            MEANINGS[_FOCUS[action]].words if action in _FOCUS and binding.id is None else binding.description
        )
        title = words[:1].upper() + words[1:]
        made = KeyAction(target, action, title, binding.tooltip, of_pane, rank(binding))
        known = found.setdefault((target, action), made)
        known.keys += (key_label(binding.key),)
    return sorted(found.values(), key=lambda action: (not action.of_pane, action.rank or 99))


def _target(screen: Screen[Any], node: DOMNode, action: str) -> tuple[DOMNode, str]:
    prefix, dot, name = action.partition("(")[0].rpartition(".")
    if not dot:
        return node, action
    targets: dict[str, DOMNode | None] = {"app": screen.app, "screen": screen, "focused": screen.focused}
    return targets.get(prefix) or node, action[len(prefix) + 1 :] if name else action


def _is_idle(node: DOMNode, action: str) -> bool:
    if not isinstance(node, Widget):
        return False
    return (action in _SIDEWAYS and not node.allow_horizontal_scroll) or (
        action in _UPRIGHT and not node.allow_vertical_scroll
    )
