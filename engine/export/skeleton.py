"""The refs and reflogs of a stack as files of git's files backend: all of a repository but its objects.

    HEAD, refs/...      symbolic refs, root refs and refs of one worktree, each a file
    packed-refs         all other refs
    logs/...            reflogs
    config              of what format the repository is

The forms are those of git's refs/packed-backend.c and refs/files-backend.c. A name becomes a path only if git
allows it, so that none leads out of the directory.

Two names of which one is a directory of the other, or that differ in case only on a file system that takes
these for one, cannot both be files. Then the file that comes first stays, a reflog that has its ref before
one that has none, a symbolic ref never before what lies below it. packed-refs can hold both.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from engine.errors import shown
from engine.export.reflog import reflog_line
from engine.export.target import new_directory
from engine.format import (
    PER_WORKTREE,
    HashId,
    LogRecord,
    RefRecord,
    is_refname,
    is_root_ref,
)
from engine.progress import Progress, ProgressCallback
from engine.readable import ReadableStack, in_doubt

_PACKED_HEADER: Final = b"# pack-refs with: peeled fully-peeled sorted \n"
_HEAD: Final = b"HEAD"
_USUAL_BRANCHES: Final = (b"refs/heads/main", b"refs/heads/master")
_TAKEN: Final = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR}
_NO_PATH: Final = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}
_ENDS_OF_IDENTITY: Final = b"<>\n\0"
"""Bytes that git drops of names and email addresses, since they would end them."""


class LeftOut(NamedTuple):
    """A ref, or the reflog of one, that has no place among files, and why."""

    what: str
    name: bytes
    why: str


class Conflict(NamedTuple):
    """Refs that git would not let exist beside each other: `name` is a directory of `other`."""

    name: bytes
    other: bytes


class Skeleton:
    """What was written: how many refs, reflogs and entries of these, and what asks for attention.

    `head` is where HEAD leads if it was made up, since the stack has none that can be used; `unseen` counts
    entries of the time 0, which git's files backend takes for damaged.
    """

    def __init__(self) -> None:
        self.refs = self.logs = self.entries = self.unseen = 0
        self.head: bytes | None = None
        self.left_out: list[LeftOut] = []
        self.conflicts: list[Conflict] = []


class Records(Protocol):
    """The records of a stack, in lists that are read as a stream."""

    def ref_blocks(self) -> Iterator[list[RefRecord]]:
        """The refs in name order, tombstones not among them."""

    def log_blocks(self) -> Iterator[list[LogRecord]]:
        """The log entries, by name and newest first, tombstones not among them."""


class Exportable(Protocol):
    """What can be exported: a `ReadableStack`, or what a repair would make of one."""

    @property
    def directory(self) -> Path:
        """Where the stack is: nothing is written there."""

    @property
    def hash_id(self) -> HashId:
        """The hash function of the object ids."""

    @property
    def merged(self) -> Records:
        """Its refs and log entries."""


def write_skeleton(
    stack: Exportable,
    directory: Path,
    *,
    is_linked: bool = False,
    progress: ProgressCallback | None = None,
) -> Skeleton:
    """Write what can be read of `stack` to `directory`, which is new or empty.

    `is_linked` for the stack of a linked worktree: what is written belongs into its directory below
    `.git/worktrees`, has no `packed-refs` and takes its configuration from the main one. Progress counts
    records. Raises `ApiError` for a directory that cannot be taken, and `OSError`; then nothing is left.
    """
    with new_directory(directory, stack.directory) as made:
        if isinstance(stack, ReadableStack):
            # Damage changes what is read in front of it, too.
            stack.meet_damage()
        return _Writer(stack, os.fsencode(made), is_linked, progress).write()


def doubtful_refs(stack: ReadableStack) -> Iterator[bytes]:
    """The refs of which a newer version may be lost, as far as damage is known: reads all refs once more.

    For a stack that no repair can be planned for: where one can, it says what becomes of each ref.
    """
    if stack.damage_met():
        positions = {table: at for at, table in enumerate(stack.tables)}
        for origins in stack.merged.ref_origins():
            for record, table in origins:
                if in_doubt(stack.tables, positions[table], record.name):
                    yield record.name


class _Writer:
    """Writes the skeleton of one stack into an empty directory."""

    def __init__(
        self, stack: Exportable, root: bytes, is_linked: bool, progress: ProgressCallback | None
    ) -> None:
        self._merged = stack.merged
        self._hash_id = stack.hash_id
        self._root = root
        self._is_linked = is_linked
        self._progress = progress
        self._loose: dict[bytes, bytes] = {}
        self._branch: bytes | None = None
        self._done = Skeleton()

    def write(self) -> Skeleton:
        os.makedirs(self._path(b"logs"))
        if self._is_linked:
            for _ in self._packed():
                pass
        else:
            for name in (b"refs/heads", b"refs/tags"):
                os.makedirs(self._path(name))
            self._write(b"config", _config(self._hash_id))
            with open(self._path(b"packed-refs"), "xb") as file:
                file.write(_PACKED_HEADER)
                file.writelines(self._packed())
        if _HEAD not in self._loose:
            self._done.head = self._branch or _USUAL_BRANCHES[0]
            self._write(_HEAD, b"ref: %s\n" % self._done.head)
        for name, content in self._loose.items():
            self._done.refs += self._is_placed("ref", name, name, content)
        self._write_logs()
        return self._done

    def _packed(self) -> Iterator[bytes]:
        """The lines of packed-refs, in batches; refs that get a file of their own are put aside."""
        above: list[bytes] = []  # names that the one at hand begins with
        for refs in self._merged.ref_blocks():
            lines: list[bytes] = []
            for record in refs:
                name = record.name
                why = self._fault(name) or _fault_of_value(record)
                if why is not None:
                    self._done.left_out.append(LeftOut("ref", name, why))
                    continue
                while above and not name.startswith(above[-1]):
                    above.pop()
                for other in [one for one in above if name.startswith(b"/", len(one))]:
                    self._settle_conflict(other, name)
                    above.remove(other)
                above.append(name)
                is_packed = name.startswith(b"refs/") and not name.startswith(PER_WORKTREE)
                if record.target is not None:
                    self._loose[name] = b"ref: %s\n" % record.target
                elif is_packed:
                    lines.append(b"%s %s\n" % (_hex(record.value), name))
                    if record.peeled is not None:
                        lines.append(b"^%s\n" % _hex(record.peeled))
                    self._done.refs += 1
                else:
                    self._loose[name] = _hex(record.value) + b"\n"
                if name.startswith(b"refs/heads/"):
                    self._branch = min(self._branch or name, name, key=_rank_for_head)
            self._report("refs", self._done.refs)
            yield b"".join(lines)

    def _settle_conflict(self, name: bytes, other: bytes) -> None:
        """`name` is a directory of `other`: a symbolic ref, which would be a file there, gives way."""
        if self._loose.pop(name, None) is not None:
            why = f"a symbolic ref that is a directory of {shown(other)}"
            self._done.left_out.append(LeftOut("ref", name, why))
        else:
            self._done.conflicts.append(Conflict(name, other))

    def _write_logs(self) -> None:
        """The reflogs of refs that are there, then the others, which give way to them."""
        refs = chain.from_iterable(self._merged.ref_blocks())
        ref = next(refs, None)
        without_ref: set[bytes] = set()
        for name, logs in self._reflogs():
            while ref is not None and ref.name < name:
                ref = next(refs, None)
            if (why := self._fault(name)) is not None:
                self._done.left_out.append(LeftOut("reflog", name, why))
            elif ref is not None and ref.name == name:
                self._write_log(name, logs)
            else:
                without_ref.add(name)
        for name, logs in self._reflogs() if without_ref else ():
            if name in without_ref:
                self._write_log(name, logs)

    def _reflogs(self) -> Iterator[tuple[bytes, Iterator[LogRecord]]]:
        return groupby(chain.from_iterable(self._merged.log_blocks()), attrgetter("name"))

    def _write_log(self, name: bytes, logs: Iterable[LogRecord]) -> None:
        """A reflog, given newest first; one that holds nothing but a marker is an empty file."""
        lines: list[bytes] = []
        null_id = bytes(self._hash_id.size)
        unseen = 0
        for log in logs:
            if log.is_marker:
                continue
            who, mail = (text.translate(None, _ENDS_OF_IDENTITY) for text in (log.committer, log.email))
            lines.append(reflog_line(log.replace(committer=who, email=mail), null_id, bytes) + b"\n")
            unseen += not log.time
        if self._is_placed("reflog", name, b"logs/" + name, b"".join(reversed(lines))):
            self._done.logs += 1
            self._done.entries += len(lines)
            self._done.unseen += unseen
            self._report("reflog entries", self._done.entries)

    def _fault(self, name: bytes) -> str | None:
        """Why the files backend has no place for a ref of this name."""
        if not is_refname(name):
            return "git allows no such name"
        if not name.startswith(b"refs/") and not is_root_ref(name):
            return "git knows no such ref outside of refs/"
        if self._is_linked and name.startswith(b"refs/") and not name.startswith(PER_WORKTREE):
            return "no linked worktree has such a ref of its own"
        return None

    def _is_placed(self, what: str, name: bytes, path: bytes, content: bytes) -> bool:
        """Write the file of a ref or reflog, or tell why it has no place."""
        try:
            self._write(path, content)
        except OSError as error:
            if error.errno not in _TAKEN | _NO_PATH:
                raise
            why = f"no path for the file system ({error.strerror})"
            if error.errno in _TAKEN:
                why = "another name has its path: a directory of the other, or differing in case only"
            self._done.left_out.append(LeftOut(what, name, why))
            return False
        return True

    def _write(self, name: bytes, content: bytes) -> None:
        path = self._path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(content)

    def _path(self, name: bytes) -> bytes:
        return os.path.join(self._root, name)

    def _report(self, phase: str, done: int) -> None:
        if self._progress is not None:
            self._progress(Progress(phase, done, None))


def _rank_for_head(branch: bytes) -> int:
    return _USUAL_BRANCHES.index(branch) if branch in _USUAL_BRANCHES else len(_USUAL_BRANCHES)


def _fault_of_value(record: RefRecord) -> str | None:
    """Why git would not take this value from a file."""
    target = record.target
    if target is not None and not is_refname(target):
        return f"leads to {shown(target)}, which is no name of a ref"
    if target is not None and record.name == _HEAD and not target.startswith(b"refs/"):
        return f"leads to {shown(target)}, and git takes no repository for one whose HEAD leads out of refs/"
    if record.value is not None and not any(record.value):
        return "has the null id"
    return None


def _hex(oid: bytes | None) -> bytes:
    return (oid or b"").hex().encode()


def _config(hash_id: HashId) -> bytes:
    text = f"[core]\n\trepositoryformatversion = {hash_id.version - 1}\n\tbare = true\n"
    if hash_id is not HashId.SHA1:
        text += f"[extensions]\n\tobjectformat = {hash_id}\n"
    return text.encode()
