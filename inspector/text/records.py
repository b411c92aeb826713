r"""The form of a record in the output of the verbs: as JSON, as a line of text.

JSON is ASCII everywhere: one object a line, no space between tokens, keys always in the same order, bytes
that are not UTF-8 as lone surrogates (`\udcXX`), with which two names may look the same to a reader: what
holds some is there as hex as well, in the field `<field>_hex`. Object ids are hex, absent values null.
`inspector/cli/schema.json` describes each field.

The functions that form a record run once per record of a stack that may hold millions: each is one
expression.
"""

from __future__ import annotations

import json
import os
import re
from binascii import hexlify
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from engine.export import reflog_line
from engine.format import LogRecord, RefRecord
from inspector.text.safe import json_text

Show = Callable[[bytes], bytes]
"""How bytes of the stack go into a line of text: `Output.show`."""

# What `json.dumps` comes down to for a string, without the steps in between: half of a record's time.
_quote = json.encoder.encode_basestring_ascii


_BYTE = "[\udc80-\udcff]"
"""One that is no UTF-8, as `json_text` has it."""

_SENTENCES = {"message", "meaning", "git", "why", "reason", "result", "problem", "losses", "gc"}
"""Fields with words of this program: a name that they quote is for people."""


def json_line(fields: dict[str, Any]) -> str:
    """One JSON object on one line, for objects of which there are few; names are what `json_text` gives."""
    line = _dumps(fields)
    # Written like this is what is no UTF-8, and the second half of what is beyond U+FFFF.
    return _dumps(_with_hex(fields)) if "\\udc" in line else line


def _dumps(fields: dict[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"))


def _with_hex(fields: dict[str, Any]) -> dict[str, Any]:
    """The same fields; behind one with bytes that are no UTF-8 its bytes, in lists those of each item."""
    made: dict[str, Any] = {}
    for name, value in fields.items():
        made[name] = _inside(value)
        if name not in _SENTENCES and not _is_utf8(value):
            made[f"{name}_hex"] = _bytes_hex(value)
    return made


def _inside(value: Any) -> Any:  # noqa: ANN401 - whatever is in a JSON object
    if isinstance(value, dict):
        return _with_hex(value)
    return [_inside(item) for item in value] if isinstance(value, list | tuple) else value


def _is_utf8(value: Any) -> bool:  # noqa: ANN401 - likewise
    if isinstance(value, list | tuple):
        return all(map(_is_utf8, value))
    return not isinstance(value, str) or re.search(_BYTE, value) is None


def _bytes_hex(value: Any) -> Any:  # noqa: ANN401 - likewise
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").hex()
    return [*map(_bytes_hex, value)]


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


def ref_json(record: RefRecord, table: str | None, lead: str = "") -> str:
    """A ref record as a JSON object; `lead` is JSON that goes before the name (`"kind":"ref",`).

    `table` is where it was read, None for one that was just written: the compaction that follows an
    addition may have moved it already.
    """
    value = record.value
    if value is not None and record.peeled is None:
        name = _quote(record.name.decode("utf-8", "surrogateescape"))
        if "\\udc" not in name:  # as most refs are: nothing has to be asked of each field
            return (
                f'{{{lead}"name":{name},"update_index":{record.update_index},"type":"val1",'
                f'"value":"{value.hex()}","peeled":null,"target":null,"table":{_table(table)}}}'
            )
    return (
        f'{{{lead}"name":{_named("name", record.name)},"update_index":{record.update_index},'
        f'"type":"{record.type}","value":{_hex(record.value)},"peeled":{_hex(record.peeled)},'
        f'"target":{_named("target", record.target)},'
        f'"table":{_table(table)}}}'
    )


def log_json(record: LogRecord, table: str | None, lead: str = "") -> str:
    """A log record as a JSON object; a deletion has neither ids nor anything that was logged."""
    if record.is_deletion:
        logged = '"committer":null,"email":null,"time":null,"tz":null,"message":null'
    else:
        logged = (
            f'"committer":{_named("committer", record.committer)},"email":{_named("email", record.email)},'
            f'"time":{record.time},"tz":{record.tz},"message":{_named("message", record.message)}'
        )
    return (
        f'{{{lead}"name":{_named("name", record.name)},"update_index":{record.update_index},'
        f'"type":"{record.type}","old":{_hex(record.old)},"new":{_hex(record.new)},'
        f'{logged},"table":{_table(table)}}}'
    )


def ref_lines(records: Sequence[RefRecord], show: Show) -> list[bytes]:
    """Each ref record as `ref_line` has it."""
    return [
        hexlify(record.value) + b" " + show(record.name)
        if record.value is not None
        else ref_line(record, show)
        for record in records
    ]


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


def _named(field: str, data: bytes | None) -> str:
    """Text of the stack; what is no UTF-8 has its bytes in a field of their own behind it, as hex."""
    if data is None:
        return "null"
    text = _quote(data.decode("utf-8", "surrogateescape"))  # `json_text`, without the call
    if data.isascii() or _is_utf8(json_text(data)):
        return text
    return f'{text},"{field}_hex":"{data.hex()}"'


@lru_cache(64)
def _table(name: str | None) -> str:
    if name is None:
        return "null"
    return _quote(name) if name.isascii() else _named("table", os.fsencode(name))


def _hex(oid: bytes | None) -> str:
    return f'"{oid.hex()}"' if oid is not None else "null"
