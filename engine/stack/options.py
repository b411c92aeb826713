"""What a stack is opened with: how its tables are written, and how it is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from engine import merge
from engine.errors import ApiError
from engine.merge import DEFAULT_FACTOR, check_factor
from engine.table import WriteOptions

Policy = Literal["log2", "geometric"]
POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)

DEFAULT_LOCK_TIMEOUT_MS: Final = 100


def _random_suffix() -> int:
    """No two tables ever share one."""
    return int.from_bytes(os.urandom(4))


@dataclass(slots=True, frozen=True)
class StackOptions(WriteOptions):
    """Options of a stack, on top of those of the tables that it writes.

    `hash_id` None takes the hash function of the tables (SHA-1 for an empty stack); with a value, tables of
    another one are refused. `skip_name_check` lets in any ref name. `default_permissions` is the mode of new
    files (like 0o660); None keeps that of `tables.list`, and leaves a first one to the umask. `auto_compact`
    runs the `policy` ("log2", or "geometric" with `factor` 1..255, git's since 2.45) after each addition.
    `lock_timeout_ms` is how long to wait for the lock on `tables.list`: 0 not at all, negative for ever.
    `suffix` makes table names unique; a fixed sequence makes a stack reproducible.
    """

    skip_name_check: bool = False
    default_permissions: int | None = None
    auto_compact: bool = True
    policy: Policy = "log2"
    factor: int = DEFAULT_FACTOR
    lock_timeout_ms: int = DEFAULT_LOCK_TIMEOUT_MS
    suffix: Callable[[], int] = _random_suffix

    def __post_init__(self) -> None:
        # Zero-argument super() does not survive the class that slots=True makes anew.
        WriteOptions.__post_init__(self)
        if self.policy not in POLICIES:
            raise ApiError(f"unknown compaction policy {self.policy!r}")
        check_factor(self.factor)

    def suggestion(self, sizes: Sequence[int]) -> merge.Segment:
        """The tables that the policy would merge of a stack of these sizes; an empty segment for none."""
        if self.policy == "geometric":
            return merge.suggest_geometric_segment(sizes, self.factor)
        return merge.suggest_compaction_segment(sizes)
