"""Repairs, and what must hold of each: every step has words, fsck is content, nothing is left to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.format import HashId, LogRecord, RefRecord
from engine.fsck import Severity, fsck
from engine.git import Repository
from engine.readable import open_table
from engine.repair import (
    LogOutcomes,
    Outcome,
    RefOutcome,
    RepairPlan,
    RepairResult,
    StepKind,
    judged_refs,
    log_outcomes,
    plan_repair,
    ref_outcomes,
    repair,
)
from engine.salvage import Losses
from engine.snapshot import Snapshot
from engine.stack import Stack, StackOptions
from tests.support.findings import NOW

State = tuple[list[RefRecord], list[LogRecord]]


def state(directory: Path) -> State:
    """Return the records that the stack shows."""
    with Stack.open(directory, read_only=True) as stack:
        return list(stack.refs()), list(stack.logs())


def losses_of(path: Path) -> Losses:
    """Return what salvaging the table at `path` cannot bring back."""
    table = open_table(str(path), path.name, HashId.SHA1)
    salvaged = table.salvaged()
    assert salvaged is not None
    return salvaged.losses


def refs(directory: Path) -> dict[bytes, bytes | None]:
    """Return the refs that the stack shows, with what they stand for."""
    return {ref.name: ref.value or ref.target for ref in state(directory)[0]}


def errors(directory: Path) -> list[str]:
    """Return the codes of the errors that fsck finds."""
    return [finding.code for finding in fsck(directory, now=NOW) if finding.severity is Severity.ERROR]


def kinds(plan: RepairPlan) -> list[str]:
    """Return what the steps of a plan are, each kind once."""
    return list(dict.fromkeys(step.kind.value for step in plan.steps))


def outcomes(plan: RepairPlan) -> dict[bytes, str]:
    """Return what becomes of the refs that are not simply kept."""
    return {one.name: one.outcome.value for one in told(plan)}


def told(plan: RepairPlan) -> Iterable[RefOutcome]:
    """Return the outcomes of a plan but for the refs that are simply kept."""
    found = [one for batch in ref_outcomes(plan) for one in batch]
    # Refs that are simply kept may be counted without a look at each.
    everything = [one for batch in ref_outcomes(plan, kept=True) for one in batch]
    assert found == [one for one in everything if one.outcome is not Outcome.KEPT]
    assert [one.name for one in everything] == sorted({one.name for one in everything})
    assert sum(kept for kept, _ in judged_refs(plan)) == len(everything) - len(found)
    return found


@dataclass(frozen=True, slots=True)
class Mended:
    """A repair that was carried out, and what was told of it beforehand."""

    plan: RepairPlan
    result: RepairResult
    told: dict[bytes, str]
    logs: LogOutcomes

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that was taken."""
        assert self.result.snapshot is not None
        return self.result.snapshot


def mend(
    directory: Path, options: StackOptions | None = None, repository: Repository | None = None
) -> Mended:
    """Repair a stack and see that nothing is left to be repaired."""
    plan = plan_repair(directory, options, now=NOW, repository=repository)
    for step in plan.steps:
        assert step.why
        assert step.result
    told, logs = outcomes(plan), log_outcomes(plan)
    mended = Mended(plan, repair(directory, plan, now=NOW), told, logs)
    # Where nothing is left of a repository's stack, that remains an error.
    assert [code for code in errors(directory) if plan.tables or code != "stack-lost"] == []
    # Temporary files under a lock cannot be judged until that is gone.
    again = plan_repair(directory, options, now=NOW)
    assert not again.steps or StepKind.REMOVE_LOCK in {step.kind for step in plan.steps}, again.steps
    assert [table.name for table in plan.tables] == list(mended.result.tables)
    return mended
