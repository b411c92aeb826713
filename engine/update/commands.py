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
octal digits. An object id that is empty or all zeros means "no ref". The NUL-terminated form has a NUL
in place of LF and of each space but the first, and no quoting; it always has all the fields of a command,
and an empty one counts as left out, the <new-oid> of `update` as all zeros.

Two things that git accepts are refused: object names other than full hexadecimal ids, since it takes an
object database to turn `HEAD~1` into one, and a second transaction, since one input is one transaction.

What the commands do to a stack is in `transaction.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeAlias

from engine.errors import ApiError, RefnameError, shown
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
    """Whether `value` is the null object id, which means "no ref"."""
    return isinstance(value, bytes) and not any(value)


def parse_commands(data: bytes, hash_id: HashId, *, nul_terminated: bool = False) -> list[RefUpdate]:
    """Read the commands of one transaction, in the order given.

    There are none when the transaction was aborted, or was started and never committed. `hash_id` says how
    long an object id is. Raises ApiError, naming the line, what was found there and what is expected.
    """
    separate = _split_at_nuls if nul_terminated else _split_lines
    updates: list[RefUpdate] = []
    no_deref = False
    state = "open"
    for command in separate(data, hash_id.size):
        verb = command.verb
        if state == "closed":
            command.fail("the transaction is closed; one input is one transaction")
        if state == "prepared" and verb not in (b"commit", b"abort"):
            command.fail("a prepared transaction can only be committed or aborted")
        if verb in _FIELD_COUNTS:
            updates.append(command.update(no_deref))
            no_deref = False
        elif verb == b"option":
            if command.fields != [b"no-deref"]:
                command.fail("the only option is 'no-deref'")
            no_deref = True
        elif verb in _CONTROLS:
            command.require_end()
            if verb == b"start" and state == "started":
                command.fail("the transaction is started already")
            if verb == b"abort":
                updates.clear()
            state = _CONTROLS[verb]
        else:
            command.fail("unknown command")
    return updates if state in ("open", "closed") else []


_CONTROLS: Final = {b"start": "started", b"prepare": "prepared", b"commit": "closed", b"abort": "closed"}

# Of the commands that update a ref, how many fields each has between NULs.
_FIELD_COUNTS: Final = {
    b"update": 3, b"create": 2, b"delete": 2, b"verify": 2,
    b"symref-update": 4, b"symref-create": 2, b"symref-delete": 2, b"symref-verify": 2,
}  # fmt: skip

_ESCAPES: Final = {
    b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v",
    b"\\": b"\\", b'"': b'"',
}  # fmt: skip
_ESCAPE: Final = re.compile(rb'\\([abfnrtv\\"]|[0-3][0-7]{2})')
_FIELD: Final = re.compile(rb' (?:"((?:[^"\\]|\\(?:[abfnrtv\\"]|[0-3][0-7]{2}))*)"|(?!")([^ \t\r]*))')
_BLANK: Final = re.compile(rb"[ \t\r]")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]+")


@dataclass(frozen=True, slots=True)
class _Command:
    """A command taken apart into fields, which are then taken one after the other and judged."""

    place: str
    verb: bytes
    fields: list[bytes]
    id_size: int
    nul_terminated: bool

    def fail(self, reason: str) -> NoReturn:
        raise ApiError(f"{self.place}: {shown(self.verb)}: {reason}")

    def require_end(self) -> None:
        if self.fields:
            self.fail(f"nothing may follow, found {shown(self.fields[0])}")

    def update(self, no_deref: bool) -> RefUpdate:
        """What a command that updates a ref asks for."""
        if self.verb in (b"symref-delete", b"symref-verify") and not no_deref:
            self.fail("expected 'option no-deref' on the line before")
        name = self._ref("<ref>")
        null = bytes(self.id_size)
        new: RefValue | None = None
        old: RefValue | None = null
        match self.verb:
            case b"update":
                # Between NULs git takes an empty <new-oid> of `update`, and of no other command, as zeros.
                is_empty = self.nul_terminated and self.fields[:1] == [b""]
                new = null if is_empty and not self._take() else self._new_id()
                old = self._id("<old-oid>")
            case b"create":
                new = self._new_id()
                if is_null(new):
                    self.fail("a zero <new-oid> creates nothing")
            case b"delete":
                new, old = null, self._id("<old-oid>")
                if is_null(old):
                    self.fail("a zero <old-oid> leaves nothing to delete")
            case b"verify":
                old = self._id("<old-oid>") or null
            case b"symref-update":
                new, old = Symref(self._ref("<new-target>")), self._old_of_symref()
            case b"symref-create":
                new = Symref(self._ref("<new-target>"))
            case b"symref-delete":
                new, old = null, self._old_target()
            case b"symref-verify":
                old = self._old_target() or null
        self.require_end()
        return RefUpdate(name, new, old, no_deref, self.place)

    def _take(self) -> bytes:
        """The next field, empty if it is left out."""
        return self.fields.pop(0) if self.fields else b""

    def _ref(self, what: str) -> bytes:
        """A ref name that must be there."""
        return self._optional_ref(what) or self.fail(f"missing {what}")

    def _optional_ref(self, what: str) -> bytes | None:
        """A ref name, or None where it is left out or empty."""
        name = self._take()
        if not name:
            return None
        try:
            check_refname(name)
        except RefnameError as error:
            self.fail(f"{what} {shown(name)} is not a ref name: {error.reason}")
        return name

    def _old_target(self) -> Symref | None:
        target = self._optional_ref("<old-target>")
        return None if target is None else Symref(target)

    def _new_id(self) -> bytes:
        return self._id("<new-oid>") or self.fail("missing <new-oid>")

    def _id(self, what: str) -> bytes | None:
        """An object id, or None where it is left out."""
        if not self.fields:
            if self.nul_terminated:
                self.fail(f"the input ends before {what}")
            return None
        text = self._take()
        if not text:
            return None if self.nul_terminated else bytes(self.id_size)
        if len(text) != 2 * self.id_size or not _HEX.fullmatch(text):
            self.fail(
                f"{what} {shown(text)} is not an object id: expected {2 * self.id_size} hexadecimal digits "
                "(other object names are not resolved here: `git rev-parse` does)"
            )
        return bytes.fromhex(text.decode("ascii"))

    def _old_of_symref(self) -> RefValue | None:
        """What `symref-update` expects: a target after `ref`, an object id after `oid`."""
        kind = self._take()
        if not kind:
            if self.nul_terminated and self.fields == [b""]:
                self._take()
            return None
        if kind == b"ref":
            return Symref(self._ref("<old-target>"))
        if kind != b"oid":
            self.fail(f"expected 'ref' or 'oid' before the old value, found {shown(kind)}")
        oid = self._id("<old-oid>") if self.fields else None
        return oid or self.fail("missing <old-oid>")


def _split_lines(data: bytes, id_size: int) -> Iterator[_Command]:
    lines = data.split(b"\n")
    unfinished = lines.pop()
    for number, line in enumerate(lines, 1):
        verb = _BLANK.split(line, maxsplit=1)[0]
        if not verb:
            raise ApiError(f"line {number}: expected a command, found {shown(line)}")
        command = _Command(f"line {number}", verb, [], id_size, nul_terminated=False)
        position = len(verb)
        while position < len(line):
            field = _FIELD.match(line, position)
            if field is None:
                rest = line[position:]
                if rest.startswith(b' "'):
                    command.fail(f"badly quoted: {shown(rest[1:])}")
                command.fail(f"expected a space or the end of the line, found {shown(rest)}")
            quoted, plain = field.groups()
            command.fields.append(plain if quoted is None else _ESCAPE.sub(_unescape, quoted))
            position = field.end()
        yield command
    if unfinished:
        # The end of a value may be missing as well: what is there could be the wrong change.
        raise ApiError(f"line {len(lines) + 1}: {shown(unfinished)} is cut off: expected a final newline")


def _unescape(match: re.Match[bytes]) -> bytes:
    escape = match[1]
    return _ESCAPES[escape] if escape in _ESCAPES else bytes([int(escape, 8)])


def _split_at_nuls(data: bytes, id_size: int) -> Iterator[_Command]:
    fields = data.split(b"\0")
    unfinished = fields.pop()
    if unfinished:
        raise ApiError(f"field {len(fields) + 1}: {shown(unfinished)} is cut off: expected a final NUL")
    position = 0
    while position < len(fields):
        verb, space, first = fields[position].partition(b" ")
        count = _FIELD_COUNTS.get(verb, 0) if space else 0
        rest = fields[position + 1 : position + max(count, 1)]
        position += 1
        own = [first, *rest] if space else []
        yield _Command(f"field {position}", verb, own, id_size, nul_terminated=True)
        position += len(rest)
