"""What may become of a ref, and of log entries, by a repair."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from engine.format import RefRecord


class Outcome(StrEnum):
    """What a repair does to a ref."""

    KEPT = "kept"
    CHANGED = "changed"
    RETURNED = "returned"  # it was not to be seen
    DOUBTFUL = "doubtful"  # kept or restored, but it may have been another one
    RESTORED = "restored"  # its record is lost or damaged, its reflog tells the value
    REVIVED = "revived"  # an older value, since the newer one is lost
    LOST = "lost"


class RefOutcome(NamedTuple):
    """A ref and what becomes of it: its record in what can be read now, and afterwards; None for none.

    `why` is in words, and quotes nothing of the file but object ids.
    """

    name: bytes
    outcome: Outcome
    before: RefRecord | None
    after: RefRecord | None
    why: str

    @property
    def changes(self) -> bool:
        """Whether another value is to be seen afterwards, none any more, or one again."""
        if self.before is None or self.after is None:
            return self.before is not self.after
        return not self.before.has_value_of(self.after)


class LogOutcomes(NamedTuple):
    """Numbers of log entries: in both views, in one alone; `uncertain` ones may be wrong and stay out.

    `may_be_lost` when there may have been others, in what cannot be read: about so many `unknown`, None if
    that cannot be told. `deleted` ones are to be seen now, and deleted by a table that counts afterwards.
    Of those that are kept, `doubtful` ones may have been deleted by what is lost of a newer table.
    """

    kept: int
    lost: int
    returned: int
    uncertain: int
    may_be_lost: bool
    unknown: int | None = 0
    deleted: int = 0
    doubtful: int = 0
