"""One input through everything that reads tables, and what showed: its features.

The oracle: only the errors that are promised, no read without end, and a table that fsck finds no error in
answers every lookup as a scan does. A feature is a way in which something answered; an input with a new one
leads to where the search has not been.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from engine.errors import FormatError, ReftableError
from engine.fsck import Severity, fsck
from engine.layout import Group, Span, TableLayout
from engine.readable import open_readable
from engine.repair import log_outcomes, plan_repair, ref_outcomes, repair
from engine.snapshot import restore
from engine.table import Table
from tests.hostile.ordeal import interrogate, overwrite
from tests.support.findings import NOW, OF_VALUES
from tests.support.tables import oid, stack_contents

NAME = "0x000000000001-0x000000000009-00000001.ref"
NAMES = [b"HEAD", b"refs/heads/03", b"zzz"]
OIDS = [oid(1, 32)]
MOST_SPANS = 5000

_DIFFERS = re.compile(r"'.*'|0x[0-9a-f]+|\b[0-9a-f]{8}\b|\d+")

Features = set[str]


def _shape(text: str) -> str:
    """A message without what differs from file to file."""
    return _DIFFERS.sub("#", text)[:120]


def try_table(directory: Path, data: bytes, *, repairs: bool) -> Features:
    """Make `data` the only table of a stack, and ask everything; with `repairs`, repair it and undo that."""
    path = directory / NAME
    overwrite(path, data)
    overwrite(directory / "tables.list", f"{NAME}\n".encode())
    features: Features = set()
    for question, answer in interrogate(path, NAMES, OIDS).items():
        if isinstance(answer, FormatError):
            features.add(f"{question.split(' ')[0]}: {_shape(answer.reason)}")
    path.with_suffix(".compacted").unlink(missing_ok=True)
    layout = TableLayout(NAME, len(data), lambda offset, size: data[offset : offset + size])
    features.update(islice(_spans(layout.children()), MOST_SPANS))
    features |= _try_stack(directory)
    if not any(feature.startswith("fsck error") for feature in features):
        _require_same_answers(path)
    if repairs:
        _repair_and_undo(directory)
    return features


def try_list(directory: Path, data: bytes, table: bytes) -> Features:
    """Make `data` the list of a stack of one sound table, and look at it and repair it."""
    overwrite(directory / NAME, table)
    overwrite(directory / "tables.list", data)
    features = _try_stack(directory)
    _repair_and_undo(directory)
    return features


def _spans(spans: Iterator[Span]) -> Iterator[str]:
    for span in spans:
        yield f"span {span.kind}: {_shape(span.error.reason) if span.error is not None else ''}"
        if isinstance(span, Group):
            yield from _spans(span.children())


def _try_stack(directory: Path) -> Features:
    found = list(fsck(directory, now=NOW))
    features = {f"fsck {one.severity} {one.code}" for one in found}
    features.add(" with ".join(sorted({one.code for one in found})))
    with open_readable(directory) as stack:
        features.update(f"opened: {_shape(str(fault))}" for fault in stack.faults)
        refs = [ref.name for ref in stack.merged.refs(deletions=True)]
        logs = [log.name for log in stack.merged.logs(deletions=True)]
        assert refs == sorted(set(refs))
        # The entries of one ref are shown as they stand in the table: none of them is hidden for its place.
        assert logs == sorted(logs)
    plan = plan_repair(directory, now=NOW)
    features.update(f"step {step.kind}" for step in plan.steps)
    features.update(f"ref {one.outcome}" for batch in ref_outcomes(plan) for one in batch)
    log_outcomes(plan)
    if any(one.severity is Severity.ERROR and one.code not in OF_VALUES for one in found):
        assert plan.steps, [one.message for one in found]
    return features


def _require_same_answers(path: Path) -> None:
    """See that a sound table finds by its indexes what a scan finds."""
    with Table.open(path) as table:
        refs, logs = list(table.refs()), list(table.logs())
        for ref in refs:
            assert table.read_ref(ref.name) == ref
        for log in logs:
            assert table.read_log(log.name, log.update_index) == log
        for ref in refs[:5]:
            if ref.value is not None:
                same = [one for one in refs if ref.value in (one.value, one.peeled)]
                assert list(table.refs_for(ref.value)) == same


def _repair_and_undo(directory: Path) -> None:
    before = stack_contents(directory)
    plan = plan_repair(directory, now=NOW)
    try:
        done = repair(directory, plan, now=NOW)
    except ReftableError as error:
        raise AssertionError(f"not repaired: {error}") from error
    errors = [one for one in fsck(directory, now=NOW) if one.severity is Severity.ERROR]
    left = [one.message for one in errors if one.code not in OF_VALUES]
    assert not left, left
    if done.snapshot is not None:
        restore(directory, done.snapshot, NOW)
        assert stack_contents(directory) == before
