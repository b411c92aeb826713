"""Refs in two states, as a list: what changed between two views of a stack, and what a repair does.

`ChangesScreen` compares as a job from the moment it opens, a piece at a time; counts and rows grow
meanwhile, and `escape` stops it. Rows come from `difference_rows.ChangeRows`, so neither the time until they
are on screen nor memory depends on how much changed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeVar

from textual import on
from textual.content import Content

from engine.format import RefRecord
from engine.merge import ChangeKind, LogChanges, MergedTable, RefChange, log_changes
from engine.progress import Progress
from engine.readable import damage_met
from engine.repair import Outcome, RefOutcome
from inspector.rows import KINDS, ORDER, READ_ERRORS, SCAN_RECORDS, ChangeRows, Changes, OutcomeRows
from inspector.text import shown
from inspector.tui.cells import fitted_value, name_text
from inspector.tui.keys import bindings
from inspector.tui.screens.dialog import ListDialog
from inspector.tui.widgets.virtual_list import Cell, Column, Look, VirtualList
from inspector.tui.work import failure_text

PIECES_TOLD: Final = 16
"""Pieces of comparing after which the screen is told how far it is: to draw costs as much as some of them."""

MARKS: Final[dict[ChangeKind, str]] = {"created": "+", "updated": "~", "deleted": "-"}
LOOKS: Final[dict[ChangeKind, Look]] = {"created": "accent", "updated": "plain", "deleted": "warning"}


class _News(NamedTuple):
    """Rows were read, or more is compared; or the change that had the cursor is at `number` in `rows`."""

    rows: ChangeRows | None = None
    number: int | None = None


class ChangesScreen(ListDialog[None, RefChange]):
    """The changes from one view to another; it is closed with nothing."""

    HELP = """\
What changed: every ref that does not mean the same in the two states compared.

+ created    ~ updated    - deleted

Only tables that one of the two states has alone can hold a difference, so only these are read, side by \
side. A compaction writes other tables with the same refs: it changes nothing here. A ref that was written \
again with the value it had has not changed either. Reflog entries are counted, not listed.

C, U and D hide and show each kind. y copies the change under the cursor as one line: old value, new \
value and name, as git gives them to a reference-transaction hook. escape stops comparing, and leaves when \
there is nothing to stop.
"""

    BINDINGS = bindings("changes")

    def __init__(self, old: MergedTable, new: MergedTable, title: str, hash_size: int) -> None:
        """`title` says, as plain text, which states these are; `hash_size` is the bytes of an object id."""
        self._tables = (*old.tables, *new.tables)
        self._changes = Changes(old, new)
        self._rows = ChangeRows(self._changes, frozenset(KINDS))
        columns = ref_columns(lambda row: Cell(MARKS[row.kind], LOOKS[row.kind]), "before", "after")
        super().__init__(title, VirtualList(columns, self._rows), classes="-wide")
        self._hash_size = hash_size
        self._logs = LogChanges(0, 0)
        self._logs_counted = False
        self._logs_compared = 0
        self._wanted_ranks: deque[tuple[ChangeRows, bytes]] = deque(maxlen=1)
        self._stopped = False
        self._failure: Exception | None = None

    def on_mount(self) -> None:
        """Begin to compare."""
        self._show_state()
        self._work()

    @property
    def idle(self) -> bool:
        """Whether nothing is being compared or read, and nothing is waiting for it."""
        return self._jobs.idle and not self.wanting

    # Comparing and reading, in one job.

    @property
    def _comparing(self) -> bool:
        return not (self._stopped or (self._changes.ended and self._logs_counted))

    @property
    def wanting(self) -> bool:
        """Whether `work` has something to do."""
        wanted = self._rows.wanting or bool(self._wanted_ranks) or self._comparing
        return wanted and self._failure is None

    @on(VirtualList.RowsWanted)
    def _work(self) -> None:
        self._jobs.drive("changes", self, self._take, self._fail)

    def work(self) -> Iterator[_News | None]:
        """Read what the list waits for, and compare on; in the job's thread."""
        pieces = 0
        while True:
            if (served := self._serve()) is not None:
                yield served
            elif not self._stopped and self._changes.scan():
                pieces += 1
                is_told = pieces == 1 or pieces % PIECES_TOLD == 0 or self._changes.ended
                yield _News() if is_told else None
            elif self._comparing:
                yield from self._count_logs()
            else:
                break
        yield _News()

    def _serve(self) -> _News | None:
        """Read what the list waits for; None when it waits for nothing."""
        if self._rows.read_page():
            return _News()
        if not self._wanted_ranks:
            return None
        rows, name = self._wanted_ranks.pop()
        return _News(rows, rows.rank(name))

    def _count_logs(self) -> Iterator[_News | None]:
        def note(progress: Progress) -> None:
            self._logs_compared = progress.done

        added = dropped = told = 0
        try:
            for part in log_changes(self._changes.old, self._changes.new, note):
                added, dropped = added + part.added, dropped + part.dropped
                if self._stopped:
                    return
                while (served := self._serve()) is not None:
                    yield served
                is_told = self._logs_compared >= told + PIECES_TOLD * SCAN_RECORDS
                told = self._logs_compared if is_told else told
                yield _News() if is_told else None
        except READ_ERRORS as error:
            self._changes.error = self._changes.error or error
        self._logs = LogChanges(added, dropped)
        self._logs_counted = True

    def _take(self, news: _News) -> None:
        self._list.source_changed()
        # With the cursor elsewhere, the user has gone there meanwhile.
        if news.number is not None and news.rows is self._rows and self._list.cursor == 0:
            self._list.cursor = news.number
        self._show_state()

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._show_state()

    def _show_state(self) -> None:
        parts: list[Content | str | tuple[str, str]] = []
        self._list.empty = "no changes"
        for kind, count in self._changes.counts.items():
            text = f"{MARKS[kind]} {count:,} {kind}"
            hidden = kind not in self._rows.kinds
            if hidden and count:
                self._list.empty = "no changes of the kinds that are shown"
            parts += [(f"({text}, hidden)", "$foreground-muted") if hidden else (text, "bold"), "   "]
        # What can be read of damaged tables is compared all the same: what is lost of them may have changed.
        damage = iter(damage_met(self._tables).values())
        error = self._failure or self._rows.error or (None if self._comparing else next(damage, None))
        if error is not None:
            parts.append((f"! {failure_text(error)}", "$text-error"))
        elif self._comparing:
            refs, logs = self._changes.compared, self._logs_compared
            what = f"counting logs … {logs:,}" if self._changes.ended else f"comparing … {refs:,}"
            parts.append((f"{what} records  (esc stops)", "$text-warning"))
        elif self._stopped:
            parts.append(("stopped: there may be more", "$text-warning"))
        else:
            parts.append(f"logs: {self._logs.added:,} added, {self._logs.dropped:,} removed")
        self.say(Content.assemble(*parts))

    def detail(self, row: RefChange) -> list[Content]:
        """The values in full."""
        return ref_lines(row, row.kind, "before", "after")

    def action_toggle_kind(self, kind: ChangeKind) -> None:
        """Show a kind of change, or hide it; the cursor stays on its change, or goes to what follows it."""
        current = self._list.current
        self._rows = ChangeRows(self._changes, self._rows.kinds ^ {kind})
        self._list.cursor = 0
        self._list.show(self._rows)
        if current is not None:
            self._wanted_ranks.append((self._rows, current.name))
        self._show_state()
        self.show_detail()
        self._work()

    def action_copy(self) -> None:
        """Copy the change under the cursor as one line."""
        change = self._list.current
        if change is not None:
            name = shown(change.name)
            values = [_hook_value(record, self._hash_size) for record in (change.before, change.after)]
            self.app.copy_to_clipboard(" ".join([*values, name]))
            self.notify(f"Copied: old value, new value and name of {name}")

    def action_back(self) -> None:
        """Stop comparing, or leave."""
        if self._comparing and self._failure is None:
            self._stopped = True
            self._show_state()
        else:
            self.action_leave()


def _hook_value(record: RefRecord | None, hash_size: int) -> str:
    if record is None:
        return "0" * (2 * hash_size)
    return f"ref:{shown(record.target)}" if record.target is not None else (record.value or b"").hex()


_OUTCOME_MARKS: Final = {
    Outcome.LOST: "-",
    Outcome.REVIVED: "<",
    Outcome.CHANGED: "~",
    Outcome.DOUBTFUL: "?",
    Outcome.RESTORED: "=",
    Outcome.RETURNED: "+",
}


class OutcomesScreen(ListDialog[None, RefOutcome]):
    """The refs that a repair touches, the worst outcome first."""

    HELP = """
    What the repair does to refs, the worst first: - lost, < revived with an older value, ~ changed,
    ? doubtful (a newer value may be lost), = restored from its reflog, + returned. Refs that simply
    stay are counted, not listed.
    """

    BINDINGS = bindings("outcomes")

    def __init__(self, outcomes: OutcomeRows) -> None:
        columns = ref_columns(_outcome_mark, "now", "repaired")
        rows = VirtualList(columns, outcomes, empty="no ref changes")
        super().__init__("What becomes of refs", rows, classes="-wide")
        self._counts = outcomes.counts

    def on_mount(self) -> None:
        """Say how many there are of each kind."""
        counts = self._counts
        parts = [f"{_OUTCOME_MARKS[kind]} {counts[kind]:,} {kind}" for kind in ORDER if counts[kind]]
        self.say("   ".join([*parts, f"{counts[Outcome.KEPT]:,} kept"]))

    def detail(self, row: RefOutcome) -> list[Content]:
        """Why, and the values."""
        return ref_lines(row, f"{row.outcome}: {row.why}", "now", "repaired")


def _outcome_mark(row: RefOutcome) -> Cell:
    return Cell(_OUTCOME_MARKS[row.outcome], "error" if row.outcome is Outcome.LOST else "warning")


RefRow = TypeVar("RefRow", RefChange, RefOutcome)


def ref_columns(mark: Callable[[RefRow], Cell], before: str, after: str) -> list[Column[RefRow]]:
    """A list of refs with their values in the states that are called `before` and `after`."""
    return [
        Column("", lambda row, _width: mark(row), width=1),
        Column("ref", lambda row, width: Cell(name_text(row.name, width)), width=24, flex=4),
        Column(before, lambda row, width: _value_cell(row.before, width), width=10, flex=1),
        Column(after, lambda row, width: _value_cell(row.after, width), width=10, flex=1),
    ]


def _value_cell(record: RefRecord | None, width: int) -> Cell:
    if record is None:
        return Cell("none", "muted")
    return Cell(fitted_value(record, width), "plain" if record.target is None else "accent")


def ref_lines(row: RefChange | RefOutcome, what: str, before: str, after: str) -> list[Content]:
    """One ref with its values in full; `what` says what has become of it."""
    lines = [Content.assemble((shown(row.name), "bold"), f"  {what}")]
    width = max(8, len(before) + 1, len(after) + 1)
    for label, record in ((before, row.before), (after, row.after)):
        if record is None:
            text = "none"
        else:
            value = f"-> {shown(record.target)}" if record.target is not None else (record.value or b"").hex()
            text = f"{value}  update {record.update_index}"
        lines.append(Content.assemble((f"{label:<{width}}", "$foreground-muted"), text))
        if record is not None and record.peeled is not None:
            lines.append(Content.assemble(("  peeled ", "$foreground-muted"), record.peeled.hex()))
    return lines
