"""The Health tab: what is wrong with the stack, as far as it is known, and what to do about it.

What headers and the directory tell is shown at once. Everything else is read only when the user asks
for it: by a check (`inspector.model.Check`, which is fsck) in a worker thread, with phases and progress,
until it ends or is stopped. It needs nothing but the directory, so it works on a stack that does not open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from textual import on
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from engine.fsck import Finding
from engine.git import Repository
from engine.progress import Progress
from engine.stack import UnlistedFile
from inspector.model import (
    Check,
    Counts,
    Health,
    HealthMark,
    StackView,
    diagnose,
    identity,
)
from inspector.rows import SequenceRows
from inspector.text import bar, counted, file_size, safe_message, safe_name, short_table_name
from inspector.tui.cells import shorten_middle
from inspector.tui.keys import bindings
from inspector.tui.navigation import Follow
from inspector.tui.widgets.detail import ScrolledText
from inspector.tui.widgets.health_words import (
    HealthRow,
    StartRow,
    offset_cell,
    row_words,
    severity_cell,
    summary,
    what_cell,
)
from inspector.tui.widgets.state_message import StateMessage, TellsState
from inspector.tui.widgets.virtual_list import Cell, Column, ListPane, VirtualList
from inspector.tui.work import Job, Jobs, failure_text

_BAR_WIDTH: Final = 20


class HealthPane(Vertical, TellsState):
    """Findings, worst first, and the words for the one under the cursor."""

    HELP = """\
Health: everything that is known to be wrong with this stack, worst first. X is an error (data is lost, \
hidden or falsified), ! a warning (clutter, and what no known writer does), i is worth knowing.

Locks, temporary files, tables without a place in the list and overlapping update indexes are known at \
once. v checks everything: the repository around the stack, tables.list and the files beside it, then each \
table from end to end (header, footer and its checksum, sections, every block, the order of keys, the \
indexes in both directions, refs against their reflogs), and the tables together as a stack. Blocks of \
refs have no checksum, so a changed letter in a name that leaves names in order, or another digit in an \
object id without a reflog, cannot be seen.

What follows from a finding is below it as "so also", and is not counted. Each finding says what git does \
with it, and which repairs apply, safest first. r shows a plan of the whole repair; nothing is changed \
before you confirm it, and z takes it back.

A check writes nothing. escape stops it; what was found stays.

enter shows the bytes of a finding in the Blocks tab, or the plan that mends it where it has none; l lists \
what else it leads to, such as the refs of its table. backspace comes back. y copies the finding."""

    DEFAULT_CSS = """
    HealthPane > #health-state { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    HealthPane > #health-text {
        height: 8;
        padding: 0 1;
        border-top: solid $surface-lighten-3;
        scrollbar-size-vertical: 1;
    }
    HealthPane > #health-text:focus { border-top: heavy $accent; }
    """

    BINDINGS = bindings("health")

    class Changed(StateMessage):
        """There are other findings than before, other tables have been read, or a check has ended."""

    def __init__(
        self,
        check: Check | None = None,
        *,
        known: Health | None = None,
        clock: Callable[[], float] = time.time,
        repository: Repository | None = None,
        home: Callable[[], Repository | None] = lambda: None,
    ) -> None:
        """`check` is what looks; by default `diagnose`, with ages by `clock`, and at `repository`, too.

        `known` is what was known before, `home` gives the repository that has the objects.
        """
        self._check: Check = check or (
            lambda stack, options, progress: diagnose(stack, options, progress, clock(), repository, home())
        )
        self.known = known if known is not None else Health()
        """What is known of the stack."""
        self._view: StackView | None = None
        self._rows: list[HealthRow] = []
        self._list: VirtualList[HealthRow] = VirtualList((), empty="nothing was found", id="findings")
        self._state = Static(id="health-state", markup=False)
        self._words = Static(id="health-words", markup=False)
        self._text = ScrolledText(self._words, id="health-text")
        super().__init__(self._state, ListPane(self._list), self._text)
        self._jobs = Jobs(self)
        self._progress: Progress | None = None
        self._failed: Exception | None = None
        self._elsewhere = 0  # tables that were read, and are not among those shown
        self._placed = 0  # where the cursor was put
        self._followed: tuple[str, str, int | None] | None = None  # what the user has moved it to
        self._told: tuple[Counts, dict[str, HealthMark], bool] | None = None

    def show(self, view: StackView, unlisted: Sequence[UnlistedFile]) -> None:
        """Show what is known of `view` and of the files beside its tables."""
        self._view = view
        self.known.look(view, unlisted)
        self._update()

    @property
    def running(self) -> bool:
        """Whether tables are being read."""
        return self._jobs.running("check")

    @property
    def current(self) -> Finding | None:
        """The finding under the cursor."""
        row = self._list.current
        return row if isinstance(row, Finding) else None

    def _update(self) -> None:
        rows: list[HealthRow] = []
        if self._view is not None and not self.known.is_checked and not self.running:
            rows.append(StartRow(f"{counted(len(self._view.tables), 'table')}, {file_size(self._view.size)}"))
        rows += self.known.findings()
        if rows != self._rows:
            self._show_rows(rows)
        known = self.known.counts(), self.known.marks(), self.known.is_checked
        if self.running:
            self._state.update(self._progress_text())
        elif self._failed is not None:
            failure = failure_text(self._failed)
            self._state.update(Content.styled(f"the check has failed: {failure}", "$text-error"))
        else:
            self._state.update(summary(known[0], self._elsewhere))
        if known != self._told:
            self._told = known
            self.post_message(self.Changed())

    def _show_rows(self, rows: list[HealthRow]) -> None:
        self._rows = rows
        findings = [row for row in rows if isinstance(row, Finding)]
        # Findings that come in between push the one that was gone to down, and the cursor stays with it.
        # Otherwise it is at the top, with the worst.
        cursor = 0
        if self._followed is not None:
            above = len(rows) - len(findings)
            places = (at for at, one in enumerate(findings, above) if identity(one) == self._followed)
            cursor = next(places, self._list.cursor)
        self._placed = cursor
        columns = [Column("", severity_cell, 9), Column("file", self._file, 14, flex=1, priority=3)]
        offsets = [len(f"{one.offset:,}") for one in findings if one.offset is not None]
        if offsets:
            columns.append(Column("offset", offset_cell, max(6, *offsets), align="right", priority=2))
        columns.append(Column("what", what_cell, 20, flex=6))
        self._list.show(SequenceRows(rows), columns, cursor=cursor, above=self._list.above)
        self._show_words()

    def _file(self, row: HealthRow, width: int) -> Cell | str:
        if isinstance(row, StartRow):
            return Cell("not checked", "accent")
        position = self.known.position(row.file)
        name = short_table_name(row.file)
        return shorten_middle(name if position is None else f"#{position} {name}", width)

    def _progress_text(self) -> Content:
        progress = self._progress
        if progress is None or not progress.total:
            phase = f"checking: {safe_name(progress.phase)} …" if progress is not None else "checking …"
            return Content(f"{phase}  (escape stops)")
        drawn = bar(progress.done, progress.total, _BAR_WIDTH).ljust(_BAR_WIDTH, "░")
        return Content.assemble(
            f"{progress.percent:>3}% ",
            (drawn, "$text-accent"),
            f" {file_size(progress.done)} of {file_size(progress.total)}",
            (f"  {safe_name(progress.phase)}  (escape stops)", "$foreground-muted"),
        )

    def _show_words(self) -> None:
        row = self._list.current
        position = self.known.position(row.file) if isinstance(row, Finding) else None
        self._words.update(row_words(row, position))
        if self._text.is_attached:  # what is not would keep each call until then
            self._text.scroll_home(animate=False)

    @on(VirtualList.Highlighted)
    def _cursor_moved(self, event: VirtualList.Highlighted) -> None:
        event.stop()
        cursor, current = self._list.cursor, self.current
        if cursor != self._placed:
            self._placed = cursor
            self._followed = identity(current) if cursor and current is not None else None
        self._show_words()

    def action_check(self) -> None:
        """Look at everything, also at what was looked at before."""
        if self.running or self._view is None:
            return
        self.known.forget()
        self._progress, self._failed, self._elsewhere = None, None, 0
        self._jobs.start("check", partial(self._look, self._view), self._finish, self._fail)
        self._show_running()

    def action_stop(self) -> None:
        """Stop looking; what was found stays."""
        self._jobs.drop("check")
        self._show_running()

    def _look(self, view: StackView, job: Job) -> tuple[StackView, list[str], list[Finding]]:
        """Check what is shown, in a thread; the names of the tables that were read, and what is to tell."""
        pending: list[Finding] = []
        read: list[str] | None = None

        def findings() -> Iterator[Finding]:
            nonlocal read
            read = yield from self._check(view.directory, view.options, job.paced(tell))

        def tell(progress: Progress) -> None:
            nonlocal pending
            job.report(self._take, pending, progress)
            pending = []

        try:
            for finding in findings():
                pending.append(finding)  # noqa: PERF402 - `tell` takes the list away meanwhile
        except Exception:
            job.report(self._take, pending, None)
            raise
        return view, list(view.positions) if read is None else read, pending

    def _take(self, found: Sequence[Finding], progress: Progress | None) -> None:
        self.known.add(found)
        self._progress = progress or self._progress
        self._update()

    def _finish(self, done: tuple[StackView, list[str], list[Finding]]) -> None:
        view, read, found = done
        # What is shown of a broken stack need not be what its list names.
        is_same = read == list(view.positions) or bool(view.faults)
        self.known.finish(read, is_whole=is_same and view is self._view)
        self._elsewhere = 0 if is_same else len(set(read).difference(view.positions))
        self._take(found, None)
        self.refresh_bindings()

    def _fail(self, error: Exception) -> None:
        self._failed = error
        self._show_running()

    def _show_running(self) -> None:
        self._update()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """`escape` means something else while nothing is read, and `v` has no use meanwhile."""
        if action == "stop":
            return self.running
        return not self.running if action == "check" else True

    @on(VirtualList.Opened)
    def action_open(self) -> None:
        """Begin the check, or go where the finding leads."""
        if isinstance(self._list.current, StartRow):
            self.action_check()
        else:
            self.post_message(Follow())

    def action_copy(self) -> None:
        """Copy the finding as one line of text."""
        if (finding := self.current) is not None:
            offset = "" if finding.offset is None else f" at byte {finding.offset}"
            where = safe_name(finding.file) + offset
            text = f"{finding.severity.value} {finding.code} {where}: {safe_message(finding.message)}"
            self.app.copy_to_clipboard(text)
            self.notify("The finding was copied.")
