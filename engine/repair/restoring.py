"""Refs whose records are lost or damaged, but whose reflogs tell the values.

A log tells ids, and not whether a ref was one that names another. A ref that is lost was none if an older
value is left, if its newest entry is that of HEAD and of no other ref, or if no other ref has had its id: an
entry of a symbolic ref tells the id of the ref that it names. Otherwise its value is supposed, as it is where
a newer entry may be lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple

from engine import salvage
from engine.errors import FormatError
from engine.format import LOG_KEY_TAIL, MAX_BLOCK_SIZE, HashId, RefRecord
from engine.fsck import branch_of_head, mistargeted_refs, target_below_refs
from engine.merge import MergedTable
from engine.repair.inputs import Input, LastEntry, Located, OpenInputs, logged_refs
from engine.repair.plan import Damage
from engine.salvage import ref_item
from engine.stack import is_of_repository
from engine.table import Table

_value = attrgetter("value")
_HEAD: Final = b"HEAD"
_MOST_ASKED: Final = 2**16
"""Ids of which it is asked whether other refs had them: all are in memory. Of more, it is not known."""


class Restored(NamedTuple):
    """Refs of one input with the values that their reflogs tell; those that are `supposed` once more."""

    refs: Table
    supposed: Table | None


class _Made:
    """Makes tables of refs for inputs, by their numbers."""

    def __init__(self, inputs: Sequence[Input], opened: ExitStack) -> None:
        self._inputs = inputs
        self._opened = opened
        self._builders: dict[int, salvage.Builder] = {}

    def add(self, at: int, ref: RefRecord) -> None:
        """Add a ref of an input."""
        if at not in self._builders:
            salvaged = self._inputs[at].salvaged
            hash_id = salvaged.header.hash_id if salvaged is not None else HashId.SHA1
            builder = salvage.Builder(self._inputs[at].file, hash_id, MAX_BLOCK_SIZE)
            self._builders[at] = self._opened.enter_context(builder)
        builder = self._builders[at]
        builder.add_refs([ref_item(ref, 0, builder.hash_id.size)], 0)

    def finish(self) -> dict[int, Table]:
        """The tables."""
        return {at: builder.finish()[0] for at, builder in self._builders.items()}


def restored_refs(
    directory: Path,
    inputs: Sequence[Input],
    others: Sequence[Damage],
    known: Mapping[int, Sequence[RefRecord]],
) -> dict[int, Restored]:
    """The refs whose records are lost or wrong, but whose reflogs tell the values, by the inputs' numbers.

    `inputs` are those of the repaired stack, oldest first, `others` what may be lost of tables that are not
    in it, `known` what the repository tells of others. Raises as `ref_outcomes` does.
    """
    damaged = [
        Damage(one.file, number, *one.limits, one.losses)
        for number, one in enumerate(inputs)
        if one.losses is not None
    ]
    if not damaged:
        return {}
    sources = [OpenInputs(directory, [one]) for one in inputs]
    damages = [*damaged, *others]
    head: tuple[int | None, LastEntry] | None = None
    altered: Located | None = None
    mistargeted: list[tuple[int, RefRecord]] = []  # symbolic refs, with what they named before
    misplaced: list[tuple[int, RefRecord]] = []  # symbolic refs as well
    like_head: list[bytes] = []  # refs whose newest entry is that of HEAD: two are too many
    with ExitStack() as opened:
        made, unsure, supposed = (_Made(inputs, opened) for _ in range(3))
        for number, one in enumerate(inputs):
            for tag in known.get(number, ()):
                made.add(number, tag)
            if one.losses is None:
                continue
            for name, deletion in one.losses.undeleted.items():
                made.add(number, RefRecord(name, deletion.update_index))
            for name, record in one.losses.misplaced.items():
                if name not in one.losses.renamed and name not in one.losses.alike:
                    ref = record.replace(name=name)
                    if (target := target_below_refs(ref)) is not None:
                        ref = RefRecord(name, ref.update_index, target=target)
                    made.add(number, _as_logged(one, ref))
                    misplaced += [(number, ref)] if ref.target is not None else []
            for name, record in one.losses.alike.items():
                made.add(number, record.replace(name=name))
            if one.salvaged is not None and is_of_repository(directory):
                mistargeted += [(number, ref) for ref in mistargeted_refs(one.salvaged.table)]
        # What counts is looked at with all tables, but below the newest one there may be more.
        for number, source in enumerate(sources[:-1]):
            for _, located, log in logged_refs([source]) if inputs[number].losses is not None else ():
                if _is_renamed(inputs[number], log.name) or _contradicts(inputs[number], located, log):
                    made.add(number, RefRecord(log.name, log.update_index, log.new))
        for name, located, log in logged_refs(sources):
            ref = RefRecord(name, log.update_index, log.new)
            if located is not None and _contradicts(inputs[located[2]], located, log):
                made.add(located[2], ref)
            at = _place(inputs, damages, located, log)
            if name == _HEAD:
                head = at, log
                if located is not None and inputs[located[2]].losses is not None:
                    altered = located
                continue
            if head and log[1:] == head[1][1:] and len(like_head) < 2 and _may_be_named(name):
                like_head.append(name)
            if at is not None:
                made.add(at, ref)
                if any(one.may_have_lost_newer_log(name, log.update_index) for one in damages):
                    supposed.add(at, ref)
                elif located is None or located[1].value is None:
                    losses = inputs[at].losses
                    if losses is None or not losses.renamed.get(name):  # which had an id
                        unsure.add(at, ref)
        if altered is not None and (named := _target_of_head(sources)) is not None:
            made.add(altered[2], RefRecord(_HEAD, altered[1].update_index, target=named))
            mistargeted = [(at, ref) for at, ref in mistargeted if ref.name != _HEAD]
        for at, ref in mistargeted:
            made.add(at, ref)
        # A commit writes the same entry for HEAD and for the branch that HEAD names.
        tells_all = not any(one.losses.lost_logs for one in damages)
        branch = like_head[0] if tells_all and len(like_head) == 1 else b""
        has_record = any(_HEAD in one.losses.misplaced for one in inputs if one.losses is not None)
        if head and head[0] is not None and branch.startswith(b"refs/heads/") and not has_record:
            index = min(head[1].update_index, inputs[head[0]].limits[1])
            made.add(head[0], RefRecord(_HEAD, index, target=branch))
        lost = unsure.finish()
        had = _had_by_several(inputs, sources, lost.values())
        for at, table in lost.items():
            for ref in table.refs():
                if ref.name != branch and (had is None or ref.value in had):
                    supposed.add(at, ref)
        tables = made.finish()
        for at, ref in (*mistargeted, *misplaced):
            if not _is_there(ref.target or b"", sources, tables):
                supposed.add(at, ref)
        guesses = supposed.finish()
        return {at: Restored(table, guesses.get(at)) for at, table in tables.items()}


def _target_of_head(sources: Sequence[OpenInputs]) -> bytes | None:
    """What HEAD named before a byte of it was altered; None if none was, as far as can be told."""
    with suppress(FormatError):
        return branch_of_head(MergedTable([table for one in sources for table in one.tables]))
    return None


def _is_there(name: bytes, sources: Sequence[OpenInputs], restored: Mapping[int, Table]) -> bool:
    """Whether a ref is in the repaired stack; `restored` are the refs of each input that are.

    Raises `FormatError`.
    """
    for at in reversed(range(len(sources))):
        for table in (*([restored[at]] if at in restored else []), *sources[at].tables):
            if (found := table.read_ref(name)) is not None:
                return not found.is_deletion
    return False


def _is_renamed(one: Input, name: bytes) -> bool:
    """Whether a ref with an id had this name, before a byte of it was altered."""
    return one.losses is not None and name in one.losses.renamed


def _contradicts(one: Input, located: Located | None, log: LastEntry) -> bool:
    """Whether a log entry of the same damaged table and update as a record has another value than that.

    A checksum guards the entry alone. That a newer table has yet another value is nothing to it.
    """
    if located is None:
        return False
    record, salvaged = located[1], one.salvaged
    if record.update_index != log.update_index or record.value == log.new or record.target is not None:
        return False
    entry = salvaged.table.read_log(log.name, log.update_index) if salvaged is not None else None
    return entry is not None and entry.update_index == log.update_index and any(log.new)


def _as_logged(one: Input, ref: RefRecord) -> RefRecord:
    """A ref with the value that its log entry of the same update tells, if that is another one."""
    log = one.salvaged.table.read_log(ref.name) if one.salvaged is not None else None
    if log is None or log.update_index != ref.update_index or not any(log.new or b""):
        return ref
    return (
        ref
        if log.new == ref.value or ref.target is not None
        else RefRecord(ref.name, ref.update_index, log.new)
    )


def _may_be_named(name: bytes) -> bool:
    """Whether a symbolic ref may name this ref, which is no HEAD."""
    return name.startswith(b"refs/") and not name.endswith(b"/HEAD")


def _had_by_several(
    inputs: Sequence[Input], sources: Sequence[OpenInputs], lost: Iterable[Table]
) -> set[bytes | None] | None:
    """Of the ids of these refs, those that several refs have or had; None if there are too many to ask.

    A ref that damage has reached into may be one of them, under another name.
    """
    names: dict[bytes | None, bytes] = {}
    for table in lost:
        for refs in table.ref_blocks():
            names.update((ref.value, b"") for ref in refs)
            if len(names) > _MOST_ASKED:
                return None
    several: set[bytes | None] = set()

    def note(oid: bytes | None, name: bytes) -> None:
        if names[oid] not in (b"", name):
            several.add(oid)
        names[oid] = name

    for at, source in enumerate(sources if names else ()):
        losses = inputs[at].losses
        for refs in source.refs():
            for ref in refs if not names.keys().isdisjoint(map(_value, refs)) else ():
                if (
                    ref.value in names
                    and _may_be_named(ref.name)
                    and not (losses and losses.doubts(ref.name))
                ):
                    note(ref.value, ref.name)
        size = source.hash_size
        for items in source.encoded_logs():
            for key, _, _, _, tail_len, encoded in items:
                new = encoded[len(encoded) - tail_len + size :][:size]
                if new in names and _may_be_named(name := key[:-LOG_KEY_TAIL]):
                    note(new, name)
    return several


def _place(
    inputs: Sequence[Input], damages: Sequence[Damage], located: Located | None, log: LastEntry
) -> int | None:
    """The input that has lost the record of a ref whose newest log entry this is; None if none has.

    The entry is of an update in the range of that table, and newer than any record left. Symbolic refs, HEAD
    and its like, have no entries of their own: of HEAD, only the place is told, and any newer update may have
    made the entry.
    """
    index = log.update_index
    if not any(log.new):
        return None
    if log.name == _HEAD and located is None:
        places = (one.position for one in damages if one.low <= index and one.losses.may_have_lost(_HEAD))
        return next((at for at in places if at is not None), None)
    if not log.name.startswith(b"refs/") or log.name.endswith(b"/HEAD"):
        return None
    if located is not None:
        record = located[1]
        if record.update_index >= index or record.target is not None:
            return None
    places = (one.position for one in damages if one.high >= index and one.losses.may_have_lost(log.name))
    return next((at for at in places if at is not None and inputs[at].limits[0] <= index), None)
