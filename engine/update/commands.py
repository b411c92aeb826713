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

It takes an object database to turn object names other than full hexadecimal ids, like `HEAD~1`, into ids:
they are left to the caller (`Resolve`), each as its command is read, and refused without.

What the commands do to a stack is in `transaction.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple, NoReturn, TypeAlias

from engine.errors import ApiError, RefnameError, shown
from engine.format import HashId, check_refname, has_root_ref_syntax, split_worktree


class Symref(NamedTuple):
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


CREATES_NOTHING: Final = "a zero <new-oid> creates nothing"
DELETES_NOTHING: Final = "a zero <old-oid> leaves nothing to delete"
"""Why a command is refused that would change nothing, whatever there is."""

Resolve: TypeAlias = Callable[[bytes], bytes | str]
"""Makes a binary object id of an object name, or says why not."""


class Control(NamedTuple):
    """`start`, `prepare`, `commit` or `abort`; without a `place` it is what the end of the input means."""

    verb: str
    place: str = ""


def parse_commands(
    data: bytes, hash_id: HashId, *, nul_terminated: bool = False, resolve: Resolve | None = None
) -> list[RefUpdate]:
    """Read the commands of one transaction, in the order given.

    There are none when the transaction was aborted, or was started and never committed. `hash_id` says how
    long an object id is. Raises ApiError, naming the line, what was found there and what is expected.
    """
    updates: list[RefUpdate] = []
    is_over = False
    for step in read_commands([data], hash_id, nul_terminated=nul_terminated, resolve=resolve):
        if isinstance(step, RefUpdate):
            updates.append(step)
        elif is_over and step.verb == "start":
            raise ApiError(
                f"{step.place}: 'start': a second transaction cannot be planned on top of the first"
            )
        elif step.verb == "abort":
            updates.clear()
        is_over = is_over or (isinstance(step, Control) and step.verb in ("commit", "abort"))
    return updates


def read_commands(
    chunks: Iterable[bytes],
    hash_id: HashId,
    *,
    nul_terminated: bool = False,
    resolve: Resolve | None = None,
) -> Iterator[RefUpdate | Control]:
    """Read the commands of any number of transactions, each as soon as it is there.

    `chunks` are the input in pieces of any size. The end of the input commits what no command has started,
    and aborts what none has committed. After `prepare` comes `commit` or `abort`. Raises as `parse_commands`.
    """
    separate = _split_at_nuls if nul_terminated else _split_lines
    no_deref = False
    state = "open"
    for command in separate(chunks, hash_id.size, resolve):
        verb = command.verb
        if state == "closed" and verb != b"start":
            command.fail("the transaction is closed")
        if state == "prepared" and verb not in (b"commit", b"abort"):
            command.fail("a prepared transaction can only be committed or aborted")
        if verb in _FIELD_COUNTS:
            yield command.update(no_deref)
            no_deref = False
        elif verb == b"option":
            if command.fields != [b"no-deref"]:
                command.fail("the only option is 'no-deref'")
            no_deref = True
        elif verb in _CONTROLS:
            command.require_end()
            if verb == b"start" and state == "started":
                command.fail("the transaction is started already")
            state = _CONTROLS[verb]
            yield Control(verb.decode(), command.place)
        else:
            command.fail("unknown command")
    if state != "closed":
        yield Control("commit" if state == "open" else "abort")


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
_ESCAPE: Final = rb'\\([abfnrtv\\"]|[0-3][0-7]{2})'
_FIELD: Final = rb' (?:"((?:[^"\\]|\\(?:[abfnrtv\\"]|[0-3][0-7]{2}))*)"|(?!")([^ \t\r]*))'
_BLANK: Final = rb"[ \t\r]"
_UNUSUAL: Final = b'\t\r"'
"""Bytes of lines that are not simply fields between spaces: for those, the patterns are compiled."""
_HEX: Final = b"0123456789ABCDEFabcdef"


class _Command(NamedTuple):
    """A command taken apart into fields, which are then taken one after the other and judged."""

    place: str
    verb: bytes
    fields: list[bytes]
    id_size: int
    resolve: Resolve | None
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
                if new == null:
                    self.fail(CREATES_NOTHING)
            case b"delete":
                new, old = null, self._id("<old-oid>")
                if old == null:
                    self.fail(DELETES_NOTHING)
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
        # To git, such a name is safe to be given an object id, and nothing else: refname_is_safe().
        if split_worktree(name)[0] is not None and (not isinstance(new, bytes) or is_null(new)):
            self.fail(f"all that {shown(name)}, a ref of another worktree, can be given is an object id")
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
        if len(text) == 2 * self.id_size and not text.translate(None, _HEX):
            return bytes.fromhex(text.decode("ascii"))
        if self.resolve is None:
            self.fail(
                f"{what} {shown(text)} is not an object id: expected {2 * self.id_size} hexadecimal digits "
                "(other object names are not resolved here: `git rev-parse` does)"
            )
        oid = self.resolve(text)
        if isinstance(oid, str):
            self.fail(f"{what} {shown(text)} is not an object id, and cannot be looked up: {oid}")
        return oid

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


def _split(chunks: Iterable[bytes], end: bytes, unit: str, missing: str) -> Iterator[bytes]:
    """What `end` terminates, as soon as it is there. Raises ApiError if the last one is not terminated."""
    count = 0
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(end)
        count += len(whole)
        yield from whole
    if rest:
        # The end of a value may be missing as well: what is there could be the wrong change.
        raise ApiError(f"{unit} {count + 1}: {shown(rest)} is cut off: expected a final {missing}")


def _split_lines(chunks: Iterable[bytes], id_size: int, resolve: Resolve | None) -> Iterator[_Command]:
    for number, line in enumerate(_split(chunks, b"\n", "line", "newline"), 1):
        is_plain = len(line) == len(line.translate(None, _UNUSUAL))
        verb, *fields = line.split(b" ") if is_plain else re.split(_BLANK, line, maxsplit=1)[:1]
        if not verb:
            raise ApiError(f"line {number}: expected a command, found {shown(line)}")
        command = _Command(f"line {number}", verb, fields, id_size, resolve, nul_terminated=False)
        if not is_plain:
            fields.extend(_split_fields(command, line))
        yield command


def _split_fields(command: _Command, line: bytes) -> Iterator[bytes]:
    """The fields behind the verb of a line in which some may be quoted."""
    position = len(command.verb)
    match_at = re.compile(_FIELD).match
    while position < len(line):
        field = match_at(line, position)
        if field is None:
            rest = line[position:]
            if rest.startswith(b' "'):
                command.fail(f"badly quoted: {shown(rest[1:])}")
            command.fail(f"expected a space or the end of the line, found {shown(rest)}")
        quoted, plain = field.groups()
        yield plain if quoted is None else re.sub(_ESCAPE, _unescape, quoted)
        position = field.end()


def _unescape(match: re.Match[bytes]) -> bytes:
    escape = match[1]
    return _ESCAPES[escape] if escape in _ESCAPES else bytes([int(escape, 8)])


def _split_at_nuls(chunks: Iterable[bytes], id_size: int, resolve: Resolve | None) -> Iterator[_Command]:
    fields = _split(chunks, b"\0", "field", "NUL")
    position = 1
    for begin in fields:
        verb, space, first = begin.partition(b" ")
        count = _FIELD_COUNTS.get(verb, 0) if space else 0
        own = [first, *islice(fields, max(count - 1, 0))] if space else []
        command = _Command(f"field {position}", verb, own, id_size, resolve, nul_terminated=True)
        position += max(len(own), 1)
        yield command


_PSEUDOREFS: Final = (b"FETCH_HEAD", b"MERGE_HEAD")


def check_update(update: RefUpdate, id_size: int) -> None:
    """Raise ApiError or RefnameError for what is against the rules, whatever is in the stacks."""
    where = update.place or "the update"
    for value in (update.new, update.old):
        if isinstance(value, bytes) and len(value) != id_size:
            raise ApiError(f"{where}: {value.hex()!r} is not an object id of {id_size} bytes")
    name = split_worktree(update.name)[1]
    if name in _PSEUDOREFS:
        raise ApiError(
            f"{where}: {shown(update.name)} is a file of the git directory, never a ref in a stack"
        )
    if isinstance(update.new, Symref):
        check_refname(update.new.target)
    if name.startswith(b"refs/") or has_root_ref_syntax(name):
        return
    if not isinstance(update.new, bytes) or is_null(update.new):
        raise RefnameError(update.name, "outside refs/ a name has upper-case letters, '_' and '-' only")
