"""A stack without HEAD, or with one that names no branch: what fsck and Health offer, and git says then."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.format import RefRecord
from engine.stack import Stack, StackOptions
from inspector.actions import RepairAction, plan_and_run
from inspector.rows import OutcomeRows
from inspector.tui import InspectorApp
from inspector.tui.screens.add import AddScreen
from inspector.tui.screens.plan import Phase
from inspector.tui.widgets.health_pane import HealthPane
from tests.support.actions import confirm, leave, phase, until, workplace
from tests.support.cli import ROOT, run
from tests.support.findings import codes
from tests.support.git import Repository
from tests.support.screens import drive, open_session, press


def put_head(repo: Repository, target: bytes | None = None) -> None:
    """Have HEAD name this; without, delete it, as where the table that had it is gone."""
    with Stack.open(repo.reftable, StackOptions(auto_compact=False)) as stack:
        head = RefRecord(b"HEAD", stack.next_update_index, target=target)
        stack.add(lambda writer: writer.add_ref(head))


def last_line(repo: Repository, default: str = "") -> str:
    """What fsck says last where init.defaultBranch is this."""
    number = int(repo.runner.environment["GIT_CONFIG_COUNT"])
    more = {
        "GIT_CONFIG_COUNT": str(number + 1),
        f"GIT_CONFIG_KEY_{number}": "init.defaultBranch",
        f"GIT_CONFIG_VALUE_{number}": default,
    }
    done = run("fsck", repo.path, env={**repo.runner.environment, **more})
    assert b"fix: write HEAD as a symbolic ref to a branch (add)" in done.out
    return done.err.splitlines()[-1].partition("what writes HEAD: ")[2]


def type_in(line: str, repo: Repository) -> None:
    program = f"| {shlex.quote(sys.executable)} -m inspector "
    typed = line.replace("| reftable-inspector ", program)
    assert typed != line
    environment = {**os.environ, **repo.runner.environment}
    subprocess.run(["/bin/sh", "-c", typed], check=True, cwd=ROOT, env=environment)


@pytest.mark.parametrize(
    ("default", "branches", "expected"),
    [
        ("trunk", ["main", "trunk"], "trunk"),
        ("trunk", ["main", "other"], "main"),
        ("", ["master", "other"], "master"),
        ("", ["it's"], "it's"),
        ("trunk", ["one", "two"], None),
    ],
)
def test_the_last_line_of_fsck_writes_a_missing_head_to_the_branch_it_most_likely_named(
    repo: Repository, default: str, branches: list[str], expected: str | None
) -> None:
    commit = repo.commit()
    for name in branches:
        repo.git("update-ref", f"refs/heads/{name}", commit.hex())
    if "main" not in branches:
        repo.git("update-ref", "-d", "refs/heads/main")
    put_head(repo)
    line = last_line(repo, default)
    if expected is None:
        assert line.startswith("echo 'symref-create HEAD refs/heads/BRANCH' | reftable-inspector add ")
    else:
        type_in(line, repo)
        assert repo.git("symbolic-ref", "HEAD").stdout.decode() == f"refs/heads/{expected}\n"
        assert codes(repo.reftable) == []


def test_the_last_line_of_fsck_has_a_head_that_names_no_branch_name_one(repo: Repository) -> None:
    repo.commit()
    put_head(repo, b"refs/tags/v1")
    type_in(last_line(repo), repo)
    assert repo.git("symbolic-ref", "HEAD").stdout == b"refs/heads/main\n"
    assert codes(repo.reftable) == []


@pytest.mark.parametrize(
    ("target", "keys"),
    [(None, ["enter"]), (None, ["l", "enter"]), (b"refs/tags/v1", ["l", "j", "enter"])],
)
def test_a_finding_about_head_leads_to_the_form_that_writes_it(
    repo: Repository, target: bytes | None, keys: list[str]
) -> None:
    repo.commit()
    put_head(repo, target)

    async def steps(pilot: Pilot[Any]) -> None:
        screen = pilot.app.screen
        await press(pilot, "5", "v")
        pane = screen.query_one(HealthPane)
        await until(pilot, lambda: pane.known.is_checked)
        await press(pilot, *keys)
        await until(pilot, lambda: isinstance(pilot.app.screen, AddScreen))
        assert pilot.app.screen.query_one("#new", Input).value == "refs/heads/main"
        await press(pilot, "enter")
        await phase(pilot, Phase.PLANNED)
        await confirm(pilot)
        await phase(pilot, Phase.DONE)

    place = workplace(repo.path)
    with open_session(place.directory) as session:
        drive(InspectorApp(session, place), steps)
    assert repo.git("symbolic-ref", "HEAD").stdout == b"refs/heads/main\n"


def test_what_a_repair_leaves_that_is_of_no_file_is_told_without_one(repo: Repository) -> None:
    repo.commit()
    put_head(repo)
    leave(repo.reftable, "tables.list.lock")
    with OutcomeRows() as store:
        _, result = plan_and_run(RepairAction(workplace(repo.path), store), lambda _: None)
    assert result is not None
    assert result.warnings == ("left: no table has a HEAD, or the newest one deletes it",)
