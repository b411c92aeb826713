"""What the help screen says: the keys that work, what is seen and the concept behind it, a glossary.

What explains a pane stands next to it, as its `HELP`; help begins with that of the focused widget, or of its
nearest ancestor that has one. Keys are read from the bindings that are active, so they are those that work at
this moment. All texts are plain: paragraphs with an empty line between them, each wrapped to the width.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.cells import cell_len
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen

from inspector.tui.key_actions import KeyAction

GENERAL: Final = """
This is one stack of reftables: the files in which git keeps the refs and reflogs of a repository, or of one
of its worktrees. A table is never changed once it is written. Each transaction adds a table on top, and a
compaction now and then writes several of them anew as one. What a ref says is what the newest table that has
a record of it says.

Looking changes nothing: no file is written, locked or removed until you confirm a plan.
"""

# A paragraph for each term, which ends at the first colon.
GLOSSARY: Final = """
addition: A transaction while it is made. It holds tables.list.lock, writes one table or more, and puts
their names at the end of tables.list.

block: The part of a table that is read as a whole. Its first byte says what it holds: r (refs), o (objects),
g (log) or i (index). Log blocks are compressed.

compaction: Several tables next to each other are merged into a new one. Records that are superseded within
the range are dropped; tombstones only when the range begins with the oldest table.

expiry: Leaving out old reflog entries in a compaction, by their time or by their update index.

footer: The end of a table. It has the header again, the places of the sections and indexes, and a checksum.

geometric sequence: git's rule since 2.45. Each table should be at least so many times (the factor, 2 unless
told) as large as the next newer one. Where one is not, both are compacted, with the older ones that the
result would outgrow.

index: A section that has the last key of each block of another section, and where that block is. A large
one has an index of its own, and so on up to the root.

lock: A file named after the one it protects, with .lock at the end. While tables.list.lock exists, no other
process changes the stack. The lock of a process that died stays until it is removed: it is a stale lock.

log2 segments: The rule before. Tables next to each other with the same order of magnitude (the binary
logarithm of the size) are a segment, and a segment of two tables or more may be compacted.

merged view: All tables read as one. Of each key it has the record of the newest table that has one.

orphan: A table file that tables.list does not name, left by a process that died or could not remove it.

peeled value: The object that an annotated tag points at in the end, stored beside the id of the tag itself.

record: One entry of a block. It is a ref, a reflog entry, the places of an object, or an index entry.

restart point: A record whose key is stored whole. The others store only what differs from the key before,
so a search within a block begins at a restart point.

section: All blocks of one kind in a table. Refs come first, then objects, then the log; each may be
followed by its index.

segment: Tables next to each other in the list, such as a rule would compact into one.

stack: A directory with tables, and with tables.list, which names those that count, oldest first.

superseded: Hidden by a record of the same key in a newer table.

symref: A ref that names another ref instead of an object. HEAD usually is one.

table: One file of sorted records with a header and a footer. It is never changed once it is written.

tombstone: A record that says that something was deleted. It has to stay as long as an older table may still
hold what it hides.

update index: The number of a transaction, counted up within the stack. Each table covers a range of them,
and the ranges of a stack follow each other.
"""


def help_text(screen: Screen[Any]) -> str:
    """What explains that which has the focus on `screen`."""
    node: DOMNode = screen.focused or screen
    return next(filter(None, (help_of(type(node)) for node in node.ancestors_with_self)), GENERAL)


def help_of(node: type[DOMNode]) -> str | None:
    """What explains the nodes of this class, if anything does."""
    # Textual's own widgets have a HELP too, in Markdown, about how to use them: not about what they show.
    for kind in node.__mro__:
        if "HELP" in vars(kind):
            text = vars(kind)["HELP"]
            return text if isinstance(text, str) and not kind.__module__.startswith("textual.") else None
    return None


def matching(actions: Sequence[KeyAction], query: str) -> list[KeyAction]:
    """The actions whose words have `query` in them; that of which it is a key comes first."""
    wanted = query.casefold().strip()
    keyed = [action for action in actions if query.strip() in action.keys]
    worded = [action for action in actions if wanted in f"{action.title} {action.hint}".casefold()]
    return keyed + [action for action in worded if action not in keyed]


def key_columns(actions: Sequence[KeyAction], chosen: int, width: int) -> tuple[list[Content], int]:
    """The keys in as many columns as `width` has room for, and the line of the one that is `chosen`.

    Those of the pane come first, then those of everywhere, each group column by column.
    """
    lines: list[Content] = []
    line_of_chosen = 0
    labels = ["  ".join(action.keys) for action in actions]
    label_width = min(16, max(map(cell_len, labels), default=0))
    entries = [f"{label + ' ' * (label_width - cell_len(label))}  " for label in labels]
    widths = [cell_len(entry + action.title) for entry, action in zip(entries, actions, strict=True)]
    widest = max(widths, default=1)
    columns = max(1, width // (widest + 4))
    for heading, of_pane in (("Keys of this pane", True), ("Keys everywhere", False)):
        numbers = [number for number, action in enumerate(actions) if action.of_pane is of_pane]
        if not numbers:
            continue
        lines.append(Content.styled(heading, "bold $text-accent"))
        height = -(-len(numbers) // columns)
        for row in range(height):
            parts: list[Content] = []
            for number in numbers[row::height]:
                if number == chosen:
                    line_of_chosen = len(lines)
                entry = Content.assemble((entries[number], "bold"), actions[number].title)
                mark = "> " if number == chosen else "  "
                parts.append((mark + entry).stylize("reverse" if number == chosen else ""))
                parts.append(Content(" " * (widest - widths[number] + 2)))
            lines.append(Content("").join(parts))
        lines.append(Content())
    return lines, line_of_chosen


def help_words(text: str, query: str) -> Iterator[Content]:
    """The paragraphs of `text` and of the glossary that have `query` in them."""
    wanted = query.casefold().strip()
    for paragraph in paragraphs(text):
        if wanted in paragraph.casefold():
            yield Content(paragraph)
            yield Content()
    found = [paragraph for paragraph in paragraphs(GLOSSARY) if wanted in paragraph.casefold()]
    if found:
        yield Content.styled("Glossary", "bold $text-accent")
    for paragraph in found:
        term, _colon, meaning = paragraph.partition(": ")
        yield Content.assemble((f"{term}: ", "bold"), meaning)


def paragraphs(text: str) -> list[str]:
    """The paragraphs of `text`, each as one line to be wrapped; lines that are indented stay lines."""
    found = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return [re.sub(r"\s*\n(?! )", " ", paragraph) for paragraph in found]
