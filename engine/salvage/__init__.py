"""Every record of a damaged table that can still be read, and what may be lost beside it.

May import `layout`, `table` and `merge`.

    scan          the readable stretches of a file, in the order of its bytes
    source        the records of one file, read as a table or salvaged; what may be lost of it
    recovered     what salvage leaves, kept so that it can be searched
"""

from engine.salvage.recovered import Salvaged
from engine.salvage.scan import salvage
from engine.salvage.source import Account, Gap, Reading, Source, examine, header_to_go_by

__all__ = [
    "Account",
    "Gap",
    "Reading",
    "Salvaged",
    "Source",
    "examine",
    "header_to_go_by",
    "salvage",
]
