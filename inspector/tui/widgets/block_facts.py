"""The lines about the selected part of a table: where it lies, its value, what it means."""

from __future__ import annotations

from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from engine.layout import SpanKind
from inspector.rows import Node
from inspector.text import explanation, safe_message, size_text, span_value_text


class BlockFacts(Vertical):
    """One line for the place, two for the words."""

    DEFAULT_CSS = """
    BlockFacts { height: 4; padding: 0 1; border-top: solid $surface-lighten-3; }
    BlockFacts #block-where {
        height: 1;
        color: $foreground-muted;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    def __init__(self) -> None:
        self._where = Static(id="block-where", markup=False)
        self._words = Static(id="block-words", markup=False)
        self._node: Node | None = None
        super().__init__(self._where, self._words)

    def show(self, node: Node | None) -> None:
        """Explain `node`."""
        self._node = node
        self.say("")

    def say(self, note: str) -> None:
        """Put a note before the words, until something else is shown."""
        parts = [Content.styled(f"{note}  ", "bold")] if note else []
        if self._node is not None:
            parts += _words(self._node)
        self._where.update(Content(_where(self._node) if self._node is not None else ""))
        self._words.update(Content("").join(parts))


def _where(node: Node) -> str:
    span = node.span
    sign, what = ("+", " inflated") if span.inflated else ("", "")
    where = f"at {sign}{span.start:,} ({sign}0x{span.start:x}){what}"
    way = [above.title.split("  ")[0] for above in [*node.ancestors(), node]]
    return " · ".join(filter(None, [where, size_text(span), " / ".join(way[1:])]))


def _words(node: Node) -> list[Content]:
    span = node.span
    words = [] if node.run is not None else [Content(explanation(span, node.block))]
    if span.error is not None:
        reason = safe_message(span.error.reason)
        return [Content.styled(f"X damaged: {reason}  ", "$text-error"), *words]
    name = span.kind.value if span.kind is SpanKind.TABLE else span.name
    value = "" if node.expandable else span_value_text(span)
    return [Content.styled(f"{name} {value}".strip() + "  ", "bold"), *words]
