"""The meaning of each byte of a table, as spans: for views that show bytes, for fsck and for salvage.

Owns what a run of bytes is called and how it reads, also where it is damaged. May import `format`.

    span          a run of bytes with a name
    block         the inside of a block: records and their fields, restart points
    section       the blocks of a section and its index
    file          header, sections, footer
"""

from engine.layout.block import Record, Records, Restarts
from engine.layout.file import Fields, TableLayout
from engine.layout.section import BlockSpan, Section
from engine.layout.span import Group, Span, SpanKind

__all__ = [
    "BlockSpan",
    "Fields",
    "Group",
    "Record",
    "Records",
    "Restarts",
    "Section",
    "Span",
    "SpanKind",
    "TableLayout",
]
