"""The panes of refs and of reflog entries: their columns and help. `record_pane_base` has all they share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from textual import on

from engine.readable import in_doubt
from engine.table import Table
from inspector.model import LOGS, REFS, Arrangement, KeyFound, News, Session
from inspector.rows import Level, LogRow, PrefixTree, RefRow, read_level
from inspector.text import log_time, short_id, shown
from inspector.tui.cells import fitted_value, name_text
from inspector.tui.keys import bindings
from inspector.tui.navigation import ListSpot
from inspector.tui.widgets.prefix_list import PrefixList
from inspector.tui.widgets.record_pane_base import DEBOUNCE, RecordPane
from inspector.tui.widgets.virtual_list import Cell, Column, ListPane, Look, VirtualList
from inspector.tui.work import Job, Jobs

_KEYS = """f goes to the first name that begins with what you type, or comes after it, through the index.
    s sorts by the next column, S turns the order round; a click on the title of a column does both.
    D shows tombstones, b opens the block of the record, y copies, E writes the rows to a file.
    """


class RefsPane(RecordPane[RefRow]):
    """The refs of a scope."""

    HELP = f"""
    The refs, by name: what each points to, the update index of the transaction that wrote it, and the table
    of the stack in which it was found.

    A stack has many versions of one ref, one in each table that ever changed it. The newest table that has
    one wins; a tombstone wins as well, and says that the ref was deleted. The detail lists every version.
    Of a single table all records are shown, tombstones among them; as of an update index, what the tables up
    to there say.

    t shows the prefixes of names as a tree, with how many refs are below each (… until that is counted), and
    the list again: each at what was under the cursor of the other. enter opens a prefix, right and left open
    and close as well, and l leads to what is below it as a list, and to the reflogs.

    A ? behind the table means doubt: a newer table is damaged or missing, and may have held a newer version.

    / filters as you type: text that the name contains, or that of the ref which a symref points to; an object
    id, or four digits of it and more, finds the refs that point there as well. ~ in front of letters finds
    names that have them in this order, re: names with a regular expression of bytes, and ! in front of any
    of it the others. escape stops a scan, and drops the filter when none is going on.
    {_KEYS}"""

    KIND = REFS
    LIST_ID = "refs"

    BINDINGS = bindings("refs")

    def __init__(self, session: Session, *, debounce: float = DEBOUNCE) -> None:
        """As for all panes of records."""
        super().__init__(session, debounce=debounce)
        self.prefixes = PrefixList()
        self._tree_pane = ListPane(self.prefixes)
        self._tree_pane.display = False
        self._tree_of: object = None  # the rows that the tree is of
        self._is_on_ref = False  # the cursor of the tree
        self._jobs = Jobs(self)

    @property
    def shows_tree(self) -> bool:
        """Whether prefixes are shown in place of the list."""
        return self._tree_pane.display

    @property
    def current(self) -> RefRow | None:
        """The ref under the cursor; None on a prefix too."""
        row = self.prefixes.current if self.shows_tree else self.rows.current
        return row if isinstance(row, RefRow) else None

    async def action_tree(self) -> None:
        """Show the tree at the ref under the cursor, or the list at what is under the cursor of the tree."""
        if self.shows_tree:
            self._go_to_list()
            return
        if not self._tree_pane.is_attached:
            await self.mount(self._tree_pane)
        row = self.rows.current
        self._show_tree(row.record.name if row is not None else None)

    def _go_to_list(self) -> None:
        name = self.prefixes.name_at_cursor
        self._leave_tree()
        if name is not None and (self.rows.current is None or self.rows.current.key != name):
            self.go_to(name)

    def _show_tree(self, name: bytes | None) -> None:
        tree = PrefixTree([b"refs/"])
        if name is not None:
            tree.open_way(name)
        self._tree_pane.display = True
        self._list_pane.display = False
        self.screen.set_focus(self.prefixes)
        self._build_tree(tree, name)
        self.refresh_bindings()

    @property
    def spot(self) -> ListSpot:
        """What is set and where the cursor is; where the tree was too, if that is shown."""
        return super().spot._replace(in_tree=self.prefixes.name_at_cursor if self.shows_tree else None)

    def restore(self, spot: ListSpot) -> None:
        """Go back to what was set then, and to the tree if that was shown."""
        super().restore(spot)
        if spot.in_tree is None and self.shows_tree:
            self._leave_tree()
        elif spot.in_tree is not None and not self.shows_tree:
            self._show_tree(spot.in_tree)

    def _leave_tree(self) -> None:
        had_focus = self.prefixes.has_focus
        self._jobs.drop("tree")
        self._tree_pane.display = False
        self._list_pane.display = True
        if had_focus:
            self.screen.set_focus(self.rows)
        self.refresh_bindings()
        self.post_message(self.RowChosen(self))

    def _build_tree(self, tree: PrefixTree, name: bytes | None = None) -> None:
        """Read what is open in a tree and not read yet, and show it then with the cursor at `name`."""
        if (now := self.arrangement) is None:
            return
        self._tree_of = now.natural
        view, positions, deletions = now.merged, now.view.positions, now.shape.shows_deletions

        def read(job: Job) -> dict[bytes, Level]:
            return {
                prefix: read_level(view, prefix, positions, deletions=deletions, check=job.check)
                for prefix in tree.missing
            }

        def put(levels: dict[bytes, Level]) -> None:
            tree.put(levels)
            self.prefixes.show_tree(tree, name)

        self._jobs.start("tree", read, put)

    @on(VirtualList.Highlighted)
    def _tree_highlighted(self) -> None:
        is_on_ref = self.shows_tree and isinstance(self.prefixes.current, RefRow)
        if is_on_ref != self._is_on_ref:  # other keys work then
            self._is_on_ref = is_on_ref
            self.refresh_bindings()

    @on(PrefixList.LevelsWanted)
    def _read_more(self) -> None:
        self._build_tree(self.prefixes.held)

    @on(PrefixList.RestWanted)
    def _show_rest(self, event: PrefixList.RestWanted) -> None:
        self._leave_tree()
        self.go_to(event.name)

    @on(VirtualList.RowsWanted)
    def _count_prefixes(self) -> None:
        if self.shows_tree and self.arrangement is not None and (names := self.prefixes.held.take_asked()):
            for name in names:
                self._session.want_key(f"{self.LIST_ID} before {name!r}", self.arrangement.natural, name)
            # A message that was made while this pane had its turn comes no further up than to here.
            self.post_message(VirtualList.RowsWanted())

    def take(self, news: News) -> None:
        """Take up news of the session; row numbers of prefixes among them."""
        super().take(news)
        now = self.arrangement
        if not (isinstance(news, KeyFound) and self.shows_tree and now and news.source is now.natural):
            return
        # A scan that was broken off knows no more than what it has passed.
        if news.row is not None and (news.row < now.natural.count or now.natural.complete):
            self.prefixes.held.found(news.key, news.row)
            self.prefixes.show_tree(self.prefixes.held)

    def _draw(self, arrangement: Arrangement[RefRow], row: int, above: int) -> None:
        super()._draw(arrangement, row, above)
        if self.shows_tree and arrangement.natural is not self._tree_of:
            self._build_tree(PrefixTree(self.prefixes.held.opened))

    def go_to(self, key: Any) -> None:  # noqa: ANN401
        """Go to a row of the list."""
        if self.shows_tree:
            self._leave_tree()
        super().go_to(key)

    def go_to_first(self, row_filter: str) -> None:
        """Go to the first row of the list that a filter admits."""
        if self.shows_tree:
            self._leave_tree()
        super().go_to_first(row_filter)

    async def action_filter(self) -> None:
        """Filter the list."""
        if self.shows_tree:
            self._leave_tree()
        await super().action_filter()

    async def action_jump(self) -> None:
        """Jump in the list."""
        if self.shows_tree:
            self._leave_tree()
        await super().action_jump()

    def action_back(self) -> None:
        """Show the list again; or as for all panes of records."""
        if self.shows_tree:
            self._go_to_list()
        else:
            super().action_back()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A tree has the order of names."""
        if self.shows_tree and action in ("sort", "turn", "export"):
            return False
        if self.shows_tree and action == "want" and not self._is_on_ref:
            return False
        return (self.shows_tree and action == "back") or super().check_action(action, parameters)

    @staticmethod
    def _columns(tables: Sequence[Table], counting: Sequence[Table]) -> list[Column[RefRow]]:
        """Name, value, update index and table; a `?` if a newer table may have lost a newer version."""
        among = set(counting)
        asked = [table if table in among else None for table in tables]
        return [
            Column("ref", _name, 24, flex=3),
            Column("value", _ref_value, 10, flex=2),
            _index_column(tables),
            _table_column(tables, asked),
        ]


class LogsPane(RecordPane[LogRow]):
    """The reflog entries of a scope."""

    HELP = f"""
    The reflog entries, by ref and newest first: what moved each ref, when, who, and the message.

    An entry has the key (ref, update index). A tombstone of the same key in a newer table hides it, which is
    how git expires and deletes reflogs until a compaction drops both.

    / filters as you type: text that the name, the committer, the email or the message contains; an object id,
    or four digits of it and more, finds the entries that led there or away. ~ in front of letters finds them
    in this order, re: is a regular expression of bytes, ! in front of any of it finds the others. escape
    stops a scan, and drops the filter when none is going on.
    {_KEYS}"""

    KIND = LOGS
    LIST_ID = "logs"

    @staticmethod
    def _columns(tables: Sequence[Table], counting: Sequence[Table]) -> list[Column[LogRow]]:  # noqa: ARG004
        """Ref, update index, new id and where there is room the old one, message, time, author and table."""
        return [
            Column("ref", _name, 14, flex=2),
            _index_column(tables),
            Column("old", lambda row, _: Cell(short_id(row.record.old), "muted"), 7, priority=1),
            Column("new", _log_new, 7),
            Column("message", lambda row, _: shown(row.record.message.rstrip(b"\n")), 32, flex=5),
            Column("time", lambda row, _: Cell(log_time(row.record), "muted"), 16, priority=5),
            Column("who", lambda row, _: Cell(shown(row.record.committer), "muted"), 10, 1, priority=2),
            _table_column(tables, [None] * len(tables)),
        ]


def _name(row: RefRow | LogRow, width: int) -> str:
    return name_text(row.record.name, width)


def _ref_value(row: RefRow, width: int) -> Cell:
    look: Look = (
        "warning" if row.record.is_deletion else "accent" if row.record.target is not None else "plain"
    )
    return Cell(fitted_value(row.record, width), look)


def _log_new(row: LogRow, _width: int) -> Cell | str:
    record = row.record
    what = "deleted" if record.is_deletion else "marker" if record.is_marker else ""
    return Cell(what, "warning") if what else short_id(record.new)


def _index_column(tables: Sequence[Table]) -> Column[RefRow | LogRow]:
    widest = max((len(str(table.max_update_index)) for table in tables), default=0)
    return Column(
        "index", lambda row, _: str(row.record.update_index), max(widest, 5), align="right", priority=4
    )


def _table_column(tables: Sequence[Table], asked: Sequence[Table | None]) -> Column[RefRow | LogRow]:
    """The table of a row, with a `?` if one of those `asked` that is newer may have lost a newer version."""
    width = max(len(str(len(tables))) + 2, len("table"))
    return Column("table", partial(_position, asked), width, align="right", priority=3)


def _position(asked: Sequence[Table | None], row: RefRow | LogRow, _width: int) -> Cell:
    if in_doubt(asked, row.position, row.record.name):
        return Cell(f"#{row.position}?", "warning")
    return Cell(f"#{row.position}", "muted")
