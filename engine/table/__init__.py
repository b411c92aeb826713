"""One immutable table file, read and written.

Owns lookups, scans and seeks within a table, and writing one byte for byte as git does. May import `format`.

    file          a file with one owner of its descriptor
    blocks        blocks that lookups come back to, kept within a bound
    options       how a table is laid out
    sections      the blocks of a file, by offset, by scan and by key
    reader        opening, point lookups, scans, refs by object id
    writer        sections, indexes, the object index, the footer
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.table.file import RegularFile as RegularFile
    from engine.table.options import WriteOptions as WriteOptions
    from engine.table.reader import Table as Table
    from engine.table.sections import TableBlocks as TableBlocks
    from engine.table.writer import (
        TableStats as TableStats,
        TableWriter as TableWriter,
    )
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "file": "RegularFile",
            "options": "WriteOptions",
            "reader": "Table",
            "sections": "TableBlocks",
            "writer": "TableStats TableWriter",
        },
    )
