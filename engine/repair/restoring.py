"""Refs whose records are lost or damaged, but whose reflogs tell the values.

A log tells ids, and not whether a ref was one that names another. A ref that is lost was none if an older
value is left, if its newest entry is that of HEAD and of no other ref, or if no other ref has had its id: an
entry of a symbolic ref tells the id of the ref that it names. Otherwise its value is supposed, as it is where
a newer entry may be lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from engine.format import LOG_KEY_TAIL, MAX_BLOCK_SIZE, HashId, RefRecord
from engine.repair.inputs import Input, LastEntry, Located, OpenInputs, all_logs, located_refs, logged_refs
from engine.repair.plan import Damage
from engine.salvage import Builder, ref_item
from engine.table import Table

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
        self._builders: dict[int, Builder] = {}

    def add(self, at: int, ref: RefRecord) -> None:
        """Add a ref of an input."""
        if at not in self._builders:
            salvaged = self._inputs[at].salvaged
            hash_id = salvaged.header.hash_id if salvaged is not None else HashId.SHA1
            builder = Builder(self._inputs[at].file, hash_id, MAX_BLOCK_SIZE)
            self._builders[at] = self._opened.enter_context(builder)
        builder = self._builders[at]
        builder.add_refs([ref_item(ref, 0, builder.hash_id.size)], 0)

    def finish(self) -> dict[int, Table]:
        """The tables."""
        return {at: builder.finish()[0] for at, builder in self._builders.items()}


def restored_refs(directory: Path, inputs: Sequence[Input], others: Sequence[Damage]) -> dict[int, Restored]:
    """The refs whose records are lost or wrong, but whose reflogs tell the values, by the inputs' numbers.

    `inputs` are those of the repaired stack, oldest first, `others` what may be lost of tables that are not
    in it. Raises as `ref_outcomes` does.
    """
    damaged = [
        Damage.of(one.file, number, one.limits, one.losses)
        for number, one in enumerate(inputs)
        if one.losses is not None
    ]
    if not damaged:
        return {}
    sources = [OpenInputs(directory, [one]) for one in inputs]
    damages = [*damaged, *others]
    head: tuple[int | None, LastEntry] | None = None
    like_head: list[bytes] = []  # refs whose newest entry is that of HEAD: two are too many
    with ExitStack() as opened:
        made, unsure, supposed = (_Made(inputs, opened) for _ in range(3))
        for number, source in enumerate(sources):
            for ref in _contradicted(source) if inputs[number].losses is not None else ():
                made.add(number, ref)
        for name, located, log in logged_refs(sources):
            at = _place(inputs, damages, located, log)
            if name == _HEAD:
                head = at, log
                continue
            if head and log[1:] == head[1][1:] and len(like_head) < 2 and _may_be_named(name):
                like_head.append(name)
            if at is not None:
                ref = RefRecord(name, log.update_index, log.new)
                made.add(at, ref)
                if any(one.may_have_lost_newer_log(name, log.update_index) for one in damages):
                    supposed.add(at, ref)
                elif located is None or located[1].value is None:
                    unsure.add(at, ref)
        # A commit writes the same entry for HEAD and for the branch that HEAD names.
        tells_all = not any(one.lost_logs for one in damages)
        branch = like_head[0] if tells_all and len(like_head) == 1 else b""
        if head and head[0] is not None and branch.startswith(b"refs/heads/"):
            made.add(head[0], RefRecord(_HEAD, head[1].update_index, target=branch))
        lost = unsure.finish()
        had = _had_by_several(inputs, sources, lost.values())
        for at, table in lost.items():
            for ref in table.refs():
                if ref.name != branch and (had is None or ref.value in had):
                    supposed.add(at, ref)
        guesses = supposed.finish()
        return {at: Restored(table, guesses.get(at)) for at, table in made.finish().items()}


def _contradicted(source: OpenInputs) -> Iterator[RefRecord]:
    """The refs of a table whose values its log entries of the same updates contradict, as these have them.

    A checksum guards the entries alone. A newer table may have other values: these are mended all the same.
    """
    for name, located, log in logged_refs([source]):
        record = located[1] if located is not None else None
        if record is None or record.target is not None or record.update_index != log.update_index:
            continue
        if record.value != log.new and any(log.new):
            yield RefRecord(name, log.update_index, log.new)


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

    for located in located_refs(sources) if names else ():
        for name, record, at in located:
            if record.value in names and _may_be_named(name):
                losses = inputs[at].losses
                if losses is None or not losses.doubts(name):
                    note(record.value, name)
    size = max((source.hash_size for source in sources), default=0)
    for items in all_logs(sources) if names else ():
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
    and its like, have no entries of their own; of HEAD, only the place is told.
    """
    if not any(log.new):
        return None
    if not log.name.startswith(b"refs/") and (log.name != _HEAD or located is not None):
        return None
    if log.name.endswith(b"/HEAD"):
        return None
    index = log.update_index
    if located is not None:
        record = located[1]
        if record.update_index >= index or record.target is not None:
            return None
    places = (one.position for one in damages if one.high >= index and one.may_have_lost(log.name))
    return next((at for at in places if at is not None and inputs[at].limits[0] <= index), None)
