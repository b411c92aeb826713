"""Copying and exporting rows: whole records, the order shown, and no file that is not wanted."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.errors import Cancelled
from engine.format import LogRecord, RefRecord
from engine.stack import Stack
from inspector.rows import ExportError, LogRow, RefRow, check_export_path, export_rows
from inspector.tui.screens.copy_row import CopyScreen, copy_choices
from inspector.tui.screens.export_rows import ExportScreen
from inspector.tui.widgets.virtual_list import VirtualList
from tests.support.cli import ok
from tests.support.panes import PaneApp, enter, with_panes
from tests.support.screens import branch, branches, log, make_stack, press, settle, shown_lines
from tests.support.tables import oid

LONG = b"x" * 3000 + b"\n"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Refs with a tag, a symref and a name that is not UTF-8; logs, one with a long message."""
    return make_stack(
        tmp_path / "stack" / "reftable",
        (
            [
                RefRecord(b"HEAD", 1, target=branch(1)),
                *branches(30),
                RefRecord(b"refs/heads/caf\xe9", 1, oid(3)),
                RefRecord(b"refs/tags/v1", 1, oid(1), oid(2)),
            ],
            [log(branch(1), 1, LONG), log(branch(2), 1)],
        ),
    )


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "give the name"),
        ("  ", "give the name"),
        ("a\0.csv", "give the name"),
        ("refs.txt", r"end the name in \.jsonl"),
        ("refs", r"end the name in \.jsonl"),
        ("STACK/x.csv", "directory of the stack"),
        ("STACK/../reftable/x.jsonl", "directory of the stack"),
    ],
)
def test_a_path_that_will_not_do_is_refused_in_words(stack: Path, typed: str, reason: str) -> None:
    with pytest.raises(ExportError, match=reason):
        check_export_path(typed.replace("STACK", str(stack)), stack)


def entries(stack: Path) -> list[Any]:
    with Stack.open(stack, read_only=True) as opened:
        return [list(opened.merged.ref_origins()), list(opened.merged.log_origins())]


def test_json_lines_are_those_of_the_verbs(stack: Path, tmp_path: Path) -> None:
    for verb, batches in zip(("refs", "logs"), entries(stack), strict=True):
        path = tmp_path / f"{verb}.jsonl"
        written = export_rows(path, batches, lambda _rows: None)
        assert path.read_bytes() == ok(verb, stack, "--json").out
        assert written == len(path.read_bytes().splitlines())


def test_csv_has_the_same_fields_and_the_stored_bytes(stack: Path, tmp_path: Path) -> None:
    refs, logs = entries(stack)
    export_rows(tmp_path / "refs.csv", refs, lambda _rows: None)
    export_rows(tmp_path / "logs.csv", logs, lambda _rows: None)
    assert b"refs/heads/caf\xe9," in (tmp_path / "refs.csv").read_bytes()
    with (tmp_path / "refs.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["name", "update_index", "type", "value", "peeled", "target", "table"]
    assert (rows[0]["target"], rows[0]["value"]) == (branch(1).decode(), "")
    assert (rows[-1]["value"], rows[-1]["peeled"]) == (oid(1).hex(), oid(2).hex())
    with (tmp_path / "logs.csv").open(encoding="utf-8", newline="") as file:
        messages = [row["message"] for row in csv.DictReader(file)]
    assert messages[0] == LONG.decode()


def test_a_file_that_exists_is_not_written_to(stack: Path, tmp_path: Path) -> None:
    path = tmp_path / "refs.csv"
    path.write_text("mine")
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "nowhere.csv")
    for taken in (path, link):
        with pytest.raises(FileExistsError):
            export_rows(taken, entries(stack)[0], lambda _rows: None)
    assert path.read_text() == "mine"
    assert not (tmp_path / "nowhere.csv").exists()


def test_what_was_not_finished_is_removed(stack: Path, tmp_path: Path) -> None:
    def cancel(_rows: int) -> None:
        raise Cancelled

    def broken() -> Iterator[Any]:
        yield entries(stack)[0][0]
        raise OSError("cut")

    with pytest.raises(Cancelled):
        export_rows(tmp_path / "refs.csv", entries(stack)[0], cancel)
    with pytest.raises(OSError, match="cut"):
        export_rows(tmp_path / "refs.jsonl", broken(), lambda _rows: None)
    assert [path.name for path in tmp_path.iterdir()] == ["stack"]


async def wait(pilot: Pilot[Any]) -> None:
    for _ in range(3):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def test_the_rows_of_a_list_are_exported_filtered_and_in_their_order(stack: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    before = sorted((entry.name, entry.stat().st_mtime_ns) for entry in stack.iterdir())

    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        await press(pilot, "slash")
        await enter(pilot, "branch-000000")
        await press(pilot, "enter", "S", "E")
        assert isinstance(app.screen, ExportScreen)
        assert "11 refs" in "\n".join(shown_lines(app))
        app.screen.query_one(Input).value = str(path)
        await pilot.press("enter")
        await wait(pilot)
        assert not isinstance(app.screen, ExportScreen)
        assert f"11 refs in {path}"[:20] in " ".join(notice.message for notice in app._notifications)
        await press(pilot, "E")
        app.screen.query_one(Input).value = str(path)
        await pilot.press("enter")
        await wait(pilot)
        assert "there is such a file already" in "\n".join(shown_lines(app))
        await press(pilot, "escape")
        assert not isinstance(app.screen, ExportScreen)

    with_panes(stack, steps)
    exported = [json.loads(line)["name"] for line in path.read_text().splitlines()]
    assert exported == [
        *(branch(number).decode() for number in range(9, -1, -1)),
        "HEAD",
    ]  # which names one of them
    assert sorted((entry.name, entry.stat().st_mtime_ns) for entry in stack.iterdir()) == before


def test_what_can_be_copied_of_a_ref_and_of_a_log_entry(stack: Path) -> None:
    with Stack.open(stack, read_only=True) as opened:
        table = opened.tables[0]
        tag = opened.read_ref(b"refs/tags/v1")
        head = opened.read_ref(b"HEAD")
        entry = opened.read_log(branch(1))
        assert tag is not None
        assert head is not None
        assert entry is not None
        choices = dict(copy_choices(RefRow(tag, 0), table))
        assert choices["name"] == "refs/tags/v1"
        assert (choices["object id"], choices["peeled id"]) == (oid(1).hex(), oid(2).hex())
        assert json.loads(choices["row as JSON"])["table"] == table.name
        assert choices["table:offset"] == f"{table.name}:0"
        assert dict(copy_choices(RefRow(head, 0), table))["target"] == branch(1).decode()
        cut = LogRecord(branch(1), 1, entry.old, entry.new, message=b"cut")
        choices = dict(copy_choices(LogRow(cut, 0), table))
        assert choices["message"] == LONG.rstrip(b"\n").decode()
        assert json.loads(choices["row as JSON"])["message"] == LONG.decode()
        assert choices["table:offset"] == f"{table.name}:{table.footer.log_offset}"


def test_a_choice_goes_to_the_clipboard_and_is_told(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: PaneApp) -> None:
        await press(pilot, "f")
        await enter(pilot, "refs/heads/c")
        await press(pilot, "enter", "y")
        await wait(pilot)
        assert isinstance(app.screen, CopyScreen)
        await pilot.press("j", "k", "enter")
        await settle(pilot)
        assert app.clipboard == r"refs/heads/caf\xe9"
        (notice,) = app._notifications
        assert (notice.title, notice.message) == ("Copied: name", r"refs/heads/caf\xe9")
        await press(pilot, "y")
        await wait(pilot)
        assert app.screen.query_one(VirtualList).source.count == 4
        await press(pilot, "escape")
        assert not isinstance(app.screen, CopyScreen)

    with_panes(stack, steps)
