"""The line at the top: which stack this is, its hash, tables and size, and how much is in it so far.

What does not fit is left out from the right, in whole parts; the label gives way last, in the middle.
"""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from inspector.rows import LogRows, RefRows
from inspector.session import StackView
from inspector.widgets.facts import file_size, shown

__all__ = ["StatusLine", "counted", "shorten_middle"]


def counted(rows: RefRows | LogRows, noun: str) -> str:
    """`12,431 refs`; `8,192+ refs` as long as there may be more, `… refs` before the first is read."""
    if not rows.count and not rows.complete:
        return f"… {noun}s"
    return f"{rows.count:,}{'' if rows.complete else '+'} {noun}{'' if rows.count == 1 else 's'}"


def shorten_middle(text: str, width: int) -> str:
    """`text` in at most `width` characters, its middle replaced by an ellipsis: both ends of a path tell."""
    if len(text) <= width:
        return text
    tail = max(0, width - 1) * 2 // 3
    return text[: max(0, width - 1 - tail)] + "…" + text[len(text) - tail :]


class StatusLine(Widget):
    """One line of facts about a stack."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    StatusLine { height: 1; padding: 0 1; background: $panel; color: $foreground; }
    """

    facts: reactive[tuple[str, ...]] = reactive(())

    def __init__(self, label: str, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._label = shown(label.encode("utf-8", "surrogateescape"))

    def show(self, view: StackView) -> None:
        """Say what is known of `view` by now."""
        tables = len(view.tables)
        self.facts = (
            counted(view.refs, "ref"),
            counted(view.logs, "log"),
            f"{tables:,} table{'' if tables == 1 else 's'}",
            file_size(view.size),
            str(view.hash_id),
        )

    def render(self) -> Content:
        """The label, then as many facts as there is room for."""
        room = self.size.width
        counts = sum(3 + cell_len(fact) for fact in self.facts[:2])
        label = shorten_middle(self._label, max(10, room - counts))
        parts = [(label, "bold")]
        room -= cell_len(label)
        for fact in self.facts:
            room -= 3 + cell_len(fact)
            if room < 0:
                break
            parts += [(" · ", "$foreground-muted"), (fact, "")]
        return Content.assemble(*parts)
