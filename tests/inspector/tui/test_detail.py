"""The detail pane: what it says of refs, log entries and tables, as text on a screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

from engine.format import LogRecord, RefRecord
from engine.readable import open_readable
from engine.stack import unlisted_files
from inspector.model import StackView
from inspector.model.trace import trace_ref
from inspector.rows import LogRow, RefRow
from inspector.tui.widgets.detail import Detail
from tests.support.handmade import overwrite
from tests.support.screens import WIDE, drive, log, make_stack
from tests.support.tables import oid

NAME = b"refs/heads/x"


class DetailApp(App[None]):
    """Nothing but the pane."""

    def compose(self) -> ComposeResult:
        yield Detail()


def detail_text(show: Callable[[Detail], None], size: tuple[int, int] = WIDE) -> str:
    """Return what the pane says after `show`."""
    found: list[str] = []
    app = DetailApp()

    async def steps(pilot: Pilot[Any]) -> None:
        show(app.query_one(Detail))
        await pilot.pause()
        found.extend(str(static.content) for static in app.query(Static))

    drive(app, steps, size)
    return "\n".join(found)


def ref_text(directory: Path, name: bytes = NAME, as_of: int | None = None) -> str:
    """Return what the pane says of a ref as it is in the first `as_of` tables."""
    with open_readable(directory) as stack:
        view = StackView(stack)
        within = None if as_of is None else view.merged.as_of(as_of)
        found = (within or view.merged).find_ref(name)
        assert found is not None
        row = RefRow(found[1], view.tables.index(found[0]))
        trace = trace_ref(view, name, within)
        return detail_text(lambda detail: detail.show(row, trace))


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """Three tables: a ref is made, moved, deleted."""
    return make_stack(
        tmp_path / "reftable",
        ([RefRecord(NAME, 1, oid(1))], [log(NAME, 1)]),
        ([RefRecord(NAME, 2, oid(2))], [log(NAME, 2, b"commit: second\n")]),
        ([RefRecord(NAME, 3)], []),
    )


def test_versions_are_named_with_table_and_block_and_the_newest_log_entries_follow(moved: Path) -> None:
    assert ref_text(moved).splitlines() == [
        "refs/heads/x",
        "value    (deleted)",
        "wins       #2  update 3  block 0  (deleted)",
        f"superseded #1  update 2  block 0  {oid(2).hex()[:10]}",
        f"superseded #0  update 1  block 0  {oid(1).hex()[:10]}",
        f"log        2023-11-15 01:43  {oid(2).hex()[:7]} -> {oid(3).hex()[:7]}  commit: second  A U Thor",
        f"           2023-11-15 00:43  {oid(1).hex()[:7]} -> {oid(2).hex()[:7]}  commit: change  A U Thor",
    ]


def test_of_an_earlier_moment_later_versions_are_newer_ones(moved: Path) -> None:
    lines = ref_text(moved, as_of=2).splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["newer", "wins", "superseded"]


def test_a_ref_that_is_not_traced_yet_says_so() -> None:
    row = RefRow(RefRecord(NAME, 1, oid(1)), 0)
    said = detail_text(lambda detail: detail.show(row))
    assert f"value    {oid(1).hex()}" in said
    assert "versions …" in said


def test_an_unreadable_table_stands_where_its_version_would_and_casts_doubt(moved: Path) -> None:
    with open_readable(moved) as stack:
        table = stack.tables[1]
        view = StackView(stack)
        overwrite(Path(table.path), table.header.size + 4, b"\xff" * 12)
        row = RefRow(RefRecord(NAME, 1, oid(1)), 0)
        below, doubtful = trace_ref(view, NAME), trace_ref(view, NAME, view.merged.as_of(2))
    lines = detail_text(lambda detail: detail.show(row, below)).splitlines()
    assert [line.split()[:2] for line in lines[2:5]] == [
        ["wins", "#2"],
        ["unread", "#1"],
        ["superseded", "#0"],
    ]
    assert table.name in lines[3]
    assert "in doubt" not in lines[2]
    assert "in doubt " in detail_text(lambda detail: detail.show(row, doubtful))


def test_a_symref_is_shown_with_all_that_it_goes_through(tmp_path: Path) -> None:
    refs = [
        RefRecord(b"HEAD", 1, target=b"refs/heads/main"),
        RefRecord(b"dangling", 1, target=b"refs/heads/gone"),
        RefRecord(b"loop", 1, target=b"loop"),
        RefRecord(b"refs/heads/main", 1, oid(1)),
        *(RefRecord(b"s%d" % number, 1, target=b"s%d" % (number + 1)) for number in range(7)),
    ]
    directory = make_stack(tmp_path / "reftable", (refs, []))
    assert f"symref   -> refs/heads/main -> {oid(1).hex()}" in ref_text(directory, b"HEAD")
    assert "-> refs/heads/gone  (dangling: this stack has no such ref)" in ref_text(directory, b"dangling")
    assert "-> loop  (a loop)" in ref_text(directory, b"loop")
    assert "-> s4 -> s5  (more symrefs in a row than git follows)" in ref_text(directory, b"s0")


def test_a_chain_traced_at_another_moment_is_not_shown(tmp_path: Path) -> None:
    directory = make_stack(
        tmp_path / "reftable",
        ([RefRecord(b"HEAD", 1, target=b"refs/old")], []),
        ([RefRecord(b"HEAD", 2, target=b"refs/new")], []),
    )
    with open_readable(directory) as stack:
        trace = trace_ref(StackView(stack), b"HEAD")
    row = RefRow(RefRecord(b"HEAD", 1, target=b"refs/old"), 0)
    said = detail_text(lambda detail: detail.show(row, trace))
    assert "symref   -> refs/old\n" in said
    assert "dangling" not in said


def test_more_log_entries_than_are_read_are_not_kept_secret(tmp_path: Path) -> None:
    entries = [log(NAME, index) for index in range(1, 10)]
    directory = make_stack(tmp_path / "reftable", ([RefRecord(NAME, 1, oid(1))], entries))
    lines = ref_text(directory).splitlines()
    assert len([line for line in lines if "commit: change" in line]) == 5
    assert lines[-1] == "           and older ones"


def test_a_log_entry_says_what_changed_and_where_it_lies() -> None:
    row = LogRow(log(NAME, 7, b"commit: seventh\n"), 3)
    said = detail_text(lambda detail: detail.show(row)).splitlines()
    assert said[0] == "refs/heads/x  update 7  table #3"
    assert f"change   {oid(7).hex()[:12]} -> {oid(8).hex()[:12]}" in said
    assert f"old      {oid(7).hex()}" in said
    assert f"new      {oid(8).hex()}" in said
    assert "message  commit: seventh" in said


def test_the_null_id_of_a_log_entry_is_none() -> None:
    row = LogRow(LogRecord(NAME, 7, bytes(20), oid(1)), 0)
    assert f"change   none -> {oid(1).hex()[:12]}" in detail_text(lambda detail: detail.show(row))


def test_a_file_that_is_not_listed_is_explained(tmp_path: Path) -> None:
    directory = make_stack(tmp_path / "reftable", ([RefRecord(NAME, 1, oid(1))], []))
    name = "[b]\x1b\udcff"
    (directory / name).write_bytes(b"1234")
    (found,) = unlisted_files(directory, (directory / name).stat().st_mtime + 90, [])
    said = detail_text(lambda detail: detail.show(found)).splitlines()
    assert said[:3] == [r"[b]\x1b\xff", "kind     other, not in tables.list", "size     4 bytes, 90s old"]
    assert said[5] == "clean    leaves it alone"


def test_what_a_stack_says_is_neither_obeyed_nor_parsed(tmp_path: Path) -> None:
    name, target = b"refs/[bold]\x1b[2J", b"refs/[/]\xe2\x80\xae"
    directory = make_stack(
        tmp_path / "reftable",
        (
            [RefRecord(name, 1, target=target), RefRecord(target, 1, oid(1))],
            [log(name, 1, b"[/bogus \x1b]0;x\x07\n")],
        ),
    )
    said = ref_text(directory, name)
    assert r"refs/[bold]\x1b[2J" in said
    assert rf"-> refs/[/]\u202e -> {oid(1).hex()}" in said
    assert r"[/bogus \x1b]0;x\x07" in said
    assert "\x1b" not in said
