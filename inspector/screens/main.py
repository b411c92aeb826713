"""The main screen: the tables of the stack on the left, refs and reflogs of its merged view on the right.

The screen holds no data. It gives the lists the rows of the session's view, has the session work
in a thread as long as something is wanted, and passes on what the session says is new.
"""

from __future__ import annotations

from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Static, TabbedContent, TabPane, Tabs
from textual.worker import Worker, WorkerState, get_current_worker

from inspector.rows import LogRow, RefRow
from inspector.session import News, Reloaded, RowsRead, Session, VersionsRead
from inspector.widgets.detail import Detail
from inspector.widgets.facts import error_text
from inspector.widgets.record_columns import log_columns, ref_columns
from inspector.widgets.stack_list import StackList, StackRow
from inspector.widgets.status_line import StatusLine
from inspector.widgets.virtual_list import ListPane, VirtualList

__all__ = ["MainScreen"]

# The least columns and lines for which the style sheet has a layout, and the layout's name.
_WIDTHS: Final = [(0, "-narrow"), (100, "-wide")]
_HEIGHTS: Final = [(0, "-tiny"), (16, "-short"), (30, "-tall")]


class MainScreen(Screen[None]):
    """Stack, refs, reflogs, and the detail of what is selected."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Next pane"),
        Binding("shift+tab", "app.focus_previous", "Previous pane", show=False),
        Binding("right_square_bracket", "tab(1)", "Refs/logs", key_display="[ ]"),
        Binding("left_square_bracket", "tab(-1)", "Previous tab", show=False),
        Binding("R", "reload", "Reload", key_display="R"),
        Binding("q", "app.quit", "Quit"),
    ]

    class SessionNews(Message):
        """What the session's work brought, from the worker thread to the screen."""

        def __init__(self, news: News) -> None:
            super().__init__()
            self.news = news

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._worker: Worker[None] | None = None
        self._reload_error: Exception | None = None
        self._stack = StackList(id="tables")
        self._refs: VirtualList[RefRow] = VirtualList((), empty="no refs", id="refs")
        self._logs: VirtualList[LogRow] = VirtualList((), empty="no reflog entries", id="logs")
        self._detail_of: VirtualList[StackRow] | VirtualList[RefRow] | VirtualList[LogRow] = self._refs

    def compose(self) -> ComposeResult:
        """Status on top; stack and records beside each other; keys at the bottom."""
        yield StatusLine(self._session.label, id="status")
        yield Static(id="trouble", markup=False)
        with Horizontal(id="panes"):
            with Vertical(id="stack-pane", classes="pane"):
                yield ListPane(self._stack)
            with Vertical(id="records-pane", classes="pane"):
                with TabbedContent(id="records"):
                    with TabPane("Refs", id="refs-tab"):
                        yield ListPane(self._refs)
                    with TabPane("Logs", id="logs-tab"):
                        yield ListPane(self._logs)
                yield Detail(id="detail")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Show what is at hand, and have the rest read."""
        # Textual sets these classes too, but has drawn a first frame without them by then.
        width, height = self.app.size
        for extent, breakpoints in ((width, _WIDTHS), (height, _HEIGHTS)):
            self.add_class([name for least, name in breakpoints if extent >= least][-1])
        self.query_one("#stack-pane").border_title = "Stack, oldest first"
        self.query_one("#records-pane").border_title = "Merged view"
        # Brackets and the mouse switch tabs; as a stop between the panes they would be in the way.
        self.query_one(Tabs).can_focus = False
        self._show_view()
        self._refs.focus()
        self._work()

    @property
    def idle(self) -> bool:
        """Whether nothing that the screen asked of the session is still to come."""
        return not self._session.wanting and (self._worker is None or self._worker.is_finished)

    def _show_view(self) -> None:
        view = self._session.view
        self._stack.show_tables(view.tables)
        self._refs.show(view.refs, ref_columns(view.tables))
        self._logs.show(view.logs, log_columns(view.tables))
        self._rows_changed()

    def _rows_changed(self) -> None:
        view = self._session.view
        self._refs.source_changed()
        self._logs.source_changed()
        self.query_one(StatusLine).show(view)
        error = self._reload_error or view.refs.error or view.logs.error
        trouble = self.query_one("#trouble", Static)
        trouble.display = error is not None
        if error is not None:
            trouble.update(f"! {error_text(error)}")

    # The session's work. It ends when nothing is wanted, and is begun again when something is.

    def _work(self) -> None:
        if self._worker is None or self._worker.is_finished:
            self._worker = self.run_worker(self._drive_session, thread=True, group="session")

    def _drive_session(self) -> None:
        worker = get_current_worker()
        for news in self._session.work():
            if worker.is_cancelled:
                return
            if news is not None:
                self.post_message(self.SessionNews(news))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """What was wanted while the worker was about to end is not forgotten."""
        if event.state is WorkerState.SUCCESS and self._session.wanting:
            self._work()

    @on(VirtualList.RowsWanted)
    def _read_wanted_rows(self) -> None:
        self._work()

    @on(SessionNews)
    def _take_news(self, event: SessionNews) -> None:
        match event.news:
            case RowsRead():
                self._rows_changed()
            case VersionsRead() as read:
                row = self._refs.current
                if self._detail_of is self._refs and row is not None and row.record.name == read.name:
                    self.query_one(Detail).show_ref(row, read.trace)
            case Reloaded(changed=changed, error=error):
                self._reload_error = error
                if changed:
                    self._show_view()
                else:
                    self._rows_changed()
                if error is None:
                    self.notify("The stack has changed." if changed else "Nothing has changed.", markup=False)

    # Selection and detail.

    @on(VirtualList.Highlighted)
    def _row_highlighted(self, event: VirtualList.Highlighted) -> None:
        if event.rows is self._detail_of:
            self._show_detail()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """The detail is that of the list which has the keys."""
        if event.widget in (self._stack, self._refs, self._logs) and event.widget is not self._detail_of:
            self._detail_of = event.widget
            self._show_detail()

    def _show_detail(self) -> None:
        detail = self.query_one(Detail)
        match self._detail_of.current:
            case RefRow() as row:
                detail.show_ref(row)
                self._session.want_versions(row.record.name)
                self._work()
            case LogRow() as row:
                detail.show_log(row)
            case StackRow() as row:
                detail.show_table(row)
            case _:
                detail.show_nothing()

    # Keys.

    def action_tab(self, step: int) -> None:
        """Switch between refs and logs, and go there."""
        tabs = self.query_one(TabbedContent)
        names = [pane.id or "" for pane in self.query(TabPane)]
        tabs.active = names[(names.index(tabs.active) + step) % len(names)]

    @on(TabbedContent.TabActivated)
    def _focus_active_list(self, event: TabbedContent.TabActivated) -> None:
        event.pane.query_one(VirtualList).focus()

    def action_reload(self) -> None:
        """Look at the stack again."""
        self._session.want_reload()
        self._work()
