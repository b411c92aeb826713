"""What the bytes of a table mean, in words: for the tree of its parts, and for the line that explains one.

A title is a few words for a row of the tree; an explanation is a sentence or two that teach the
format. Both are made of a span alone (see `engine/layout/span.py`), so nothing is read for them. Bytes of
the file become text here, through `shown`.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from engine.format import INDEX, LOG, OBJ, REF, SECTION_NAMES
from engine.layout import BlockSpan, Group, Record, Section, Span, SpanKind
from inspector.text.facts import counted, error_text, short_table_name, shown
from inspector.text.safe import safe_text
from inspector.text.times import log_zone, log_zone_note, utc_time

_TYPES: Final = {bytes((kind,)): name for kind, name in SECTION_NAMES.items()}

_GROUPS: Final = {
    SpanKind.TABLE: "One table of the stack: header, sections of blocks, footer. "
    "It never changes once written.",
    SpanKind.HEADER: "What a reader needs first. The footer repeats it.",
    SpanKind.FOOTER: "A copy of the header, where the sections begin, and a checksum. Readers begin here.",
    SpanKind.DEFLATED: "The rest of the log block, compressed with zlib. "
    "Positions below it, written with a +, are those in the inflated block.",
    SpanKind.RECORDS: "Records in key order. Each stores only what differs from the key before.",
    SpanKind.RESTARTS: "Where records with a whole key begin: a search starts from the nearest one.",
    SpanKind.PADDING: "Zeros up to the next multiple of the block size.",
    SpanKind.UNKNOWN: "Nothing is known of these bytes.",
}
_SECTIONS: Final = {
    REF: "Refs in name order.",
    LOG: "Reflog entries, by name and then newest first. Each block is compressed, and none is padded.",
    OBJ: "Which ref blocks mention an object: for each beginning of an id, their offsets.",
    INDEX: "Index blocks.",
}


def size_text(span: Span) -> str:
    """How many bytes a span has: `1 byte`, `4,096 bytes`."""
    return counted(span.end - span.start, "byte")


def _number(span: Span) -> int:
    return span.value if isinstance(span.value, int) else 0


def _bytes(span: Span) -> bytes:
    return span.value if isinstance(span.value, bytes) else b""


# Values, as the tree shows them behind a field's name.


def span_value_text(span: Span) -> str:
    """The value of a field as it is read, on one line; empty for what has none."""
    value, meaning = span.value, span.meaning
    if span.kind is SpanKind.CHECKSUM:
        return f"{_number(span):08x}"
    if isinstance(value, int) and isinstance(meaning, int):  # an update index, an offset of an object record
        return (
            f"{meaning} (delta {value})" if span.kind is SpanKind.NUMBER else f"{meaning:,} (delta {value:,})"
        )
    if span.name == "time":
        return f"{_number(span)} ({utc_time(_number(span))})"
    if span.name == "zone":
        return log_zone(_number(span)) + log_zone_note(_number(span))
    if span.name == "type" and isinstance(value, bytes):
        return f"{shown(value)} ({_TYPES[value]})" if value in _TYPES else shown(value)
    if span.kind is SpanKind.HASH:
        return _bytes(span)[:64].hex()
    if isinstance(value, bytes):
        return shown(value)
    if isinstance(value, int):
        number = f"{value:,}" if span.kind is SpanKind.POSITION else str(value)
        if isinstance(meaning, str):
            return f"{number} ({meaning})"
        return f"{number} {shown(meaning)}" if isinstance(meaning, bytes) else number
    return ""


def copied_value(span: Span) -> str:
    """What a copy of a span's value is: a field's value, a record's key; empty for what has neither.

    Escaped as on screen, but not cut: what goes to a clipboard is pasted somewhere.
    """
    value = span.value if span.meaning is None or isinstance(span, Record) else span.meaning
    if span.kind is SpanKind.HASH and isinstance(value, bytes):
        return value.hex()
    if span.kind is SpanKind.CHECKSUM:
        return span_value_text(span)
    if isinstance(span, Record) and span.type == OBJ:
        return span.key.hex()
    if isinstance(value, bytes):
        return safe_text(value)
    if isinstance(span.value, int) and isinstance(value, str):
        return str(span.value)
    return "" if value is None else str(value)


# Titles.


def title(span: Span, number: int | None = None) -> str:
    """A row of the tree: name, number among its kind, and what tells it apart. `number` counts from 0."""
    name = span.name
    if span.kind is SpanKind.TABLE:
        name = f"table {short_table_name(span.name)}"
    elif number is not None:
        # The section says which type they are of.
        noun = span.kind.value if span.kind in {SpanKind.BLOCK, SpanKind.RECORD} else span.name
        name = f"{noun} {number:,}"
    if span.error is not None:
        value = "" if isinstance(span, Group) else span_value_text(span)
        named = f"{name}  {value}" if value else name
        return f"{named}  damaged: {error_text(ValueError(span.error.reason))}"
    match span:
        case BlockSpan():
            first = next(span.records().children(), None)
            return f"{name}  {_key(first)}" if isinstance(first, Record) else name
        case Record():
            return f"{name}  {_record(span)}"
        case Group():
            return name
    return f"{name}  {span_value_text(span)}".rstrip()


def _index(record: Record) -> int:
    return record.meaning if isinstance(record.meaning, int) else 0


def _key(record: Record) -> str:
    if record.type == OBJ:
        return record.key[:32].hex()
    name = shown(_bytes(record))
    return f"{name} @{_index(record)}" if record.type == LOG else name


def _record(record: Record) -> str:
    # An object record may have a field for each block of the table.
    fields = {span.name: span for span in islice(record.children(), 9)}
    if record.type == INDEX:
        return f"{_key(record)} → block {_number(fields['block offset']):,}"
    if record.type == OBJ:
        count = fields.get("long offset count", fields["offset count"])
        return f"{_key(record)} in {counted(_number(count), 'block')}"
    kind = fields.get("value type", fields.get("log type"))
    return f"{_key(record)} ({kind.meaning})" if kind and isinstance(kind.meaning, str) else _key(record)


# Explanations.


def explanation(span: Span, block: BlockSpan | None = None) -> str:
    """What a span is and says, in a sentence or two; `block` is the one that it lies in."""
    match span:
        case Section():
            return _section(span)
        case BlockSpan():
            return _block(span)
        case Record():
            return _record_text(span)
    if isinstance(span, Group) or span.kind in {SpanKind.PADDING, SpanKind.UNKNOWN}:
        return _GROUPS.get(span.kind, "")
    if span.value is None and span.error is not None:
        return ""
    number, meaning = _number(span), span.meaning
    say = _FIELDS.get(_field_name(span, block), "")
    if isinstance(say, dict):
        say = say.get(number, say.get(_ELSE, ""))
    return say.format(
        n=number,
        bytes=counted(number, "byte"),
        offsets=counted(number, "offset"),
        points=counted(number, "restart point"),
        meaning=meaning,
        lowest=meaning - number if isinstance(meaning, int) else None,
    )


def _field_name(span: Span, block: BlockSpan | None) -> str:
    """The name of a field in `_FIELDS`, which tells some of the same name apart."""
    name = span.name
    if name == "type" and isinstance(span.value, bytes):
        return f"type of {_TYPES.get(span.value)} blocks"
    if name == "suffix" and block is not None and block.type == LOG:
        return "suffix of logs"
    if name == "CRC-32" and span.error is not None:
        return "wrong CRC-32"
    if name.endswith("object id") and not any(_bytes(span)):
        return f"no {name}"
    needs_meaning = {"update index": int, "restart offset": bytes}.get(name)
    return name if needs_meaning is None or isinstance(span.meaning, needs_meaning) else ""


def _section(span: Section) -> str:
    if span.of is None:
        return "Blocks that no index or footer leads to."
    if span.level == 0:
        return _SECTIONS[span.of]
    of = SECTION_NAMES[span.of]
    if span.level is None:
        return f"The index of the {of} blocks."
    below = f"{of} block" if span.level == 1 else "block of the level below"
    return f"An index: the last key and the offset of each {below}. A lookup goes through it to one block."


def _block(span: BlockSpan) -> str:
    parts = [counted(span.restart_count, "restart point")]
    if span.type == LOG:
        parts.append(f"{span.file_len:,} bytes compressed, {span.block_len:,} inflated")
    else:
        parts.append(f"{span.block_len:,} bytes")
    parts.append(f"{span.padding:,} of padding" if span.padding else "no padding")
    extra = " Its offset counts from the file's start: the header belongs to it." if span.offset == 0 else ""
    return ", ".join(parts) + "." + extra


def _record_text(span: Record) -> str:
    if span.type == OBJ:
        return f"Object ids that begin with {span.key[:32].hex()}: the ref blocks that mention them."
    if span.type == INDEX:
        return f"The block that it leads to ends with the key {shown(_bytes(span))}."
    if span.type == LOG:
        return f"{shown(_bytes(span))} at update index {_index(span)}. Its key ends in the index, inverted."
    return shown(_bytes(span))


_ELSE: Final = -1
"""Stands for any other number."""


def _offset_of(what: str) -> dict[int, str]:
    return {0: f"0: there is none. ({what})", _ELSE: f"{what} begins at {{n:,}}."}


def _length_of(what: str) -> dict[int, str]:
    return {1: f"1 byte of {what} follows.", _ELSE: f"{{bytes}} of {what} follow."}


_FIELDS: Final[dict[str, str | dict[int, str]]] = {
    "magic": "REFT: this is a reftable.",
    "version": {1: "Object ids are SHA-1.", 2: "The header names the hash function."},
    "block size": {
        0: "None: blocks follow each other without padding.",
        _ELSE: "All blocks but those of the logs begin at multiples of {n:,}.",
    },
    "min update index": "The lowest update index in the table. Refs store what theirs is above it.",
    "max update index": "The highest update index in the table.",
    "hash id": "The hash function of the object ids: sha1, or s256 for SHA-256.",
    "ref index offset": _offset_of("The root of the ref index"),
    "obj offset": _offset_of("The object section"),
    "object id length": "The object section keeps the first {bytes} of each id. "
    "Packed into the lowest five bits.",
    "obj index offset": _offset_of("The root of the object index"),
    "log offset": _offset_of("The log section"),
    "log index offset": _offset_of("The root of the log index"),
    "CRC-32": "It is that of the footer's bytes.",
    "wrong CRC-32": "No reader takes a table whose footer fails its checksum.",
    "type of ref blocks": "a ref block.",
    "type of log blocks": "a log block; what follows the length is compressed.",
    "type of obj blocks": "an object block.",
    "type of index blocks": "an index block.",
    "type": "Always 0 in an index record.",
    "block length": "From the block's start to the end of its restart count, inflated.",
    "prefix length": {
        0: "Nothing is shared with the record before: the key is stored whole.",
        _ELSE: "The key begins with the first {bytes} of the key before.",
    },
    "suffix length": "{bytes} of the key follow. The upper bits of one number; the lower three are the type.",
    "suffix": "What differs from the key before: it follows the prefix that the two share.",
    "suffix of logs": "The key of a reflog entry: the name, a NUL, "
    "and the update index inverted, newest first.",
    "value type": {
        0: "A deletion: the ref is gone, whatever older tables say.",
        1: "One object id.",
        2: "Two object ids: a tag, and what it points to.",
        3: "A symbolic ref: the name of another ref.",
    },
    "log type": {0: "A deletion of a reflog entry.", _ELSE: "A reflog entry."},
    "offset count": {0: "0: a count of its own follows.", _ELSE: "{offsets} follow."},
    "long offset count": "{offsets} follow.",
    "update index": "Stored as what it is above the table's lowest: "
    "delta {n} → {lowest} + {n} = {meaning}.",
    "object id": "What the ref points to.",
    "no object id": "What the ref points to. All zeros stand for none.",
    "peeled object id": "What the tag points to, peeled.",
    "no peeled object id": "What the tag points to, peeled. All zeros stand for none.",
    "target length": _length_of("the target"),
    "target": "The ref that this symbolic ref names.",
    "old object id": "Where the ref pointed before.",
    "no old object id": "Where the ref pointed before. All zeros stand for none.",
    "new object id": "Where the ref points afterwards.",
    "no new object id": "Null. With an old id that is null as well, this is no entry: "
    "it marks a reflog that has none.",
    "committer length": _length_of("the name"),
    "committer": "Who changed the ref.",
    "email length": _length_of("the address"),
    "email": "The address of who changed the ref.",
    "time": "Seconds since 1970.",
    "zone": "Its decimal digits are hours and minutes east of UTC.",
    "message length": _length_of("the message"),
    "message": "Why the ref was changed.",
    "block offset": "The block begins at {n:,}; enter goes there.",
    "ref block offset": "A ref block that mentions the object; enter goes there.",
    "restart offset": "The record at byte {n:,} of the block has a whole key; enter goes there.",
    "restart count": "{points}: records with a whole key.",
}  # fmt: skip
