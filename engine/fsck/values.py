"""Refs held against the reflog of the same table: a transaction writes the value of a ref into both.

A ref and the newest entry in its reflog which have the same update index were written together, and
compaction keeps them together (`write_transaction_table` in git's refs/reftable-backend.c). Older entries do
not count: `git refs migrate` gives those of a reflog update indexes from that of its ref on, the oldest one
the same.

Blocks of logs are compressed and have a checksum, blocks of refs have none: as a rule, it is the ref that was
altered. Where most of a table agrees, or the reflog of HEAD has the entry as well, its writer means by both
what git does. And no damage makes of an object id that of another object.

The same goes for names. A reflog whose ref is not in the table has the name that was written, where the same
transaction gave its value to a ref without a reflog that is called almost the same. And a ref is deleted
together with its reflog: where a table deletes the reflog alone, and the ref is still to be seen below it, a
tombstone of almost the same name is that of this ref, unless it may delete one without a reflog.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from operator import ne
from typing import Final, NamedTuple

from engine.errors import FormatError, shown
from engine.format import (
    LOG_KEY_TAIL,
    LOG_UPDATE,
    SYMREF,
    U64_MAX,
    Encoded,
    RefRecord,
    is_refname,
    is_root_ref,
)
from engine.fsck.finding import Report
from engine.merge import MergedTable
from engine.table import Table

_REFS: Final = b"refs/"
_BEHIND_REFS: Final = b"refs0"

_LARGEST: Final = 2**20
"""Bytes of a block of refs that is compared: all of its refs are in memory."""

_MOST_DELETED: Final = 1000
"""Reflogs that a table deletes without their refs, as `git reflog expire` does, and that are kept in mind."""

_LONGEST: Final = 256
"""Bytes of a name that is looked for under others in which one is altered."""

Lacking = Callable[[set[bytes]], set[bytes]]
"""Says of which of these ids the repository is known to have no object."""


class ValueCheck:
    """The refs of one table, one block of them in memory, read along with the blocks of its logs.

    Of a table with large blocks, or of any size, nothing is compared.
    """

    __slots__ = (
        "_agreeing",
        "_below",
        "_blocks",
        "_deleted",
        "_differing",
        "_end",
        "_is_compared",
        "_is_symref",
        "_lacking",
        "_last",
        "_more",
        "_refs",
        "_table",
        "_without_ref",
    )

    def __init__(
        self,
        table: Table,
        is_symref: Callable[[bytes], bool] | None = None,
        below: Callable[[], MergedTable] | None = None,
        lacking: Lacking | None = None,
    ) -> None:
        """`is_symref` says of a name whether any table of the stack has a symbolic ref of it.

        Of one that has a reflog, a transaction writes the entry without a record, and the ref it leads to.
        `below` gives the older tables of the stack, which may raise `FormatError` when they are read.
        """
        self._table = table
        self._lacking = lacking or (lambda _oids: set())
        self._below = below or (lambda: MergedTable([]))
        self._is_symref = is_symref or (lambda _name: False)
        self._blocks: Iterator[list[RefRecord]] | None = None
        self._refs: dict[bytes, RefRecord] = {}  # of the block, by name
        self._is_compared = 0 < table.block_size <= _LARGEST
        # The last name of the block, None behind the last block.
        self._end: bytes | None = b""
        self._last = b""
        self._differing: list[tuple[RefRecord, bytes]] = []
        self._agreeing = 0
        self._more = 0  # that differ, too
        # Names of reflogs that the table has no ref for, their newest update index and value.
        self._without_ref: list[tuple[bytes, int, bytes]] = []
        self._deleted: list[bytes] = []  # names of reflogs that it deletes, without the ref

    def take(self, items: Sequence[Encoded]) -> None:
        """Compare the entries of the next log block, as `split_logs` has them."""
        size, last, refs, end = self._table.hash_id.size, self._last, self._refs, self._end
        if not self._is_compared:
            return
        for key, _, _, kind, tail_len, encoded in items:
            name = key[:-LOG_KEY_TAIL]
            if name == last:
                continue
            last = name
            if end is not None and name > end:
                end = self._advance(name)
                refs = self._refs
            ref = refs.get(name)
            if kind != LOG_UPDATE:
                if ref is None and len(self._deleted) < _MOST_DELETED:
                    self._deleted.append(name)
                continue
            at = len(encoded) - tail_len + size
            if ref is None:
                if len(self._without_ref) < Report.MOST_ALIKE:
                    update_index = U64_MAX - int.from_bytes(key[-8:], "big")
                    self._without_ref.append((name, update_index, encoded[at : at + size]))
                elif end is None:
                    return
            elif encoded[at : at + size] == ref.value:
                self._agreeing += 1
            elif ref.value is not None and U64_MAX - int.from_bytes(key[-8:], "big") == ref.update_index:
                self._note(ref, encoded[at : at + size])
        self._last = last

    def _note(self, ref: RefRecord, new: bytes) -> None:
        """Take down a ref that differs, unless its entry tells no value, as a reflog's marker does not."""
        if not any(new):
            return
        if len(self._differing) < Report.MOST_ALIKE - 1:
            self._differing.append((ref, new))
        else:
            self._more += 1

    def _advance(self, name: bytes) -> bytes | None:
        """Go on to the block that has this ref if any has; its last name, None behind the last block."""
        try:
            if self._blocks is not None:
                self._load(next(self._blocks, []))
            if self._end is not None and name > self._end:
                self._blocks = self._table.ref_blocks(name)
                self._load(next(self._blocks, []))
        except FormatError:
            self._load([])  # what is damaged is no evidence
        return self._end

    def _load(self, refs: Sequence[RefRecord]) -> None:
        self._refs = {ref.name: ref for ref in refs}
        self._end = refs[-1].name if refs else None

    def finish(self, report: Report) -> None:
        """Report what differs."""
        table, most = self._table, self._agreeing > len(self._differing) + self._more
        # A commit writes the same entry for HEAD and for the branch that HEAD names.
        by_others = {(update_index, value) for _, update_index, value in self._without_ref}
        lacking = self._lacking({oid for ref, new in self._differing for oid in (ref.value or b"", new)})
        for ref, new in self._differing:
            is_none = ref.value in lacking and new not in lacking
            is_altered = most or is_none or (ref.update_index, new) in by_others
            is_no_object = ", of which there is no object" if is_none else ""
            said = f"its reflog says that update {ref.update_index} made it {new.hex()}"
            what = f"{shown(ref.name)} is {(ref.value or b'').hex()}{is_no_object}; {said}"
            code = "value-altered" if is_altered else "value-unlike-log"
            report.add(code, table.name, self._place(ref.name), what, 1)
        if self._more:
            code = "value-altered" if most else "value-unlike-log"
            report.add(code, table.name, None, f"and {self._more} more of this kind", self._more)
        for name, altered in self.other_names():
            what = f"{shown(altered)} has no reflog; that of {shown(name)}, which is no ref here, tells of it"
            report.add("name-altered", table.name, self._place(altered), what, 1)
        for name, deletion in self.other_deletions():
            what = f"it deletes the reflog of {shown(name)}, but the ref {shown(deletion.name)}"
            report.add("deletion-altered", table.name, self._place(deletion.name), what, 1)

    def other_names(self, *, scans: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """The names of reflogs that have lost their ref, each with that of a ref which may be the one.

        The refs of a table without an object section are scanned if they are few, or where that `scans`.
        """
        table = self._table
        wanted: dict[bytes, list[tuple[bytes, int]]] = {}
        for name, update_index, value in self._without_ref:
            wanted.setdefault(value, []).append((name, update_index))
        for ref in self._with_values(wanted, scans=scans):
            for name, update_index in wanted.get(ref.value or b"", ()):
                is_it = ref.update_index == update_index and differ_in_one_byte(ref.name, name)
                with suppress(FormatError):  # what is damaged is no evidence
                    if is_it and table.read_log(ref.name) is None and not self._is_symref(name):
                        yield name, ref.name

    def other_deletions(self) -> Iterator[tuple[bytes, RefRecord]]:
        """The names of refs that were deleted, and are still to be seen, each with what may delete it."""
        alike: dict[bytes, list[bytes]] = {}
        for name in self._deleted:
            for mask in _masks(name):
                alike.setdefault(mask, []).append(name)
        with suppress(FormatError):  # what is damaged is no evidence
            below = self._below()
            for ref in chain.from_iterable(self._table.ref_blocks() if alike and below.tables else ()):
                found = [alike.get(mask, ()) for mask in _masks(ref.name)] if ref.is_deletion else ()
                for name in chain.from_iterable(found):
                    if self._is_unlike(below, name, ref.name):
                        yield name, ref

    def _is_unlike(self, below: MergedTable, name: bytes, deleted: bytes) -> bool:
        """Whether a tombstone of the ref `deleted` is that of the ref `name`, whose reflog is deleted."""
        if self._table.read_log(deleted) is not None or below.read_ref(name) is None:
            return False
        if MergedTable([*below.tables, self._table]).read_log(name) is not None:
            return False  # entries of it were deleted, and not all
        return below.read_ref(deleted) is None or below.read_log(deleted) is not None

    def _with_values(self, wanted: Collection[bytes], *, scans: bool) -> Iterator[RefRecord]:
        """The refs of the table that have one of these values, perhaps beside others."""
        if not wanted:
            return
        table = self._table
        # Behind an index of refs is an object section, or git was told to write none.
        if scans or not table.footer.ref_index_offset:
            with suppress(FormatError):
                yield from chain.from_iterable(table.ref_blocks())
            return
        for value in wanted:
            with suppress(FormatError):
                yield from table.refs_for_prefix(value, scans=False)

    def _place(self, name: bytes) -> int | None:
        """Where the block of a ref begins; None where the table can be read, but not searched."""
        with suppress(FormatError):
            located = self._table.locate_ref(name)
            return located[0] if located is not None else None
        return None


def has_symref(table: Table, name: bytes) -> bool:
    """Whether a table has a symbolic ref of this name, as far as it can be read."""
    with suppress(FormatError, OSError):
        ref = table.read_ref(name)
        return ref is not None and ref.target is not None
    return False


class Renamed(NamedTuple):
    """Refs of a table of whose names a byte was altered.

    `names` are those that refs had, each with what it is now: several may have become the same. `deletions`
    are tombstones, by the names of the refs that they deleted.
    """

    names: frozenset[tuple[bytes, bytes]]
    deletions: Mapping[bytes, RefRecord]


def renamed_refs(
    table: Table, is_symref: Callable[[bytes], bool], below: Callable[[], MergedTable]
) -> Renamed:
    """The refs of a table that had other names: by its reflogs.

    Of a table that was salvaged, all can be read. `is_symref` and `below` are those of the check.
    """
    check = ValueCheck(table, is_symref, below)
    for _, items in table.encoded_log_blocks():
        check.take(items)
    return Renamed(frozenset(check.other_names(scans=True)), dict(check.other_deletions()))


def below_refs(name: bytes) -> bytes | None:
    """The name of a ref below refs/ that this was before a byte of `refs/` was altered; None for any other.

    git writes no ref of such a name, and lists none.
    """
    meant = _REFS + name[len(_REFS) :]
    return meant if differ_in_one_byte(name, meant) and is_refname(meant) else None


def unaltered(name: bytes) -> bytes | None:
    """What a name that git does not write was before a byte of `refs/`, or of HEAD, was altered."""
    if differ_in_one_byte(name, b"HEAD") and not is_root_ref(name):
        return b"HEAD"
    return below_refs(name)


def target_below_refs(ref: RefRecord) -> bytes | None:
    """What a symbolic ref named below refs/ before a byte of `refs/` was altered; None for any other ref.

    HEAD names branches.
    """
    meant = below_refs(ref.target) if ref.target is not None else None
    is_possible = meant is not None and (ref.name != b"HEAD" or meant.startswith(b"refs/heads/"))
    return meant if is_possible else None


def mistargeted_refs(table: Table) -> list[RefRecord]:
    """The symbolic refs of a table that name no ref below refs/ for an altered byte, with what they named.

    Raises `FormatError`.
    """
    found: list[RefRecord] = []
    for _, items in table.encoded_ref_blocks(table.min_update_index):
        for name in [item[0] for item in items if item[3] == SYMREF]:
            ref = table.read_ref(name)
            if ref is not None and (meant := target_below_refs(ref)) is not None:
                found.append(RefRecord(name, ref.update_index, target=meant))
    return found


def misplaced_refs(table: Table) -> dict[bytes, RefRecord]:
    """The records of refs that are neither HEAD nor below refs/ for an altered byte, by the names they had.

    Those whose name another record has stay what they are. Raises `FormatError`.
    """
    found: dict[bytes, RefRecord] = {}
    for start, end in ((b"", _REFS), (_BEHIND_REFS, None)):
        for refs in table.ref_blocks(start):
            for ref in refs:
                if (meant := unaltered(ref.name)) is not None and table.read_ref(meant) is None:
                    found[meant] = ref
            if end is not None and refs[-1].name >= end:
                break
    return found


def _masks(name: bytes) -> Iterator[bytes]:
    """The name without one byte, for each: names that differ in one have one of them in common.

    None of a long name, of which all together would be its square in bytes.
    """
    return (name[:at] + b"\0" + name[at + 1 :] for at in range(len(name) if len(name) <= _LONGEST else 0))


def differ_in_one_byte(one: bytes, other: bytes) -> bool:
    """Whether two names are the same but for one byte."""
    return len(one) == len(other) and sum(map(ne, one, other)) == 1
