"""The main screen: the stack on the left; on the right its refs, logs, blocks, compaction and health.

The screen holds no data of the stack. It hands each pane the session's view, and what the session says is
new. Panes do not know each other: what one says (a table was opened, a block is wanted, a range is to be
compacted) becomes here what another shows, or a screen on top of this one.

    live         has the session work, and notices changes by others
    changing     leads to each change of the stack
    main         the panes, the tabs, and what they want of each other
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import DescendantFocus
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static, TabbedContent, TabPane, Tabs

from engine.format import RefRecord, log_key
from engine.readable import damage_met
from engine.stack import UnlistedFile
from engine.table import Table
from inspector.actions import Workplace
from inspector.model import (
    AsOf,
    Damage,
    HealthMark,
    News,
    OneTable,
    RefTrace,
    Reloaded,
    Scope,
    Session,
    WholeStack,
    broken_text,
    damage_text,
)
from inspector.rows import RefRow
from inspector.text import error_text
from inspector.tui.screens.changes import ChangesScreen
from inspector.tui.screens.changing import ChangingScreen
from inspector.tui.screens.copy_row import CopyScreen
from inspector.tui.screens.dialog import HelpScreen
from inspector.tui.screens.export_rows import ExportScreen
from inspector.tui.screens.moments import MomentsScreen
from inspector.tui.widgets.block_pane import BlockPane
from inspector.tui.widgets.compaction_pane import CompactionPane
from inspector.tui.widgets.detail import Detail
from inspector.tui.widgets.health_pane import HealthPane
from inspector.tui.widgets.key_bar import KeyBar
from inspector.tui.widgets.record_pane import LogsPane, RefsPane
from inspector.tui.widgets.record_pane_base import RecordPane
from inspector.tui.widgets.stack_list import StackPane
from inspector.tui.widgets.stack_rows import StackRow
from inspector.tui.widgets.status_line import Breadcrumbs, StatusLine
from inspector.tui.widgets.too_small import LEAST_COLUMNS, LEAST_LINES, TooSmall
from inspector.tui.widgets.virtual_list import ColumnTitles, VirtualList
from inspector.tui.work import Job

# The least columns and lines for which the style sheet has a layout, and the layout's name.
_WIDTHS: Final = [(0, "-cramped"), (LEAST_COLUMNS, "-narrow"), (100, "-wide")]
_HEIGHTS: Final = [(0, "-tiny"), (LEAST_LINES, "-short"), (30, "-tall")]


class _Tab(TabPane):
    """A tab in which the focus follows what is shown, and never leads.

    The focus tells of itself late: when keys come fast, it would show the tab that they have left.
    """

    def post_message(self, message: Message) -> bool:
        return not isinstance(message, TabPane.Focused) and super().post_message(message)


class MainScreen(ChangingScreen):
    """Everything about one stack."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Next pane", show=False),
        Binding("shift+tab", "app.focus_previous", "Pane before", show=False),
        # Done before the next key is given to anything, which is meant for the tab.
        Binding("right_square_bracket", "tab(1)", "Tab", key_display="[ ]", priority=True),
        Binding("left_square_bracket", "tab(-1)", "Tab before", show=False, priority=True),
        *(
            Binding(str(number), f"show_tab({number - 1})", f"Tab {number}", show=False, priority=True)
            for number in range(1, 6)
        ),
        Binding("a", "add", "Add…", show=False),
        Binding("c", "compact", "Compact…", show=False),
        Binding("e", "expire", "Expire…", show=False),
        Binding("x", "clean", "Clean…", show=False),
        Binding("r", "repair", "Repair…", show=False),
        Binding("z", "undo", "Undo the last change…", show=False),
        Binding("B", "snapshots", "Snapshots", show=False, key_display="B"),
        Binding("T", "moments", "Time travel", show=False, key_display="T"),
        Binding("L", "latest", "Latest changes", show=False, key_display="L"),
        Binding("at", "journal", "Journal", show=False, key_display="@"),
        Binding("W", "app.pick", "Other stack", show=False, key_display="W"),
        Binding("p", "pause", "Pause watching", show=False),
        Binding("R", "reload", "Look again", show=False, key_display="R"),
        Binding("m", "maximise", "Maximise the pane", show=False),
        Binding("escape", "back", "Back to the whole stack", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "app.quit", "Quit"),
        Binding("colon", "app.command_palette", "Actions", key_display=":"),
    ]

    def __init__(
        self,
        session: Session,
        workplace: Workplace,
        *,
        clock: Callable[[], float] = time.time,
        watch: float | None = None,
    ) -> None:
        """`watch` is the number of seconds between two looks at the stack; None never looks unasked."""
        super().__init__(session, workplace, clock=clock, watch=watch)
        self._reload_error: Exception | None = None
        self._beside_error: Exception | None = None
        self._unlisted: Sequence[UnlistedFile] = ()
        self._damage: dict[str, Damage] = {}
        self._refs = RefsPane(session)
        self._logs = LogsPane(session)
        self._blocks = BlockPane()
        self._health = HealthPane(clock=clock)
        self._detail_of: StackPane | RefsPane | LogsPane = self._refs
        self._tab_with_keys: str | None = "refs-tab"

    def compose(self) -> ComposeResult:
        """Status on top; stack and tabs beside each other; keys at the bottom."""
        # Textual sets these classes too, but has drawn a first frame without them by then. And there is
        # nothing yet that would be styled again because of them.
        width, height = self.app.size
        for extent, breakpoints in ((width, _WIDTHS), (height, _HEIGHTS)):
            self.add_class([name for least, name in breakpoints if extent >= least][-1])
        yield StatusLine(self._session.label, id="status")
        yield Breadcrumbs(id="way")
        yield Static(id="trouble", markup=False)
        with Horizontal(id="panes"):
            yield self._stack
            with Vertical(id="records-pane", classes="pane"):
                with TabbedContent(id="records"):
                    with _Tab("Refs", id="refs-tab"):
                        yield self._refs
                    with _Tab("Logs", id="logs-tab"):
                        yield self._logs
                    with _Tab("Blocks", id="blocks-tab"):
                        yield self._blocks
                    with _Tab("Compaction", id="compaction-tab"):
                        yield self._compaction
                    with _Tab("Health", id="health-tab"):
                        yield self._health
                yield Detail(id="detail")
        yield KeyBar()
        yield TooSmall()

    def on_mount(self) -> None:
        """Show what is at hand, and have the rest read."""
        # Keys and the mouse switch tabs; as a stop between the panes they would be in the way.
        self.query_one(Tabs).can_focus = False
        self.query_one(StatusLine).read_only = self._workplace.read_only
        self._show_view()
        if self._session.view.faults:
            self._show_tab("health-tab")
            self._health.action_check()
        else:
            self._refs.rows.focus()
        self.begin()

    @property
    def idle(self) -> bool:
        """Whether nothing that the screen asked for is still to come."""
        return not (self.working or self._health.running) and self._blocks.idle

    # Showing the session's view.

    def _show_view(self) -> None:
        view = self._session.view
        self.query_one(StatusLine).broken = broken_text(view.faults)
        self._refs.show(view)
        self._logs.show(view)
        self._compaction.show(view)
        self._show_beside()
        self._show_progress()
        self._show_way()

    def _show_beside(self) -> None:
        view = self._session.view
        self._health.show(view, self._unlisted)
        self._damage = dict(damage_met(view.tables))
        self._show_marks()

    def _show_marks(self) -> None:
        marks = self._health.known.marks() | dict.fromkeys(self._damage, HealthMark.DAMAGED)
        self._stack.show(self._session.view, self._unlisted, marks)
        self._compaction.show_damage(self._damage | self._health.known.damage())

    def _show_progress(self) -> None:
        self.query_one(StatusLine).show(self._session.view)
        error = self._reload_error or self._refs.error or self._logs.error or self._beside_error
        text = error_text(error) if error is not None else damage_text(self._session.view)
        if self._reload_error is not None:
            text += " (shown as it was before: R reads what is left)"
        trouble = self.query_one("#trouble", Static)
        trouble.display = bool(text)
        if text:
            trouble.update(f"! {text}")
        if damage_met(self._session.view.tables).keys() != self._damage.keys():  # reading has met damage
            self._show_beside()

    def _show_way(self) -> None:
        """What the breadcrumbs say: the stack, what of it the lists show, and which list."""
        view, scope = self._session.view, self._refs.scope
        tab = self.query_one(TabbedContent)
        parts = ["stack"]
        if tab.active in ("refs-tab", "logs-tab"):
            parts.append(scope.label(view))
        elif tab.active == "blocks-tab" and isinstance(row := self._stack.current, StackRow):
            parts.append(OneTable(row.table.name).label(view))
        if tab.active:
            parts.append(str(tab.get_tab(tab.active).label_text).lower())
        self.query_one(Breadcrumbs).parts = tuple(parts)
        self.query_one(Detail).set_class(tab.active not in ("refs-tab", "logs-tab"), "-unused")
        self.query_one("#records-pane").border_title = Content(parts[1] if len(parts) > 2 else "")

    # What comes of the session's work, and of looking at the stack.

    def take_news(self, news: News) -> None:
        """Show it in the panes that asked for it."""
        if isinstance(news, RefTrace):
            row = self._refs.current
            if self._detail_of is self._refs and row is not None and row.record.name == news.name:
                self.query_one(Detail).show(row, news)
            return
        self._refs.take(news)
        self._logs.take(news)
        self._show_progress()

    def take_reload(self, news: Reloaded) -> None:
        """Show the stack as it is now."""
        self._reload_error = news.error
        if news.changed:
            self._show_view()
            self._show_blocks()
            # Files of a broken stack change under the same names, so what was found is worth nothing.
            old_faults = news.old_view.faults if news.old_view is not None else ()
            self._check_is_due |= bool(old_faults or self._session.view.faults)
        else:
            self._show_progress()
        if self._check_is_due:
            self._check_is_due = False
            self._health.action_stop()
            self._health.action_check()

    def take_beside(self, found: Sequence[UnlistedFile], error: OSError | None) -> None:
        """Show the files beside the tables."""
        self._unlisted, self._beside_error = found, error
        self._show_beside()
        self._show_progress()

    def take_watching(self, *, watching: bool) -> None:
        """Say so in the status line."""
        self.query_one(StatusLine).watching = watching

    # Selection and detail.

    def watch_focused(self, focused: Widget | None) -> None:
        """Show which pane has the keys."""
        for pane in self.query(".pane"):
            has_keys = focused is not None and pane in focused.ancestors
            if has_keys != pane.has_class("-with-keys"):
                # Only these: nothing else in a pane looks different for it.
                pane.set_class(has_keys, "-with-keys", update=False)
                self.app.stylesheet.update_nodes([pane, *pane.query(ColumnTitles)])

    @on(RecordPane.RowChosen)
    def _row_chosen(self, event: RecordPane.RowChosen) -> None:
        if event.pane is self._detail_of:
            self._show_detail()

    @on(StackPane.Chosen)
    def _file_chosen(self) -> None:
        if self._detail_of is self._stack:
            self._show_detail()
        self._show_blocks()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """The detail is that of the pane which has the keys."""
        for pane in (self._stack, self._refs, self._logs):
            if pane in event.widget.ancestors and pane is not self._detail_of:
                self._detail_of = pane
                self._show_detail()

    def _show_detail(self) -> None:
        row = self._detail_of.current
        self.query_one(Detail).show(row)
        if isinstance(row, RefRow):
            arrangement = self._refs.arrangement
            within = arrangement.merged if arrangement is not None else None
            self._session.want_versions(row.record.name, within)
            self._work()

    @on(RecordPane.RowOpened)
    def _row_opened(self) -> None:
        detail = self.query_one(Detail)
        if detail.focusable:
            detail.focus()

    @on(RecordPane.CopyWanted)
    def _copy_wanted(self, event: RecordPane.CopyWanted) -> None:
        self.app.push_screen(CopyScreen(event.row, event.table))

    @on(RecordPane.ExportWanted)
    def _export_wanted(self, event: RecordPane.ExportWanted) -> None:
        self.app.push_screen(ExportScreen(event.arrangement, event.noun))

    # What the panes want of each other.

    @on(StackPane.TableOpened)
    def _table_opened(self, event: StackPane.TableOpened) -> None:
        if self.query_one(TabbedContent).active in ("refs-tab", "logs-tab"):
            self._set_scope(OneTable(event.table.name))
        else:
            self._show_tab("blocks-tab")

    def _set_scope(self, scope: Scope) -> None:
        self._refs.scope = scope
        self._logs.scope = scope
        self._show_way()
        self._work()

    @on(RecordPane.BlockWanted)
    def _block_wanted(self, event: RecordPane.BlockWanted) -> None:
        row, table = event.row, event.table
        name, update_index = row.record.name, row.record.update_index

        def locate(_job: Job) -> int | None:
            is_ref = isinstance(row, RefRow)
            found = table.locate_ref(name) if is_ref else table.locate_log(name, update_index)
            return found[0] if found else None

        def reveal(offset: int | None) -> None:
            if offset is not None:
                self._reveal(table, offset, name if isinstance(row, RefRow) else log_key(name, update_index))

        self._jobs.start("locate", locate, reveal, on_top=True)

    @on(HealthPane.FindingOpened)
    def _finding_opened(self, event: HealthPane.FindingOpened) -> None:
        self._reveal(event.table, event.offset, None)

    def _reveal(self, table: Table, offset: int, key: bytes | None) -> None:
        """Show a place of a table in the Blocks tab."""
        names = [one.name for one in self._session.view.tables]
        if table.name not in names:
            return
        self._stack.choose(names.index(table.name))
        self._show_tab("blocks-tab")
        self._blocks.show_table(table)
        self._blocks.reveal(offset, key)

    @on(HealthPane.Changed)
    def _health_changed(self) -> None:
        counts = self._health.known.counts()
        self.query_one(StatusLine).findings = counts.errors, counts.warnings
        self._show_marks()

    @on(CompactionPane.CompactWanted)
    def _compact_wanted(self, event: CompactionPane.CompactWanted) -> None:
        self.compact(event.tables)

    @on(Breadcrumbs.Chosen)
    def _part_chosen(self, event: Breadcrumbs.Chosen) -> None:
        if event.number == 0:
            self._set_scope(WholeStack())

    # Tabs.

    def action_tab(self, step: int) -> None:
        """Go to the tab beside, and round at the end."""
        names = self._tab_names()
        self._show_tab(names[(names.index(self.query_one(TabbedContent).active) + step) % len(names)])

    def action_show_tab(self, number: int) -> None:
        """Go to this tab."""
        self._show_tab(self._tab_names()[number])

    def _tab_names(self) -> list[str]:
        return [pane.id or "" for pane in self.query(TabPane)]

    def _show_tab(self, name: str) -> None:
        self._jobs.drop("locate")  # the user has gone elsewhere
        tabs = self.query_one(TabbedContent)
        tabs.active = name
        # Not only once the tab tells that it is shown: keys that are typed until then are for it.
        self._focus_tab(tabs.get_pane(name))

    @on(TabbedContent.TabActivated)
    def _tab_activated(self, event: TabbedContent.TabActivated) -> None:
        if event.pane.id != self.query_one(TabbedContent).active:
            return  # it comes late: by now the user is at another tab
        self._show_blocks()
        self._show_way()
        if event.pane.id != self._tab_with_keys:  # a click; after a key the focus may be elsewhere by now
            self._jobs.drop("locate")
            self._focus_tab(event.pane)

    def _focus_tab(self, pane: TabPane) -> None:
        # At once and not in its turn, or it could take the user back from where the next key has led.
        self._tab_with_keys = pane.id
        if pane.id == "compaction-tab":
            self.set_focus(self._compaction.focus_target)
        else:
            self.set_focus(pane.query(VirtualList).first())

    def _show_blocks(self) -> None:
        """The table under the cursor, once the tab is shown."""
        if self.query_one(TabbedContent).active == "blocks-tab":
            match self._stack.current:
                case StackRow(table=table):
                    self._blocks.show_table(table)
                case None:
                    self._blocks.show_table(None)
            self._show_way()

    # Keys.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """What would do nothing is not offered, and where text is typed no letter is taken from it."""
        if action in ("tab", "show_tab"):
            return not isinstance(self.focused, Input)
        if action == "back":
            return self._refs.scope != WholeStack() or self.has_class("-maximised")
        if action == "latest":
            return self._latest is not None or None
        if action == "pause":
            return self._watch is not None
        return True

    def action_back(self) -> None:
        """Show both panes again, or the whole stack."""
        if self.has_class("-maximised"):
            self.action_maximise()
        else:
            self._set_scope(WholeStack())

    def action_maximise(self) -> None:
        """Give the pane that has the keys the whole screen, or show both again."""
        on_the_left = self.focused is not None and self._stack in self.focused.ancestors
        maximised = not self.has_class("-maximised")
        self.set_class(maximised, "-maximised")
        self.set_class(maximised and on_the_left, "-stack-only")
        self.set_class(maximised and not on_the_left, "-records-only")

    def action_help(self) -> None:
        """Explain what has the keys."""
        self.app.push_screen(HelpScreen(self))

    def action_moments(self) -> None:
        """Choose an earlier state of the stack, or compare two."""

        def chosen(scope: Scope | None) -> None:
            if scope is not None:
                self._set_scope(scope)
                if self.query_one(TabbedContent).active not in ("refs-tab", "logs-tab"):
                    self._show_tab("refs-tab")

        scope = self._refs.scope
        at = scope.update_index if isinstance(scope, AsOf) else None
        self.app.push_screen(MomentsScreen(self._session.view, at), chosen)

    def action_latest(self) -> None:
        """Show what the last change has changed, whichever process made it."""
        if self._latest is not None:
            old, new = self._latest
            span = f"{old.merged.max_update_index} to {new.merged.max_update_index}"
            title = f"What changed last: update index {span}"
            self.app.push_screen(ChangesScreen(old.merged, new.merged, title, new.hash_id.size))

    # What changes begin with.

    @property
    def ref_in_question(self) -> RefRecord | None:
        """The ref under the cursor, if that is in the list of refs."""
        row = self._refs.current if self._detail_of is self._refs else None
        return row.record if row is not None else None
