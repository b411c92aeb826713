"""The verb layout: one line for each block of the tables, and on behind what is damaged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.format import SECTION_NAMES, LogRecord, RefRecord
from engine.stack import Stack, StackOptions
from engine.table import Table
from tests.support.cli import ok, run
from tests.support.git import Git, Repository
from tests.support.handmade import change_byte, change_footer
from tests.support.history import Layout, write_busy_history
from tests.support.stacks import LOOSE, add, branch, entry, listed, same
from tests.support.tables import stack_files

MANY = StackOptions(auto_compact=False, block_size=512)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Two tables; the older one has every kind of section."""
    directory = tmp_path / "stack"
    directory.mkdir()
    with Stack.open(directory, MANY) as handle:
        refs = [branch(number) for number in range(100)]
        add(handle, refs, [entry(ref.name, 1) for ref in refs[:30]])
        add(handle, [branch(1, 2)])
    return directory


def tables(stack: Path) -> list[Path]:
    return [stack / name for name in listed(stack)]


@pytest.fixture(scope="module")
def busy(git: Git, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository with many kinds of changes, compacted once, and a table on top."""
    repo = Layout("sha256", block_size=300, restart_interval=2).init(
        git, tmp_path_factory.mktemp("b") / "repo"
    )
    write_busy_history(repo)
    repo.git("pack-refs")
    repo.git("update-ref", "-d", "refs/heads/b03")
    return repo


def test_json_has_a_line_for_each_block_of_gits_tables(busy: Repository) -> None:
    expected = []
    with Stack.open(busy.reftable, read_only=True) as stack:
        for table in stack.tables:
            counts = {"ref": len(list(table.refs())), "log": len(list(table.logs()))}
            expected += [
                {
                    "table": table.name,
                    "offset": block.offset,
                    "type": SECTION_NAMES[block.type],
                    "block_len": block.block_len,
                    "records_end": block.records_end,
                    "restarts": block.restart_count,
                    "padding": block.padding,
                    "next_offset": block.next_offset,
                }
                for block in table.blocks()
            ]
            found = ok("layout", busy.path, "--table", table.name, "--json").objects
            for kind, count in counts.items():
                assert sum(line["records"] for line in found if line["type"] == kind) == count
    found = ok("layout", busy.path, "--json").objects
    assert [{key: line[key] for key in expected[0]} for line in found] == expected
    assert {line["type"] for line in found} == {"ref", "index", "obj", "log"}
    assert len({line["table"] for line in found}) == 2


def test_fields_come_in_the_order_of_the_design(stack: Path) -> None:
    first = ok("layout", stack, "--json").objects[0]
    assert list(first) == [
        *("table", "offset", "type", "block_len", "records_end", "restarts", "records", "padding"),
        *("next_offset", "file_len", "section", "level"),
    ]


def test_index_blocks_say_what_they_index(stack: Path) -> None:
    found = ok("layout", stack, "--table", "0", "--json").objects
    assert {(line["type"], line["section"], line["level"]) for line in found} == {
        ("ref", "ref", 0),
        ("index", "ref", 1),
        ("obj", "obj", 0),
        ("log", "log", 0),
        ("index", "log", 1),
    } | {("index", "obj", 1) for line in found if (line["type"], line["section"]) == ("index", "obj")}


def test_gits_numbers_for_five_hundred_refs(tmp_path: Path) -> None:
    with Stack.open(tmp_path, LOOSE) as handle:
        names = [b"refs/heads/branch-%03d" % number for number in range(500)]
        add(handle, [RefRecord(name, handle.next_update_index, value=bytes(20)) for name in names])
    found = ok("layout", tmp_path, "--json").objects
    assert [(line["type"], line["restarts"], line["records"]) for line in found] == [
        ("ref", 10, 158),
        ("ref", 10, 159),
        ("ref", 10, 159),
        ("ref", 2, 24),
        ("index", 1, 4),
        ("obj", 1, 1),
    ]
    assert found[0]["block_len"] == found[0]["file_len"] == 4096 - found[0]["padding"]


def test_gits_numbers_for_its_first_commit(tmp_path: Path) -> None:
    def log(name: bytes) -> LogRecord:
        who = b"C O Mitter", b"committer@example.com"
        return LogRecord(name, 1, bytes(20), same(1), *who, 1112911993, -700, b"commit (initial): initial")

    refs = [RefRecord(b"HEAD", 1, target=b"refs/heads/master")]
    refs += [RefRecord(name, 1, value=same(1)) for name in (b"refs/heads/master", b"refs/tags/initial")]
    with Stack.open(tmp_path) as handle:
        add(handle, refs, [log(b"HEAD"), log(b"refs/heads/master")])
    found = ok("layout", tmp_path, "--json").objects
    assert [(line["type"], line["records_end"], line["restarts"]) for line in found] == [
        ("ref", 129, 2),
        ("log", 262, 2),
    ]
    assert found[1]["file_len"] < found[1]["block_len"]


def rows(lines: list[bytes]) -> list[list[str]]:
    """Return the columns of lines that begin with an offset."""
    return [line.decode().split() for line in lines if re.match(rb" *\d+  +\d+  ", line)]


def test_text_shows_header_sections_blocks_and_footer(stack: Path) -> None:
    lines = ok("layout", stack, "--table", "0").lines
    [path, _] = tables(stack)
    assert lines[0] == f"{path.name}: {path.stat().st_size} bytes".encode()
    found = [re.match(r" *offset +bytes  (\S+( \S+)*)", line.decode()) for line in lines]
    headings = [heading[1] for heading in found if heading]
    assert headings[:3] == ["header", "ref blocks", "ref index, level 1"]
    assert headings[-3:] == ["log blocks", "log index, level 1", "footer"]
    with Table.open(path) as table:
        footer, end = table.footer, table.size - 68
    data = rows(lines)
    assert data[1] == ["4", "1", "version", "1"]
    assert [str(end), "4", "magic", "REFT"] in data
    assert [str(end + 56), "8", "log", "index", "offset", str(footer.log_index_offset)] in data
    objects = ok("layout", stack, "--table", "0", "--json").objects
    blocks = [row for row in data if row[2] in SECTION_NAMES.values() and row[3].isdigit()]
    names = ("offset", "file_len", "type", "block_len", "records_end", "records", "restarts", "padding")
    assert blocks == [[str(line[name]) for name in names] for line in objects]


def test_columns_of_text_stand_below_their_headings(stack: Path) -> None:
    lines = [line.decode() for line in ok("layout", stack, "--table", "0").lines]
    at = next(number for number, line in enumerate(lines) if "ref blocks" in line)
    for heading in ("offset", "bytes", "length", "records end", "restarts", "padding"):
        end = lines[at].index(heading) + len(heading)
        for line in lines[at + 1 : at + 5]:
            assert line[end - 1].isdigit()
            assert line[end : end + 1] in {" ", ""}


def test_tables_come_oldest_first(stack: Path) -> None:
    text = ok("layout", stack).lines
    names = [path.name.encode() for path in tables(stack)]
    assert [line.split(b":")[0] for line in text if b".ref: " in line] == names
    seen = [line["table"].encode() for line in ok("layout", stack, "--json").objects]
    assert list(dict.fromkeys(seen)) == names


def test_looking_changes_nothing(stack: Path) -> None:
    before = stack_files(stack)
    ok("layout", stack)
    assert stack_files(stack) == before


@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
def test_behind_a_damaged_block_everything_else_is_shown_and_the_code_is_3(
    stack: Path, json: list[str]
) -> None:
    [path, newer] = tables(stack)
    sound = ok("layout", stack, "--json").objects
    block = sound[2]
    change_byte(path, block["offset"])
    done = run("layout", stack, *json)
    assert done.code == 3
    assert done.err.count("\n") == 1
    assert path.name in done.err
    assert f"at byte {block['offset']}" in done.err
    if json:
        assert done.objects == [line for line in sound if line is not block]
    else:
        damaged = [line for line in done.lines if b"damaged" in line]
        assert [line.split()[0] for line in damaged] == [str(block["offset"]).encode()]
        assert any(line.startswith(newer.name.encode()) for line in done.lines)


def test_a_damaged_record_leaves_the_others_to_be_counted(stack: Path) -> None:
    [path, _] = tables(stack)
    [first, *others] = ok("layout", stack, "--json").objects
    change_byte(path, 28)
    done = run("layout", stack, "--json")
    assert done.code == 3
    assert "at byte 28" in done.err
    assert done.objects[1:] == others
    assert done.objects[0] | {"records": 0} == first | {"records": 0}
    assert done.objects[0]["records"] == first["records"] - 16  # up to the next restart point


def test_a_footer_that_leads_nowhere_is_a_note_and_the_code_is_3(stack: Path) -> None:
    [path, _] = tables(stack)
    sound = ok("layout", stack, "--json").objects
    change_footer(path, obj_offset=2**40)
    done = run("layout", stack, "--json")
    assert done.code == 3
    assert "obj offset" in done.err
    assert [line["offset"] for line in done.objects] == [line["offset"] for line in sound]
    assert any(b"damaged" in line and b"obj offset" in line for line in run("layout", stack).lines)


def test_a_table_that_is_none_is_a_usage_error(stack: Path) -> None:
    done = run("layout", stack, "--table", "no-such-table")
    assert done.code == 2
    assert "no table of this stack" in done.err


def test_an_empty_stack_has_no_layout_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "tables.list").write_bytes(b"")
    done = ok("layout", tmp_path)
    assert done.out == b""
    assert "empty" in done.err
    assert ok("layout", tmp_path, "--json").out == b""
