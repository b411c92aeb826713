"""A transaction over the two stacks of a linked worktree: failures between them, and what a program sees."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path

import pytest

from engine import Refs, find_repository
from engine.errors import (
    ApiError,
    CommittedError,
    ExpectationError,
    LockError,
    PartlyCommittedError,
    ReftableError,
)
from engine.stack import Addition, LockFile, Stack
from engine.update import Symref
from tests.support.faults import GO_ON, Call, faults
from tests.support.git import Git, Repository

A, B = b"\xaa" * 20, b"\xbb" * 20
NEW, MINE = b"refs/heads/new", b"refs/bisect/bad"


@pytest.fixture(scope="module")
def template(git: Git, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repo = git.init(tmp_path_factory.mktemp("two") / "main")
    repo.commit()
    repo.git("worktree", "add", "-q", "-b", "side", str(repo.path.parent / "side"))
    return repo


@pytest.fixture
def own(template: Repository) -> Iterator[Path]:
    """The stack of the worktree; what a test has left of its refs is removed behind it."""
    yield template.git_dir / "worktrees" / "side" / "reftable"
    with seen(template) as refs, refs.transaction(force=True) as transaction:
        for name in (NEW, MINE, b"main-worktree/ORIG_HEAD", b"main-worktree/refs/bisect/bad"):
            if name in refs:
                transaction.delete(name)


def seen(template: Repository, worktree: str = "side") -> Refs:
    return find_repository(template.path.parent / worktree, git=None).refs()


def files(*directories: Path) -> list[set[str]]:
    return [set(os.listdir(directory)) for directory in directories]


def change_both(refs: Refs) -> None:
    with refs.transaction(b"why", force=True) as transaction:
        transaction.create(NEW, A)
        transaction.update(MINE, B)


def test_the_handle_shows_what_its_transaction_has_made(template: Repository, own: Path) -> None:
    with seen(template) as refs:
        change_both(refs)
        assert (refs[NEW].value, refs[MINE].value) == (A, B)
        with refs.transaction(force=True, create_reflog=True) as transaction:
            transaction.update(NEW, B, A)
            transaction.verify(MINE, B)
            transaction.update(b"main-worktree/refs/bisect/bad", A)
        assert [entry.new for entry in refs.reflog(b"main-worktree/refs/bisect/bad")] == [A]
        assert [entry.new for entry in refs.reflog(NEW)] == [B, A]
        assert next(refs.reflog(NEW)).message == b"\n"
        with refs.transaction() as transaction:
            transaction.symref(b"HEAD", NEW, Symref(b"refs/heads/side"))
        assert refs.current_branch() == NEW
        with refs.transaction() as transaction:
            transaction.symref(b"HEAD", b"refs/heads/side")
    with Stack.open(own, read_only=True) as stack:
        assert stack.read_ref(NEW) is None


def test_closed_refs_open_no_stack_that_they_had_not_opened(template: Repository) -> None:
    with seen(template, "main") as refs:
        assert refs.get(b"worktrees/none/HEAD") is None
    with pytest.raises(ApiError, match="closed"):
        refs.get(b"worktrees/side/HEAD")
    with pytest.raises(ApiError, match="closed"), refs.transaction(force=True) as transaction:
        transaction.create(NEW, A)
    with seen(template) as refs:
        assert NEW not in refs


@pytest.mark.usefixtures("own")
def test_a_ref_of_another_worktree_is_written_where_it_is_read(template: Repository) -> None:
    with seen(template, "main") as main, seen(template) as side:
        with main.transaction(force=True) as transaction:
            transaction.create(b"worktrees/side/refs/bisect/bad", A)
            transaction.create(MINE, B)
        side.reload()
        assert (side[MINE].value, main[MINE].value, main[b"worktrees/side/refs/bisect/bad"].value) == (
            A,
            B,
            A,
        )
        with side.transaction(force=True) as transaction:
            transaction.update(b"main-worktree/ORIG_HEAD", A)
        main.reload()
        assert main[b"ORIG_HEAD"].value == A
        assert b"ORIG_HEAD" not in side or side[b"ORIG_HEAD"].value != A


@pytest.mark.parametrize(
    ("worktree", "head"), [("main", b"main-worktree/HEAD"), ("side", b"worktrees/side/HEAD")]
)
def test_head_by_the_name_that_others_have_for_it_is_head(
    git: Git, tmp_path: Path, worktree: str, head: bytes
) -> None:
    repo = git.init(tmp_path / "main")
    repo.commit()
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    with find_repository(tmp_path / worktree, git=None).refs() as refs:
        branch = refs.current_branch()
        assert branch is not None
        entries = len([*refs.reflog(b"HEAD")])
        with refs.transaction(b"why", force=True) as transaction:
            transaction.update(head, A)
        assert refs.current_branch() == branch
        assert refs[branch].value == A
        assert len([*refs.reflog(b"HEAD")]) == entries + 1


def test_an_exception_aborts_and_a_transaction_is_used_once(template: Repository, own: Path) -> None:
    before = files(own, template.reftable)
    with seen(template) as refs:
        with pytest.raises(KeyError), refs.transaction(force=True) as transaction:  # noqa: PT012
            transaction.create(NEW, A)
            transaction.update(MINE, B)
            transaction.prepare()
            assert all("tables.list.lock" in names for names in files(own, template.reftable))
            raise KeyError
        with pytest.raises(ApiError, match="over"):
            transaction.delete(NEW)
        assert files(own, template.reftable) == before
        with (
            pytest.raises(ApiError, match="bytes: b'refs/heads/x' instead of"),
            refs.transaction() as transaction,
        ):
            transaction.delete("refs/heads/x")  # type: ignore[arg-type]
        nothing: bytes = refs.nth(NEW, 99)  # type: ignore[assignment] - there is no such entry
        for change in ("update", "create", "verify", "symref"):
            with pytest.raises(ApiError, match="not None"), refs.transaction(force=True) as transaction:
                getattr(transaction, change)(NEW, nothing)
        with pytest.raises(ApiError, match="message"), refs.transaction("why"):  # type: ignore[arg-type]
            pass
        with pytest.raises(ApiError, match="git cannot be asked"), refs.transaction() as transaction:
            transaction.create(NEW, A)
        with pytest.raises(ApiError, match="creates nothing"), refs.transaction(force=True) as transaction:
            transaction.create(NEW, bytes(20))
        with pytest.raises(ApiError, match="nothing to delete"), refs.transaction() as transaction:
            transaction.delete(NEW, bytes(20))
        with pytest.raises(ApiError, match="not known here"), refs.transaction() as transaction:
            transaction.delete(b"worktrees/none/HEAD")
    assert files(own, template.reftable) == before


def _fail_in(monkeypatch: pytest.MonkeyPatch, method: str, directory: Path) -> None:
    """Have a method fail for the list or the directory of one stack."""
    original = getattr(Stack, method)

    def failing(stack: Stack, *arguments: object) -> object:
        if Path(stack.path) == directory:
            raise OSError(5, "Input/output error", stack.path)
        return original(stack, *arguments)

    monkeypatch.setattr(Stack, method, failing)


def test_a_failure_between_two_stacks_says_what_is_in_and_what_is_not(
    template: Repository, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(own)
    hook = template.git_dir / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{{ echo $1; cut -d' ' -f3; }} >>{template.path}/told\n")
    hook.chmod(0o755)
    with monkeypatch.context() as patched, seen(template) as refs:
        _fail_in(patched, "install", own)
        with pytest.raises(
            PartlyCommittedError, match=r"'refs/heads/new' is made, that of 'refs/bis"
        ) as found:
            change_both(refs)
    hook.unlink()
    told = (template.path / "told").read_text().split()
    assert told[-4:] == ["committed", NEW.decode(), "aborted", MINE.decode()]
    assert (found.value.made, found.value.missing) == ((NEW,), (MINE,))
    with seen(template) as refs:
        assert (NEW in refs, MINE in refs) == (True, False)
        assert files(own) == before


def test_a_failure_before_the_first_stack_changes_nothing(
    template: Repository, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(own, template.reftable)
    with monkeypatch.context() as patched, seen(template) as refs:
        _fail_in(patched, "install", template.reftable)
        with pytest.raises(OSError, match="Input"):
            change_both(refs)
    assert files(own, template.reftable) == before


@pytest.mark.usefixtures("own")
def test_a_failure_behind_the_first_stack_leaves_both_changed(
    template: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, seen(template) as refs:
        _fail_in(patched, "follow", template.reftable)
        with pytest.raises(CommittedError) as found:
            change_both(refs)
    assert type(found.value) is CommittedError
    with seen(template) as refs:
        assert (refs[NEW].value, refs[MINE].value) == (A, B)


@pytest.mark.parametrize("lasts", [False, True])
def test_whatever_fails_the_error_tells_which_stacks_are_changed(
    template: Repository, own: Path, tmp_path: Path, lasts: bool
) -> None:
    """Each call that changes the disk fails in turn, alone or with all behind it: it has become read-only."""
    stacks = [template.reftable, own]
    for number, directory in enumerate(stacks):
        shutil.copytree(directory, tmp_path / str(number))
    met: Counter[str] = Counter()
    for first in count():
        failed: list[Call] = []

        def fault(call: Call, first: int = first, failed: list[Call] = failed) -> int:
            if call.number < first or (failed and not lasts):
                return GO_ON
            failed.append(call)
            return errno.EROFS

        error: Exception | None = None
        with seen(template) as refs:
            try:
                with faults(fault):
                    change_both(refs)
            except (ReftableError, OSError) as raised:
                error = raised
        with seen(template) as refs:
            made = {name for name in (NEW, MINE) if name in refs}
        met[type(error).__name__] += 1
        if len(made) == 1:
            assert isinstance(error, PartlyCommittedError), (failed, error)
            assert (set(error.made), {*error.made, *error.missing}) == (made, {NEW, MINE})
        else:
            is_told = type(error) is CommittedError
            assert is_told == bool(made and error), (failed, error)
        for number, directory in enumerate(stacks):
            shutil.rmtree(directory)
            shutil.copytree(tmp_path / str(number), directory)
        if not failed:
            break
    assert met.keys() == {"CommittedError", "NoneType", "OSError", "PartlyCommittedError"}


def test_a_process_that_is_killed_between_two_stacks_leaves_the_lock_of_the_second(
    template: Repository, own: Path
) -> None:
    child = os.fork()
    if not child:  # pragma: no cover - it ends as if it were killed
        commit = LockFile.commit

        def die(lock: LockFile) -> None:
            if Path(lock.path).parent == own:
                os._exit(9)
            commit(lock)

        LockFile.commit = die  # type: ignore[method-assign]
        try:
            with seen(template) as refs:
                change_both(refs)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with seen(template) as refs:
        assert (NEW in refs, MINE in refs) == (True, False)
        with pytest.raises(LockError), refs.transaction(force=True) as transaction:
            transaction.update(MINE, B)
        (own / "tables.list.lock").unlink()
        with refs.transaction(force=True) as transaction:
            transaction.update(MINE, B)
        assert refs[MINE].value == B
    template.git("refs", "verify", check=False)


def test_a_lock_of_another_process_is_waited_for(template: Repository, own: Path) -> None:
    template.git("config", "reftable.lockTimeout", "-1")
    lock = LockFile(str(own / "tables.list"))
    waiting = threading.Timer(0.05, lock.close)
    with seen(template) as refs:
        waiting.start()
        change_both(refs)
        assert refs[MINE].value == B
    waiting.join()
    template.git("config", "--unset", "reftable.lockTimeout")


def test_what_changes_before_the_second_stack_is_locked_is_not_taken_back(
    template: Repository, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # HEAD is in one stack, and the branch that it leads to in the other. git loses what comes in between.
    original = Stack.addition
    branch = b"refs/heads/side"
    faster = [A]

    def late(stack: Stack, **how: bool) -> AbstractContextManager[Addition]:
        if Path(stack.path) == template.reftable and faster:
            value = faster.pop()
            with seen(template, "main") as refs, refs.transaction(b"theirs", force=True) as transaction:
                transaction.update(branch, value)
        return original(stack, **how)

    with seen(template) as refs:
        old = refs[branch].value
        with monkeypatch.context() as patched:
            patched.setattr(Stack, "addition", late)
            with pytest.raises(ExpectationError, match=A.hex()), refs.transaction(force=True) as transaction:
                transaction.update(b"HEAD", B, old)
            faster.append(B)
            with refs.transaction(b"ours", force=True) as transaction:
                transaction.update(b"HEAD", A)
        for name in (b"HEAD", branch):
            assert next(refs.reflog(name)).old == B
    assert files(own)[0] >= {"tables.list"}
    assert "tables.list.lock" not in files(own)[0]
