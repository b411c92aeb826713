"""Stacks that git made, read by the engine: the same refs and reflogs as git shows itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.format import INDEX, HashId, LogRecord, RefRecord
from engine.git import find_repository
from engine.stack import Stack
from tests.support.git import EMAIL, NAME, Git, GitRef, Repository
from tests.support.history import LAYOUTS, TIME, Layout, write_busy_history
from tests.support.objects import add_commits, add_tags
from tests.support.stacks import listed
from tests.support.views import View, engine_view, git_logs, git_view


@pytest.fixture(params=LAYOUTS, ids=str)
def layout(request: pytest.FixtureRequest) -> Layout:
    return request.param


def test_view_is_gits_for_every_ref(busy: Callable[[Layout], Repository], layout: Layout) -> None:
    repo = busy(layout)
    expected = git_view(repo)
    with Stack.open(repo.reftable, read_only=True) as stack:
        assert len(stack.tables) > 10
        assert {table.hash_id for table in stack.tables} == {HashId(layout.object_format)}
        assert engine_view(stack) == expected
        assert bool(expected.logs) == layout.logs
        for name, ref in expected.refs.items():
            record = stack.read_ref(name)
            assert record is not None
            assert GitRef(record.value, record.peeled, record.target) == ref


def test_view_is_gits_once_git_has_compacted(busy: Callable[[Layout], Repository], layout: Layout) -> None:
    repo = busy(layout)
    expected = git_view(repo)
    repo.git("pack-refs")
    with Stack.open(repo.reftable, read_only=True) as stack:
        assert len(stack.tables) == 1
        assert engine_view(stack) == expected
        assert [record for record in stack.tables[0].refs() if record.is_deletion] == []


def test_view_is_gits_while_git_compacts_as_it_goes(git: Git, tmp_path: Path) -> None:
    repo = Layout(block_size=512).init(git, tmp_path / "repo", auto_compaction=True)

    def compare() -> None:
        with Stack.open(repo.reftable, read_only=True) as stack:
            assert engine_view(stack) == git_view(repo)

    write_busy_history(repo, after_each=compare)


def test_view_as_of_each_table_is_what_git_showed_then(git: Git, tmp_path: Path) -> None:
    repo = Layout(block_size=300).init(git, tmp_path / "repo")
    seen: dict[int, View] = {}

    def remember() -> None:
        names = listed(repo.reftable)
        seen[len(names)] = git_view(repo)

    write_busy_history(repo, after_each=remember)
    with Stack.open(repo.reftable, read_only=True) as stack:
        assert len(seen) > 10
        for count, view in seen.items():
            assert engine_view(stack.merged.as_of(count)) == view


def test_a_handle_follows_git_and_its_iterators_survive(git: Git, tmp_path: Path) -> None:
    repo = Layout(block_size=256).init(git, tmp_path / "repo")
    commits = add_commits(repo, 2)
    repo.update_refs(f"create refs/heads/b{at:03} {commits[0].hex()}" for at in range(200))
    with Stack.open(repo.reftable, read_only=True) as stack:
        before = list(stack.refs())
        iterator = stack.refs()
        begun = [next(iterator) for _ in range(20)]
        repo.update_refs(f"update refs/heads/b{at:03} {commits[1].hex()}" for at in range(200))
        repo.git("pack-refs")
        assert stack.read_ref(b"refs/heads/b150") == before[151]
        assert stack.reload()
        assert not stack.reload()
        assert begun + list(iterator) == before
        assert engine_view(stack) == git_view(repo)
        assert stack.read_ref(b"refs/heads/b150").value == commits[1]


def test_records_hold_what_the_commands_said(repo: Repository) -> None:
    repo.git("config", "core.logAllRefUpdates", "always")
    first, second = add_commits(repo, 2)
    (tag,) = add_tags(repo, [first])
    (nested,) = add_tags(repo, [tag], "tag")
    null = bytes(20)

    def update(command: str, date: str, message: str) -> None:
        repo.git("update-ref", "-m", message, "--stdin", input=command.encode() + b"\n", date=date)

    update(f"create refs/heads/x {first.hex()}", "1600000000 +0530", "one  \t two")
    update(f"update refs/heads/x {second.hex()}", "1500000000 -1130", "grüße")
    update(f"create refs/tags/t {tag.hex()}", "@0 +1345", "tag")
    update(f"create refs/tags/n {nested.hex()}", "4000000000 -0015", "nested")

    def log(name: bytes, index: int, old: bytes, new: bytes, time: int, tz: int, message: str) -> LogRecord:
        text = message.encode() + b"\n"
        return LogRecord(name, index, old, new, NAME.encode(), EMAIL.encode(), time, tz, text)

    with Stack.open(repo.reftable, read_only=True) as stack:
        assert list(stack.refs()) == [
            RefRecord(b"HEAD", 1, target=b"refs/heads/main"),
            RefRecord(b"refs/heads/x", 3, value=second),
            RefRecord(b"refs/tags/n", 5, value=nested, peeled=first),
            RefRecord(b"refs/tags/t", 4, value=tag, peeled=first),
        ]
        assert list(stack.logs()) == [
            log(b"refs/heads/x", 3, first, second, 1500000000, -1130, "grüße"),
            log(b"refs/heads/x", 2, null, first, 1600000000, 530, "one two"),
            log(b"refs/tags/n", 5, null, nested, 4000000000, -15, "nested"),
            log(b"refs/tags/t", 4, null, tag, 0, 1345, "tag"),
        ]
        assert stack.next_update_index == 6


@pytest.mark.parametrize("zone", ["+0530", "-1130", "+1345", "-0030", "+0000", "+1400", "-1200"])
def test_zone_is_stored_as_git_prints_it(repo: Repository, zone: str) -> None:
    (commit,) = add_commits(repo, 1)
    repo.update_refs([f"create refs/heads/x {commit.hex()}"], date=f"{TIME} {zone}")
    with Stack.open(repo.reftable, read_only=True) as stack:
        record = stack.read_log(b"refs/heads/x")
        assert record is not None
        assert record.tz == int(zone)
        assert record.time == TIME
        assert [entry.tz for entry in repo.reflog("refs/heads/x")] == [record.tz]


def test_deleted_refs_are_tombstones_until_the_base_is_compacted(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    old, new = add_commits(repo, 2)
    repo.update_refs([f"create refs/heads/x {old.hex()}", f"create refs/heads/y {old.hex()}"])
    repo.update_refs(["delete refs/heads/x"])
    repo.update_refs([f"update refs/heads/y {new.hex()}"])
    with Stack.open(repo.reftable) as stack:
        assert stack.read_ref(b"refs/heads/x") is None
        assert list(stack.logs(b"refs/heads/x")) == []
        versions = stack.merged.versions(b"refs/heads/x")
        assert [(v.position, v.record.type, v.wins) for v in versions] == [
            (2, "deletion", True),
            (1, "val1", False),
        ]
        assert [log.type for log in stack.merged.logs(b"refs/heads/x", deletions=True)] == ["deletion"]
        repo.update_refs([f"create refs/heads/x {new.hex()}"])
        assert stack.reload()
        assert stack.read_ref(b"refs/heads/x").value == new
        assert [log.new for log in stack.logs(b"refs/heads/x")] == [new]
        assert engine_view(stack) == git_view(repo)
        repo.update_refs(["delete refs/heads/x"])
        repo.git("pack-refs")
        assert stack.reload()
        assert list(stack.merged.refs(deletions=True)) == list(stack.refs())
        assert list(stack.merged.logs(deletions=True)) == list(stack.logs())
        assert engine_view(stack) == git_view(repo)


def test_deleted_symref_leaves_its_target(repo: Repository) -> None:
    (commit,) = add_commits(repo, 1)
    repo.update_refs([f"create refs/heads/x {commit.hex()}"])
    repo.git("symbolic-ref", "refs/alias", "refs/heads/x")
    with Stack.open(repo.reftable, read_only=True) as stack:
        assert stack.read_ref(b"refs/alias").target == b"refs/heads/x"
        repo.git("symbolic-ref", "--delete", "refs/alias")
        stack.reload()
        assert stack.read_ref(b"refs/alias") is None
        assert stack.read_ref(b"refs/heads/x").value == commit
        assert engine_view(stack) == git_view(repo)


def test_reflog_entries_that_git_deleted_are_gone(repo: Repository) -> None:
    commits = add_commits(repo, 6)
    for number, commit in enumerate(commits):
        repo.update_refs([f"update refs/heads/x {commit.hex()}"], date=f"{TIME + number} +0100")
    repo.git("reflog", "delete", "refs/heads/x@{1}")
    repo.git("reflog", "delete", "--rewrite", "refs/heads/x@{3}")
    with Stack.open(repo.reftable, read_only=True) as stack:
        logs = list(stack.logs(b"refs/heads/x"))
        assert [log.new for log in logs] == [commits[at] for at in (5, 3, 2, 0)]
        # --rewrite makes the entry behind the deleted one begin where the one before it ended.
        assert logs[2].old == commits[0]
        assert engine_view(stack) == git_view(repo)


def test_a_reflog_that_git_emptied_still_exists(repo: Repository) -> None:
    (commit,) = add_commits(repo, 1)
    repo.update_refs([f"create refs/heads/x {commit.hex()}"])
    repo.git("reflog", "expire", "--expire=all", "refs/heads/x")
    assert repo.git("reflog", "list").stdout == b"refs/heads/x\n"
    with Stack.open(repo.reftable, read_only=True) as stack:
        # git marks such a reflog with an entry from nothing to nothing, and shows no such entry.
        (marker,) = stack.logs(b"refs/heads/x")
        assert not any(marker.old)
        assert not any(marker.new)
        assert engine_view(stack) == git_view(repo)


def test_a_renamed_branch_takes_its_reflog_along(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    commits = add_commits(repo, 3)
    for commit in commits:
        repo.update_refs([f"update refs/heads/x {commit.hex()}"])
    repo.git("branch", "-m", "x", "y/z")
    with Stack.open(repo.reftable, read_only=True) as stack:
        newest = stack.tables[-1]
        assert newest.max_update_index > newest.min_update_index
        assert [log.new for log in stack.logs(b"refs/heads/y/z")][-3:] == commits[::-1]
        assert list(stack.logs(b"refs/heads/x")) == []
        assert engine_view(stack) == git_view(repo)


def test_messages_are_what_git_shows(repo: Repository) -> None:
    (commit,) = add_commits(repo, 1)
    messages = ["x", "a: b\tc", "\u00fc\u4e2d", "back\\slash \"quote\" 'n' <m@x>", "y" * 5000]
    for number, message in enumerate(messages):
        repo.update_refs([f"create refs/heads/b{number} {commit.hex()}"], message)
    with Stack.open(repo.reftable, read_only=True) as stack:
        assert engine_view(stack) == git_view(repo)
        record = stack.read_log(b"refs/heads/b4")
        assert record is not None
        # Of a long message git keeps what fits half a block, and a newline.
        assert record.message == b"y" * (4096 // 2) + b"\n"


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_thousands_of_refs_are_found_through_an_index_of_several_levels(
    git: Git, tmp_path: Path, object_format: str
) -> None:
    repo = Layout(object_format, block_size=256).init(git, tmp_path / "repo")
    commits = add_commits(repo, 300)
    tags = add_tags(repo, commits[:100])
    names = [f"refs/heads/b{number * 7:05}" for number in range(2000)]
    repo.update_refs(f"create {name} {commits[at % 300].hex()}" for at, name in enumerate(names))
    repo.update_refs(f"create refs/tags/t{at:03} {oid.hex()}" for at, oid in enumerate(tags))
    repo.update_refs(f"update {name} {commits[at].hex()}" for at, name in enumerate(names[:1500:10]))
    repo.git("pack-refs")
    refs = repo.refs()
    with Stack.open(repo.reftable, read_only=True) as stack:
        (table,) = stack.tables
        footer = table.footer
        assert min(footer.ref_index_offset, footer.obj_index_offset, footer.log_index_offset) > 0
        root = table.block_at(footer.ref_index_offset)
        below = table.block_at(root.index()[0].offset)
        assert root.type == below.type == INDEX

        for name, ref in refs.items():
            record = stack.read_ref(name)
            assert record is not None
            assert GitRef(record.value, record.peeled, record.target) == ref
        for name in names:
            assert stack.read_ref(name.encode() + b"x") is None
            assert stack.read_ref(name[:-1].encode()) is None
        for prefix in (b"refs/heads/b0100", b"refs/heads/b1399", b"refs/heads/b2", b"refs/tags/", b"refs/u"):
            assert [ref.name for ref in stack.refs(prefix)] == [
                name for name in refs if name.startswith(prefix)
            ]
        for commit in commits:
            pointing = [name for name, ref in refs.items() if commit in (ref.value, ref.peeled)]
            assert [ref.name for ref in stack.refs_for(commit)] == pointing
        for tag in tags:
            assert [ref.value for ref in stack.refs_for(tag)] == [tag]
        assert list(stack.refs_for(bytes(table.hash_id.size))) == []

        logged = [name.encode() for name in names[::25]]
        found = {name: [log.new for log in stack.logs(name)] for name in logged}
        assert found == {
            name: [log.new for log in entries] for name, entries in git_logs(repo, logged).items()
        }
        assert max(map(len, found.values())) == 2


def test_each_worktree_has_a_stack_of_its_own(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    commits = add_commits(repo, 3)
    repo.update_refs([f"create refs/heads/{name} {commits[0].hex()}" for name in ("main", "side")])
    repo.git("worktree", "add", "-q", "--no-checkout", tmp_path / "linked", "side")
    linked = Repository(git, tmp_path / "linked", repo.git_dir / "worktrees" / "linked", {})
    linked.update_refs(
        [
            f"create refs/worktree/mine {commits[1].hex()}",
            f"create refs/bisect/bad {commits[2].hex()}",
            f"update HEAD {commits[2].hex()}",
        ],
    )
    repo.update_refs([f"create refs/bisect/bad {commits[1].hex()}"])

    found = find_repository(tmp_path / "linked")
    assert [(location.name, location.is_current) for location in found.stacks] == [
        ("main", False),
        ("linked", True),
    ]
    with (
        Stack.open(found.stacks[0].directory, read_only=True) as main,
        Stack.open(found.current.directory, read_only=True) as own,
    ):
        main_refs = engine_view(main).refs
        assert engine_view(main) == git_view(repo)
        assert main.read_ref(b"refs/heads/side").value == commits[2]
        assert main.read_ref(b"refs/bisect/bad").value == commits[1]
        own_refs = {ref.name: GitRef(ref.value, ref.peeled, ref.target) for ref in own.refs()}
        assert own_refs == {
            b"HEAD": GitRef(None, target=b"refs/heads/side"),
            b"refs/bisect/bad": GitRef(commits[2]),
            b"refs/worktree/mine": GitRef(commits[1]),
        }
        # There git shows the shared refs, and the worktree's own in place of the main worktree's.
        assert main_refs | own_refs == linked.refs(root=True)
        logs = git_logs(linked, sorted(own_refs))
        assert list(logs) == [name for name in logs if any(own.logs(name))]
        for name, entries in logs.items():
            assert [log.new for log in own.logs(name)] == [entry.new for entry in entries]
