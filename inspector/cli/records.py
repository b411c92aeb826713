"""The verbs that look at what a stack holds: refs, logs, trace, print.

Records go from the engine to the output a block at a time, so that a million refs take the memory of one.
Names come from the command line as bytes (`os.fsencode`), so that one that is not UTF-8 can be asked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import click

from engine.format import LogRecord, RefRecord, Walk
from engine.merge import MergedTable, Version
from engine.readable import ReadableStack
from engine.table import Table
from inspector.cli.opening import Call, chosen_tables, stack_verb, table_option
from inspector.exit_codes import note
from inspector.model import find_versions
from inspector.text import (
    columns,
    json_line,
    json_text,
    log_json,
    log_line,
    print_log,
    print_ref,
    ref_json,
    ref_line,
    reflog_line,
    safe_name,
    value_fields,
    whole_value,
)

Record = TypeVar("Record", RefRecord, LogRecord)


@click.command()
@click.option("--prefix", default="", metavar="P", help="Only refs whose names begin with P.")
@click.option("--points-at", metavar="OID", help="Only refs with this object id, and tags that peel to it.")
@table_option
@click.option(
    "--as-of",
    type=click.IntRange(min=0),
    metavar="N",
    help="Only tables that end at or before update index N.",
)
@click.option("--deletions", is_flag=True, help="Tombstones too, as `deleted NAME`.")
@stack_verb
def refs(
    call: Call, prefix: str, points_at: str | None, table_name: str | None, as_of: int | None, deletions: bool
) -> None:
    """The refs of the merged view, by name.

    A line is `OID NAME` or `ref: TARGET NAME`. A pipe gets names as they are stored; a terminal gets
    escapes for what it could not show.
    """
    if table_name is not None and as_of is not None:
        raise click.UsageError("--table and --as-of name two different views: give one of them")
    start = os.fsencode(prefix)
    with call.readable() as stack:
        view = _view(call, stack, table_name)
        if as_of is not None:
            view = MergedTable([table for table in view.tables if table.max_update_index <= as_of])
        if points_at is None:
            batches = _while(
                view.ref_origins(start, deletions=deletions), lambda record: record.name.startswith(start)
            )
        else:
            batches = _pointing_at(view, _object_id(stack, points_at), start)
        _write(call, batches, ref_json, ref_line)


@click.command()
@click.option("--ref", "name", metavar="NAME", help="Only the reflog of this ref, without the name.")
@table_option
@click.option("--deletions", is_flag=True, help="Tombstones too, as `deleted UPDATE_INDEX`.")
@stack_verb
def logs(call: Call, name: str | None, table_name: str | None, deletions: bool) -> None:
    """The reflogs of the merged view.

    By name, newest entry first. A line is the ref's name, a space, and a line of git's reflog files:
    `OLD NEW COMMITTER <EMAIL> TIME ZONE`, a tab, and the message. With --ref the name is left out.
    The markers with which git keeps reflogs that have no entries are left out without --deletions.
    """
    with call.readable() as stack:
        only = os.fsencode(name or "")
        entries = _view(call, stack, table_name).log_origins(only, deletions=deletions, markers=False)
        batches = _while(entries, lambda record: name is None or record.name == only)
        line = log_line if name is None else reflog_line
        _write(call, batches, log_json, line, bytes(stack.hash_id.size))


@click.command()
@click.argument("ref")
@stack_verb
def trace(call: Call, ref: str) -> None:
    """Every version of a ref in every table.

    The newest comes first, and wins. When it is a deletion, there is no such ref: it hides the versions
    below.
    """
    name = os.fsencode(ref)
    with call.readable() as stack:
        tables = stack.merged.tables
        versions, unread = find_versions(tables, tables, name)
        if call.as_json:
            call.out.json(map(_version_json, versions))
        elif versions:
            headings = ("", "update index", "#", "table", "offset", "value")
            call.out.text(columns(headings, map(_version_row, versions), "<>><><"))
        elif not unread:
            note(f"{ref}: no table of the stack has a version of it")
        for table in unread:
            note(f"{safe_name(table.table.name)} may hold a version of it that cannot be read")


def _version_json(version: Version) -> str:
    record = version.record
    return json_line(
        {
            "name": json_text(record.name),
            "table": version.table.name,
            "offset": version.offset,
            **value_fields(record),
            "wins": version.wins,
        }
    )


def _version_row(version: Version) -> tuple[str, ...]:
    record = version.record
    value = whole_value(record, target="ref: ", peeled=" (peels to {})")
    wins = "wins" if version.wins else ""
    place = (str(version.position), safe_name(version.table.name), str(version.offset))
    return (wins, str(record.update_index), *place, value)


@click.command("print")
@stack_verb
def print_view(call: Call) -> None:
    """Everything in the merged view.

    Refs and then logs, as git's test tool dumps them; tombstones are left out. A log with two null ids
    is the marker of a reflog without entries.

    \b
    ref{NAME(INDEX) val 1 OID}
    ref{NAME(INDEX) val 2 OID(T OID)}
    ref{NAME(INDEX) => TARGET}
    log{NAME(INDEX) WHO <MAIL> TIME ZONE
    OLD => NEW

    \b
    MESSAGE
    }
    """  # noqa: D301 - the backspaces tell click to keep the lines
    with call.readable() as stack:
        _write(call, stack.merged.ref_origins(), ref_json, print_ref, lead='"kind":"ref",')
        null_id = bytes(stack.hash_id.size)
        _write(call, stack.merged.log_origins(), log_json, print_log, null_id, lead='"kind":"log",')


def _write(
    call: Call,
    batches: Iterable[Sequence[tuple[Record, Table]]],
    as_json: Callable[[Record, str, str], str],
    line: Callable[..., bytes],
    *more: bytes,
    lead: str = "",
) -> None:
    """Records as the verb was asked for them: as JSON after `lead`, or by `line`, which takes `more`."""
    show = call.out.show
    for batch in batches:
        if call.as_json:
            call.out.json(as_json(record, table.name, lead) for record, table in batch)
        else:
            call.out.lines(line(record, *more, show) for record, _ in batch)


def _view(call: Call, stack: ReadableStack, table_name: str | None) -> MergedTable:
    """The merged view, or that of the one table which a user's `table_name` means."""
    return stack.merged if table_name is None else MergedTable(chosen_tables(call, stack, table_name))


def _while(
    batches: Iterable[Sequence[tuple[Record, Table]]], belongs: Callable[[Record], bool]
) -> Iterator[Sequence[tuple[Record, Table]]]:
    """`batches` up to the last record that belongs; they begin with the first."""
    for batch in batches:
        if not belongs(batch[-1][0]):
            yield [origin for origin in batch if belongs(origin[0])]
            return
        yield batch


def _pointing_at(view: MergedTable, oid: bytes, prefix: bytes) -> Iterator[Sequence[tuple[RefRecord, Table]]]:
    walk: Walk[tuple[RefRecord, Table], bytes] = Walk(view.ref_origins, lambda origin: origin[0].name)
    for record in view.refs_for(oid):
        found = walk.to(record.name)
        if found is not None and record.name.startswith(prefix):
            yield [found]


def _object_id(stack: ReadableStack, text: str) -> bytes:
    """The full object id that `text` is, of the length that the stack's hash has."""
    digits = 2 * stack.hash_id.size
    if not re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", text):
        what = f"{text!r} is not {digits} hexadecimal digits, as a {stack.hash_id} object id is"
        raise click.BadParameter(what, param_hint="--points-at")
    return bytes.fromhex(text)
