"""A stack that opens whatever is wrong with it, with doubt marked where it is.

May import `salvage` and `stack`.

    table         a table of which everything readable is read
    stack         the same for a stack: `open_readable`, `open_best`
"""

from engine.readable.stack import (
    ReadableStack,
    damage_met,
    in_doubt,
    open_best,
    open_readable,
    readable_tables,
)
from engine.readable.table import Fault, Losses, ReadableTable

__all__ = [
    "Fault",
    "Losses",
    "ReadableStack",
    "ReadableTable",
    "damage_met",
    "in_doubt",
    "open_best",
    "open_readable",
    "readable_tables",
]
