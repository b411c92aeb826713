"""The stack as a plan would leave it, read from the files as they are: nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator

from engine.format import LogRecord, RefRecord, log_order, ref_key
from engine.merge import merge_blocks
from engine.repair.inputs import OpenInputs
from engine.repair.plan import RepairPlan


class RepairedView:
    """The refs and log entries of the repaired stack, those whose names make git fail among them.

    Scans raise what `OpenInputs` raises.
    """

    def __init__(self, sources: list[OpenInputs]) -> None:
        self._sources = sources

    def ref_blocks(self) -> Iterator[list[RefRecord]]:
        """The refs in name order, in lists of no particular length."""
        for refs in merge_blocks([source.refs() for source in self._sources], ref_key):
            if live := [ref for ref in refs if not ref.is_deletion]:
                yield live

    def log_blocks(self) -> Iterator[list[LogRecord]]:
        """The log entries by name and newest first, markers among them, in lists of no particular length."""
        for logs in merge_blocks([source.logs() for source in self._sources], log_order):
            if live := [log for log in logs if not log.is_deletion]:
                yield live


class RepairedStack:
    """What a plan makes of a stack: `merged` are the records, `hash_id` is their hash function.

    The files stay open: it shows the same when others change the stack. Raises as `ref_outcomes` does.
    """

    def __init__(self, plan: RepairPlan) -> None:
        self.directory = plan.directory
        self.hash_id = plan.hash_id
        # What refuses such names says so: here, none goes without a word.
        inputs = [[one._replace(drops_unsafe_names=False) for one in table.inputs] for table in plan.tables]
        self.merged = RepairedView([OpenInputs(plan.directory, some) for some in inputs])
