"""The four kinds of records: refs, log entries, and the two that find refs again; and their order."""

from __future__ import annotations

import os
from collections.abc import Callable
from operator import attrgetter
from typing import ClassVar, Final, Literal, Self, TypeAlias

from engine.errors import ApiError
from engine.format.varint import U64_MAX

compiled: Final = not __file__.endswith(".py")
"""Whether the modules where time goes run compiled (setup.py says how), this one among them."""

RefType: TypeAlias = Literal["val1", "val2", "symref", "deletion"]
LogType: TypeAlias = Literal["update", "deletion"]

LOG_KEY_TAIL: Final = 9
"""The NUL and the update index at the end of a log record's key."""


class _Record:
    """What all kinds of record have in common.

    Records of one kind are equal when all fields are. Assign to no field of a record that is in a set or a
    dictionary: nothing forbids it, since a frozen record takes twice the time to make.
    """

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def _values(self) -> tuple[object, ...]:
        raise NotImplementedError

    def require_bytes(self) -> None:
        """Raise `ApiError` if a name, an id or a text of this record is `str`."""
        for field, value in zip(self.__match_args__, self._values(), strict=True):
            if isinstance(value, str):
                like = f"{os.fsencode(value)!r} instead of {value!r}"
                raise ApiError(f"{field}: ref names, object ids and texts are bytes: {like}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), self._values()

    def __repr__(self) -> str:
        fields = zip(self.__match_args__, self._values(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in fields)})"


class RefRecord(_Record):
    """One version of one ref, hashable.

    `value` is an object id (20 bytes, or 32 with SHA-256); `peeled` what an annotated tag with that
    id points to; `target` the ref that a symref names. A record with none of them is a deletion
    (a tombstone): it hides older versions. `update_index` is absolute.

    Of what a table or a stack gives (`AnyRef`, `LiveRef`), `type` tells a type checker which of them
    are there: after `if record.type == "symref":`, `record.target` is `bytes`. `RefRecord` alone, as
    in an annotation, is a record of any type.
    """

    __slots__ = ("name", "peeled", "target", "update_index", "value")
    __match_args__ = ("name", "update_index", "value", "peeled", "target")

    name: bytes
    update_index: int
    value: bytes | None
    peeled: bytes | None
    target: bytes | None

    def __init__(
        self,
        name: bytes,
        update_index: int,
        value: bytes | None = None,
        peeled: bytes | None = None,
        target: bytes | None = None,
    ) -> None:
        self.name = name
        self.update_index = update_index
        self.value = value
        self.peeled = peeled
        self.target = target

    def _values(self) -> tuple[object, ...]:
        return self.name, self.update_index, self.value, self.peeled, self.target

    @property
    def is_deletion(self) -> bool:
        """Whether this is a tombstone."""
        return self.value is None and self.target is None

    @property
    def type(self) -> RefType:
        """`val1`, `val2`, `symref` or `deletion`, the format document's value types."""
        kind: RefType = "val1" if self.peeled is None else "val2"
        if self.target is not None:
            kind = "symref"
        elif self.value is None:
            kind = "deletion"
        return kind

    def has_value_of(self, other: RefRecord) -> bool:
        """Whether both records give a ref the same value, whatever their update indexes."""
        return (self.value, self.peeled, self.target) == (other.value, other.peeled, other.target)

    def replace(self, *, name: bytes | None = None, update_index: int | None = None) -> Self:
        """The same value under another name, or with another update index."""
        return type(self)(
            self.name if name is None else name,
            self.update_index if update_index is None else update_index,
            self.value,
            self.peeled,
            self.target,
        )


class LogRecord(_Record):
    """One reflog entry of one ref, hashable; the key is (name, update index), newest first.

    A record with neither `old` nor `new` is a deletion: it hides the entry of the same key in
    older tables. With one of them given, the other is written as the null id. `time` is in
    seconds since 1970, `tz` the stored 16-bit number (git stores the decimal reading of
    "+0530", 530; the format document and JGit mean minutes), `message` ends in a newline.

    `type` tells a type checker, as that of a `RefRecord` does, that `old` and `new` of an entry are there.
    """

    __slots__ = ("committer", "email", "message", "name", "new", "old", "time", "tz", "update_index")
    __match_args__ = (
        "name",
        "update_index",
        "old",
        "new",
        "committer",
        "email",
        "time",
        "tz",
        "message",
    )

    name: bytes
    update_index: int
    old: bytes | None
    new: bytes | None
    committer: bytes
    email: bytes
    time: int
    tz: int
    message: bytes

    def __init__(
        self,
        name: bytes,
        update_index: int,
        old: bytes | None = None,
        new: bytes | None = None,
        committer: bytes = b"",
        email: bytes = b"",
        time: int = 0,
        tz: int = 0,
        message: bytes = b"",
    ) -> None:
        self.name = name
        self.update_index = update_index
        self.old = old
        self.new = new
        self.committer = committer
        self.email = email
        self.time = time
        self.tz = tz
        self.message = message

    def _values(self) -> tuple[object, ...]:
        person = self.committer, self.email, self.time, self.tz
        return self.name, self.update_index, self.old, self.new, *person, self.message

    @property
    def is_deletion(self) -> bool:
        """Whether this is a tombstone."""
        return self.old is None and self.new is None

    @property
    def is_marker(self) -> bool:
        """Whether git wrote this to keep a reflog that has no entries, so that updates go on to be logged.

        Both ids are null. It is no entry of the reflog, and what shows entries leaves it out, as git does.
        """
        return not self.is_deletion and not any(self.old or b"") and not any(self.new or b"")

    @property
    def type(self) -> LogType:
        """`update` or `deletion`, the format document's log types."""
        return "deletion" if self.is_deletion else "update"

    def replace(
        self,
        *,
        name: bytes | None = None,
        update_index: int | None = None,
        committer: bytes | None = None,
        email: bytes | None = None,
        time: int | None = None,
        tz: int | None = None,
        message: bytes | None = None,
    ) -> Self:
        """The same ids with something else about them."""
        return type(self)(
            self.name if name is None else name,
            self.update_index if update_index is None else update_index,
            self.old,
            self.new,
            self.committer if committer is None else committer,
            self.email if email is None else email,
            self.time if time is None else time,
            self.tz if tz is None else tz,
            self.message if message is None else message,
        )


class ObjectRecord(_Record):
    """The ref blocks that mention an object id beginning with `prefix`.

    No offsets means that they did not fit into a block: every ref block is a candidate.
    """

    __slots__ = ("offsets", "prefix")
    __match_args__ = ("prefix", "offsets")

    def __init__(self, prefix: bytes, offsets: list[int]) -> None:
        self.prefix = prefix
        self.offsets = offsets

    def _values(self) -> tuple[object, ...]:
        return self.prefix, self.offsets

    def __hash__(self) -> int:
        return hash((self.prefix, *self.offsets))


class IndexRecord(_Record):
    """The last key of the block (of the section, or of the index level below) at `offset`."""

    __slots__ = ("last_key", "offset")
    __match_args__ = ("last_key", "offset")

    def __init__(self, last_key: bytes, offset: int) -> None:
        self.last_key = last_key
        self.offset = offset

    def _values(self) -> tuple[object, ...]:
        return self.last_key, self.offset


def log_key(name: bytes, update_index: int) -> bytes:
    """The key of a log record: newer entries of a ref sort first. Raises `ApiError` out of range."""
    if not 0 <= update_index <= U64_MAX:
        raise ApiError(f"update index {update_index} is not in 0..2**64-1")
    return name + b"\0" + (U64_MAX - update_index).to_bytes(8, "big")


ref_key: Callable[[RefRecord], bytes] = attrgetter("name")
"""What refs are ordered by."""


def log_order(record: LogRecord) -> tuple[bytes, int]:
    """What log records are ordered by: as their keys are, and cheaper to make."""
    return record.name, -record.update_index


def log_record_key(record: LogRecord) -> bytes:
    """The key that a log record is stored under."""
    return log_key(record.name, record.update_index)


def decimal_zone(tz: int) -> int:
    """A stored zone as git writes it: -800 for -08:00.

    JGit stores minutes. That shows only where git's number would have 60 minutes and more.
    """
    size = abs(tz)
    if size % 100 < 60 or size >= 24 * 60:
        return tz
    hours, minutes = divmod(size, 60)
    return (100 * hours + minutes) * (1 if tz > 0 else -1)


def refs_ascend(refs: list[RefRecord], last: bytes) -> bool:
    """Whether the names of some refs ascend, beginning behind `last`."""
    for ref in refs:
        name = ref.name
        if name <= last:
            return False
        last = name
    return True


def logs_ascend(logs: list[LogRecord], last: bytes) -> bool:
    """Whether the names of some log entries do not descend, beginning with `last`: one ref has many."""
    for log in logs:
        name = log.name
        if name < last:
            return False
        last = name
    return True
