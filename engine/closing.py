"""The one way in which objects that hold files are context managers."""

from __future__ import annotations

from typing import Self


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
