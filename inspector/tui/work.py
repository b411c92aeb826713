"""Jobs in the background: how a widget has something done in a thread, and how it gets the answer.

A widget, a screen or the application owns `Jobs`. A job is a plain function that is given a `Job`, through
which it reports how far it is and learns that it is to stop. Whatever it brings is delivered on the thread
that draws, to its owner alone, and only

    while the owner is there       not to a screen that was closed, nor to a part of one
    while the job is the newest    of its group: another one, or `drop`, makes it an old one
    while nothing covers it        for a job with `on_top`, whose answer opens a screen or moves the focus

and is dropped otherwise. An error goes to the owner as well. One that is a defect of this program is besides
kept by the application until the end (`KeepsDefects`), also when nothing waits for the job any more.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

from textual.app import App
from textual.dom import DOMNode
from textual.worker import Worker

from engine.errors import Cancelled, ReftableError
from engine.progress import Progress, ProgressCallback
from inspector import rows
from inspector.actions import RefusedError
from inspector.text import error_text

Answer = TypeVar("Answer")

CHANGING: Final = threading.Lock()
"""Held while a job changes the stack: the process does not end in its midst (`ending.py`)."""

FORESEEN: Final = (ReftableError, OSError, RefusedError, Cancelled)
"""What may keep any change from being planned or made."""


def is_defect(error: BaseException) -> bool:
    """Whether an error is none of those to be expected, and so a defect of this program."""
    return not isinstance(error, (*FORESEEN, rows.ExportError))


def failure_text(error: BaseException) -> str:
    """What kept a job from being done, as one line."""
    text = error_text(error)
    return f"a defect of this program: {type(error).__name__}: {text}" if is_defect(error) else text


@runtime_checkable
class KeepsDefects(Protocol):
    """An application that keeps the errors of jobs that are defects of this program until its end."""

    defects: deque[Exception]


class Source(Protocol):
    """Something that is read piece by piece, as long as something is wanted of it."""

    @property
    def wanting(self) -> bool:
        """Whether `work` has something to do."""

    def work(self) -> Iterator[Any]:
        """Do what is wanted, in pieces; yields what is new after each."""


class Job:
    """A job as its function has it, in its thread."""

    def __init__(self, jobs: Jobs, group: str, source: Source | None) -> None:
        self._jobs = jobs
        self.group = group
        self.source = source
        self.worker: Worker[None] | None = None
        self.is_stopped = False

    @property
    def is_cancelled(self) -> bool:
        """Whether it is to stop: its answer is not wanted any more, or not all of it."""
        return self.is_stopped or (self.worker is not None and self.worker.is_cancelled)

    def check(self) -> None:
        """Raise `Cancelled` if it is to stop."""
        if self.is_cancelled:
            raise Cancelled

    def paced(self, tell: Callable[[Progress], object]) -> ProgressCallback:
        """`tell`, called once for each phase and each percent of it; stops the job when it is to stop."""
        told: tuple[str, int | None] | None = None

        def report(progress: Progress) -> None:
            nonlocal told
            self.check()
            if told != (now := (progress.phase, progress.percent)):
                told = now
                tell(progress)

        return report

    def report(self, show: Callable[..., object], *news: object) -> None:
        """Have `show(*news)` called by the thread that draws."""
        self._jobs.deliver(self, partial(show, *news))


class Jobs:
    """The jobs of one owner, of each group one at a time."""

    def __init__(self, owner: DOMNode) -> None:
        self._owner = owner
        self._newest: dict[str, Job] = {}

    def start(
        self,
        group: str,
        function: Callable[[Job], Answer],
        done: Callable[[Answer], object],
        failed: Callable[[Exception], object] | None = None,
        *,
        on_top: bool = False,
        source: Source | None = None,
    ) -> None:
        """Call `function` in a thread, in place of the job of the group, and then `done` or `failed`.

        Without `failed` an error is shown as a notification. `on_top` is for an answer that is of no use
        when the user is at another screen by then. `source` is what the job works for, if that is one.
        """
        self.drop(group)
        job = self._newest[group] = Job(self, group, source)
        app: App[object] = self._owner.app

        def run() -> None:
            nonlocal function, done, failed
            try:
                answer = function(job)
            except Exception as error:  # noqa: BLE001 - whatever it is, the owner waits for an answer
                # Not by a message: the application may have stopped taking any.
                if is_defect(error) and isinstance(app, KeepsDefects):
                    app.defects.append(error)
                self.deliver(job, partial(self._fail, error, failed), is_last=True)
            else:
                self.deliver(job, partial(done, answer), is_last=True, on_top=on_top)
            finally:
                # Textual's worker and its task keep each other, and this function: until the garbage is
                # collected, all that it is about would stay, with the files of tables.
                del function, done, failed

        job.worker = self._owner.run_worker(run, thread=True, group=group)

    def drive(
        self,
        group: str,
        source: Source,
        show: Callable[[Any], object],
        failed: Callable[[Exception], object] | None = None,
    ) -> None:
        """Have `source` work until nothing is wanted of it, and `show` what it yields.

        Called whenever something is wanted: if it works already, it goes on.
        """
        newest = self._newest.get(group)
        if not source.wanting or (newest is not None and newest.source is source):
            return

        def work(job: Job) -> None:
            for news in source.work():
                if job.is_cancelled:
                    return
                if news is not None:
                    job.report(show, news)

        # What was wanted while it was about to end is not forgotten.
        again = partial(self.drive, group, source, show, failed)
        self.start(group, work, lambda _nothing: again(), failed, source=source)

    def stop(self, group: str) -> None:
        """Ask the job to stop; what comes of it is still wanted."""
        if group in self._newest:
            self._newest[group].is_stopped = True

    def drop(self, group: str) -> None:
        """Have nothing more of the job."""
        job = self._newest.pop(group, None)
        if job is not None and job.worker is not None:
            job.worker.cancel()

    def running(self, group: str) -> bool:
        """Whether a job of the group has not yet given its answer."""
        return group in self._newest

    @property
    def idle(self) -> bool:
        """Whether all jobs have given their answers."""
        return not self._newest

    def deliver(
        self, job: Job, tell: Callable[[], object], *, is_last: bool = False, on_top: bool = False
    ) -> None:
        """For a job's thread: have `tell` called by the owner, if it still wants to hear of this job."""
        self._owner.call_later(self._tell, job, tell, is_last, on_top)

    def _tell(self, job: Job, tell: Callable[[], object], is_last: bool, on_top: bool) -> None:
        owner = self._owner
        if self._newest.get(job.group) is not job:
            return
        if is_last:
            del self._newest[job.group]
        is_there = isinstance(owner, App) or (
            owner.is_attached
            # One that was put away comes back.
            and (owner.screen in owner.app.screen_stack or owner.app.is_screen_installed(owner.screen))
        )
        if is_there and not (on_top and owner.app.screen is not owner.screen):
            tell()

    def _fail(self, error: Exception, failed: Callable[[Exception], object] | None) -> None:
        if failed is not None:
            failed(error)
        else:
            self._owner.app.notify(failure_text(error), severity="error")
