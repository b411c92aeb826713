"""The files that lie beside the tables of a stack, and are not named by its list: most stacks have none.

What they are, `unlisted.py` judges.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from engine.errors import FormatError
from engine.format import TABLES_LIST, parse_table_list
from engine.progress import ProgressCallback
from engine.stack.directory import read_list_bytes

if TYPE_CHECKING:
    from engine.stack.unlisted import UnlistedFile, Verdicts

MOST_FILES: Final = 10_000
"""Files that are looked at; of a directory with more, any so many."""


def unlisted_files(
    directory: str | os.PathLike[str],
    now: float,
    listed: Collection[str] | None = None,
    *,
    held: Collection[str] = (),
    most_bytes: int | None = None,
    verdicts: Verdicts | None = None,
    progress: ProgressCallback | None = None,
) -> list[UnlistedFile]:
    """What lies in `directory` beside the tables `listed`, by name; at most MOST_FILES files.

    Tables that the list names by now count as listed, too. Without `listed`, tables are left out. `now` is in
    seconds since 1970. `held` are locks of the caller, which do not count. Tables of more than `most_bytes`
    are not compared with the listed ones. Raises `OSError` when the directory cannot be read, and what
    `progress` raises.

     1. Read the directory, then the list: a table on its way into the stack is listed by now, or a lock is
        there, and one on its way out of it is not listed any more.
     2. Judge tables, which may take long.
     3. Look at locks and at the processes that have files open: one that came meanwhile is at work, too.
    """
    path = os.path.realpath(directory)
    with os.scandir(path) as entries:
        names = [entry.name for entry in islice(entries, MOST_FILES + len(listed or ()))]
    known = dict.fromkeys(listed or ())
    with suppress(FormatError, OSError):
        known |= dict.fromkeys(parse_table_list(read_list_bytes(path) or b"").names)
    beside = set(names).difference(known, held, {TABLES_LIST})
    if not beside:
        return []
    from engine.stack.unlisted import judged_files

    return judged_files(
        path,
        beside,
        known,
        now,
        with_tables=listed is not None,
        held=held,
        most_bytes=most_bytes,
        verdicts=verdicts,
        progress=progress,
    )
