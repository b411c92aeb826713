"""The two lines at the top: which stack this is and how it is watched, and what of it the lists show.

What does not fit is left out in whole parts: of the facts about the stack those that matter least, of the
way to what is shown its beginning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget

from inspector.model import StackView
from inspector.rows import RowSource
from inspector.text import counted, file_size, safe_name
from inspector.tui.cells import shorten_middle

_BETWEEN: Final = " > "

NEW_SECONDS: Final = 5.0

_LEAST_NEWS: Final = 24
"""Columns below which news is left out."""


def _so_far(rows: RowSource[object], noun: str) -> str:
    """`12,431 refs`; `8,192+ refs` as long as there may be more, `… refs` before the first is read."""
    if not rows.count and not rows.complete:
        return f"… {noun}s"
    number, words = counted(rows.count, noun).split(" ", 1)
    return f"{number}{'' if rows.complete else '+'} {words}"


class Fact(NamedTuple):
    """A part of the line; where not all fit, those of least `priority` are left out."""

    text: str
    priority: int
    style: str = ""


class StatusLine(Widget):
    """One line of facts about a stack, and about the way it is watched; its label is shortened last."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    StatusLine { height: 1; padding: 0 1; background: $panel; color: $foreground; }
    """

    facts: reactive[tuple[Fact, ...]] = reactive(())
    watching: reactive[bool | None] = reactive(None)
    """Whether changes are noticed as they come (True) or the user has paused that; None says nothing."""
    read_only: reactive[bool] = reactive(False)
    findings: reactive[tuple[int, int]] = reactive((0, 0))
    """Errors and warnings that are known."""
    broken: reactive[str] = reactive("")
    """Why the stack cannot be opened as one, in a few words; empty for one that can."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self._label = safe_name(label)

    def show(self, view: StackView) -> None:
        """Say what is known of `view` by now."""
        self.facts = (
            Fact(_so_far(view.refs, "ref"), 8),
            Fact(_so_far(view.logs, "log"), 6),
            Fact(counted(len(view.tables), "table"), 5),
            Fact(file_size(view.size), 4),
            Fact(str(view.hash_id), 2),
        )

    def render(self) -> Content:
        """The label, then as many facts as there is room for."""
        facts = list(self.facts)
        if self.watching is not None:
            facts.append(Fact("watching", 1) if self.watching else Fact("paused", 7, "$text-warning"))
        if self.read_only:
            facts.append(Fact("read-only", 7))
        if self.broken:
            facts.append(Fact(f"X does not open: {self.broken}", 10, "bold $text-error"))
        errors, warnings = self.findings
        if errors:
            facts.append(Fact(f"X {counted(errors, 'error')}", 9, "bold $text-error"))
        if warnings:
            facts.append(Fact(f"! {counted(warnings, 'warning')}", 9, "bold $text-warning"))
        room = self.size.width - min(cell_len(self._label), max(10, self.size.width // 4))
        while facts and sum(3 + cell_len(fact.text) for fact in facts) > room:
            least = min(fact.priority for fact in facts)
            facts.remove([fact for fact in facts if fact.priority == least][-1])
        taken = sum(3 + cell_len(fact.text) for fact in facts)
        label = shorten_middle(self._label, max(10, self.size.width - taken))
        parts = [(label, "bold")]
        for fact in facts:
            parts += [(" · ", "$foreground-muted"), (fact.text, fact.style)]
        return Content.assemble(*parts)


class Breadcrumbs(Widget):
    """One line of parts, the last of which is where one is; beside them, what became of the stack last."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Breadcrumbs {
        height: 1;
        padding: 0 1;
        color: $foreground-muted;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    parts: reactive[tuple[str, ...]] = reactive(())
    """The texts, which are fit for a terminal."""
    _news: reactive[tuple[str, str, str]] = reactive(("", "", ""))
    _is_new: reactive[bool] = reactive(False)

    def __init__(self) -> None:
        super().__init__()
        self._grows_old: Timer | None = None

    @dataclass
    class Chosen(Message):
        """The part of this number was clicked: the user wants to go back there."""

        number: int

    class NewsChosen(Message):
        """What became of the stack was clicked: the user wants to know more."""

    def tell(self, when: str, news: str, key: str) -> None:
        """Show when and what became of the stack last, in place of what did before, and the key to tell more.

        It stays, but stands out for NEW_SECONDS only.
        """
        if self._grows_old is not None:
            self._grows_old.stop()
        self._news, self._is_new = (f"{when}  ", news, f" ({key})" if key else ""), True
        self._grows_old = self.set_timer(NEW_SECONDS, self._grow_old)

    def _grow_old(self) -> None:
        self._is_new = False

    def _told(self) -> tuple[int, str]:
        """Where the news begins, and as much of it as there is room for; nothing where that says nothing."""
        when, news, key = self._news
        way = cell_len(_BETWEEN.join(text for _, text in self._shown()))
        room = self.size.width - way - 3
        if not news or room < _LEAST_NEWS:
            return 0, ""
        text = when + shorten_middle(news, room - cell_len(when + key)) + key
        return self.size.width - cell_len(text), text

    def _shown(self) -> list[tuple[int, str]]:
        """Number and text of the parts that there is room for, behind an ellipsis if some are left out."""
        parts = list(enumerate(self.parts))
        shown = parts
        while len(parts) > 1 and cell_len(_BETWEEN.join(text for _, text in shown)) > self.size.width:
            parts = parts[1:]
            shown = [(-1, "…"), *parts]
        return shown

    def render(self) -> Content:
        """As many parts as there is room for."""
        pieces: list[tuple[str, str]] = []
        for number, text in self._shown():
            pieces += [(_BETWEEN, ""), (text, "bold $foreground" if number == len(self.parts) - 1 else "")]
        at, news = self._told()
        if news:
            taken = sum(cell_len(text) for text, _ in pieces[1:])
            pieces += [(" " * (at - taken), ""), (news, "bold $text-accent" if self._is_new else "")]
        return Content.assemble(*pieces[1:])

    def on_click(self, event: events.Click) -> None:
        """Say which part it was."""
        if (offset := event.get_content_offset(self)) is None:
            return
        at = 0
        for number, text in self._shown():
            if number >= 0 and at <= offset.x < at + cell_len(text):
                self.post_message(self.Chosen(number))
            at += cell_len(text + _BETWEEN)
        begin, news = self._told()
        if news and offset.x >= begin:
            self.post_message(self.NewsChosen())
