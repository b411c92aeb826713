"""The layout of a table: sections, blocks, header and footer as spans, and what is left behind damage."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings

from engine.errors import ChecksumError, EntryTooBigError, FormatError
from engine.format import (
    INDEX,
    LOG,
    OBJ,
    REF,
    SECTION_NAMES,
    Block,
    Footer,
    HashId,
    Header,
    LogRecord,
    RefRecord,
    footer_size,
)
from engine.layout import BlockSpan, Group, Record, Span, SpanKind, TableLayout
from engine.stack import Stack
from engine.table import Table, TableWriter, WriteOptions
from tests.properties.strategies import Contents, contents
from tests.support.damage import flipped
from tests.support.git import Git
from tests.support.handmade import Handmade
from tests.support.history import Layout, write_busy_history
from tests.support.spans import (
    assert_tiled,
    block_spans,
    errors_below,
    everything,
    layout_of,
    leaves,
    path_to,
)
from tests.support.stacks import branch, entry, same
from tests.support.thinning import ALL, THOROUGH


def table_of(
    refs: Sequence[RefRecord] = (),
    logs: Sequence[LogRecord] = (),
    options: WriteOptions | None = None,
    limits: tuple[int, int] = (1, 9),
) -> bytes:
    written = bytearray()
    writer = TableWriter(written.extend, options or WriteOptions())
    writer.set_limits(*limits)
    writer.add_refs(refs)
    writer.add_logs(logs)
    writer.close()
    return bytes(written)


SMALL = table_of(
    [
        RefRecord(b"HEAD", 2, target=b"refs/heads/main"),
        RefRecord(b"refs/heads/gone", 2),
        RefRecord(b"refs/heads/main", 1, value=same(1)),
        RefRecord(b"refs/tags/v1", 2, value=same(2), peeled=same(1)),
    ],
    [entry(b"HEAD", 2), entry(b"HEAD", 1), LogRecord(b"refs/heads/gone", 1)],
)
INDEXED = table_of(
    [branch(number) for number in range(24)],
    [entry(b"refs/heads/branch-%04d" % number, 1) for number in range(12)],
    WriteOptions(block_size=200, restart_interval=3),
)
UNPADDED = table_of(
    [branch(number) for number in range(20)],
    [entry(b"refs/heads/branch-%04d" % number, 1) for number in range(6)],
    WriteOptions(block_size=200, restart_interval=3, unpadded=True),
)
LOGS_ALONE = table_of(
    logs=[LogRecord(b"a/%d" % (number // 3), number % 3 + 1) for number in range(9)],
    options=WriteOptions(block_size=60, unpadded=True),
)
SHA256 = table_of(
    [RefRecord(b"refs/%d" % number, 5, value=same(number, 32)) for number in range(4)],
    [LogRecord(b"refs/0", 5, same(0, 32), same(1, 32), message=b"m\n")],
    WriteOptions(block_size=150, hash_id=HashId.SHA256),
)
TABLES = {
    "small": SMALL,
    "indexed": INDEXED,
    "unpadded": UNPADDED,
    "logs alone": LOGS_ALONE,
    "sha256": SHA256,
    "empty": Handmade().header.pack() + Footer().pack(Handmade().header),
}


@pytest.fixture(params=TABLES)
def data(request: pytest.FixtureRequest) -> bytes:
    """The bytes of each table."""
    return TABLES[request.param]


def places(data: bytes) -> range:
    """Return some positions in a table, or all of them in the long run."""
    return range(0, len(data), 1 if THOROUGH else len(data) // (30 if ALL else 10) + 1)


def with_footer(data: bytes, **changes: int) -> bytes:
    """Return the table with fields of its footer changed, and a checksum that fits."""
    header = Header.parse("t.ref", data)
    raw = data[-footer_size(header.version) :]
    footer = Footer.parse("t.ref", raw, 0, header.pack())._replace(**changes)
    return data[: -len(raw)] + footer.pack(header)


def sections(layout: TableLayout) -> list[str]:
    return [section.name for section in layout.sections]


def field(group: Group | None, name: str) -> Span:
    assert group is not None
    return next(span for span in group.children() if span.name == name)


def shape(block: BlockSpan) -> tuple[str, int, int, int]:
    """Return type, bytes of file header, restarts, records."""
    return SECTION_NAMES[block.type], block.start - block.offset, block.restart_count, block.records().count()


def test_leaves_of_a_sound_table_cover_every_byte_once(data: bytes) -> None:
    layout = layout_of(data)
    assert_tiled(layout)
    assert not errors_below(layout)
    assert not layout.errors()


def test_groups_hold_their_children_and_nothing_else(data: bytes) -> None:
    for span in everything(layout_of(data)):
        if isinstance(span, Group) and span.kind is not SpanKind.DEFLATED:
            children = list(span.children())
            assert (children[0].start, children[-1].end) == (span.start, span.end)


def refs_of(layout: TableLayout) -> list[RefRecord]:
    found = []
    for values in _records(layout, REF):
        name, update_index = values["key"], values["update index"]
        found.append(RefRecord(name, update_index, *map(values.get, _REF_FIELDS)))
        if values["value type"] == "symref":
            found[-1].target = values.get("target", b"")
    return found


def logs_of(layout: TableLayout) -> list[LogRecord]:
    found = []
    for values in _records(layout, LOG):
        log = LogRecord(values["name"], values["at"])
        if values["log type"] == "update":
            log.old, log.new = values["old object id"], values["new object id"]
            log.committer, log.email = values.get("committer", b""), values.get("email", b"")
            log.time, log.tz, log.message = values["time"], values["zone"], values.get("message", b"")
        found.append(log)
    return found


_REF_FIELDS = ("object id", "peeled object id", "target")


def _records(layout: TableLayout, block_type: int):  # noqa: ANN202 - values of every type by name
    for block in block_spans(layout):
        for record in block.records().children() if block.type == block_type else ():
            assert isinstance(record, Record)
            values = {"key": record.key, "name": record.value, "at": record.meaning}
            for span in record.children():
                values[span.name] = span.value if span.meaning is None else span.meaning
            yield values


@settings(max_examples=settings.default.max_examples // 5)
@given(contents=contents())
def test_any_table_is_covered_and_decoded_as_it_is_read(
    tmp_path_factory: pytest.TempPathFactory, contents: Contents
) -> None:
    options = contents.options
    while True:
        try:
            data = table_of(contents.refs, contents.logs, options, contents.limits)
            break
        except EntryTooBigError:
            options = replace(options, block_size=2 * options.block_size)
    layout = layout_of(data)
    assert_tiled(layout)
    assert not errors_below(layout)
    path = tmp_path_factory.getbasetemp() / "any.ref"
    path.write_bytes(data)
    with Table.open(path) as table:
        assert refs_of(layout) == list(table.refs())
        assert logs_of(layout) == list(table.logs())
        blocks = list(table.blocks())
    found = block_spans(layout)
    assert [(block.offset, block.next_offset, block.padding, block.block_len) for block in found] == [
        (block.offset, block.next_offset, block.padding, block.block_len) for block in blocks
    ]
    assert [block.data() for block in found] == [block.data for block in blocks]


def test_gits_table_of_five_hundred_refs() -> None:
    refs = [RefRecord(b"refs/heads/branch-%03d" % number, 0, value=bytes(20)) for number in range(500)]
    layout = layout_of(table_of(refs, limits=(0, 0)))
    assert [shape(block) for block in block_spans(layout)] == [
        ("ref", 24, 10, 158),
        ("ref", 0, 10, 159),
        ("ref", 0, 10, 159),
        ("ref", 0, 2, 24),
        ("index", 0, 1, 4),
        ("obj", 0, 1, 1),
    ]
    assert sections(layout) == ["ref blocks", "ref index, level 1", "obj blocks"]


def test_gits_table_of_many_refs_and_reflogs() -> None:
    def log(name: bytes, update_index: int, message: bytes) -> LogRecord:
        who = b"C O Mitter", b"committer@example.com"
        return LogRecord(name, update_index, bytes(20), same(1), *who, 1112911993, -700, message)

    branches = [b"refs/heads/branch-%d" % number for number in range(1, 201)]
    refs = [RefRecord(b"HEAD", 1, target=b"refs/heads/master")]
    names = [b"refs/heads/master", b"refs/tags/initial", *branches]
    refs += [RefRecord(name, 2, value=same(1)) for name in names]
    logs = [log(name, 2, b"commit (initial): initial") for name in (b"HEAD", b"refs/heads/master")]
    logs += [log(name, 4, b"\n") for name in branches]
    layout = layout_of(table_of(refs, logs))
    assert [(section.name, _lengths(section)) for section in layout.sections] == [
        ("ref blocks", [(4049, 11), (1136, 3)]),
        ("log blocks", [(4041, 4), (4015, 3), (4014, 3), (4012, 3), (3289, 3)]),
        ("log index, level 1", [(103, 1)]),
    ]


def _lengths(section: Group) -> list[tuple[int, int]]:
    blocks = [span for span in section.children() if isinstance(span, BlockSpan)]
    return [(block.records_end, block.restart_count) for block in blocks]


def test_an_index_of_several_levels_is_a_section_for_each() -> None:
    refs = [RefRecord(b"refs/heads/%03d" % number, 1, value=same(number)) for number in range(200)]
    layout = layout_of(table_of(refs, options=WriteOptions(block_size=100, skip_index_objects=True)))
    levels = [section.level for section in layout.sections]
    assert sections(layout)[:2] == ["ref blocks", "ref index, level 1"]
    assert levels == list(range(len(levels)))
    assert len(levels) == 3
    for section, above in pairwise(layout.sections):
        blocks = [block for block in section.children() if isinstance(block, BlockSpan)]
        assert section.listed() == [block.offset for block in blocks]
        assert {(block.section, block.level) for block in blocks} == {(REF, section.level)}
        assert above.start == section.end
    assert layout.sections[-1].listed() == []


@pytest.mark.parametrize(
    "layout",
    [
        Layout(),
        Layout("sha256", block_size=300, restart_interval=2),
        Layout(block_size=100, logs=False),
    ],
    ids=str,
)
def test_tables_of_real_git_are_covered_and_decoded_as_they_are_read(
    git: Git, tmp_path: Path, layout: Layout
) -> None:
    repo = layout.init(git, tmp_path / "repo")
    write_busy_history(repo, rename=layout.logs)
    repo.git("pack-refs")
    repo.git("update-ref", "-d", "refs/heads/b03")
    with Stack.open(repo.reftable, read_only=True) as stack:
        assert len(stack.tables) == 2
        for table in stack.tables:
            spans = TableLayout(table.name, table.size, table.read)
            assert_tiled(spans)
            assert not errors_below(spans)
            assert refs_of(spans) == list(table.refs())
            assert logs_of(spans) == list(table.logs())
            kinds = {block.type for block in table.blocks()}
            assert {section.of for section in spans.sections} == kinds - {INDEX}


def test_header_and_footer_have_their_fields_named_and_decoded() -> None:
    layout = layout_of(SHA256)
    header = {span.name: span.value for span in leaves(layout) if span.end <= 28}
    assert header == {
        "magic": b"REFT",
        "version": 2,
        "block size": 150,
        "min update index": 1,
        "max update index": 9,
        "hash id": b"s256",
    }
    footer = {span.name: span.value for span in field_list(layout.footer)[6:]}
    assert footer == {
        "ref index offset": 0,
        "obj offset": 0,
        "object id length": 0,
        "obj index offset": 0,
        "log offset": layout.sections[1].start,
        "log index offset": 0,
        "CRC-32": zlib.crc32(SHA256[-72:-4]),
    }


def field_list(group: Group | None) -> list[Span]:
    assert group is not None
    return list(group.children())


def test_two_numbers_packed_into_one_are_two_fields_on_the_same_bytes() -> None:
    layout = layout_of(INDEXED)
    offset, length = field(layout.footer, "obj offset"), field(layout.footer, "object id length")
    assert (offset.start, offset.end) == (length.start, length.end)
    assert (offset.value, length.value) == (layout.sections[2].start, 2)
    assert offset.kind is SpanKind.POSITION


def test_a_path_leads_from_the_table_to_the_field_of_any_byte(data: bytes) -> None:
    layout = layout_of(data)
    for leaf in leaves(layout):
        for position in range(leaf.start, leaf.end):
            path = path_to(layout, position)
            assert path[0] is layout
            assert (path[-1].start, path[-1].end) == (leaf.start, leaf.end)
            assert all(span.start <= position < span.end for span in path)
    assert path_to(layout, len(data)) == [layout]
    assert path_to(layout, -1) == [layout]


def test_a_path_goes_on_in_the_inflated_block() -> None:
    layout = layout_of(SMALL)
    position = layout.sections[1].start + 10
    assert [span.name for span in path_to(layout, position)[1:]] == ["log blocks", "log block", "deflated"]
    deflated = path_to(layout, position)[-1]
    assert isinstance(deflated, Group)
    block = block_spans(layout)[1]
    at = block.data().index(b"message\n")
    assert [span.name for span in path_to(deflated, at)] == ["deflated", "records", "log record", "message"]
    assert path_to(deflated, at)[-1].value == b"message\n"


class Reads:
    """Reads a table from memory, and counts."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.count = 0

    def __call__(self, at: int, size: int) -> bytes:
        self.count += 1
        return self.data[at : at + size]


@pytest.fixture(scope="module")
def large() -> bytes:
    """A table of ten thousand blocks."""
    refs = [RefRecord(b"%06d" % number, 1, value=same(1)) for number in range(21_000)]
    return table_of(refs, options=WriteOptions(block_size=80, skip_index_objects=True))


def test_a_table_of_ten_thousand_blocks_opens_at_once(large: bytes) -> None:
    reads = Reads(large)
    layout = TableLayout("t.ref", len(large), reads)
    assert reads.count < 40
    refs = layout.sections[0]
    reads.count = 0
    blocks = refs.children()
    assert [next(blocks).name for _ in range(20)] == ["ref block"] * 20
    assert reads.count == 20
    assert len(refs.listed()) > 10_000
    reads.count = 0
    middle = path_to(layout, refs.end // 2)
    assert [span.kind for span in middle[:4]] == [
        SpanKind.TABLE,
        SpanKind.SECTION,
        SpanKind.BLOCK,
        SpanKind.RECORDS,
    ]
    assert reads.count < 5


def test_blocks_can_be_had_from_any_offset_on() -> None:
    refs = layout_of(INDEXED).sections[0]
    offsets = [block.offset for block in refs.children() if isinstance(block, BlockSpan)]
    assert len(offsets) > 3
    for number, offset in enumerate(offsets):
        assert [span.start for span in refs.blocks(offset)] == [offset or 24 for offset in offsets[number:]]


def test_any_byte_may_be_wrong(data: bytes) -> None:
    for number, position in enumerate(places(data)):
        damaged = flipped(data, position, (0xFF, 0x01, 0x80)[number % 3])
        layout = layout_of(damaged)
        assert_tiled(layout)
        assert list(everything(layout))
        leaf = path_to(layout, position)[-1]
        assert leaf.start <= position < leaf.end


@pytest.mark.parametrize("data", [INDEXED, SHA256], ids=["with an index", "aligned, without an index"])
def test_damage_costs_its_own_block_only(data: bytes) -> None:
    sound = block_spans(layout_of(data))
    for block in sound:
        if block.type == LOG and data is SHA256:
            continue
        others = {other.offset for other in sound if other is not block}
        # Type, length, first record, restart offset, restart count.
        for position in (0, 1, 2, 3, 4, block.file_len - 4, block.file_len - 2):
            layout = layout_of(flipped(data, block.start + position))
            assert others <= {span.offset for span in block_spans(layout)}


def test_what_decoders_refuse_is_what_is_damaged() -> None:
    for data in (SMALL, INDEXED, UNPADDED):
        for position in places(data)[1:]:
            layout = layout_of(flipped(data, position, 0x41))
            span = next((span for span in path_to(layout, position) if isinstance(span, BlockSpan)), None)
            if span is not None:
                assert bool(span.records().errors()) == _is_refused(span.records().block, 20, 1)


def _is_refused(block: Block, hash_size: int, low: int) -> bool:
    decoders: dict[int, Callable[[], object]] = {
        REF: lambda: block.refs(hash_size, low),
        LOG: lambda: block.logs(hash_size),
        OBJ: block.objects,
        INDEX: block.index,
    }
    try:
        decoders[block.type]()
    except FormatError:
        return True
    return False


def test_a_table_may_be_cut_anywhere(data: bytes) -> None:
    for size in places(data):
        layout = layout_of(data[:size])
        assert_tiled(layout)
        assert layout.error is not None
        assert list(everything(layout))


def test_blocks_of_a_table_that_was_cut_short_are_still_found() -> None:
    whole = block_spans(layout_of(INDEXED))
    cut = layout_of(INDEXED[: whole[-1].offset + 10])
    assert cut.footer is None
    assert cut.error is not None
    assert "cut short" in cut.error.reason
    assert sections(cut) == ["blocks"]
    found = block_spans(cut)
    assert [block.offset for block in found] == [block.offset for block in whole[:-1]]
    assert [block.type for block in found] == [block.type for block in whole[:-1]]
    assert [span.error is not None for span in cut.sections[0].children()] == [False] * len(found) + [True]


def test_pieces_of_tables_are_no_reason_to_fail(data: bytes) -> None:
    for number, start in enumerate(places(data)):
        assert_tiled(layout_of(data[:start] + data[start + 13 * number :]))
        assert_tiled(layout_of(data[:start] + INDEXED[number:][:150] + data[start:]))


@pytest.mark.parametrize("content", [b"", b"x", bytes(1000), b"REFT" * 100, b"hello\n" * 1000])
def test_what_is_no_table_is_one_span_of_unknown_bytes(content: bytes) -> None:
    layout = layout_of(content)
    assert layout.error is not None
    assert layout.header is layout.footer is None
    assert [(span.kind, span.start, span.end) for span in layout.children()] == (
        [(SpanKind.UNKNOWN, 0, len(content))] if content else []
    )


def test_a_wrong_checksum_is_shown_with_the_right_one() -> None:
    for position in (-1, -10):
        damaged = flipped(SMALL, len(SMALL) + position, 0x01)
        layout = layout_of(damaged)
        crc = field(layout.footer, "CRC-32")
        assert crc.value == int.from_bytes(damaged[-4:], "big")
        assert crc.meaning == zlib.crc32(damaged[-68:-4])
        assert isinstance(crc.error, ChecksumError)
        assert crc.error in layout.errors()


def test_with_a_wrong_checksum_offsets_are_followed_where_they_lead_to_the_right_block() -> None:
    sound = layout_of(INDEXED)
    layout = layout_of(flipped(INDEXED, len(INDEXED) - 1))
    assert sections(layout) == sections(sound)
    obj = field(sound.footer, "obj offset")
    layout = layout_of(flipped(INDEXED, obj.end - 1, 0x20))
    assert "obj blocks" not in sections(layout)
    assert [block.offset for block in block_spans(layout)] == [block.offset for block in block_spans(sound)]
    # What a block is doing there cannot be known, so none is out of place.
    assert not [block.error for block in block_spans(layout) if block.error]


@pytest.mark.parametrize("position", range(28))
def test_the_footer_knows_better_than_a_header_that_differs(position: int) -> None:
    data = flipped(SHA256, position, 0x03)
    layout = layout_of(data)
    wrong = path_to(layout, position)[-1]
    assert wrong.error is not None
    assert layout.errors() == [wrong.error]
    assert refs_of(layout) == refs_of(layout_of(SHA256))
    assert logs_of(layout) == logs_of(layout_of(SHA256))


@pytest.mark.parametrize("position", range(28))
def test_a_footer_whose_copy_of_the_header_is_damaged_is_still_one(position: int) -> None:
    data = flipped(SHA256, len(SHA256) - 72 + position, 0x03)
    layout = layout_of(data)
    assert field(layout.footer, "CRC-32").error is not None
    assert path_to(layout, len(data) - 72 + position)[-1].error is not None
    assert refs_of(layout) == refs_of(layout_of(SHA256))


def test_a_table_is_known_by_its_footer_even_if_header_and_checksum_are_damaged() -> None:
    layout = layout_of(flipped(flipped(SHA256, 0), len(SHA256) - 1))
    assert field(layout.header, "magic").error is not None
    assert isinstance(field(layout.footer, "CRC-32").error, ChecksumError)
    assert refs_of(layout) == refs_of(layout_of(SHA256))


def test_a_footer_has_the_size_of_its_version() -> None:
    header = Handmade().header.pack()
    raw = header + bytes(44)  # four bytes more than a footer of version 1 has in front of its checksum
    layout = layout_of(header + bytes(10) + raw + zlib.crc32(raw).to_bytes(4, "big"))
    assert layout.footer is None
    assert_tiled(layout)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"ref_index_offset": 2**40}, "ref index offset"),
        ({"obj_offset": 2**50, "object_id_len": 2}, "obj offset"),
        ({"obj_index_offset": 5}, "obj index offset"),
        ({"log_offset": 2**64 - 1}, "log offset"),
        ({"log_index_offset": 24}, "log index offset"),
        ({"object_id_len": 0}, "object id length"),
    ],
)
def test_an_offset_that_leads_nowhere_is_damaged(changes: dict[str, int], name: str) -> None:
    layout = layout_of(with_footer(INDEXED, **changes))
    assert_tiled(layout)
    error = field(layout.footer, name).error
    assert error is not None
    assert error in layout.errors()
    found = [block.offset for block in block_spans(layout)]
    assert found == [block.offset for block in block_spans(layout_of(INDEXED))]


def test_any_section_may_be_said_to_begin_anywhere() -> None:
    names = ("ref_index_offset", "obj_offset", "obj_index_offset", "log_offset", "log_index_offset")
    for name in names:
        for offset in places(INDEXED)[1::2]:
            layout = layout_of(with_footer(INDEXED, **{name: offset}))
            assert_tiled(layout)
            assert list(everything(layout))


def test_a_damaged_index_hides_no_block() -> None:
    layout = layout_of(INDEXED)
    sound = block_spans(layout)
    root = next(section for section in layout.sections if section.name == "ref index, level 1")
    record = root.start + 4
    damaged = layout_of(flipped(INDEXED, record, 0x05))
    assert [(block.offset, block.type) for block in block_spans(damaged)] == [
        (block.offset, block.type) for block in sound
    ]
    named = next(section for section in damaged.sections if section.name == "ref index")
    assert named.error is not None
    assert named.error in damaged.errors()
    assert not [block.error for block in block_spans(damaged) if block.error]
    assert {block.level for block in block_spans(damaged) if block.start == root.start} == {None}


def test_levels_below_a_damaged_root_are_found_among_the_blocks() -> None:
    refs = [RefRecord(b"refs/heads/%03d" % number, 1, value=same(number)) for number in range(200)]
    data = table_of(refs, options=WriteOptions(block_size=100, skip_index_objects=True))
    sound = layout_of(data)
    damaged = layout_of(flipped(data, sound.sections[2].start + 4))
    assert sections(damaged) == ["ref blocks", "ref index"]
    found = block_spans(damaged)
    assert [block.offset for block in found] == [block.offset for block in block_spans(sound)]
    assert {(block.type, block.section, block.level) for block in found} == {
        (REF, REF, 0),
        (INDEX, REF, None),
    }
    assert not [block.error for block in found if block.error]


def test_an_index_over_other_blocks_is_damaged() -> None:
    # The Go library of 2020 repeats the entries of the ref index in the log index.
    table = Handmade()
    refs = table.refs([branch(1)])
    ref_index = table.index([(b"refs/heads/branch-0001", refs)])
    logs = table.logs([entry(b"HEAD", 1)])
    log_index = table.index([(b"refs/heads/branch-0001", refs)])
    footer = Footer(ref_index_offset=ref_index, log_offset=logs, log_index_offset=log_index)
    layout = layout_of(bytes(table.data) + footer.pack(table.header))
    assert_tiled(layout)
    assert sections(layout) == ["ref blocks", "ref index, level 1", "log blocks", "log index"]
    error = layout.sections[3].error
    assert error is not None
    assert "out of the section" in error.reason
    assert layout.errors() == [error]
    assert len(block_spans(layout)) == 4


@pytest.mark.parametrize("offset", range(1, 25))
def test_an_index_that_leads_into_the_header_is_damaged(offset: int) -> None:
    table = Handmade(limits=(0x6969696969696969, 0x6969696969696969))  # "i", like the type of an index block
    table.refs([RefRecord(b"a", 0x6969696969696969)])
    root = table.index([(b"a", offset)])
    layout = layout_of(bytes(table.data) + Footer(ref_index_offset=root).pack(table.header))
    assert_tiled(layout)
    assert "out of the section" in layout.errors()[0].reason


def test_an_index_that_never_ends_is_given_up() -> None:
    table = Handmade()
    at = table.refs([branch(1)])
    for _ in range(3000):
        at = table.index([(b"z", at)])
    data = bytes(table.data) + Footer(ref_index_offset=at).pack(table.header)
    reads = Reads(data)
    layout = TableLayout("t.ref", len(data), reads)
    assert reads.count < 3000
    assert "1000 levels" in layout.errors()[0].reason
    assert len(block_spans(layout)) == 3001


def test_damage_in_every_level_of_a_deep_index_is_no_reason_to_fail() -> None:
    table = Handmade()
    at = table.refs([branch(1)])
    for _ in range(900):
        below, at = at, table.index([(b"z", at)])
        table.append(b"i\0\0\0")
    data = bytes(table.data) + Footer(ref_index_offset=at).pack(table.header)
    layout = layout_of(data)
    assert len(layout.sections) == 901
    assert layout.sections[0].listed() == [0]
    assert layout.sections[-2].listed() == [below]
    assert len(block_spans(layout)) == 901


def test_a_block_of_another_type_is_shown_and_out_of_place() -> None:
    table = Handmade()
    table.refs([branch(1)])
    table.objects([(b"ab", [0])])
    table.refs([branch(2)])
    layout = layout_of(bytes(table.data) + Footer().pack(table.header))
    assert [block.error is not None for block in block_spans(layout)] == [False, True, False]


def test_padding_that_is_not_zero_is_damaged() -> None:
    table = Handmade(block_size=256)
    table.refs([branch(1)])
    end = len(table.data)
    table.pad()
    table.refs([branch(2)])
    data = bytearray(bytes(table.data) + Footer().pack(table.header))
    padding = next(span for span in leaves(layout_of(bytes(data))) if span.kind is SpanKind.PADDING)
    assert (padding.start, padding.end, padding.error) == (end, 256, None)
    data[200] = 1
    padding = next(span for span in leaves(layout_of(bytes(data))) if span.kind is SpanKind.PADDING)
    assert padding.error is not None
    assert padding.error.offset == 200


def test_a_log_block_tells_both_of_its_sizes() -> None:
    layout = layout_of(INDEXED)
    for block in block_spans(layout):
        assert block.file_len == block.next_offset - block.offset - block.padding
        if block.type == LOG:
            deflated = INDEXED[block.start + 4 : block.next_offset]
            assert len(zlib.decompress(deflated)) + 4 == block.block_len
            assert block.padding == 0
        else:
            assert block.file_len == block.block_len
