"""What a verb takes when it runs on its own: seconds and memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MEBIBYTE = 2**20

# In between, because a process begins with the most memory of the one that starts it.
_MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)
"""


def cost(*args: str | Path, answers: tuple[int, ...] = (0, 1, 3)) -> tuple[float, int]:
    """Run the command line: the seconds that it computes, and its most memory in bytes.

    `answers` are the exit codes that are expected.
    """
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, sys.executable, "-m", "inspector", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    code, seconds, memory = done.stdout.split()
    assert int(code) in answers, (args, int(code))
    return float(seconds), int(memory)
