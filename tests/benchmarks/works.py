"""The works that are measured inside a process: each takes its arguments as text and says what it took.

Processor time of this process: what the start costs, and what others do on the machine, does not count.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from engine import LogRecord, MergedTable, RefRecord, Stack, StackOptions
from engine.fsck import Severity, fsck
from inspector.model import REFS, RefTrace, Session, Shape, arrange
from inspector.rows import RowFilter
from tests.benchmarks.stacks import ref_name

LOOKUPS = 2_000
ROUNDS = 5
ADDED = 32


def seconds(task: Callable[[], object]) -> float:
    """The processor time of a task that is all this process's own."""
    start = time.process_time()
    task()
    return time.process_time() - start


def scan(directory: str) -> float:
    """Seconds for all refs of the merged view as records."""

    def task() -> None:
        with Stack.open(Path(directory), read_only=True) as stack:
            sum(map(len, stack.merged.ref_blocks()))

    return seconds(task)


def scan_logs(directory: str) -> float:
    """Seconds for all log entries likewise."""

    def task() -> None:
        with Stack.open(Path(directory), read_only=True) as stack:
            sum(map(len, stack.merged.log_blocks()))

    return seconds(task)


def compact(directory: str) -> float:
    """Seconds to merge all tables into one; the stack is changed."""

    def task() -> None:
        with Stack.open(Path(directory), StackOptions(auto_compact=False)) as stack:
            stack.compact_all()

    return seconds(task)


def check(directory: str) -> float:
    """Seconds of fsck, of a sound stack."""

    def task() -> None:
        errors = [one for one in fsck(Path(directory)) if one.severity is Severity.ERROR]
        if errors:
            raise SystemExit(f"the stack is broken: {errors[0].message}")

    return seconds(task)


def _names(refs: int, count: int) -> list[bytes]:
    """Names of refs, spread over those of such a stack."""
    numbers = random.Random(1)
    return [ref_name(numbers.randrange(max(1, refs * 9 // 10))) for _ in range(count)]


def look_up(directory: str, refs: str) -> dict[str, float]:
    """Seconds for a ref through all tables, and through the oldest alone; and reads for the first time."""
    names = _names(int(refs), LOOKUPS)
    with Stack.open(Path(directory), read_only=True) as stack:
        opening = sum(table.reads for table in stack.tables)
        for name in names:
            stack.merged.find_ref(name)
        reads = sum(table.reads for table in stack.tables) - opening
        base = MergedTable(stack.tables[:1])
        warm = min(seconds(lambda: [stack.read_ref(name) for name in names]) for _ in range(ROUNDS))
        warm_base = min(seconds(lambda: [base.read_ref(name) for name in names]) for _ in range(ROUNDS))
    return {"all": warm / LOOKUPS, "oldest": warm_base / LOOKUPS, "reads": reads / LOOKUPS}


def screen(directory: str, refs: str) -> dict[str, float]:
    """Seconds of what the terminal does, without drawing it; and bytes of memory that all of it took.

    `rows`: the stack opened and the first page of rows read. `jump`: the rows from a name on. `detail`: all
    that the stack has about a ref. `count`, `filter`, `sort`: all rows counted, filtered by a text that a
    hundredth of the names has, sorted by value.
    """
    before = _memory("VmRSS")
    took: dict[str, float] = {}
    start = time.process_time()
    with Session.open(Path(directory), label="", options=StackOptions()) as session:
        rows = session.view.refs
        rows.row(0)
        rows.read_page()
        if rows.row(0) is None:
            raise SystemExit("no first row")
        took["rows"] = time.process_time() - start
        names = _names(int(refs), 40)
        took["jump"] = median(seconds(partial(rows.rows_at, name, 40)) for name in names)
        took["detail"] = median(seconds(partial(_detail, session, name)) for name in names)
        took["count"] = seconds(partial(_finish, session))
        for name, shape in (
            ("filter", Shape(row_filter=RowFilter.parse("team-07/topic-0"))),
            ("sort", Shape(order=3)),
        ):
            arrangement = arrange(REFS, session.view, shape, None)
            if arrangement is None:
                raise SystemExit("no rows")
            session.serve("list", *arrangement.sources)
            took[name] = seconds(partial(_finish, session))
            if not arrangement.source.complete:
                raise SystemExit(f"{name} did not come to an end")
    took["memory"] = _memory("VmHWM") - before
    return took


def _memory(kind: str) -> int:
    """Bytes that this process takes (VmRSS), or took at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(kind))


def _finish(session: Session) -> None:
    for _news in session.work():
        pass


def _detail(session: Session, name: bytes) -> None:
    session.want_versions(name)
    if not any(isinstance(news, RefTrace) for news in session.work()):
        raise SystemExit("no detail")


def add(directory: str, compacts: str) -> dict[str, float]:
    """Seconds of a transaction of one ref and one log entry, after which git's rule may merge tables.

    Of many one after the other: the median, and the slowest. The stack is changed.
    """
    options = StackOptions(auto_compact=compacts == "1")
    times = [seconds(partial(_add, Path(directory), options, number)) for number in range(ADDED)]
    return {"median": median(times), "worst": max(times)}


def _add(directory: Path, options: StackOptions, number: int) -> None:
    name = b"refs/heads/added-%d" % number
    value = bytes(19) + bytes((number + 1,))
    with (
        Stack.open(directory, options) as stack,
        stack.addition() as addition,
        addition.table() as writer,
    ):
        index = addition.update_index
        writer.add_ref(RefRecord(name, index, value=value))
        writer.add_log(
            LogRecord(name, index, bytes(20), value, b"A U Thor", b"author@example.org", 1, 0, b"added\n")
        )
