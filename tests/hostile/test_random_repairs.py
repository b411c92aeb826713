"""Whatever befalls a stack of a known history, its repair hides nothing, says what it cannot know, and ends.

One to three blows are dealt to the files; then the verb repairs them. By default some of the cases.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from unittest import mock

import pytest

from engine.errors import FormatError
from engine.format import U64_MAX, RefRecord, limits_in_name, parse_table_list
from engine.fsck import Severity, fsck
from engine.readable import open_readable
from engine.repair import Outcome, RepairPlan, StepKind, changes_aside, damages, plan_repair, ref_outcomes
from engine.snapshot import find_snapshot, restore
from engine.stack import covers, merged_ranges
from engine.table import Table
from tests.support.cli import run
from tests.support.findings import NOW, OF_VALUES, codes
from tests.support.tables import stack_contents
from tests.support.thinning import SHARES, THOROUGH, thinned
from tests.support.wrecks import ALTERING, BLOWS, COPYING, REORDERING, made_stack

pytestmark = pytest.mark.timeout(300)

SEEDS = range(20_000 if THOROUGH else 1600)

TELLING = {Outcome.LOST, Outcome.DOUBTFUL, Outcome.REVIVED}
"""What says of a ref that it may not be what it was."""


def is_table(path: Path) -> bool:
    """Whether a file opens as a table."""
    try:
        Table.open(path).close()
    except FormatError:
        return False
    return True


class Case:
    """One stack, what has befallen it, and what there is to know of it before it is repaired.

    `altered` are the refs of which bytes were altered: that they were, nothing may tell. `evidence` are the
    update indexes that a line or the name of a file tells of.
    """

    def __init__(self, seed: int, parent: Path) -> None:
        rng = random.Random(seed)
        directory = parent / "reftable"
        directory.mkdir(parents=True)
        self.made = made_stack(rng, directory)
        if rng.random() < 0.5:  # that of a repository
            (parent / "objects").mkdir()
            (parent / "HEAD").write_text("ref: refs/heads/.invalid\n")
        # Where bytes are altered of a copy, or of a part, nothing may tell what they were.
        blows = rng.choices(list(BLOWS), k=rng.randrange(1, 4))
        self.blows = sorted(blows, key=lambda blow: (blow in COPYING, blow not in ALTERING))
        self.altered: set[bytes] = set()
        for blow in self.blows:
            if self.made.present:
                self.altered |= BLOWS[blow](rng, self.made) or set()
        listed = {line.name for line in parse_table_list(self.made.raw).lines if line.name}
        named = {name: limits for name in self.made.tables if (limits := limits_in_name(name))}
        # Whether the next table was ever listed, nothing tells where the list is whole.
        end = max((named[name][1] for name in listed & named.keys()), default=U64_MAX)
        there = {name for name in self.made.present if named[name][0] <= end or is_table(directory / name)}
        self.evidence = merged_ranges(named[name] for name in (listed & named.keys()) | there)

    @property
    def has_holes(self) -> bool:
        """Whether tables are gone with all that told of them, between others."""
        return len(self.evidence) > 1

    @property
    def is_whole(self) -> bool:
        """Whether all tables are there as they were, whatever the list says, and whatever is beside them."""
        paths = {name: self.made.directory / name for name in self.made.lists[-1]}
        return all(
            path.exists() and path.read_bytes() == self.made.tables[name] for name, path in paths.items()
        ) and all(
            self.made.tables[name] == (self.made.directory / name).read_bytes() for name in self.made.present
        )

    def is_right(self, name: bytes, found: RefRecord | None) -> bool:
        """Whether a ref has the value that it had."""
        true = self.made.refs.get(name)
        return (true is None and found is None) or (
            true is not None and found is not None and true.has_value_of(found)
        )

    def sure(self) -> set[bytes]:
        """The refs whose newest records lie in files that are what they were, and are listed."""
        found: set[bytes] = set()
        listed = {line.name for line in parse_table_list(self.made.raw).lines}
        for name in listed.intersection(self.made.present):
            path = self.made.directory / str(name)
            if self.made.tables.get(path.name) == path.read_bytes():
                with Table.open(path) as table:
                    found.update(
                        ref.name for ref in table.refs() if self.made.last[ref.name] == ref.update_index
                    )
        return found


class Told:
    """What a plan tells of refs before it is carried out."""

    def __init__(self, plan: RepairPlan) -> None:
        self.plan = plan
        found = (one for batch in ref_outcomes(plan) for one in batch)
        self.names = {one.name for one in found if one.outcome in TELLING}
        self.gaps = [gap for damage in damages(plan) for gap in damage.losses.gaps]
        self.has_aside = changes_aside(plan).refs > 0
        self.end = max((table.limits[1] for table in plan.tables), default=0)

    def tells(self, name: bytes) -> bool:
        """Whether it says that a ref may not be what it was."""
        return name in self.names or self.has_aside or any(gap.holds(name) for gap in self.gaps)

    def may_know(self, case: Case, name: bytes) -> bool:
        """Whether anything tells of the last change to a ref."""
        last = case.made.last.get(name, 0)
        if name in case.altered or not (case.made.refs.keys() | case.made.last).issuperset([name]):
            return False
        # Of a table whose line is gone as well, the update indexes of others tell, where the list lost names.
        return covers(case.evidence, last, last) or (self.plan.has_lost_names and last < self.end)


def require_end(case: Case, plan: RepairPlan) -> None:
    """See that nothing is left to do, but for tables that the repair has left for its user to decide."""
    directory = case.made.directory
    left = {step.file for step in plan.of(StepKind.LEAVE_OUT)}
    errors = [one for one in fsck(directory, now=NOW) if one.severity is Severity.ERROR]
    errors = [one for one in errors if one.code not in OF_VALUES and one.file not in left]
    assert [one for one in errors if plan.tables or one.code != "stack-lost"] == []
    assert [step for step in plan_repair(directory, now=NOW).steps if step.file not in left] == []


def repair_and_undo(case: Case) -> None:
    """See that a repair does and says what it has to, and can be undone."""
    directory = case.made.directory
    before, sure, is_whole = stack_contents(directory), case.sure(), case.is_whole
    told = Told(plan_repair(directory, now=NOW))
    done = run("repair", "--apply", directory)
    with open_readable(directory) as stack:
        after = {ref.name: ref for ref in stack.merged.refs()} if told.plan.tables else {}
    names = {*case.made.refs, *after}
    wrong = {name for name in names if not case.is_right(name, after.get(name))}
    if case.has_holes and not told.plan.has_lost_names:
        assert told.gaps or "indexes-missing" in codes(directory)
    untold = {
        name for name in wrong if told.may_know(case, name) and not (told.tells(name) and done.code == 1)
    }
    assert untold == set()
    # Of a line that is repeated and then cut, the rest may be the name of another table.
    if is_whole and "a line repeated" not in case.blows:
        assert wrong == set() or told.has_aside
    if REORDERING.isdisjoint(case.blows):
        assert wrong & sure - case.altered == set()
    require_end(case, told.plan)
    if any(step.is_done(force=False) for step in told.plan.steps):
        restore(directory, find_snapshot(directory), NOW)
        assert stack_contents(directory) == before


@pytest.mark.parametrize("share", SHARES)
def test_repairs_hide_nothing_tell_what_may_be_lost_end_and_are_undone(tmp_path: Path, share: int) -> None:
    with mock.patch("os.fsync"):
        for seed in thinned(SEEDS[share :: len(SHARES)], 32):
            case = Case(seed, tmp_path / "repository")
            try:
                repair_and_undo(case)
            except Exception as error:
                error.add_note(f"seed {seed}: {', '.join(case.blows)}")
                raise
            shutil.rmtree(tmp_path / "repository")
