"""A merge made into nothing, as a job of a widget: one at a time, with progress, and stopped at will."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual.content import Content
from textual.widget import Widget

from engine.progress import Progress
from engine.table import WriteOptions
from inspector.model import Blocked, MergeKey, MergeResult, Study, merge_result
from inspector.tui.widgets.compaction_words import tables_text
from inspector.tui.work import Job, Jobs, failure_text


class DryRun:
    """The dry run of a widget, if one is on its way."""

    def __init__(self, widget: Widget, advanced: Callable[[], None], ended: Callable[[], None]) -> None:
        """`advanced` is called when a run is a percent further, `ended` when it has ended by itself."""
        self._jobs = Jobs(widget)
        self._advanced = advanced
        self._ended = ended
        self.key: MergeKey | None = None
        """What is being merged; None when nothing is."""
        self.target = range(0)
        """Where its tables stand now."""
        self.progress: Progress | None = None
        self.fault: Exception | None = None
        """What ended the last run, when that was no error of the engine."""

    def begin(self, study: Study, options: WriteOptions) -> None:
        """Merge the range of `study`, which keeps the result, in place of what is being merged."""
        tables, target = study.tables, study.target
        self.key, self.target, self.progress, self.fault = study.key, target, None, None

        def merge(job: Job) -> MergeResult | Blocked:
            return merge_result(tables, target, options, job.paced(partial(job.report, self._advance)))

        self._jobs.start("dry-run", merge, partial(self._end, study, study.key), self._fail)

    def lines(self) -> list[Content]:
        """How far a run is, or why the last one ended without a result."""
        if self.key is not None:
            share = self.progress.percent if self.progress is not None else None
            how_far = f"  {self.progress.phase} {share}%" if self.progress and share is not None else ""
            what = f"of {tables_text(self.target)}…{how_far}"
            return [Content.assemble(("Dry run ", "bold"), what, ("   escape stops it", "$foreground-muted"))]
        if self.fault is not None:
            return [Content.styled(f"The dry run failed: {failure_text(self.fault)}", "$text-error")]
        return []

    def stop(self) -> None:
        """Let it be; nothing is left of it."""
        self._jobs.drop("dry-run")
        self.key = self.progress = None

    def follow(self, study: Study) -> None:
        """Take note of where the tables stand in another state of the stack; stop when they are gone."""
        if self.key is not None:
            self.target = study.find(self.key.names)
            if not self.target:
                self.stop()

    def _advance(self, progress: Progress) -> None:
        self.progress = progress
        self._advanced()

    def _end(self, study: Study, key: MergeKey, outcome: MergeResult | Blocked) -> None:
        self.key = self.progress = None
        study.keep(key, outcome)
        self._ended()

    def _fail(self, error: Exception) -> None:
        self.key = self.progress = None
        self.fault = error
        self._ended()
