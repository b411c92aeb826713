"""Who makes a reflog entry, as far as environment and configuration tell it.

git takes away what names and addresses cannot have, takes dates of many forms, and refuses what leaves
nothing (fmt_ident() in its ident.c). Where nothing of that can be, it need not be asked.
"""

from __future__ import annotations

import os
import re
import time
from typing import Final

from engine import update
from engine.git.config import GitConfig
from engine.system import POSIX
from engine.update import Identity

_SECTIONS: Final = ("committer", "user")
_TRIMMED: Final = frozenset(map(chr, range(33))) | frozenset(".,:;<>\"\\'")
"""What git takes away at both ends, at least."""
_DROPPED: Final = frozenset("\n<>")


def plain_committer(config: GitConfig) -> Identity | None:
    """The committer of now; None where git has to be asked."""
    if "GIT_COMMITTER_DATE" in os.environ:
        return None
    name, email = _configured(config, "name"), _configured(config, "email")
    if not (_is_plain(name) and _is_plain(email)):
        return None
    return _now(os.fsencode(name), os.fsencode(email))


def _configured(config: GitConfig, what: str) -> str:
    """The name or the email that counts; empty where none is set, or git may refuse one that is."""
    values = [config.values.get(f"{section}.{what}", "") for section in _SECTIONS]
    if None in values:
        return ""
    return os.environ.get(f"GIT_COMMITTER_{what.upper()}", next(filter(None, values), ""))


def _is_plain(text: str) -> bool:
    return bool(text) and not (_TRIMMED & {text[0], text[-1]} or _DROPPED.intersection(text))


def committer_from_environment() -> Identity:
    """The committer as far as GIT_COMMITTER_NAME and GIT_COMMITTER_EMAIL, or else user and host, tell."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a process may run under an id that no user has
        user = f"uid{os.getuid()}" if POSIX else "unknown"
    name = os.environ.get("GIT_COMMITTER_NAME") or user
    email = (
        os.environ.get("GIT_COMMITTER_EMAIL") or os.environ.get("EMAIL") or f"{user}@{socket.gethostname()}"
    )
    return _now(_clean(name), _clean(email))


def _clean(text: str) -> bytes:
    """Without the characters that end a name or an address in a reflog line; git drops them, too."""
    return re.sub(rb"[\x00\n<>]", b"", os.fsencode(text))


def _now(name: bytes, email: bytes) -> Identity:
    now = int(time.time())
    return update.Identity(name, email, now, int(time.strftime("%z", time.localtime(now))))
