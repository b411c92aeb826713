"""What the repository around a stack knows of the objects that its refs point to.

A stack says nothing about objects; git does, where there is a repository and a git that answers. It is asked
in a worker, about the row that is selected now and none that was before, and what it said is kept for a few
hundred objects. Where it cannot be asked, nothing is known and nothing is said.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from engine.errors import ReftableError
from engine.git import GitObject, ObjectReader, Repository
from inspector.model.trace import RefTrace
from inspector.rows import LogRow, RefRow

MAX_OBJECTS: Final = 512
MAX_TAGS: Final = 5
"""Tags of tags that are followed."""

MAX_SILENCES: Final = 2
"""Questions in a row without an answer, after which git is not asked any more."""


def object_of(row: object, trace: RefTrace | None = None) -> bytes | None:
    """The id that a row leads to, if it does: a ref's value, or that at the end of a symref which is traced.

    Of an entry it is the new id, or else the old one.
    """
    match row:
        case RefRow(record):
            last = trace.chain[-1].record if trace is not None and trace.chain[0].record == record else None
            return record.value or (last.value if last is not None else None)
        case LogRow(record):
            return next((oid for oid in (record.new, record.old) if oid is not None and any(oid)), None)
        case _:
            return None


class RepositoryObjects:
    """The objects that were asked for last. `find` reads files, and is called by `work` only."""

    def __init__(self, find: Callable[[], Repository]) -> None:
        self._find = find
        self._known: OrderedDict[bytes, GitObject] = OrderedDict()
        self._wanted: bytes | None = None
        self._lock = threading.Lock()  # over the two above
        self._repository: Repository | None = None
        self._reader: ObjectReader | None = None
        self._silences = 0
        self._is_closed = False
        self.is_useless = False
        """Whether there is no repository, or no git that can be asked."""
        self.trouble: str | None = None
        """Why git cannot be asked, where there is a repository to ask it about."""

    # For the thread that draws.

    @property
    def repository(self) -> Repository | None:
        """The one that was asked, once it was."""
        return None if self.is_useless else self._repository

    def get(self, oid: bytes) -> GitObject | None:
        """What is known of an object by now."""
        with self._lock:
            if (found := self._known.get(oid)) is not None:
                self._known.move_to_end(oid)
            return found

    def chain(self, oid: bytes) -> list[GitObject]:
        """What is known of an object, and of what it points to if it is a tag, as far as it is known."""
        found: list[GitObject] = []
        following: bytes | None = oid
        while following is not None and len(found) <= MAX_TAGS and (known := self.get(following)):
            found.append(known)
            following = known.target
        return found

    def want(self, oid: bytes | None) -> None:
        """Have an object read, with what it points to; what was wanted before is forgotten."""
        with self._lock:
            is_known = oid is None or oid in self._known
            self._wanted = None if is_known or self.is_useless else oid

    @property
    def wanting(self) -> bool:
        """Whether there is something to ask."""
        return self._wanted is not None

    def close(self) -> None:
        """Ask no more, also if an answer is waited for."""
        self._is_closed = self.is_useless = True
        if self._reader is not None:
            self._reader.close()

    # For the thread that works.

    def work(self) -> Iterator[bytes]:
        """Read what is wanted; yields its id when it is known, or when it is known why it cannot be."""
        while True:
            with self._lock:
                oid, self._wanted = self._wanted, None
            if oid is None:
                return
            if (reader := self._opened()) is None:
                if self.trouble is not None:
                    yield oid  # of which nothing is known, but why
                return
            following: bytes | None = oid
            for _ in range(MAX_TAGS + 1):
                if following is None:
                    break
                known = self.get(following) or self._read(reader, following)
                following = known.target if known is not None else None
            yield oid

    def _opened(self) -> ObjectReader | None:
        if self._reader is None and not self.is_useless:
            with suppress(ReftableError, OSError):
                found = self._find()
                if found.git_dir is not None:
                    self.trouble = found.git_problem
                if found.git is not None and found.git_dir is not None and not self.trouble:
                    self._repository = found
                    self._reader = ObjectReader(found.git, str(found.git_dir))
            self.is_useless = self._reader is None or self._is_closed
        return None if self.is_useless else self._reader

    def _read(self, reader: ObjectReader, oid: bytes) -> GitObject | None:
        known = reader.read(oid)
        if known is None:
            self._silences += 1
            self.is_useless = self.is_useless or self._silences == MAX_SILENCES
            return None
        self._silences = 0
        with self._lock:
            self._known[oid] = known
            if len(self._known) > MAX_OBJECTS:
                self._known.popitem(last=False)
        return known
