"""A merge made into nothing, as a job of a widget: one at a time, with progress, and stopped at will."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual.content import Content
from textual.widget import Widget

from engine import merge
from engine.errors import ReftableError
from engine.progress import Progress
from inspector.model import Blocked, MergeKey, Study
from inspector.tui.widgets.compaction_words import tables_text
from inspector.tui.work import Job, Jobs, failure_text


class DryRun:
    """The dry run of a widget, if one is on its way: it merges the range of a study."""

    def __init__(self, widget: Widget, study: Study, changed: Callable[[], None]) -> None:
        """`changed` is called at each percent of a run, and when it has ended by itself."""
        self._jobs = Jobs(widget)
        self._study = study
        self._changed = changed
        self.key: MergeKey | None = None
        """What is being merged; None when nothing is."""
        self._progress: Progress | None = None
        self._failure: Exception | None = None

    def begin(self) -> None:
        """Merge the range that is in question now, in place of what is being merged."""
        tables, target, options = self._study.opened, self._study.target, self._study.options
        self.key, self._progress, self._failure = self._study.key, None, None

        def merge_all(job: Job) -> merge.CompactionPlan:
            progress = job.paced(partial(job.report, self._advance))
            return merge.plan_compaction(tables, target.start, target.stop, options, progress=progress)

        self._jobs.start("dry-run", merge_all, self._end, self._fail)

    def lines(self) -> list[Content]:
        """How far a run is, or why the last one ended without a result."""
        if self.key is not None:
            share = self._progress.percent if self._progress is not None else None
            how_far = f"  {self._progress.phase} {share}%" if self._progress and share is not None else ""
            what = f"of {tables_text(self._study.find(self.key.names))}…{how_far}"
            return [Content.assemble(("Dry run ", "bold"), what, ("   escape stops it", "$foreground-muted"))]
        if self._failure is not None:
            return [Content.styled(f"The dry run failed: {failure_text(self._failure)}", "$text-error")]
        return []

    def stop(self) -> None:
        """Stop it; nothing is kept."""
        self._jobs.drop("dry-run")
        self.key = None

    def _advance(self, progress: Progress) -> None:
        self._progress = progress
        self._changed()

    def _end(self, outcome: merge.CompactionPlan | Blocked) -> None:
        if self.key is not None:
            self._study.keep(self.key, outcome)
        self.key = None
        self._changed()

    def _fail(self, error: Exception) -> None:
        if isinstance(error, ReftableError | OSError):
            self._end(Blocked(error))  # a table that cannot be read is a result as well
        else:
            self.key, self._failure = None, error
            self._changed()
