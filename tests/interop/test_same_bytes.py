"""Byte for byte: what git writes, and what it makes of tables by compaction, comes out of the engine too."""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import LockError
from engine.format import HashId, LogRecord, RefRecord
from engine.stack import Stack
from engine.stack.stack import StackOptions
from engine.table import Table, TableWriter, WriteOptions
from tests.support.git import EMAIL, NAME, Git, Repository
from tests.support.history import LAYOUTS, TIME, Layout
from tests.support.objects import add_commits, add_tags
from tests.support.thinning import thinned
from tests.support.views import engine_view, git_view


def rewrite(path: Path, options: WriteOptions) -> bytes:
    """The bytes of a table that has the records and limits of the one at `path`."""
    out = io.BytesIO()
    with Table.open(path) as table:
        writer = TableWriter(out.write, options)
        writer.set_limits(table.min_update_index, table.max_update_index)
        for ref in table.refs():
            writer.add_ref(ref)
        for log in table.logs():
            writer.add_log(log)
        writer.close()
    return out.getvalue()


def listed(directory: Path) -> list[Path]:
    """The tables of a stack, oldest first."""
    return [directory / name for name in (directory / "tables.list").read_text().splitlines()]


def ranges_and_bytes(directory: Path) -> list[tuple[str, bytes]]:
    """Name without the random suffix, and content, of each table of a stack."""
    return [(path.name.rpartition("-")[0], path.read_bytes()) for path in listed(directory)]


def like_git(layout: Layout, *, auto_compact: bool = False, factor: int = 2) -> StackOptions:
    """Options under which the engine does to a stack what git does."""
    options = layout.write_options
    return StackOptions(
        block_size=options.block_size,
        restart_interval=options.restart_interval,
        skip_index_objects=options.skip_index_objects,
        hash_id=options.hash_id,
        auto_compact=auto_compact,
        policy="geometric",
        factor=factor,
    )


def random_names(rng: random.Random, count: int) -> list[str]:
    """Names that share anything from nothing to nearly all with their neighbours."""
    names: set[str] = set()
    while len(names) < count:
        parent = rng.choice(["heads", "tags", "remotes/origin", "x/" + "deep/" * rng.randrange(6)])
        word = rng.choice(["", "topic-", "z" * rng.randrange(30)])
        names.add(f"refs/{parent.strip('/')}/{word}{rng.randrange(4 * count)}")
    return sorted(names)


def write_random_history(repo: Repository, rng: random.Random, refs: int, *, logs: bool) -> None:
    """Three transactions or so over about this many refs: creations, updates, and a few deletions."""
    commits = add_commits(repo, min(refs, 400))
    tags = add_tags(repo, commits[:60])
    names = random_names(rng, refs)
    for round_ in range(3):
        commands = []
        for name in names if not round_ else rng.sample(names, refs // 9):
            if round_ and rng.random() < 0.2:
                commands.append(f"delete {name}")
            else:
                is_branch = name.startswith("refs/heads/")
                oid = rng.choice(commits if is_branch or rng.random() < 0.8 else tags)
                commands.append(f"update {name} {oid.hex()}")
        reflog = ["--create-reflog"] if logs and round_ != 1 else []
        message = "m" * rng.randrange(1, 40)
        data = "".join(f"{command}\n" for command in commands).encode()
        repo.git("update-ref", *reflog, "-m", message, "--stdin", input=data, date=f"{TIME + round_} +0330")


@pytest.mark.parametrize("layout", thinned(LAYOUTS, 3), ids=str)
def test_tables_of_a_busy_history_written_again(busy: Callable[[Layout], Repository], layout: Layout) -> None:
    repo = busy(layout)
    for path in listed(repo.reftable)[1:]:
        assert rewrite(path, layout.write_options) == path.read_bytes()
    repo.git("pack-refs")
    (path,) = listed(repo.reftable)
    assert rewrite(path, layout.write_options) == path.read_bytes()


@pytest.mark.parametrize(
    ("layout", "refs"),
    thinned(
        [
            (Layout(), 1),
            (Layout(), 40),
            (Layout(), 600),
            (Layout(), 3000),
            (Layout(logs=False), 20000),
            (Layout("sha256"), 2000),
            (Layout(block_size=150, logs=False), 2000),
            (Layout("sha256", block_size=200, restart_interval=1, logs=False), 1000),
            (Layout(block_size=300, restart_interval=1), 1500),
            (Layout("sha256", block_size=350, restart_interval=2), 700),
            (Layout(block_size=512, restart_interval=3, index_objects=False), 1500),
            (Layout("sha256", block_size=1000, restart_interval=65535, index_objects=False), 1500),
            (Layout(block_size=12345, restart_interval=7), 1500),
            (Layout(block_size=65536, restart_interval=65535), 2000),
            (Layout("sha256", block_size=65536, restart_interval=4), 1500),
            (Layout(block_size=2**24 - 1), 2000),
        ],
        2,
    ),
    ids=str,
)
def test_packed_table_of_many_refs_written_again(git: Git, tmp_path: Path, layout: Layout, refs: int) -> None:
    repo = layout.init(git, tmp_path / "repo")
    write_random_history(repo, random.Random(refs), refs, logs=layout.logs)
    repo.git("pack-refs")
    (path,) = listed(repo.reftable)
    with Table.open(path) as table:
        assert table.has_logs == layout.logs
    assert rewrite(path, layout.write_options) == path.read_bytes()


@pytest.mark.parametrize("layout", thinned(LAYOUTS, 3), ids=str)
def test_packed_table_without_any_ref_but_head_written_again(
    git: Git, tmp_path: Path, layout: Layout
) -> None:
    repo = layout.init(git, tmp_path / "repo")
    repo.git("symbolic-ref", "HEAD", "refs/heads/other")
    repo.git("pack-refs")
    (path,) = listed(repo.reftable)
    assert rewrite(path, layout.write_options) == path.read_bytes()


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_table_of_logs_alone_written_again(git: Git, tmp_path: Path, object_format: str) -> None:
    layout = Layout(object_format)
    repo = layout.init(git, tmp_path / "repo")
    for number, commit in enumerate(add_commits(repo, 3)):
        repo.update_refs([f"update refs/heads/x {commit.hex()}"], date=f"{TIME + number} +0000")
    repo.git("reflog", "delete", "refs/heads/x@{1}")
    path = listed(repo.reftable)[-1]
    with Table.open(path) as table:
        assert list(table.refs()) == []
        assert [log.type for log in table.logs()] == ["update", "deletion", "update"]
    assert rewrite(path, layout.write_options) == path.read_bytes()


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_marker_of_an_emptied_reflog_written_again(git: Git, tmp_path: Path, object_format: str) -> None:
    layout = Layout(object_format)
    repo = layout.init(git, tmp_path / "repo")
    (commit,) = add_commits(repo, 1)
    repo.update_refs([f"create refs/heads/x {commit.hex()}"])
    repo.git("reflog", "expire", "--expire=all", "refs/heads/x")
    path = listed(repo.reftable)[-1]
    with Table.open(path) as table:
        # No message at all, where every other entry that git writes has a newline at least.
        assert next(table.logs()).message == b""
    assert rewrite(path, layout.write_options) == path.read_bytes()


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_compacting_all_tables_with_a_reflog_that_git_emptied(
    git: Git, tmp_path: Path, object_format: str
) -> None:
    layout = Layout(object_format)
    repo = layout.init(git, tmp_path / "repo")
    (commit,) = add_commits(repo, 1)
    repo.update_refs([f"create refs/heads/x {commit.hex()}"])
    repo.git("reflog", "expire", "--expire=all", "refs/heads/x")
    copy = shutil.copytree(repo.reftable, tmp_path / "copy")
    repo.git("pack-refs")
    with Stack.open(copy, like_git(layout)) as stack:
        stack.compact_all()
        assert [log.message for log in stack.logs()] == [b"\n"]
    assert ranges_and_bytes(copy) == ranges_and_bytes(repo.reftable)


@pytest.mark.parametrize("layout", thinned(LAYOUTS, 3), ids=str)
def test_compacting_all_tables_of_a_busy_history(
    busy: Callable[[Layout], Repository], tmp_path: Path, layout: Layout
) -> None:
    repo = busy(layout)
    copy = shutil.copytree(repo.reftable, tmp_path / "copy")
    repo.git("pack-refs")
    with Stack.open(copy, like_git(layout)) as stack:
        plan = stack.plan_compaction(0, len(stack.tables))
        stack.compact_all()
    assert ranges_and_bytes(copy) == ranges_and_bytes(repo.reftable)
    assert plan.bytes == listed(copy)[0].stat().st_size
    assert sorted(path.name for path in copy.iterdir()) == sorted([listed(copy)[0].name, "tables.list"])


@pytest.mark.parametrize(
    "layout",
    [Layout(), Layout("sha256", block_size=350), Layout(block_size=65536, restart_interval=3)],
    ids=str,
)
def test_compacting_tables_of_another_layout_than_the_result(
    git: Git, tmp_path: Path, layout: Layout
) -> None:
    written = Layout(layout.object_format, block_size=512, restart_interval=5)
    repo = written.init(git, tmp_path / "repo")
    write_random_history(repo, random.Random(4), 900, logs=True)
    repo.git("config", "reftable.blockSize", str(layout.block_size))
    repo.git("config", "reftable.restartInterval", str(layout.restart_interval))
    copy = shutil.copytree(repo.reftable, tmp_path / "copy")
    repo.git("pack-refs")
    with Stack.open(copy, like_git(layout)) as stack:
        stack.compact_all()
    assert ranges_and_bytes(copy) == ranges_and_bytes(repo.reftable)


def write_random_stack(directory: Path, layout: Layout, rng: random.Random) -> None:
    """Tables as no git command makes them.

    Gaps between update indexes, tombstones of what never was, logs of other transactions, ids that begin
    alike, blocks without padding.
    """
    size = HashId(layout.object_format).size
    names = [name.encode() for name in random_names(rng, rng.choice([3, 30, 300]))]
    oids = [rng.randbytes(rng.randrange(4)).ljust(size, bytes([rng.randrange(256)])) for _ in range(40)]

    def ref(name: bytes, index: int) -> RefRecord:
        value, peeled = rng.choice(oids), rng.choice(oids)
        return rng.choice(
            [
                RefRecord(name, index),
                RefRecord(name, index, value),
                RefRecord(name, index, value),
                RefRecord(name, index, value, peeled),
                RefRecord(name, index, target=rng.choice(names)),
            ]
        )

    def log(name: bytes, index: int) -> LogRecord:
        if rng.random() < 0.2:
            return LogRecord(name, index)
        text = bytes(rng.choices(b"abcdefgh \xc3\xa4", k=rng.randrange(40)))
        zone = rng.randrange(-1400, 1400)
        old, new = rng.choice(oids), rng.choice(oids)
        return LogRecord(name, index, old, new, text[::2], text[1::2], rng.getrandbits(33), zone, text)

    def fill(writer: TableWriter) -> None:
        low = writer.min_update_index + rng.randrange(4)
        high = low + rng.randrange(4)
        writer.set_limits(low, high)
        some = rng.sample(names, rng.randrange(len(names) + 1))
        writer.add_refs(ref(name, rng.randint(low, high)) for name in some)
        if layout.logs and rng.random() < 0.8:
            keys = {(rng.choice(names), rng.randint(1, high)) for _ in range(len(names))}
            writer.add_logs(log(*key) for key in sorted(keys))

    for _ in range(rng.randrange(2, 7)):
        unpadded = replace(like_git(layout), unpadded=rng.random() < 0.3, skip_name_check=True)
        with Stack.open(directory, unpadded) as stack:
            stack.add(fill)


@pytest.mark.parametrize("seed", thinned(range(30), 5))
def test_compacting_all_tables_of_a_random_stack(git: Git, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    layout = rng.choice([layout for layout in LAYOUTS if layout.block_size >= 150])
    repo = layout.init(git, tmp_path / "repo")
    write_random_stack(repo.reftable, layout, rng)
    copy = shutil.copytree(repo.reftable, tmp_path / "copy")
    repo.git("pack-refs")
    with Stack.open(copy, like_git(layout)) as stack:
        stack.compact_all()
    assert ranges_and_bytes(copy) == ranges_and_bytes(repo.reftable)


def test_compacting_more_records_than_a_block_can_have_restart_points(git: Git, tmp_path: Path) -> None:
    layout = Layout(block_size=2**24 - 1, restart_interval=1)
    repo = layout.init(git, tmp_path / "repo")
    names = [b"refs/heads/%x" % number for number in range(2**16, 2**17 + 9)]
    with Stack.open(repo.reftable, replace(like_git(layout), skip_name_check=True)) as stack:
        for some in (names[::2], names[1::2]):
            with stack.addition() as addition, addition.table() as writer:
                writer.add_refs(RefRecord(name, addition.update_index, bytes(range(20))) for name in some)
    copy = shutil.copytree(repo.reftable, tmp_path / "copy")
    repo.git("pack-refs")
    with Stack.open(copy, like_git(layout)) as stack:
        stack.compact_all()
        (block,) = stack.tables[0].blocks()
        assert block.restart_count == 2**16 - 1
        assert stack.read_ref(names[-1]).name == names[-1]
    assert ranges_and_bytes(copy) == ranges_and_bytes(repo.reftable)


@pytest.mark.parametrize("factor", [2, 5])
def test_auto_compaction_merges_the_same_tables_at_the_same_time(
    git: Git, tmp_path: Path, factor: int
) -> None:
    layout = Layout(block_size=1024)
    plain = layout.init(git, tmp_path / "plain")
    compacting = layout.init(git, tmp_path / "compacting", auto_compaction=True)
    compacting.git("config", "reftable.geometricFactor", str(factor))
    copy = shutil.copytree(compacting.reftable, tmp_path / "copy")
    rng = random.Random(factor)
    commits = add_commits(plain, 20)
    assert add_commits(compacting, 20) == commits
    counts: list[int] = []
    with Stack.open(copy, like_git(layout, auto_compact=True, factor=factor)) as stack:
        for step in range(25):
            names = random_names(rng, rng.choice([1, 1, 1, 2, 5, 30]) if step else 300)
            commands = [f"update {name} {rng.choice(commits).hex()}" for name in names]
            for repo in (plain, compacting):
                repo.update_refs(commands, f"step {step}", date=f"{TIME + step} +0100")

            with Table.open(listed(plain.reftable)[-1]) as table, stack.addition() as addition:
                assert addition.update_index == table.min_update_index == table.max_update_index
                with addition.table() as writer:
                    writer.add_refs(table.refs())
                    writer.add_logs(table.logs())
            assert ranges_and_bytes(copy) == ranges_and_bytes(compacting.reftable)
            counts.append(len(stack.tables))
        assert engine_view(stack) == git_view(plain)
    assert len(set(counts)) > 2


def stack_of_five(git: Git, path: Path) -> Repository:
    """A repository of five tables of nearly one size, which the policy would merge into one."""
    repo = git.init(path, auto_compaction=False)
    commits = add_commits(repo, 4)
    for number, commit in enumerate(commits):
        repo.update_refs([f"create refs/heads/b{number}-{at} {commit.hex()}" for at in range(3)])
    return repo


@pytest.mark.parametrize("locked", [(0,), (1,), (2,), (3,), (4,), (0, 2), (1, 3)])
def test_auto_compaction_makes_do_with_the_tables_behind_a_locked_one(
    git: Git, tmp_path: Path, locked: tuple[int, ...]
) -> None:
    repo = stack_of_five(git, tmp_path / "repo")
    for position in locked:
        listed(repo.reftable)[position].with_suffix(".ref.lock").touch()
    before = ranges_and_bytes(repo.reftable)
    copy = shutil.copytree(repo.reftable, tmp_path / "copy")
    succeeds = repo.git("pack-refs", "--auto", check=False).returncode == 0
    with Stack.open(copy, like_git(Layout())) as stack:
        if succeeds:
            stack.auto_compact()
        else:
            with pytest.raises(LockError):
                stack.auto_compact()
            assert ranges_and_bytes(copy) == before
    assert ranges_and_bytes(copy) == ranges_and_bytes(repo.reftable)


def test_compacting_all_tables_wants_every_lock(git: Git, tmp_path: Path) -> None:
    repo = stack_of_five(git, tmp_path / "repo")
    listed(repo.reftable)[1].with_suffix(".ref.lock").touch()
    before = ranges_and_bytes(repo.reftable)
    copy = shutil.copytree(repo.reftable, tmp_path / "copy")
    assert repo.git("pack-refs", check=False).returncode != 0
    with Stack.open(copy, like_git(Layout())) as stack, pytest.raises(LockError):
        stack.compact_all()
    assert ranges_and_bytes(copy) == ranges_and_bytes(repo.reftable) == before
    assert {path.name for path in copy.iterdir()} == {path.name for path in repo.reftable.iterdir()}


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout.logs], ids=str)
def test_a_transaction_of_the_same_records(git: Git, tmp_path: Path, layout: Layout) -> None:
    repo = layout.init(git, tmp_path / "repo")
    repo.git("config", "core.logAllRefUpdates", "always")
    copy = shutil.copytree(repo.reftable, tmp_path / "copy")
    commits = add_commits(repo, 50)
    tags = add_tags(repo, commits[:10])
    branches = {f"refs/heads/topic/{number * 37:04}": commits[number % 50] for number in range(300)}
    tagged = {f"refs/tags/v{number}": tag for number, tag in enumerate(tags)}
    commands = [f"create {name} {oid.hex()}" for name, oid in {**branches, **tagged}.items()]
    repo.update_refs(commands, "made", date=f"{TIME} -0730")

    null = bytes(HashId(layout.object_format).size)
    peeled = dict(zip(tags, commits, strict=False))
    with (
        Stack.open(copy, like_git(layout)) as stack,
        stack.addition() as addition,
        addition.table() as writer,
    ):
        index = addition.update_index
        values = {name.encode(): oid for name, oid in {**tagged, **branches}.items()}
        writer.add_refs(RefRecord(name, index, oid, peeled.get(oid)) for name, oid in values.items())
        writer.add_logs(
            LogRecord(name, index, null, oid, NAME.encode(), EMAIL.encode(), TIME, -730, b"made")
            for name, oid in values.items()
        )
    assert ranges_and_bytes(copy) == ranges_and_bytes(repo.reftable)
