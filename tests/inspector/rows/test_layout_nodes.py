"""The nodes of the block tree: groups of bounded size, ways down to any byte, and all damage found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import Cancelled
from engine.format import INDEX, LOG, OBJ, REF, RefRecord
from engine.format.varint import put_varint
from engine.layout import Group, Record, Span, SpanKind, TableLayout
from engine.table import WriteOptions
from inspector.rows import (
    Node,
    NodePlace,
    damages,
    node_place,
    read_children,
    read_path,
    read_record_place,
    root_node,
)
from inspector.rows.layout_nodes import GROUP, KEY_LIMIT
from inspector.text import copied_value, explanation
from tests.support.handmade import Handmade, raw_block, raw_record
from tests.support.layouts import go_on, open_node
from tests.support.screens import branch, branches, log
from tests.support.spans import block_spans, everything, layout_of, path_to
from tests.support.tables import write_table
from tests.support.varied import blocks_of, damage_ref_blocks, first_log_block, layout_at, write_varied

LARGEST = WriteOptions(block_size=2**24 - 1)


def children_without_runs(node: Node) -> Iterator[Node]:
    """The nodes below `node`, those of runs in place of the runs; no node may have too many."""
    children = open_node(node)
    assert len(children) <= GROUP
    for child in children:
        if child.run is None:
            yield child
        else:
            yield from children_without_runs(child)


def places(spans: Iterator[Span] | list[Span]) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.name) for span in spans]


def walk(node: Node) -> Iterator[Node]:
    yield node
    if node.expandable:
        for child in open_node(node):
            yield from walk(child)


def test_nodes_are_the_spans_of_the_layout(tmp_path: Path) -> None:
    layout = layout_at(write_varied(tmp_path / "t.ref"))
    nodes = [node.span for node in walk(root_node(layout)) if node.run is None]
    assert places(nodes) == places(everything(layout))


def test_no_node_has_more_children_than_a_group(tmp_path: Path) -> None:
    path = tmp_path / "t.ref"
    write_table(path, branches(9000), options=WriteOptions(block_size=256))
    layout = layout_at(path)
    root = root_node(layout)
    assert root.children is not None
    section = root.children[1]
    blocks = list(children_without_runs(section))
    assert places([node.span for node in blocks]) == places(layout.sections[0].children())
    assert [node.title for node in open_node(section)][:2] == ["blocks 0–499", "blocks 500–999"]
    assert blocks[501].title.startswith("block 501  refs/heads/")


def test_many_records_and_restarts_are_in_runs(tmp_path: Path) -> None:
    path = tmp_path / "t.ref"
    write_table(path, branches(1200), options=WriteOptions(block_size=2**24 - 1, restart_interval=1))
    block = blocks_of(path, REF)[0]
    node = Node(block, "", None, None, block)
    records, restarts = (child for child in open_node(node) if child.expandable)
    assert [child.title for child in open_node(restarts)] == [
        "restarts 0–499",
        "restarts 500–999",
        "restarts 1,000–1,199",
    ]
    for group in (records, restarts):
        assert isinstance(group.span, Group)
        found = list(children_without_runs(group))
        assert places([child.span for child in found]) == places(list(group.span.children()))
    assert (
        list(children_without_runs(records))[1100].title == "record 1,100  refs/heads/branch-0001100 (val1)"
    )


def test_more_runs_than_a_group_are_in_runs_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.rows.layout_nodes.GROUP", 50)
    path = tmp_path / "t.ref"
    count = 50 * 50 + 70
    write_table(path, (RefRecord(b"%06d" % number, 1) for number in range(count)), options=LARGEST)
    block = blocks_of(path, REF)[0]
    records = next(node for node in open_node(Node(block, "")) if node.span.kind is SpanKind.RECORDS)
    above = open_node(records)
    assert [node.title for node in above] == ["records 0–2,499", "records 2,500–2,569"]
    assert [len(open_node(node)) for node in above] == [50, 2]
    last = open_node(open_node(above[1])[1])
    assert last[-1].title == "record 2,569  002569 (deletion)"
    assert above[0].span.end == above[1].span.start
    assert above[1].span.end == records.span.end


def test_an_index_that_lists_few_of_many_blocks_makes_no_large_node(tmp_path: Path) -> None:
    table = Handmade()
    offsets = [table.refs([RefRecord(b"%06d" % number, 1)]) for number in range(GROUP + 20)]
    listed = [(b"%06d" % number, offset) for number, offset in enumerate(offsets)]
    root = table.index([listed[0], listed[1], listed[-1]])
    path = table.write(tmp_path / "t.ref", ref_index_offset=root)
    section = root_node(layout_at(path)).children[1]  # type: ignore[index]
    assert len(list(children_without_runs(section))) == len(offsets)


def test_a_record_of_an_object_in_many_blocks_has_its_fields_in_runs(tmp_path: Path) -> None:
    count = 2 * GROUP
    tail = put_varint(count) + b"\x01" * count
    data = raw_block(OBJ, raw_record(0, b"ab", 0, tail))
    table = Handmade()
    table.refs([RefRecord(b"HEAD", 1)])
    at = table.append(data)
    path = table.write(tmp_path / "t.ref", obj_offset=at, object_id_len=2)
    layout = layout_at(path)
    record = next(span for span in everything(layout) if isinstance(span, Record) and span.type == OBJ)
    found = list(children_without_runs(Node(record, "")))
    assert places([node.span for node in found]) == places(list(record.children()))
    assert len(found) == count + 5


def test_long_reads_are_made_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "t.ref"
    write_table(path, branches(20000), options=LARGEST)
    block = blocks_of(path, REF)[0]
    records = next(node for node in open_node(Node(block, "")) if node.span.kind is SpanKind.RECORDS)
    checks: list[None] = []
    read_children(records, lambda: checks.append(None))
    assert len(checks) >= 20000 / GROUP


def test_what_is_not_wanted_any_more_is_read_no_further(tmp_path: Path) -> None:
    path = tmp_path / "t.ref"
    write_table(path, branches(20000), options=LARGEST)
    layout = layout_at(path)
    checks: list[object] = []

    def stop(*progress: object) -> None:
        checks.append(progress)
        if len(checks) == 2:
            raise Cancelled

    for read in (
        lambda: read_path(root_node(layout), NodePlace(600), stop),
        lambda: read_record_place(layout, 0, b"refs/heads/z", stop),
        lambda: list(damages(layout, stop)),
    ):
        checks.clear()
        with pytest.raises(Cancelled):
            read()


def test_a_node_keeps_no_long_key(tmp_path: Path) -> None:
    name = b"refs/heads/" + b"x" * 100_000
    path = tmp_path / "t.ref"
    refs = [RefRecord(name + b"%03d" % number, 1) for number in range(50)]
    write_table(path, refs, options=WriteOptions(block_size=2**24 - 1, restart_interval=100))
    block = blocks_of(path, REF)[0]
    records = next(node for node in open_node(Node(block, "")) if node.span.kind is SpanKind.RECORDS)
    spans = [node.span for node in open_node(records)]
    assert {len(span.key) for span in spans if isinstance(span, Record)} == {KEY_LIMIT}
    assert {len(span.value) for span in spans if isinstance(span.value, bytes)} == {KEY_LIMIT}


# Ways down.


def test_a_path_leads_to_the_deepest_part_of_any_byte(tmp_path: Path) -> None:
    layout = layout_at(write_varied(tmp_path / "t.ref"))
    root = root_node(layout)
    for position in range(0, layout.end, 7):
        path = read_path(root, NodePlace(position), go_on)
        for above, children in path.read:
            above.children = children
        assert places([path.target.span]) == places(path_to(layout, position)[-1:])


def test_a_path_goes_on_in_an_inflated_block(tmp_path: Path) -> None:
    path = write_varied(tmp_path / "t.ref")
    block = first_log_block(path)
    data = block.data()
    deflated = next(part for part in block.children() if isinstance(part, Group))
    root = root_node(layout_at(path))
    for position in range(4, block.block_len, 5):
        node = read_path(root, NodePlace(block.start + 4, position), go_on).target
        assert places([node.span]) == places(path_to(deflated, position)[-1:])
        assert node.inflated == data


def test_a_node_is_found_again_at_its_place(tmp_path: Path) -> None:
    root = root_node(layout_at(write_varied(tmp_path / "t.ref")))
    for node in walk(root):
        if node.run is None and node.span.start < node.span.end:
            found = read_path(root, node_place(node), go_on).target
            assert found is node


@pytest.mark.parametrize("number", [0, 150, 299])
def test_the_record_of_a_key_is_found_in_its_block(tmp_path: Path, number: int) -> None:
    layout = layout_at(write_varied(tmp_path / "t.ref"))
    blocks = [block for block in block_spans(layout) if block.type == REF]
    block = [block for block in blocks if next(iter(block.records().children())).value <= branch(number)][-1]  # type: ignore[operator]
    place = read_record_place(layout, block.offset, branch(number), go_on)
    node = read_path(root_node(layout), place, go_on).target
    assert node.span.kind is SpanKind.RECORD
    assert node.span.value == branch(number)


def test_the_record_of_a_log_key_is_found_in_its_block(tmp_path: Path) -> None:
    path = write_varied(tmp_path / "t.ref")
    block = first_log_block(path)
    wanted = list(block.records().children())[-1]
    assert isinstance(wanted, Record)
    layout = layout_at(path)
    node = read_path(
        root_node(layout), read_record_place(layout, block.offset, wanted.key, go_on), go_on
    ).target
    assert (node.span.start, node.span.end, node.span.value) == (wanted.start, wanted.end, wanted.value)


def test_without_its_key_the_block_itself_is_found(tmp_path: Path) -> None:
    layout = layout_at(write_varied(tmp_path / "t.ref"))
    for key in (None, b"no such ref"):
        node = read_path(root_node(layout), read_record_place(layout, 0, key, go_on), go_on).target
        assert (node.span.kind, node.span.start) == (SpanKind.BLOCK, 24)


# Damage.


def found_damage(layout: TableLayout) -> list[NodePlace]:
    return list(damages(layout, go_on))


def test_all_damage_is_found_in_its_order_and_led_to(tmp_path: Path) -> None:
    path = write_varied(tmp_path / "t.ref")
    offsets = damage_ref_blocks(path, 1, 4)
    index = blocks_of(path, INDEX)[0]
    data = bytearray(path.read_bytes())
    data[index.start + 4] = 99
    data[-1] ^= 1
    layout = layout_of(bytes(data))
    root = root_node(layout)
    found = found_damage(layout)
    assert [place.order for place in found] == sorted(place.order for place in found)
    nodes = [read_path(root, place, go_on).target for place in found]
    errors = [span.error.reason for span in everything(layout) if span.error is not None]
    assert [node.span.error.reason for node in nodes if node.span.error is not None] == errors
    assert [offset + 4 for offset in offsets] == [
        node.span.start
        for node in nodes
        if node.span.name == "damaged record" and node.span.start < index.start
    ]


def test_damage_in_an_inflated_block_is_found(tmp_path: Path) -> None:
    table = Handmade()
    records = raw_record(0, b"HEAD\0" + b"\xff" * 8, 0, b"") + raw_record(99, b"x", 0, b"")
    at = table.append(raw_block(LOG, records, header=table.header.pack()))
    layout = layout_at(table.write(tmp_path / "t.ref", log_offset=at))
    (place,) = found_damage(layout)
    node = read_path(root_node(layout), place, go_on).target
    assert node.span.inflated
    assert node.span.error is not None
    assert "shares 99 bytes" in node.span.error.reason


def test_one_of_two_fields_on_the_same_bytes_is_led_to(tmp_path: Path) -> None:
    table = Handmade()
    table.refs([RefRecord(b"HEAD", 1)])
    at = table.objects([(b"ab", [0])])
    layout = layout_at(table.write(tmp_path / "t.ref", obj_offset=at, object_id_len=0))
    root = root_node(layout)
    damaged = [read_path(root, place, go_on).target for place in found_damage(layout)]
    assert [node.span.name for node in damaged] == ["object id length"]


def test_a_file_cut_short_is_damaged_as_a_whole(tmp_path: Path) -> None:
    data = write_varied(tmp_path / "t.ref").read_bytes()
    layout = layout_of(data[:2000])
    place = found_damage(layout)[0]
    node = read_path(root_node(layout), place, go_on).target
    assert node.span is layout
    assert node.title == "table t.ref  damaged: no footer: the file was cut short"


def test_what_is_no_table_has_a_root_all_the_same() -> None:
    for data in (b"", b"no table at all"):
        layout = layout_of(data)
        root = root_node(layout)
        assert root.span.error is not None
        assert [place.kind for place in found_damage(layout)][:1] == [SpanKind.TABLE]


def test_any_byte_may_be_wrong(tmp_path: Path) -> None:
    path = tmp_path / "t.ref"
    write_table(path, branches(3), [log(branch(1), 1)], WriteOptions(block_size=256))
    whole = path.read_bytes()
    for position in range(len(whole)):
        data = bytearray(whole)
        data[position] ^= 0xFF
        layout = layout_of(bytes(data))
        root = root_node(layout)
        for node in walk(root):
            words = (node.title, explanation(node.span, node.block), copied_value(node.span))
            assert all(text.isprintable() or not text for text in words)
        for place in found_damage(layout):
            assert read_path(root, place, go_on).target.span.error is not None
