"""A change of one ref as a form has it: what is wrong with what was typed, and the commands it makes."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from engine.errors import ApiError, RefnameError
from engine.format import HashId, RefRecord, check_refname
from engine.update import parse_commands

FormKind = Literal["create", "update", "delete", "symref"]

_HEX: Final = re.compile("[0-9A-Fa-f]*")


class RefForm(NamedTuple):
    r"""What was typed: texts as they are, empty where nothing was.

    A name may be written as `git update-ref` reads it, as a C string in double quotes
    (`"refs/heads/\303\244"`), for names that cannot be typed. `itself` changes a symbolic ref rather than
    the ref it points to; whatever becomes a symbolic ref is changed itself.
    """

    kind: FormKind
    name: str
    new: str = ""
    old: str = ""
    itself: bool = False

    def problem(self, hash_id: HashId) -> str | None:
        """What keeps this from being a transaction, the first thing first; None if it is one."""
        try:
            _check_name("ref", self.name)
            if self.kind == "symref":
                _check_name("new value", self.new)
            elif self.kind != "delete":
                _check_id("new value", self.new, hash_id)
            if self.old and self.kind == "symref" and not _is_id(self.old, hash_id):
                _check_name("old value", self.old)
            elif self.old and self.kind != "create":
                _check_id("old value", self.old, hash_id)
            parse_commands(self.commands(hash_id), hash_id)
        except ApiError as error:
            return str(error)
        return None

    def commands(self, hash_id: HashId) -> bytes:
        """The commands, each with its newline; make sense only where there is no problem."""
        lines = ["option no-deref"] if self.itself or self.kind == "symref" else []
        match self.kind:
            case "create":
                words = ["create", self.name, self.new]
            case "update":
                words = ["update", self.name, self.new, self.old]
            case "delete":
                words = ["delete", self.name, self.old]
            case _:
                old_kind = "" if not self.old else "oid" if _is_id(self.old, hash_id) else "ref"
                words = ["symref-update", self.name, self.new, old_kind, self.old]
        lines.append(" ".join(words).rstrip(" "))
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _check_name(what: str, text: str) -> None:
    if not text:
        raise ApiError(f"{what}: the full name of a ref is missing, like refs/heads/topic")
    name = text.encode("utf-8", "surrogateescape")
    try:
        if text.startswith('"') and " " not in text:
            parse_commands(b"verify %s\n" % name, HashId.SHA1)
        else:
            check_refname(name)
    except RefnameError as error:
        raise ApiError(f"{what}: {error.reason}") from error
    except ApiError as error:
        raise ApiError(f"{what}: {str(error).split(': ', 2)[-1]}") from error


def _check_id(what: str, text: str, hash_id: HashId) -> None:
    digits = 2 * hash_id.size
    good = _HEX.match(text)
    if good is not None and good.end() < len(text):
        wrong = repr(text[good.end()])
        raise ApiError(f"{what}: {wrong} is no hexadecimal digit; {digits} of them are an object id")
    if len(text) != digits:
        raise ApiError(f"{what}: {len(text)} of the {digits} hexadecimal digits of an object id")


def _is_id(text: str, hash_id: HashId) -> bool:
    return len(text) == 2 * hash_id.size and _HEX.fullmatch(text) is not None


def name_field(name: bytes) -> str:
    """The name of a ref as the form takes it: as it is, or in quotes if it could not be seen or typed."""
    text = name.decode("utf-8", "surrogateescape")
    if text.isprintable() and not text.startswith('"'):
        return text
    escaped = "".join(
        chr(byte) if 0x20 < byte < 0x7F and byte not in b'"\\' else f"\\{byte:03o}" for byte in name
    )
    return f'"{escaped}"'


def value_field(record: RefRecord) -> str:
    """What a ref holds, as the form takes it; empty for a deleted one."""
    if record.target is not None:
        return name_field(record.target)
    return record.value.hex() if record.value is not None else ""
