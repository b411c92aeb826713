"""The meaning of each byte of a table, as spans: for views that show bytes, for fsck and for salvage.

Owns what a run of bytes is called and how it reads, also where it is damaged. May import `format`.

    span          a run of bytes with a name
    block         the inside of a block: records and their fields, restart points
    section       the blocks of a section and its index
    file          header, sections, footer
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.layout.block import Record as Record, Records as Records, Restarts as Restarts
    from engine.layout.file import Fields as Fields, TableLayout as TableLayout
    from engine.layout.section import BlockSpan as BlockSpan, Section as Section
    from engine.layout.span import Group as Group, Span as Span, SpanKind as SpanKind
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "block": "Record Records Restarts",
            "file": "Fields TableLayout",
            "section": "BlockSpan Section",
            "span": "Group Span SpanKind",
        },
    )
