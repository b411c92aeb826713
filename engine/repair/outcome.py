"""What a repair means, ref by ref: what stays, what changes, what comes back, what is lost.

Two views are laid side by side, the one of everything that can be read of the tables that the list names, and
the one of the repaired stack. Where something cannot be read, two more things are asked of each ref:

    may a newer value have been lost?   then the one that is left is doubtful
    what does its reflog say?           it may confirm the value, or know a newer one

so that "lost" and "revived" name refs that have left a trace in the reflogs, and not only those that were
still readable. Both views pass as streams: memory does not grow with the number of refs.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from engine.dataclass import dataclass
from engine.format import LogRecord, RefRecord, log_order
from engine.progress import Progress, ProgressCallback
from engine.repair.inputs import (
    Located,
    OpenInputs,
    all_logs,
    live_logs,
    located_refs,
    newest_logs,
    side_by_side,
)
from engine.repair.plan import Damage, RepairPlan, damages

_BATCH: Final = 1024


class Outcome(StrEnum):
    """What a repair does to a ref."""

    KEPT = "kept"
    CHANGED = "changed"
    RETURNED = "returned"  # it was not to be seen
    DOUBTFUL = "doubtful"  # kept, but a newer value may have been lost
    RESTORED = "restored"  # its record is lost or damaged, its reflog tells the value
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

    @property
    def changes(self) -> bool:
        """Whether another value is to be seen afterwards, none any more, or one again."""
        if self.before is None or self.after is None:
            return self.before is not self.after
        return not self.before.has_value_of(self.after)


@dataclass(slots=True, frozen=True)
class LogOutcomes:
    """Numbers of log entries: in both views, in one alone; `uncertain` ones may be wrong and stay out.

    `may_be_lost` when there may have been others, in what cannot be read: about so many `unknown`, None if
    that cannot be told. `deleted` ones are to be seen now, and deleted by a table that counts afterwards.
    """

    kept: int
    lost: int
    returned: int
    uncertain: int
    may_be_lost: bool
    unknown: int | None = 0
    deleted: int = 0


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
    logs = newest_logs(after) if judge.needs_logs else iter(())
    rows = side_by_side(located_refs(before), located_refs(after), logs)
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
    kept = lost = returned = deleted = 0
    before, after = _opened(plan)
    keyed = (((log_order(log), log) for log in logs) for logs in (live_logs(before), all_logs(after)))
    for number, (_, (was, will)) in enumerate(side_by_side(*keyed), 1):
        if will is None:
            lost += 1
        elif will.is_deletion:
            deleted += was is not None
        else:
            kept += was is not None
            returned += was is None
        if progress is not None and number % _BATCH == 0:
            progress(Progress("compare logs", number, None))
    losses = [one for table in plan.tables for one in table.losses.values()]
    uncertain = sum(one.uncertain_logs for one in losses)
    about = [one.about_logs for one in damages(plan) if one.lost_logs]
    known = [number for number in about if number is not None]
    unknown = sum(known) if len(known) == len(about) else None
    return LogOutcomes(kept, lost, returned, uncertain, bool(about), unknown, deleted)


def _opened(plan: RepairPlan) -> tuple[list[OpenInputs], list[OpenInputs]]:
    """The tables of both views, oldest first."""
    before = [OpenInputs(plan.directory, [one]) for one in plan.before]
    return before, [OpenInputs(plan.directory, table.inputs) for table in plan.tables]


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
        self, name: bytes, was: Located | None, will: Located | None, log: LogRecord | None
    ) -> RefOutcome | None:
        """The outcome for a name; None if there is no such ref, neither now nor then."""
        before = was[0] if was is not None and not was[0].is_deletion else None
        after = will[0] if will is not None and not will[0].is_deletion else None
        if after is None or will is None:
            return self._without(name, before, will, log)
        is_other = before is None or not before.has_value_of(after)
        if is_other and any(table.read_ref(name) == after for table in self._restored[will[1]]):
            why = "restored from its reflog: the record cannot be read, its newest log entry can"
            if after.target is not None:
                why = (
                    "restored from its reflog: its newest entry is also that of this branch, and of no other"
                )
            elif was is not None and was[0].update_index == after.update_index:
                why = (
                    "restored from its reflog: the record is damaged, the log entry of the same update is not"
                )
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
        self, name: bytes, before: RefRecord | None, will: Located | None, log: LogRecord | None
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

    def _same(self, name: bytes, before: RefRecord, will: Located, log: LogRecord | None) -> RefOutcome:
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
