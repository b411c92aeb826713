"""What may be lost of a damaged table: the one tally, for viewer and repair.

It is fed what a scan finds, in the order of the file's bytes. Refs come in name order, so what cannot be read
held names between those in front of it and those behind it: a gap. Names of a block that can be read in part
bound no gap, unless all that is missing comes behind them. Nor does one that damage may have reached into.
Logs come behind all refs, and have gaps of their own, between their keys; about how many are lost is told by
what whole blocks have in so many bytes.

A name that no ref can have was altered, or that of a block's last ref where the index has another one: that
ref had one between those beside it. A key in the wrong place was altered, or the file has more than one
order: then any ref may be lost under its own name.

Damage that shows where a ref ends may have begun inside of it: that ref is doubtful, and so is the one before
it where no writer makes such a ref. So is one in the wrong place, with an update index that its table cannot
have, or with a null id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from engine.format import LOG, LOG_KEY_TAIL, REF, VAL1, VAL2, Encoded, RefRecord, is_refname
from engine.salvage.block_records import Readable, Unreadable
from engine.salvage.items import holds_altered, is_altered, item_key, update_deltas

MOST_GAPS: Final = 1000
"""Gaps of one table that are kept; those behind them become one."""


@dataclass(slots=True, frozen=True)
class Gap:
    """Refs may be lost whose names lie between two names; None is the end of the table.

    `about` is how many refs its bytes held, if those beside them are like them; None if that is not known.
    """

    low: bytes
    high: bytes | None
    about: int | None = field(default=None, compare=False)

    def holds(self, name: bytes) -> bool:
        """Whether a ref of this name may be among the lost."""
        return self.low < name and (self.high is None or name < self.high)


EVERYWHERE: Final = (Gap(b"", None),)
"""The gaps of a table of which nothing is known."""


@dataclass(slots=True, frozen=True)
class Losses:
    """What salvaging a table has brought: how much can be read, and what may be lost.

    `refs` and `logs` are the records that can be read, `uncertain_logs` those of the latter that come from
    damaged deflate streams. `left_out` records were read, but are repeated or impossible in a table.
    `stretches` of `size` bytes together cannot be read; `first` is the first of them. Refs may be lost
    between the names of `gaps`, and log entries if `lost_logs`, `about_logs` of them, None if that is not
    known; `log_gaps` lie between their keys. Refs that were read but may hold damaged bytes, or of which an
    uncertain log entry tells another value, are `doubtful`, and `misnamed` if their names may be damaged;
    None for any of them. `renamed` are names that refs had before a byte was altered, and whether each is the
    only one that its ref may have had; `undeleted` are names of refs whose tombstone has the altered name of
    the record beside it; `alike` are those of records that share such a byte, each with the record;
    `misplaced` are those that records had below refs/, likewise.
    """

    refs: int
    logs: int
    uncertain_logs: int
    left_out: int
    stretches: int
    size: int
    first: Unreadable | None
    gaps: tuple[Gap, ...]
    lost_logs: bool
    about_logs: int | None
    doubtful: frozenset[bytes] | None = frozenset()
    misnamed: frozenset[bytes] | None = frozenset()
    log_gaps: tuple[Gap, ...] = ()
    renamed: Mapping[bytes, bool] = field(default_factory=dict)
    undeleted: Mapping[bytes, RefRecord] = field(default_factory=dict)
    alike: Mapping[bytes, RefRecord] = field(default_factory=dict)
    misplaced: Mapping[bytes, RefRecord] = field(default_factory=dict)

    def doubts(self, name: bytes) -> bool:
        """Whether the ref of this name, which was read, may hold damaged bytes."""
        return self.doubtful is None or name in self.doubtful or self.doubts_name(name)

    def doubts_name(self, name: bytes) -> bool:
        """Whether that ref may have had another name."""
        return self.misnamed is None or name in self.misnamed

    def may_have_lost(self, name: bytes) -> bool:
        """Whether a ref of this name, or its value, may be among the lost."""
        return any(gap.holds(name) for gap in self.gaps) or self.doubts(name) or name in self.renamed


UNKNOWN: Final = Losses(0, 0, 0, 0, 0, 0, None, EVERYWHERE, True, None, log_gaps=EVERYWHERE)
"""The losses of a table of which nothing is known: anything may be lost."""


class LossTally:
    """Adds up what a scan finds, one after the other in the order of the file."""

    def __init__(self) -> None:
        self._gaps: list[Gap] = []
        self._lost_logs = False
        self._lost_log_size: int | None = 0
        self._read_logs = self._read_log_size = 0  # in whole blocks, and the bytes of these
        self._partial_logs = 0  # in blocks that are damaged
        self._end = 0  # up to here bytes are counted
        self._stretches = 0
        self._size = 0
        self._first: Unreadable | None = None
        self._safe = b""  # up to this name, every ref that is missing is in a gap
        self._opened: bytes | None = None  # where a gap begins that has not ended yet
        self._opened_size: int | None = 0  # its bytes, None if they are not known
        self._read_refs = 0  # in whole blocks,
        self._read_size = 0  # which have so many bytes
        self._may_hide_logs = False  # that gap may have held logs as well
        self._last_ref = b""
        self._last_names: list[bytes] = []  # of the list that it was in
        self._last_log = b""
        self._safe_log = b""  # up to this key, every log entry that is missing is in a gap
        self._log_gap: bytes | None = None  # where a gap of logs begins that has not ended yet
        self._log_gaps: list[Gap] = []
        self._are_logs_ordered = True
        self._has_logs = False
        self._are_refs_ordered = True
        self._doubtful: set[bytes] = set()
        self._misnamed: set[bytes] = set()
        self._passed_at = -1  # the whole block that was met last

    def take(self, found: Readable | Unreadable) -> None:
        """Take up what was found next."""
        if isinstance(found, Unreadable):
            self._stretches += 1
            self._size += found.end - found.start
            self._first = self._first or found
            # A block with several damaged records comes once for each.
            self._lose(found.section, max(0, found.end - max(found.start, self._end)))
            self._end = max(self._end, found.end)
            return
        if found.type == REF:
            self._take_refs(found)
        else:
            self._take_logs(found)

    def losses(self, refs: int, logs: int, uncertain_logs: int, left_out: int, *, is_cut: bool) -> Losses:
        """All is found; the numbers are those of `Losses`.

        `is_cut` if nothing shows where the file ended: it may have gone on.
        """
        if is_cut:
            self._lose(None, None)
        self._end_gap(None)
        gaps = tuple(map(self._estimated, self._gaps)) if self._are_refs_ordered else EVERYWHERE
        if self._may_hide_logs:
            self._lose_logs(None)
        self._end_log_gap(None)
        doubtful, misnamed = (
            frozenset(names) if len(names) <= MOST_GAPS else None
            for names in (self._doubtful, self._misnamed)
        )
        log_gaps = tuple(self._log_gaps) if self._are_logs_ordered else EVERYWHERE
        beside = (self._stretches, self._size, self._first, gaps, self._lost_logs, self._about_logs())
        return Losses(refs, logs, uncertain_logs, left_out, *beside, doubtful, misnamed, log_gaps)

    def _take_refs(self, found: Readable) -> None:
        if found.is_misnamed:
            # Where that ref is tells nothing of its name, nor its name of others.
            *others, last_item = found.items
            if others:
                self._take_refs(found._replace(items=others, is_misnamed=False, is_cut_off=False))
            self._note(self._misnamed, [last_item[0]])
            self._lose(REF, len(last_item[5]))
            return
        first, last = found.items[0][0], found.items[-1][0]
        if first <= self._last_ref or self._has_logs:
            self._are_refs_ordered = False
        at_edge = self._doubt(found)
        if found.is_whole:
            self._read_refs += len(found.items)
            self._read_size += self._passed(found)
        if found.is_whole or found.is_front:
            # Logs come behind refs: what was lost in front of these held none.
            self._may_hide_logs = False
            self._take_names(found.items, len(found.items) - at_edge)
        self._last_ref = last

    def _doubt(self, found: Readable) -> int:
        """Note the refs that damage has reached into, or may have; the number of those at its edge."""
        items, most = found.items, found.header.max_update_index - found.header.min_update_index
        deltas = update_deltas(items)
        null = bytes(found.header.hash_id.size)
        names = [item[0] for item, delta in zip(items, deltas, strict=True) if delta > most]
        names += [item[0] for item in items if item[5].endswith(null) and item[3] in (VAL1, VAL2)]
        if items[0][0] <= self._last_ref:
            # Either is in the wrong place: those that are fewer, or both.
            late = [key for key in self._last_names if key >= items[0][0]]
            early = [item[0] for item in items if item[0] <= self._last_ref]
            self._note(self._misnamed, late if len(late) <= len(early) else [])
            self._note(self._misnamed, early if len(early) <= len(late) else [])
        at = len(items)
        if found.is_cut_off:
            at -= 1
            while at and (deltas[at] > most or not is_refname(items[at][0])):
                at -= 1
            names += map(item_key, items[at:])
        self._last_names = [*map(item_key, items)]
        self._note(self._doubtful, names)
        return len(items) - at

    @staticmethod
    def _note(kept: set[bytes], names: list[bytes]) -> None:
        if len(kept) <= MOST_GAPS:
            kept.update(names)

    def _take_names(self, items: list[Encoded], sure: int) -> None:
        """A ref whose name was altered had another one, between those beside it.

        Those behind the first `sure` ones bound no gap: damage may have made their names.
        """
        if sure == len(items) and not holds_altered([*map(item_key, items)]):
            self._end_gap(items[0][0])
            self._safe = items[-1][0]
            return
        for at, (key, *_, encoded) in enumerate(items):
            if is_altered(key):
                self._lose(REF, len(encoded))
            elif at < sure:
                self._end_gap(key)
                self._safe = key

    def _take_logs(self, found: Readable) -> None:
        self._end_gap(None)
        first, last = found.items[0][0], found.items[-1][0]
        if self._has_logs and first <= self._last_log:
            self._are_logs_ordered = False
            self._lose_logs(None)
        elif self._may_hide_logs:
            self._lose_logs(None)
        self._may_hide_logs = False
        if found.is_whole:
            self._read_logs += len(found.items)
            self._read_log_size += self._passed(found)
        else:
            self._partial_logs += len(found.items)
        altered = [item for item in found.items if is_altered(item[0][:-LOG_KEY_TAIL])]
        for *_, encoded in altered:
            self._lose_logs(len(encoded))
        if (found.is_whole or (found.is_front and found.is_certain)) and not altered:
            self._end_log_gap(first)
            self._safe_log = last
        self._has_logs, self._last_log = True, last

    def _passed(self, found: Readable) -> int:
        """The bytes of a block; none for lists of it that follow its first."""
        size = 0 if found.offset == self._passed_at else found.end - found.offset
        self._passed_at = found.offset
        return size

    def _lose(self, section: int | None, size: int | None) -> None:
        if section == LOG or (section is None and self._has_logs):
            self._lose_logs(size)
            return
        if self._opened is None:
            self._opened, self._opened_size = self._safe, 0
        if self._opened_size is not None:
            self._opened_size = None if size is None else self._opened_size + size
        self._may_hide_logs = self._may_hide_logs or section is None

    def _lose_logs(self, size: int | None) -> None:
        self._lost_logs = True
        if self._log_gap is None:
            self._log_gap = self._safe_log
        known = self._lost_log_size
        self._lost_log_size = None if known is None or size is None else known + size

    def _about_logs(self) -> int | None:
        size = self._lost_log_size
        if size and self._read_logs:
            return max(0, -(-size * self._read_logs // self._read_log_size) - self._partial_logs)
        return None if size else size

    def _end_log_gap(self, high: bytes | None) -> None:
        low, self._log_gap = self._log_gap, None
        if low is not None and len(self._log_gaps) == MOST_GAPS:
            low = self._log_gaps.pop().low
        if low is not None:
            self._log_gaps.append(Gap(low, high))

    def _end_gap(self, high: bytes | None) -> None:
        if self._opened is None:
            return
        if len(self._gaps) < MOST_GAPS:
            self._gaps.append(Gap(self._opened, high, self._opened_size))
        else:
            before, size = self._gaps[-1], self._opened_size
            both = None if before.about is None or size is None else before.about + size
            self._gaps[-1] = Gap(before.low, high, both)
        self._opened = None

    def _estimated(self, gap: Gap) -> Gap:
        """A gap with its number of refs, where it has that of its bytes."""
        is_known = gap.about is not None and self._read_refs
        about = -(-(gap.about or 0) * self._read_refs // self._read_size) if is_known else None
        return replace(gap, about=about)
