"""The hook `reference-transaction`: what git gives it and what we give it, byte for byte."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.errors import HookError
from engine.git import find_repository
from inspector.actions import AddAction, Workplace, explain, run as run_action
from tests.support.cli import run, start
from tests.support.environment import enter_environment_of
from tests.support.git import Git, Repository
from tests.support.tables import stack_files
from tests.support.thinning import thinned

# The program notes the step, its input, where it runs, which repository git finds there, and the lock.
HOOK = r"""#!/bin/sh
dir=$(git rev-parse --absolute-git-dir)
common=$(git rev-parse --path-format=absolute --git-common-dir)
{
    echo "== $* in $PWD of $dir, prefix ${GIT_PREFIX-none}"
    cat
    ls "$common/reftable" "$dir/reftable" | grep lock | sort -u
} >> "$common/hook.log"
"""


@pytest.fixture(autouse=True)
def git_environment(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    enter_environment_of(git, monkeypatch)
    monkeypatch.setenv("PATH", f"{Path(git.program).parent}:{os.environ['PATH']}")


def write_hook(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@dataclass(frozen=True)
class Template:
    """A repository with a hook, and the ids for commands; every run has a fresh copy at the same place."""

    repo: Repository
    a: str
    b: str

    def told(self, change: Callable[[Repository, bytes], int], commands: str) -> tuple[bool, bytes, object]:
        """Whether the change happened, what the hook was told of it, and which refs there are then."""
        kept = self.repo.path.with_name("kept")
        shutil.copytree(self.repo.path, kept, symlinks=True)
        data = commands.format(a=self.a, b=self.b, zero="0" * len(self.a)).encode() + b"\n"
        done = change(self.repo, data) == 0
        log = self.repo.git_dir / "hook.log"
        told = log.read_bytes() if log.exists() else b""
        refs = self.repo.refs(root=True)
        logs = [(name, self.repo.reflog(os.fsdecode(name))) for name in refs if name != b"refs/heads/sym"]
        shutil.rmtree(self.repo.path)
        kept.rename(self.repo.path)
        return (
            done,
            told,
            (refs, [(name, [(log.new, log.message) for log in entries]) for name, entries in logs]),
        )


@pytest.fixture(scope="module")
def original(git: Git, tmp_path_factory: pytest.TempPathFactory) -> Template:
    repo = git.init(tmp_path_factory.mktemp("hook") / "repo")
    first, second = repo.commit("one").hex(), repo.commit("two").hex()
    repo.git("branch", "side", first)
    repo.git("symbolic-ref", "refs/heads/sym", "refs/heads/side")
    write_hook(repo.git_dir / "hooks" / "reference-transaction", HOOK)
    return Template(repo, first, second)


@pytest.fixture
def template(original: Template, git: Git, tmp_path: Path) -> Template:
    path = shutil.copytree(original.repo.path, tmp_path / "repo", symlinks=True)
    return Template(Repository(git, path, path / ".git", original.repo.env), original.a, original.b)


def by_git(repo: Repository, data: bytes) -> int:
    return repo.git("update-ref", "-m", "why", "--stdin", input=data, check=False).returncode


def by_us(repo: Repository, data: bytes) -> int:
    return run("add", "-m", "why", repo.path, stdin=data).code


COMMANDS = [
    "create refs/heads/new {a}",
    "create refs/heads/new {a}\nupdate refs/heads/side {b}\nverify refs/heads/main {b}",
    "update refs/heads/main {a} {b}",
    "update HEAD {a}",
    "update HEAD {a} {b}",
    "option no-deref\nupdate HEAD {a}",
    "delete refs/heads/side",
    "delete refs/heads/side {a}",
    "delete refs/heads/gone",
    "update refs/heads/sym {b}",
    "update refs/heads/sym {b} {a}",
    "option no-deref\nsymref-update refs/heads/sym refs/heads/main ref refs/heads/side",
    "option no-deref\nsymref-update HEAD refs/heads/side oid {b}",
    "symref-create refs/heads/other refs/heads/main",
    "option no-deref\nsymref-delete refs/heads/sym refs/heads/side",
    "option no-deref\nsymref-verify HEAD refs/heads/main",
    "update refs/heads/side {a}",
    "verify refs/heads/side {a}",
    "verify refs/heads/none",
    "create refs/heads/side {b}",
    "update refs/heads/side {b} {b}",
    "create refs/heads/x {b}\ncreate refs/heads/x {b}",
]


@pytest.mark.parametrize("commands", COMMANDS)
def test_the_hook_is_told_what_git_tells_it(template: Template, commands: str) -> None:
    theirs = template.told(by_git, commands)
    assert template.told(by_us, commands) == theirs


def test_a_form_in_the_terminal_runs_it_too(template: Template) -> None:
    def by_form(repo: Repository, data: bytes) -> int:
        found = find_repository(repo.path)
        action = AddAction(Workplace(repo.reftable, found.stack_options(), found), data, "why")
        plan = action.plan(lambda _: None)
        assert any("reference-transaction" in line for line in plan.lines)
        assert not (repo.git_dir / "hook.log").exists()
        run_action(action, plan, lambda _: None)
        return 0

    theirs = template.told(by_git, "update HEAD {a}")
    assert template.told(by_form, "update HEAD {a}") == theirs


def test_a_refusal_in_the_terminal_says_what_the_hook_says(template: Template) -> None:
    repo = template.repo
    said = '#!/bin/sh\necho "$1: not now"\n[ "$1" != prepared ] || [ -e .git/free ]\n'
    write_hook(repo.git_dir / "hooks" / "reference-transaction", said)
    found = find_repository(repo.path)
    place = Workplace(repo.reftable, found.stack_options(), found)
    action = AddAction(place, f"create refs/heads/new {template.a}\n".encode())
    plan = action.plan(lambda _: None)
    with pytest.raises(HookError, match="prepared: not now") as caught:
        run_action(action, plan, lambda _: None)
    assert explain(caught.value).sentence == "A hook of the repository refuses it."
    (repo.git_dir / "free").touch()
    assert "reference-transaction: committed: not now" in run_action(action, plan, lambda _: None).warnings


@pytest.mark.parametrize("step", ["preparing", "prepared", "committed", "aborted"])
def test_a_hook_that_refuses(template: Template, git: Git, step: str) -> None:
    refusal = f'[ "$1" = {step} ] && {{ echo so not; exit 3; }}\nexit 0\n'
    write_hook(template.repo.git_dir / "hooks" / "reference-transaction", HOOK + refusal)
    is_told = step != "preparing" or git.run("version").stdout >= b"git version 2.54"
    theirs = template.told(by_git, "update refs/heads/side {b}")

    def refused(repo: Repository, data: bytes) -> int:
        files = stack_files(repo.reftable)
        done = run("add", "-m", "why", repo.path, stdin=data)
        if is_told and step in ("preparing", "prepared"):
            assert done.code == 5
            assert f"({step}, exit code 3): so not; nothing was written" in done.err
            assert stack_files(repo.reftable) == files
        assert ("so not" in done.err) == (is_told and step != "aborted")
        return done.code

    assert template.told(refused, "update refs/heads/side {b}") == theirs


def test_a_hook_that_is_killed_in_the_second_transaction_leaves_the_first(template: Template) -> None:
    """Its signal is told by name, and nothing denies that the first transaction was made."""
    repo = template.repo
    deadly = '#!/bin/sh\n[ "$1" = prepared ] && grep -q two && kill -9 $$\nexit 0\n'
    write_hook(repo.git_dir / "hooks" / "reference-transaction", deadly)
    data = "".join(f"start\ncreate refs/heads/{name} {template.a}\ncommit\n" for name in ("one", "two"))
    done = run("add", repo.path, stdin=data.encode())
    assert done.code == 5
    assert "(prepared, ended by signal 9, Killed): no reason; what was written before stays" in done.err
    assert {b"refs/heads/one", b"refs/heads/two"}.intersection(repo.refs()) == {b"refs/heads/one"}


@pytest.mark.parametrize("hooks", ["own", "/absolute", "~/hooks"])
def test_it_is_found_where_core_hooks_path_says(
    template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hooks: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = f"{tmp_path}{hooks}" if hooks.startswith("/") else hooks
    template.repo.git("config", "core.hooksPath", path)
    where = template.repo.path / path.replace("~", str(tmp_path))
    write_hook(where / "reference-transaction", HOOK.replace("== ", "== configured "))
    monkeypatch.setitem(template.repo.runner.environment, "HOME", str(tmp_path))
    theirs = template.told(by_git, "create refs/heads/new {a}")
    assert b"== configured prepared" in theirs[1]
    assert template.told(by_us, "create refs/heads/new {a}") == theirs


def test_it_runs_where_git_runs_it_in_bare_repositories_and_linked_worktrees(
    git: Git, template: Template, tmp_path: Path
) -> None:
    bare = git.init(tmp_path / "bare.git", bare=True)
    shutil.copytree(template.repo.git_dir / "objects", bare.git_dir / "objects", dirs_exist_ok=True)
    write_hook(bare.git_dir / "hooks" / "reference-transaction", HOOK)
    in_bare = Template(bare, template.a, template.b)
    theirs = in_bare.told(by_git, "update refs/heads/new {a}")
    assert b" in " + os.fsencode(bare.path) in theirs[1]
    assert in_bare.told(by_us, "update refs/heads/new {a}") == theirs

    linked = tmp_path / "linked"
    template.repo.git("worktree", "add", "-q", "--detach", linked)
    log = template.repo.git_dir / "hook.log"
    log.unlink()
    mine = f"create refs/worktree/one {template.a}\n".encode()
    git.run("update-ref", "--stdin", input=mine, cwd=linked)
    theirs = log.read_bytes()
    git.run("update-ref", "-d", "refs/worktree/one", cwd=linked)
    log.unlink()
    assert run("add", linked, stdin=mine).code == 0
    assert log.read_bytes() == theirs


def test_a_script_without_a_first_line_and_one_that_may_not_run(template: Template) -> None:
    hook = template.repo.git_dir / "hooks" / "reference-transaction"
    write_hook(hook, HOOK.removeprefix("#!/bin/sh\n"))
    theirs = template.told(by_git, "create refs/heads/new {a}")
    assert template.told(by_us, "create refs/heads/new {a}") == theirs
    hook.chmod(hook.stat().st_mode & ~(stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH))
    assert template.told(by_git, "create refs/heads/new {a}")[:2] == (True, b"")
    assert template.told(by_us, "create refs/heads/new {a}")[:2] == (True, b"")


def test_a_dry_run_runs_no_hook_and_says_that_there_is_one(template: Template) -> None:
    data = f"create refs/heads/new {template.a}\n".encode()
    done = run("add", "--dry-run", template.repo.path, stdin=data)
    assert b"the hook reference-transaction will be run, and may refuse it" in done.out
    assert not (template.repo.git_dir / "hook.log").exists()


def test_the_hook_of_another_user_is_not_run(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    repo, data = template.repo, f"create refs/heads/new {template.a}\n".encode()
    owner = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    files = stack_files(repo.reftable)
    with pytest.raises(HookError):
        find_repository(repo.path).reference_hook(repo.reftable, print)
    done = run("add", repo.path, stdin=data)
    assert done.code == 5
    assert "git does not work in a repository of another user; --force" in done.err
    assert stack_files(repo.reftable) == files
    assert run("add", "--force", repo.path, stdin=data).code == 0
    assert not (repo.git_dir / "hook.log").exists()


def test_the_hook_needs_no_git_program(template: Template, tmp_path: Path) -> None:
    hook = '#!/bin/sh\n{ echo "$1"; cat; } >> .git/hook.log\n'
    write_hook(template.repo.git_dir / "hooks" / "reference-transaction", hook)
    env = {"REFTABLE_GIT": str(tmp_path / "none")}
    data = f"create refs/heads/new {template.a}\n".encode()
    assert run("add", "--force", template.repo.path, stdin=data, env=env).code == 0
    line = f"{'0' * 40} {template.a} refs/heads/new\n"
    told = (template.repo.git_dir / "hook.log").read_text()
    assert told == "".join(f"{step}\n{line}" for step in ("preparing", "prepared", "committed"))


SESSIONS = [
    "start\ncommit",
    "start\nupdate refs/heads/side {b}\ncommit",
    "start\nupdate refs/heads/side {b}\nprepare\ncommit",
    "start\nupdate refs/heads/side {b}\nabort",
    "start\nupdate refs/heads/side {b}\nprepare\nabort",
    "start\nupdate refs/heads/side {b}",
    "start\nupdate refs/heads/side {b}\nprepare",
    "update refs/heads/side {b}\nprepare\ncommit",
    "update refs/heads/side {b}\nstart\ncommit\nstart\nupdate refs/heads/side {a} {b}\nprepare\ncommit",
    "commit\nstart\nabort\nstart\ndelete refs/heads/side\ncreate refs/heads/new {b}\ncommit\nstart",
    "start\nupdate refs/heads/side {b}\ncommit\nstart\nupdate refs/heads/side {b} {a}\nprepare\ncommit",
    "start\nupdate refs/heads/new HEAD~1\ncommit\nstart\nupdate HEAD refs/heads/new\nprepare\ncommit",
    "start\nstart",
    "commit\ncommit",
    "start\nupdate refs/heads/side {b}\ncommit\nupdate refs/heads/side {a}",
    "option no-deref\nstart\nupdate HEAD {a}\nprepare\ncommit",
]


@pytest.mark.parametrize(
    ("commands", "is_hooked"),
    [*((each, True) for each in SESSIONS), *((each, False) for each in thinned(SESSIONS, 5))],
)
def test_several_transactions_are_answered_as_git_answers(
    template: Template, commands: str, is_hooked: bool
) -> None:
    if not is_hooked:
        (template.repo.git_dir / "hooks" / "reference-transaction").unlink()
    answers: list[list[bytes]] = []

    def ours(repo: Repository, data: bytes) -> int:
        done = run("add", "-m", "why", repo.path, stdin=data)
        answers.append([line for line in done.lines if line.endswith(b": ok")])
        assert done.lines[: len(answers[-1])] == answers[-1]  # what was written comes in the end
        return done.code

    def theirs(repo: Repository, data: bytes) -> int:
        done = repo.git("update-ref", "-m", "why", "--stdin", input=data, check=False)
        answers.append(done.stdout.splitlines())
        return done.returncode

    assert template.told(ours, commands) == template.told(theirs, commands)
    assert answers[0] == answers[1]


def test_an_error_after_prepare_aborts_of_which_git_does_not_tell_the_hook(template: Template) -> None:
    commands = "start\nupdate refs/heads/side {b}\nprepare\nprepare"
    done, told, refs = template.told(by_us, commands)
    assert (done, refs) == template.told(by_git, commands)[::2]
    lines = [line.split()[1] for line in told.splitlines() if line.startswith(b"== ")]
    assert lines[-2:] == [b"prepared", b"aborted"]


@pytest.mark.parametrize("options", [(), ("-z",), ("--json",)])
def test_a_program_may_wait_for_each_answer(template: Template, options: tuple[str, ...]) -> None:
    repo, end = template.repo, b"\0" if "-z" in options else b"\n"
    process = start("add", *options, repo.path)
    assert process.stdin is not None
    assert process.stdout is not None

    def say(*commands: str) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(command.encode() + end for command in commands))
        process.stdin.flush()
        line = process.stdout.readline().decode()
        return f"{json.loads(line)['command']}: {json.loads(line)['answer']}\n" if line[:1] == "{" else line

    lock = repo.reftable / "tables.list.lock"
    space = "\0" if "-z" in options else " "
    with process:
        for number in range(3):
            assert say("start") == "start: ok\n"
            assert say(f"create refs/heads/n{number}{space}{template.a}", "prepare") == "prepare: ok\n"
            assert lock.exists()
            refused = repo.git("update-ref", "refs/heads/side", template.b, check=False)
            assert refused.returncode != 0
            assert say("commit") == "commit: ok\n"
            assert not lock.exists()
            assert f"refs/heads/n{number}".encode() in repo.refs()
            repo.git("update-ref", f"refs/heads/theirs{number}", template.b)
        assert say("start") == "start: ok\n"
        assert say(f"delete refs/heads/n0{space}{template.a}", "prepare") == "prepare: ok\n"
        process.stdin.close()
        rest = process.stdout.read()
    assert process.returncode == 0
    assert rest.count(b"refs/heads/n") >= 3
    assert b"refs/heads/n0" in repo.refs()
    assert not lock.exists()


def test_what_was_written_is_told_even_if_a_later_transaction_fails(template: Template) -> None:
    commands = "start\ncreate refs/heads/n {a}\ncommit\nstart\ncreate refs/heads/n {a}\nprepare\ncommit\n"
    data = commands.format(a=template.a).encode()
    done = run("add", template.repo.path, stdin=data)
    assert done.code == 5
    assert done.lines[:4] == [
        b"start: ok",
        b"commit: ok",
        b"start: ok",
        b"%b refs/heads/n" % template.a.encode(),
    ]
    refused = run("add", "--dry-run", template.repo.path, stdin=data)
    assert refused.code == 2
    assert "line 4: 'start': a second transaction cannot be planned on top of the first" in refused.err


def test_the_end_of_a_reader_aborts_what_is_prepared(template: Template) -> None:
    process = start("add", template.repo.path)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process:
        process.stdin.write(f"start\ncreate refs/heads/n {template.a}\nprepare\ncommit\n".encode())
        process.stdin.close()
        assert process.stderr.read() == b"reftable-inspector: standard output is closed\n"
    assert process.returncode == 6
    assert b"refs/heads/n" not in template.repo.refs()
    assert not (template.repo.reftable / "tables.list.lock").exists()


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_the_hook_runs_leaves_nothing(template: Template) -> None:
    repo = template.repo
    patient = '#!/bin/sh\n[ "$1" = prepared ] && kill -INT $PPID && sleep 1\necho "$1" >> .git/hook.log\n'
    write_hook(repo.git_dir / "hooks" / "reference-transaction", patient)
    files = stack_files(repo.reftable)
    process = start("add", repo.path)
    process.communicate(f"create refs/heads/new {template.a}\n".encode())
    assert process.returncode == 130
    assert stack_files(repo.reftable) == files
    assert (repo.git_dir / "hook.log").read_text().split()[-1] == "aborted"


def test_the_worktree_that_is_named_is_the_one_of_the_hook(template: Template, tmp_path: Path) -> None:
    repo = template.repo
    repo.git("worktree", "add", "-q", "--detach", tmp_path / "linked")
    (repo.git_dir / "hook.log").unlink()
    mine = b"create refs/worktree/one HEAD\n"
    assert run("add", "--worktree", "linked", repo.path, stdin=mine).code == 0
    told = (repo.git_dir / "hook.log").read_text()
    assert f" of {repo.git_dir}/worktrees/linked, prefix " in told
    assert f"{template.b} refs/worktree/one" in told


def test_a_hook_of_the_configuration_is_left_to_git(template: Template, git: Git) -> None:
    repo, data = template.repo, f"create refs/heads/new {template.a}\n".encode()
    repo.git("config", "hook.mine.event", "reference-transaction")
    repo.git("config", "hook.mine.command", "touch .git/ran; :")
    template.repo.git("update-ref", "--stdin", input=data.replace(b"new", b"other"))
    is_run = (repo.git_dir / "ran").exists()
    assert is_run == (git.run("version").stdout >= b"git version 2.54")
    done = run("add", repo.path, stdin=data)
    assert done.code == (5 if is_run else 0)
    assert (
        "hook.mine.event defines a hook reference-transaction, which git alone runs" in done.err
    ) == is_run
    assert (b"refs/heads/new" in repo.refs()) != is_run
    repo.git("config", "hook.mine.enabled", "false")
    assert run("add", repo.path, stdin=data.replace(b"new", b"third")).code == 0
