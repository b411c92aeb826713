"""Without what only POSIX has, and where open files stay where they are, the engine does the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.operations import drawing, prepare, ruin

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


@pytest.mark.parametrize(
    "work",
    [
        "held",
        "held_by_another_writer",
        "held_at_repair_and_undo",
        "put_back",
        "failing",
        "busy",
        "interrupted",
        "stale_lock",
    ],
)
def test_what_is_open_is_in_no_way(tmp_path: Path, work: str) -> None:
    with drawing(work):  # of tables with the same range, the stale one comes first
        directory = prepare(tmp_path)
    if work == "held_at_repair_and_undo":
        ruin(directory)
    run("pretended", work, directory)


def test_no_name_leads_out_of_the_directory(tmp_path: Path) -> None:
    run("pretended", "names", tmp_path)


def test_an_export_takes_the_place_of_an_empty_directory(tmp_path: Path) -> None:
    run("pretended", "exported", prepare(tmp_path), tmp_path / "copy")


@pytest.mark.parametrize("how", ["plain", "pretended"])
def test_threads_read_at_any_place_at_once(tmp_path: Path, how: str) -> None:
    run(how, "threads", tmp_path)
