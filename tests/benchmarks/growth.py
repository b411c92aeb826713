"""What things cost by the size of a stack: only what has to look at all refs may grow with their number.

Each figure is processor time of the work alone (milliseconds), or memory that a process took for all of them.
"""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import engines
from tests.benchmarks.engines import work
from tests.benchmarks.rows import copied
from tests.benchmarks.stacks import many_tables, repository
from tests.support.git import Git

SIZES = (1_000, 100_000, 1_200_000, 5_000_000)
TABLES = (1, 5, 30, 100, 300)
PILED = 100_000


def measure_growth(git: Git) -> None:
    """Print a line for each size, for the fastest engine that is installed."""
    engine = engines.installed()[-1]
    stacks = [(f"{size:,} refs, 5 tables", repository(git, size), size) for size in SIZES]
    stacks += [(f"{PILED:,} refs, {count} tables", many_tables(git, count), PILED) for count in TABLES]
    head = ("lookup", "rows", "jump", "detail", "add", "add+auto", "worst", "count", "filter", "sort", "MB")
    print(f"{f'milliseconds, {engine}':30}{''.join(f'{name:>11}' for name in head)}")
    for label, repo, refs in stacks:
        figures = measure(engine, repo, refs)
        print(f"{label:30}{''.join(f'{value:11.3f}' for value in figures)}", flush=True)


def measure(engine: engines.Engine, repo: Path, refs: int) -> list[float]:
    """The figures of one stack, in the order of the columns."""
    stack = repo / "reftable"
    looked = work(engine, "look_up", stack, refs)
    screen = work(engine, "screen", stack, refs)
    alone, auto = (_added(engine, repo, compacts=compacts) for compacts in (False, True))
    seconds = [
        looked["all"],
        *(screen[name] for name in ("rows", "jump", "detail")),
        alone["median"],
        auto["median"],
        auto["worst"],
        *(screen[name] for name in ("count", "filter", "sort")),
    ]
    return [value * 1000 for value in seconds] + [screen["memory"] / 1e6]


def _added(engine: engines.Engine, repo: Path, *, compacts: bool) -> dict[str, float]:
    with copied(repo) as copy:
        took: dict[str, float] = work(engine, "add", copy / "reftable", int(compacts))
    return took
