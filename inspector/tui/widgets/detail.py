"""The detail of what is selected: a ref with all that is known of it, a reflog entry, a table, another file.

Made of facts that were read before, in plain `Content`: nothing from a stack is ever parsed as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.format import RefRecord
from engine.git import GitObject
from engine.readable import ReadableTable
from engine.stack import UnlistedFile
from inspector.model import ChainEnd, RefTrace
from inspector.rows import LogRow, RefRow
from inspector.text import (
    age_text,
    error_text,
    log_time,
    log_zone,
    log_zone_note,
    loss_text,
    safe_message,
    safe_name,
    shown,
    update_range,
    value_text,
)
from inspector.tui.keys import bindings
from inspector.tui.widgets.stack_rows import StackRow

MAX_VERSIONS: Final = 100
"""Versions that are listed; `trace` on the command line prints them all."""


class ScrolledText(VerticalScroll):
    """A text that can be given the keys, to scroll it, when it is longer than the pane."""

    BINDINGS = bindings("detail")

    def allow_focus(self) -> bool:
        """Not a stop on the way from pane to pane while there is nothing to scroll."""
        return super().allow_focus() and self.max_scroll_y > 0


class Detail(ScrolledText):
    """A text about one thing."""

    HELP = """\
The detail of the selected row.

Of a ref: its value, or where it leads when it is a symref. Below that every version of it in the tables of \
the stack, newest first, each with its table (#0 is the oldest), update index and the offset of its \
block. The newest one wins; the others are superseded, and stay in their tables until a compaction drops \
them. A tombstone, (deleted), wins like any other and so hides the ref. A table that cannot be read is \
named where its version would stand. Last come the newest reflog entries.

In a repository whose git can be asked, the commit that a ref or an entry leads to is there too, with its \
subject, author and date; o shows it by git show in a pager.

Of a reflog entry: its message, who made it and when, and both object ids whole.

j k scroll, g G go to the top and the end.
"""

    def __init__(self) -> None:
        """Above is what it is, in words that wrap; below it one line for each version."""
        self._above, self._below = Static(id="detail-text"), Static(id="detail-versions")
        super().__init__(self._above, self._below, id="detail")

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been shown yet."""
        return not self._above.content

    def show(
        self,
        row: StackRow | UnlistedFile | RefRow | LogRow | None,
        trace: RefTrace | None = None,
        objects: Sequence[GitObject] = (),
        *,
        anew: bool = True,
    ) -> None:
        """All that is known of a row; of a ref its versions and newest reflog entries too, once it is traced.

        `objects` are what it points to: a commit, or a tag and what that points to. Not `anew` is a row that
        is shown already, of which more is known by now: what was scrolled stays where it is.
        """
        below: list[Content] = []
        match row:
            case StackRow():
                lines = _table_lines(row)
            case UnlistedFile():
                lines = _unlisted_lines(row)
            case RefRow(record):
                lines = [*_ref_lines(record, trace), *map(_object_line, objects)]
                below = [*_version_lines(trace), *_entry_lines(trace)] if trace is not None else []
            case LogRow():
                lines = _log_lines(row)
                lines[3:3] = map(_object_line, objects)
            case _:
                lines = []
        for text, content in ((self._above, lines), (self._below, below)):
            self._put(text, Content("\n").join(content))
        if anew:
            self.scroll_home(animate=False)

    @staticmethod
    def _put(text: Static, content: Content) -> None:
        # With another text, all of the screen is laid out and drawn again.
        if not (isinstance(text.content, Content) and content.is_same(text.content)):
            text.update(content)


def _heading(text: str) -> Content:
    return Content.styled(text, "bold")


def _field(name: str, text: str, style: str = "") -> Content:
    return Content.assemble((f"{name:<9}", "$foreground-muted"), (text, style))


def _id_or_none(oid: bytes | None, digits: int | None = None) -> str:
    # In an entry the null id means no ref before, or none after.
    return oid.hex()[:digits] if oid is not None and any(oid) else "none"


def _table_lines(row: StackRow) -> list[Content]:
    """A table: its whole name, size, format, range, where its footer says that sections are, its damage."""
    table, footer = row.table, row.table.footer
    sections = [
        ("ref index", footer.ref_index_offset),
        ("objects", footer.obj_offset),
        ("object index", footer.obj_index_offset),
        ("logs", footer.log_offset),
        ("log index", footer.log_index_offset),
    ]
    found = [f"{name} {offset:,}" for name, offset in sections if offset]
    lines = [
        _heading(f"#{row.position}  {safe_name(table.name)}"),
        _field("size", f"{table.size:,} bytes"),
        _field("format", f"version {table.version}, {table.hash_id}, block size {table.block_size:,}"),
        _field("updates", update_range(table.min_update_index, table.max_update_index)),
        _field("offsets", ", ".join(found) or "none"),
    ]
    if isinstance(table, ReadableTable):
        if table.fault is not None:
            lines.append(_field("X", error_text(table.fault), "$text-error"))
        if (losses := table.losses) is not None:
            lines.append(_field("readable", loss_text(losses), "$text-warning"))
    return lines


def _unlisted_lines(file: UnlistedFile) -> list[Content]:
    """A file that is not in the list: what it is, why it is there, if it is open, what clean does."""
    return [
        _heading(safe_name(file.name)),
        _field("kind", f"{file.kind}, not in tables.list"),
        _field("size", f"{file.size:,} bytes, {age_text(file.age)} old"),
        _field("why", safe_message(file.reason)),
        _field("open", safe_name(file.holding)),
        _field("clean", "removes it" if file.is_removable else "leaves it alone"),
    ]


def _log_lines(row: LogRow) -> list[Content]:
    """A reflog entry: what changed, by whom and when, and why."""
    record = row.record
    heading = _heading(f"{shown(record.name)}  update {record.update_index}  table #{row.position}")
    if record.is_deletion:
        return [heading, _field("entry", "(deleted)", "$text-warning")]
    if record.is_marker:
        return [heading, _field("entry", "(marker: the reflog has no entries)", "$text-warning")]
    return [
        heading,
        _field("message", shown(record.message.rstrip(b"\n"))),
        _field("change", f"{_id_or_none(record.old, 12)} -> {_id_or_none(record.new, 12)}"),
        _field("who", f"{shown(record.committer)} <{shown(record.email)}>"),
        _field(
            "when", f"{log_time(record)} {log_zone(record.tz)}{log_zone_note(record.tz)}  ({record.time})"
        ),
        _field("old", _id_or_none(record.old)),
        _field("new", _id_or_none(record.new)),
    ]


def _ref_lines(record: RefRecord, trace: RefTrace | None) -> list[Content]:
    """A ref: its value, or where it leads."""
    lines = [_heading(shown(record.name))]
    if record.target is not None and (trace is None or trace.chain[0].record != record):
        lines.append(_field("symref", "-> " + shown(record.target)))  # traced at another moment
    elif record.target is not None and trace is not None:
        lines.append(_chain_line(trace))
    elif record.value is None:
        lines.append(_field("value", "(deleted)", "$text-warning"))
    else:
        lines.append(_field("value", record.value.hex()))
        if record.peeled is not None:
            lines.append(_field("peeled", record.peeled.hex()))
    if trace is None:
        lines.append(_field("versions", "…", "$foreground-muted"))
    elif trace.in_doubt:
        doubt = "a table that cannot be read may hold a newer version"
        lines.append(_field("in doubt", doubt, "$text-warning"))
    return lines


def _object_line(known: GitObject) -> Content:
    """An object of the repository: a commit's subject, author and time; of a tag its name too."""
    if known.type is None:
        return _field("object", "not in this repository", "$foreground-muted")
    if known.type in ("tree", "blob"):
        return _field(known.type, f"{known.size:,} bytes")
    words = [shown(known.subject) or "(no message)"]
    if known.tag:
        words.insert(0, f"{shown(known.tag)}:")
    by = f"  {shown(known.name)}, {log_time(known)} {log_zone(known.tz)}" if known.time else ""
    return Content.assemble(_field(known.type, " ".join(words)), (by, "$foreground-muted"))


def _chain_line(trace: RefTrace) -> Content:
    path = " ".join(f"-> {shown(link.name)}" for link in trace.chain[1:])
    last = trace.chain[-1].record
    if last is not None and last.value is not None:
        path = f"{path} -> {last.value.hex()}"
        if trace.chain_end == "id":
            return _field("symref", path)
    reasons: dict[ChainEnd, str] = {
        "missing": "dangling: this stack has no such ref",
        "unborn": "unborn: the branch has no commit yet",
        "shared": "in the stack that all worktrees share",
        "loop": "a loop",
        "deep": "more symrefs in a row than git follows",
        "unreadable": "cannot be read" if trace.chain_error is None else error_text(trace.chain_error),
    }
    style = "$foreground-muted" if trace.chain_end in ("unborn", "shared") else "$text-warning"
    return Content.assemble(_field("symref", path + "  "), (f"({reasons.get(trace.chain_end, '')})", style))


def _version_lines(trace: RefTrace) -> list[Content]:
    """A line for each version and each table that could not be read, newest first."""
    listed = trace.versions[:MAX_VERSIONS]
    position_width = max((len(str(version.position)) for version in listed), default=0)
    index_width = max((len(str(version.record.update_index)) for version in listed), default=0)
    offset_width = max((len(f"{version.offset:,}") for version in listed), default=0)
    winner = trace.winner
    lines: list[tuple[int, Content]] = []
    for version in listed:
        record = version.record
        if version.wins:
            verdict = _label("wins", "bold $text-success")
        else:
            is_newer = winner is None or version.position > winner.position
            verdict = _label("newer" if is_newer else "superseded")
        line = Content.assemble(
            verdict,
            f"#{version.position:<{position_width}}  update {record.update_index:>{index_width}}  "
            f"block {version.offset:>{offset_width},}  ",
            (value_text(record), "$text-warning" if record.is_deletion else ""),
        )
        lines.append((version.position, line))
    for unread in trace.unread[:MAX_VERSIONS]:
        text = f"#{unread.position:<{position_width}}  {error_text(unread.error)}"
        lines.append((unread.position, Content.assemble(_label("unread"), (text, "$text-error"))))
    lines.sort(key=itemgetter(0), reverse=True)
    left_out = len(trace.versions) + len(trace.unread) - len(lines)
    more = [Content.assemble(_label(""), f"and {left_out:,} older ones")] if left_out else []
    return [*(line for _, line in lines), *more]


def _entry_lines(trace: RefTrace) -> list[Content]:
    """A line for each reflog entry that was read."""
    lines: list[Content] = []
    for entry in trace.logs:
        record = entry.record
        line = Content.assemble(
            _label("" if lines else "log"),
            f"{log_time(record)}  {_id_or_none(record.old, 7):>7} -> {_id_or_none(record.new, 7):<7}  ",
            shown(record.message.rstrip(b"\n")),
            (f"  {shown(record.committer)}", "$foreground-muted"),
        )
        lines.append(line)
    if trace.logs_error is not None:
        lines.append(Content.assemble(_label("log"), (error_text(trace.logs_error), "$text-error")))
    elif trace.more_logs:
        lines.append(
            Content.assemble(_label("" if lines else "log"), ("and older ones", "$foreground-muted"))
        )
    return lines


def _label(word: str, style: str = "$foreground-muted") -> tuple[str, str]:
    """What a version or reflog entry begins with."""
    return f"{word:<11}", style
