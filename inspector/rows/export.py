"""Rows of a list into a file of the user's: JSON Lines or CSV, whole records in the order shown.

The format is told by the name: `.csv`, or `.json`, `.jsonl` and `.ndjson` for a JSON object a line, as the
verbs print it. CSV has the same fields; what is null there is empty here, and bytes stay what they are.

A file is made anew or not at all: one that exists is never written to, and one that could not be finished
is removed. Nothing is put into the directory of the stack.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

from engine.format import LogRecord, RefRecord
from engine.table import Table
from inspector.text import log_json, ref_json

Entries = Sequence[tuple[RefRecord, Table]] | Sequence[tuple[LogRecord, Table]]
"""Some records, and the table that each comes from."""

_JSON: Final = (".json", ".jsonl", ".ndjson")


class ExportError(ValueError):
    """Why nothing can be exported to a path; the message is for the user."""


def check_export_path(text: str, stack: Path) -> Path:
    """The path that the user means by `text`. Raises `ExportError`; `stack` is the stack's directory.

    Looks at names only: whether the file can be made shows when it is made.
    """
    if not text.strip() or "\0" in text:
        raise ExportError("give the name of a file to make")
    path = Path(text.strip()).expanduser()
    if path.suffix.lower() not in (*_JSON, ".csv"):
        raise ExportError("end the name in .jsonl (a JSON object a line) or in .csv")
    if path.parent.resolve() == stack.resolve():
        raise ExportError("this is the directory of the stack: choose another one")
    return path


def entry_json(record: RefRecord | LogRecord, table: Table) -> str:
    """A record as the JSON object that the verbs print."""
    return ref_json(record, table.name) if isinstance(record, RefRecord) else log_json(record, table.name)


def export_rows(path: Path, batches: Iterable[Entries], progress: Callable[[int], None]) -> int:
    """Write the records of `batches` to `path`, which must not exist; returns how many.

    `progress(written)` is called for each batch, empty ones too; when it raises `Cancelled`, or when
    anything else goes wrong, no file is left. Raises `OSError`, and what reading `batches` raises.
    """
    written = 0
    write = _csv if path.suffix.lower() == ".csv" else _json
    # Exclusive: neither an existing file nor what a link points to is ever overwritten.
    with open(path, "x", encoding="utf-8", errors="surrogateescape", newline="") as file:
        try:
            for lines in write(file, batches):
                written += lines
                progress(written)
            file.flush()
        except BaseException:
            with suppress(OSError):
                os.unlink(path)
            raise
    return written


def _json(file: TextIO, batches: Iterable[Entries]) -> Iterator[int]:
    for batch in batches:
        file.write("".join([entry_json(record, table) + "\n" for record, table in batch]))
        yield len(batch)


def _csv(file: TextIO, batches: Iterable[Entries]) -> Iterator[int]:
    writer = csv.writer(file, lineterminator="\n")
    begun = False
    for batch in batches:
        # The fields of both forms have one home: a row is what the JSON object says, without what only some
        # objects have, since this file takes any bytes.
        objects = [json.loads(entry_json(record, table)) for record, table in batch]
        rows = [{name: one[name] for name in one if not name.endswith("_hex")} for one in objects]
        if rows and not begun:
            writer.writerow(rows[0])
            begun = True
        writer.writerows(row.values() for row in rows)
        yield len(rows)
