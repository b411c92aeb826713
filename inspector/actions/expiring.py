"""Expiring reflog entries, which merges all tables."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from engine.merge import CompactionPlan, Expiry
from engine.progress import ProgressCallback
from engine.stack import Stack
from inspector.actions.base import Plan
from inspector.actions.merging import Compaction, plan_of
from inspector.actions.workplace import Workplace, word
from inspector.text import parse_time


@dataclass(frozen=True, slots=True)
class ExpireAction(Compaction):
    """Drop reflog entries from before a time (seconds since 1970) and below an update index; 0: no limit.

    Without both (None) the times of git's configuration count. `refs` are names or patterns of the refs whose
    reflogs expire, all if there are none; those that one of `spared` matches never do.
    """

    workplace: Workplace
    before: int | None = None
    min_update_index: int | None = None
    refs: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    title: ClassVar[str] = "Expire reflog entries"
    verb: ClassVar[str] = "Expire"
    operation: ClassVar[str] = "expire"

    @property
    def options(self) -> list[str]:
        """The limits, the time in seconds: relative ones mean another time later."""
        options = []
        if self.before is not None:
            options += ["--before", str(self.before)]
        if self.min_update_index is not None:
            options += ["--min-update-index", str(self.min_update_index)]
        for option, patterns in (("--ref", self.refs), ("--except", self.spared)):
            options += [part for pattern in patterns for part in (option, word(pattern))]
        return options

    def planned(self, stack: Stack, progress: ProgressCallback) -> Plan[CompactionPlan]:
        """Merge all tables into nothing, to see how many entries go."""
        if self.before is None and self.min_update_index is None:
            expiry = self.workplace.surroundings.reflog_expiry(partial(parse_time, now=int(time.time())))
        else:
            expiry = Expiry(self.before or 0, self.min_update_index or 0)
        only, spared = (tuple(map(os.fsencode, patterns)) for patterns in (self.refs, self.spared))
        expiry = expiry._replace(only=only, spared=spared)
        return plan_of(stack, 0, len(stack.tables), progress, expiry)
