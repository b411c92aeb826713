"""Layouts of tables in memory, and what has to hold for the spans of any of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from engine.errors import FormatError
from engine.format import BLOCK_HEADER_SIZE
from engine.layout import BlockSpan, Group, Section, Span, SpanKind, TableLayout

PACKED = {("obj offset", "object id length")} | {
    ("suffix length", name) for name in ("value type", "log type", "offset count", "type")
}
"""Pairs of numbers that the format packs into one."""


def layout_of(data: bytes) -> TableLayout:
    """Return the layout of a file with these bytes, named `t.ref`."""
    return TableLayout("t.ref", len(data), lambda at, size: data[at : at + size])


def everything(span: Span) -> Iterator[Span]:
    """Walk over a span and all that is below it, parents first."""
    yield span
    if isinstance(span, Group):
        for child in span.children():
            yield from everything(child)


def leaves(group: Group) -> Iterator[Span]:
    """Walk over the leaves below a group, with deflated bytes as one of them."""
    for child in group.children():
        if isinstance(child, Group) and child.kind is not SpanKind.DEFLATED:
            yield from leaves(child)
        else:
            yield child


def errors_below(span: Span) -> list[FormatError]:
    """Return everything that is wrong with a span and with what is below it."""
    return [found.error for found in everything(span) if found.error is not None]


def path_to(group: Group, position: int) -> list[Span]:
    """Return the spans that cover `position`, from the group down to a leaf.

    A position of the file leads no deeper than to the deflated bytes of a log block, from where positions in
    the inflated block lead on.
    """
    spans: list[Span] = [group]
    while True:
        if isinstance(group, Section):
            child = group.child_at(position)
        else:
            child = next((one for one in group.children() if one.start <= position < one.end), None)
        if child is None:
            break
        spans.append(child)
        if not isinstance(child, Group) or child.kind is SpanKind.DEFLATED:
            break
        group = child
    return spans


def block_spans(layout: TableLayout) -> list[BlockSpan]:
    """Return the blocks that can be read."""
    spans = (span for section in layout.sections for span in section.children())
    return [span for span in spans if isinstance(span, BlockSpan)]


def assert_tiled(layout: TableLayout) -> None:
    """Hold a layout to its promise: each byte is in one leaf, in the file and in each inflated block."""
    _assert_follow(list(leaves(layout)), 0, layout.end)
    for block in block_spans(layout):
        for deflated in block.children():
            if isinstance(deflated, Group) and deflated.kind is SpanKind.DEFLATED:
                inflated = list(leaves(deflated))
                assert all(leaf.inflated for leaf in inflated)
                first = block.start + BLOCK_HEADER_SIZE - block.offset
                _assert_follow(inflated, first, block.block_len)


def _assert_follow(spans: list[Span], start: int, end: int) -> None:
    at = start
    for before, span in pairwise([Span(start, start, "start", SpanKind.UNKNOWN), *spans]):
        if (before.name, span.name) in PACKED and span.start == before.start:
            assert span.end == before.end
        else:
            assert span.start == at
            assert span.end > at
        at = span.end
    assert at == end
