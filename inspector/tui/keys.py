"""What is made of the table of keys: the bindings of each class, what the footer shows, a user's keymap.

A screen, a pane or a list takes its bindings from here (`bindings`). A lower `rank` is more useful: the
footer shows as many as have room, best first; what has none is left to the help. A user's keymap
(`config.toml`) gives a meaning other keys, as long as a key still means one thing.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from textual.binding import ActiveBinding, Binding, BindingType
from textual.keys import Keys, format_key
from textual.screen import Screen
from textual.widgets import Input

from inspector.tui.key_table import MEANINGS, PLACES, Use

# Only these differ from what Textual calls them: words say more than the signs.
_LABELS: Final = {"enter": "enter", "pagedown": "page down", "pageup": "page up"}

NEWLINE: Final = "ctrl+j"
"""What Textual calls the character that most terminals send for this key, and for Enter as long as no program
has set their modes. Here it always is Enter, so it cannot be given another meaning."""

ALWAYS: Final = 10
"""The rank below which a key is always in the footer, at its end."""


@dataclass(frozen=True)
class _Rank(Binding.Group):
    """What Textual keeps with a binding for its own footer; here, how useful it is."""

    rank: int = 0


def bindings(*places: str) -> list[BindingType]:
    """What a class has as its `BINDINGS`: the keys of these places. The ids are those of the meanings."""
    return [_binding(use) for place in places for use in PLACES[place]]


def _binding(use: Use) -> Binding:
    meaning = MEANINGS[use.meaning]
    return Binding(
        meaning.keys,
        use.action,
        use.words or meaning.words,
        show=bool(use.rank),
        priority=use.priority,
        tooltip=use.hint,
        id=use.meaning,
        system=not use.is_listed,
        group=_Rank(rank=use.rank),
    )


def rank(binding: Binding) -> int:
    """How useful a key is, 1 the most; what is not in the table comes after all that is."""
    return binding.group.rank if isinstance(binding.group, _Rank) else 99


def active_bindings(screen: Screen[Any]) -> Iterator[ActiveBinding]:
    """The keys that work on `screen` now; a letter that a field takes as text is none of them."""
    typing = isinstance(screen.focused, Input)
    for key, active in screen.active_bindings.items():
        if not (typing and _is_text(key) and not active.binding.priority):
            yield active


def _long_keys(keys: str) -> list[str]:
    """Textual's own names of keys."""
    return [binding.key for binding in Binding.make_bindings([Binding(keys, "")])]


_WHILE_TYPING: Final = {use.meaning for use in PLACES["prompt"] if use.priority}
"""What works where text is typed, whatever the key: such a key cannot be a character."""


def _is_text(key: str) -> bool:
    return len(key_label(key)) == 1 or key == "space"


def check_keymap(wanted: Mapping[str, object]) -> tuple[dict[str, str], list[str]]:
    """The entries of a user's keymap that can be had, by meaning, and what is wrong with the others.

    A key still has one meaning: it may be taken only from one that has got another key.
    """
    wrong: list[str] = []
    keymap: dict[str, str] = {}
    for name, keys in wanted.items():
        if name not in MEANINGS:
            near = difflib.get_close_matches(name, MEANINGS, n=3) or ["one that docs/terminal.md lists"]
            wrong.append(f"keymap.{name}: there is no such action; did you mean {' or '.join(near)}?")
        elif not isinstance(keys, str) or not all(map(_is_key, keys.split(","))):
            wrong.append(f"keymap.{name} = {keys!r}: a key such as x, ctrl+x, f2, or several with a comma")
        elif name in _WHILE_TYPING and any(map(_is_text, _long_keys(keys))):
            wrong.append(f"keymap.{name} = {keys!r}: it ends a filter, and this could not be typed into one")
        else:
            keymap[name] = ",".join(_long_keys(keys))
    while clash := next(_clashes(keymap), None):
        name, key, other = clash
        taken = f"{key_label(key)} is {MEANINGS[other].words} ({other})"
        wrong.append(f"keymap.{name} = {keymap.pop(name)!r}: {taken}")
    return keymap, wrong


def _clashes(keymap: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    taken = {NEWLINE: "open"} | {
        key: name
        for name, meaning in MEANINGS.items()
        if name not in keymap
        for key in _long_keys(meaning.keys)
    }
    for name, keys in keymap.items():
        for key in keys.split(","):
            if taken.setdefault(key, name) != name:
                yield name, key, taken[key]


_NAMED_KEYS: Final = {key.value.split("+")[-1] for key in Keys} | {
    key for meaning in MEANINGS.values() for key in meaning.keys.split(",")
}


def _is_key(key: str) -> bool:
    *modifiers, last = ["plus"] if key == "+" else key.strip().split("+")
    is_sign = len(last) == 1 and last.isprintable() and not last.isspace()
    return set(modifiers) <= {"ctrl", "shift", "alt"} and (is_sign or last in _NAMED_KEYS)


def key_label(key: str) -> str:
    """A key by the name that a user knows: `?`, `ctrl+d`, `page down`."""
    *modifiers, last = key.split("+")
    return "+".join([*modifiers, _LABELS.get(last, format_key(last))])


def key_of(screen: Screen[Any], meaning: str) -> str:
    """The key that has a meaning on `screen` now, by the user's keymap; empty if none has."""
    keys = {active.binding.id: key for key, active in reversed(list(screen.active_bindings.items()))}
    return key_label(keys[meaning]) if meaning in keys else ""


def footer_label(binding: Binding, active: Collection[str | None]) -> str:
    """How the footer calls a key: of a pair both, unless the user's keymap has another one.

    `active` are the meanings that have a key now: where that of the other is none, there is no pair.
    """
    meaning = MEANINGS.get(binding.id or "")
    is_pair = meaning is not None and meaning.other in active and binding.key in _long_keys(meaning.keys)
    return meaning.shown if meaning is not None and is_pair else key_label(binding.key)
