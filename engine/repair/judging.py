"""What a repair means, ref by ref: what stays, what changes, what comes back, what is lost.

Two views are laid side by side, the one of everything that can be read of the tables that the list names, and
the one of the repaired stack. Where something cannot be read, more is asked of each ref:

    may a newer value have been lost?   then the one that is left is doubtful
    may damage have reached into it?    likewise, unless the repository has an object of that id
    what does its reflog say?           it may confirm the value, or know a newer one

so that "lost" and "revived" name refs that have left a trace in the reflogs, and not only those that were
still readable. Both views pass as streams: memory does not grow with the number of refs. Where both have the
same records, nothing can be lost, and no log entry says otherwise, refs are kept without a look at each.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Final, Generic, NamedTuple, TypeVar

from engine import salvage
from engine.format import RefRecord, ref_key
from engine.fsck import hidden_newer, target_below_refs
from engine.merge import merge_blocks
from engine.progress import ProgressCallback
from engine.repair.inputs import LastEntry, Located, OpenInputs, located_refs, newest_logs
from engine.repair.objects import present_values
from engine.repair.outcome import Outcome, RefOutcome
from engine.repair.plan import Damage, RepairPlan, damages
from engine.repair.views import Telling, are_same, opened_views, ref_stretches

_record = itemgetter(1)
_value = attrgetter("value")


def ref_outcomes(
    plan: RepairPlan, progress: ProgressCallback | None = None, *, kept: bool = False
) -> Iterator[list[RefOutcome]]:
    """What becomes of each ref, in name order, in lists; refs that are simply kept only on request.

    Lists are empty where nothing is to be told, so that the caller can stop anywhere. Raises
    `OSError`, `FormatError` when the files have changed since, and what `progress` raises.
    """
    for _, outcomes in judged_refs(plan, progress, kept=kept):
        yield outcomes


def judged_refs(
    plan: RepairPlan, progress: ProgressCallback | None = None, *, kept: bool = False
) -> Iterator[tuple[int, list[RefOutcome]]]:
    """What becomes of each ref, each list with how many refs are simply kept since the one before."""
    judge = _Judge(plan)
    before, after = opened_views(plan)
    logs = _Ahead(newest_logs(after) if judge.needs_logs else iter(()))
    left_out = _Ahead(iter(judge.left_out))
    hidden, beside = _Ahead(_hidden(plan, after)), _Ahead(_beside(plan))
    tell = Telling("compare refs", progress)
    low = b""
    if are_same(plan) and not (kept or logs.has_more or left_out.has_more or beside.has_more or judge.doubts):
        # Nothing can become of any: they need no names to be found by, nor the places of their tables.
        for refs in merge_blocks([source.refs() for source in after], ref_key):
            yield _number_of_live(refs), []
            tell.more(len(refs))
        return
    for was, will in ref_stretches(plan, before, after):
        last = max(located[-1][0] for located in (was, will) if located)
        entries, others = logs.up_to(last), left_out.up_to(last)
        judge.hidden = {ref.name: ref for ref in hidden.up_to(last)}
        judge.beside = {one.name: one for one in beside.up_to(last)}
        if (was is will or was == will) and not others and not judge.doubts_between(low, last):
            yield judge.of_same(was, entries, kept=kept)
        else:
            yield judge.of_rows(was, will, entries, others, kept=kept)
        low = last
        tell.more(max(len(was), len(will)))
    judge.hidden, judge.beside = {}, {one.name: one for one in beside.up_to(None)}
    yield judge.of_rows([], [], logs.up_to(None), left_out.up_to(None), kept=kept)


def _number_of_live(refs: list[RefRecord]) -> int:
    if None not in map(_value, refs):
        return len(refs)
    return sum(not ref.is_deletion for ref in refs)


def _hidden(plan: RepairPlan, after: list[OpenInputs]) -> Iterator[RefRecord]:
    """The newer records that older ones hide in tables that are merged, since these are later in the list."""
    merged = [one for one, table in zip(after, plan.tables, strict=True) if len(table.inputs) > 1]
    found = [([ref] for ref in hidden_newer(one.refs_of_each())) for one in merged if not one.counts_on]
    return chain.from_iterable(merge_blocks(found, ref_key))


class _Beside(NamedTuple):
    """The record of a ref in the newest of the tables that are left out although they may count."""

    name: bytes
    record: RefRecord
    file: str


def _beside(plan: RepairPlan) -> Iterator[_Beside]:
    sources = [OpenInputs(plan.directory, [one]) for one in plan.beside]
    for located in located_refs(sources):
        for name, record, number in located:
            yield _Beside(name, record, plan.beside[number].file)


_Named = TypeVar("_Named", LastEntry, RefRecord, _Beside)


class _Ahead(Generic[_Named]):
    """Log entries or records, one for each ref, handed out as refs are met."""

    def __init__(self, found: Iterator[_Named]) -> None:
        self._found: Iterator[_Named] = found
        self._next: _Named | None = next(found, None)

    @property
    def has_more(self) -> bool:
        """Whether there is one left."""
        return self._next is not None

    def up_to(self, name: bytes | None) -> list[_Named]:
        """Those of the refs up to this name, None for all, that were not handed out yet."""
        found: list[_Named] = []
        while self._next is not None and (name is None or self._next.name <= name):
            found.append(self._next)
            self._next = next(self._found, None)
        return found


_WHY_ALIKE: Final = "its record has a byte of its name in common with that of a ref whose reflog tells it"

_WHY_NEWER: Final = "a newer value may have been in what is lost of {}"

_WHY_MISPLACED: Final = (
    "its name is that of a ref again: a byte of it was altered, and git writes no such name"
)


def _restored(name: bytes, before: RefRecord | None, was: RefRecord | None, after: RefRecord) -> RefOutcome:
    """The outcome for a ref that its reflog tells; `was` is its record as it was read, or a tombstone."""
    why = "restored from its reflog: the record cannot be read, its newest reflog entry can"
    if before is not None and before.value is not None and before.value == after.value:
        why = "its object is there, and tells what the tag is of: that part of the record is damaged"
    elif before is not None and target_below_refs(before) is not None:
        why = "its target is below refs/ again: a byte of that was altered, and git has no such ref"
    elif after.target is not None and before is not None:
        why = (
            "restored from its reflog, which tells the branch: a byte of the target in its record is altered"
        )
    elif after.target is not None:
        why = "restored from its reflog: its newest entry is also that of this branch, and of no other"
    elif was is not None and was.update_index == after.update_index:
        why = "restored from its reflog: the record is damaged, the reflog entry of the same update is not"
    return RefOutcome(name, Outcome.RESTORED, before, after, why)


def _why_left_out(ref: RefRecord) -> str:
    """Why what was read of a ref that damage may have reached into is none."""
    what = "there is no object of this id" if ref.target is None else "its target cannot be a ref"
    return f"damage has reached into its record: {what}"


class _Judge:
    """Knows the damage, and says what becomes of a ref.

    `hidden` are the newer records of refs that are asked about, where an older one counts; `beside` are those
    in tables that are left out.
    """

    def __init__(self, plan: RepairPlan) -> None:
        self.hidden: dict[bytes, RefRecord] = {}
        self.beside: dict[bytes, _Beside] = {}
        self._damages = damages(plan)
        self._rewritten = {number for number, table in enumerate(plan.tables) if table.is_rewritten}
        self.needs_logs = bool(self._damages or self._rewritten)
        self._restored = {
            number: [(one.restored, one.supposed) for one in table.inputs if one.restored is not None]
            for number, table in enumerate(plan.tables)
        }
        self._merged = {number for number, table in enumerate(plan.tables) if len(table.inputs) > 1}
        self._losses = [[*table.losses.values()] for table in plan.tables]
        self._present = present_values(plan)
        self._left_out = {
            ref.name: ref for table in plan.tables for one in table.inputs for ref in one.left_out
        }
        self._misplaced = self._left_out.keys() & {
            record.name for one in chain(*self._losses) for record in one.misplaced.values()
        }
        self._objectless = [
            frozenset[bytes]().union(*(one.objectless for one in table.inputs)) for table in plan.tables
        ]
        self._lows: list[bytes] = []
        self._highs: list[bytes | None] = []  # of gaps that do not touch, in order
        # What the oldest table has lost are older values, unless it is made of several.
        doubting = (one for one in self._damages if one.position != 0 or 0 in self._merged)
        gaps = [gap for one in doubting for gap in one.losses.gaps]
        in_doubt = [names for one in chain(*self._losses) for names in (one.doubtful, one.misnamed)]
        for names in (*in_doubt, *self._objectless):
            gaps += [salvage.Gap(name[:-1], name + b"\0") for name in names or () if name]
            gaps += salvage.EVERYWHERE if names is None else ()
        for gap in sorted(gaps, key=attrgetter("low")):
            high = self._highs[-1] if self._highs else b""
            if high is not None and high <= gap.low:
                self._lows.append(gap.low)
                self._highs.append(gap.high)
            elif high is not None:
                self._highs[-1] = None if gap.high is None else max(high, gap.high)

    @property
    def left_out(self) -> list[RefRecord]:
        """What was read of damaged bytes and is no ref, in name order: of one name, the newest record."""
        return [self._left_out[name] for name in sorted(self._left_out)]

    @property
    def doubts(self) -> bool:
        """Whether any ref that is there may be doubtful."""
        return bool(self._lows)

    def doubts_between(self, low: bytes, last: bytes) -> bool:
        """Whether a ref may be doubtful whose name lies behind `low`, up to `last`."""
        before = bisect_left(self._lows, last)
        high = self._highs[before - 1] if before else b""
        return high is None or low < high

    def of_same(
        self, located: list[Located], logs: list[LastEntry], *, kept: bool
    ) -> tuple[int, list[RefOutcome]]:
        """What becomes of refs that are the same in both views, where none is doubtful."""
        told: dict[bytes, RefOutcome] = {}
        by_name = {one[0]: one for one in located} if logs or self.hidden or self.beside else {}
        asked: dict[bytes, LastEntry | None] = dict.fromkeys((*self.hidden, *self.beside))
        for log in logs:
            one = by_name.get(log.name)
            is_so = one is not None and (log.new == one[1].value or one[2] not in self._rewritten)
            if not is_so or log.name in asked:
                asked[log.name] = log
        for name, entry in asked.items():
            one = by_name.get(name)
            outcome = self.outcome(name, one, one, entry)
            if outcome is not None and outcome.outcome is not Outcome.KEPT:
                told[name] = outcome
        live: list[Located] = located
        if None in map(_value, map(_record, located)):
            live = [one for one in located if not one[1].is_deletion]
        found = list(told.values())
        if kept:
            same = [
                RefOutcome(name, Outcome.KEPT, record, record, "")
                for name, record, _ in live
                if name not in told
            ]
            found = sorted([*found, *same], key=attrgetter("name"))
        # Most of what logs alone tell of is lost, and so not among what is kept.
        others = sum(name in by_name and not by_name[name][1].is_deletion for name in told)
        return len(live) - others, found

    def of_rows(
        self,
        before: list[Located],
        after: list[Located],
        logs: list[LastEntry],
        left_out: list[RefRecord],
        *,
        kept: bool,
    ) -> tuple[int, list[RefOutcome]]:
        """What becomes of refs, name by name."""
        was, will = ({one[0]: one for one in located} for located in (before, after))
        entries = {log.name: log for log in logs}
        names = sorted({*was, *will, *entries, *self.beside, *(ref.name for ref in left_out)})
        judged = [self.outcome(name, was.get(name), will.get(name), entries.get(name)) for name in names]
        found = [one for one in judged if one is not None]
        others = [one for one in found if one.outcome is not Outcome.KEPT]
        return len(found) - len(others), found if kept else others

    def outcome(
        self, name: bytes, was: Located | None, will: Located | None, log: LastEntry | None
    ) -> RefOutcome | None:
        """The outcome for a name; None if there is no such ref, neither now nor then."""
        was = self._with_left_out(name, was, will)
        before = was[1] if was is not None and not was[1].is_deletion else None
        after = will[1] if will is not None and not will[1].is_deletion else None
        if after is None or will is None:
            return self._without(name, before, will, log)
        is_other = before is None or not before.has_value_of(after)
        restored = self._restored[will[2]] if is_other else []
        for table, supposed in restored:
            if table.read_ref(name) == after:
                if supposed is not None and supposed.read_ref(name) is not None:
                    return RefOutcome(name, Outcome.DOUBTFUL, before, after, self._why_supposed(after))
                if doubting := self._unconfirmed(name, after, will[2], log):
                    why = _WHY_NEWER.format(doubting[-1].file)
                    return RefOutcome(name, Outcome.DOUBTFUL, before, after, why)
                if any(name in one.alike for one in self._losses[will[2]]):
                    return RefOutcome(name, Outcome.RESTORED, before, after, _WHY_ALIKE)
                if any(name in one.misplaced for one in self._losses[will[2]]):
                    return self._of_misplaced(name, before, after, will[2])
                return _restored(name, before, was[1] if was else None, after)
        is_undeleted = before is None and was is not None and name in self._left_out
        if was is not None and is_other and was[1].update_index > after.update_index and not is_undeleted:
            why = (
                "an older table counts"
                if before
                else "it was deleted, in a table that does not count any more"
            )
            if before is not None and name in self._left_out:
                why = f"{_why_left_out(before)}; {why}"
            return RefOutcome(name, Outcome.REVIVED, before, after, why)
        judged = self._judged(name, before, will, log)
        if judged.outcome is not Outcome.KEPT or not is_other:
            return judged
        if before is not None:
            return RefOutcome(name, Outcome.CHANGED, before, after, "another table counts")
        why = "its table counts again"
        if is_undeleted:
            why = "what deletes it is the tombstone of another ref, of almost the same name"
        return RefOutcome(name, Outcome.RETURNED, None, after, why)

    def _of_misplaced(
        self, name: bytes, before: RefRecord | None, after: RefRecord, position: int
    ) -> RefOutcome:
        """The outcome for a ref that has its name below refs/ back: its value may be damaged as well."""
        for one in self._losses[position]:
            had = one.misplaced.get(name)
            if had is None or name in one.renamed or not had.has_value_of(after):
                continue  # its reflog tells both
            if had.name in self._objectless[position]:
                why = "its name is that of a ref again, but there is no object of this id"
                return RefOutcome(name, Outcome.DOUBTFUL, before, after, why)
            if one.doubtful is None or had.name in one.doubtful:
                why = "its name is that of a ref again, but damage may have reached into its record"
                return RefOutcome(name, Outcome.DOUBTFUL, before, after, why)
        return RefOutcome(name, Outcome.RESTORED, before, after, _WHY_MISPLACED)

    def _with_left_out(self, name: bytes, was: Located | None, will: Located | None) -> Located | None:
        """The record that was to be seen of a ref, or one left out of a table that is not listed.

        It is newer than what is seen before and afterwards: where the list names its table, it was seen.
        """
        left = self._left_out.get(name)
        if left is None or any(
            one is not None and one[1].update_index > left.update_index for one in (was, will)
        ):
            return was
        return (name, left, -1) if was is None or was[1].update_index < left.update_index else was

    def _without(
        self, name: bytes, before: RefRecord | None, will: Located | None, log: LastEntry | None
    ) -> RefOutcome | None:
        """The outcome for a ref that will not be there."""
        if before is not None:
            if will is None and name in self._misplaced:
                return RefOutcome(name, Outcome.CHANGED, before, None, _WHY_MISPLACED)
            if name in self._left_out and (will is None or will[1].update_index < before.update_index):
                return RefOutcome(name, Outcome.LOST, before, None, _why_left_out(before))
            if will is not None and any(one.read_ref(name) for one, _ in self._restored[will[2]]):
                is_alike = any(name in one.alike for one in self._losses[will[2]])
                why = "restored from its reflog, which is deleted: the name in its tombstone was altered"
                why = _WHY_ALIKE if is_alike else why
                return RefOutcome(name, Outcome.RESTORED, before, None, why)
            if will is not None:
                return RefOutcome(name, Outcome.CHANGED, before, None, "a newer table deletes it")
            return RefOutcome(name, Outcome.LOST, before, None, "its record cannot be kept")
        if why := self._why_hidden(name, will[1] if will is not None else None, log):
            return RefOutcome(name, Outcome.DOUBTFUL, None, None, why)
        if log is None or not any(log.new):
            return None
        index = -1 if will is None else will[1].update_index
        if index >= log.update_index or not self._doubting(name, index, None):
            return None
        why = f"its record cannot be read; its reflog ends with {log.new.hex()}"
        return RefOutcome(name, Outcome.LOST, None, None, why)

    def _judged(
        self, name: bytes, before: RefRecord | None, will: Located, log: LastEntry | None
    ) -> RefOutcome:
        """The outcome by what the ref will show, which may not be the latest, whatever it showed before."""
        _, after, position = will
        if why := self._why_hidden(name, after, log):
            return RefOutcome(name, Outcome.DOUBTFUL, before, after, why)
        doubting = self._doubting(name, after.update_index, position)
        if after.value is None:
            log = None  # what a symbolic ref names, no reflog tells
        is_rewritten = position in self._rewritten
        if is_rewritten and log and log.update_index == after.update_index and log.new != after.value:
            why = f"its reflog says {log.new.hex()} of the same update"
            return RefOutcome(name, Outcome.DOUBTFUL, before, after, why)
        if doubting and log is not None:
            if log.update_index > after.update_index and log.new != after.value and any(log.new):
                why = f"a newer value cannot be read; its reflog ends with {log.new.hex()}"
                return RefOutcome(name, Outcome.REVIVED, before, after, why)
            doubting = self._unconfirmed(name, after, position, log)
        # No damage makes of an object id that of another object. What a tag is of, no reflog tells.
        value = after.value, after.peeled
        is_confirmed = value in self._present or (log is not None and value == (log.new, None))
        losses = self._losses[position]
        if log is None and any(one.doubts_name(name) for one in losses):
            why = "damage may have altered its name, as its place or a reflog says"
            return RefOutcome(name, Outcome.DOUBTFUL, before, after, why)
        if not is_confirmed and any(one.doubts(name) for one in losses):
            why = "damage may have reached into its record"
            if log is not None and any(log.new):
                why += f"; its reflog ends with {log.new.hex()}"
            return RefOutcome(name, Outcome.DOUBTFUL, before, after, why)
        if not is_confirmed and name in self._objectless[position]:
            why = "there is no object of this id, and what would tell another one may be lost"
            return RefOutcome(name, Outcome.DOUBTFUL, before, after, why)
        if not doubting:
            return RefOutcome(name, Outcome.KEPT, before, after, "")
        return RefOutcome(name, Outcome.DOUBTFUL, before, after, _WHY_NEWER.format(doubting[-1].file))

    def _unconfirmed(
        self, name: bytes, after: RefRecord, position: int, log: LastEntry | None
    ) -> list[Damage]:
        """The damage that may have cost a newer value than this, as far as its reflog does not confirm it."""
        doubting = self._doubting(name, after.update_index, position)
        if log is None or after.value is None or log.new != after.value:
            return doubting
        # What a reflog confirms is certain, if the reflog itself is whole.
        return [one for one in doubting if one.losses.lost_logs and log.update_index < one.high]

    def _why_hidden(self, name: bytes, after: RefRecord | None, log: LastEntry | None) -> str:
        """Why the record that counts is not the newest, or may be none; empty if it is."""
        newer, where = self.hidden.get(name), "a table that is earlier in the list, but newer,"
        beside = self.beside.get(name)
        if newer is None and beside is not None:
            newer, where = beside.record, f"{beside.file}, which is left out, is as new or newer and"
        after = after or RefRecord(name, 0)
        if newer is None or newer.update_index < after.update_index or newer.has_value_of(after):
            return ""
        what, ends = "deletes it", ""
        if log is not None and log.update_index > after.update_index and log.new != after.value:
            ends = f"; its reflog ends with {log.new.hex()}"
        if not newer.is_deletion:
            value = b"" if newer.value is None else newer.value
            what = f"has {value.hex() or 'another value'}"
            if log is not None and ends and log.new == value:
                what = "has another value"
        return f"{where} {what}{ends}"

    def _why_supposed(self, ref: RefRecord) -> str:
        if ref.target is not None:
            return "a byte of its record was altered, and the ref that it names is not there"
        why = "its record cannot be read; its reflog tells this id, but"
        if any(one.may_have_lost_newer_log(ref.name, ref.update_index) for one in self._damages):
            return f"{why} a newer entry may be lost"
        return f"{why} not whether it was a symbolic ref to another one, which has had that id as well"

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
            and any(gap.holds(name) for gap in damage.losses.gaps)
        ]
