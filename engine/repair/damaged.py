"""What is known of the records of damaged tables by others: by objects of the repository, and by reflogs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine import salvage
from engine.format import U64_MAX, RefRecord, limits_in_name
from engine.fsck import Limits
from engine.repair.draft import ORPHANS, Draft
from engine.repair.files import TableFile
from engine.repair.objects import told_by_objects
from engine.repair.originals import lost_logs
from engine.repair.plan import Damage, displaced
from engine.repair.restoring import restored_refs


def mend_damaged(draft: Draft, chosen: Sequence[TableFile]) -> None:
    """Regain log entries, leave out refs that can be none, and restore those that reflogs tell."""
    _regain_logs(draft, chosen)
    _restore(draft, chosen, _leave_out(draft, chosen))


def _regain_logs(draft: Draft, chosen: Sequence[TableFile]) -> None:
    """Take log entries that damaged tables have lost from what they were made of, as far as it is beside."""
    known, used = draft.known, {*draft.listed, *draft.set_aside, *(file.file for file in chosen)}
    for file in chosen if draft.only is None else ():
        one, salvaged = file.readable, file.readable.salvaged
        if salvaged is None or not salvaged.losses.lost_logs:
            continue
        within = [
            name
            for name in known.entries
            if name not in used
            and known.codes(name) & ORPHANS
            and (limits := limits_in_name(name)) is not None
            and one.limits[0] <= limits[0] <= limits[1] <= one.limits[1]
            and limits != one.limits
        ]
        if within:
            logs = lost_logs(known.path, one, [known.look_at_unlisted(name) for name in within])
            regained = salvage.with_logs(salvaged, logs)
            file.regained_logs = regained.contents.logs - salvaged.contents.logs
            if file.regained_logs:
                file.input = one._replace(salvaged=regained)


def _leave_out(draft: Draft, chosen: Sequence[TableFile]) -> dict[int, Sequence[RefRecord]]:
    """Leave out what was read of damaged bytes and is no ref: an older value or a reflog takes its place.

    Returns what is known of others by their objects.
    """
    inputs = [file.readable for file in chosen]
    told = told_by_objects(draft.known.path, inputs, draft.known.repository)
    for at, one in enumerate(inputs):
        salvaged, names = one.salvaged, told[at].impossible if at in told else frozenset[bytes]()
        if salvaged is not None:
            names |= {deletion.name for deletion in salvaged.losses.undeleted.values()}
            names |= {record.name for record in salvaged.losses.misplaced.values()}
        objectless = told[at].objectless if at in told else frozenset[bytes]()
        changed = chosen[at].input = one._replace(objectless=objectless)
        if salvaged is not None and names and draft.selected(chosen[at].file):
            found = (salvaged.table.read_ref(name) for name in sorted(names))
            left_out = tuple(ref for ref in found if ref is not None)
            chosen[at].input = changed._replace(
                salvaged=salvage.without_refs(salvaged, names), left_out=left_out
            )
    return {at: one.right for at, one in told.items()}


def _restore(draft: Draft, chosen: Sequence[TableFile], known: Mapping[int, Sequence[RefRecord]]) -> None:
    """Have the reflogs tell the values of refs whose records are lost or damaged; take what is `known`."""
    names = {file.file for file in chosen}
    missing = [
        name
        for name in (*draft.listed, *(left.file for left in draft.left if left.is_listed))
        if name not in names and draft.only is None
    ]
    others = [
        Damage(name, None, *(limits_in_name(name) or (0, U64_MAX)), salvage.UNKNOWN) for name in missing
    ]
    inputs = [file.readable for file in chosen]
    left: dict[str, Limits | None] = dict.fromkeys(missing)
    left |= {
        name: file.input.limits if file.input is not None else None
        for name, file in draft.known.files.items()
        if name not in names
    }
    others += displaced(inputs, [*left.items()], draft.before)
    for at, found in restored_refs(draft.known.path, inputs, others, known).items():
        salvaged = inputs[at].salvaged
        if salvaged is not None and draft.selected(chosen[at].file):
            regained = sum(salvaged.table.read_ref(ref.name) is None for ref in found.refs.refs())
            chosen[at].input = inputs[at]._replace(
                restored=found.refs, supposed=found.supposed, regained=regained
            )
