"""What is likely meant by a first word that is neither a verb nor a path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

_ALIKE: Final = 0.75
"""How much is in common: two of four letters may be swapped; `reftable` is no `tables`."""
_BEGINNING: Final = 3
"""So many letters of a verb's beginning mean it."""

_OF_GIT: Final = {
    "for-each-ref": "refs",
    "show-ref": "refs",
    "branch": "refs",
    "tag": "refs",
    "reflog": "logs",
    "log": "logs",
    "rev-parse": "resolve",
    "symbolic-ref": "resolve",
    "update-ref": "add",
    "pack-refs": "compact",
    "gc": "compact",
    "verify": "fsck",
    "help": "--help",
}
"""What git has for it, and what comes near here."""


def better_words(args: Sequence[str], verbs: Sequence[str]) -> str | None:
    """What to say of words that are to open the inspector, if they look as if a verb was meant.

    A path that exists is a path, whatever it is named.
    """
    first, second = [*args, "", ""][:2]
    if os.path.lexists(first):
        comes_late = second in verbs and not os.path.lexists(second)
        return f'the verb comes first: "{second} {first}"' if comes_late else None
    if "/" in first or first.startswith("-"):
        return None
    meant = [_OF_GIT[first]] if first in _OF_GIT else get_close_matches(first.lower(), verbs, 1, _ALIKE)
    if len(first) >= _BEGINNING:
        meant += [verb for verb in verbs if verb.startswith(first)]
    return f'no verb "{first}"; did you mean "{meant[0]}"?' if meant else None
