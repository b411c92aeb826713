"""What an object of a repository says in a line: read from one git process, one object after the other.

A commit, or an annotated tag, is read and its first lines are taken apart; of a tree or a blob only the size
is asked for, since it may be as large as a disk. `git cat-file` reads objects, and that is all: it looks at
no worktree and no index, and runs no program that the configuration names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import IO, Final

from engine.git.program import Dialogue, GitProgram

_MOST_BYTES: Final = 2**20
"""Larger commits and tags are not read."""

_MOST_SUBJECT: Final = 1024
_MOST_LINE: Final = 2048
"""A longer line of the head is no name: to take it apart would cost the square of its length."""

_INFO: Final = rb"([0-9a-f]{40}|[0-9a-f]{64}) (commit|tree|blob|tag) ([0-9]{1,20})\n"
_PERSON: Final = rb"(?:author|tagger) (.*) <(.*)> ([0-9]{1,18}) ([+-][0-9]{1,4})"
_TARGET: Final = rb"object ((?:[0-9a-f]{2})+)"
_NAME: Final = rb"tag (.*)"


@dataclass(frozen=True, slots=True)
class GitObject:
    """An object; `type` is "commit", "tree", "blob" or "tag", None if the repository has no such object.

    Of a commit the `subject` is known, and its author: `name`, `email`, and when, as in a `LogRecord`. Of an
    annotated tag likewise its tagger, its name as `tag`, and the `target` that it points to.
    """

    oid: bytes
    type: str | None
    size: int = 0
    subject: bytes = b""
    name: bytes = b""
    email: bytes = b""
    time: int = 0
    tz: int = 0
    tag: bytes = b""
    target: bytes | None = None


class ObjectReader(Dialogue):
    """Asks git about objects. For threads as `Dialogue`."""

    def __init__(self, program: GitProgram, git_dir: str) -> None:
        super().__init__(program, git_dir, "cat-file", "--batch-command")

    def read(self, oid: bytes) -> GitObject | None:
        """What the repository has under `oid`; None if git does not answer, or not in time."""
        return self.ask(partial(_answer, oid))


def _answer(oid: bytes, stdin: IO[bytes], stdout: IO[bytes]) -> GitObject | None:
    def ask(question: bytes) -> bytes:
        stdin.write(question + b" " + digits + b"\n")
        stdin.flush()
        return stdout.readline(256)

    digits = oid.hex().encode()
    answer = ask(b"info")
    match = re.fullmatch(_INFO, answer)
    if match is None or match[1] != digits:
        return GitObject(oid, None) if answer == digits + b" missing\n" else None
    kind, size = match[2].decode(), int(match[3])
    if kind not in ("commit", "tag") or size > _MOST_BYTES:
        return GitObject(oid, kind, size)
    if ask(b"contents") != answer or len(data := stdout.read(size + 1)) != size + 1:
        return None
    return parse_object(oid, kind, data[:-1])


def parse_object(oid: bytes, kind: str, data: bytes) -> GitObject:
    """What the bytes of a commit or a tag say; what is not there, or not as git writes it, is left out."""
    head, _, message = data.partition(b"\n\n")
    person = target = tag = None
    for line in head.split(b"\n"):
        if len(line) > _MOST_LINE:
            continue
        person = person or re.fullmatch(_PERSON, line)
        if kind == "tag":
            target, tag = target or re.fullmatch(_TARGET, line), tag or re.fullmatch(_NAME, line)
    # A subject is the first paragraph, however many lines it has.
    paragraph = message.lstrip(b"\n").partition(b"\n\n")[0]
    oid_of_target = bytes.fromhex(target[1].decode()) if target else None
    return GitObject(
        oid,
        kind,
        len(data),
        b" ".join(paragraph[:_MOST_SUBJECT].split(b"\n")).strip(),
        person[1] if person else b"",
        person[2] if person else b"",
        int(person[3]) if person else 0,
        int(person[4]) if person else 0,
        tag[1] if tag else b"",
        oid_of_target if oid_of_target and len(oid_of_target) == len(oid) else None,
    )
