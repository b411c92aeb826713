r"""The commands of `git update-ref --stdin`: from bytes to `RefUpdate`s.

One command a line, one space between two fields, a newline after the last line, too:

    update SP <ref> SP <new-oid> [SP <old-oid>] LF
    create SP <ref> SP <new-oid> LF
    delete SP <ref> [SP <old-oid>] LF
    verify SP <ref> [SP <old-oid>] LF
    symref-update SP <ref> SP <new-target> [SP (ref SP <old-target> | oid SP <old-oid>)] LF
    symref-create SP <ref> SP <new-target> LF
    symref-delete SP <ref> [SP <old-target>] LF
    symref-verify SP <ref> [SP <old-target>] LF
    option SP no-deref LF
    start LF | prepare LF | commit LF | abort LF

A field that begins with a double quote is a C string with the escapes `\a \b \f \n \r \t \v \" \\` and three
octal digits. An object id that is empty or all zeros stands for "no ref". The NUL-terminated form has a NUL
in place of LF and of each space but the first, and no quoting; it always has all the fields of a command,
and an empty one counts as left out.

Two things that git accepts are refused: object names other than full hexadecimal ids, since it takes an
object database to turn `HEAD~1` into one, and a second transaction, since one input is one transaction.

What the commands do to a stack is in `transaction.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeAlias

from engine.errors import ApiError, RefnameError
from engine.format import HashId, check_refname


@dataclass(frozen=True, slots=True)
class Symref:
    """The value of a symbolic ref: the name of the ref that it points to."""

    target: bytes


RefValue: TypeAlias = bytes | Symref
"""What a ref holds: a binary object id (all zeros: there is no such ref), or the target of a symbolic ref."""


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """One change of one ref, and what the ref must hold for the change to happen.

    `new` is the value to write; the null id deletes the ref, None leaves it as it is and only verifies.
    `old` is the value expected now; the null id means that the ref must not exist, None that any will do.
    Without `no_deref` a symbolic ref is followed, and the ref at its end is the one that is changed.
    `place` is where the command was read, for error messages: `line 3`, or `field 7` between NULs.
    """

    name: bytes
    new: RefValue | None
    old: RefValue | None = None
    no_deref: bool = False
    place: str = field(default="", compare=False)


def is_null(value: RefValue | None) -> bool:
    """Whether `value` is the null object id, which stands for "no ref"."""
    return isinstance(value, bytes) and not any(value)


def parse_commands(data: bytes, hash_id: HashId, *, nul_terminated: bool = False) -> list[RefUpdate]:
    """Read the commands of one transaction, in the order given.

    There are none when the transaction was aborted, or was started and never committed. `hash_id` says how
    long an object id is. Raises ApiError, naming the line, what was found there and what is expected.
    """
    separate = _fields_of_nul_terminated if nul_terminated else _fields_of_lines
    updates: list[RefUpdate] = []
    no_deref = False
    state = "open"
    for command in separate(data):
        verb = command.verb
        if state == "closed":
            command.fail("the transaction is closed; one input is one transaction")
        if state == "prepared" and verb not in (b"commit", b"abort"):
            command.fail("a prepared transaction can only be committed or aborted")
        if verb in _VERBS:
            arguments = _Arguments(command, hash_id.size, nul_terminated, no_deref)
            updates.append(arguments.update(_VERBS[verb]))
            no_deref = False
        elif verb == b"option":
            if command.fields != [b"no-deref"]:
                command.fail("the only option is 'no-deref'")
            no_deref = True
        elif verb in _CONTROLS:
            if command.fields:
                command.fail(f"nothing may follow, found {_shown(command.fields[0])}")
            if verb == b"start" and state == "started":
                command.fail("the transaction is started already")
            if verb == b"abort":
                updates.clear()
            state = _CONTROLS[verb]
        else:
            command.fail("unknown command")
    return updates if state in ("open", "closed") else []


_CONTROLS: Final = {b"start": "started", b"prepare": "prepared", b"commit": "closed", b"abort": "closed"}

_ESCAPES: Final = {
    b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v",
    b"\\": b"\\", b'"': b'"',
}  # fmt: skip
_QUOTED: Final = re.compile(rb'"((?:[^"\\]|\\(?:[abfnrtv\\"]|[0-3][0-7]{2}))*)"')
_ESCAPE: Final = re.compile(rb'\\([abfnrtv\\"]|[0-3][0-7]{2})')
_SPACE: Final = re.compile(rb"[ \t\r]")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]+")


@dataclass(frozen=True, slots=True)
class _Command:
    """A command taken apart into fields, none of them understood yet."""

    place: str
    verb: bytes
    fields: list[bytes]

    def fail(self, reason: str) -> NoReturn:
        raise ApiError(f"{self.place}: {_shown(self.verb)}: {reason}")


def _fields_of_lines(data: bytes) -> Iterator[_Command]:
    lines = data.split(b"\n")
    unfinished = lines.pop()
    for number, line in enumerate(lines, 1):
        yield _split_line(f"line {number}", line)
    if unfinished:
        # The end of a value may be missing as well: what is there could be the wrong change.
        raise ApiError(f"line {len(lines) + 1}: {_shown(unfinished)} is cut off: expected a final newline")


def _split_line(place: str, line: bytes) -> _Command:
    verb, position = _plain_word(line, 0)
    if not verb:
        raise ApiError(f"{place}: expected a command, found {_shown(line)}")
    command = _Command(place, verb, [])
    while position < len(line):
        if line[position] != ord(" "):
            command.fail(f"expected a space or the end of the line, found {_shown(line[position:])}")
        position += 1
        if line[position : position + 1] == b'"':
            quoted = _QUOTED.match(line, position)
            if quoted is None:
                command.fail(f"badly quoted: {_shown(line[position:])}")
            word, position = _ESCAPE.sub(_unescape, quoted[1]), quoted.end()
        else:
            word, position = _plain_word(line, position)
        command.fields.append(word)
    return command


def _plain_word(line: bytes, start: int) -> tuple[bytes, int]:
    space = _SPACE.search(line, start)
    end = len(line) if space is None else space.start()
    return line[start:end], end


def _unescape(match: re.Match[bytes]) -> bytes:
    escape = match[1]
    return _ESCAPES[escape] if escape in _ESCAPES else bytes([int(escape, 8)])


def _fields_of_nul_terminated(data: bytes) -> Iterator[_Command]:
    fields = data.split(b"\0")
    unfinished = fields.pop()
    if unfinished:
        raise ApiError(f"field {len(fields) + 1}: {_shown(unfinished)} is cut off: expected a final NUL")
    position = 0
    while position < len(fields):
        verb, space, first = fields[position].partition(b" ")
        count = _VERBS[verb].fields if space and verb in _VERBS else 0
        rest = fields[position + 1 : position + max(count, 1)]
        position += 1
        yield _Command(f"field {position}", verb, [first, *rest] if space else [])
        position += len(rest)


@dataclass(frozen=True, slots=True)
class _Arguments:
    """The fields of one command, taken one after the other and checked for what they have to be."""

    command: _Command
    size: int
    nul_terminated: bool
    no_deref: bool

    def update(self, verb: _Verb) -> RefUpdate:
        """What the command asks for; it has no fields but those that its verb takes."""
        if verb.needs_no_deref and not self.no_deref:
            self.command.fail("expected 'option no-deref' on the line before")
        name = self.ref("<ref>")
        new, old = verb.new(self), verb.old(self)
        if self.command.fields:
            self.command.fail(f"nothing may follow, found {_shown(self.command.fields[0])}")
        return RefUpdate(name, new, old, self.no_deref, self.command.place)

    def take(self) -> bytes:
        """The next field, empty if it is left out."""
        return self.command.fields.pop(0) if self.command.fields else b""

    def ref(self, what: str) -> bytes:
        """A ref name that must be there."""
        return self.optional_ref(what) or self.command.fail(f"missing {what}")

    def optional_ref(self, what: str) -> bytes | None:
        """A ref name, or None where it is left out or empty."""
        name = self.take()
        if not name:
            return None
        try:
            check_refname(name)
        except RefnameError as error:
            self.command.fail(f"{what} {_shown(name)} is not a ref name: {error.reason}")
        return name

    def optional_id(self, what: str) -> bytes | None:
        """An object id, or None where it is left out."""
        if not self.command.fields:
            if self.nul_terminated:
                self.command.fail(f"the input ends before {what}")
            return None
        text = self.take()
        if not text:
            return None if self.nul_terminated else bytes(self.size)
        if len(text) != 2 * self.size or not _HEX.fullmatch(text):
            self.command.fail(
                f"{what} {_shown(text)} is not an object id: expected {2 * self.size} hexadecimal digits "
                "(other object names are not resolved here: `git rev-parse` does)"
            )
        return bytes.fromhex(text.decode("ascii"))

    def null(self) -> bytes:
        """The null object id."""
        return bytes(self.size)

    def nothing(self) -> None:
        """No value."""

    def new_id(self) -> bytes:
        """An object id that must be there."""
        return self.optional_id("<new-oid>") or self.command.fail("missing <new-oid>")

    def created_id(self) -> bytes:
        """The object id of a ref that comes into being."""
        new = self.new_id()
        return new if any(new) else self.command.fail("a zero <new-oid> creates nothing")

    def old_id(self) -> bytes | None:
        """The object id that is expected, if any."""
        return self.optional_id("<old-oid>")

    def deleted_id(self) -> bytes | None:
        """The object id that is expected of a ref that is to be deleted, if any."""
        old = self.old_id()
        return self.command.fail("a zero <old-oid> leaves nothing to delete") if is_null(old) else old

    def new_target(self) -> Symref:
        """The target of a symbolic ref."""
        return Symref(self.ref("<new-target>"))

    def old_target(self) -> Symref | None:
        """The target that is expected, if any."""
        target = self.optional_ref("<old-target>")
        return None if target is None else Symref(target)

    def old_of_symref(self) -> RefValue | None:
        """What `symref-update` expects: a target after `ref`, an object id after `oid`."""
        kind = self.take()
        if not kind:
            if self.nul_terminated and self.command.fields == [b""]:
                self.take()
            return None
        if kind == b"ref":
            return Symref(self.ref("<old-target>"))
        if kind != b"oid":
            self.command.fail(f"expected 'ref' or 'oid' before the old value, found {_shown(kind)}")
        oid = self.old_id() if self.command.fields else None
        return oid or self.command.fail("missing <old-oid>")


_Value: TypeAlias = Callable[[_Arguments], RefValue | None]


@dataclass(frozen=True, slots=True)
class _Verb:
    """How many fields a verb has between NULs, and how its new and old value are read, in this order."""

    fields: int
    new: _Value
    old: _Value
    needs_no_deref: bool = False


_VERBS: Final = {
    b"update": _Verb(3, _Arguments.new_id, _Arguments.old_id),
    b"create": _Verb(2, _Arguments.created_id, _Arguments.null),
    b"delete": _Verb(2, _Arguments.null, _Arguments.deleted_id),
    b"verify": _Verb(2, _Arguments.nothing, lambda args: args.old_id() or args.null()),
    b"symref-update": _Verb(4, _Arguments.new_target, _Arguments.old_of_symref),
    b"symref-create": _Verb(2, _Arguments.new_target, _Arguments.null),
    b"symref-delete": _Verb(2, _Arguments.null, _Arguments.old_target, needs_no_deref=True),
    b"symref-verify": _Verb(
        2, _Arguments.nothing, lambda args: args.old_target() or args.null(), needs_no_deref=True
    ),
}


def _shown(data: bytes) -> str:
    """Bytes of the input as an error message shows them: quoted, escaped, and not too long."""
    text = repr(data[:80])[1:]
    return text if len(data) <= 80 else f"{text}..."
