"""Stacks that the engine wrote, read and changed by git."""

from __future__ import annotations

import random
import shutil
import stat
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from engine.errors import ApiError
from engine.format import HashId, LogRecord, RefRecord
from engine.git import find_repository
from engine.git.program import GitProgram
from engine.merge import Expiry
from engine.stack import Stack
from engine.stack.stack import StackOptions
from inspector.actions import AddAction, Workplace
from tests.support.cli import ok, run
from tests.support.git import Git, GitLog, GitRef, Repository
from tests.support.history import TIME
from tests.support.objects import add_commits, add_tags
from tests.support.tables import stack_files
from tests.support.thinning import thinned
from tests.support.views import engine_view, git_logs, git_view

OPTIONS = [
    StackOptions(),
    StackOptions(hash_id=HashId.SHA256),
    StackOptions(unpadded=True),
    StackOptions(unpadded=True, block_size=300, hash_id=HashId.SHA256),
    StackOptions(block_size=299, restart_interval=1),
    StackOptions(block_size=333, restart_interval=65535, unpadded=True),
    StackOptions(block_size=512, restart_interval=3, hash_id=HashId.SHA256),
    StackOptions(block_size=1021, skip_index_objects=True),
    StackOptions(block_size=65536, restart_interval=100),
    StackOptions(block_size=2**24 - 1, hash_id=HashId.SHA256),
]
MAIN = b"refs/heads/b0000"
NAME, EMAIL = "Zoë".encode(), b"zoe@example.org"


def describe(options: StackOptions) -> str:
    hash_id = options.hash_id or HashId.SHA1
    parts = [hash_id.value, str(options.block_size), str(options.restart_interval)]
    return "-".join(parts + ["unpadded"] * options.unpadded + ["noobj"] * options.skip_index_objects)


@pytest.fixture(params=OPTIONS, ids=describe)
def options(request: pytest.FixtureRequest) -> StackOptions:
    return replace(request.param, auto_compact=False)


class Writer:
    """Writes transactions to a repository's stack, and keeps in plain dicts what git has to show of them."""

    def __init__(self, repo: Repository, options: StackOptions) -> None:
        self.repo = repo
        self.commits = add_commits(repo, 30)
        self.tags = dict(zip(add_tags(repo, self.commits[:10]), self.commits, strict=False))
        nested = add_tags(repo, list(self.tags)[:3], "tag")
        self.tags |= dict(zip(nested, self.commits, strict=False))
        self.stack = Stack.open(repo.reftable, options)
        self.refs: dict[bytes, GitRef] = {}
        self.logs: dict[bytes, list[GitLog]] = {}
        self._seconds = count(TIME)
        self.write((b"HEAD", GitRef(None, target=MAIN)), (MAIN, GitRef(self.commits[0])))

    def write(self, *changes: tuple[bytes, GitRef | None]) -> None:
        """Set or delete refs in one transaction; those with a commit get a reflog entry."""
        null = bytes(self.stack.hash_id.size)
        time = next(self._seconds)
        tz = (530, -1130, 1345, 0, -30)[time % 5]
        refs: list[RefRecord] = []
        logs: list[LogRecord] = []
        with self.stack.addition() as addition:
            index = addition.update_index
            for name, ref in changes:
                old = self.refs.get(name, GitRef(None)).value
                new = ref.value if ref is not None and ref.peeled is None else None
                if ref is None:
                    self.refs.pop(name, None)
                    refs.append(RefRecord(name, index))
                    logs += [LogRecord(name, entry.update_index) for entry in self.stack.logs(name)]
                    self.logs.pop(name, None)
                    continue
                self.refs[name] = ref
                refs.append(RefRecord(name, index, *ref))
                if new is not None:
                    message = b"to %d" % time
                    logs.append(LogRecord(name, index, old or null, new, NAME, EMAIL, time, tz, message))
                    entry = GitLog(new, NAME, EMAIL, time, tz, message)
                    self.logs.setdefault(name, []).insert(0, entry)
            with addition.table() as writer:
                writer.add_refs(refs)
                writer.add_logs(logs)

    def check(self) -> None:
        """Git shows what was written, finds nothing wrong with it, and so does the engine."""
        view = git_view(self.repo)
        assert view.refs == self.refs
        assert view.logs == self.logs
        self.stack.reload()
        assert engine_view(self.stack) == view
        verified = self.repo.git("refs", "verify")
        assert verified.stdout + verified.stderr == b""

    def write_history(self) -> None:
        """Six transactions with every kind of ref and of change."""
        names = [b"refs/heads/b%04d" % number for number in range(60)]
        commits = [GitRef(oid) for oid in self.commits]
        tags = [GitRef(tag, peeled) for tag, peeled in self.tags.items()]
        self.write(*zip(names, commits * 2, strict=True))
        self.write(*((b"refs/tags/v%d" % number, tag) for number, tag in enumerate(tags)))
        self.write(*zip(names[::3], commits, strict=False), (b"ORIG_HEAD", commits[3]))
        self.write(*((name, None) for name in names[1::4]), (b"refs/tags/v2", None))
        self.write(
            (b"refs/remotes/o/x", commits[0]),
            (b"refs/remotes/o/HEAD", GitRef(None, target=b"refs/remotes/o/x")),
        )
        self.write(
            (names[1], commits[4]), (b"HEAD", GitRef(None, target=names[1])), (b"refs/tags/v2", tags[4])
        )


def repository_for(git: Git, path: Path, options: StackOptions) -> Repository:
    return git.init(path, (options.hash_id or HashId.SHA1).value)


def test_git_shows_what_was_written(git: Git, tmp_path: Path, options: StackOptions) -> None:
    writer = Writer(repository_for(git, tmp_path / "repo", options), options)
    with writer.stack as stack:
        writer.write_history()
        assert len(stack.tables) == 8
        writer.check()
        stack.compact_all()
        assert len(stack.tables) == 1
        writer.check()


def test_git_goes_on_where_the_engine_stopped(git: Git, tmp_path: Path, options: StackOptions) -> None:
    repo = repository_for(git, tmp_path / "repo", options)
    writer = Writer(repo, options)
    with writer.stack as stack:
        writer.write_history()
        next_update_index = stack.next_update_index
        # git's own blocks are of the default size here, whatever size the engine's have.
        first, second = writer.commits[20:22]
        repo.update_refs([f"update refs/heads/b0000 {first.hex()}", f"create refs/heads/new {second.hex()}"])
        stack.reload()
        assert stack.read_ref(b"refs/heads/new") == RefRecord(b"refs/heads/new", next_update_index, second)
        repo.git("reflog", "delete", "refs/heads/b0000@{1}")
        repo.git("branch", "-m", "b0003", "moved")
        repo.git("update-ref", "-d", "refs/remotes/o/x")
        repo.git("symbolic-ref", "--delete", "refs/remotes/o/HEAD")
        repo.git("symbolic-ref", "HEAD", "refs/heads/b0007")
        before = git_view(repo)
        stack.reload()
        assert engine_view(stack) == before
        assert before.refs.keys() ^ writer.refs.keys() == {
            b"refs/heads/new",
            b"refs/heads/b0003",
            b"refs/heads/moved",
            b"refs/remotes/o/x",
            b"refs/remotes/o/HEAD",
        }
        repo.git("pack-refs")
        stack.reload()
        assert len(stack.tables) == 1
        assert engine_view(stack) == git_view(repo) == before
        writer.refs, writer.logs = before.refs, before.logs
        writer.write((b"refs/heads/b0007", GitRef(first)), (b"refs/heads/moved", None))
        writer.check()


@pytest.mark.parametrize("seed", thinned(range(4), 2))
def test_git_sees_no_difference_after_compactions(git: Git, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    options = replace(rng.choice(OPTIONS), auto_compact=False, policy=rng.choice(["log2", "geometric"]))
    writer = Writer(repository_for(git, tmp_path / "repo", options), options)
    with writer.stack as stack:
        writer.write_history()
        tables = len(stack.tables)
        stack.compact(2, 4)
        writer.check()
        assert len(stack.tables) == tables - 1
        while len(stack.tables) > 1:
            first = rng.randrange(len(stack.tables) - 1)
            stack.compact(first, rng.randint(first + 2, min(first + 3, len(stack.tables))))
            writer.check()
        stack.auto_compact()
        writer.check()


@pytest.mark.parametrize("policy", ["log2", "geometric"])
def test_git_sees_every_addition_of_an_auto_compacted_stack(git: Git, tmp_path: Path, policy: str) -> None:
    repo = git.init(tmp_path / "repo")
    writer = Writer(repo, StackOptions(policy=policy, block_size=512))
    rng = random.Random(1)
    with writer.stack as stack:
        for step in range(60):
            name = b"refs/heads/b%04d" % rng.randint(1, 25)
            if name in writer.refs and rng.random() < 0.4:
                writer.write((name, None))
            else:
                writer.write((name, GitRef(rng.choice(writer.commits))))
            if step % 10 == 9:
                writer.check()
        assert stack.stats.attempts > 10
        assert stack.stats.failures == 0


@pytest.mark.parametrize("unpadded", [False, True])
@pytest.mark.parametrize("hash_id", thinned(HashId, 2))
def test_git_finds_thousands_of_refs_and_logs_through_our_indexes(
    git: Git, tmp_path: Path, hash_id: HashId, unpadded: bool
) -> None:
    options = StackOptions(block_size=300, hash_id=hash_id, unpadded=unpadded, auto_compact=False)
    writer = Writer(repository_for(git, tmp_path / "repo", options), options)
    names = [b"refs/heads/b%05d" % (7 * number) for number in range(2500)]
    commits = [GitRef(oid) for oid in writer.commits]
    with writer.stack as stack:
        writer.write(*((name, commits[at % 17]) for at, name in enumerate(names)))
        writer.write(*((name, commits[at % 30]) for at, name in enumerate(names[::2])))
        stack.compact_all()
        footer = stack.tables[0].footer
        assert min(footer.ref_index_offset, footer.log_index_offset, footer.obj_index_offset) > 0
    # Each question is a seek of git's, where for-each-ref would be one scan.
    answers = {name: ref.value.hex().encode() for name, ref in writer.refs.items() if ref.value}
    answers |= {name + b"@{1}": writer.logs[name][1].new.hex().encode() for name in names[::2]}
    answers |= {name + b"x": name + b"x missing" for name in names}
    questions = b"".join(question + b"\n" for question in answers)
    answered = writer.repo.git("cat-file", "--batch-check=%(objectname)", input=questions)
    assert answered.stdout.splitlines() == list(answers.values())
    for prefix in (b"refs/heads/b01", b"refs/heads/b17493", b"refs/tags/"):
        shown = writer.repo.refs(prefix.decode() + "*")
        assert list(shown) == [name for name in names if name.startswith(prefix)]
    sample = names[::97]
    assert git_logs(writer.repo, sample) == {name: writer.logs[name] for name in sample}


def test_a_whole_stack_that_git_had_no_part_in(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    # An empty stack of a repository is one that has lost everything: it begins elsewhere, with HEAD.
    own = tmp_path / "own"
    own.mkdir()
    with Stack.open(own) as stack:
        stack.add(lambda table: table.add_ref(RefRecord(b"HEAD", 1, target=b"refs/heads/main")))
    shutil.rmtree(repo.reftable)
    own.rename(repo.reftable)
    writer = Writer(repo, StackOptions())
    with writer.stack:
        writer.write_history()
        writer.check()
    assert repo.commit("on top") == repo.oid("HEAD")
    with Stack.open(repo.reftable, read_only=True) as stack:
        assert engine_view(stack) == git_view(repo)
        assert stack.read_log(b"HEAD").message == b"commit: on top\n"


def test_several_tables_of_one_transaction(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    old, new = add_commits(repo, 2)
    with Stack.open(repo.reftable, StackOptions(auto_compact=False)) as stack:
        with stack.addition() as addition:
            for oid in (old, new):
                with addition.table() as writer:
                    writer.add_ref(RefRecord(b"refs/heads/x", addition.update_index, oid))
            assert b"refs/heads/x" not in repo.refs()
        assert [table.min_update_index for table in stack.tables] == [1, 2, 3]
    assert repo.refs() == {b"refs/heads/x": GitRef(new)}
    repo.update_refs([f"update refs/heads/x {old.hex()} {new.hex()}"])
    with Stack.open(repo.reftable, read_only=True) as stack:
        assert stack.read_ref(b"refs/heads/x") == RefRecord(b"refs/heads/x", 4, old)


def test_git_goes_on_above_a_gap_between_update_indexes(repo: Repository) -> None:
    (commit,) = add_commits(repo, 1)
    high = 2**40
    with Stack.open(repo.reftable) as stack, stack.addition() as addition, addition.table() as writer:
        writer.set_limits(high - 5, high)
        writer.add_ref(RefRecord(b"refs/heads/x", high - 3, commit))
    repo.update_refs([f"create refs/heads/y {commit.hex()}"])
    with Stack.open(repo.reftable) as stack:
        assert stack.read_ref(b"refs/heads/y").update_index == high + 1
        stack.compact_all()
        assert stack.read_ref(b"refs/heads/x").update_index == high - 3
        assert engine_view(stack) == git_view(repo)


@pytest.mark.parametrize(
    ("expiry", "left"),
    [
        (Expiry(time=TIME + 3), [5, 4, 3]),
        (Expiry(min_update_index=5), [5, 4, 3]),
        (Expiry(time=TIME + 2, min_update_index=6), [5, 4]),
        (Expiry(time=TIME + 100), []),
    ],
)
def test_git_shows_the_reflog_that_an_expiry_left(repo: Repository, expiry: Expiry, left: list[int]) -> None:
    writer = Writer(repo, StackOptions(auto_compact=False))
    with writer.stack as stack:
        for number in range(1, 6):
            writer.write((MAIN, GitRef(writer.commits[number])))
        stack.compact_all(expiry)
        assert [log.time - TIME for log in stack.logs(MAIN) if not log.is_marker] == left
        kept = [entry for entry in writer.logs[MAIN] if entry.time - TIME in left]
        writer.logs = {MAIN: kept} if kept else {}
        writer.check()


def test_git_packs_a_message_without_newline_with_one(repo: Repository) -> None:
    (commit,) = add_commits(repo, 1)
    log = LogRecord(b"refs/heads/x", 2, bytes(20), commit, NAME, EMAIL, TIME, 0, b"no newline")
    with Stack.open(repo.reftable, StackOptions(exact_log_message=True, auto_compact=False)) as stack:
        with stack.addition() as addition, addition.table() as writer:
            writer.add_ref(RefRecord(b"refs/heads/x", 2, commit))
            writer.add_log(log)
        assert stack.read_log(b"refs/heads/x") == log
        repo.git("pack-refs")
        stack.reload()
        assert stack.read_log(b"refs/heads/x") == log.replace(message=b"no newline\n")


def test_an_object_index_of_ours_is_one_that_git_can_take_over(git: Git, tmp_path: Path) -> None:
    # Thousands of refs to one object do not fit into one object record: it is written without offsets.
    repo = git.init(tmp_path / "repo")
    options = StackOptions(block_size=256, auto_compact=False)
    writer = Writer(repo, options)
    _, one, *others = (GitRef(oid) for oid in writer.commits)
    names = [b"refs/heads/b%05d" % number for number in range(2000)]
    with writer.stack as stack:
        writer.write(*((name, others[at] if at < 20 else one) for at, name in enumerate(names)))
        stack.compact_all()
        table = stack.tables[0]
        objects = [record for block in table.blocks() if block.type == ord("o") for record in block.objects()]
        assert [] in [record.offsets for record in objects]
        assert [ref.name for ref in stack.refs_for(one.value)] == names[20:]
        assert [ref.name for ref in stack.refs_for(others[7].value)] == [names[7]]
        assert list(repo.refs("--points-at", one.value.hex())) == names[20:]
        writer.write((names[0], one))
        repo.git("pack-refs")
        writer.check()


def test_new_files_have_the_permissions_that_gits_have(git: Git, tmp_path: Path) -> None:
    config = {"core.sharedRepository": "group"}
    repo = git.init(tmp_path / "repo", config=config, auto_compaction=False)
    (commit,) = add_commits(repo, 1)
    repo.update_refs([f"create refs/heads/x {commit.hex()}"])

    def modes() -> set[int]:
        return {stat.S_IMODE(path.stat().st_mode) for path in repo.reftable.iterdir()}

    repo.git("pack-refs")
    gits = modes()
    assert len(gits) == 1
    with Stack.open(repo.reftable, find_repository(repo.path).stack_options()) as stack:
        with stack.addition() as addition, addition.table() as writer:
            writer.add_ref(RefRecord(b"refs/heads/y", addition.update_index, commit))
        assert modes() == gits
        stack.compact_all()
        assert modes() == gits


def test_a_linked_worktrees_stack(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    first, second = add_commits(repo, 2)
    repo.update_refs([f"create refs/heads/{name} {first.hex()}" for name in ("main", "side", "other")])
    repo.git("worktree", "add", "-q", "--no-checkout", tmp_path / "linked", "side")
    linked = Repository(git, tmp_path / "linked", repo.git_dir / "worktrees" / "linked", {})
    with Stack.open(find_repository(linked.path).current.directory) as stack, stack.addition() as addition:
        index = addition.update_index
        with addition.table() as writer:
            writer.add_ref(RefRecord(b"HEAD", index, target=b"refs/heads/other"))
            writer.add_ref(RefRecord(b"refs/bisect/bad", index, second))
    assert linked.git("symbolic-ref", "HEAD").stdout == b"refs/heads/other\n"
    assert linked.refs("refs/bisect/") == {b"refs/bisect/bad": GitRef(second)}
    assert repo.git("symbolic-ref", "HEAD").stdout == b"refs/heads/main\n"
    assert repo.refs("refs/bisect/") == {}
    verified = linked.git("refs", "verify")
    assert verified.stdout + verified.stderr == b""


@pytest.mark.parametrize(
    ("commands", "complaint"),
    [
        ("create refs/heads/n {missing}", "trying to write ref 'refs/heads/n' with nonexistent object"),
        ("create refs/tags/n {missing}", "trying to write ref 'refs/tags/n' with nonexistent object"),
        ("create refs/heads/n {blob}", "trying to write non-commit object {blob}"),
        ("update refs/heads/n {tree}", "trying to write non-commit object {tree}"),
        ("create refs/heads/n {tag}", "trying to write non-commit object {tag}"),
        ("update HEAD {tree}", "trying to write non-commit object {tree}"),
        ("option no-deref\nupdate HEAD {tag}", "trying to write non-commit object {tag}"),
        # A symbolic ref is judged by its own name, too.
        ("update refs/heads/out {blob}", "trying to write non-commit object {blob}"),
        ("update refs/heads/held {missing}", "trying to write ref 'refs/heads/held' with nonexistent object"),
        ("update refs/heads/held {commit}", None),
        ("delete refs/heads/held {missing}", None),
        ("verify refs/heads/held {missing}", None),
        ("create refs/tags/n {blob}", None),
        ("create refs/tags/n {tree}", None),
        ("create refs/tags/n {tag}", None),
        ("update refs/tags/loose {tag}", None),
        ("option no-deref\nsymref-create refs/heads/s refs/heads/nowhere", None),
    ],
)
def test_add_refuses_the_objects_that_git_refuses(
    git: Git, tmp_path: Path, commands: str, complaint: str | None
) -> None:
    repo = git.init(tmp_path / "repo")
    ids = {"commit": repo.commit().hex(), "tag": repo.tag("v1").hex(), "missing": "12" * 20}
    ids["tree"] = repo.oid("HEAD^{tree}").hex()
    ids["blob"] = repo.git("hash-object", "-w", "--stdin", input=b"text").stdout.decode().strip()
    repo.git("symbolic-ref", "refs/heads/out", "refs/tags/out")
    with Stack.open(repo.reftable) as stack, stack.addition() as addition, addition.table() as writer:
        missing = bytes.fromhex(ids["missing"])
        writer.add_ref(RefRecord(b"refs/heads/held", addition.update_index, missing))
    shutil.copytree(repo.path, tmp_path / "theirs")
    theirs = replace(repo, path=tmp_path / "theirs", git_dir=tmp_path / "theirs" / ".git")
    data = f"{commands.format_map(ids)}\n".encode()
    files = stack_files(repo.reftable)
    place = Workplace(repo.reftable, find_repository(repo.path).stack_options(), find_repository(repo.path))

    answer = theirs.git("update-ref", "--stdin", input=data, check=False)
    rehearsal = run("add", "--dry-run", repo.path, stdin=data)
    assert stack_files(repo.reftable) == files
    plan = AddAction(place, data).plan(lambda _: None)
    if complaint is None:
        assert (answer.returncode, rehearsal.code) == (0, 0)
        assert not plan.needs_force
        ok("add", repo.path, stdin=data)
    else:
        complaint = complaint.format_map(ids)
        done = run("add", repo.path, stdin=data)
        assert answer.returncode != 0
        assert complaint in answer.stderr.decode()
        for refused in (rehearsal, done):
            assert refused.code == 2
            assert refused.err.startswith("reftable-inspector: line ")
            assert complaint in refused.err
            assert "--force" in refused.err
        assert stack_files(repo.reftable) == files
        assert " --force " in AddAction(place, data).command_for(plan)
        ok("add", "--force", "--dry-run", repo.path, stdin=data)
        ok("add", "--force", repo.path, stdin=data)
        return
    with Stack.open(repo.reftable, read_only=True) as ours, Stack.open(theirs.reftable) as gits:
        values = [[(ref.name, ref.value, ref.target) for ref in stack.refs()] for stack in (ours, gits)]
    assert values[0] == values[1]


def test_a_symbolic_ref_brings_no_other_object_than_a_commit_into_a_branch(git: Git, tmp_path: Path) -> None:
    # So does git 2.47. Later versions look at the name in the command alone, and the branch becomes a tree.
    repo = git.init(tmp_path / "repo")
    repo.commit()
    repo.git("symbolic-ref", "refs/tags/in", "refs/heads/main")
    tree = repo.oid("HEAD^{tree}").hex()
    files = stack_files(repo.reftable)
    done = run("add", repo.path, stdin=f"update refs/tags/in {tree}\n".encode())
    assert done.code == 2
    assert f"trying to write non-commit object {tree} (a tree) to branch 'refs/heads/main'" in done.err
    assert stack_files(repo.reftable) == files


@pytest.mark.parametrize("program", ["none", "failing"])
def test_where_git_cannot_be_asked_an_object_takes_force(
    git: Git, tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = git.init(tmp_path / "repo")
    commit = repo.commit().hex()
    files = stack_files(repo.reftable)
    monkeypatch.setenv("REFTABLE_GIT", str(tmp_path / "no-such-git") if program == "none" else "/bin/false")
    create = f"create refs/heads/n {commit}\n".encode()
    for options in ([], ["--dry-run"]):
        refused = run("add", *options, repo.path, stdin=create)
        assert refused.code == 2
        assert refused.err.count("\n") == 1
        assert "no git program" in refused.err if program == "none" else "cannot be asked" in refused.err
        assert "--force" in refused.err
    assert stack_files(repo.reftable) == files
    ok("add", repo.path, stdin=f"verify refs/heads/main {commit}\n".encode())
    assert "could not be looked up" in ok("add", "--force", repo.path, stdin=create).err
    ok("add", repo.path, stdin=f"delete refs/heads/n {commit}\n".encode())


@pytest.mark.parametrize(
    ("commands", "can_be_forced"),
    [
        ("delete refs/heads/a\ncreate refs/heads/a/b {commit}", True),
        ("create refs/heads/a/b {commit}\ndelete refs/heads/a", True),
        ("delete refs/heads/d/e\ncreate refs/heads/d {commit}", True),
        ("update refs/heads/d/e {zero}\ncreate refs/heads/d {commit}", True),
        ("delete refs/heads/d/e\noption no-deref\nsymref-create refs/heads/d refs/heads/q", True),
        ("delete refs/heads/none\ncreate refs/heads/none/k {commit}", True),
        ("verify refs/heads/z {zero}\ncreate refs/heads/z/y {commit}", True),
        ("update refs/heads/d/e/g {zero}", True),
        ("delete refs/heads/d/e/g", True),
        ("verify refs/heads/d", True),
        ("create refs/heads/p {commit}\ncreate refs/heads/p/q {commit}", False),
        ("create refs/heads/a/b/c {commit}", False),
        ("delete refs/heads/d/e\nupdate refs/heads/d/e/f {commit}\ncreate refs/heads/a/b {commit}", False),
        ("delete refs/heads/d/e\ndelete refs/heads/a", None),
        ("delete refs/heads/d/e\ncreate refs/heads/d/f {commit}", None),
        ("update refs/heads/a {commit}\nverify refs/heads/d/x", None),
    ],
)
def test_add_refuses_the_conflicts_that_git_refuses(
    git: Git, tmp_path: Path, commands: str, can_be_forced: bool | None
) -> None:
    repo = git.init(tmp_path / "repo")
    commit = repo.commit()
    for name in ("a", "d/e"):
        repo.git("branch", name)
    shutil.copytree(repo.path, tmp_path / "theirs")
    theirs = replace(repo, path=tmp_path / "theirs", git_dir=tmp_path / "theirs" / ".git")
    data = f"{commands}\n".format(commit=commit.hex(), zero="0" * 40).encode()
    files = stack_files(repo.reftable)
    place = Workplace(repo.reftable, find_repository(repo.path).stack_options(), find_repository(repo.path))

    answer = theirs.git("update-ref", "--stdin", input=data, check=False)
    rehearsal = run("add", "--dry-run", repo.path, stdin=data)
    if can_be_forced:
        action = AddAction(place, data)
        assert " --force " in action.command_for(action.plan(lambda _: None))
    assert stack_files(repo.reftable) == files
    done = run("add", repo.path, stdin=data)
    if can_be_forced is None:
        assert (answer.returncode, rehearsal.code, done.code) == (0, 0, 0)
    else:
        assert answer.returncode != 0
        for refused in (rehearsal, done):
            assert refused.code == 2
            assert ("--force" in refused.err) == can_be_forced
        assert stack_files(repo.reftable) == files
        assert run("add", "--force", repo.path, stdin=data).code == (0 if can_be_forced else 2)
        return
    assert {name: ref.value for name, ref in repo.refs().items()} == {
        name: ref.value for name, ref in theirs.refs().items()
    }


@pytest.mark.parametrize(
    ("commands", "is_taken"),
    [
        ("create refs/heads/x HEAD~1", True),
        ("create refs/heads/x main^", True),
        ("update refs/heads/main refs/heads/side main", True),
        ("update refs/heads/main {short}", True),
        ("create refs/tags/x v1", True),
        ("create refs/heads/x v1^{{commit}}", True),
        ('create refs/heads/x "main@{{0}}"', True),
        ("create refs/heads/x :/one", True),
        ("delete refs/heads/side HEAD~1", True),
        ("verify refs/heads/side main~1", True),
        ("option no-deref\nsymref-update HEAD refs/heads/side oid main", True),
        ("create refs/heads/x v1", False),
        ("create refs/heads/x HEAD~2", False),
        ("create refs/heads/x none", False),
        ("verify refs/heads/side main", False),
        ("create refs/heads/x HEAD~1 more", False),
    ],
)
def test_add_resolves_the_object_names_that_git_resolves(
    git: Git, tmp_path: Path, commands: str, is_taken: bool
) -> None:
    repo = git.init(tmp_path / "repo")
    first, second = repo.commit("one"), repo.commit("two")
    repo.git("branch", "side", first.hex())
    repo.tag("v1")
    shutil.copytree(repo.path, tmp_path / "theirs")
    theirs = replace(repo, path=tmp_path / "theirs", git_dir=tmp_path / "theirs" / ".git")
    data = f"{commands}\n".format(short=second.hex()[:9]).encode()

    answer = theirs.git("update-ref", "--stdin", input=data, check=False)
    place = Workplace(repo.reftable, find_repository(repo.path).stack_options(), find_repository(repo.path))
    rehearsal, done = (run("add", *more, repo.path, stdin=data) for more in (["--dry-run"], []))
    assert (answer.returncode == 0, rehearsal.code == 0, done.code == 0) == (is_taken,) * 3
    assert repo.refs(root=True) == theirs.refs(root=True)
    if "HEAD~2" in commands:
        with pytest.raises(ApiError, match="git finds no object of that name"):
            AddAction(place, data).plan(lambda _: None)
        alone = run("add", repo.path, stdin=data, env={"REFTABLE_GIT": str(tmp_path / "none")})
        assert alone.code == 2
        assert "'HEAD~2' is not an object id, and cannot be looked up: there is no git program" in alone.err


def test_names_are_resolved_by_one_process_that_may_be_replaced(
    git: Git, repo: Repository, tmp_path: Path
) -> None:
    first, second = repo.commit("one"), repo.commit("two")
    counted = tmp_path / "git"
    counted.write_text(f'#!/bin/sh\necho $* >> {tmp_path}/started\nexec {git.program} "$@"\n')
    counted.chmod(0o755)
    with GitProgram(str(counted)).names(repo.git_dir) as look_up:
        assert not (tmp_path / "started").exists()
        assert [look_up(b"HEAD"), look_up(b"HEAD~1"), look_up(b"no"), look_up(b"a\nb")] == [
            second, first, None, None,
        ]  # fmt: skip
        assert len((tmp_path / "started").read_text().splitlines()) == 1
        third = repo.commit("three")
        assert look_up(b"HEAD") == third
    dying = tmp_path / "dying"
    dying.write_text(f'#!/bin/sh\nread name; echo $name | {git.program} "$@"\n')
    dying.chmod(0o755)
    with GitProgram(str(dying)).names(repo.git_dir) as look_up:
        assert [look_up(b"HEAD"), look_up(b"HEAD~1"), look_up(b"HEAD~2")] == [third, second, first]


def test_a_git_that_is_too_old_is_named_where_it_matters(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repo.commit().hex()
    old = tmp_path / "old"
    old.write_text(
        """#!/bin/sh
[ "$1" = version ] && { echo git version 2.39.5; exit; }
[ "$1" = var ] && [ "$GIT_DIR" = /dev/null ] && { echo 'Old Hand <old@example.com> 1700000000 +0100'; exit; }
echo 'fatal: unknown repository extension found:' >&2
echo '        refstorage' >&2
exit 128
"""
    )
    old.chmod(0o755)
    monkeypatch.setenv("REFTABLE_GIT", str(old))
    sentence = "git 2.39 is too old for reftables (2.45 or newer is needed); REFTABLE_GIT names another"
    create = f"create refs/heads/n {commit}\n".encode()
    for options, stdin in (([], create), (["--dry-run"], create), ([], b"create refs/heads/n HEAD\n")):
        refused = run("add", *options, repo.path, stdin=stdin)
        assert refused.code == 2
        assert refused.err.count(sentence) == 1
        assert refused.err.count("\n") == 1
    forced = ok("add", "--force", repo.path, stdin=create)
    assert forced.err.count(sentence) == 1
    assert b"Old Hand <old@example.com> 1700000000 +0100" in forced.out
    repo.git("config", "gc.reflogExpire", "last tuesday")
    expired = run("expire", "--dry-run", repo.path)
    assert (expired.code, expired.err.count(sentence)) == (3, 1)
    # Where it makes no difference, nothing is said of it.
    assert ok("refs", repo.path).err == ""
    assert ok("add", repo.path, stdin=f"delete refs/heads/n {commit}\n".encode()).err == ""
    assert ok("expire", "--before", "1970-01-02", "--dry-run", repo.path).err == ""
