"""The command line that does what an action does, ready to be pasted into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

__all__ = ["command", "word"]

PROGRAM = "reftable-inspector"


def word(text: str) -> str:
    r"""`text` as one word of a shell's command line.

    What cannot be seen, or is no text (bytes of a path that are not UTF-8), is written as `$'\OOO'`, which
    bash, zsh and ksh know, and POSIX since 2024.
    """
    if text.isprintable():
        return shlex.quote(text)
    # Octal, since some shells read more than two hexadecimal digits.
    escaped = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\" else f"\\{byte:03o}"
        for byte in text.encode("utf-8", "surrogateescape")
    )
    return f"$'{escaped}'"


def command(verb: str, options: Iterable[str], arguments: Iterable[str], stdin: bytes | None = None) -> str:
    """`reftable-inspector VERB OPTIONS ARGUMENTS`, all of them quoted already; `stdin` as a here-document."""
    line = " ".join([PROGRAM, verb, *options, *arguments])
    if stdin is None:
        return line
    text = stdin.decode("utf-8", "surrogateescape")
    end = "END"
    while end in text.split("\n"):
        end += "_"
    return f"{line} <<'{end}'\n{text}{end}"
