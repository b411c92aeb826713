"""`python -m tests.benchmarks`: the table of figures, as ratios to git in the same run.

Every figure is the best of some runs, of git and of the engine alternately, because whatever
else a machine does only ever makes a run slower. Needs a git with reftables (REFTABLE_GIT).
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engine import MergedTable, Stack, StackOptions
from engine.fsck import Severity, fsck
from tests.benchmarks import gate
from tests.benchmarks.stacks import ref_name, repository, small_repositories
from tests.benchmarks.start import measure_start
from tests.support.git import Git, find_git

LOOKUPS = 2_000


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def processor_seconds(work: Callable[[], object]) -> float:
    """The time of work that is all this process's own: what others do on the machine counts less."""
    start = time.process_time()
    work()
    return time.process_time() - start


def run_git(repo: Path, *arguments: str) -> None:
    """Git as a user runs it: with its own defaults (fsync among them), its output to nowhere."""
    subprocess.run([find_git(), *arguments], cwd=repo, stdout=subprocess.DEVNULL, check=True)


def scan(directory: Path) -> int:
    with Stack.open(directory, read_only=True) as stack:
        return sum(len(records) for records in stack.merged.ref_blocks())


def check(directory: Path) -> None:
    errors = [one for one in fsck(directory) if one.severity is Severity.ERROR]
    if errors:
        raise SystemExit(f"the stack is broken: {errors[0].message}")


def best_of(rounds: int, *works: Callable[[], float]) -> list[float]:
    return [min(times) for times in zip(*([work() for work in works] for _ in range(rounds)), strict=True)]


def with_copy(repo: Path, work: Callable[[Path], object]) -> float:
    """The time of `work` on a copy of the repository's stack, which it may change."""
    with tempfile.TemporaryDirectory(dir=repo.parent) as scratch:
        copy = Path(scratch) / "copy.git"
        shutil.copytree(repo, copy)
        return seconds(lambda: work(copy))


def compact(directory: Path) -> None:
    with Stack.open(directory, StackOptions(auto_compact=False)) as stack:
        stack.compact_all()


def measure_lookups(directory: Path, refs: int) -> None:
    numbers = random.Random(1)
    names = [ref_name(numbers.randrange(refs * 9 // 10)) for _ in range(LOOKUPS)]
    with Stack.open(directory, read_only=True) as stack:
        opening = sum(table.reads for table in stack.tables)
        found = [stack.merged.find_ref(name) for name in names]
        reads = sum(table.reads for table in stack.tables) - opening
        base = MergedTable(stack.tables[:1])
        warm = min(seconds(lambda: [stack.read_ref(name) for name in names]) for _ in range(5))
        warm_base = min(seconds(lambda: [base.read_ref(name) for name in names]) for _ in range(5))
        print(f"open: {opening} reads for {len(stack.tables)} tables")
        print(f"lookup: {reads / LOOKUPS:.1f} reads, {warm / LOOKUPS * 1e6:.0f} us through all tables")
        print(f"lookup: {warm_base / LOOKUPS * 1e6:.0f} us in the base table alone")
        print(f"{sum(map(bool, found))} of {LOOKUPS} names found")


def measure_survey(git: Git, count: int) -> None:
    """Repositories for each second of all its processes: what it takes from the machine."""
    with tempfile.TemporaryDirectory() as place:
        small_repositories(git, Path(place), count)
        for options in ([], ["--check"]):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            command = [sys.executable, "-m", "inspector", "survey", "--json", *options, place]
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
            print(f"{' '.join(['survey', *options])}: {count / used:.0f} repositories a second and core")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--refs", type=int, default=1_200_000)
    parser.add_argument("--repositories", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true", help="compare instructions with committed figures")
    parser.add_argument("--record", action="store_true", help="make those of now the committed ones")
    options = parser.parse_args()
    if options.check or options.record:
        return gate.main(record=options.record)
    with tempfile.TemporaryDirectory() as home:
        git = Git(find_git(), Path(home))
        measure_start(git)
        measure_survey(git, options.repositories)
        repo = repository(git, options.refs)
    stack = repo / "reftable"
    count = scan(stack)
    size = sum(file.stat().st_size for file in stack.iterdir())
    print(f"{count:,} refs in {size / 1e6:.1f} MB")
    measure_lookups(stack, options.refs)
    theirs, ours = best_of(
        options.rounds,
        lambda: seconds(lambda: run_git(repo, "show-ref")),
        lambda: seconds(lambda: scan(stack)),
    )
    print(f"scan: {ours:.2f} s, git show-ref {theirs:.2f} s: {ours / theirs:.2f} x")
    theirs, ours = best_of(
        options.rounds,
        lambda: with_copy(repo, lambda copy: run_git(copy, "pack-refs")),
        lambda: with_copy(repo, lambda copy: compact(copy / "reftable")),
    )
    print(f"compact all: {ours:.2f} s, git pack-refs {theirs:.2f} s: {ours / theirs:.2f} x")
    scanned, checked = best_of(
        options.rounds,
        lambda: processor_seconds(lambda: scan(stack)),
        lambda: processor_seconds(lambda: check(stack)),
    )
    print(f"fsck: {checked:.2f} s, a scan {scanned:.2f} s: {checked / scanned:.2f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
