"""The snapshots of a stack: what there is to go back to, how it differs from now, going back, removing.

Whatever touches the disk is a job. Going back and removing are actions, with a plan and a
confirmation like all others; to except a snapshot from pruning changes nothing but its manifest.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from textual import on
from textual.content import Content

from engine.readable import ReadableStack, open_readable
from engine.snapshot import Snapshot, first_names, keep, list_snapshots, older
from inspector.actions import DropAction, UndoAction, Workplace
from inspector.model import Journal, Place, PlanPlace, StackView
from inspector.rows import SequenceRows
from inspector.text import age_text, counted, safe_name, short_table_name, utc_time
from inspector.tui.keys import bindings
from inspector.tui.screens.changes import ChangesScreen
from inspector.tui.screens.dialog import ListDialog
from inspector.tui.screens.plan import ActionScreen
from inspector.tui.widgets.virtual_list import Cell, Column, VirtualList
from inspector.tui.work import Job


class SnapshotsScreen(ListDialog[bool, Snapshot]):
    """What was kept before each change; the answer says whether the stack may have been changed."""

    answer = False

    HELP = """
    A snapshot is taken before each change that is made through this program: the list, and hard links to its
    tables, which cost no room until a compaction removes the tables themselves. The newest 20 stay, and
    those that are kept; a repair that could not read everything keeps its own.

    Enter shows how to go back to the snapshot, which is a change like others and can be undone. d compares
    the refs of then and now. K keeps a snapshot, or no longer; P removes those that are older than the one
    under the cursor.
    """

    DEFAULT_CSS = """
    SnapshotsScreen #detail { height: 10; }
    """

    BINDINGS = bindings("snapshots")

    def __init__(self, workplace: Workplace, journal: Journal, view: StackView) -> None:
        self._workplace = workplace
        self._journal = journal
        self._view = view
        self._found: Sequence[Snapshot] = ()
        self._tables = ExitStack()
        columns: list[Column[Snapshot]] = [
            Column("time", lambda one, _width: Cell(utc_time(int(one.time)), "muted"), width=23, priority=1),
            Column("age", self._age, width=6, align="right", priority=2),
            Column("before", lambda one, _width: Cell(safe_name(one.operation)), width=10, flex=1),
            Column("tables", lambda one, _width: Cell(f"{len(one.tables):,}"), width=6, align="right"),
            Column("kept", lambda one, _width: Cell("kept" if one.kept else ""), width=4),
        ]
        empty = "no snapshot: nothing was changed through this program yet"
        super().__init__("Snapshots, newest first", VirtualList(columns, SequenceRows(), empty=empty))

    def on_mount(self) -> None:
        """Have the snapshots found."""
        self._load()

    def on_unmount(self) -> None:
        """Close the tables of snapshots that were compared."""
        self._tables.close()

    def _age(self, one: Snapshot, _width: int) -> Cell:
        return Cell(age_text(max(self._journal.clock() - one.time, 0)), "muted")

    # Reading, in jobs.

    def _load(self) -> None:
        self._jobs.start("list", lambda _job: self._find(), self._show_snapshots)

    def _find(self) -> Sequence[Snapshot]:
        return list_snapshots(self._workplace.directory)

    def _show_snapshots(self, found: Sequence[Snapshot]) -> None:
        current = self._list.current
        self._found = found
        ids = [one.id for one in found]
        cursor = ids.index(current.id) if current is not None and current.id in ids else 0
        self._list.show(SequenceRows(found), cursor=cursor)
        self.show_detail()
        self.refresh_bindings()

    # Drawing.

    def detail(self, row: Snapshot) -> list[Content]:
        """Which tables would come and go, and what is wrong with the snapshot."""
        now = [table.name for table in self._view.tables]
        lines = [Content.styled(safe_name(row.id), "bold")]
        first = first_names(self._found)
        stays = {first.get(name, name) for name in now} & {first.get(name, name) for name in row.tables}
        back = [name for name in row.tables if first.get(name, name) not in stays]
        gone = [name for name in now if first.get(name, name) not in stays]
        if not back and not gone:
            lines.append(Content("The same tables as now."))
        for mark, names, what in (("+", back, "come back"), ("-", gone, "go")):
            if names:
                shown = ", ".join(safe_name(short_table_name(name)) for name in names)
                lines.append(Content(f"{mark} {counted(len(names), 'table')} would {what}: {shown}"))
        if row.missing:
            missing = ", ".join(safe_name(short_table_name(name)) for name in row.missing)
            lines.append(Content.styled(f"! missing already then: {missing}", "$text-warning"))
        if row.losses:
            lost = f"! what the {row.operation} lost or may have lost: {safe_name(row.losses)}"
            lines.append(Content.styled(lost, "$text-warning"))
        if row.after is None:
            lines.append(Content.styled("! the change that followed was interrupted", "$text-warning"))
        return lines

    # Keys.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a snapshot there is nothing to do but to leave."""
        if action in {"restore", "compare", "keep", "prune"}:
            return self._list.source.count > 0
        return super().check_action(action, parameters)

    @on(VirtualList.Opened)
    def action_restore(self) -> None:
        """Show how to go back to the snapshot."""
        one = self._list.current
        if one is not None:
            self._act(UndoAction(self._workplace, one.id))

    def go(self, place: Place) -> None:
        """The way back to the snapshot is on this screen, which tells what has changed by it."""
        if isinstance(place, PlanPlace):
            self.action_restore()
        else:
            super().go(place)

    def action_compare(self) -> None:
        """Compare the refs of the snapshot with those of now."""
        if (snapshot := self._list.current) is None:
            return

        def open_tables(_job: Job) -> ReadableStack:
            # It may be of a stack that was broken: what could be read of that is compared.
            return open_readable(snapshot.directory, names=snapshot.tables)

        def show(then: ReadableStack) -> None:
            self._tables.push(then)
            now, title = self._view, f"From the snapshot of {utc_time(int(snapshot.time))} to now"
            self.app.push_screen(ChangesScreen(then.merged, now.merged, title, now.hash_id.size))

        self._jobs.start("open", open_tables, show, on_top=True)

    def action_keep(self) -> None:
        """Except the snapshot from pruning, or no longer."""
        if self._workplace.read_only:
            self.notify("Opened with --read-only: nothing is changed.", severity="warning")
        elif (snapshot := self._list.current) is not None:

            def switch(_job: Job) -> Sequence[Snapshot]:
                keep(snapshot, kept=not snapshot.kept)
                return self._find()

            self._jobs.start("list", switch, self._show_snapshots)

    def action_prune(self) -> None:
        """Show which snapshots would go that are older than this one."""
        if self._list.current is not None:
            ids = [row.id for row in older(self._found[self._list.cursor + 1 :], 0)]
            self._act(DropAction(self._workplace, (*ids,)))

    def _act(self, action: UndoAction | DropAction) -> None:
        def done() -> None:
            self.answer = True
            self._load()

        self.ask(ActionScreen(action, self._journal), done)
