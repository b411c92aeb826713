"""A merge made into nothing, in a thread of a widget: one at a time, with progress, and stopped at will.

`DryRun` starts and stops it and knows how far it is. The widget gets its messages, hands them back
(`advance`, `end`, `worker_changed`), and draws.
"""

from __future__ import annotations

from functools import partial

from textual.message import Message
from textual.widget import Widget
from textual.worker import Worker, WorkerState, get_current_worker

from engine.errors import Cancelled
from engine.progress import Progress
from engine.table import Table, WriteOptions
from inspector.model import Blocked, MergeKey, MergeResult, Study, merge_result

__all__ = ["DryRun"]


class DryRun:
    """The dry run of a widget, if one is on its way."""

    class Advanced(Message):
        """The run is a percent further."""

        def __init__(self, key: MergeKey, progress: Progress) -> None:
            super().__init__()
            self.key = key
            self.progress = progress

    class Ended(Message):
        """The run has its result."""

        def __init__(self, key: MergeKey, outcome: MergeResult | Blocked) -> None:
            super().__init__()
            self.key = key
            self.outcome = outcome

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._worker: Worker[None] | None = None
        self.key: MergeKey | None = None
        """What is being merged; None when nothing is."""
        self.target = range(0)
        """Where its tables stand now."""
        self.progress: Progress | None = None
        self.fault: BaseException | None = None
        """What ended the last run, when that was no error of the engine."""

    def begin(self, study: Study, options: WriteOptions) -> None:
        """Merge the range of `study`, in place of what is being merged."""
        self.key, self.target, self.progress, self.fault = study.key, study.target, None, None
        work = partial(self._work, study.key, study.tables, study.target, options)
        self._worker = self._widget.run_worker(
            work, thread=True, group="dry-run", exclusive=True, exit_on_error=False
        )

    def stop(self) -> None:
        """Let it be; nothing is left of it."""
        if self._worker is not None:
            self._worker.cancel()
        self._forget()

    def follow(self, study: Study) -> None:
        """Take note of where the tables stand in another state of the stack; stop when they are gone."""
        if self.key is not None:
            self.target = study.find(self.key.names)
            if not self.target:
                self.stop()

    def advance(self, event: Advanced) -> bool:
        """Take note of progress; whether it is of this run and not of one that was stopped."""
        if event.key != self.key:
            return False
        self.progress = event.progress
        return True

    def end(self, event: Ended) -> None:
        """Take note of the end of this run, or of one that was stopped too late."""
        if event.key == self.key:
            self._forget()

    def worker_changed(self, event: Worker.StateChanged) -> bool:
        """Take note of a run that ends without a result; whether it was this one."""
        if event.worker is not self._worker or event.state not in (WorkerState.ERROR, WorkerState.CANCELLED):
            return False
        self._forget()
        self.fault = event.worker.error if event.state is WorkerState.ERROR else None
        return True

    def _forget(self) -> None:
        self._worker, self.key, self.progress = None, None, None

    def _work(self, key: MergeKey, tables: tuple[Table, ...], target: range, options: WriteOptions) -> None:
        worker = get_current_worker()
        told = -1

        def tell(progress: Progress) -> None:
            nonlocal told
            if worker.is_cancelled:
                raise Cancelled("the dry run was stopped")
            percent = progress.done * 100 // progress.total if progress.total else 0
            if percent > told:
                told = percent
                self._widget.post_message(self.Advanced(key, progress))

        try:
            outcome = merge_result(tables, target, options, tell)
        except Cancelled:
            return
        self._widget.post_message(self.Ended(key, outcome))
