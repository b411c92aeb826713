"""The line above a list of records: where a filter or a name is typed, and what is shown of how many.

It takes no room while it is empty. What is typed is posted; what that means is up to the pane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import AwaitMount, Widget
from textual.widgets import Input, Static

from inspector.model import Arrangement, RecordKind, Shape, WholeStack
from inspector.rows import RowPages
from inspector.text import shown
from inspector.tui.keys import bindings

MARKS: Final = ("^", "v")
"""Behind the title of the column that rows are sorted by: the least first, and the most first."""

Which: TypeAlias = Literal["filter", "jump"]
"""One of the prompts above a list."""

MAX_TYPED: Final = 1000
"""Characters of a filter: more than one types, less than one could paste."""


class Prompt(Input):
    """A line to type in; `enter` and `escape` leave it for the widget it `leads_to`."""

    BINDINGS = bindings("prompt")

    @dataclass
    class Left(Message):
        """The user is done typing; not `kept` means that the text is to be as if never typed."""

        prompt: Prompt
        kept: bool

        @property
        def control(self) -> Prompt:
            """Where it was typed."""
            return self.prompt

    def __init__(
        self, leads_to: Widget, *, placeholder: str, classes: str, restrict: str | None = None
    ) -> None:
        super().__init__(
            placeholder=placeholder,
            classes=classes,
            compact=True,
            select_on_focus=False,
            max_length=MAX_TYPED,
            restrict=restrict,
        )
        self.cursor_blink = False
        self.leads_to = leads_to

    def action_leave(self, kept: bool) -> None:
        """Give that widget the keys, and post `Left` once what was typed before has arrived here."""
        self.screen.set_focus(self.leads_to)
        self.post_message(self.Left(self, kept))


class RecordBar(Vertical):
    """Two prompts of which at most one is seen, the state of the list, and below what is wrong.

    They are made, and the bar is put above the list, when there is something to show: most lists are looked
    at and left as they are.
    """

    DEFAULT_CSS = """
    RecordBar {
        height: auto;
        & > Horizontal { height: 1; }
        & .label { width: auto; padding: 0 1; color: $text-accent; text-style: bold; }
        & Prompt { width: 1fr; min-width: 12; background: $surface; }
        & Prompt:focus { background: $surface-lighten-1; }
        & .state { width: auto; max-width: 70%; padding: 0 1; color: $foreground-muted;
                   text-wrap: nowrap; text-overflow: ellipsis; }
        & .wrong { height: auto; max-height: 2; padding: 0 1; color: $text-error; }
    }
    """

    def __init__(self, pane: Widget, rows: Widget) -> None:
        """`pane` is what it is put into, `rows` the list that has the keys after a prompt."""
        super().__init__()
        self.display = False
        self._pane = pane
        self._rows = rows
        self._said = "", ""
        self._parts: _Parts | None = None
        self._mounting: AwaitMount | None = None

    @property
    def is_made(self) -> bool:
        """Whether there was something to show."""
        return self._parts is not None

    def compose(self) -> ComposeResult:
        """What is shown."""
        yield from self._made().lines

    def _made(self) -> _Parts:
        if self._parts is None:
            self._parts = _Parts(self._rows)
            if self._pane.children:  # else it comes with them
                self._mounting = self._pane.mount(self, before=0)
        return self._parts

    @property
    def typed(self) -> str:
        """The filter as it is typed."""
        return self._parts.prompts["filter"].value if self._parts is not None else ""

    @typed.setter
    def typed(self, typed: str) -> None:
        if typed != self.typed:
            self._made().prompts["filter"].value = typed

    def show_prompt(self, shown: Which | None) -> None:
        """Show this prompt and no other."""
        if shown is None and self._parts is None:
            return
        parts = self._made()
        for which, prompt in parts.prompts.items():
            prompt.display = which == shown
        parts.label.update("jump to" if shown == "jump" else "filter")
        parts.label.display = shown is not None
        self._fit(parts)

    async def ask(self, which: Which) -> None:
        """Show this prompt, and give it the keys; a jump is asked for anew."""
        self.show_prompt(which)
        prompt = self._made().prompts[which]
        if self._mounting is not None and not prompt.is_mounted:
            await self._mounting
        if which == "jump":
            prompt.value = ""
        self.screen.set_focus(prompt)

    def say(self, state: str, wrong: str) -> None:
        """What the list shows, and what is wrong; nothing is said by an empty text."""
        if (state, wrong) == self._said:
            return
        self._said = (state, wrong)
        parts = self._made()
        parts.state.update(Content(state))
        parts.state.display = bool(state)
        parts.wrong.update(Content(f"! {wrong}"))
        parts.wrong.display = bool(wrong)
        self._fit(parts)

    def _fit(self, parts: _Parts) -> None:
        self.display = parts.label.display or parts.state.display or parts.wrong.display


class _Parts:
    """What a bar is made of; nothing of it is shown yet."""

    def __init__(self, rows: Widget) -> None:
        self.prompts: dict[Which, Prompt] = {
            "filter": Prompt(
                rows,
                placeholder="text or id   ~letters in order   re:expression   ! the others",
                classes="filter",
            ),
            "jump": Prompt(rows, placeholder="beginning of a name", classes="jump"),
        }
        self.label = Static("", classes="label", markup=False)
        self.state = Static("", classes="state", markup=False)
        self.wrong = Static("", classes="wrong", markup=False)
        for part in (*self.prompts.values(), self.label, self.state, self.wrong):
            part.display = False
        self.lines = Horizontal(self.label, *self.prompts.values(), self.state), self.wrong


def state_text(
    kind: RecordKind[Any], now: Arrangement[Any] | None, drawn: Arrangement[Any] | None, *, seeking: bool
) -> str:
    """The state of an arrangement, `drawn` or on its way to it; empty when all is as it was at first.

    `seeking` means that the cursor is to go where rows are not counted yet.
    """
    if now is None:
        return ""
    shape = now.shape
    parts: list[str] = []
    if shape.row_filter is not None:
        parts.append(f"{count_text(now.base)} of {count_text(now.natural)}")
    elif shape.shows_deletions or not isinstance(shape.scope, WholeStack):
        parts.append(f"{count_text(now.natural)} {kind.noun}")
    if shape.order or shape.backwards:
        parts.append(f"sort: {kind.orders[shape.order].name} {MARKS[shape.backwards]}")
    if shape.shows_deletions:
        parts.append("tombstones")
    activity = _activity(now)
    if activity:
        parts.append(activity)
    elif seeking or (now is not drawn and parts):  # the line must not come and go for a change alone
        parts.append("counting up to here")
    return " · ".join(parts)


def nothing_text(kind: RecordKind[Any], now: Arrangement[Any] | None) -> str:
    """What a list without rows says: what was searched for, in what, and where."""
    shape = now.shape if now is not None else Shape()
    where = "" if now is None or isinstance(shape.scope, WholeStack) else f" in {shape.scope.label(now.view)}"
    wanted = shape.row_filter
    if wanted is None:
        return f"no {kind.noun}{where}"
    how = "has these letters in this order:" if wanted.is_fuzzy else "matches" if wanted.is_regex else "holds"
    texts = kind.texts[not wanted.is_plain]
    which = "but those whose" if wanted.inverted else "whose"
    text = f"no {kind.noun}{where} {which} {texts} {how} {shown(wanted.pattern)}"
    if not wanted.digits:
        return text
    return (
        f"{text}, or whose {kind.ids} begins so"
        if wanted.inverted
        else f"{text}, and no {kind.ids} begins so"
    )


def count_text(rows: RowPages[Any, Any]) -> str:
    """`12,431`, or `8,192+` as long as there may be more."""
    return f"{rows.count:,}{'' if rows.complete else '+'}"


def _activity(now: Arrangement[Any]) -> str:
    source = now.source
    if source is now.natural or source.complete or source.error is not None:
        return ""
    progress = source.progress
    total = progress.total or (now.natural.count if now.natural.complete else 0)
    share = f"{100 * progress.done // total}%" if total else f"{progress.done:,}"
    return f"stopped at {share}" if source.stopped else f"{progress.phase} {share} (esc stops)"
