"""How a table is laid out: what whoever writes one may choose."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import ApiError
from engine.format.header import (
    DEFAULT_BLOCK_SIZE,
    DEFAULT_RESTART_INTERVAL,
    MAX_BLOCK_SIZE,
    MAX_RESTARTS,
    HashId,
)


@dataclass(slots=True, frozen=True)
class WriteOptions:
    """How a table is laid out.

    `block_size` 1..2**24-1 bytes; `restart_interval` 1..65535 records; `unpadded` leaves out
    the padding between blocks; `skip_index_objects` leaves out the object section;
    `exact_log_message` writes messages as they are (otherwise trailing newlines become one, an
    inner one is refused, and only no message at all stays without); `single_root` adds index levels until
    one block is left, as JGit needs it; `hash_id` None means SHA-1.

    Raises `ApiError` for values out of range (git since 2.45 for block sizes).
    """

    block_size: int = DEFAULT_BLOCK_SIZE
    restart_interval: int = DEFAULT_RESTART_INTERVAL
    unpadded: bool = False
    skip_index_objects: bool = False
    exact_log_message: bool = False
    single_root: bool = False
    hash_id: HashId | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.block_size <= MAX_BLOCK_SIZE:
            raise ApiError(f"block size {self.block_size} is not in 1..{MAX_BLOCK_SIZE}")
        if not 1 <= self.restart_interval <= MAX_RESTARTS:
            raise ApiError(f"restart interval {self.restart_interval} is not in 1..{MAX_RESTARTS}")
