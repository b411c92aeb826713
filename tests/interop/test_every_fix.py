"""Every kind of fault that names a repair has one: made with real bytes, repaired, and git reads on.

`MADE` makes each of them; `BY_HAND` are those whose help is a command that a person types, and why.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.format import LOG, REF, U64_MAX, HashId, LogRecord, RefRecord, format_table_name, log_key
from engine.fsck import FAULTS, Severity, check_repository
from engine.git import find_repository
from engine.repair import plan_repair, repair
from engine.stack import Stack, StackOptions
from engine.table import TableWriter, WriteOptions
from tests.engine.fsck.test_git_stacks import TRIAL
from tests.support.cli import ok
from tests.support.findings import NOW, codes
from tests.support.git import Git, Repository
from tests.support.handmade import (
    Handmade,
    blocks,
    change_byte,
    change_footer,
    change_header,
    overwrite,
    raw_block,
    raw_record,
)
from tests.support.history import Layout
from tests.support.objects import add_commits
from tests.support.stacks import add as add_records, list_tables, listed, lock
from tests.support.tables import oid, write_table

Maker = Callable[[Repository, Path], object]
"""Makes a fault in a repository; the path is that of its first table."""

OPTIONS = StackOptions(auto_compact=False, skip_name_check=True)
HEAD = b"HEAD"
BRANCHES = 60
CREATED, MOVED = 2, 3
"""Which tables create the branches, and move them."""
LOSING = {"table-missing", "table-unreadable", "not-a-file", "not-a-table"}
"""Of all others, nothing that git showed before is lost."""
ELSEWHERE = {"compaction-due", "list-not-permitted", "table-not-permitted", "owner-not-permitted"}
"""git compacts with the next write; who may read a table is its owner's to say (`test_not_permitted`), as
whose it is (`test_owners`)."""


def write_list(table: Path, change: Callable[[bytes], bytes]) -> None:
    path = table.parent / "tables.list"
    path.write_bytes(change(path.read_bytes()))


def with_line(line: bytes) -> Maker:
    return lambda _, table: write_list(table, lambda raw: raw + line + b"\n")


def listed_as(order: Callable[[list[str]], list[str]]) -> Maker:
    return lambda _, table: list_tables(table.parent, order(listed(table.parent)))


def in_one(do: Callable[[Path], object]) -> Maker:
    """Make it in a stack of one table with each kind of section."""

    def made(repo: Repository, _: Path) -> None:
        repo.git("pack-refs")
        do(only(repo))

    return made


def only(repo: Repository) -> Path:
    [name] = listed(repo.reftable)
    return repo.reftable / name


def rename(path: Path, name: str) -> None:
    names = listed(path.parent)
    path.rename(path.parent / name)
    list_tables(path.parent, [name if one == path.name else one for one in names])


def add_table(repo: Repository, table: Handmade, **offsets: int) -> Path:
    """Put a table on top of the stack."""
    path = repo.reftable / f"{format_table_name(table.header.min_update_index, next_index(repo), 7)}.ref"
    table.write(path, **offsets)
    list_tables(repo.reftable, [*listed(repo.reftable), path.name])
    return path


def next_index(repo: Repository) -> int:
    with Stack.open(repo.reftable, read_only=True) as stack:
        return stack.next_update_index


def handmade(repo: Repository, block_size: int = 0) -> Handmade:
    at = next_index(repo)
    return Handmade(limits=(at, at), block_size=block_size)


def of_records(*records: bytes, restarts: list[int] | None = None) -> Maker:
    """Put a table of one block on top that holds these records."""

    def made(repo: Repository, _: Path) -> None:
        table = handmade(repo)
        table.append(raw_block(REF, b"".join(records), restarts, table.header.pack()))
        add_table(repo, table)

    return made


def ref(prefix: int, suffix: bytes, index: bytes = b"\0") -> bytes:
    """The record of a tombstone."""
    return raw_record(prefix, suffix, 0, index)


def with_index(change: Callable[[Handmade, list[tuple[bytes, int]], int, bytes], dict[str, int]]) -> Maker:
    """Put a table of four ref blocks on top, with an index and more, as `change` makes them."""

    def made(repo: Repository, _: Path) -> None:
        table, at = handmade(repo), next_index(repo)
        value = repo.oid("refs/heads/main")
        names = [b"refs/heads/%02d" % number for number in range(4)]
        refs = [(name, table.refs([RefRecord(name, at, value)])) for name in names]
        add_table(repo, table, **change(table, refs, at, value))

    return made


def foreign_index(table: Handmade, refs: list[tuple[bytes, int]], at: int, value: bytes) -> dict[str, int]:
    root = table.index(refs)
    entries = [LogRecord(name, at, bytes(20), value, b"A", b"a@b.c", 1, 0, b"made\n") for name, _ in refs]
    logs = [(log_key(one.name, at), table.logs([one])) for one in entries]
    return {
        "ref_index_offset": root,
        "log_offset": logs[0][1],
        "log_index_offset": table.index([(refs[-1][0], root), *logs]),
    }


def objects(entries: Callable[[list[tuple[bytes, list[int]]]], list[tuple[bytes, list[int]]]]) -> Maker:
    def made(repo: Repository, _: Path) -> None:
        table, at, value = handmade(repo), next_index(repo), repo.oid("refs/heads/main")
        refs = table.refs([RefRecord(b"refs/heads/new", at, value)])
        root = table.index([(b"refs/heads/new", refs)])
        found = table.objects(entries([(value[:2], [refs])]))
        add_table(repo, table, ref_index_offset=root, obj_offset=found, object_id_len=2)

    return made


def endless(repo: Repository, _: Path) -> None:
    table = handmade(repo, block_size=64)
    table.refs([RefRecord(b"refs/heads/new", next_index(repo), repo.oid("refs/heads/main"))])
    table.pad()
    table.append(b"?" * 64 * 5000)
    add_table(repo, table)


def add(record: Callable[[int, bytes], RefRecord]) -> Maker:
    """Add a ref with the engine, which asks no git."""

    def made(repo: Repository, _: Path) -> None:
        value = repo.oid("refs/heads/main")
        with Stack.open(repo.reftable, OPTIONS) as stack:
            stack.add(lambda writer: writer.add_ref(record(stack.next_update_index, value)))

    return made


def beside(name: str, at: Callable[[int], int], damaged: bool = False) -> Maker:
    """Leave a table beside the list, of a ref that is not listed, or of what is no table."""

    def made(repo: Repository, _: Path) -> None:
        index = at(next_index(repo))
        path = repo.reftable / f"{format_table_name(index, index, 9)}.ref"
        if damaged:
            path.write_bytes(b"x" * 200)
        else:
            write_table(path, [RefRecord(name.encode(), index, repo.oid("refs/heads/main"))])

    return made


def leave_superseded(repo: Repository, table: Path) -> None:
    data = table.read_bytes()
    repo.git("pack-refs")
    table.write_bytes(data)


def make_doubtful(repo: Repository, _: Path) -> None:
    """A superseded table comes back, while the listed one that may hold its records cannot be read."""
    table = repo.reftable / listed(repo.reftable)[CREATED]
    data = table.read_bytes()
    repo.git("pack-refs")
    table.write_bytes(data)
    change_byte(only(repo), blocks(only(repo), REF)[1].offset)


def orphans(repo: Repository) -> list[str]:
    return sorted({path.name for path in repo.reftable.glob("*.ref")}.difference(listed(repo.reftable)))


def newest(repo: Repository) -> Path:
    return repo.reftable / listed(repo.reftable)[-1]


def put_foreign_table(repo: Repository, _: Path) -> None:
    at = next_index(repo)
    path = repo.reftable / f"{format_table_name(at, at, 8)}.ref"
    write_table(
        path, [RefRecord(b"refs/heads/x", at, oid(1, 32))], options=WriteOptions(hash_id=HashId.SHA256)
    )
    list_tables(repo.reftable, [*listed(repo.reftable), path.name])


def overlap(repo: Repository, _: Path) -> None:
    repo.git("pack-refs")
    at = next_index(repo)
    path = repo.reftable / f"{format_table_name(2, at, 8)}.ref"
    write_table(path, [RefRecord(b"refs/heads/x", at, repo.oid("refs/heads/main"))], limits=(2, at))
    list_tables(repo.reftable, [*listed(repo.reftable), path.name])


def on_config(key: str, value: str) -> Maker:
    return lambda repo, _: repo.git("config", "-f", repo.git_dir / "config", key, value)


def in_place(make: Callable[[Path], object], of: Callable[[Repository], Path]) -> Maker:
    """Make something in the place of a file."""

    def made(repo: Repository, _: Path) -> None:
        path = of(repo)
        path.unlink()
        make(path)

    return made


def by_add(commands: bytes) -> Maker:
    """Change the refs, and compact: a table that has what was altered has it until then."""

    def change(repo: Repository, _: Path) -> None:
        ok("add", repo.path, stdin=commands, env=repo.runner.environment)
        ok("compact", repo.path)

    return change


def alter_a_value(path: Path) -> None:
    """Of the object id of the second branch in the second block, one bit."""
    block = blocks(path, REF)[1]
    value = [ref for ref in block.refs(20, 1) if ref.value is not None][1].value or b""
    change_byte(path, block.offset + block.data.index(value) + 15, 0x01)


def unlike_log(repo: Repository, _: Path, altered: bytes | None = None) -> None:
    """A ref with another value than its reflog has, or with an `altered` name."""
    value, name = repo.oid("refs/heads/main"), b"refs/heads/unlike"
    with Stack.open(repo.reftable, OPTIONS) as stack:
        at = stack.next_update_index
        log = LogRecord(name, at, bytes(20), value if altered else oid(7), b"A", b"a@b.c", 1, 0, b"made\n")

        def write(writer: TableWriter) -> None:
            writer.add_ref(RefRecord(altered or name, at, value))
            writer.add_log(log)

        stack.add(write)


def delete_another(repo: Repository, _: Path) -> None:
    """A tombstone of another name than the reflog that the same table deletes."""
    value, name, at = repo.oid("refs/heads/main"), b"refs/heads/delete", next_index(repo)
    log = LogRecord(name, at, bytes(20), value, b"A", b"a@b.c", 1, 0, b"made\n")
    with Stack.open(repo.reftable, OPTIONS) as stack:
        add_records(stack, [RefRecord(name, at, value)], [log])
        add_records(stack, [RefRecord(b"refs/heads/deletf", at + 1)], [LogRecord(name, at)])


MADE: dict[str, Maker] = {
    "list-missing": lambda _, table: (table.parent / "tables.list").unlink(),
    "list-empty": lambda _, table: write_list(table, lambda raw: raw[:0]),
    "list-unreadable": in_place(os.mkfifo, lambda repo: repo.reftable / "tables.list"),
    "list-no-newline": lambda _, table: write_list(table, lambda raw: raw[:-1]),
    "list-leaves-directory": with_line(b"../elsewhere.ref"),
    "list-nul": with_line(b"\0\0\0\0"),
    "list-carriage-return": lambda _, table: write_list(table, lambda raw: raw.replace(b"\n", b"\r\n", 1)),
    "list-not-a-table": with_line(b"# a comment"),
    "list-duplicate": listed_as(lambda names: [names[0], *names]),
    "list-repeats-older": listed_as(lambda names: [*names, names[CREATED]]),
    "list-blank-line": with_line(b""),
    "table-missing": lambda repo, _: newest(repo).unlink(),
    "table-unreadable": in_place(lambda path: path.symlink_to(path.name), newest),
    "not-a-file": in_place(os.mkfifo, newest),
    "orphan-table": leave_superseded,
    "orphan-newer": beside("refs/heads/new", lambda index: index),
    "orphan-ahead": listed_as(lambda names: names[:-2]),
    "table-unlisted-data": listed_as(lambda names: [names[0], *names[2:]]),
    "orphan-doubtful": make_doubtful,
    "orphan-damaged": beside("", lambda index: index, damaged=True),
    "temporary-file": lambda _, table: (table.parent / f"{table.stem}.temp.1a2b3c").touch(),
    "lock-stale": lambda _, table: lock(table.parent, "tables.list"),
    "not-a-table": lambda repo, _: newest(repo).write_bytes(b"not a table, but long enough for one" * 4),
    "cut-short": lambda _, table: os.truncate(table, table.stat().st_size - 40),
    "header-damaged": lambda _, table: change_byte(table, 4),
    "footer-damaged": lambda _, table: change_byte(table, table.stat().st_size - 68 + 15),
    "footer-checksum": lambda _, table: change_byte(table, table.stat().st_size - 1),
    "limits-reversed": lambda _, table: change_header(table, min_update_index=3, max_update_index=1),
    "limits-beyond-records": in_one(lambda path: change_header(path, max_update_index=U64_MAX)),
    "section-offset": in_one(lambda path: change_footer(path, log_index_offset=2**40)),
    "section-order": in_one(lambda path: change_footer(path, log_offset=0, log_index_offset=0)),
    "object-id-length": in_one(lambda path: change_footer(path, object_id_len=0)),
    "table-name": lambda _, table: rename(table, table.name[:-8] + "wxyz.ref"),
    "name-range": lambda _, table: rename(table, f"{format_table_name(7, 9, 5)}.ref"),
    "dulwich-table": lambda _, table: rename(table, "0x0000000000000002-0x0000000000000002-4e2328e7.ref"),
    "block-damaged": in_one(lambda path: overwrite(path, blocks(path, REF)[1].offset, b"?")),
    "table-given-up": endless,
    "block-inflate": in_one(lambda path: change_byte(path, blocks(path, LOG)[1].offset + 20)),
    "block-too-long": in_one(lambda path: change_header(path, block_size=256)),
    "block-hidden": in_one(lambda path: change_header(path, block_size=1024)),
    "padding": in_one(TRIAL["padding"][0]),
    "record-damaged": of_records(ref(0, b"refs/heads/a"), b"\0\xff"),
    "key-order": of_records(ref(0, b"refs/heads/b"), ref(11, b"a")),
    "key-encoding": of_records(ref(0, b"refs/heads/aab"), ref(12, b"ac")),
    "key-nul": of_records(ref(0, b"refs/heads/a\0b")),
    "update-index": of_records(ref(0, b"refs/heads/a", b"\x01")),
    "restart-offset": in_one(TRIAL["a restart offset"][0]),
    "index-damaged": with_index(
        lambda table, refs, *_: {
            "ref_index_offset": table.index([*refs, (b"refs/heads/99", refs[-1][1])]),
        }
    ),
    "index-incomplete": with_index(lambda table, refs, *_: {"ref_index_offset": table.index(refs[:3])}),
    "index-foreign": with_index(foreign_index),
    "index-several-roots": with_index(
        lambda table, refs, *_: {"ref_index_offset": min(table.index(refs[:2]), table.index(refs[2:]))}
    ),
    "objects-incomplete": objects(lambda entries: [(b"\0\0", entries[0][1])]),
    "objects-wrong": objects(lambda entries: sorted([*entries, (b"\xff\xff", [0])])),
    "repository-head": lambda repo, _: (repo.git_dir / "HEAD").unlink(),
    "repository-directory": lambda repo, _: shutil.rmtree(repo.git_dir / "refs"),
    "repository-stub": lambda repo, _: (repo.git_dir / "refs" / "heads").unlink(),
    "repository-storage": on_config("extensions.refStorage", "files"),
    "repository-version": on_config("core.repositoryFormatVersion", "0"),
    "object-format": on_config("extensions.objectFormat", "sha256"),
    "lock-beside": lambda repo, _: (repo.git_dir / "config.lock").touch(),
    "hash-mixed": put_foreign_table,
    "tables-out-of-order": listed_as(lambda names: names[::-1]),
    "ranges-overlap": overlap,
    "ref-name-unsafe": add(lambda index, value: RefRecord(b"refs/heads/../../../x", index, value)),
    "symref-target": add(lambda index, _: RefRecord(b"refs/heads/s", index, target=b"a..b/c")),
    "head-missing": add(lambda index, _: RefRecord(HEAD, index)),
    "head-target": add(lambda index, _: RefRecord(HEAD, index, target=b"refs/tags/v1")),
    "value-altered": in_one(alter_a_value),
    "name-altered": lambda repo, table: unlike_log(repo, table, b"refs/heads/unlikd"),
    "deletion-altered": delete_another,
    "value-unlike-log": unlike_log,
    "ref-id-null": add(lambda index, _: RefRecord(b"refs/heads/null", index, bytes(20))),
}


BY_HAND: dict[str, tuple[str, Maker]] = {
    "list-unreadable": (
        "what lies in the place of the list is moved away by hand, since it is no list; then it is rebuilt",
        lambda _, table: (table.parent / "tables.list").unlink(),
    ),
    "table-unreadable": (
        "permissions are their owner's to give, and a disk's errors its owner's to see to",
        lambda repo, _: newest(repo).unlink(),
    ),
    "lock-beside": (
        "whether a process works on a file of git's, a person knows",
        lambda repo, _: (repo.git_dir / "config.lock").unlink(),
    ),
    "symref-target": (
        "which value is meant, a person knows",
        by_add(b"option no-deref\ndelete refs/heads/s\n"),
    ),
    "head-missing": ("likewise", by_add(b"symref-create HEAD refs/heads/main\n")),
    "head-target": ("likewise", by_add(b"option no-deref\nsymref-update HEAD refs/heads/main\n")),
    "value-unlike-log": ("likewise", by_add(b"delete refs/heads/unlike\n")),
    "ref-id-null": ("likewise", by_add(b"option no-deref\ndelete refs/heads/null\n")),
}


@pytest.fixture(scope="module")
def source(git: Git, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of a few tables: HEAD and main, a block of branches, their next values, a tag."""
    repo = Layout(block_size=512, restart_interval=4).init(git, tmp_path_factory.mktemp("fix") / "repo")
    commits = add_commits(repo, BRANCHES)
    repo.git("update-ref", "refs/heads/main", commits[0].hex())
    for shift in (0, 1):
        verb = "update" if shift else "create"
        values = zip(range(BRANCHES), commits[shift:] + commits[:shift], strict=True)
        repo.update_refs(f"{verb} refs/heads/b{at:03} {value.hex()}" for at, value in values)
    repo.tag("v1", "main")
    return repo.path


@pytest.fixture
def fixed(source: Path, git: Git, tmp_path: Path) -> Repository:
    shutil.copytree(source, tmp_path / "repo")
    env = {"GIT_TEST_REFTABLE_AUTOCOMPACTION": "false"}
    return Repository(git, tmp_path / "repo", tmp_path / "repo" / ".git", env)


def found(repo: Repository) -> list[str]:
    repository = find_repository(repo.path)
    around = [one.code for one in check_repository(repository)]
    return around + codes(repo.reftable, repository.stack_options())


def left(repo: Repository, code: str) -> list[str]:
    """The errors that are left, and the fault that was made if it is."""
    return [one for one in found(repo) if one == code or FAULTS[one].severity is Severity.ERROR]


def test_every_kind_of_fault_with_a_fix_is_made_here() -> None:
    assert set(MADE) == {code for code, kind in FAULTS.items() if kind.fixes} - ELSEWHERE


@pytest.mark.parametrize("code", MADE)
def test_every_fix_exists(fixed: Repository, code: str) -> None:
    table = fixed.reftable / listed(fixed.reftable)[0]
    before = set(fixed.show_ref())
    MADE[code](fixed, table)
    assert code in found(fixed)
    if code in BY_HAND:
        BY_HAND[code][1](fixed, table)
    for _ in range(3):  # under a lock, nothing can be said about other files
        if not left(fixed, code):
            break
        repository = find_repository(fixed.path)
        # What git takes for sound is rewritten on demand only, and so is taken up what may be needed.
        named = listed(fixed.reftable)[-1:] if code == "index-several-roots" else None
        taken = orphans(fixed) if code == "orphan-doubtful" else []
        options = repository.stack_options()
        plan = plan_repair(fixed.reftable, options, named, NOW, take_up=taken, repository=repository)
        assert not plan.is_noop
        repair(fixed.reftable, plan, now=NOW)
    assert left(fixed, code) == []
    shown = fixed.git("for-each-ref")
    assert shown.stderr == b""
    assert before.issubset(fixed.show_ref()) == (code not in LOSING), before.difference(fixed.show_ref())
    assert fixed.git("refs", "verify").stderr == b""
    fixed.git("update-ref", "refs/heads/after", fixed.oid("refs/heads/main").hex())
