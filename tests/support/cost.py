"""The memory that a verb takes when it runs on its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
