"""The one way in which objects that hold files are context managers."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NoReturn, Self


class Closing:
    """Closes at the end of a `with`, whatever happens in it."""

    __slots__ = ()

    def close(self) -> None:
        """Let go of everything that is held. May be called again."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        # A copy would be a second owner of files, locks and what `close` removes.
        raise TypeError(f"a {type(self).__name__} holds files: it can be neither copied nor pickled")


class Unfinished(Closing):
    """What the process that made it takes back with `close`, unless it was finished before."""

    __slots__ = ("_pid",)

    def __init__(self) -> None:
        self._pid = os.getpid()

    def __del__(self) -> None:
        # An interrupt may come before a `with` has the object, or before it ends that. In a process that was
        # forked, it is not ours.
        if getattr(self, "_pid", None) == os.getpid():
            with suppress(OSError):
                self.close()
