"""What a verb imports before it does anything: what it does not need costs each run of it.

How long a start takes is for tests/benchmarks to say; modules can be counted on any machine.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.git import Git

ROOT = Path(__file__).parents[1]

# Of the standard library, what only a part of the verbs needs: processes, and what tempfile drags in.
PROCESSES = {"subprocess", "multiprocessing", "socket", "selectors"}
FILES = {"tempfile", "shutil", "random"}
DIGESTS = {"hashlib", "hmac", "secrets"}  # which load OpenSSL
JSON = {"inspector.text.as_json"}  # which imports json, as this test does
SCREENS = {"textual", "rich", "platformdirs", "regex", "inspector.tui.app", "inspector.demo.sound"}
CHANGES = {
    "engine.repair.plan",
    "engine.snapshot.snapshot",
    "engine.stack.stack",
    "engine.update.transaction",
    "engine.update.commands",
    "inspector.actions.base",
    "inspector.cli.add",
    "inspector.cli.changes",
    "inspector.text.plans",
}
ADDING = {"engine.stack.addition", "engine.update.transaction", "inspector.actions.adding"}
COUNTING = {"engine.stack.stats"}  # what only a handle that changes a stack has
COMPACTION = {"engine.merge.compaction", "engine.stack.compactor", "inspector.actions.merging"}
CLEANING = {"engine.stack.cleaning", "engine.stack.unlisted", "engine.merge.difference"}
REPAIRING = {"engine.repair.execute", "engine.salvage.scan", "inspector.rows.outcome_rows"}
SNAPSHOTS = {"engine.snapshot.snapshot", "inspector.actions.undoing"}
DAMAGE = {"engine.fsck.faults", "engine.layout.span", "engine.salvage.scan", "inspector.cli.fsck"}
HOOK = {"engine.update.hook"}  # what few repositories have
BESIDE = {"engine.fsck.beside", "engine.stack.holders", "engine.stack.unlisted"}  # what a stack may have
DAMAGED = {
    "engine.repair.damaged",
    "engine.repair.judging",
    "engine.repair.originals",
    "engine.repair.restoring",
    "engine.salvage.gaps",
    "engine.snapshot.manifest",
}
MANY = {"engine.git.searching", "inspector.cli.survey", "inspector.cli.workers"}

LOOKING = COUNTING | PROCESSES | FILES | DIGESTS | JSON | {"shlex"} | SCREENS | CHANGES | DAMAGE | MANY

COMPACTING = FILES | DIGESTS | JSON | SCREENS | MANY | DAMAGE
COMPACTING |= CHANGES - {
    "engine.stack.stack",
    "inspector.actions.base",
    "inspector.cli.changes",
    "inspector.text.plans",
}
COMPACTING |= {"inspector.cli.repair"} | ADDING | SNAPSHOTS

# What each verb must not import, run on a sound stack.
FORBIDDEN = {
    "tables": LOOKING
    | {"engine.git.refs", "engine.git.joint", "engine.merge.policy", "inspector.model.view"},
    "segments": LOOKING - PROCESSES | ADDING | COMPACTION | CLEANING,
    "refs": LOOKING | {"inspector.model.view"},
    "logs": LOOKING | {"inspector.model.view"},
    "print": LOOKING | {"inspector.model.view"},
    "trace": LOOKING | {"inspector.model.view", "inspector.rows.row_filter"},
    "resolve": LOOKING,
    "layout": LOOKING - {"engine.layout.span"},
    "fsck": COUNTING
    | HOOK
    | FILES
    | DIGESTS
    | JSON
    | SCREENS
    | CHANGES
    | MANY
    | BESIDE
    | {"inspector.model.health", "inspector.model.view", "inspector.rows.row_filter", "engine.git.joint"},
    "snapshots": LOOKING - {"engine.snapshot.snapshot"} | {"inspector.actions.undoing"},
    "export": (
        COUNTING
        | PROCESSES
        | HOOK
        | FILES
        | DIGESTS
        | {"shutil", "inspector.actions.base", "inspector.actions.repairing", "engine.repair.log_outcome"}
        | JSON
        | SCREENS
        | MANY
        | ADDING
        | COMPACTION
        | BESIDE
        | DAMAGED
        | {"sqlite3", "engine.repair.execute", "engine.salvage.builder", "engine.salvage.scan"}
        | {"engine.export.anonymous", "inspector.cli.anonymize"}
        | {"engine.fsck.repository", "engine.repair.repository"}
    ),
    "survey": PROCESSES
    | FILES
    | DIGESTS
    | JSON
    | SCREENS
    | CHANGES
    | DAMAGE - {"engine.fsck.faults"}
    | {"engine.fsck.table", "inspector.cli.metrics", "inspector.cli.workers", "inspector.model.health"},
    "undo": PROCESSES | FILES | JSON | SCREENS | MANY | DAMAGE | ADDING | COMPACTION | CLEANING,
    "repair": COUNTING
    | HOOK
    | FILES
    | DIGESTS
    | JSON
    | SCREENS
    | MANY
    | ADDING
    | COMPACTION
    | BESIDE
    | DAMAGED
    | {"sqlite3", "engine.repair.execute", "engine.salvage.builder", "engine.salvage.scan"},
    "compact": COMPACTING | CLEANING | {"engine.stack.compactor", "inspector.actions.expiring"},
    "expire": COMPACTING | CLEANING | {"engine.stack.compactor", "inspector.actions.compacting"},
    "clean": COMPACTING | COMPACTION,
    "add": HOOK
    | FILES
    | DIGESTS
    | JSON
    | SCREENS
    | MANY
    | DAMAGE
    | CLEANING
    | REPAIRING
    | COMPACTION
    | SNAPSHOTS,
    "--version": PROCESSES | FILES | SCREENS | CHANGES | DAMAGE | MANY,
}
ARGUMENTS = {
    "trace": ["trace", "HEAD", "."],
    "resolve": ["resolve", "HEAD"],
    "export": ["export", ".", "copy"],
    "repair": ["repair", "."],
    "undo": ["undo", "--dry-run"],
    "add": ["add", "--dry-run", "."],
    "compact": ["compact", "--dry-run", "."],
    "expire": ["expire", "--dry-run", "."],
    "clean": ["clean", "--dry-run", "."],
    "--version": ["--version"],
}

# All in one process, each verb in a child of its own that tells what it has imported.
_PROGRAM = """
import gc, json, os, sys
for verb, words in json.loads(sys.argv[1]).items():
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.argv = ["reftable-inspector", *words]
        looked = sum(one["collections"] for one in gc.get_stats())
        from inspector.cli import main
        try:
            main()
        except SystemExit as end:
            code = end.code
        finally:
            garbage = [sum(one["collections"] for one in gc.get_stats()) - looked, len(gc.get_objects())]
            os.write(writing, json.dumps([sorted(sys.modules), garbage, code]).encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        print(json.dumps([verb, json.load(told)]))
"""


Told = tuple[list[str], tuple[int, int], int]


@pytest.fixture(scope="module")
def told(git: Git, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """What each verb has imported, how often it looked for garbage, where it still would; its exit code."""
    repo = git.init(tmp_path_factory.mktemp("start") / "repo")
    oid = repo.commit().hex()
    words = {verb: ARGUMENTS.get(verb, [verb, "."]) for verb in FORBIDDEN}
    for ref, program in (
        ("undone", ["-m", "inspector", "add"]),
        ("new", ["-c", _PROGRAM, json.dumps(words)]),
    ):
        done = subprocess.run(
            [sys.executable, *program],
            cwd=repo.path,
            env={**git.environment, "PYTHONPATH": str(ROOT), "REFTABLE_GIT": git.program},
            input=f"create refs/heads/{ref} {oid}\n".encode(),
            capture_output=True,
            check=True,
        )
    return dict(map(json.loads, done.stdout.splitlines()))


@pytest.fixture(scope="module")
def imported(told: dict[str, Told]) -> dict[str, set[str]]:
    """The modules that each verb has imported at its end."""
    return {verb: set(modules) for verb, (modules, *_) in told.items()}


@pytest.mark.parametrize("verb", FORBIDDEN)
def test_a_verb_imports_only_what_it_needs(
    verb: str, told: dict[str, Told], imported: dict[str, set[str]]
) -> None:
    assert told[verb][2] == 0
    assert "inspector.cli.entry" in imported[verb]
    assert imported[verb] & FORBIDDEN[verb] == set()


@pytest.mark.parametrize("verb", FORBIDDEN)
def test_what_imports_make_is_not_looked_through_for_garbage(verb: str, told: dict[str, Told]) -> None:
    _, (looked, left), _ = told[verb]
    assert looked < 10  # three or four times as often while imports were looked through
    assert left < 100  # for the end of Python


def test_an_applied_repair_is_told_without_importing_what_takes_it_back(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    (name,) = (repo.reftable / "tables.list").read_text().split()
    shutil.copy(repo.reftable / name, repo.reftable / f"{name[:-12]}00000001.ref")  # a compaction left it
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps({"repair": ["repair", "--apply", "."]})],
        cwd=repo.path,
        env={**git.environment, "PYTHONPATH": str(ROOT), "REFTABLE_GIT": git.program},
        capture_output=True,
        check=True,
    )
    _, (modules, _, code) = json.loads(done.stdout)
    assert (code, b"to take it back: reftable-inspector undo" in done.stderr) == (0, True)
    assert {"engine.repair.execute", "engine.snapshot.snapshot"} <= set(modules)
    assert "inspector.actions.undoing" not in modules


def test_the_engine_alone_is_imported_without_its_wings() -> None:
    program = "import engine, sys; print(sorted(name for name in sys.modules if name.startswith('engine')))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert done.stdout == "['engine', 'engine.lazy']\n"


def test_snapshots_are_listed_without_json_where_there_are_none(tmp_path: Path) -> None:
    program = (
        "import sys; from engine.snapshot import list_snapshots; list_snapshots('.'); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert "engine.snapshot.manifest" in done.stdout
    assert "json" not in done.stdout


def test_the_main_screen_is_imported_without_those_that_lie_on_top_of_it() -> None:
    program = "import inspector.tui.app, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True
    )
    imported = set(done.stdout.split())
    kinds = ("add", "compact", "dialog", "form", "plan", "history", "picker")
    dialogs = {f"inspector.tui.screens.{kind}" for kind in kinds}
    needed_there = {
        "engine.repair.execute",
        "engine.repair.plan",
        "engine.update.transaction",
        "hashlib",
        "csv",
    }
    needed_there |= {"engine.merge.compaction", "engine.salvage.scan", "engine.snapshot.manifest", "tomllib"}
    other_tabs = {
        f"inspector.tui.widgets.{name}" for name in ("block_pane", "compaction_pane", "health_pane")
    }
    needed_there |= other_tabs | {"inspector.model.layout_reader", "inspector.model.what_if"}
    assert "inspector.tui.screens.main" in imported
    assert (
        imported & (dialogs | needed_there | {"textual.widgets._text_area", "inspector.actions.adding"})
        == set()
    )


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["tables"], []),
        (["refs"], []),
        (["refs", "--sort=-refname", "--format=%(refname)"], []),
        (["refs", "--format=%(refname:short)"], ["config"]),
        (["resolve", "HEAD"], []),
        (["export", ".", "copy"], []),
        (["fsck"], ["config"]),
        (["compact", "--all"], ["config"]),
        (["repair", "--apply"], ["config"]),
        (["add"], ["config", "cat-file"]),
    ],
    ids=lambda value: " ".join(value) or "nothing",
)
def test_git_is_started_only_for_what_it_alone_knows(
    git: Git, tmp_path: Path, words: list[str], asked: list[str]
) -> None:
    repo = git.init(tmp_path / "repo")
    oid = repo.commit().hex()
    told, program = tmp_path / "told", tmp_path / "git"
    program.write_text(f'#!/bin/sh\necho "$1" >>"{told}"\nexec "{git.program}" "$@"\n')
    program.chmod(0o755)
    told.touch()
    subprocess.run(
        [sys.executable, "-m", "inspector", *words],
        cwd=repo.path,
        env={**git.environment, "PYTHONPATH": str(ROOT), "REFTABLE_GIT": str(program)},
        input=f"create refs/heads/new {oid}\n".encode(),
        capture_output=True,
        check=True,
    )
    assert told.read_text().split() == asked
