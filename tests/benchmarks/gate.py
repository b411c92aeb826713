"""`python -m tests.benchmarks --check` says whether the work has grown that a small fixed stack takes.

Each piece of work runs under valgrind in a process of its own, some times over, and a process that does
nothing but start is taken off: what is left is its instructions, which are the same within a percent
whatever else the machine does. They are divided by those of a piece of plain Python that has nothing of
ours, since another build of Python takes others for the same work. The committed figures are these ratios,
in `gate.json` beside this file, for each engine and version of Python; a ratio above its figure by more than
15 % fails.

`--record` writes the figures of the engine that is installed; the reason goes into the commit's message.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Final

from engine import LogRecord, RefRecord, Stack, StackOptions, compiled
from engine.fsck import fsck

IMPORTED_LATE: Final = ("engine.stack.addition", "engine.stack.compactor")
"""What the engine imports when a work asks for it: each process begins with it, and no work counts it."""

FIGURES: Final = Path(__file__).with_name("gate.json")
ROOT: Final = Path(__file__).parents[2]
ALLOWED: Final = 1.15
REFS: Final = 3_000
VALGRIND: Final = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")


def make(directory: Path) -> None:
    """Three tables: the second and the third change a tenth and a hundredth of the refs of the first."""
    directory.mkdir()
    with Stack.open(directory, StackOptions(auto_compact=False)) as stack:
        for count in (REFS, REFS // 10, REFS // 100):
            with stack.addition() as addition, addition.table() as writer:
                index = addition.update_index
                names = [
                    b"refs/heads/team-%02d/topic-%05d" % (number % 17, number) for number in range(count)
                ]
                for number, name in enumerate(sorted(names)):
                    value = b"%020d" % (number * index)
                    writer.add_ref(RefRecord(name, index, value=value))
                for name in sorted(names)[:: 1 + count // 300]:
                    writer.add_log(
                        LogRecord(
                            name, index, bytes(20), value, b"A U Thor", b"a@example.org", 1, 0, b"push\n"
                        )
                    )


def plain(_: Path) -> None:
    """What no change of ours can alter: bytes cut, joined, sorted and looked up."""
    lines = (b"%08x %s\n" % (n * 2_654_435_761 % 2**32, b"x" * (n % 50)) for n in range(4_000))
    pairs = sorted((line[:8], len(line)) for line in b"".join(lines).split(b"\n"))
    table = dict(pairs)
    total = 0
    for key, size in pairs:
        total += table[key] ^ size


def start(_: Path) -> None:
    """Nothing: the start of the process, with what all works import."""


def scan(directory: Path) -> None:
    with Stack.open(directory, read_only=True) as stack:
        sum(len(block) for block in stack.merged.ref_blocks())


def scan_logs(directory: Path) -> None:
    with Stack.open(directory, read_only=True) as stack:
        sum(1 for _ in stack.logs())


def look_up(directory: Path) -> None:
    with Stack.open(directory, read_only=True) as stack:
        for number in range(0, REFS, 15):
            stack.read_ref(b"refs/heads/team-%02d/topic-%05d" % (number % 17, number))


def compact(directory: Path) -> None:
    copy = directory.with_name("copy")
    shutil.copytree(directory, copy)
    with Stack.open(copy, StackOptions(auto_compact=False)) as stack:
        stack.compact_all()
    shutil.rmtree(copy)


def check(directory: Path) -> None:
    sum(1 for _ in fsck(directory))


WORKS: Final[dict[str, tuple[Callable[[Path], None], int]]] = {
    "start": (start, 1),
    "plain": (plain, 5),
    "scan": (scan, 5),
    "scan logs": (scan_logs, 6),
    "lookup": (look_up, 2),
    "compact all": (compact, 1),
    "fsck": (check, 1),
}
"""Each work, and how often it is done: enough for the start of a process to weigh little."""


def instructions(name: str, directory: Path) -> int:
    """The instructions of a process that does this work."""
    program = f"from tests.benchmarks import gate; gate.work({name!r}, {str(directory)!r})"
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}
    command = [*VALGRIND, sys.executable, "-c", program]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=directory, check=False
    )
    counted = re.search(r"I +refs: +([\d,]+)", done.stderr)
    if done.returncode or counted is None:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    return int(counted[1].replace(",", ""))


def work(name: str, directory: str) -> None:
    """Do a work as often as the table says; called in the process that is counted."""
    for module in IMPORTED_LATE:
        import_module(module)
    function, times = WORKS[name]
    for _ in range(times):
        function(Path(directory) / "reftable")


def ratios() -> dict[str, float]:
    """What each work takes, by what the plain one takes."""
    with tempfile.TemporaryDirectory() as place:
        directories = {name: Path(place) / str(number) for number, name in enumerate(WORKS)}
        first, *others = directories.values()
        first.mkdir()
        make(first / "reftable")
        for other in others:
            shutil.copytree(first, other)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            counts = dict(zip(WORKS, pool.map(instructions, WORKS, directories.values()), strict=True))
    each = {name: (counts[name] - counts["start"]) / WORKS[name][1] for name in WORKS}
    return {name: round(each[name] / each["plain"], 3) for name in WORKS if name not in ("start", "plain")}


def main(*, record: bool) -> int:
    """Print each work's ratio beside the committed one; 1 if one has grown too much."""
    if shutil.which(VALGRIND[0]) is None:
        raise SystemExit("valgrind counts the instructions, and is not installed")
    figures = json.loads(FIGURES.read_text())
    version = ".".join(map(str, sys.version_info[:2]))
    engine = f"{'compiled' if compiled else 'interpreted'}, Python {version}"
    if not record and engine not in figures:
        raise SystemExit(f"no figures are committed for this engine ({engine}): --record makes them")
    print(f"{engine}: instructions, as ratios to plain Python")
    now = ratios()
    if record:
        FIGURES.write_text(json.dumps(figures | {engine: now}, indent=4) + "\n")
        return 0
    grown = 0
    for name, ratio in now.items():
        before = figures[engine][name]
        grown += ratio > before * ALLOWED
        print(f"{name}: {ratio:.3f}, committed {before:.3f}: {ratio / before - 1:+.1%}")
    if grown:
        print(f"{grown} of them take over {ALLOWED - 1:.0%} more instructions than what is committed")
    return 1 if grown else 0
