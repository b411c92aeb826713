"""What a repair means, ref by ref: what stays, what changes, what comes back, what is lost.

Two views are laid side by side, the one of everything that can be read of the tables that the list names, and
the one of the repaired stack. Where something cannot be read, two more things are asked of each ref:

    may a newer value have been lost?   then the one that is left is doubtful
    what does its reflog say?           it may confirm the value, or know a newer one

so that "lost" and "revived" name refs that have left a trace in the reflogs, and not only those that were
still readable. A ref whose record is lost gets its value back where its newest log entry tells it for
certain. Both views pass as streams: memory does not grow with the number of refs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from heapq import merge
from itertools import chain, count, groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, Final

from engine.format import MAX_BLOCK_SIZE, U64_MAX, HashId, LogRecord, RefRecord, log_order
from engine.merge import merge_blocks
from engine.progress import Progress, ProgressCallback
from engine.repair.inputs import Input, OpenInputs
from engine.repair.plan import RepairPlan
from engine.salvage import EVERYWHERE, Builder, Gap
from engine.stack import merged_ranges
from engine.table import Table

_BATCH: Final = 1024


class Outcome(StrEnum):
    """What a repair does to a ref."""

    KEPT = "kept"
    CHANGED = "changed"
    RETURNED = "returned"  # it was not to be seen
    DOUBTFUL = "doubtful"  # kept, but a newer value may have been lost
    RESTORED = "restored"  # its record is lost, its reflog tells the value
    REVIVED = "revived"  # an older value, since the newer one is lost
    LOST = "lost"


@dataclass(slots=True, frozen=True)
class RefOutcome:
    """A ref and what becomes of it: its record in what can be read now, and afterwards; None for none.

    `why` is in words, and quotes nothing of the file but object ids.
    """

    name: bytes
    outcome: Outcome
    before: RefRecord | None
    after: RefRecord | None
    why: str


@dataclass(slots=True, frozen=True)
class LogOutcomes:
    """Numbers of log entries: in both views, in one alone; `uncertain` ones may be wrong and stay out.

    `may_be_lost` when there may have been others, in what cannot be read.
    """

    kept: int
    lost: int
    returned: int
    uncertain: int
    may_be_lost: bool


@dataclass(slots=True, frozen=True)
class Damage:
    """What a table may have held that cannot be read: refs in `gaps`, of update indexes up to `high`.

    With `lost_logs` log entries as well. `position` is that of the table in the repaired stack, None for one
    that is not in it.
    """

    file: str
    position: int | None
    high: int
    gaps: tuple[Gap, ...]
    lost_logs: bool


def ref_outcomes(
    plan: RepairPlan, progress: ProgressCallback | None = None, *, kept: bool = False
) -> Iterator[list[RefOutcome]]:
    """What becomes of each ref, in name order, in lists; refs that are simply kept only on request.

    Lists are empty where nothing is to be told, so that the caller can stop anywhere. Raises
    `OSError`, `FormatError` when the files have changed since, and what `progress` raises.
    """
    judge = _Judge(plan)
    batch: list[RefOutcome] = []
    before, after = _opened(plan)
    logs = _newest_logs(after) if judge.needs_logs else iter(())
    rows = _side_by_side(_located_refs(before), _located_refs(after), logs)
    for number, (name, (was, will, log)) in enumerate(rows, 1):
        outcome = judge.outcome(name, was, will, log)
        if outcome is not None and (kept or outcome.outcome is not Outcome.KEPT):
            batch.append(outcome)
        if number % _BATCH == 0:
            if progress is not None:
                progress(Progress("compare refs", number, None))
            yield batch
            batch = []
    yield batch


def log_outcomes(plan: RepairPlan, progress: ProgressCallback | None = None) -> LogOutcomes:
    """What becomes of the log entries. Raises as `ref_outcomes` does."""
    kept = lost = returned = 0
    before, after = _opened(plan)
    keyed = (((log_order(log), log) for log in logs) for logs in (_live_logs(before), _logs(after)))
    for number, (_, (was, will)) in enumerate(_side_by_side(*keyed), 1):
        lost += will is None  # one that a tombstone hides is deleted
        if will is not None and not will.is_deletion:
            kept += was is not None
            returned += was is None
        if progress is not None and number % _BATCH == 0:
            progress(Progress("compare logs", number, None))
    losses = [one for table in plan.tables for one in table.losses.values()]
    uncertain = sum(one.uncertain_logs for one in losses)
    missing = any(one.lost_logs for one in losses)
    missing = missing or any(left.is_listed and not left.logs for left in plan.left_out)
    return LogOutcomes(kept, lost, returned, uncertain, missing)


def restored_refs(directory: Path, inputs: Sequence[Input], others: Sequence[Damage]) -> dict[int, Table]:
    """The refs whose records are lost, but whose reflogs tell the values, by the damaged inputs' numbers.

    `inputs` are those of the repaired stack, oldest first, `others` what may be lost of tables that are not
    in it. A ref is restored only if its newest log entry is of an update in the range of the table that
    lost its record, newer than any record left, and no newer entry may be lost: of HEAD and its like none,
    which are symbolic refs. Raises as `ref_outcomes` does.
    """
    damaged = [
        Damage(one.file, number, one.limits[1], one.losses.gaps, one.losses.lost_logs)
        for number, one in enumerate(inputs)
        if one.losses is not None and one.losses.gaps
    ]
    if not damaged:
        return {}
    gaps = [gap for one in damaged for gap in one.gaps]
    low, ends = min(gap.low for gap in gaps), [gap.high for gap in gaps if gap.high is not None]
    end = max(ends) if len(ends) == len(gaps) else None
    made: dict[int, Builder] = {}
    sources = [OpenInputs(directory, [one]) for one in inputs]
    with ExitStack() as opened:
        for name, (located, log) in _side_by_side(_located_refs(sources, low), _newest_logs(sources, low)):
            if end is not None and name >= end:
                break
            if log is None or not any(log.new or b""):
                continue
            if not name.startswith(b"refs/") or name.endswith(b"/HEAD"):
                continue
            index = log.update_index
            if located is not None and (located[0].update_index >= index or located[0].target is not None):
                continue
            holding = [one for one in (*damaged, *others) if any(gap.holds(name) for gap in one.gaps)]
            if any(one.lost_logs and one.high > index for one in holding):
                continue
            for one in holding:
                at = one.position
                if at is not None and inputs[at].limits[0] <= index <= one.high:
                    if at not in made:
                        salvaged = inputs[at].salvaged
                        hash_id = salvaged.header.hash_id if salvaged is not None else HashId.SHA1
                        made[at] = opened.enter_context(Builder(one.file, hash_id, MAX_BLOCK_SIZE))
                    made[at].add_refs([RefRecord(name, index, log.new)], 0)
                    break
        return {at: builder.finish()[0] for at, builder in made.items()}


def _opened(plan: RepairPlan) -> tuple[list[OpenInputs], list[OpenInputs]]:
    """The tables of both views, oldest first."""
    before = [OpenInputs(plan.directory, [one]) for one in plan.before]
    return before, [OpenInputs(plan.directory, table.inputs) for table in plan.tables]


_Located = tuple[RefRecord, int]


def _located_refs(sources: Sequence[OpenInputs], start: bytes = b"") -> Iterator[tuple[bytes, _Located]]:
    """The record that counts for each name, with its table's place."""
    streams = [_tagged(source.refs(start), number) for number, source in enumerate(sources)]
    for refs in merge_blocks(streams, lambda located: located[0].name):
        for located in refs:
            yield located[0].name, located


def _tagged(blocks: Iterator[list[RefRecord]], number: int) -> Iterator[list[_Located]]:
    for refs in blocks:
        yield [(ref, number) for ref in refs]


def _logs(sources: Sequence[OpenInputs], start: bytes = b"") -> Iterator[LogRecord]:
    return chain.from_iterable(merge_blocks([source.logs(start) for source in sources], log_order))


def _live_logs(sources: Sequence[OpenInputs], start: bytes = b"") -> Iterator[LogRecord]:
    return (log for log in _logs(sources, start) if not log.is_deletion)


def _newest_logs(sources: Sequence[OpenInputs], start: bytes = b"") -> Iterator[tuple[bytes, LogRecord]]:
    entries = (log for log in _live_logs(sources, start) if not log.is_marker)
    for name, logs in groupby(entries, attrgetter("name")):
        yield name, next(logs)


def _side_by_side(*streams: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, list[Any]]]:
    """Streams in key order as rows: a key, and what each stream has for it, None for nothing."""

    def numbered(number: int, stream: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, int, Any]]:
        for key, value in stream:
            yield key, number, value

    for key, found in groupby(merge(*map(numbered, count(), streams), key=itemgetter(0)), itemgetter(0)):
        row = [None] * len(streams)
        for _, number, value in found:
            row[number] = value
        yield key, row


class _Judge:
    """Knows the damage, and says what becomes of a ref."""

    def __init__(self, plan: RepairPlan) -> None:
        self._damages = damages(plan)
        self._rewritten = {number for number, table in enumerate(plan.tables) if table.is_rewritten}
        self.needs_logs = bool(self._damages or self._rewritten)
        self._restored = {
            number: [one.restored for one in table.inputs if one.restored is not None]
            for number, table in enumerate(plan.tables)
        }
        self._merged = {number for number, table in enumerate(plan.tables) if len(table.inputs) > 1}

    def outcome(
        self, name: bytes, was: _Located | None, will: _Located | None, log: LogRecord | None
    ) -> RefOutcome | None:
        """The outcome for a name; None if there is no such ref, neither now nor then."""
        before = was[0] if was is not None and not was[0].is_deletion else None
        after = will[0] if will is not None and not will[0].is_deletion else None
        if after is None or will is None:
            return self._without(name, before, will, log)
        is_other = before is None or not before.has_value_of(after)
        if is_other and any(table.read_ref(name) == after for table in self._restored[will[1]]):
            why = "restored from its reflog: the record cannot be read, its newest log entry can"
            return RefOutcome(name, Outcome.RESTORED, before, after, why)
        if before is None:
            if was is not None and was[0].update_index > after.update_index:
                why = "it was deleted, in a table that does not count any more"
                return RefOutcome(name, Outcome.REVIVED, None, after, why)
            return RefOutcome(name, Outcome.RETURNED, None, after, "its table counts again")
        if not before.has_value_of(after):
            is_older = after.update_index < before.update_index
            outcome = Outcome.REVIVED if is_older else Outcome.CHANGED
            why = f"{'an older' if is_older else 'another'} table counts"
            return RefOutcome(name, outcome, before, after, why)
        return self._same(name, before, will, log)

    def _without(
        self, name: bytes, before: RefRecord | None, will: _Located | None, log: LogRecord | None
    ) -> RefOutcome | None:
        """The outcome for a ref that will not be there."""
        if before is not None:
            if will is not None:
                return RefOutcome(name, Outcome.CHANGED, before, None, "a newer table deletes it")
            return RefOutcome(name, Outcome.LOST, before, None, "its record cannot be kept")
        if log is None or log.new is None or not any(log.new):
            return None
        index = -1 if will is None else will[0].update_index
        if index >= log.update_index or not self._doubting(name, index, None):
            return None
        why = f"its record cannot be read; its reflog ends with {log.new.hex()}"
        return RefOutcome(name, Outcome.LOST, None, None, why)

    def _same(self, name: bytes, before: RefRecord, will: _Located, log: LogRecord | None) -> RefOutcome:
        """The outcome for a ref that shows what it showed before, which may not be the latest."""
        after, position = will
        doubting = self._doubting(name, after.update_index, position)
        if after.value is None:
            log = None  # what a symbolic ref names, no reflog tells
        is_rewritten = position in self._rewritten
        if is_rewritten and log and log.update_index == after.update_index and log.new != after.value:
            why = f"its reflog says {log.new.hex() if log.new else 'nothing'} of the same update"
            return RefOutcome(name, Outcome.DOUBTFUL, before, after, why)
        if doubting and log is not None and log.new is not None:
            if log.update_index > after.update_index and log.new != after.value and any(log.new):
                why = f"a newer value cannot be read; its reflog ends with {log.new.hex()}"
                return RefOutcome(name, Outcome.REVIVED, before, after, why)
            if log.new == after.value:
                # What a reflog confirms is certain, if the reflog itself is whole.
                doubting = [one for one in doubting if one.lost_logs and log.update_index < one.high]
        if not doubting:
            return RefOutcome(name, Outcome.KEPT, before, after, "")
        why = f"a newer value may have been in what is lost of {doubting[-1].file}"
        return RefOutcome(name, Outcome.DOUBTFUL, before, after, why)

    def _doubting(self, name: bytes, update_index: int, position: int | None) -> list[Damage]:
        """The damage that may have cost a newer value than this."""
        return [
            damage
            for damage in self._damages
            if (
                damage.high > update_index
                if damage.position is None or position is None
                else damage.position > position or damage.position == position in self._merged
            )
            and any(gap.holds(name) for gap in damage.gaps)
        ]


def damages(plan: RepairPlan) -> list[Damage]:
    """What may be lost without trace, for each table, the oldest first; then of those left out."""
    found = [
        Damage(file, position, table.limits[1], losses.gaps, losses.lost_logs)
        for position, table in enumerate(plan.tables)
        for file, losses in table.losses.items()
    ]
    covered = merged_ranges(table.limits for table in plan.tables)
    for left in plan.left_out:
        low, high = left.limits or (0, U64_MAX)
        if not left.is_listed:
            continue
        if left.refs or left.logs:  # it can be read, but for its losses
            if left.losses is not None:
                found.append(Damage(left.file, None, high, left.losses.gaps, left.losses.lost_logs))
        elif low <= high and not any(first <= low and high < end for first, end in covered):
            found.append(Damage(left.file, None, high, EVERYWHERE, lost_logs=True))
    return [damage for damage in found if damage.gaps or damage.lost_logs]
