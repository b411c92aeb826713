"""What the user has chosen, in `config.toml` in the platform's directory for configuration: only ever read.

An entry that is wrong is named, with what is allowed, and counts as if it were not there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import platformdirs
from textual.theme import BUILTIN_THEMES

from engine.stack import POLICIES, Policy
from engine.system import O_BINARY, O_NOCTTY, O_NONBLOCK
from inspector.tui.keys import check_keymap
from inspector.tui.themes import THEMES

TABS: Final = ("refs", "logs", "blocks", "compaction", "health")
_ENTRIES: Final = ("theme", "rule", "tab", "keymap")
_LONGEST: Final = 65_536  # bytes; a hundred times what names every action


@dataclass(frozen=True)
class Config:
    """What counts of the file, and what is wrong in it; empty is what the program does by itself."""

    theme: str = ""
    keymap: dict[str, str] = field(default_factory=dict)
    rule: Policy | None = None
    tab: str = ""
    wrong: tuple[str, ...] = ()


def config_path() -> Path:
    """Where the file is, if there is one."""
    return platformdirs.user_config_path("reftable-inspector", appauthor=False) / "config.toml"


def read_config(path: Path, themes: Collection[str]) -> Config:
    """The configuration in this file; the default one if there is no such file. Raises nothing."""
    try:
        contents = _contents(path).decode()
        import tomllib

        return checked(tomllib.loads(contents), themes)
    except FileNotFoundError:
        return Config()
    except (
        OSError,
        ValueError,
        RecursionError,
    ) as error:  # ValueError: no file, too long, no UTF-8, no TOML
        return Config(wrong=(f"{path} is not read: {error}",))


def _contents(path: Path) -> bytes:
    """All of the file. Nothing is waited for: a FIFO without a writer has no end, nor has /dev/zero."""
    with open(os.open(path, os.O_RDONLY | O_BINARY | O_NONBLOCK | O_NOCTTY), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is no regular file")
        contents = file.read(_LONGEST + 1)
    if len(contents) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST:,} bytes")
    return contents


def user_config() -> Config:
    """The user's."""
    return read_config(config_path(), [theme.name for theme in THEMES] + sorted(BUILTIN_THEMES))


def checked(entries: dict[str, Any], themes: Collection[str]) -> Config:
    """What counts of these entries."""
    wrong: list[str] = []

    def choice(name: str, allowed: Collection[str]) -> str:
        value = entries.get(name, "")
        if name in entries and (not isinstance(value, str) or value not in allowed):
            wrong.append(f"{name} = {value!r}: one of {', '.join(allowed)}")
            return ""
        return cast("str", value)

    theme = choice("theme", themes)
    rule, tab = choice("rule", POLICIES), choice("tab", TABS)
    asked = entries.get("keymap", {})
    if not isinstance(asked, dict):
        wrong.append(f"keymap = {asked!r}: a table, as [keymap]")
        asked = {}
    keymap, conflicts = check_keymap(asked)
    wrong += conflicts
    wrong += [f"{name}: there is no such entry" for name in entries if name not in _ENTRIES]
    return Config(theme, keymap, cast("Policy", rule) if rule else None, tab, tuple(wrong))
