"""The verbs that look at the stack as a stack: tables, segments."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from engine import merge
from engine.table import Table
from inspector.cli.opening import Call, stack_verb
from inspector.exit_codes import note
from inspector.text import bracket, columns, picked, safe_name

_BAR_WIDTH = 32
_BRACKET = "-/|\\"


@click.command()
@stack_verb
def tables(call: Call) -> None:
    """The tables of the stack, oldest first."""
    with call.readable() as stack:
        rows = [_table_fields(position, table) for position, table in enumerate(stack.tables)]
        if call.as_json:
            call.out.objects(rows)
        elif rows:
            headings = ("#", "name", "bytes", "format", "block", "update indexes")
            call.out.text(columns(headings, map(_table_row, rows), "><><><"))
        else:
            note("the stack is empty: it has no table")


def _table_fields(position: int, table: Table) -> dict[str, Any]:
    limits = ("block_size", "min_update_index", "max_update_index")
    fields = picked(table, "name", "size", "version", hash="hash_id")
    return {**fields, **picked(table, *limits), "position": position}


def _table_row(fields: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(fields["position"]),
        safe_name(fields["name"]),
        f"{fields['size']:,}",
        f"v{fields['version']} {fields['hash']}",
        str(fields["block_size"]),
        f"{fields['min_update_index']}-{fields['max_update_index']}",
    )


@click.command()
@stack_verb
def segments(call: Call) -> None:
    """What both compaction rules would merge.

    A size is a table's without footer and most of the header, as the rules count it. The log2 rule
    merges the smallest tables that lie between the same two powers of two, and all older ones that the
    result would outgrow. The geometric rule, git's since 2.45, has each table at least FACTOR times
    as large as the one behind it. Of a stack that git does not open, the sizes alone are told.
    """
    factor = call.workplace.options.factor
    with call.readable() as stack:
        sizes = [table.policy_size if table.size else 0 for table in stack.tables]
        # Of a stack that does not open, git merges nothing.
        judged = [] if stack.faults else sizes
        parts = merge.sizes_to_segments(judged)
        log2 = merge.suggest_compaction_segment(judged)
        geometric = merge.suggest_geometric_segment(judged, factor)
        if call.as_json:
            fields = {
                "sizes": sizes,
                "log2": {"segments": list(map(asdict, parts)), "suggestion": _suggestion(log2)},
                "geometric": {"factor": factor, "suggestion": _suggestion(geometric)},
            }
            call.out.objects([fields])
        else:
            runs = {
                at: f"{bracket(at, part.positions, _BRACKET)} 2^{part.log}"
                for part in parts
                for at in part.positions
            }
            rows = [
                (
                    str(position),
                    f"{size:,}",
                    "#" * max(1, round(_BAR_WIDTH * size / max(1, *sizes))),
                    runs.get(position, ""),
                    bracket(position, log2.positions, _BRACKET),
                    bracket(position, geometric.positions, _BRACKET),
                )
                for position, size in enumerate(sizes)
            ]
            call.out.text(columns(("#", "bytes", "", "segment", "log2", "geometric"), rows, ">><<<<"))
            advice = (_advice("log2", log2), _advice(f"geometric, factor {factor}", geometric))
            call.out.text(() if stack.faults else ("", *advice))
        if stack.faults:
            call.out.flush()
            note("what the rules would merge is not told: nothing is merged before the stack is repaired")


def _suggestion(segment: merge.Segment) -> dict[str, int] | None:
    return picked(segment, "start", "end", "bytes") if len(segment) else None


def _advice(rule: str, segment: merge.Segment) -> str:
    start, end = segment.start, segment.end
    if start == end:
        return f"{rule}: nothing to merge"
    what = f"tables {start} to {end - 1}, {segment.bytes:,} bytes"
    return f"{rule}: merge {what} (compact --range {start}:{end})"
