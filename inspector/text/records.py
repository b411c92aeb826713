"""The form of a record in the output of the verbs as a line of text, and its fields for JSON.

The functions that form a record run once per record of a stack that may hold millions: each is one
expression.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable
from typing import Any

from engine.export import reflog_line
from engine.format import LogRecord, RefRecord
from inspector.text.safe import json_text

Show = Callable[[bytes], bytes]
"""How bytes of the stack go into a line of text: `Output.show`."""


def picked(thing: object, *names: str, **renamed: str) -> dict[str, Any]:
    """These attributes of something, as fields of a JSON object; then those with another name there."""
    fields = {name: name for name in names} | renamed
    return {field: getattr(thing, name) for field, name in fields.items()}


def value_fields(record: RefRecord) -> dict[str, Any]:
    """What a ref record holds, as fields of a JSON object of which there are few."""
    return {
        "update_index": record.update_index,
        "type": record.type,
        "value": record.value.hex() if record.value is not None else None,
        "peeled": record.peeled.hex() if record.peeled is not None else None,
        "target": json_text(record.target) if record.target is not None else None,
    }


def hex_ids(ids: list[bytes]) -> list[bytes]:
    """Object ids of one hash function as hex, a million of them in few steps."""
    return hexlify(b"".join(ids), b" ", len(ids[0])).split(b" ") if ids else []


def ref_line(record: RefRecord, show: Show) -> bytes:
    """A ref record as the verb `refs` has it; what it peels to is not part of it, as in `git show-ref`."""
    name = show(record.name)
    if record.value is not None:
        return hexlify(record.value) + b" " + name
    if record.target is not None:
        return b"ref: %s %s" % (show(record.target), name)
    return b"deleted %s" % name


def log_line(record: LogRecord, null_id: bytes, show: Show) -> bytes:
    """A log record as a line among those of other refs: the ref's name, a space, `reflog_line`."""
    return b"%s %s" % (show(record.name), reflog_line(record, null_id, show))


def print_ref(record: RefRecord, show: Show) -> bytes:
    """A ref record as git's test tool dumps it: `ref{NAME(IDX) val 1 HEX}` and so on."""
    if record.target is not None:
        value = b"=> " + show(record.target)
    elif record.value is None:
        value = b"delete"
    elif record.peeled is None:
        value = b"val 1 " + record.value.hex().encode()
    else:
        value = b"val 2 %s(T %s)" % (record.value.hex().encode(), record.peeled.hex().encode())
    return b"ref{%s(%d) %s}" % (show(record.name), record.update_index, value)


def print_log(record: LogRecord, null_id: bytes, show: Show) -> bytes:
    """A log record as git's test tool dumps it, on several lines; the message keeps its own newline."""
    head = b"log{%s(%d) " % (show(record.name), record.update_index)
    if record.is_deletion:
        return head + b"delete}"
    return head + b"%s <%s> %d %04d\n%s => %s\n\n%s\n}" % (
        show(record.committer),
        show(record.email),
        record.time,
        record.tz,
        (record.old or null_id).hex().encode(),
        (record.new or null_id).hex().encode(),
        b"\n".join(map(show, record.message.split(b"\n"))),
    )
