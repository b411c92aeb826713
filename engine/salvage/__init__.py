"""Every record of a damaged table that can still be read, and what may be lost beside it.

May import `layout`, `table` and `merge`.

    scan          the readable stretches of a file, in the order of its bytes
    gaps          what may be lost: the one tally, for viewer and repair
    builder       a sound, temporary table of records that may come in disorder
    salvaged      the records of a damaged file, in such a table
"""

from engine.salvage.gaps import EVERYWHERE, Gap, Losses, LossTally
from engine.salvage.salvaged import Salvaged, assumed_header, salvage_file, salvage_table
from engine.salvage.scan import salvage

__all__ = [
    "EVERYWHERE",
    "Gap",
    "LossTally",
    "Losses",
    "Salvaged",
    "assumed_header",
    "salvage",
    "salvage_file",
    "salvage_table",
]
