"""The verbs that look at what a stack holds: refs, logs, trace, print.

Records go from the engine to the output a block at a time, so that a million refs take the memory of one.
Names come from the command line as bytes (`os.fsencode`), so that one that is not UTF-8 can be asked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, TypeVar

import click

from engine import git
from engine.format import LogRecord, RefRecord
from engine.merge import MergedTable, Version
from engine.stack import ReadStack, follow
from engine.table import Table
from inspector import model, text
from inspector.cli.opening import (
    Call,
    View,
    alone_option,
    chosen_tables,
    completes,
    nul_option,
    stack_verb,
    table_option,
)
from inspector.exit_codes import ExitCode, note
from inspector.text import (
    RefFormat,
    Surroundings,
    columns,
    hex_ids,
    json_text,
    log_line,
    print_log,
    print_ref,
    ref_line,
    reflog_line,
    safe_name,
    sort_refs,
    value_fields,
    whole_value,
)

Record = TypeVar("Record", RefRecord, LogRecord)
_T = TypeVar("_T")


@click.command()
@click.option(
    "--prefix",
    "prefixes",
    default=[""],
    multiple=True,
    metavar="P",
    shell_complete=completes("full_refs"),
    help="Only refs whose names begin with P, or with one of several.",
)
@click.option(
    "--points-at",
    metavar="OID",
    help="Only refs that lead to this object (its whole id, or a ref that has it), tags that peel to it in "
    "the end, which is all that a stack tells of a tag of a tag, and symbolic refs to any of these.",
)
@table_option
@click.option(
    "--as-of",
    type=click.IntRange(min=0),
    metavar="N",
    help="Only tables that end at or before update index N.",
)
@click.option("--deletions", is_flag=True, help="Tombstones too, as `deleted NAME`.")
@alone_option
@click.option(
    "--format",
    "layout",
    metavar="FORMAT",
    help="As for git for-each-ref: %(refname), %(refname:short), :lstrip=N, :rstrip=N, %(objectname), "
    "%(*objectname), %(symref), %(HEAD); and %(updateindex), %(table).",
)
@click.option(
    "--sort",
    "keys",
    multiple=True,
    metavar="KEY",
    help="By refname, version:refname, objectname, symref or updateindex; -KEY the other way round; the last "
    "of several counts first.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="The first N of them.")
@nul_option
@stack_verb
def refs(
    call: Call,
    prefixes: tuple[str, ...],
    points_at: str | None,
    table_name: str | None,
    as_of: int | None,
    deletions: bool,
    stack_only: bool,
    layout: str | None,
    keys: tuple[str, ...],
    count: int | None,
    nul_ends: bool,
) -> None:
    """The refs of the merged view, by name; in a linked worktree, those that git shows there.

    A line is `OID NAME` or `ref: TARGET NAME`. A pipe gets names as they are stored; a terminal gets
    escapes for what it could not show.
    """
    if table_name is not None and as_of is not None:
        raise click.UsageError("--table and --as-of name two different views: give one of them")
    if layout is not None and call.as_json:
        raise click.UsageError("--format is for lines of text: leave out --json")
    form = RefFormat(layout) if layout is not None else None
    end = call.line_end(nul_ends=nul_ends)
    starts = _apart(map(os.fsencode, prefixes))
    alone = stack_only or table_name is not None or as_of is not None
    with call.views(alone=alone) as (stack, shown):
        view: View = shown if table_name is None else MergedTable(chosen_tables(call, stack, table_name))
        if as_of is not None:
            view = MergedTable([table for table in stack.tables if table.max_update_index <= as_of])
        if points_at is None and not keys and form is None and not call.as_json:
            records = _blocks_under(view, starts, deletions=deletions)
            for block in records if count is None else _first(records, count):
                _write_refs(call, block, end)
            return
        if points_at is None:
            batches = _under(view, starts, deletions=deletions)
        else:
            batches = _pointing_at(view, _object_id(stack, view, points_at), starts)
        if keys:
            listed = [*chain.from_iterable(batches)]
            sort_refs(listed, keys, _surroundings(call, view))
            batches = iter([listed])
        if count is not None:
            batches = _first(batches, count)
        if form is None:
            _write(call, batches, text.ref_json if call.as_json else None, ref_line, end=end)
            return
        around = _surroundings(call, view)
        for batch in batches:
            call.out.lines((form.line(ref, around, call.out.show) for ref in batch), end)


def _reading(view: View) -> Callable[[bytes], RefRecord | None]:
    return lambda name: (view.of(name) if isinstance(view, git.JointView) else view).read_ref(name)


def _surroundings(call: Call, view: View) -> Surroundings:
    """What the fields of a format ask of the other refs."""
    read = _reading(view)

    def leads_to(name: bytes) -> bytes | None:
        return follow(read, name).oid

    @cache  # git is asked, and only for a short name
    def is_strict() -> bool:
        return call.workplace.surroundings.config.flag("core.warnambiguousrefs", True)

    head = read(b"HEAD")
    return Surroundings(
        leads_to,
        lambda name: git.short_name(name, lambda one: leads_to(one) is not None, strict=is_strict()),
        head.target if head is not None else None,
        call.workplace.surroundings.version_suffixes,
    )


def _first(batches: Iterable[Sequence[_T]], count: int) -> Iterator[Sequence[_T]]:
    for batch in batches:
        yield batch[:count]
        count -= len(batch)
        if count <= 0:
            return


@click.command()
@click.option(
    "--ref",
    "name",
    metavar="NAME",
    shell_complete=completes("refs"),
    help="Only the reflog of this ref, without the name.",
)
@table_option
@click.option("--deletions", is_flag=True, help="Tombstones too, as `deleted UPDATE_INDEX`.")
@alone_option
@nul_option
@stack_verb
def logs(
    call: Call, name: str | None, table_name: str | None, deletions: bool, stack_only: bool, nul_ends: bool
) -> None:
    """The reflogs of the merged view; in a linked worktree, those that git has there.

    By name, newest entry first. A line is the ref's name, a space, and a line of git's reflog files:
    `OLD NEW COMMITTER <EMAIL> TIME ZONE`, a tab, and the message. With --ref the name is left out.
    The markers with which git keeps reflogs that have no entries are left out without --deletions.
    """
    end = call.line_end(nul_ends=nul_ends)
    call, there = (call, "") if name is None else call.of_ref(name)
    with call.views(alone=stack_only or table_name is not None) as (stack, shown):
        view: View = shown if table_name is None else MergedTable(chosen_tables(call, stack, table_name))
        null_id = bytes(stack.hash_id.size)
        if name is None:
            entries = view.log_origins(deletions=deletions, markers=False)
            _write(call, entries, text.log_json if call.as_json else None, log_line, null_id, end=end)
            return
        only = _meant(there, lambda one: one in map(_name, next(view.log_origins(one), ())))
        entries = view.log_origins(only, deletions=deletions, markers=False)
        batches = _while(entries, lambda origin: origin[0].name == only)
        as_json = text.log_json if call.as_json else None
        found = _write(call, batches, as_json, reflog_line, null_id, end=end)
        is_known = found or only in map(_name, next(view.log_origins(only), ()))
        if not found:
            note(f"{name}: {'its reflog has no entries' if is_known else 'there is no reflog of that name'}")
    if not is_known:
        raise click.exceptions.Exit(ExitCode.FINDINGS)


@click.command()
@click.argument("ref", shell_complete=completes("refs"))
@alone_option
@stack_verb
def trace(call: Call, ref: str, stack_only: bool) -> None:
    """Every version of a ref in every table of the stack that has it.

    The newest comes first, and wins. When it is a deletion, there is no such ref: it hides the versions
    below.
    """
    call, there = call.of_ref(ref)
    with call.views(alone=stack_only) as (_, view):

        def tables_of(name: bytes) -> tuple[Table, ...]:
            return (view.of(name) if isinstance(view, git.JointView) else view).tables

        def has_version(name: bytes) -> bool:
            return bool(model.find_versions(tables_of(name), (), name)[0])

        name = _meant(there, has_version)
        tables = tables_of(name)
        versions, unread = model.find_versions(tables, tables, name)
        if call.as_json:
            call.out.objects(map(_version_fields, versions))
        elif versions:
            headings = ("", "update index", "#", "table", "offset", "value")
            call.out.text(columns(headings, map(_version_row, versions), "<>><><"))
        elif not unread:
            note(f"{ref}: no table of the stack has a version of it")
        for table in unread:
            note(f"{safe_name(table.table.name)} may hold a version of it that cannot be read")
    if not versions and not unread:
        raise click.exceptions.Exit(ExitCode.FINDINGS)


def _version_fields(version: Version) -> dict[str, Any]:
    record = version.record
    return {
        "name": json_text(record.name),
        "table": version.table.name,
        "position": version.position,
        "offset": version.offset,
        **value_fields(record),
        "wins": version.wins,
    }


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
        as_json = (text.ref_json, text.log_json) if call.as_json else (None, None)
        _write(call, stack.merged.ref_origins(), as_json[0], print_ref, lead='"kind":"ref",')
        null_id = bytes(stack.hash_id.size)
        _write(call, stack.merged.log_origins(), as_json[1], print_log, null_id, lead='"kind":"log",')


def _meant(name: str, is_there: Callable[[bytes], bool]) -> bytes:
    """The ref that a user means by `name`, as git takes it: the name itself if there is none."""
    return next(filter(is_there, git.possible_names(os.fsencode(name))), os.fsencode(name))


def _name(origin: tuple[Record, Table]) -> bytes:
    return origin[0].name


def _write(
    call: Call,
    batches: Iterable[Sequence[tuple[Record, Table]]],
    as_json: Callable[[Record, str, str], str] | None,
    line: Callable[..., bytes],
    *more: bytes,
    lead: str = "",
    end: bytes = b"\n",
) -> int:
    """Records as the verb was asked for them: by `as_json` after `lead`, or by `line`, which takes `more`.

    Returns how many there were.
    """
    show = call.out.show
    count = 0
    for batch in batches:
        count += len(batch)
        if as_json is not None:
            call.out.json([as_json(record, table.name, lead) for record, table in batch])
        else:
            call.out.lines([line(record, *more, show) for record, _ in batch], end)
    return count


def _write_refs(call: Call, records: Sequence[RefRecord], end: bytes) -> None:
    """Lines of refs as `_write` makes them, of which there may be a million."""
    ids = [record.value for record in records if record.value is not None]
    if len(ids) == len(records):
        call.out.pairs(hex_ids(ids), [record.name for record in records], end)
    else:
        call.out.lines([ref_line(record, call.out.show) for record in records], end)


def _while(batches: Iterable[Sequence[_T]], belongs: Callable[[_T], bool]) -> Iterator[Sequence[_T]]:
    """`batches` up to the last one that belongs; they begin with the first."""
    for batch in batches:
        if not belongs(batch[-1]):
            yield [*filter(belongs, batch)]
            return
        yield batch


def _apart(prefixes: Iterable[bytes]) -> list[bytes]:
    """In order, without those that another one covers."""
    kept: list[bytes] = []
    for prefix in sorted(prefixes):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return kept


def _under(
    view: View, prefixes: Iterable[bytes], *, deletions: bool = False
) -> Iterator[Sequence[tuple[RefRecord, Table]]]:
    """The refs whose names begin with one of these."""
    for prefix in prefixes:
        yield from _while(
            view.ref_origins(prefix, deletions=deletions),
            lambda origin: origin[0].name.startswith(prefix),  # noqa: B023
        )


def _blocks_under(view: View, prefixes: Iterable[bytes], *, deletions: bool) -> Iterator[Sequence[RefRecord]]:
    """The refs whose names begin with one of these, without their tables."""
    for prefix in prefixes:
        blocks = view.ref_blocks(prefix, deletions=deletions)
        yield from _while(blocks, lambda record: record.name.startswith(prefix))  # noqa: B023


def _pointing_at(
    view: View, oid: bytes, prefixes: Iterable[bytes]
) -> Iterator[Sequence[tuple[RefRecord, Table]]]:
    """Every ref is looked at: of symbolic ones, the index of object ids has nothing."""
    read = _reading(view)

    def leads(name: bytes) -> bool:
        end = read(follow(read, name).name)
        return end is not None and oid in (end.value, end.peeled)

    for batch in _under(view, prefixes):
        # One test for nearly all of a million.
        yield [
            origin
            for origin in batch
            if (origin[0].value == oid or origin[0].peeled == oid)
            or (origin[0].target is not None and leads(origin[0].name))
        ]


def _object_id(stack: ReadStack, view: View, text: str) -> bytes:
    """The object that `text` means: its whole id, as long as the stack's hash has it, or a ref to it."""
    digits = 2 * stack.hash_id.size
    if re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", text):
        return bytes.fromhex(text)
    read = _reading(view)
    for name in git.possible_names(os.fsencode(text)):
        oid = follow(read, name).oid
        if oid is not None:
            return oid
    what = f"{text!r} is no ref that has an object, nor {digits} hexadecimal digits ({stack.hash_id})"
    raise click.BadParameter(what, param_hint="--points-at")
