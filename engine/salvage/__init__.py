"""Every record of a damaged table that can still be read, and what may be lost beside it.

May import `layout`, `table` and `merge`.

    scan            the readable stretches of a file, in the order of its bytes
    block_records   the records of one block that can be read
    search          blocks where the layout finds none
    gaps            what may be lost: the one tally, for viewer and repair
    items           records as the bytes they were stored as
    builder         a sound, temporary table of records that may come in disorder
    salvaged        the records of a damaged file, in such a table
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.salvage.builder import Builder as Builder, Contents as Contents
    from engine.salvage.gaps import (
        EVERYWHERE as EVERYWHERE,
        UNKNOWN as UNKNOWN,
        Gap as Gap,
        Losses as Losses,
    )
    from engine.salvage.items import (
        item_key as item_key,
        newest_log as newest_log,
        ref_item as ref_item,
        update_deltas as update_deltas,
        with_delta as with_delta,
    )
    from engine.salvage.salvaged import (
        Salvaged as Salvaged,
        altered_alike as altered_alike,
        assumed_header as assumed_header,
        salvage_table as salvage_table,
        with_logs as with_logs,
        without_refs as without_refs,
    )
    from engine.salvage.scan import salvage as salvage
    from engine.salvage.search import blocks_within as blocks_within, cut_block as cut_block
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "builder": "Builder Contents",
            "gaps": "EVERYWHERE UNKNOWN Gap Losses",
            "items": "item_key newest_log ref_item update_deltas with_delta",
            "salvaged": "Salvaged altered_alike assumed_header salvage_table with_logs without_refs",
            "scan": "salvage",
            "search": "blocks_within cut_block",
        },
    )
