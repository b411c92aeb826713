"""A plan in the making: what is decided so far, and the words for it."""

from __future__ import annotations

from functools import cached_property
from typing import Final

from engine import snapshot as snapshots
from engine.format import limits_in_name
from engine.fsck import Severity
from engine.repair.files import Evidence, TableFile, words_for
from engine.repair.inputs import Input
from engine.repair.plan import LeftOut, Step, StepKind
from engine.stack import StackOptions

NEEDED: Final = {"orphan-doubtful", "table-unlisted-data"}
"""Tables that are not listed, and of which no listed table may hold the records."""

ORPHANS: Final = {"orphan-table", "orphan-damaged", "orphan-newer", "orphan-ahead", *NEEDED}
"""Tables that are not listed, whatever they hold."""

_LEFT: Final = {
    StepKind.SET_ASIDE: "kept with the snapshot; {} can be read of it",
    StepKind.LEAVE_OUT: "it stays where it is, with {}",
    StepKind.REMOVE_FILE: "it held {}; the snapshot keeps it",
}
"""What becomes of a table that is left out, and of its records."""


class Draft:
    """A plan in the making.

    `set_aside` and `take_up` name the tables for which another than the safest option is wanted. `fitting`
    are those not listed that are taken up unasked; `before` are those listed that can be read, as git reads
    them; `is_list_whole` unless tables are chosen anew from all that are present; `beside` are those left out
    that may count all the same.
    """

    def __init__(
        self,
        known: Evidence,
        options: StackOptions,
        only: frozenset[str] | None,
        set_aside: frozenset[str],
        take_up: frozenset[str],
        now: float,
    ) -> None:
        self.known = known
        self.options = options
        self.only = only
        self.set_aside = set_aside
        self.take_up = take_up
        self.now = now
        self.steps: list[Step] = []
        self.left: list[LeftOut] = []
        self.listed: list[str] = []
        self.before: tuple[Input, ...] = ()
        self.mergeable: frozenset[str] = frozenset()
        self.fitting: set[str] = set()
        self.is_list_whole = True
        self.beside: list[Input] = []

    @cached_property
    def taken(self) -> set[str]:
        """The names that no new table gets.

        The list alone may have one, or a snapshot: a name never returns.
        """
        known = self.known
        of_snapshots = snapshots.names_known(snapshots.list_snapshots(known.path))
        return {*known.entries, *self.listed, *of_snapshots}

    def selected(self, name: str) -> bool:
        """Whether a file is to be repaired."""
        return self.only is None or name in self.only

    def options_of(self, file: TableFile) -> tuple[StepKind, ...]:
        """All that can be done with a table, the safest first; empty where there is no choice."""
        if file.input is None or self.only is not None:
            return ()
        if file.file in self.mergeable:
            return (StepKind.MERGE_TABLE, StepKind.SET_ASIDE)
        if file.file in self.listed:
            return (StepKind.REWRITE_TABLE, StepKind.SET_ASIDE) if file.rewrites else ()
        codes = self.known.codes(file.file)
        if "orphan-newer" in codes and file.file not in self.fitting:
            return (StepKind.SET_ASIDE, StepKind.TAKE_UP)
        if codes & NEEDED and file.file not in self.fitting:
            return (StepKind.LEAVE_OUT, StepKind.TAKE_UP, StepKind.SET_ASIDE)
        return () if "orphan-table" in codes else (StepKind.TAKE_UP, StepKind.SET_ASIDE)

    def keep(self, kind: StepKind, file: TableFile, result: str, options: tuple[StepKind, ...] = ()) -> None:
        """A listed table stays part of the stack, but not as it is."""
        self.steps.append(Step(kind, file.file, file.why, result, file.severity, options=options))

    def leave(
        self,
        kind: StepKind,
        file: TableFile,
        why: str,
        *,
        options: tuple[StepKind, ...] = (),
        severity: Severity | None = None,
        is_ahead: bool = False,
        is_held: bool = False,
    ) -> None:
        """A file is no part of the repaired stack; one that `is_ahead` should be.

        Of one that `is_held`, other tables hold all the records.
        """
        name = file.file
        refs, logs = self.known.count(file)
        limits = file.input.limits if file.input is not None else limits_in_name(name)
        is_listed = is_ahead or name in self.listed
        if kind is StepKind.LEAVE_OUT and file.input is not None:
            self.beside.append(file.input)
        losses = None if is_held else file.losses
        self.left.append(LeftOut(name, why, limits, refs, logs, is_listed, losses=losses))
        result = _LEFT[kind].format(words_for(refs, logs))
        self.steps.append(Step(kind, name, why, result, severity or file.severity, options=options))
