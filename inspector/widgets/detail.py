"""The detail of what is selected: a ref with all its versions, a reflog entry, or a table.

Made of facts that were read before, in plain `Content`: nothing from a stack is ever parsed as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.errors import ReftableError
from engine.merged import Version
from engine.record import LogRecord, RefRecord
from inspector.rows import LogRow, RefRow
from inspector.widgets.facts import (
    error_text,
    log_time,
    log_zone,
    shown,
    update_range,
    value_text,
)
from inspector.widgets.stack_list import StackRow

__all__ = ["Detail"]

MAX_VERSIONS: Final = 100
"""Versions that are listed; `trace` on the command line prints them all."""


class Detail(VerticalScroll):
    """A text about one thing; it can be given the keys when it is longer than the pane, to scroll it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", "Scroll", key_display="j/k"),
        Binding("up,k", "scroll_up", "Scroll up", show=False),
        Binding("home,g", "scroll_home", "Top", show=False),
        Binding("end,G", "scroll_end", "End", show=False),
    ]

    def allow_focus(self) -> bool:
        """Not a stop on the way from pane to pane while there is nothing to scroll."""
        return super().allow_focus() and self.max_scroll_y > 0

    def compose(self) -> ComposeResult:
        """What it is, in words that wrap; below it one line for each version."""
        yield Static(id="detail-text")
        yield Static(id="detail-versions")

    def _show(self, lines: Sequence[Content], versions: Sequence[Content] = ()) -> None:
        self.query_one("#detail-text", Static).update(Content("\n").join(lines))
        self.query_one("#detail-versions", Static).update(Content("\n").join(versions))
        self.scroll_home(animate=False)

    def show_nothing(self) -> None:
        """Nothing is selected."""
        self._show([])

    def show_table(self, row: StackRow) -> None:
        """A table: its whole name, size, format, range, and where its footer says that sections are."""
        table = row.table
        footer = table.footer
        sections = [
            ("ref index", footer.ref_index_offset),
            ("objects", footer.obj_offset),
            ("object index", footer.obj_index_offset),
            ("logs", footer.log_offset),
            ("log index", footer.log_index_offset),
        ]
        found = [f"{name} {offset:,}" for name, offset in sections if offset]
        self._show(
            [
                _heading(f"#{row.position}  {shown(table.name.encode('utf-8', 'surrogateescape'))}"),
                _field("size", f"{table.size:,} bytes"),
                _field(
                    "format", f"version {table.version}, {table.hash_id}, block size {table.block_size:,}"
                ),
                _field("updates", update_range(table.min_update_index, table.max_update_index)),
                _field("offsets", ", ".join(found) or "none"),
            ]
        )

    def show_ref(
        self,
        row: RefRow,
        versions: Sequence[Version] | None = None,
        error: ReftableError | OSError | None = None,
    ) -> None:
        """A ref; `versions` (newest first) when they have been read, or what kept them from it."""
        record = row.record
        lines = [_heading(shown(record.name)), *_value_lines(record)]
        if error is not None:
            lines.append(_field("versions", error_text(error), "$text-error"))
        elif versions is None:
            lines.append(_field("versions", "…", "$foreground-muted"))
        self._show(lines, _version_lines(versions) if versions else ())

    def show_log(self, row: LogRow) -> None:
        """A reflog entry: what changed, by whom and when, and why."""
        record = row.record
        lines = [
            _heading(f"{shown(record.name)}  update {record.update_index}"),
            _field("table", f"#{row.position}"),
        ]
        if record.is_deletion:
            lines.append(_field("entry", "(deleted)", "$text-warning"))
        else:
            lines += [
                _field("message", shown(record.message.rstrip(b"\n"))),
                _field("old", _whole_id(record.old)),
                _field("new", _whole_id(record.new)),
                _field("who", f"{shown(record.committer)} <{shown(record.email)}>"),
                _field("when", _log_when(record)),
            ]
        self._show(lines)


def _heading(text: str) -> Content:
    return Content.styled(text, "bold")


def _field(name: str, text: str, style: str = "") -> Content:
    return Content.assemble((f"{name:<9}", "$foreground-muted"), (text, style))


def _whole_id(oid: bytes | None) -> str:
    return oid.hex() if oid is not None and any(oid) else "none"


def _log_when(record: LogRecord) -> str:
    return f"{log_time(record)} {log_zone(record.tz)}  ({record.time})"


def _value_lines(record: RefRecord) -> list[Content]:
    if record.target is not None:
        return [_field("symref", "-> " + shown(record.target))]
    if record.value is None:
        return [_field("value", "(deleted)", "$text-warning")]
    lines = [_field("value", record.value.hex())]
    if record.peeled is not None:
        lines.append(_field("peeled", record.peeled.hex()))
    return lines


def _version_lines(versions: Sequence[Version]) -> list[Content]:
    listed = versions[:MAX_VERSIONS]
    places = [
        (f"#{version.position}", str(version.record.update_index), f"{version.offset:,}")
        for version in listed
    ]
    position, index, offset = (max(map(len, column)) for column in zip(*places, strict=True))
    lines = [
        Content.assemble(
            ("wins     ", "bold $text-success") if version.wins else ("shadowed ", "$foreground-muted"),
            f"{place[0]:<{position}}  update {place[1]:>{index}}  block {place[2]:>{offset}}  ",
            (value_text(version.record), "$text-warning" if version.record.is_deletion else ""),
        )
        for version, place in zip(listed, places, strict=True)
    ]
    if len(versions) > len(listed):
        lines.append(_field("", f"and {len(versions) - len(listed):,} older ones"))
    return lines
