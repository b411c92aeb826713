"""What is wrong around the stacks: the files by which git knows a repository, and that it keeps reftables.

git takes a directory for a repository that has `objects`, `refs` and a HEAD it can read (is_git_directory()
in its setup.c), and its configuration decides which backend it asks. A repository with reftables has a HEAD
that says nothing (`ref: refs/heads/.invalid`) and a file in the place of `refs/heads`, so that what knows
nothing of reftables fails rather than see no refs.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Final

from engine import stack as stacks
from engine.errors import reason_of
from engine.fsck.faults import FAULTS
from engine.fsck.finding import Finding
from engine.git import Repository

_ID: Final = rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\s"
_MOST_HEAD: Final = 4096
_VERSION: Final = 1
_LOCKED: Final = ("HEAD", "config", "packed-refs")
_PLACES: Final = {
    "refs": "repository-directory",
    "objects": "repository-directory",
    "refs/heads": "repository-stub",
}
_MOST_LOOSE: Final = 1000
"""Files and directories below refs/ that are looked at."""


def check_repository(repository: Repository) -> Iterator[Finding]:
    """What git has against the repository, or does not see in it; nothing for a plain stack directory."""
    if repository.git_dir is None or repository.common_dir is None:
        return
    git_dirs = (repository.git_dir_of(stack.directory) for stack in repository.stacks)
    for git_dir in dict.fromkeys((repository.common_dir, *git_dirs)):
        reason = _wrong_head(git_dir / "HEAD") if git_dir is not None and git_dir.is_dir() else None
        if git_dir is not None and reason is not None:
            yield Finding(FAULTS["repository-head"], os.fspath(git_dir / "HEAD"), None, reason)
    for name, code in _PLACES.items():
        place = repository.common_dir / name
        is_there = os.path.lexists(place) if code == "repository-stub" else place.is_dir()
        if not is_there and place.parent.is_dir():
            what = "file" if code == "repository-stub" else "directory"
            yield Finding(FAULTS[code], os.fspath(place), None, f"there is no such {what}")
    config = os.fspath(repository.common_dir / "config")
    version = repository.config.number("core.repositoryformatversion", 0, 0, 2**31 - 1)
    if not repository.states_reftables:
        stated = repository.config.text("extensions.refstorage")
        is_set = "is not set" if stated is None else f"is {stated[:80]!r}"
        what = f"HEAD is that of a repository with reftables, and extensions.refStorage {is_set}"
        if os.path.exists(config) and not os.path.isfile(config):
            what = "no regular file: git may wait for it without end. Move it away first"
        yield Finding(FAULTS["repository-storage"], config, None, what)
    elif version != _VERSION:
        what = (
            f"core.repositoryFormatVersion is {version}, with extensions.refStorage it has to be {_VERSION}"
        )
        yield Finding(FAULTS["repository-version"], config, None, what)
    for file in _files_of_refs(repository.common_dir):
        yield Finding(FAULTS["refs-beside"], file, None, "refs of the files backend")
    for name in _LOCKED:
        lock = repository.common_dir / f"{name}.lock"
        with suppress(FileNotFoundError):
            made = lock.lstat().st_mtime
            age = stacks.age_words(time.time() - made)
            yield Finding(FAULTS["lock-beside"], os.fspath(lock), None, f"a lock on {name}, {age} old")
    hook = repository.hook_program(repository.worktree or repository.git_dir)
    if hook is not None:
        yield Finding(FAULTS["reference-hook"], os.fspath(hook), None, "an executable file")


def _wrong_head(path: Path) -> str | None:
    """Why git does not take this for a HEAD, if so: validate_headref() in its setup.c."""
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            target = os.fsencode(os.readlink(path))
            return None if target.startswith(b"refs/") else "a symbolic link that leads to no ref"
        if not stat.S_ISREG(status.st_mode):
            return "no regular file"
        with path.open("rb") as file:
            content = file.read(_MOST_HEAD)
    except OSError as error:
        return reason_of(error)
    if content.startswith(b"ref:"):
        is_head = content.removeprefix(b"ref:").lstrip(b" \t\n\r").startswith(b"refs/")
    else:
        is_head = re.match(_ID, content) is not None
    return None if is_head else "neither a symbolic ref below refs/ nor an object id"


def _files_of_refs(common_dir: Path) -> Iterator[str]:
    """Files beside the stack in which the files backend has refs: packed-refs, and the first loose one."""
    packed = common_dir / "packed-refs"
    if packed.is_file() and packed.stat().st_size:
        yield os.fspath(packed)
    refs = os.path.join(common_dir, "refs")
    # Not os.walk(), which enters itself for each level: a path may have two thousand.
    pending, looked = [refs], 0
    while pending and looked < _MOST_LOOSE:
        found: list[os.DirEntry[str]] = []
        with suppress(OSError), os.scandir(pending.pop()) as entries:
            found = sorted(islice(entries, _MOST_LOOSE), key=attrgetter("name"))
        looked += 1 + len(found)
        for entry in found:
            if entry.is_dir():
                pending += [entry.path] if not entry.is_symlink() else []
            elif entry.path != os.path.join(refs, "heads"):
                yield entry.path
                return
