"""A process dies or a call fails, at each system call that changes the disk: the stack is the old or the new.

`pytest -s` shows how many calls each operation makes. By default some of them are tried, the same each time.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from engine.errors import CommittedError, ReftableError
from engine.format import LogRecord, RefRecord
from engine.repair import plan_repair, repair
from engine.snapshot import list_snapshots, prune
from engine.snapshot.manifest import snapshots_directory
from engine.stack import Stack, StackOptions
from tests.support.faults import CHANGING, GO_ON, REMOVING, Call, faults, moments, survives
from tests.support.findings import faults as what_is_wrong
from tests.support.git import Git, Repository
from tests.support.operations import MENDED, NAMES, NOW, OPERATIONS, TRIED, Operation, drawing, prepare
from tests.support.thinning import ALL, thinned

Shape = tuple[bytes | None, tuple[bytes | None, ...]]
"""The list, but for what is random in it, and the bytes of its tables: any stack, sound or not."""

LATER = NOW + 10**6
OPTIONS = StackOptions(auto_compact=False, lock_timeout_ms=0)
MOST_CALLS = 400

pytestmark = pytest.mark.timeout(300)


def shape(directory: Path) -> Shape:
    path = directory / "tables.list"
    if not path.exists():
        return None, ()
    raw = path.read_bytes()
    paths = [directory / os.fsdecode(line) for line in raw.split(b"\n") if line]
    tables = tuple(path.read_bytes() if path.exists() else None for path in paths)
    return re.sub(rb"-[0-9a-f]{8}\.ref", b"-*.ref", raw), tables


def records(directory: Path) -> tuple[list[RefRecord], list[LogRecord]]:
    with Stack.open(directory, read_only=True) as stack:
        return list(stack.refs()), list(stack.logs())


def tables_anywhere(parent: Path) -> set[bytes]:
    """All that there is to be read in a stack's directory and in its snapshots."""
    return {path.read_bytes() for path in parent.rglob("*.ref") if path.is_file()}


def everything_in(parent: Path) -> dict[str, bytes]:
    return {str(path.relative_to(parent)): path.read_bytes() for path in parent.rglob("*") if path.is_file()}


State = frozenset[tuple[str, int, bytes]]
"""All that lies on the disk."""


def state(parent: Path) -> State:
    """What a stack and its snapshots are, however they came to be so: names, modes and bytes of all of it."""
    found = []
    for place, directories, files in os.walk(parent):
        inside = place.removeprefix(str(parent))
        found += [(f"{inside}/{name}", os.stat(f"{place}/{name}").st_mode, b"") for name in directories]
        for name in files:
            with open(f"{place}/{name}", "rb") as file:
                found.append((f"{inside}/{name}", os.fstat(file.fileno()).st_mode, file.read()))
    return frozenset(found)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} if directory.exists() else set()


def locks(directory: Path) -> set[str]:
    return {name for name in names(directory) if name.endswith(".lock")}


@pytest.fixture(scope="module", autouse=True)
def _quickly() -> Iterator[None]:
    """Leave out fsync, which only a power cut could tell from nothing; it dies and fails all the same.

    Only this process is asked which files it has open: those that worked on the stack have died.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, "fsync", lambda _fd: None)
        monkeypatch.setattr("engine.stack.holders._processes", lambda: [1, os.getpid()])
        yield


@pytest.fixture(scope="module", params=TRIED)
def operation(request: pytest.FixtureRequest) -> Operation:
    return OPERATIONS[str(request.param)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, operation: Operation) -> Path:
    directory = prepare(tmp_path_factory.mktemp("faults") / "source")
    operation.before(directory)
    return directory


@dataclass(frozen=True, slots=True)
class Expected:
    """The stack before an operation and after it, and what our own tools make of each of them."""

    old: Shape
    new: Shape
    tidied: dict[Shape, Shape]
    judged: dict[State, Shape] = field(default_factory=dict)
    """What was tidied already, with what it became: much that is left is the same, or becomes so."""


@pytest.fixture(scope="module")
def expected(source: Path, tmp_path_factory: pytest.TempPathFactory, operation: Operation) -> Expected:
    parent = tmp_path_factory.mktemp("expected")
    work = partial(run, operation)
    old, new = shape(source), outcome(source, parent, work)
    tidied = {old: outcome(source, parent, tidy), new: outcome(source, parent, work, tidy)}
    return Expected(old, new, tidied)


def run(operation: Operation, directory: Path) -> None:
    """Work: tables and temporary files get the same names each time."""
    with drawing("work"):
        operation.work(directory)


def copies(source: Path, tmp_path: Path, calls: Iterable[int]) -> Iterator[tuple[int, Path]]:
    """Copy the stack with its snapshots, again and again: by links, as nothing may edit a file in place."""
    for call in calls:
        parent = tmp_path / f"copy-{call:03}"
        shutil.copytree(source.parent, parent, copy_function=os.link)
        yield call, parent / source.name
        shutil.rmtree(parent)


def outcome(source: Path, tmp_path: Path, *works: Callable[[Path], object]) -> Shape:
    parent = tmp_path / "outcome"
    shutil.copytree(source.parent, parent)
    for work in works:
        work(parent / source.name)
    found = shape(parent / source.name)
    shutil.rmtree(parent)
    return found


def tidy(directory: Path, judged: Container[State] = ()) -> list[State]:
    """Have our own tools remove what a process that died or failed has left, once its locks are old.

    Returns what lay there on the way; it ends where that is judged already.
    """
    met: list[State] = []
    with drawing("tidy"):
        for _ in range(3):  # under a lock, nothing can be said about other files
            met.append(state(directory.parent))
            if met[-1] in judged:
                return met
            plan = plan_repair(directory, OPTIONS, now=LATER)
            if not plan.steps:
                break
            repair(directory, plan, now=LATER)
    # What a repair has left out was lost before: its update indexes are missing from then on.
    assert set(what_is_wrong(directory)) <= {"indexes-missing"}
    listed = (directory / "tables.list").read_text().split()
    assert names(directory) == {"tables.list", *listed}
    prune(directory, LATER)
    snapshots = list_snapshots(directory)
    assert names(snapshots_directory(directory)) == {snapshot.id for snapshot in snapshots}
    for snapshot in snapshots:
        assert names(snapshot.path) <= {"manifest.json", "tables.list", "files", "lost"}
        assert names(snapshot.path / "files") == set(snapshot.files)
    return met


def assert_usable(directory: Path) -> None:
    """Changes succeed again, and leave nothing but the listed tables."""
    with Stack.open(directory, OPTIONS) as stack:
        with stack.addition() as addition, addition.table() as writer:
            writer.add_ref(RefRecord(MENDED, addition.update_index, bytes(20)))
        stack.compact_all()
        assert names(directory) == {"tables.list", stack.tables[0].name}


def judge(directory: Path, operation: Operation, expected: Expected, tables: set[bytes]) -> None:
    """See that what is left can be tidied and used, and that none of the tables is lost."""
    now = shape(directory)
    met = tidy(directory, expected.judged)
    became = expected.judged.get(met[-1])
    if became is None:
        became = shape(directory)
        if operation.keeps_all:
            assert tables <= tables_anywhere(directory.parent)
        assert_usable(directory)
    assert became == expected.tidied[now]
    expected.judged.update(dict.fromkeys(met, became))


def git_sees(repo: Repository, directory: Path) -> None:
    """Have git compare: to list refs it would want the objects as well."""
    shutil.rmtree(repo.reftable)
    shutil.copytree(directory, repo.reftable)
    for lock in locks(repo.reftable):
        (repo.reftable / lock).unlink()
    values = {ref.name: (ref.value or b"").hex() for ref in records(directory)[0]}
    lines = [b"verify %s %s\n" % (name, values.get(name, "0" * 40).encode()) for name in NAMES]
    repo.git("update-ref", "--stdin", input=b"".join(lines))


def test_a_death_at_any_system_call_leaves_the_old_stack_or_the_new(
    source: Path,
    expected: Expected,
    tmp_path: Path,
    operation: Operation,
    git: Git,
    request: pytest.FixtureRequest,
) -> None:
    """It is worked once, and what a death would leave is copied in front of each call.

    Some die indeed, and leave what was copied.
    """
    old, new = expected.old, expected.new
    is_sound = {state: state == expected.tidied[state] for state in (old, new)}
    assert any(is_sound.values())
    tables, untouched = tables_anywhere(source.parent), everything_in(source.parent)
    repo = git.init(tmp_path / "repo")
    live = tmp_path / "live"
    shutil.copytree(source.parent, live, copy_function=os.link)
    left: list[State] = []
    shapes: list[Shape] = []
    places: dict[State, tuple[int, Path]] = {}

    def look(call: int) -> None:
        left.append(state(live))
        shapes.append(shape(live / source.name))
        if left[-1] not in places and call in tried:
            places[left[-1]] = call, tmp_path / f"moment-{call:03}"
            shutil.copytree(live, places[left[-1]][1])

    tried = {*thinned(range(MOST_CALLS), 17)}
    calls = moments(partial(run, operation, live / source.name), look)
    for call, parent in [*places.values(), (calls, live)]:
        directory, now = parent / source.name, shapes[call]
        assert left[call] == state(parent)
        assert now in (old, new), call
        if operation.by_git and is_sound[now]:
            git_sees(repo, directory)
        judge(directory, operation, expected, tables)
    # Once the change has happened, a later death does not undo it.
    was_new = [now == new != old for now in shapes]
    assert was_new == sorted(was_new)
    assert shapes[-1] == new
    for call, directory in copies(source, tmp_path, [*range(0, calls, 17), calls]):
        assert survives(call, partial(run, operation, directory)) == (call == calls)
        assert state(directory.parent) == left[call], call
    assert everything_in(source.parent) == untouched
    print(f"\n{request.node.callspec.id}: {calls} deaths", end=" ")  # noqa: T201 - shown with -s


# The engine never tells a full disk from a broken one, so these two take turns. A missing right it does tell.
@pytest.mark.parametrize(
    "codes",
    thinned([(errno.ENOSPC, errno.EIO), (errno.EACCES,)], 2),
    ids=lambda codes: errno.errorcode[codes[-1]],
)
def test_a_failure_of_any_system_call_is_told_and_leaves_no_lock(
    source: Path,
    expected: Expected,
    tmp_path: Path,
    operation: Operation,
    codes: Sequence[int],
    request: pytest.FixtureRequest,
) -> None:
    number = fail_everywhere(source, expected, tmp_path, operation, codes, lasts=False)
    print(f"\n{request.node.callspec.id}: {number} failures", end=" ")  # noqa: T201 - shown with -s


@pytest.mark.parametrize(
    "operation",
    ["add", "recorded compact", "go back", "mend everything", "undo mend everything", "copying go back"],
    indirect=True,
)
def test_a_disk_that_stays_full_is_told_and_leaves_no_lock(
    source: Path, expected: Expected, tmp_path: Path, operation: Operation, request: pytest.FixtureRequest
) -> None:
    number = fail_everywhere(source, expected, tmp_path, operation, [errno.ENOSPC], lasts=True)
    print(f"\n{request.node.callspec.id}: {number} full disks", end=" ")  # noqa: T201 - likewise


def fail_everywhere(
    source: Path,
    expected: Expected,
    tmp_path: Path,
    operation: Operation,
    codes: Sequence[int],
    *,
    lasts: bool,
) -> int:
    """Fail each call in turn, or all from there on but those that remove; returns how many there were.

    The `codes` take turns at the calls of a name, and with each operation another one begins, so that each
    kind of call meets all of them.
    """
    old, new = expected.old, expected.new
    tables, files, locked = tables_anywhere(source.parent), names(source), locks(source)
    snapshots, untouched = names(snapshots_directory(source)), everything_in(source.parent)
    undone = state(source.parent)
    told: list[tuple[list[Call], str]] = []
    mistold: list[tuple[list[Call], str]] = []
    turns = Counter(dict.fromkeys(CHANGING, [*OPERATIONS.values()].index(operation)))
    for number, directory in copies(source, tmp_path, thinned(range(MOST_CALLS), 17)):
        failed: list[Call] = []

        def fault(call: Call, number: int = number, failed: list[Call] = failed) -> int:
            if call.number < number or (failed and not lasts):
                return GO_ON
            if failed and call.name in REMOVING:
                return GO_ON
            failed.append(call)
            turns[call.name] += len(failed) == 1
            return codes[turns[call.name] % len(codes)]

        try:
            with faults(fault):
                run(operation, directory)
        except (OSError, ReftableError) as error:
            told.append((failed, str(error)))
            # A script that reads anything else of a change that is made would make it once more.
            if old != new and (shape(directory) == new) != isinstance(error, CommittedError):
                mistold.append((failed, repr(error)))  # a kept error would keep the lock's file open
        if not failed:
            break
        assert number < MOST_CALLS - 17, "there is no end of system calls"
        now = shape(directory)
        assert now in (old, new), failed
        # What could not be removed is still there, and nothing else.
        if not any(call.name in REMOVING for call in failed):
            assert locks(directory) <= locked, failed
            assert now == new or names(directory) | locked == files, failed
            # Once a lock is gone, the snapshot that was taken before stays.
            left = names(snapshots_directory(directory)) == snapshots or locks(directory) < locked
            assert now == new or left, failed
        if state(directory.parent) != undone:
            judge(directory, operation, expected, tables)
    assert len(told) >= (3 if ALL else 1)
    assert mistold == []
    for failed, text in told:
        assert any(os.path.basename(call.path) in text for call in failed), (failed, text)
    assert everything_in(source.parent) == untouched
    return number


AUDITED = {
    "os.chmod": ("chmod", "fchmod"),
    "os.chown": ("chown", "fchown"),
    "os.link": ("link",),
    "os.mkdir": ("mkdir",),
    "os.remove": ("remove", "unlink"),
    "os.removexattr": ("removexattr",),
    "os.rename": ("rename", "replace"),
    "os.rmdir": ("rmdir",),
    "os.setxattr": ("setxattr",),
    "os.symlink": ("symlink",),
    "os.truncate": ("ftruncate", "truncate"),
    "os.utime": ("utime",),
}
"""What Python itself reports of changes, by any way; of opening, it reports how."""


def test_no_change_goes_past_the_faults(source: Path, tmp_path: Path, operation: Operation) -> None:
    """What is seen of an operation is all that Python's audit sees, in the same order."""
    directory = shutil.copytree(source.parent, tmp_path / "copy") / source.name
    pid = os.fork()
    if not pid:  # a hook stays until the end of the process
        try:
            audited: list[str] = []
            seen: list[str] = []

            def hook(event: str, args: tuple[object, ...]) -> None:
                if event in AUDITED:
                    audited.append(event)
                elif event == "open" and (
                    # What is salvaged goes into a temporary file without a name, outside the stack.
                    int(str(args[2])) & os.O_TMPFILE != os.O_TMPFILE
                    and int(str(args[2])) & (os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_RDWR)
                ):
                    audited.append("open")

            def see(call: Call) -> int:
                seen.extend(
                    event for event, calls in {**AUDITED, "open": ("open",)}.items() if call.name in calls
                )
                return GO_ON

            with faults(see):
                sys.addaudithook(hook)
                operation.work(directory)
                found = list(audited)
            os._exit(0 if seen and seen == found else 1)
        finally:
            os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0
