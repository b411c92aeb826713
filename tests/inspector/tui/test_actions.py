"""Changing a stack from the screen: plan, confirmation, progress, result, and what may come in between."""

from __future__ import annotations

import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from engine.format import RefRecord
from engine.merge import CompactionPlan
from engine.progress import Progress, ProgressCallback
from engine.stack import Stack, StackOptions
from inspector.actions import (
    Action,
    AddAction,
    CleanAction,
    CompactAction,
    ExpireAction,
    Plan,
    RefusedError,
    Result,
    TableRange,
    Workplace,
    run,
)
from inspector.tui.screens.dialog import ConfirmScreen
from inspector.tui.screens.plan import ActionScreen, Phase
from tests.support import cli
from tests.support.actions import (
    NOW,
    ActionApp,
    act,
    confirm,
    held_lock,
    journal,
    lines,
    phase,
    sentence,
    until,
    warnings,
    workplace,
)
from tests.support.git import DATE, Git, Repository
from tests.support.screens import branch, branches, log, make_stack
from tests.support.stacks import listed
from tests.support.tables import oid, stack_files
from tests.support.thinning import thinned

ORPHAN = "0x000000000001-0x000000000001-0badcafe.ref"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Four tables with superseded versions, a tombstone and logs, an orphan and a file of the user's own."""
    directory = make_stack(
        tmp_path / "a place" / "it's" / "reftable",
        ([RefRecord(b"HEAD", 1, target=branch(1)), *branches(40)], [log(branch(1), 1)]),
        ([RefRecord(branch(1), 2, oid(91))], [log(branch(1), 2)]),
        ([RefRecord(branch(2), 3), RefRecord(branch(1), 3, oid(92))], [log(branch(1), 3)]),
        ([RefRecord(branch(3), 4, oid(93))], [log(branch(3), 4)]),
    )
    (directory / ORPHAN).write_bytes((directory / listed(directory)[0]).read_bytes())
    (directory / "notes.txt").write_text("mine")
    return directory


def records(directory: Path) -> tuple[list[Any], list[Any], list[bytes]]:
    """The refs and logs of a stack, and the bytes of its tables without their names."""
    with Stack.open(directory, read_only=True) as opened:
        tables = [(directory / table.name).read_bytes() for table in opened.tables]
        return list(opened.refs()), list(opened.logs()), tables


def middle(place: Workplace) -> CompactAction:
    tables = TableRange(1, 3, tuple(listed(place.directory)[1:3]))
    return CompactAction(place, tables)


def create(place: Workplace) -> AddAction:
    return AddAction(place, f"create refs/heads/new {'12' * 20}\n".encode(), "it's said")


ACTIONS: dict[str, Callable[[Workplace], Action[Any]]] = {
    "all": lambda place: CompactAction(place, "all"),
    "log2": lambda place: CompactAction(place, "log2"),
    "geometric": lambda place: CompactAction(place, "geometric", 3),
    "range": middle,
    "expire-by-time": lambda place: ExpireAction(place, before=1_700_000_000 + 3600 * 3),
    "expire-by-index": lambda place: ExpireAction(place, min_update_index=3),
    "expire-by-both": lambda place: ExpireAction(place, 1_700_000_000 + 3600 * 2, 4),
    "clean": CleanAction,
    "add": create,
}
every_action = pytest.mark.parametrize("make", ACTIONS.values(), ids=ACTIONS.keys())


@every_action
def test_the_plan_is_that_of_the_verb_changes_nothing_and_is_what_is_done(
    make: Callable[[Workplace], Action[Any]], stack: Path
) -> None:
    before = stack_files(stack)
    action = make(workplace(stack))

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        assert stack_files(stack) == before
        planned = lines(screen)
        if not isinstance(action, AddAction):
            _, *words = shlex.split(action.command_line)
            assert cli.ok(*words, "--dry-run").out.decode().splitlines() == planned
        screen.action_again()
        await phase(pilot, Phase.DONE)
        assert sentence(screen).startswith("Done")
        if not isinstance(action, AddAction):
            done = [line.split() for line in lines(screen)]
            for line, found in zip(map(str.split, planned), done, strict=True):
                assert found == line or ("(new)" in line and found[:2] == line[:2])
        screen.action_leave()
        await pilot.pause()
        assert app.answers == [True]

    act(ActionScreen(action, journal()), steps)
    assert stack_files(stack) != before


@pytest.mark.parametrize("kind", thinned(reversed(ACTIONS), 3))  # the first is the one with most to quote
def test_the_command_line_of_the_journal_does_the_same_in_a_shell(
    kind: str, stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_NAME", "A U Thor")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "author@example.com")
    monkeypatch.setenv("GIT_COMMITTER_DATE", DATE)
    shutil.copytree(stack, tmp_path / "copy")
    action = ACTIONS[kind](workplace(stack))
    run(action, action.plan(lambda _: None), lambda _: None)
    by_screen, files = records(stack), len(stack_files(stack))
    shutil.rmtree(stack)
    shutil.copytree(tmp_path / "copy", stack)
    assert records(stack) != by_screen or len(stack_files(stack)) != files
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", action.command_line],  # as a user would paste it
        env={**os.environ, "PATH": path},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert records(stack) == by_screen
    assert len(stack_files(stack)) == files


def test_what_was_confirmed_is_done_and_kept_in_the_journal(stack: Path) -> None:
    kept = journal()
    action = CompactAction(workplace(stack), "all")

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        await phase(pilot, Phase.PLANNED)
        await confirm(pilot)
        await phase(pilot, Phase.DONE)
        await pilot.press("y", "escape")
        assert app.answers == [True]
        assert app.copied == [action.command_line]

    act(ActionScreen(action, kept), steps)
    assert len(listed(stack)) == 1
    [entry] = kept.entries
    assert (entry.time, entry.title, entry.ending) == (NOW, "Compact all tables", "done")
    assert entry.command == action.command_line


def test_the_confirmation_has_the_keys_on_cancel(stack: Path) -> None:
    before = stack_files(stack)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        await pilot.press("enter")
        assert isinstance(app.screen, ConfirmScreen)
        assert isinstance(app.focused, Button)
        assert str(app.focused.label) == "Cancel"
        await pilot.press("enter")
        assert app.screen is screen
        await pilot.press("enter", "escape")
        assert screen.phase is Phase.PLANNED
        await pilot.press("escape")
        assert app.answers == [False]

    kept = journal()
    act(ActionScreen(CompactAction(workplace(stack), "all"), kept), steps)
    assert stack_files(stack) == before
    assert kept.entries == []


class Held(CompactAction):
    """Waits at its first report until it is told to go on."""

    started = threading.Event()
    go_on = threading.Event()

    def apply(self, plan: Plan[CompactionPlan], progress: ProgressCallback) -> Result:
        def report(done: Progress) -> None:
            self.started.set()
            assert self.go_on.wait(60)
            progress(done)

        return super().apply(plan, report)


def test_what_is_stopped_while_it_is_applied_leaves_every_file_as_it_was(stack: Path) -> None:
    before = stack_files(stack)
    kept = journal()
    Held.started.clear()
    Held.go_on.clear()

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        await confirm(pilot)
        await until(pilot, Held.started.is_set)
        assert screen.phase is Phase.APPLYING
        assert set(stack_files(stack)) > set(before)  # locks, and a table half written
        await pilot.press("escape")
        assert screen.phase is Phase.APPLYING
        Held.go_on.set()
        await phase(pilot, Phase.FAILED)
        assert stack_files(stack) == before
        assert sentence(screen) == "Stopped before anything was changed."
        assert "The stack is as it was" in lines(screen)[-1]
        await pilot.press("escape")
        assert app.answers == [False]

    act(ActionScreen(Held(workplace(stack), "all"), kept), steps)
    assert [entry.ending for entry in kept.entries] == ["stopped"]


def test_leaving_the_program_while_it_works_leaves_every_file_as_it_was(stack: Path) -> None:
    before = stack_files(stack)
    Held.started.clear()
    Held.go_on.clear()

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        screen.action_again()
        await until(pilot, Held.started.is_set)
        app.exit()
        app.call_later(Held.go_on.set)
        await until(pilot, lambda: stack_files(stack) == before)

    try:
        act(ActionScreen(Held(workplace(stack), "all"), journal()), steps)
    finally:
        Held.go_on.set()
    assert stack_files(stack) == before


class HeldPlan(CompactAction):
    """Waits while it plans."""

    started = threading.Event()
    go_on = threading.Event()
    ended = threading.Event()

    def plan(self, progress: ProgressCallback) -> Plan[CompactionPlan]:
        def report(done: Progress) -> None:
            self.started.set()
            assert self.go_on.wait(60)
            progress(done)

        try:
            return super().plan(report)
        except BaseException:
            self.ended.set()
            raise


def test_leaving_while_the_plan_is_made_stops_the_work(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        await until(pilot, HeldPlan.started.is_set)
        await pilot.press("escape")
        assert app.answers == [False]
        HeldPlan.go_on.set()
        await until(pilot, HeldPlan.ended.is_set)

    act(ActionScreen(HeldPlan(workplace(stack), "all"), journal()), steps)


def test_a_lock_is_explained_and_tried_again_when_it_is_gone(stack: Path) -> None:
    before = stack_files(stack)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        with held_lock(stack / "tables.list") as pid:
            await confirm(pilot)
            await phase(pilot, Phase.FAILED)
            said = "\n".join(lines(screen))
            assert sentence(screen) == "The stack is locked."
            assert re.search(r"There is a file tables.list.lock, \d+s old", said)
            assert f"Process {pid} (python" in said
            assert "The stack is as it was" in said
            await pilot.press("R")
            await phase(pilot, Phase.FAILED)
        assert stack_files(stack) == before
        await pilot.press("R")
        await phase(pilot, Phase.DONE)

    kept = journal()
    act(ActionScreen(CompactAction(workplace(stack), "all"), kept), steps)
    assert [entry.ending for entry in kept.entries] == ["failed", "failed", "done"]


def test_the_lock_of_a_table_is_explained_as_such(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        lock = stack / f"{listed(stack)[2]}.lock"
        lock.touch()
        await confirm(pilot)
        await phase(pilot, Phase.FAILED)
        said = "\n".join(lines(screen))
        assert f"There is a file {lock.name}" in said
        assert "to compact this table" in said
        assert "No process that can be seen" in said
        assert str(lock) in said

    act(ActionScreen(CompactAction(workplace(stack), "all"), journal()), steps)


def git_stack(git: Git, path: Path) -> Repository:
    repo = git.init(path, auto_compaction=False)
    for number in range(4):
        repo.commit(f"commit {number}")
        repo.branch(f"branch-{number}")
    return repo


def alias(place: Workplace) -> AddAction:
    return AddAction(place, b"symref-create refs/heads/alias refs/heads/main\n")


@pytest.mark.parametrize("make", [ACTIONS["all"], alias])
def test_a_stack_that_changed_since_the_plan_is_planned_for_again(
    make: Callable[[Workplace], Action[Any]], git: Git, tmp_path: Path
) -> None:
    repo = git_stack(git, tmp_path / "repo")

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        planned = lines(screen)
        repo.git("pack-refs", "--all")
        repo.git("update-ref", "refs/heads/meanwhile", "HEAD")
        before = stack_files(repo.reftable)
        await confirm(pilot)
        await phase(pilot, Phase.FAILED)
        assert sentence(screen) == "The stack has changed since the plan was made."
        assert stack_files(repo.reftable) == before
        await pilot.press("R")
        await phase(pilot, Phase.PLANNED)
        assert lines(screen) != planned
        await confirm(pilot)
        await phase(pilot, Phase.DONE)

    act(ActionScreen(make(workplace(repo.path)), journal()), steps)
    assert b"refs/heads/meanwhile" in repo.refs()
    repo.git("refs", "verify")


def test_a_range_of_tables_that_are_gone_is_not_compacted(stack: Path) -> None:
    action = middle(workplace(stack))
    with Stack.open(stack) as other:
        other.compact(0, 2)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen = await phase(pilot, Phase.FAILED)
        assert "tables #1 to #2 are others by now" in lines(screen)[-1]

    act(ActionScreen(action, journal()), steps)


def test_read_only_refuses_every_action(stack: Path) -> None:
    before = stack_files(stack)
    for make in ACTIONS.values():
        plan = make(workplace(stack)).plan(lambda _: None)
        with pytest.raises(RefusedError, match="with --read-only: start without it to change the stack"):
            run(make(workplace(stack, read_only=True)), plan, lambda _: None)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        assert lines(screen), "the plan is shown"
        warning = "Nothing can be applied: opened with --read-only: start without it to change the stack"
        assert warning in str(screen._warnings.content)
        await pilot.press("enter", "R", "R")
        assert app.screen is screen
        assert screen.phase is Phase.PLANNED

    act(ActionScreen(CompactAction(workplace(stack, read_only=True), "all"), journal()), steps)
    assert stack_files(stack) == before


@pytest.mark.parametrize("is_own", [False, True])
def test_without_permission_the_reason_is_given_before_planning(is_own: bool) -> None:
    # Not in tmp_path, into which others than the owner cannot even look.
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        directory = make_stack(Path(parent, "reftable"), (branches(2), []))
        place = workplace(directory)
        directory.chmod(0o555)
        root = os.geteuid() == 0
        if not root and not is_own:
            pytest.skip("only root can have a directory of another user")
        if is_own and root:
            os.chown(directory, 65534, -1)
        if root:  # whom no permission stops
            os.seteuid(65534)
        whose = "it is yours, with mode 0555" if is_own else "it belongs to user 0, and you are user 65534"
        try:
            with pytest.raises(RefusedError, match=f"no permission to write in .*/reftable: {whose}"):
                place.require_writable()
        finally:
            if root:
                os.seteuid(0)
            directory.chmod(0o755)


def test_a_full_disk_leaves_the_stack_as_it_was_and_is_named(stack: Path) -> None:
    before = stack_files(stack)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # no file may be larger
        try:
            await confirm(pilot)
            await phase(pilot, Phase.FAILED)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert "The stack is as it was" in lines(screen)[-1]
        assert stack_files(stack) == before
        await pilot.press("R")
        await phase(pilot, Phase.PLANNED)

    act(ActionScreen(CompactAction(workplace(stack), "all"), journal()), steps)


def test_a_damaged_table_stops_the_plan_and_is_named(stack: Path) -> None:
    table = stack / listed(stack)[0]
    data = bytearray(table.read_bytes())
    data[28] ^= 0xFF  # how much of its key the first record shares with the one before it
    table.write_bytes(data)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen = await phase(pilot, Phase.FAILED)
        assert sentence(screen) == "A file of the stack is damaged."
        assert table.name in lines(screen)[0]
        assert "at byte" in lines(screen)[0]

    act(ActionScreen(CompactAction(workplace(stack), "all"), journal()), steps)


class Defective(CompactAction):
    def plan(self, progress: ProgressCallback) -> Plan[CompactionPlan]:  # noqa: ARG002
        raise ZeroDivisionError("\x1b[31mnot thought of")


def test_a_defect_of_an_action_is_shown_and_does_not_end_the_program(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        screen = await phase(pilot, Phase.FAILED)
        assert lines(screen) == [r"ZeroDivisionError: \x1b[31mnot thought of"]
        await pilot.press("escape")
        assert app.answers == [False]

    kept = journal()
    act(ActionScreen(Defective(workplace(stack), "all"), kept), steps)
    (entry,) = kept.entries
    assert "in plan" in entry.details
    assert "ZeroDivisionError" in entry.details


def test_nothing_to_do_is_said_and_cannot_be_confirmed(tmp_path: Path) -> None:
    directory = make_stack(tmp_path / "reftable", (branches(2), []))

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        assert sentence(screen).startswith("Nothing to")
        await pilot.press("enter")
        assert app.screen is screen

    for action in (CompactAction(workplace(directory), "all"), CleanAction(workplace(directory))):
        act(ActionScreen(action, journal()), steps)


def test_files_that_stay_are_named_with_the_reason(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen_app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        text = "\n".join(lines(screen))
        assert "1 file of" in sentence(screen)
        assert f"removed  {ORPHAN}" in text
        assert "no file of a stack" in text
        await confirm(pilot)
        await phase(pilot, Phase.DONE)
        assert screen_app.screen is screen

    act(ActionScreen(CleanAction(workplace(stack)), journal()), steps)
    assert not (stack / ORPHAN).exists()
    assert (stack / "notes.txt").exists()


def test_an_expiry_that_drops_nothing_says_so(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        assert "No reflog entry is old enough" in warnings(screen)

    act(ActionScreen(ExpireAction(workplace(stack), before=1), journal()), steps)


def test_a_range_that_leaves_older_tables_says_that_tombstones_stay(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        assert "Tombstones stay" in warnings(screen)

    act(ActionScreen(middle(workplace(stack)), journal()), steps)


def test_an_addition_shows_old_and_new_values_and_what_follows(git: Git, tmp_path: Path) -> None:
    repo = git_stack(git, tmp_path / "repo")
    old, new = repo.oid("HEAD"), repo.commit("one more")
    repo.branch("main-2", old.hex())
    commands = (
        f"update refs/heads/branch-3 {new.hex()} {old.hex()}\n"
        f"delete refs/heads/branch-0\ncreate refs/heads/new {'12' * 20}\n"
    )
    action = AddAction(workplace(repo.path), commands.encode(), "why")

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen = await phase(pilot, Phase.PLANNED)
        said = lines(screen)
        assert said[said.index("update refs/heads/branch-3") :][1:3] == [
            f"  old {old.hex()}",
            f"  new {new.hex()}",
        ]
        assert said[said.index("delete refs/heads/branch-0") :][2] == "  new none"
        assert said[said.index("create refs/heads/new") :][1] == "  old none"
        assert "reflog of refs/heads/branch-0: 1 entry deleted" in said
        assert "  msg why" in said
        assert warnings(screen) == f"! {'12' * 20}: the repository has no such object."
        [prediction] = [line for line in said if line.startswith("auto-compaction")]
        assert "will merge this table and the newest" in prediction
        count = len(listed(repo.reftable)) + 1
        await confirm(pilot)
        await phase(pilot, Phase.DONE)
        [outcome] = [line for line in lines(screen) if line.startswith("auto-compaction")]
        assert outcome == f"auto-compaction made {count} tables into {len(listed(repo.reftable))}"

    act(ActionScreen(action, journal()), steps)
    assert repo.oid("refs/heads/branch-3") == new
    assert b"refs/heads/branch-0" not in [record.name for record in records(repo.reftable)[0]]


@pytest.mark.parametrize(
    ("commands", "headline", "reason"),
    [
        (
            "update refs/heads/branch-1 {new} {zero}\n",
            "A ref does not hold the value",
            "expects that there is",
        ),
        ("create refs/heads/branch-1/below {new}\n", "git would refuse this.", "cannot exist together"),
        ("symref-create topic refs/heads/main\n", "git would refuse this.", "outside refs/"),
        ("create refs/heads/x HEAD~9\n", "This cannot be done.", "is not an object id"),
    ],
)
def test_what_git_would_refuse_is_refused_by_the_plan(
    commands: str, headline: str, reason: str, git: Git, tmp_path: Path
) -> None:
    repo = git_stack(git, tmp_path / "repo")
    filled = commands.format(new=repo.oid("HEAD").hex(), zero="0" * 40)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen = await phase(pilot, Phase.FAILED)
        assert sentence(screen).startswith(headline)
        assert reason in lines(screen)[0]

    act(ActionScreen(AddAction(workplace(repo.path), filled.encode()), journal()), steps)


def test_the_stack_of_a_linked_worktree_is_named_on_the_command_line(git: Git, tmp_path: Path) -> None:
    repo = git_stack(git, tmp_path / "repo")
    commit = repo.oid("HEAD").hex()
    repo.git("worktree", "add", "-q", "-b", "side", tmp_path / "linked")
    linked = workplace(tmp_path / "linked")
    found = workplace(repo.path)
    location = next(place for place in found.repository.stacks if place.name == "linked")  # type: ignore[union-attr]
    chosen = Workplace(location.directory, found.options, found.repository)
    assert chosen.directory == linked.directory
    for place, words in (
        (chosen, ["--worktree", "linked", str(repo.path)]),
        (linked, [str(tmp_path / "linked")]),
    ):
        action = AddAction(place, f"update refs/worktree/mine {commit}\n".encode())
        first, _, _ = action.command_line.partition(" <<")
        assert shlex.split(first) == ["reftable-inspector", "add", *words]
        run(action, action.plan(lambda _: None), lambda _: None)
    mine = git.run("rev-parse", "refs/worktree/mine", cwd=tmp_path / "linked").stdout
    assert mine.decode().strip() == commit


def test_a_transaction_of_no_change_is_a_plan_of_nothing(stack: Path) -> None:
    action = AddAction(workplace(stack), f"verify {branch(1).decode()} {oid(92).hex()}\n".encode())
    plan = action.plan(lambda _: None)
    assert plan.is_noop
    before = stack_files(stack)
    run(action, plan, lambda _: None)
    assert stack_files(stack) == before


def test_a_stack_is_known_as_the_main_one_by_whatever_path(stack: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(stack)
    place = Workplace(tmp_path / "link", StackOptions())
    assert create(place).plan(lambda _: None).lines[0] == "create refs/heads/new"


def test_an_addition_whose_compaction_fails_is_an_addition_all_the_same(stack: Path) -> None:
    place = workplace(stack)
    place = Workplace(place.directory, StackOptions(policy="geometric", factor=255), place.repository)
    action = create(place)
    plan = action.plan(lambda _: None)
    for name in listed(stack):
        (stack / f"{name}.lock").touch()
    result = run(action, plan, lambda _: None)
    assert "The compaction after it failed" in result.warnings[0]
    assert any(record.name == b"refs/heads/new" for record in records(stack)[0])
