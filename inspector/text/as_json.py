r"""The form of a record, and of whatever else a verb tells, as JSON.

JSON is ASCII everywhere: one object a line, no space between tokens, keys always in the same order, bytes
that are not UTF-8 as lone surrogates (`\udcXX`), with which two names may look the same to a reader: what
holds some is there as hex as well, in the field `<field>_hex`. Object ids are hex, absent values null.
`inspector/cli/schema.json` describes each field.

Apart from `records`, since the import of json costs whoever wants lines of text a millisecond.
"""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from typing import Any

from engine.format import LogRecord, RefRecord
from inspector.text.safe import json_text

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
    """Fields; behind one with bytes that are no UTF-8 its bytes, in lists those of each item."""
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
