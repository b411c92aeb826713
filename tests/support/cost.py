"""What work costs: the memory that a verb takes on its own, the reads that are made, the calls."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from cProfile import Profile
from dataclasses import dataclass
from pathlib import Path
from pstats import Stats

MEBIBYTE = 2**20

# In between, because a process begins with the most memory of the one that starts it.
_MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


def memory_of(*args: str | Path, answers: tuple[int, ...] = (0, 1, 3), said: int = subprocess.DEVNULL) -> int:
    """Run the command line: the most memory that it had, in bytes.

    `answers` are the exit codes that are expected. What it prints is written to the open file `said`.
    """
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, sys.executable, "-m", "inspector", *args],
        stdout=subprocess.PIPE,
        stderr=said,
        check=True,
    )
    code, memory = done.stdout.split()
    assert int(code) in answers, (args, int(code))
    return int(memory)


@dataclass(slots=True)
class Cost:
    """How often files were read, and functions called, by their names."""

    reads: int
    calls: Counter[str]


@contextmanager
def counted(*names: str) -> Iterator[Cost]:
    """Count what the work inside of it reads, and its calls of functions with these names.

    Calls of compiled functions are not seen.
    """
    cost = Cost(0, Counter())
    profile = Profile()
    with profile:
        yield cost
    for (_, _, name), (_, calls, *_) in Stats(profile).stats.items():  # type: ignore[attr-defined]
        if name in names:
            cost.calls[name] += calls
        elif name == "<built-in method posix.pread>":
            cost.reads += calls
