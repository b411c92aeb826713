"""The table of figures: each work by git, by the interpreted and by the compiled engine, in turn.

All are processor seconds of the same work in the same run; a ratio is to what git took just before, or a scan
by the same engine where git has no such work.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from engine import Stack
from engine.format import BLOCK_HEADER_SIZE
from tests.benchmarks import engines
from tests.benchmarks.engines import Engine, process_seconds, verb, work
from tests.benchmarks.stacks import LOG_TIME, object_ids
from tests.support.git import find_git

CREATED = 50_000
EXPIRE = ("reflog", "expire", "--all", "--expire-unreachable=never")

Work = Callable[[Engine], float]


@contextmanager
def copied(repo: Path) -> Iterator[Path]:
    """A copy of a repository, which may be changed."""
    with tempfile.TemporaryDirectory(dir=repo.parent) as scratch:
        yield Path(shutil.copytree(repo, Path(scratch) / "copy.git"))


def git_seconds(repo: Path, *arguments: str, stdin: Path | None = None) -> float:
    """Git as a user runs it: with its own defaults (fsync among them), its output to nowhere."""
    command = [find_git(), *arguments]
    if stdin is None:
        return process_seconds(command, cwd=repo)
    with stdin.open("rb") as file:
        return process_seconds(command, stdin=file, cwd=repo)


def copied_git(repo: Path, *arguments: str, stdin: Path | None = None) -> float:
    with copied(repo) as copy:
        return git_seconds(copy, *arguments, stdin=stdin)


def copied_verb(
    name: str, repo: Path, engine: Engine, arguments: tuple[str, ...] = (), stdin: Path | None = None
) -> float:
    with copied(repo) as copy:
        command = verb(engine, name, *arguments, copy)
        if stdin is None:
            return process_seconds(command)
        with stdin.open("rb") as file:
            return process_seconds(command, stdin=file)


def copied_work(engine: Engine, repo: Path, name: str) -> float:
    with copied(repo) as copy:
        return float(work(engine, name, copy / "reftable"))


def damaged(repo: Path, place: Path) -> Path:
    """A copy whose oldest table, by far the largest, has a damaged ref block in its middle."""
    copy = Path(shutil.copytree(repo, place / "damaged.git"))
    with Stack.open(copy / "reftable", read_only=True) as stack:
        path = Path(stack.tables[0].path)
    offset = path.stat().st_size // 2 // 4096 * 4096
    with path.open("r+b") as file:
        file.seek(offset + BLOCK_HEADER_SIZE)
        file.write(b"\xff" * 8)
    return copy


def repair(engine: Engine, repo: Path, *, applies: bool) -> float:
    """The seconds of the verb, on a repository that has one damaged block."""
    options = ["--json", *(["--apply"] if applies else [])]
    with copied(repo) as copy:
        command = verb(engine, "repair", *options, copy)
        # Refs of the damaged block are lost: that is said by the exit code.
        return process_seconds(command, codes=(0, 1))


def creates(place: Path) -> Path:
    """Commands for `git update-ref --stdin` that create so many tags."""
    path = place / "creates"
    ids = object_ids()
    path.write_text(
        "".join(
            f"create refs/tags/added-{number:05d} {ids[number % len(ids)].hex()}\n"
            for number in range(CREATED)
        )
    )
    return path


class Table:
    """Prints a line for each row as soon as it is measured.

    A ratio is the median of those of the rounds: what is compared follows each other at once, since a machine
    may be twice as fast a minute later.
    """

    def __init__(self, rounds: int, scan: Work) -> None:
        self._rounds = rounds
        self._engines = engines.installed()
        self._scan = scan
        columns = "".join(f"{engine:>26}" for engine in self._engines)
        print(f"{'processor seconds, median of ' + str(rounds):44}{'git':>9}{columns}")

    def row(self, name: str, theirs: Callable[[], float] | None, ours: Work) -> None:
        """Measure a work in turn: by git, or if it has no such one a scan, and by each engine."""
        of_git: list[float] = []
        times: dict[Engine, list[float]] = {engine: [] for engine in self._engines}
        ratios: dict[Engine, list[float]] = {engine: [] for engine in self._engines}
        for _ in range(self._rounds):
            for engine in self._engines:
                base = theirs() if theirs is not None else self._scan(engine)
                took = ours(engine)
                of_git += [base] if theirs is not None else []
                times[engine].append(took)
                ratios[engine].append(took / base)
        unit = "git" if theirs is not None else "scans"
        cells = [f"{median(times[one]):.3f} = {median(ratios[one]):6.2f} x {unit}" for one in self._engines]
        print(
            f"{name:44}{f'{median(of_git):9.3f}' if of_git else ' ' * 9}{''.join(f'{c:>26}' for c in cells)}",
            flush=True,
        )


def measure(repo: Path, small: Path, logs: Path, refs: int, rounds: int) -> None:
    """Print the table: `repo` has so many refs in five tables, `small` none, `logs` many log entries."""
    stack = repo / "reftable"

    def scan(engine: Engine) -> float:
        return float(work(engine, "scan", stack))

    table = Table(rounds, scan)
    table.row("scan to records / show-ref", lambda: git_seconds(repo, "show-ref"), scan)
    table.row(
        "compact all / pack-refs",
        lambda: copied_git(repo, "pack-refs"),
        lambda engine: copied_work(engine, repo, "compact"),
    )
    table.row(
        "verb refs / show-ref",
        lambda: git_seconds(repo, "show-ref"),
        lambda engine: process_seconds(verb(engine, "refs", repo)),
    )
    table.row(
        "verb refs --json / for-each-ref",
        lambda: git_seconds(repo, "for-each-ref"),
        lambda engine: process_seconds(verb(engine, "refs", "--json", repo)),
    )
    with tempfile.TemporaryDirectory() as place:
        commands = creates(Path(place))
        for name, where in (
            (f"add of {CREATED:,} creates / update-ref", small),
            ("the same into all refs", repo),
        ):
            table.row(
                name,
                partial(copied_git, where, "update-ref", "--stdin", stdin=commands),
                partial(copied_verb, "add", where, stdin=commands),
            )
    table.row("fsck", None, lambda engine: work(engine, "check", stack))
    with tempfile.TemporaryDirectory(dir=repo.parent) as place:
        broken = damaged(repo, Path(place))
        table.row(
            "plan of a repair, one damaged block", None, lambda engine: repair(engine, broken, applies=False)
        )
        table.row("the same, applied", None, lambda engine: repair(engine, broken, applies=True))
    # Git reads all logs for it, and drops nothing.
    table.row(
        "scan of logs / reflog expire --dry-run",
        lambda: git_seconds(logs, *EXPIRE, "--dry-run", "--expire=never"),
        lambda engine: work(engine, "scan_logs", logs / "reftable"),
    )
    table.row(
        "expire of half the log entries",
        lambda: copied_git(logs, *EXPIRE, f"--expire=@{LOG_TIME}"),
        lambda engine: copied_verb("expire", logs, engine, ("--before", str(LOG_TIME))),
    )
    table.row(
        "compact all of logs / pack-refs",
        lambda: copied_git(logs, "pack-refs"),
        lambda engine: copied_work(engine, logs, "compact"),
    )
    for engine in engines.installed():
        looked = work(engine, "look_up", stack, refs)
        print(
            f"lookup, {engine}: {looked['all'] * 1e6:.0f} us through all tables, "
            f"{looked['oldest'] * 1e6:.0f} us in the oldest alone, {looked['reads']:.1f} reads"
        )


def git_version() -> str:
    """What git says of itself."""
    return subprocess.run([find_git(), "version"], capture_output=True, text=True, check=True).stdout.strip()
