"""Without what only POSIX has, and where open files stay where they are, the engine does the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.operations import drawing, prepare

ROOT = Path(__file__).parents[2]


def run(how: str, work: str, *args: str | Path) -> None:
    """Do a work of `tests.support.without_posix` in a process of its own."""
    command = [sys.executable, "-m", "tests.support.without_posix", how, work, *args]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def tree(parent: Path) -> dict[str, object]:
    """All that lies there, but for when it was written."""
    found: dict[str, object] = {}
    for path in sorted(parent.rglob("*")):
        if path.is_file():
            content: object = path.read_bytes()
            if path.name == "manifest.json":
                content = json.loads(path.read_bytes())
                del content["modified"]
            found[str(path.relative_to(parent))] = content
    return found


def test_every_operation_leaves_the_same_bytes(tmp_path: Path) -> None:
    trees = []
    for how in ("plain", "pretended"):
        (tmp_path / how).mkdir()
        run(how, "operations", tmp_path / how)
        trees.append(tree(tmp_path / how))
    plain, pretended = trees
    assert len(plain) > 300
    assert [name for name in {**plain, **pretended} if plain.get(name) != pretended.get(name)] == []


def test_a_table_that_is_read_stays_until_nobody_reads_it(tmp_path: Path) -> None:
    with drawing("held"):  # of tables with the same range, the stale one comes first
        directory = prepare(tmp_path)
    run("pretended", "held", directory)


def test_a_reader_of_the_list_is_waited_for_and_a_change_that_cannot_be_made_is_not(tmp_path: Path) -> None:
    run("pretended", "busy", prepare(tmp_path))


def test_a_change_that_is_interrupted_is_known_to_be_made(tmp_path: Path) -> None:
    run("pretended", "interrupted", prepare(tmp_path))


def test_a_lock_is_removed_unless_a_process_has_it_open(tmp_path: Path) -> None:
    run("pretended", "stale_lock", prepare(tmp_path))


def test_no_name_leads_out_of_the_directory(tmp_path: Path) -> None:
    run("pretended", "names", tmp_path)


def test_an_export_takes_the_place_of_an_empty_directory(tmp_path: Path) -> None:
    run("pretended", "exported", prepare(tmp_path), tmp_path / "copy")


@pytest.mark.parametrize("how", ["plain", "pretended"])
def test_threads_read_at_any_place_at_once(tmp_path: Path, how: str) -> None:
    run(how, "threads", tmp_path)
