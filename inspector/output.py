r"""Where a verb's output goes, and the form of a record in it.

Standard output carries data only; notes, warnings and progress go to standard error, progress only
when that is a terminal.

Plain text is made of the bytes of the stack. A terminal gets them through `safe_text`; a pipe or
a file gets them as they are, as git gives them, so that `cut` and `xargs` see real names. JSON is
ASCII everywhere: one object a line, no space between tokens, keys in the order of design.md, bytes that
are not UTF-8 as lone surrogates (`\udcXX`), object ids as hex, absent values as null.

The functions that form a record run once per record of a stack that may hold millions: each is one
expression, and a batch of their lines is one write.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, BinaryIO, Self

import click

from engine.format import LogRecord, RefRecord
from engine.progress import Progress
from inspector.safe_text import json_text, safe_name, safe_text

__all__ = [
    "Output",
    "ProgressLine",
    "columns",
    "json_line",
    "log_json",
    "log_line",
    "note",
    "print_log",
    "print_ref",
    "ref_json",
    "ref_line",
    "reflog_line",
]

Show = Callable[[bytes], bytes]
"""How bytes of the stack go into a line of text: `Output.show`."""

# What `json.dumps` comes down to for a string, without the steps in between: half of a record's time.
_quote = json.encoder.encode_basestring_ascii


class Output:
    """Standard output for one verb: lines of bytes, and how names are shown on it."""

    def __init__(self, stream: BinaryIO, *, terminal: bool, encoding: str = "utf-8") -> None:
        self._stream = stream
        self._terminal = terminal
        self._encoding = encoding

    @classmethod
    def standard(cls) -> Output:
        """The process's standard output, a terminal or not."""
        return cls(sys.stdout.buffer, terminal=sys.stdout.isatty(), encoding=sys.stdout.encoding)

    def show(self, data: bytes) -> bytes:
        """`data` of the stack as it goes into a line of text: safe on a terminal, else unchanged."""
        return safe_text(data).encode(self._encoding, "backslashreplace") if self._terminal else data

    def text(self, lines: Iterable[str]) -> None:
        """Write lines of our own making, from `columns` for example; names in them are safe already."""
        self.lines(line.encode(self._encoding, "backslashreplace") for line in lines)

    def lines(self, lines: Iterable[bytes]) -> None:
        """Write a batch of lines, given without their newlines."""
        self._stream.write(b"".join([line + b"\n" for line in lines]))

    def json(self, lines: Iterable[str]) -> None:
        """Write a batch of JSON documents, each a line."""
        self._stream.write("".join([line + "\n" for line in lines]).encode("ascii"))

    def flush(self) -> None:
        """Hand everything to the system: an error of writing shows here, not after the verb."""
        self._stream.flush()


def json_line(fields: dict[str, Any]) -> str:
    """One JSON object on one line, for objects of which there are few."""
    return json.dumps(fields, separators=(",", ":"))


def ref_json(record: RefRecord, table: str | None, lead: str = "") -> str:
    """A ref record as a JSON object; `lead` is JSON that goes before the name (`"kind":"ref",`).

    `table` is where it was read, None for one that was just written: the compaction that follows an
    addition may have moved it already.
    """
    return (
        f'{{{lead}"name":{_string(record.name)},"update_index":{record.update_index},'
        f'"type":"{record.type}","value":{_hex(record.value)},"peeled":{_hex(record.peeled)},'
        f'"target":{_string(record.target)},"table":{_quote(table) if table is not None else "null"}}}'
    )


def log_json(record: LogRecord, table: str | None, lead: str = "") -> str:
    """A log record as a JSON object; a deletion has neither ids nor anything that was logged."""
    if record.is_deletion:
        logged = '"committer":null,"email":null,"time":null,"tz":null,"message":null'
    else:
        logged = (
            f'"committer":{_string(record.committer)},"email":{_string(record.email)},'
            f'"time":{record.time},"tz":{record.tz},"message":{_string(record.message)}'
        )
    return (
        f'{{{lead}"name":{_string(record.name)},"update_index":{record.update_index},'
        f'"type":"{record.type}","old":{_hex(record.old)},"new":{_hex(record.new)},'
        f'{logged},"table":{_quote(table) if table is not None else "null"}}}'
    )


def ref_line(record: RefRecord, show: Show) -> bytes:
    """A ref record as the verb `refs` has it; what it peels to is not part of it, as in `git show-ref`."""
    name = show(record.name)
    if record.value is not None:
        return b"%s %s" % (record.value.hex().encode(), name)
    if record.target is not None:
        return b"ref: %s %s" % (show(record.target), name)
    return b"deleted %s" % name


def reflog_line(record: LogRecord, null_id: bytes, show: Show) -> bytes:
    """A log record as a line of a reflog file: `OLD NEW COMMITTER <EMAIL> TIME TZ<TAB>MESSAGE`.

    As git writes them: the zone with sign and four digits, no tab when the message is empty, newlines
    within it as spaces, so that one record is one line. `null_id` stands in for an absent id.
    A tombstone is `deleted UPDATE_INDEX`.
    """
    if record.is_deletion:
        return b"deleted %d" % record.update_index
    message = record.message.rstrip(b"\n").replace(b"\n", b" ")
    return b"%s %s %s <%s> %d %+05d%s" % (
        (record.old or null_id).hex().encode(),
        (record.new or null_id).hex().encode(),
        show(record.committer),
        show(record.email),
        record.time,
        record.tz,
        b"\t" + show(message) if message else b"",
    )


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


def columns(headings: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> list[str]:
    """Headings and rows as lines with aligned columns; `align` has `<` or `>` for each of them.

    Widths count characters, so text that may hold wide ones belongs into the last column.
    """
    table = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    layout = "  ".join(f"{{:{side}{width}}}" for side, width in zip(align, widths, strict=True))
    return [layout.format(*row).rstrip() for row in table]


def _string(data: bytes | None) -> str:
    return _quote(json_text(data)) if data is not None else "null"


def _hex(oid: bytes | None) -> str:
    return f'"{oid.hex()}"' if oid is not None else "null"


def note(text: str) -> None:
    """A line on standard error, fit for a terminal whatever it quotes."""
    click.echo(f"reftable-inspector: {safe_name(text)}", err=True)


class ProgressLine:
    """A progress callback for the engine: one line on standard error that rewrites itself.

    Silent when standard error is no terminal. The line is gone when the `with` ends, also by an error.
    """

    _INTERVAL = 0.1  # seconds between two paints; the engine reports far more often

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._painted = 0.0

    def __enter__(self) -> Self:
        return self

    def __call__(self, progress: Progress) -> None:
        """Show how far the operation is, unless that was done a moment ago."""
        now = time.monotonic()
        if not self._terminal or now - self._painted < self._INTERVAL:
            return
        self._painted = now
        share = f"{progress.done:,}" if not progress.total else f"{100 * progress.done // progress.total}%"
        click.echo(f"\r\x1b[K{progress.phase}: {share}", err=True, nl=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._painted:
            click.echo("\r\x1b[K", err=True, nl=False)
