"""The parts of a table as nodes of a tree, whose children are read when they are asked for.

A node is one span of a table's layout, or for a run of up to GROUP children of one ("blocks
500–999"), so that no node ever gets thousands of children at a time. What is long to read calls
`check` between bounded pieces, and ends when that raises. One thread at a time may read a layout.

Who draws nodes sets `children` and `opened`; the rest of a node never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise, takewhile
from typing import Final, NamedTuple

from engine.format import RESTART_SIZE
from engine.layout import BlockSpan, Group, Record, Records, Restarts, Section, Span, SpanKind, TableLayout
from engine.progress import Progress, ProgressCallback
from inspector.text import title

GROUP: Final = 500
"""The most children that a node has."""

PIECE: Final = 100
"""Spans that are made between two calls of `check`."""

KEY_LIMIT: Final = 4096
"""Bytes of a record's key that its node keeps: a few bytes of a block may stand for megabytes."""

Check = Callable[[], None]
"""Raises `Cancelled` when what is being read is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Run:
    """Children `first` to `first + count` of a group, as a node of their own."""

    group: Group
    first: int
    count: int


@dataclass(slots=True, eq=False)
class Node:
    """One row of the tree.

    `span` says where it lies; for a run, from the start of its first child to the end of its last. `block` is
    the block that it lies in or is, and `inflated` the bytes that its positions count in if those are not the
    file's. `linked` tells that it was opened to show something below it, not by the user.
    """

    span: Span
    title: str
    parent: Node | None = None
    run: Run | None = None
    block: BlockSpan | None = None
    inflated: bytes | None = None
    children: list[Node] | None = None
    opened: bool = False
    linked: bool = False

    @property
    def expandable(self) -> bool:
        """Whether there may be nodes below it."""
        return self.run is not None or isinstance(self.span, Group)

    @property
    def led_to(self) -> int | None:
        """The offset that its number is, if it is one: 0 is none in the footer, but is one in an index."""
        offset = self.span.absolute
        return offset if offset or self.block is not None else None

    def ancestors(self) -> list[Node]:
        """The nodes above it, the root first."""
        found: list[Node] = []
        node = self.parent
        while node is not None:
            found.append(node)
            node = node.parent
        return found[::-1]


class NodePlace(NamedTuple):
    """Where a node is to be found: the first and deepest over a position.

    `position` is one of the file; with `inner`, it is one in the deflated bytes of a log block, and
    `inner` the one in the inflated block. `kind` and `name` stop the way down at the first
    span of that kind and name, where several lie over the position.
    """

    position: int
    inner: int | None = None
    kind: SpanKind | None = None
    name: str | None = None
    size: int = 0

    @property
    def order(self) -> tuple[int, int, int]:
        """Sorts places as the tree does: by position, and what is around something before it."""
        return self.position, -1 if self.inner is None else self.inner, -self.size


def root_node(layout: TableLayout) -> Node:
    """The node of the table, with its children."""
    root = Node(layout, title(layout), opened=True)
    root.children = [_node(root, span) for span in layout.children()]
    return root


def node_place(node: Node) -> NodePlace:
    """Where `node` lies."""
    if not node.span.inflated:
        return _place(node.span, None)
    deflated = next(above for above in node.ancestors() if above.span.kind is SpanKind.DEFLATED)
    return _place(node.span, deflated.span.start)


# Children.


def read_children(node: Node, check: Check) -> list[Node]:
    """The nodes below `node`. Raises `FormatError`, `OSError`, and what `check` raises."""
    run, span = node.run, node.span
    if run is not None:
        return _collect(node, _spans_of(run, span, check), run.group, run.first)
    match span:
        case Section() if len(listed := span.listed()) > GROUP:
            # An index need not list the first block where a scan finds it.
            return _runs(node, span, [span.start, *listed[GROUP::GROUP]], len(listed))
        case Restarts() if (count := (span.end - span.start) // RESTART_SIZE) > GROUP:
            return _runs(node, span, list(range(span.start, span.end, RESTART_SIZE * GROUP)), count)
        case Records() if cuts := _record_cuts(span, check):
            return _runs(node, span, cuts, span.count())
        case Group():
            return _collect(node, _checked(span.children(), check), span)
    return []


def _checked(spans: Iterable[Span], check: Check) -> Iterator[Span]:
    for number, span in enumerate(spans):
        if number % PIECE == 0:
            check()
        yield span


def _record_cuts(records: Records, check: Check) -> list[int]:
    """Where each run of records begins; empty if they need no runs."""
    cuts: list[int] = []
    if records.start_of(GROUP) is not None:
        while (start := records.start_of(len(cuts) * GROUP)) is not None:
            cuts.append(start)
            check()
    return cuts


def _spans_of(run: Run, within: Span, check: Check) -> Iterator[Span]:
    match run.group:
        case Section() as section:
            start = section.first if within.start == section.start else within.start
            blocks = _checked(section.blocks(start), check)
            return takewhile(lambda block: block.start < within.end, blocks)
        case Records() | Restarts() as group:
            return _checked(islice(group.children(run.first), run.count), check)
        case group:
            return islice(_checked(group.children(), check), run.first, run.first + run.count)


def _collect(node: Node, spans: Iterable[Span], group: Group, first: int = 0) -> list[Node]:
    """Nodes of `spans`, which are children of `group` from number `first` on; runs if there are too many."""
    numbered = isinstance(group, Section | Records | Restarts) or (
        isinstance(group, Record) and group.end - group.start > GROUP
    )
    nodes: list[Node] = []
    cuts: list[int] = []
    count = 0
    for count, span in enumerate(spans, 1):
        if count % GROUP == 1:
            cuts.append(span.start)
        if count <= GROUP:
            nodes.append(_node(node, span, first + count - 1 if numbered else None))
    return nodes if count <= GROUP else _runs(node, group, cuts, count, first)


def _runs(node: Node, group: Group, cuts: list[int], count: int, first: int = 0) -> list[Node]:
    """Nodes for runs of `count` children, which begin at `cuts`; runs of runs if there are too many."""
    starts = [*cuts, node.span.end]
    noun = {SpanKind.SECTION: "blocks", SpanKind.RECORDS: "records", SpanKind.RESTARTS: "restarts"}
    name = noun.get(group.kind, "fields")

    def run(parent: Node, number: int, children: int, start: int, end: int) -> Node:
        words = f"{name} {number:,}–{number + children - 1:,}"
        span = Span(start, end, words, group.kind, inflated=group.inflated)
        return Node(span, words, parent, Run(group, number, children), node.block, node.inflated)

    size = GROUP if len(cuts) <= GROUP else GROUP * GROUP
    nodes: list[Node] = []
    for index, (start, end) in enumerate(pairwise(starts[: -1 : size // GROUP] + starts[-1:])):
        number = index * size
        above = run(node, first + number, min(size, count - number), start, end)
        if size > GROUP:
            inner = starts[index * GROUP : (index + 1) * GROUP + 1]
            above.children = [
                run(above, first + number + GROUP * at, min(GROUP, count - number - GROUP * at), low, high)
                for at, (low, high) in enumerate(pairwise(inner))
            ]
        nodes.append(above)
    return nodes


def _node(parent: Node, span: Span, number: int | None = None) -> Node:
    words = title(span, number)
    if isinstance(span, Record) and len(span.key) > KEY_LIMIT:
        span.key = span.key[:KEY_LIMIT]
        span.value = span.key
    block = span if isinstance(span, BlockSpan) else parent.block
    inflated = parent.inflated
    if parent.span.kind is SpanKind.DEFLATED and block is not None:
        inflated = block.data()
    return Node(span, words, parent, None, block, inflated)


# Ways down.


class PathRead(NamedTuple):
    """The node at a place, and what was read on the way to it: children of nodes, from the top."""

    place: NodePlace
    target: Node
    read: list[tuple[Node, list[Node]]]


def read_path(root: Node, place: NodePlace, check: Check) -> PathRead:
    """Go down to the node at `place`."""
    node, position, read = root, place.position, list[tuple[Node, list[Node]]]()
    while node.expandable and not _meant(node, place):
        if node.span.kind is SpanKind.DEFLATED:
            if place.inner is None:
                break
            position = place.inner
        check()
        children = node.children
        if children is None:
            children = read_children(node, check)
            read.append((node, children))
        over = [child for child in children if child.span.start <= position < child.span.end]
        if not over:
            break
        node = next((child for child in over if _meant(child, place)), over[0])
    return PathRead(place, node, read)


def _meant(node: Node, place: NodePlace) -> bool:
    span = node.span
    if node.run is not None or (place.inner is not None and not span.inflated):
        return False
    return span.kind is place.kind and (place.name is None or span.name == place.name)


def read_record_place(layout: TableLayout, offset: int, key: bytes | None, check: Check) -> NodePlace:
    """The place of the block at `offset`, or of the record of this key in it if there is one.

    Where no block begins, it is that of the byte.
    """
    section = next((found for found in layout.sections if found.first <= offset < found.end), None)
    block = section.child_at(max(offset, section.start)) if section is not None else None
    if block is None:
        return NodePlace(offset)
    if key is not None and isinstance(block, BlockSpan):
        for record in _checked(block.records().children(), check):
            if isinstance(record, Record) and record.key == key:
                start = record.start
                deflated = next((part for part in block.children() if part.kind is SpanKind.DEFLATED), None)
                if deflated is None:
                    return NodePlace(start, None, SpanKind.RECORD)
                return NodePlace(deflated.start, start, SpanKind.RECORD)
    # Any other offset is one that is named somewhere, such as that of damage.
    return NodePlace(block.start, None, SpanKind.BLOCK) if offset in {0, block.start} else NodePlace(offset)


# Damage.


def damages(layout: TableLayout, progress: ProgressCallback) -> Iterator[NodePlace]:
    """The places of all that is damaged, in the order of the tree."""

    def below(group: Group, deflated: int | None) -> Iterator[NodePlace]:
        for number, span in enumerate(group.damaged() if isinstance(group, Records) else group.children()):
            if span.error is not None:
                yield _place(span, deflated)
            elif number % PIECE == 0:
                progress(Progress("looking", span.start if deflated is None else deflated, layout.end))
            if isinstance(span, Group) and not isinstance(span, Record):
                yield from below(span, span.start if span.kind is SpanKind.DEFLATED else deflated)

    if layout.error is not None:
        yield _place(layout, None)
    yield from below(layout, None)


def _place(span: Span, deflated: int | None) -> NodePlace:
    """Where `span` lies; `deflated` is where the compressed bytes of its log block do, if it is in these."""
    size = span.end - span.start
    if deflated is None:
        return NodePlace(span.start, None, span.kind, span.name, size)
    return NodePlace(deflated, span.start, span.kind, span.name, size)
