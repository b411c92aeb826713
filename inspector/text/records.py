"""The form of a record in the output of the verbs as a line of text.

The functions that form a record run once per record of a stack that may hold millions: each is one
expression.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable

from engine.export import reflog_line
from engine.format import LogRecord, RefRecord

Show = Callable[[bytes], bytes]
"""How bytes of the stack go into a line of text: `Output.show`."""


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
