"""The one way in which objects that hold files are context managers."""

from __future__ import annotations

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
