"""The stacks that are measured, in repositories that git accepts: the main one has 1.2 million refs.

Made once by the engine's own writer and kept in the user's cache. Of five tables each is some ten times
smaller than the one below it, and a third of its names are new versions of older refs, spread
evenly over all names, so that no part of the base table is left alone by the merge.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from engine import LogRecord, RefRecord, Stack, StackOptions, TableWriter
from tests.support.git import Git

SHARES = (0.83, 0.14, 0.025, 0.004, 0.001)
OBJECTS = 20_000
LOG_REFS = 300
LOG_SHARES = (0.8, 0.14, 0.04, 0.015, 0.005)
LOG_TIME = 1_700_000_000
_AREAS = (b"heads", b"tags", b"pull", b"remotes/origin", b"keep-around")


def cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "reftable-inspector" / "benchmarks"


def ref_name(number: int) -> bytes:
    """Names as busy repositories have them: nested, with long common beginnings."""
    area = _AREAS[number % len(_AREAS)]
    return b"refs/%s/team-%02d/topic-%07d" % (area, number // 7 % 40, number)


def blob_id(number: int) -> bytes:
    text = b"%d\n" % number
    return hashlib.sha1(b"blob %d\0%s" % (len(text), text)).digest()  # noqa: S324 - git's object ids


def object_ids() -> list[bytes]:
    """The ids of all objects of such a repository."""
    return [blob_id(number) for number in range(OBJECTS)]


def repository(git: Git, refs: int) -> Path:
    """The git directory of a repository with `refs` refs, made on first use."""
    return _kept(git, f"{refs}-refs.git", lambda directory: _fill(directory, refs))


def many_tables(git: Git, tables: int) -> Path:
    """The same with 100,000 refs in one table, and `tables` - 1 tables of one ref on top of it."""
    return _kept(git, f"{tables}-tables.git", lambda directory: _pile(directory, tables))


def log_repository(git: Git, entries: int) -> Path:
    """The same with so many log entries of 300 refs in five tables; the older half lies before LOG_TIME."""
    return _kept(git, f"{entries}-logs.git", lambda directory: _fill_logs(directory, entries))


def _kept(git: Git, name: str, fill: Callable[[Path], None]) -> Path:
    """The repository of that name, with all objects and the refs that `fill` puts into its stack."""
    path = cache_directory() / name
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        git.run("init", "-q", "--bare", "--ref-format=reftable", str(unfinished))
        stream = b"".join(b"blob\ndata %d\n%d\n\n" % (len(b"%d\n" % n), n) for n in range(OBJECTS))
        git.run("fast-import", "--quiet", input=stream, cwd=unfinished)
        fill(unfinished / "reftable")
        unfinished.rename(path)
    return path


def small_repositories(git: Git, place: Path, count: int) -> None:
    """Make so many copies of a bare repository with a dozen branches, in two tables."""
    first = git.init(place / "0.git", bare=True)
    tree = first.git("hash-object", "-t", "tree", "-w", "/dev/null").stdout.decode().strip()
    commit = first.git("commit-tree", "-m", "first", tree).stdout.decode().strip()
    for number in range(12):
        first.update_refs([f"create refs/heads/topic-{number} {commit}"])
    for number in range(1, count):
        shutil.copytree(first.path, place / f"{number}.git")


def _fill(directory: Path, refs: int) -> None:
    options = StackOptions(auto_compact=False, skip_name_check=True)
    with Stack.open(directory, options) as stack:
        new = 0
        for level, share in enumerate(SHARES):
            count = round(refs * share)
            # Two thirds of a table above the base are refs that no older table has.
            fresh = count if new == 0 else count * 2 // 3
            numbers = {*range(new, new + fresh), *_spread(new, count - fresh)}
            new += fresh
            with stack.addition() as addition, addition.table() as writer:
                _write(writer, addition.update_index, numbers)
            if level == 0:
                stack.compact_all()  # the table with HEAD alone that `git init` made


def _spread(below: int, count: int) -> Iterator[int]:
    return (number * below // count for number in range(count))


def _write(writer: TableWriter, update_index: int, numbers: set[int]) -> None:
    for name, number in sorted((ref_name(number), number) for number in numbers):
        writer.add_ref(RefRecord(name, update_index, blob_id((number + update_index) % OBJECTS)))


def _pile(directory: Path, tables: int) -> None:
    with Stack.open(directory, StackOptions(auto_compact=False, skip_name_check=True)) as stack:
        with stack.addition() as addition, addition.table() as writer:
            _write(writer, addition.update_index, set(range(100_000)))
        stack.compact_all()
        for number in range(1, tables):
            with stack.addition() as addition, addition.table() as writer:
                _write(writer, addition.update_index, {number * 331 % 100_000})


def _fill_logs(directory: Path, entries: int) -> None:
    with Stack.open(directory, StackOptions(auto_compact=False, skip_name_check=True)) as stack:
        first = 0
        for share in LOG_SHARES:
            count = max(1, round(entries * share) // LOG_REFS)
            with stack.addition() as addition, addition.table() as writer:
                begin = addition.update_index
                writer.set_limits(begin, begin + count - 1)
                names = sorted(map(ref_name, range(LOG_REFS)))
                for name in names:
                    writer.add_ref(RefRecord(name, begin + count - 1, blob_id(first + count)))
                for name in names:
                    for number in reversed(range(count)):
                        writer.add_log(_entry(name, begin + number, first + number, entries))
            first += count


def _entry(name: bytes, index: int, number: int, entries: int) -> LogRecord:
    """The entry `number` of a ref: one an hour, half of them before LOG_TIME."""
    when = LOG_TIME + (number - entries // LOG_REFS // 2) * 3600
    return LogRecord(
        name,
        index,
        blob_id(number),
        blob_id(number + 1),
        b"A U Thor",
        b"author@example.org",
        when,
        0,
        b"commit: a change of number %d\n" % number,
    )
