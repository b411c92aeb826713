"""Transactions: the same commands, given to git and to us, leave the same bytes or nothing at all."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from engine.errors import (
    ApiError,
    EntryTooBigError,
    ExpectationError,
    LockError,
    NameConflictError,
    RefnameError,
    ReftableError,
)
from engine.format import HashId, LogRecord, RefRecord
from engine.git import find_repository
from engine.stack import Stack
from engine.stack.stack import StackOptions
from engine.update import Identity, parse_commands, prepare_updates
from engine.update.commands import RefUpdate, Symref
from engine.update.outcome import TransactionResult
from tests.support.git import EMAIL, NAME, Git, Repository
from tests.support.stacks import applied
from tests.support.tables import stack_files

TIME = 1700000123
ZONE = 530
DATE = f"{TIME} +0530"
NULL = bytes(20)
MAIN = b"refs/heads/main"
SIDE = b"refs/heads/side"
NEW = b"refs/heads/new"


COMMITTER = Identity(NAME.encode(), EMAIL.encode(), TIME, ZONE)
OPTIONS = StackOptions(auto_compact=False)


@dataclass(frozen=True, slots=True)
class World:
    """A repository with every kind of ref, and the ids for commands: two commits, two tags of the first."""

    repo: Repository
    a: bytes
    b: bytes
    tag: bytes
    nested_tag: bytes

    def fill(self, commands: str) -> bytes:
        """Commands, one a line, with the ids in place of {a}, {b}, {tag}, {nested} and {zero}."""
        ids = {
            "a": self.a,
            "b": self.b,
            "tag": self.tag,
            "nested": self.nested_tag,
            "zero": bytes(len(self.a)),
        }
        return "".join(
            f"{line.strip()}\n".format_map({key: oid.hex() for key, oid in ids.items()})
            for line in commands.split(";")
        ).encode()

    def copy(self, path: Path) -> World:
        shutil.copytree(self.repo.path, path)
        git_dir = path / self.repo.git_dir.relative_to(self.repo.path)
        return replace(self, repo=replace(self.repo, path=path, git_dir=git_dir))

    def peel(self, oids: Collection[bytes]) -> dict[bytes, bytes | None]:
        return {oid: self.a if oid in (self.tag, self.nested_tag) else None for oid in oids}

    def apply(
        self,
        commands: str,
        message: bytes = b"",
        *,
        stack: Stack | None = None,
    ) -> TransactionResult:
        """Apply commands with the engine."""
        with Stack.open(self.repo.reftable, OPTIONS) as fresh:
            stack = stack or fresh
            updates = prepare_updates(
                parse_commands(self.fill(commands), stack.hash_id),
                stack.hash_id,
                committer=COMMITTER,
                message=message,
                autocreates_reflog=find_repository(self.repo.git_dir, git=None).autocreates_reflog,
                peel=self.peel,
            )
            return applied(updates, stack)

    def git_apply(self, commands: str, message: bytes = b"") -> bool:
        """Let git apply commands; whether it agreed to."""
        reason = [b"-m", message] if message else []
        data = self.fill(commands)
        return not self.repo.git(
            "update-ref", *reason, "--stdin", input=data, date=DATE, check=False
        ).returncode

    def refs(self) -> dict[bytes, RefRecord]:
        with Stack.open(self.repo.reftable, read_only=True) as stack:
            return {record.name: record for record in stack.refs()}

    def logs(self, name: bytes) -> list[LogRecord]:
        with Stack.open(self.repo.reftable, read_only=True) as stack:
            return list(stack.logs(name))


def make_world(git: Git, path: Path, object_format: str = "sha1", *, bare: bool = False) -> World:
    repo = git.init(path, object_format, auto_compaction=False)
    a = repo.commit("first")
    b = repo.commit("second")
    tag = repo.tag("v1", "HEAD^")
    repo.git("config", "advice.nestedTag", "false")
    nested_tag = repo.tag("v2", "v1")
    repo.git("tag", "light", "HEAD^")
    for name in ("side", "old", "third"):
        repo.branch(name, "HEAD^")
    repo.update_refs([f"update refs/heads/old {b.hex()}", f"update refs/custom/logged {a.hex()}"])
    repo.update_refs([f"update refs/heads/old {a.hex()}"])
    repo.git("update-ref", "refs/custom/plain", a.hex())
    repo.git("update-ref", "refs/remotes/origin/main", a.hex())
    for name, target in (
        ("refs/remotes/origin/HEAD", "refs/remotes/origin/main"),
        ("refs/heads/alias", "refs/heads/side"),
        ("refs/heads/alias2", "refs/heads/alias"),
        ("refs/heads/dangling", "refs/heads/nowhere"),
        ("refs/heads/loop", "refs/heads/loop2"),
        ("refs/heads/loop2", "refs/heads/loop"),
    ):
        repo.git("symbolic-ref", name, target)
    if bare:
        repo.git("config", "core.bare", "true")
    return World(repo, a, b, tag, nested_tag)


@pytest.fixture(scope="module")
def template(git: Git, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(git, tmp_path_factory.mktemp("template") / "repo")


@pytest.fixture
def world(template: World, tmp_path: Path) -> World:
    return template.copy(tmp_path / "ours")


def never(_: bytes) -> bool:
    return False


def tables(directory: Path) -> list[tuple[str, bytes]]:
    """The stack of a directory: each table's name without its random suffix, and its bytes."""
    names = (directory / "tables.list").read_text().split()
    return [(name[:29], (directory / name).read_bytes()) for name in names]


SAME_AS_GIT = {
    "update": "update refs/heads/side {b}",
    "update-with-old-value": "update refs/heads/side {b} {a}",
    "create": "create refs/heads/new {a}",
    "create-by-update": "update refs/heads/new {a} {zero}",
    "delete": "delete refs/heads/old",
    "delete-with-old-value": "delete refs/heads/old {a}",
    "delete-by-update": "update refs/heads/old {zero}",
    "delete-without-log": "delete refs/tags/light",
    "delete-what-is-not-there": "delete refs/heads/new",
    "verify-only": "verify refs/heads/side {a}; verify refs/heads/new; verify HEAD {b}",
    "verify-beside-a-change": "verify refs/heads/side {a}; create refs/heads/new {a}",
    "no-change": "update refs/heads/side {a}",
    "no-change-of-the-branch-of-HEAD": "update refs/heads/main {b}",
    "no-change-through-HEAD": "update HEAD {b} {b}",
    "through-HEAD": "update HEAD {a} {b}",
    "branch-of-HEAD": "update refs/heads/main {a}",
    "detach-HEAD": "option no-deref; update HEAD {a} {b}",
    "delete-through-HEAD": "delete HEAD",
    "delete-branch-of-HEAD": "delete refs/heads/main {b}",
    "delete-HEAD-itself": "option no-deref; delete HEAD",
    "through-a-symref": "update refs/heads/alias {b} {a}",
    "through-two-symrefs": "update refs/heads/alias2 {b} {a}",
    "delete-through-a-symref": "delete refs/heads/alias",
    "create-through-a-dangling-symref": "create refs/heads/dangling {a}",
    "overwrite-a-symref": "option no-deref; update refs/heads/alias {b}",
    "overwrite-a-loop": "option no-deref; update refs/heads/loop {b}",
    "annotated-tag": "create refs/tags/new {tag}",
    "nested-tag": "create refs/tags/new {nested}",
    "tag-has-no-log": "update refs/tags/light {b}",
    "existing-log-outside-the-defaults-grows": "update refs/custom/logged {b}",
    "no-log-outside-the-defaults": "update refs/custom/plain {b}",
    "remote": "create refs/remotes/origin/new {a}",
    "note": "create refs/notes/commits {a}",
    "root-ref": "create ORIG_HEAD {a}",
    "symref-create": "symref-create refs/heads/new refs/heads/side",
    "symref-create-dangling": "symref-create refs/heads/new refs/heads/nowhere",
    "symref-create-without-log": "symref-create refs/custom/new refs/heads/side",
    "switch-branch": "option no-deref; symref-update HEAD refs/heads/side",
    "switch-branch-with-old-target": "option no-deref; symref-update HEAD refs/heads/old ref refs/heads/main",
    "switch-branch-with-old-id": "option no-deref; symref-update HEAD refs/heads/side oid {b}",
    "switch-to-the-same-branch": "option no-deref; symref-update HEAD refs/heads/main",
    "switch-to-an-unborn-branch": "option no-deref; symref-update HEAD refs/heads/new",
    "switch-to-a-new-branch": "option no-deref; symref-update HEAD refs/heads/new; create refs/heads/new {a}",
    "branch-of-HEAD-becomes-a-symref": "symref-update HEAD refs/heads/side",
    "symref-from-a-branch": "symref-update refs/heads/third refs/heads/main oid {a}",
    "symref-delete": "option no-deref; symref-delete refs/remotes/origin/HEAD",
    "symref-delete-with-target": "option no-deref; symref-delete refs/heads/alias refs/heads/side",
    "symref-delete-dangling": "option no-deref; symref-delete refs/heads/dangling",
    "symref-verify": "option no-deref; symref-verify HEAD refs/heads/main; create refs/heads/new {a}",
    "symref-verify-missing": "option no-deref; symref-verify refs/heads/new; create refs/tags/new {a}",
    "quoted": r'create "refs/heads/\"\303\244\"" {a}; delete "refs/heads/old"',
    "several": (
        "update refs/heads/side {b}; delete refs/heads/old {a}; create refs/tags/new {tag};"
        "update HEAD {a} {b}; symref-create refs/heads/new refs/heads/side; verify refs/tags/light {a};"
        "delete refs/custom/logged; update refs/remotes/origin/HEAD {b}"
    ),
    "committed": "start; create refs/heads/new {a}; prepare; commit",
    "aborted": "start; create refs/heads/new {a}; prepare; abort",
    "not-committed": "start; create refs/heads/new {a}",
}


@pytest.mark.parametrize("commands", SAME_AS_GIT.values(), ids=SAME_AS_GIT.keys())
def test_the_table_is_the_one_that_git_writes(commands: str, world: World, tmp_path: Path) -> None:
    theirs = world.copy(tmp_path / "theirs")
    assert theirs.git_apply(commands, b"why")
    world.apply(commands, b"why")
    assert tables(world.repo.reftable) == tables(theirs.repo.reftable)


@pytest.mark.parametrize("chosen", [slice(None), slice(0, None, 3), slice(5, None, 300), slice(-1, None)])
def test_the_reflogs_of_many_refs_are_deleted_with_them(chosen: slice, world: World, tmp_path: Path) -> None:
    branches = [f"refs/heads/topic/{number:03}" for number in range(700)]
    world.repo.update_refs([f"create {name} {world.a.hex()}" for name in branches])
    world.repo.update_refs([f"update {name} {world.b.hex()}" for name in branches[::7]])
    theirs = world.copy(tmp_path / "theirs")
    commands = ";".join(f"delete {name}" for name in branches[chosen])
    assert theirs.git_apply(commands)
    world.apply(commands)
    assert tables(world.repo.reftable) == tables(theirs.repo.reftable)


def test_git_reads_what_a_transaction_wrote(world: World) -> None:
    world.apply(SAME_AS_GIT["several"], b"why")
    refs = world.repo.refs(root=True)
    assert refs[b"refs/tags/new"].peeled == world.a
    assert refs[MAIN].value == world.a
    assert b"refs/heads/old" not in refs
    for ref in ("HEAD", "main", "side"):
        entry = world.repo.reflog(ref)[0]
        assert Identity(entry.committer, entry.email, entry.time, entry.tz) == COMMITTER
        assert entry.message == b"why"
    assert world.repo.git("reflog", "exists", "refs/heads/old", check=False).returncode == 1
    world.repo.git("refs", "verify")


@pytest.mark.parametrize(
    "message",
    [b"", b"one\ntwo\n\n", b" \t lead and  trail \r\n", b"\xff not UTF-8", b"x" * 3000, "ä".encode() * 1500],
    ids=["empty", "lines", "space", "bytes", "long", "cut-inside-a-character"],
)
def test_messages_are_made_one_line_like_git_does(message: bytes, world: World, tmp_path: Path) -> None:
    theirs = world.copy(tmp_path / "theirs")
    assert theirs.git_apply("update HEAD {a}", message)
    world.apply("update HEAD {a}", message)
    assert tables(world.repo.reftable) == tables(theirs.repo.reftable)


def test_a_transaction_on_an_unborn_branch_gives_birth_to_it(git: Git, tmp_path: Path) -> None:
    unborn = World(git.init(tmp_path / "ours", auto_compaction=False), NULL, NULL, NULL, NULL)
    tree = unborn.repo.git("mktree").stdout.strip().decode()
    commit = unborn.repo.git("commit-tree", "-m", "first", tree).stdout.strip().decode()
    theirs = unborn.copy(tmp_path / "theirs")
    for commands in (f"delete {MAIN.decode()}", f"create HEAD {commit}", f"update HEAD {commit}"):
        assert theirs.git_apply(commands)
        unborn.apply(commands)
        assert tables(unborn.repo.reftable) == tables(theirs.repo.reftable)
    assert unborn.repo.refs()[MAIN].value == bytes.fromhex(commit)


def test_a_sha256_stack_is_written_as_git_writes_it(git: Git, tmp_path: Path) -> None:
    ours = make_world(git, tmp_path / "ours", "sha256")
    theirs = ours.copy(tmp_path / "theirs")
    commands = SAME_AS_GIT["several"]
    assert theirs.git_apply(commands)
    ours.apply(commands)
    assert tables(ours.repo.reftable) == tables(theirs.repo.reftable)


@pytest.mark.parametrize("value", [None, "false", "true", "1", "always", "ALWAYS", "off", "0"])
@pytest.mark.parametrize("bare", [False, True], ids=["worktree", "bare"])
def test_reflogs_are_made_as_configured(
    value: str | None, bare: bool, template: World, tmp_path: Path, git: Git
) -> None:
    theirs = template.copy(tmp_path / "theirs")
    theirs.repo.git("config", "core.bare", str(bare).lower())
    theirs.repo.git("config", "--unset", "core.logAllRefUpdates")
    if value is not None:
        theirs.repo.git("config", "core.logAllRefUpdates", value)
    ours = theirs.copy(tmp_path / "ours")
    commands = (
        "create refs/heads/new {a}; create refs/tags/new {a}; update HEAD {a}; update refs/custom/logged {b};"
        "symref-create refs/custom/new HEAD; option no-deref; delete refs/remotes/origin/HEAD"
    )
    if not bare:
        assert theirs.git_apply(commands)
    else:
        git_dir = str(theirs.repo.git_dir)
        git.run(
            "--git-dir",
            git_dir,
            "update-ref",
            "--stdin",
            input=theirs.fill(commands),
            date=DATE,
            env=theirs.repo.env,
        )
    ours.apply(commands)
    assert tables(ours.repo.reftable) == tables(theirs.repo.reftable)


REFUSED: dict[str, tuple[str, type[ReftableError], str]] = {
    "create-existing": (
        "create refs/heads/side {a}",
        ExpectationError,
        "'refs/heads/side': line 1 expects that there is no such ref, but it is at {a}",
    ),
    "update-missing": (
        "update refs/heads/new {a} {b}",
        ExpectationError,
        "'refs/heads/new': line 1 expects {b}, but it does not exist",
    ),
    "update-other-value": (
        "update refs/heads/side {b} {b}",
        ExpectationError,
        "'refs/heads/side': line 1 expects {b}, but it is at {a}",
    ),
    "update-other-value-through-HEAD": (
        "update HEAD {a} {a}",
        ExpectationError,
        r"'refs/heads/main': line 1 \(through 'HEAD'\) expects {a}, but it is at {b}",
    ),
    "delete-missing": (
        "delete refs/heads/new {a}",
        ExpectationError,
        "line 1 expects {a}, but it does not exist",
    ),
    "delete-other-value": (
        "delete refs/heads/old {b}",
        ExpectationError,
        "line 1 expects {b}, but it is at {a}",
    ),
    "delete-missing-through-symref": (
        "delete refs/heads/dangling {a}",
        ExpectationError,
        r"'refs/heads/nowhere': line 1 \(through 'refs/heads/dangling'\) expects {a}, but it does not",
    ),
    "no-change-other-value": (
        "update refs/heads/side {a} {b}",
        ExpectationError,
        "expects {b}, but it is at {a}",
    ),
    "verify-missing": ("verify refs/heads/new {a}", ExpectationError, "expects {a}, but it does not exist"),
    "verify-existing": ("verify refs/heads/side", ExpectationError, "expects that there is no such ref"),
    "verify-other-value": ("verify HEAD {a}", ExpectationError, "expects {a}, but it is at {b}"),
    "no-deref-other-value": ("option no-deref; update HEAD {b} {a}", ExpectationError, "but it is at {b}"),
    "no-deref-through-dangling": (
        "option no-deref; update refs/heads/dangling {b} {a}",
        ExpectationError,
        "'refs/heads/dangling': line 2 expects {a}, but it leads nowhere",
    ),
    "no-deref-through-loop": (
        "option no-deref; update refs/heads/loop {b} {a}",
        ExpectationError,
        "'refs/heads/loop': line 2 expects {a}, but it leads nowhere",
    ),
    "symref-create-existing": (
        "option no-deref; symref-create HEAD refs/heads/side",
        ExpectationError,
        "'HEAD': line 2 expects that there is no such ref, but it is a symbolic ref",
    ),
    "symref-update-other-target": (
        "option no-deref; symref-update HEAD refs/heads/side ref refs/heads/old",
        ExpectationError,
        "'HEAD': line 2 expects a symbolic ref to 'refs/heads/old', but it points to 'refs/heads/main'",
    ),
    "symref-update-no-symref": (
        "option no-deref; symref-update refs/heads/side refs/heads/old ref refs/heads/main",
        ExpectationError,
        "expects a symbolic ref to 'refs/heads/main', but it is no symbolic ref",
    ),
    "symref-update-missing": (
        "option no-deref; symref-update refs/heads/new refs/heads/old ref refs/heads/main",
        ExpectationError,
        "expects a symbolic ref to 'refs/heads/main', but it does not exist",
    ),
    "symref-delete-other-target": (
        "option no-deref; symref-delete HEAD refs/heads/side",
        ExpectationError,
        "expects a symbolic ref to 'refs/heads/side', but it points to 'refs/heads/main'",
    ),
    "symref-verify-existing": (
        "option no-deref; symref-verify HEAD",
        ExpectationError,
        "but it is a symbolic ref",
    ),
    "twice": (
        "update refs/heads/side {b}; delete refs/heads/side",
        ApiError,
        "'refs/heads/side' is named twice in one transaction: by line 1 and by line 2",
    ),
    "twice-through-HEAD": (
        "update HEAD {a}; update refs/heads/main {a}",
        ApiError,
        r"is named twice in one transaction: by line 2 and by line 1 \(through 'HEAD'\)",
    ),
    "HEAD-and-its-branch": (
        "update refs/heads/main {a}; option no-deref; update HEAD {a}",
        ApiError,
        r"'HEAD' is named twice in one transaction: by line 3 and by line 1 \(through 'refs/heads/main'\)",
    ),
    "loop": (
        "update refs/heads/loop {a}",
        ApiError,
        "line 1: the symbolic refs from 'refs/heads/loop' lead in a circle",
    ),
    "twice-through-symrefs": (
        "delete refs/heads/alias; delete refs/heads/alias2",
        ApiError,
        r"'refs/heads/alias' is named twice .* by line 1 and by line 2 \(through 'refs/heads/alias2'\)",
    ),
    "file-below-file": ("create refs/heads/side/x {a}", NameConflictError, "refs/heads/side"),
    "file-above-file": ("create refs/heads {a}", NameConflictError, "refs/heads"),
    "files-below-each-other": (
        "create refs/heads/new {a}; create refs/heads/new/x {a}",
        NameConflictError,
        "refs/heads/new",
    ),
    "pseudoref": ("create FETCH_HEAD {a}", ApiError, "line 1: 'FETCH_HEAD' is a file of the git directory"),
    "one-level-symref": ("symref-create topic refs/heads/side", RefnameError, "outside refs/"),
    "one-bad-among-good": (
        "update refs/heads/side {b}; create refs/heads/new {a}; delete refs/heads/old {b}",
        ExpectationError,
        "line 3 expects {b}, but it is at {a}",
    ),
}


@pytest.mark.parametrize(("commands", "error", "complaint"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refused_transaction_leaves_the_stack_as_it_was(
    commands: str, error: type[ReftableError], complaint: str, world: World
) -> None:
    before = stack_files(world.repo.reftable)
    pattern = complaint.replace("{a}", world.a.hex()).replace("{b}", world.b.hex())
    with pytest.raises(error, match=pattern):
        world.apply(commands)
    assert stack_files(world.repo.reftable) == before
    assert not world.git_apply(commands)


def test_a_record_that_no_block_holds_fails_the_whole_transaction(world: World) -> None:
    before = stack_files(world.repo.reftable)
    with pytest.raises(EntryTooBigError):
        world.apply(f"update refs/heads/side {{b}}; create refs/heads/{'x' * 5000} {{a}}")
    assert stack_files(world.repo.reftable) == before


def test_a_dangling_symref_is_not_overwritten_by_a_creation(world: World) -> None:
    # git before 2.50 did overwrite it.
    before = stack_files(world.repo.reftable)
    with pytest.raises(ExpectationError, match="expects that there is no such ref, but it is a symbolic ref"):
        world.apply("option no-deref; create refs/heads/dangling {a}")
    assert stack_files(world.repo.reftable) == before


def test_symrefs_in_a_circle_can_be_deleted_by_their_target(world: World) -> None:
    world.apply("option no-deref; symref-delete refs/heads/loop refs/heads/loop2")
    assert b"refs/heads/loop" not in world.refs()


def test_the_log_of_head_follows_a_branch_that_becomes_a_symref(world: World) -> None:
    world.apply("symref-update refs/heads/main refs/heads/side")
    entry = world.logs(b"HEAD")[0]
    assert (entry.old, entry.new) == (world.b, world.a)


def test_a_name_is_free_for_a_directory_once_the_transaction_deletes_it(world: World) -> None:
    world.apply("delete refs/heads/old; create refs/heads/old/x {a}")
    world.apply("delete refs/custom/plain; create refs/custom {a}; delete refs/custom/logged")
    names = world.repo.refs()
    assert names[b"refs/heads/old/x"].value == world.a
    assert names[b"refs/custom"].value == world.a
    assert b"refs/heads/old" not in names


def test_the_result_says_what_was_written(world: World) -> None:
    entries = world.logs(b"refs/heads/old")
    result = world.apply("update HEAD {a} {b}; delete refs/heads/old; create refs/tags/new {tag}", b"why")
    index = result.refs[0].update_index
    entry = LogRecord(b"HEAD", index, world.b, world.a, COMMITTER.name, COMMITTER.email, TIME, ZONE, b"why\n")
    assert result.refs == (
        RefRecord(MAIN, index, world.a),
        RefRecord(b"refs/heads/old", index),
        RefRecord(b"refs/tags/new", index, world.tag, world.a),
    )
    assert result.logs == (
        entry,
        entry.replace(name=MAIN),
        *(LogRecord(b"refs/heads/old", log.update_index) for log in entries),
    )
    assert len(entries) == 3
    assert world.logs(b"HEAD")[0] == entry


def test_nothing_to_write_adds_no_table(world: World) -> None:
    before = stack_files(world.repo.reftable)
    assert (
        world.apply("verify HEAD {b}; update refs/heads/side {a}; delete refs/heads/new")
        == TransactionResult()
    )
    assert stack_files(world.repo.reftable) == before


def test_a_deleted_ref_that_comes_back_has_a_new_reflog(world: World) -> None:
    world.apply("delete refs/heads/old")
    world.apply("create refs/heads/old {b}", b"again")
    assert [log.message for log in world.logs(b"refs/heads/old")] == [b"again\n"]


def test_a_reflog_of_tombstones_does_not_exist(world: World) -> None:
    world.apply("delete refs/custom/logged")
    assert not world.apply("create refs/custom/logged {b}").logs


def test_old_values_are_compared_with_the_stack_on_disk(world: World) -> None:
    with Stack.open(world.repo.reftable, OPTIONS) as stack:
        assert stack.read_ref(SIDE) == world.refs()[SIDE]
        assert world.git_apply("update refs/heads/side {b} {a}")
        with pytest.raises(ExpectationError, match=f"expects {world.a.hex()}, but it is at {world.b.hex()}"):
            world.apply("delete refs/heads/side {a}", stack=stack)
        assert world.git_apply("update refs/heads/side {a} {b}")
        world.apply("delete refs/heads/side {a}", stack=stack)
        assert stack.read_ref(SIDE) is None
    assert SIDE not in world.refs()


def test_a_held_lock_refuses_the_transaction(world: World) -> None:
    (world.repo.reftable / "tables.list.lock").touch()
    before = stack_files(world.repo.reftable)
    with pytest.raises(LockError):
        world.apply("update refs/heads/side {b}")
    assert stack_files(world.repo.reftable) == before


def test_an_aborted_transaction_does_not_wait_for_a_lock(world: World) -> None:
    (world.repo.reftable / "tables.list.lock").touch()
    assert world.apply("start; update refs/heads/side {b}; abort") == TransactionResult()


def test_tags_are_peeled_before_the_lock_is_taken(world: World) -> None:
    asked: list[set[bytes]] = []

    def peel(oids: Collection[bytes]) -> dict[bytes, bytes | None]:
        asked.append(set(oids))
        assert not (world.repo.reftable / "tables.list.lock").exists()
        return {}

    with Stack.open(world.repo.reftable, OPTIONS) as stack:
        commands = world.fill("create refs/tags/new {tag}; create refs/tags/new2 {a}; delete refs/tags/v1")
        updates = parse_commands(commands, HashId.SHA1)
        prepared = prepare_updates(
            updates, HashId.SHA1, committer=COMMITTER, autocreates_reflog=never, peel=peel
        )
        applied(prepared, stack)
    assert asked == [{world.tag, world.a}]
    assert world.refs()[b"refs/tags/new"].peeled is None


def apply_one(stack: Stack, update: RefUpdate) -> TransactionResult:
    prepared = prepare_updates([update], stack.hash_id, committer=COMMITTER, autocreates_reflog=never)
    return applied(prepared, stack)


def test_updates_without_a_line_are_named_by_their_ref(world: World) -> None:
    with Stack.open(world.repo.reftable, OPTIONS) as stack:
        with pytest.raises(
            ExpectationError, match=r"^'refs/heads/side': the update expects that there is no such"
        ):
            apply_one(stack, RefUpdate(SIDE, world.b, NULL))
        with pytest.raises(
            ExpectationError, match=r"^'refs/heads/main': the update \(through 'HEAD'\) expects"
        ):
            apply_one(stack, RefUpdate(b"HEAD", world.b, NULL))


@pytest.mark.parametrize(
    ("update", "error", "complaint"),
    [
        (RefUpdate(NEW, b"short"), ApiError, "'73686f7274' is not an object id of 20 bytes"),
        (RefUpdate(NEW, bytes(32)), ApiError, "is not an object id of 20 bytes"),
        (RefUpdate(NEW, None, b"short"), ApiError, "is not an object id of 20 bytes"),
        (RefUpdate(NEW, Symref(b"refs/a..b")), RefnameError, "refs/a..b"),
        (RefUpdate(b"refs/a..b", b"\xaa" * 20), RefnameError, "refs/a..b"),
    ],
)
def test_updates_that_no_parser_checked_are_checked(
    update: RefUpdate, error: type[ReftableError], complaint: str, world: World
) -> None:
    before = stack_files(world.repo.reftable)
    with Stack.open(world.repo.reftable, OPTIONS) as stack, pytest.raises(error, match=complaint):
        apply_one(stack, update)
    assert stack_files(world.repo.reftable) == before


@dataclass(frozen=True, slots=True)
class Linked:
    """A linked worktree of a world on branch `linked`, as git made it."""

    world: World
    path: Path

    @property
    def reftable(self) -> Path:
        return self.world.repo.git_dir / "worktrees" / self.path.name / "reftable"


def link(world: World, path: Path) -> Linked:
    world.repo.branch("linked", world.a.hex())
    world.repo.git("worktree", "add", "-q", "--no-checkout", path, "linked")
    return Linked(world, path)


def apply_linked(linked: Linked, commands: str) -> TransactionResult:
    repository = find_repository(linked.path, git=None)
    opening = partial(Stack.open, options=OPTIONS)
    with repository.joint_stacks(opening, opening) as stacks:
        updates = prepare_updates(
            parse_commands(linked.world.fill(commands), HashId.SHA1),
            HashId.SHA1,
            committer=COMMITTER,
            autocreates_reflog=repository.autocreates_reflog,
        )
        return applied(updates, stacks)


@pytest.mark.parametrize(
    "commands",
    [
        "option no-deref; symref-update HEAD refs/heads/side ref refs/heads/linked",
        "option no-deref; update HEAD {b} {a}",
        "create refs/bisect/bad {a}; create ORIG_HEAD {b}; verify refs/bisect/good",
        "create refs/heads/new {a}",
        "update HEAD {b}",
        "update refs/heads/linked {b}",
        "delete HEAD",
        "create refs/heads/new {a}; option no-deref; symref-update HEAD refs/heads/new",
        "create refs/bisect/x {b}; option no-deref; symref-update HEAD refs/heads/n; create refs/heads/n {a}",
    ],
)
def test_a_worktree_has_its_refs_in_two_stacks(commands: str, world: World, tmp_path: Path, git: Git) -> None:
    # `git worktree add` leaves absolute paths behind, so each repository makes a worktree of its own.
    theirs = link(world.copy(tmp_path / "theirs"), tmp_path / "linked" / "theirs")
    ours = link(world, tmp_path / "linked" / "ours")
    git.run(
        "update-ref", "--stdin", input=world.fill(commands), cwd=theirs.path, date=DATE, env=world.repo.env
    )
    apply_linked(ours, commands)
    assert tables(ours.reftable) == tables(theirs.reftable)
    assert tables(ours.world.repo.reftable) == tables(theirs.world.repo.reftable)


@pytest.mark.parametrize(
    ("commands", "complaint"),
    [
        ("create worktrees/x/HEAD {a}", "line 1: 'worktrees/x/HEAD' is in the stack of another worktree"),
        (
            "create worktrees/ours/refs/heads/x {a}",
            "'worktrees/ours/refs/heads/x' is no ref of another worktree",
        ),
        ("update HEAD {a}; update worktrees/ours/HEAD {a}", "'worktrees/ours/HEAD' is named twice"),
        (
            "create refs/bisect {a}; create refs/bisect/bad {a}",
            "'refs/bisect/bad' cannot exist together with",
        ),
    ],
)
def test_a_transaction_that_cannot_be_made_leaves_both_stacks_as_they_were(
    commands: str, complaint: str, world: World, tmp_path: Path
) -> None:
    linked = link(world, tmp_path / "linked" / "ours")
    before = stack_files(linked.reftable), stack_files(world.repo.reftable)
    with pytest.raises(ReftableError, match=complaint):
        apply_linked(linked, commands)
    assert (stack_files(linked.reftable), stack_files(world.repo.reftable)) == before


@pytest.mark.parametrize("name", ["worktrees/linked/HEAD", "main-worktree/HEAD"])
def test_a_ref_of_another_worktree_is_not_written_to_the_main_stack(name: str, world: World) -> None:
    with pytest.raises(ApiError, match=f"line 1: '{name}' is in the stack of another worktree"):
        world.apply(f"update {name} {{a}}")
