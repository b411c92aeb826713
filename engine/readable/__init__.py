"""A stack that opens whatever is wrong with it, with doubt marked where it is.

May import `salvage` and `stack`.

    table         a table of which everything readable is read
    stack         the same for a stack: `open_readable`
"""

from engine.readable.stack import ReadableStack, damage_met, in_doubt, open_readable
from engine.readable.table import OpenError, ReadableTable

__all__ = ["OpenError", "ReadableStack", "ReadableTable", "damage_met", "in_doubt", "open_readable"]
