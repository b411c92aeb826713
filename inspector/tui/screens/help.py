"""Help for what is on screen: what is seen and the concept behind it, the keys that work, a glossary.

The text is the `HELP` of the focused widget or of its nearest ancestor that has one; the keys are read from
the bindings that are active, so they are those that work at this moment. Nothing here is
parsed: texts are wrapped, and that is all.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from inspector.tui.help_texts import GENERAL, GLOSSARY
from inspector.tui.key_actions import KeyAction, key_actions


@dataclass(frozen=True, slots=True)
class HelpSubject:
    """What help is asked for: a text about it, and what its keys do."""

    text: str
    actions: Sequence[KeyAction]


def subject_of(screen: Screen[Any]) -> HelpSubject:
    """What has the focus on `screen`, as it is now."""
    node: DOMNode = screen.focused or screen
    texts = (_own_help(ancestor) for ancestor in node.ancestors_with_self)
    return HelpSubject(next(filter(None, texts), GENERAL), tuple(key_actions(screen)))


def _own_help(node: DOMNode) -> str | None:
    # Textual's own widgets have a HELP too, in Markdown, about how to use them: not about what they show.
    for kind in type(node).__mro__:
        if "HELP" in vars(kind):
            text = vars(kind)["HELP"]
            return text if isinstance(text, str) and not kind.__module__.startswith("textual.") else None
    return None


class HelpScreen(ModalScreen[None]):
    """A text to scroll through, above the screen it is about."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        & > VerticalScroll {
            width: 84;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            padding: 0 1;
            background: $surface;
            border: round $accent;
            border-title-color: $text-accent;
            border-title-style: bold;
            border-subtitle-color: $foreground-muted;
            scrollbar-size-vertical: 1;
        }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "close", "Close"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False),
        Binding("home,g", "home", "Top", show=False),
        Binding("end,G", "end", "End", show=False),
    ]

    def __init__(self, subject: HelpSubject) -> None:
        super().__init__()
        self._subject = subject

    def compose(self) -> ComposeResult:
        """One text in one box."""
        # The keys are the screen's, so that they work wherever the focus is.
        with VerticalScroll(can_focus=False) as box:
            box.border_title = "Help"
            box.border_subtitle = "esc closes, j/k scrolls"
            yield Static(Content("\n").join(_lines(self._subject)))

    @property
    def _box(self) -> VerticalScroll:
        return self.query_one(VerticalScroll)

    def action_close(self) -> None:
        """Go back to what the help is about."""
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        """Scroll by `lines`."""
        self._box.scroll_relative(y=lines, animate=False)

    def action_page(self, pages: float) -> None:
        """Scroll by so many pages."""
        self._box.scroll_relative(y=int(pages * max(1, self._box.size.height - 1)), animate=False)

    def action_home(self) -> None:
        """Scroll to the beginning."""
        self._box.scroll_home(animate=False)

    def action_end(self) -> None:
        """Scroll to the end, which is the glossary."""
        self._box.scroll_end(animate=False)


def _lines(subject: HelpSubject) -> Iterator[Content]:
    for paragraph in paragraphs(subject.text):
        yield Content(paragraph)
        yield Content()
    here = [action for action in subject.actions if action.of_pane]
    everywhere = [action for action in subject.actions if not action.of_pane]
    for heading, actions in (("Keys of this pane", here), ("Keys everywhere", everywhere)):
        if actions:
            yield _heading(heading)
            yield from _key_lines(actions)
            yield Content()
    yield _heading("Glossary")
    for paragraph in paragraphs(GLOSSARY):
        term, _colon, meaning = paragraph.partition(": ")
        yield Content.assemble((f"{term}: ", "bold"), meaning)


def paragraphs(text: str) -> list[str]:
    """The paragraphs of `text`, each as one line to be wrapped; lines that are indented stay lines."""
    found = []
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        lines: list[str] = []
        for line in paragraph.splitlines():
            if lines and not line.startswith(" "):
                lines[-1] += " " + line
            else:
                lines.append(line.rstrip())
        found.append("\n".join(lines))
    return found


def _heading(text: str) -> Content:
    return Content.styled(text, "bold $text-accent")


def _key_lines(actions: Iterable[KeyAction]) -> Iterator[Content]:
    labelled = [("  ".join(action.keys), action) for action in actions]
    width = min(24, max(cell_len(keys) for keys, _ in labelled))
    for keys, action in labelled:
        text = f"{action.title}: {action.hint}" if action.hint else action.title
        yield Content.assemble((keys + " " * (width - cell_len(keys)), "bold"), "  ", text)
