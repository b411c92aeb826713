"""`python -m tests.benchmarks`: the tables of figures, as ratios to git in the same run.

Needs a git with reftables (REFTABLE_GIT). Measured are the interpreted engine and, where it is installed, the
compiled one:

    rows      each work beside git's, for all of them
    growth    what things cost by the number of refs and tables
    start     how long a verb takes to start
    survey    how many repositories are looked at in a second

`--check` is the gate that CI runs (see `gate.py`).
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tests.benchmarks import engines, gate
from tests.benchmarks.growth import measure_growth
from tests.benchmarks.rows import git_version, measure
from tests.benchmarks.stacks import log_repository, repository, small_repositories
from tests.benchmarks.start import measure_start
from tests.support.git import Git, find_git

PARTS = ("rows", "growth", "start", "survey")


def python() -> str:
    """Which Python this is: one that is built with profile-guided optimisation is faster by a fifth."""
    optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    return f"Python {platform.python_version()} {'with' if optimised else 'without'} --enable-optimizations"


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
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all by default")
    parser.add_argument("--refs", type=int, default=1_200_000)
    parser.add_argument("--logs", type=int, default=300_000)
    parser.add_argument("--repositories", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true", help="compare instructions with committed figures")
    parser.add_argument("--record", action="store_true", help="make those of now the committed ones")
    options = parser.parse_args()
    if options.check or options.record:
        return gate.main(record=options.record)
    parts = options.parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    print(f"{git_version()}; {python()}; {' and '.join(engines.installed())} engine")
    with tempfile.TemporaryDirectory() as home:
        git = Git(find_git(), Path(home))
        if "rows" in parts:
            repo, logs = repository(git, options.refs), log_repository(git, options.logs)
            measure(repo, repository(git, 0), logs, options.refs, options.rounds)
        if "growth" in parts:
            measure_growth(git)
        if "start" in parts:
            measure_start(git)
        if "survey" in parts:
            measure_survey(git, options.repositories)
    return 0


if __name__ == "__main__":
    sys.exit(main())
