"""How much of the exhaustive loops runs: the same small part each time, or all of it if asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

ALL = os.environ.get("REFTABLE_TESTS") == "all"
"""Whether everything is run, as in CI."""

WITH_GIT = os.environ.get("REFTABLE_TESTS") == "git"
"""Whether nothing is run but what works together with a real git."""

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
"""Whether even more is wanted, such as each bit of a byte: for a run of hours."""

SHARES = range(4 if ALL else 1)
"""Parts of a loop that is long when it is whole, which several processes can share."""

T = TypeVar("T")


def thinned(cases: Iterable[T], part: int) -> list[T]:
    """Return every `part`-th of these cases, the first one among them; all if everything is run."""
    return list(cases)[:: 1 if ALL else part]
