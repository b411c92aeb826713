"""A stack exported as files: git sees in them what it saw in the stack, or what is left of a broken one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import engine.export.skeleton
from engine.format import LogRecord, RefRecord, format_table_name, limits_in_name
from engine.readable import open_readable
from engine.stack import Stack
from tests.support.cli import ok, run
from tests.support.damage import flipped
from tests.support.git import Git, Repository
from tests.support.history import LAYOUTS, Layout
from tests.support.stacks import OPTIONS, add, entry, list_tables, listed, same, traces
from tests.support.tables import oid, stack_files, write_table

Busy = Callable[[Layout], Repository]


def opened(repo: Repository, skeleton: Path, *, copy: bool = False) -> Repository:
    """The skeleton beside the objects of the repository that it was made of."""
    if copy:
        shutil.copytree(repo.git_dir / "objects", skeleton / "objects")
    env = {} if copy else {"GIT_OBJECT_DIRECTORY": str(repo.git_dir / "objects")}
    return Repository(repo.runner, skeleton, skeleton, {**env, "GIT_DIR": str(skeleton)})


def seen(repo: Repository) -> dict[str, object]:
    """What git says of all refs, where HEAD leads, and every reflog."""
    refs = repo.git(
        "for-each-ref",
        "--include-root-refs",
        "--format=%(refname) %(objectname) %(*objectname) %(symref)",
    ).stdout
    logs = repo.reflogs(repo.git("reflog", "list").stdout.decode().split())
    assert all(logs.values())
    return {"refs": refs, "HEAD": repo.git("symbolic-ref", "HEAD").stdout, **logs}


def exports(stack: Path, target: Path, *more: str) -> list[str]:
    """Export a broken stack, and return the notes."""
    done = run("export", stack, target, *more)
    assert done.code in (1, 3), done.err
    return [line.removeprefix("reftable-inspector: ") for line in done.err.splitlines()]


@pytest.mark.parametrize("layout", LAYOUTS[:2] + LAYOUTS[4:6], ids=str)
@pytest.mark.parametrize("copy", [False, True], ids=["pointed to", "copied"])
def test_git_sees_the_same(busy: Busy, layout: Layout, copy: bool, tmp_path: Path) -> None:
    repo = busy(layout)
    before = traces(repo.reftable)
    ok("export", repo.path, tmp_path / "out")
    assert traces(repo.reftable) == before
    skeleton = opened(repo, tmp_path / "out", copy=copy)
    assert seen(skeleton) == seen(repo)
    assert len(seen(repo)) > 20
    skeleton.git("refs", "verify", "--strict")
    mine, original = skeleton.git("fsck", check=False), repo.git("fsck", check=False)
    assert (mine.returncode, mine.stderr) == (original.returncode, original.stderr)
    files = sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != "objects")
    assert files == ["HEAD", "ORIG_HEAD", "config", "logs", "packed-refs", "refs"]
    assert (
        (tmp_path / "out/packed-refs")
        .read_bytes()
        .startswith(b"# pack-refs with: peeled fully-peeled sorted \n")
    )
    # Git takes the files for its own: it goes on with them, and packs them without a difference.
    packed = (tmp_path / "out/packed-refs").read_bytes()
    skeleton.git("pack-refs", "--all")
    assert (tmp_path / "out/packed-refs").read_bytes() == packed
    skeleton.git("branch", "new", "HEAD")


@pytest.mark.parametrize("position", [0, 3, 7])
@pytest.mark.parametrize("broken", ["a hole", "a damaged block", "no list", "no footer"])
def test_what_can_be_read_of_a_broken_stack_is_exported(
    busy: Busy, tmp_path: Path, broken: str, position: int
) -> None:
    repo = busy(Layout())
    table = repo.reftable / listed(repo.reftable)[position]
    data = table.read_bytes()
    if broken == "a hole":
        table.unlink()
    elif broken == "no list":
        (repo.reftable / "tables.list").unlink()
    else:
        table.write_bytes(data[:-30] if broken == "no footer" else flipped(data, 24, 0xFF))
    before = traces(repo.reftable)
    notes = exports(repo.path, tmp_path / "out")
    assert traces(repo.reftable) == before
    skeleton = opened(repo, tmp_path / "out")
    assert any("tables.list" in note or table.name in note for note in notes)
    planned = run("repair", "--json", repo.path).objects
    told = {one["name"]: one["outcome"] for one in planned if one["kind"] == "outcome"}
    assert {
        note.split(" ")[1]: note.split(" ")[3].strip(":,") for note in notes if note[:4] == "ref "
    } == told
    with open_readable(repo.reftable) as stack:
        origins = [origin for origins in stack.merged.ref_origins() for origin in origins]
        older = {record.name.decode() for record, table in origins if stack.tables.index(table) < position}
    assert bool(older) == bool(position)
    doubtful = {name for name, outcome in told.items() if outcome == "doubtful"}
    assert doubtful == (older if broken == "a hole" else doubtful & older)
    if broken != "no footer":  # behind which nothing of these tables is lost, or something may be
        assert ("refs may be lost without trace:" in notes) == (broken != "no list")
    shown = [
        skeleton.git("for-each-ref", "--include-root-refs", "--format=%(refname) %(objectname)").stdout,
        skeleton.git("log", "-g", "--format=%H", "refs/heads/b09", check=False).stdout,
    ]
    assert run("repair", "--apply", repo.path).code in (0, 1)
    assert shown == [
        repo.git("for-each-ref", "--include-root-refs", "--format=%(refname) %(objectname)").stdout,
        repo.git("log", "-g", "--format=%H", "refs/heads/b09", check=False).stdout,
    ]


@pytest.mark.parametrize("gone", [slice(0, 1), slice(2, 4), slice(-1, None), slice(-2, None)], ids=str)
def test_tables_that_the_list_has_lost_are_named_and_taken_up_as_by_a_repair(
    busy: Busy, tmp_path: Path, gone: slice
) -> None:
    repo = busy(Layout())
    before, names = seen(repo), listed(repo.reftable)
    list_tables(repo.reftable, [name for name in names if name not in names[gone]])
    done = run("export", repo.path, tmp_path / "out")
    assert done.code == 3
    assert [name for name in names if name in done.err] == names[gone]
    # One that would be the next may be what a crash has left: a repair takes it up when asked to.
    shown, is_next = seen(opened(repo, tmp_path / "out")), gone == slice(-1, None)
    assert (f"{names[-1]} is left out: not in tables.list" in done.err) == is_next
    assert (shown == before) == (not is_next)
    assert run("repair", "--apply", repo.path).code == is_next
    assert shown == seen(repo)


def test_tables_beside_the_list_that_hold_nothing_more_are_not_named(busy: Busy, tmp_path: Path) -> None:
    """What a compaction has left behind, and the next table while its writer holds the lock."""
    repo = busy(Layout())
    before = {name: (repo.reftable / name).read_bytes() for name in listed(repo.reftable)}
    with Stack.open(repo.reftable) as stack:
        stack.compact_all()
    for name, data in before.items():
        (repo.reftable / name).write_bytes(data)
    at = (limits_in_name(listed(repo.reftable)[-1]) or (0, 0))[1] + 1
    write_table(
        repo.reftable / f"{format_table_name(at, at, 1)}.ref", [RefRecord(b"refs/heads/x", at, same(1))]
    )
    lock = repo.reftable / "tables.list.lock"
    lock.touch()
    ok("export", repo.path, tmp_path / "out")
    lock.unlink()
    assert run("export", repo.path, tmp_path / "again").code == 3


def test_what_can_be_read_is_exported_where_no_repair_can_be_planned(busy: Busy, tmp_path: Path) -> None:
    """Instead of the list there is a directory, which no repair takes away; and a table is damaged."""
    repo = busy(Layout())
    largest = max(map(repo.reftable.joinpath, listed(repo.reftable)), key=os.path.getsize)
    (repo.reftable / "tables.list").unlink()
    (repo.reftable / "tables.list").mkdir()
    data = largest.read_bytes()
    largest.write_bytes(data[:40] + b"\xff" * 40 + data[80:])
    with open_readable(repo.reftable) as stack:
        stack.meet_damage()
        readable = [ref.name for refs in stack.merged.ref_blocks() for ref in refs]
    done = run("export", "--json", repo.path, tmp_path / "out")
    assert done.code == 3
    assert "no repair can be planned" in done.err
    assert f"{largest.name}: " in done.err
    (told,) = done.objects
    assert told["refs"] == len(readable)
    assert told["outcomes"] == []


def test_a_stack_is_exported_whatever_its_configuration_asks_of_writers(busy: Busy, tmp_path: Path) -> None:
    repo = busy(Layout())
    before = seen(repo)
    repo.git("config", "reftable.blockSize", "none")
    assert run("compact", repo.path).code == 3
    done = run("export", repo.path, tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    assert seen(opened(repo, tmp_path / "out")) == before


def files_stack(tmp_path: Path, refs: list[RefRecord], logs: list[LogRecord]) -> Path:
    """A stack of names that git would not have together, or at all."""
    directory = tmp_path / "stack"
    directory.mkdir()
    with Stack.open(directory, OPTIONS) as stack:
        add(stack, refs, logs)
    return directory


def value(name: bytes, target: bytes | None = None) -> RefRecord:
    return RefRecord(name, 1, same(1) if target is None else None, target=target)


def test_names_that_are_no_paths_are_named_and_lead_nowhere(git: Git, tmp_path: Path) -> None:
    unsafe = [
        b"../outside",
        b"/etc/outside",
        b"config",
        b"objects/x",
        b"refs/../../outside",
        b"refs/heads/../../../outside",
        b"refs/heads/x.lock",
        b"refs/heads/a b",
        b"refs//x",
        b"packed-refs",
        b"worktrees/w/HEAD",
    ]
    long_name = b"refs/heads/" + b"n" * 300
    refs = [value(name) for name in [*unsafe, long_name, b"refs/heads/good", b"ORIG_HEAD"]]
    refs += [value(b"HEAD", b"../outside"), value(b"refs/remotes/o/HEAD", b"refs/x\ny"), value(b"refs/zero")]
    refs[-1].value = same(0)
    logs = [entry(name, 1, time=1) for name in [*unsafe, long_name, b"refs/heads/good"]]
    stack = files_stack(tmp_path, refs, logs)
    around = stack_files(stack), sorted(tmp_path.iterdir())
    notes = exports(stack, tmp_path / "out")
    assert (stack_files(stack), sorted(tmp_path.iterdir())) == (
        around[0],
        sorted([*around[1], tmp_path / "out"]),
    )
    left = [note for note in notes if " is left out: " in note]
    assert len(left) == 2 * len(unsafe) + 3 + 1, "the long name has no path for its log"
    assert "no HEAD can be used: it leads to refs/heads/good now" in notes
    files = {
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    assert files == {"HEAD", "ORIG_HEAD", "config", "logs/refs/heads/good", "packed-refs"}
    found = git.run(
        "--git-dir",
        tmp_path / "out",
        "rev-parse",
        "refs/heads/good",
        env={"GIT_OBJECT_DIRECTORY": str(tmp_path)},
    )
    assert found.stdout == same(1).hex().encode() + b"\n"


def test_names_in_each_others_way_are_named_and_the_one_with_a_ref_keeps_its_log(tmp_path: Path) -> None:
    refs = [
        value(b"HEAD", b"refs/heads/a/b"),
        value(b"refs/heads/a"),
        value(b"refs/heads/a/b"),
        value(b"refs/heads/c/d"),
    ]
    refs += [value(b"refs/s", b"refs/heads/a"), value(b"refs/s-1"), value(b"refs/s/t"), value(b"refs/tags/x")]
    names = [b"refs/heads/c", b"refs/heads/c/d", b"refs/tags/x", b"refs/tags/x/y", b"refs/heads/a"]
    stack = files_stack(tmp_path, refs, [entry(name, 1, time=1) for name in sorted(names)])
    notes = exports(stack, tmp_path / "out")
    assert [note.rpartition(": ")[0] for note in notes if " is left out: " in note] == [
        "ref refs/s is left out",
        "reflog refs/heads/c is left out: another name has its path",
        "reflog refs/tags/x/y is left out: another name has its path",
    ]
    assert "refs refs/heads/a and refs/heads/a/b: one is a directory of the other" in notes
    packed = (tmp_path / "out/packed-refs").read_text().splitlines()[1:]
    assert [line.split(" ")[1] for line in packed] == [
        "refs/heads/a",
        "refs/heads/a/b",
        "refs/heads/c/d",
        "refs/s-1",
        "refs/s/t",
        "refs/tags/x",
    ]


def test_names_that_differ_in_case_only_are_named_where_these_are_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def path_of(self: engine.export.skeleton._Writer, name: bytes) -> bytes:
        return os.path.join(self._root, name.lower())

    monkeypatch.setattr(engine.export.skeleton._Writer, "_path", path_of)
    logs = [entry(name, 1, time=1) for name in (b"refs/heads/A", b"refs/heads/a")]
    stack = files_stack(tmp_path, [value(b"HEAD", b"refs/heads/a"), value(b"refs/heads/a")], logs)
    notes = exports(stack, tmp_path / "out")
    assert [note.partition(":")[0] for note in notes] == ["reflog refs/heads/A is left out"]


def test_a_linked_worktree_is_exported_for_its_own_place(busy: Busy, tmp_path: Path) -> None:
    repo = busy(Layout())
    repo.git("worktree", "add", "-q", "-b", "side", tmp_path / "side", "b05")
    linked = Repository(repo.runner, tmp_path / "side", repo.git_dir / "worktrees/side", {})
    linked.git("update-ref", "refs/bisect/bad", "HEAD")
    linked.git("update-ref", "refs/worktree/own", "HEAD")
    before = seen(linked), seen(repo)
    ok("export", repo.path, tmp_path / "main")
    ok("export", "--worktree", "side", repo.path, tmp_path / "linked")
    assert sorted(os.listdir(tmp_path / "linked")) == ["HEAD", "ORIG_HEAD", "logs", "refs"]
    ok("export", "--anonymize", "--worktree", "side", repo.path, tmp_path / "anonymous")
    # In place of the stacks, as README tells it.
    for skeleton, git_dir in ((tmp_path / "main", repo.git_dir), (tmp_path / "linked", linked.git_dir)):
        shutil.rmtree(git_dir / "reftable")
        (skeleton / "config").unlink(missing_ok=True)
        shutil.rmtree(git_dir / "refs", ignore_errors=True)
        (git_dir / "refs").unlink(missing_ok=True)
        shutil.copytree(skeleton, git_dir, dirs_exist_ok=True)
    config = ["config", "-f", repo.git_dir / "config", "--unset", "extensions.refStorage"]
    repo.runner.run(*config)
    assert (seen(linked), seen(repo)) == before


def test_nothing_is_overwritten_and_a_failure_leaves_nothing(
    busy: Busy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = busy(Layout())
    target = tmp_path / "out"
    target.mkdir()
    (target / "mine").touch()
    assert run("export", repo.path, target).code == 2
    assert run("export", repo.path, target / "mine").code == 2
    assert os.listdir(target) == ["mine"]
    assert run("export", repo.path, repo.reftable / "inside").code == 2
    assert run("export").code == run("export", repo.path, target, target).code == 2
    (target / "mine").unlink()
    here = sorted(tmp_path.iterdir())

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device", "here")

    with monkeypatch.context() as patch:
        patch.setattr(engine.export.skeleton._Writer, "_write_logs", fails)
        assert run("export", repo.path, target).code == 6
    assert (sorted(tmp_path.iterdir()), os.listdir(target)) == (here, [])
    assert run("export", tmp_path / "none", tmp_path / "new").code == 3
    assert not (tmp_path / "new").exists()
    ok("export", repo.path, target)
    assert (target / "HEAD").read_bytes() == b"ref: refs/heads/b05\n"


def test_the_same_is_told_in_json(busy: Busy, tmp_path: Path) -> None:
    repo = busy(Layout())
    (repo.reftable / listed(repo.reftable)[3]).unlink()
    done = run("export", "--json", repo.path, tmp_path / "out")
    assert done.code == 3
    (told,) = done.objects
    assert told["directory"] == str(tmp_path / "out")
    assert len(told["doubtful"]) == 23
    assert [gap["after"] for gap in told["gaps"]] == [""]
    assert (told["left_out"], told["conflicts"], told["head"]) == ([], [], None)
    assert told["refs"] == len(run("refs", repo.path).lines)


def test_what_a_reflog_tells_is_exported_and_told_in_json_as_by_a_repair(busy: Busy, tmp_path: Path) -> None:
    repo = busy(Layout())
    table = repo.reftable / listed(repo.reftable)[3]
    table.write_bytes(flipped(table.read_bytes(), 24, 0xFF))
    done = run("export", "--json", repo.path, tmp_path / "out")
    assert done.code == 3
    planned = [one for one in run("repair", "--json", repo.path).objects if one.pop("kind") == "outcome"]
    assert {one["outcome"] for one in planned} == {"doubtful", "restored"}
    assert done.objects[0]["doubtful"] == [one["name"] for one in planned if one["outcome"] == "doubtful"]
    assert done.objects[0]["outcomes"] == [one for one in planned if one["outcome"] != "doubtful"]


@pytest.mark.parametrize(("newest", "code"), [(oid(3), 3), (oid(2), 0)])
def test_a_ref_that_is_doubtful_is_told_by_the_exit_code_of_the_export(
    tmp_path: Path, newest: bytes, code: int
) -> None:
    """A table that is listed behind a newer one, which it overlaps, hides a newer value."""
    names = [f"{format_table_name(1, limit, 0)}.ref" for limit in (3, 2)]
    stack = tmp_path / "reftable"
    stack.mkdir()
    write_table(stack / names[0], [RefRecord(b"refs/heads/a", 3, newest)], limits=(1, 3))
    write_table(stack / names[1], [RefRecord(b"refs/heads/a", 2, oid(2))], limits=(1, 2))
    list_tables(stack, names)
    done = run("export", "--json", stack, tmp_path / "out")
    assert (done.objects[0]["doubtful"], done.code) == (["refs/heads/a"] if code else [], code)


@pytest.mark.parametrize("layout", [LAYOUTS[0], LAYOUTS[1], LAYOUTS[4], LAYOUTS[7]], ids=str)
@pytest.mark.parametrize("packed", [False, True], ids=["many tables", "one table"])
def test_git_lists_an_anonymous_copy_as_it_lists_the_stack(
    busy: Busy, layout: Layout, packed: bool, tmp_path: Path
) -> None:
    repo = busy(layout)
    if packed:
        repo.git("pack-refs", "--all")
    copy = tmp_path / "copy"
    done = run("export", "--anonymize", "--json", repo.path, copy)
    assert [
        one["why"] for one in done.objects[0]["different"] if "since its log blocks deflate" not in one["why"]
    ] == []

    def names() -> list[bytes]:
        format_of = "--format=%(refname) %(symref)"
        return repo.git("for-each-ref", "--include-root-refs", format_of).stdout.splitlines()

    def logs() -> list[bytes]:
        return repo.git("reflog", "list").stdout.splitlines()

    original = names(), logs()
    shutil.rmtree(repo.reftable)
    shutil.copytree(copy, repo.reftable)
    assert [[*map(len, lines)] for lines in (names(), logs())] == [[*map(len, lines)] for lines in original]
    assert len(original[0]) > 30
    assert b"refs/heads/moved/b01" in original[1]
    assert not any(word in line for line in names() + logs() for word in (b"moved", b"dangling"))
    ok("fsck", repo.reftable)


def test_the_anonymous_copy_of_a_broken_stack_is_told(busy: Busy, tmp_path: Path) -> None:
    repo = busy(Layout())
    table = repo.reftable / listed(repo.reftable)[3]
    table.write_bytes(flipped(table.read_bytes(), 60, 0xFF)[:-20])
    done = run("export", "--anonymize", repo.path, tmp_path / "copy")
    assert done.lines[0].startswith(f"{len(listed(repo.reftable)) + 1} files, ".encode())
    # By the words that are drawn, a table may end up longer or shorter.
    assert all("since its log blocks deflate" in line for line in done.err.splitlines()), done.err
    mine, original = run("fsck", tmp_path / "copy"), run("fsck", repo.reftable)
    assert (mine.code, original.code) == (1, 1)
    assert len(mine.lines) == len(original.lines)
    assert run("export", "--anonymize", repo.path, tmp_path / "copy").code == 2
    (repo.reftable / "odd").mkdir()
    done = run("export", "--anonymize", repo.path, tmp_path / "again")
    assert (done.code, "odd: left out: is no regular file" in done.err) == (1, True)
