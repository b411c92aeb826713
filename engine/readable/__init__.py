"""A stack that opens whatever is wrong with it, with doubt marked where it is.

May import `salvage` and `stack`.

    table         a table of which everything readable is read
    stack         the same for a stack: `open_readable`
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.readable.stack import (
        ReadableStack as ReadableStack,
        damage_met as damage_met,
        in_doubt as in_doubt,
        open_readable as open_readable,
    )
    from engine.readable.table import (
        OpenError as OpenError,
        ReadableTable as ReadableTable,
        open_table as open_table,
    )
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "stack": "ReadableStack damage_met in_doubt open_readable",
            "table": "OpenError ReadableTable open_table",
        },
    )
