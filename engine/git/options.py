"""What git's configuration asks of a stack: hash function, write options, permissions, reflogs.

The values and their limits are those of git's `refs/reftable-backend.c`, the meaning of
core.sharedRepository that of `git_config_perm` in its `setup.c` and `calc_shared_perm` in its `path.c`.
A value that git would refuse raises RepositoryError, which names the variable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Final

from engine.errors import RepositoryError
from engine.format import DEFAULT_BLOCK_SIZE, DEFAULT_RESTART_INTERVAL, MAX_BLOCK_SIZE, MAX_RESTARTS, HashId
from engine.git.config import GitConfig
from engine.merge import DEFAULT_FACTOR, STASH, Expiry
from engine.stack import DEFAULT_LOCK_TIMEOUT_MS, StackOptions

_MAX_FACTOR: Final = 255
_WAIT_FOREVER: Final = -1

# core.sharedRepository adds these to what the umask leaves (PERM_GROUP and PERM_EVERYBODY in git's setup.h).
_GROUP: Final = 0o660
_EVERYBODY: Final = 0o664

_EXPIRY: Final = re.compile(r"gc\.(?:(.*)\.)?reflogexpire(unreachable)?", re.DOTALL)
_DEFAULT_EXPIRY: Final = "90.days.ago"

_LOGGED_PREFIXES: Final = (b"refs/heads/", b"refs/remotes/", b"refs/notes/")


def hash_id(config: GitConfig) -> HashId:
    """The hash function of a repository's object ids."""
    name = config.text("extensions.objectformat") or HashId.SHA1
    if name not in list(HashId):
        raise RepositoryError(f"extensions.objectFormat is {name[:80]!r}: only sha1 and sha256 are known")
    return HashId(name)


def stack_options(config: GitConfig) -> StackOptions:
    """The options that git writes and compacts the stacks of a repository with."""
    # In these three, 0 asks for the default.
    block_size = config.number("reftable.blocksize", 0, 0, MAX_BLOCK_SIZE)
    restart_interval = config.number("reftable.restartinterval", 0, 0, MAX_RESTARTS)
    factor = config.number("reftable.geometricfactor", 0, 0, _MAX_FACTOR)
    return StackOptions(
        hash_id=hash_id(config),
        block_size=block_size or DEFAULT_BLOCK_SIZE,
        restart_interval=restart_interval or DEFAULT_RESTART_INTERVAL,
        skip_index_objects=not config.flag("reftable.indexobjects", True),
        policy="geometric",
        factor=factor or DEFAULT_FACTOR,
        lock_timeout_ms=config.number(
            "reftable.locktimeout", DEFAULT_LOCK_TIMEOUT_MS, _WAIT_FOREVER, 2**63 - 1
        ),
        default_permissions=_shared_permissions(config),
    )


def autocreates_reflog(config: GitConfig, name: bytes, *, bare: bool) -> bool:
    """Whether an update of the ref `name` begins a reflog, by core.logAllRefUpdates.

    "always" does so for every ref, true for branches, remote-tracking branches, notes and HEAD, false for
    none. The default is true, and false in a bare repository.
    """
    key = "core.logallrefupdates"
    if (config.text(key) or "").lower() == "always":
        return True
    return config.flag(key, not bare) and (name == b"HEAD" or name.startswith(_LOGGED_PREFIXES))


def reflog_expiry(config: GitConfig, dates: Mapping[str, int], parse: Callable[[str], int]) -> Expiry:
    """Which entries `git reflog expire` lets expire whatever they lead to, by gc.reflogExpire.

    `dates` are the times that git makes of its variables; `parse` makes them of the others. The rules are
    those of git's reflog.c: of the patterns that match a ref the one that is configured first counts, with
    never if it has a time for unreachable entries alone; then refs/stash never expires.
    """
    default: int | None = None
    times: dict[bytes, int] = {}
    for key in config.values:
        if (match := _EXPIRY.fullmatch(key)) is None:
            continue
        pattern, for_unreachable = match.groups()
        if for_unreachable:
            if pattern is not None:
                times.setdefault(os.fsencode(pattern), 0)
            continue
        time = dates[key] if key in dates else config.expiry_date(key, parse)
        if pattern is None:
            default = time
        else:
            times[os.fsencode(pattern)] = time
    return Expiry(parse(_DEFAULT_EXPIRY) if default is None else default, times=(*times.items(), (STASH, 0)))


def _shared_permissions(config: GitConfig) -> int | None:
    """The mode that core.sharedRepository asks for; None leaves new files to the umask.

    The rules are those of git_config_perm() in git's setup.c and calc_shared_perm() in its path.c.
    """
    key = "core.sharedrepository"
    value = config.text(key)
    if value == "umask" or key not in config.values:
        return None
    if value is None or value == "group":
        extra = _GROUP
    elif value in ("all", "world", "everybody"):
        extra = _EVERYBODY
    elif re.fullmatch("[0-7]{1,6}", value):
        mode = int(value, 8)
        if mode > 2:
            if mode & 0o600 != 0o600:
                raise RepositoryError(
                    f"{key} is {value} in git's configuration: 0600 is the least to work with"
                )
            return mode & 0o666
        extra = (0, _GROUP, _EVERYBODY)[mode]
    else:
        extra = _GROUP if config.flag(key, False) else 0
    return (0o666 & ~_umask()) | extra if extra else None


def _umask() -> int:
    # There is no way to ask without setting it. A file that another thread makes in between is too private,
    # which is the better of the two mistakes.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
