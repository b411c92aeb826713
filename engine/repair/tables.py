"""The tables of the repaired stack, with the steps that make them."""

from __future__ import annotations

from collections.abc import Sequence

from engine import salvage
from engine.errors import counted
from engine.format import U64_MAX, pack_table_list
from engine.fsck import Severity
from engine.repair.draft import Draft
from engine.repair.files import TableFile, words_for
from engine.repair.inputs import contents_of
from engine.repair.plan import PlannedTable, Step, StepKind
from engine.stack import HIGHEST_LIMIT, unused_table_name


def planned_tables(draft: Draft, chosen: Sequence[Sequence[TableFile]]) -> list[PlannedTable]:
    """The tables of the repaired stack, with the steps that make them."""
    if any(file.readable.losses is not None for files in chosen for file in files):
        from engine.repair.damaged import mend_damaged

        mend_damaged(draft, [file for files in chosen for file in files])
    refused = _with_unsafe_names(draft, [file for files in chosen for file in files])
    tables: list[PlannedTable] = []
    for number, files in enumerate(chosen):
        for file in files:
            if file.file in refused:
                why = "refs in it have names that make git fail; they are left out"
                file.rewrite(why, file.readable._replace(drops_unsafe_names=True))
        after = chosen[number + 1 : number + 2]
        table = _table(draft, files, after[0][0].readable.limits[0] if after else HIGHEST_LIMIT)
        tables.append(table)
        for file in files:
            if file.file not in draft.listed:
                _plan_taking_up(draft, file, table)
            elif len(files) > 1:
                _plan_merging(draft, file, files, table)
    return tables


def _table(draft: Draft, files: Sequence[TableFile], following: int) -> PlannedTable:
    """The table that is made of some files; the next one begins with the update index `following`."""
    inputs = tuple(file.readable for file in files)
    limits = min(one.limits[0] for one in inputs), max(one.limits[1] for one in inputs)
    is_selected = any(draft.selected(file.file) for file in files)
    rewrites = len(files) > 1 or files[0].rewrites
    # An unlisted table gets another name: a process that saw it go from the list is about to remove it.
    is_unlisted = files[0].file not in draft.listed
    if not is_selected or not (rewrites or files[0].renames or is_unlisted):
        return PlannedTable(files[0].file, limits, inputs, is_rewritten=False)
    counts: salvage.Contents | None = None
    if rewrites:
        draft.known.tell("read what is readable")
        unlimited = [one._replace(limits=(one.limits[0], U64_MAX)) for one in inputs]
        counts = contents_of(draft.known.path, unlimited)
        # Log entries may be newer than the table says, as far as the next table leaves them.
        limits = limits[0], max(limits[1], min(counts.highest_log, following - 1))
        if limits[1] >= HIGHEST_LIMIT:  # it ends with its last update index, which may be of what is left out
            end = max(limits[0], counts.highest_ref, counts.highest_log)
            limits = limits[0], min(limits[1], end)
        inputs = tuple(
            one._replace(limits=(one.limits[0], limits[1]), own_limits=one.limits) for one in inputs
        )
        if max(counts.highest_ref, counts.highest_log) > limits[1]:
            counts = contents_of(draft.known.path, inputs)
    name = unused_table_name(limits, draft.options.suffix, draft.taken.__contains__)
    draft.taken.add(name)
    if counts is None:
        if not is_unlisted:
            draft.keep(StepKind.RENAME_TABLE, files[0], f"as {name}, with the same bytes")
        return PlannedTable(name, limits, inputs, is_rewritten=False)
    single_root = any(file.single_root for file in files)
    table = PlannedTable(name, limits, inputs, True, counts.refs, counts.logs, single_root)
    if len(files) == 1:
        _plan_rewriting(draft, files[0], table)
    return table


def _with_unsafe_names(draft: Draft, chosen: Sequence[TableFile]) -> set[str]:
    """The tables with refs whose names make git fail, if the stack shows any."""
    looked_at: Sequence[TableFile] = chosen
    is_as_listed = pack_table_list(file.file for file in chosen) == draft.known.raw
    if is_as_listed and not draft.known.files_with("ref-name-unsafe"):
        # fsck has seen all names, but for those that only salvaging brings to light.
        looked_at = [file for file in chosen if file.rewrites]
    found: set[str] = set()
    for file in looked_at:
        if contents_of(draft.known.path, [file.readable]).has_unsafe:
            found.add(file.file)
    return found


def _plan_taking_up(draft: Draft, file: TableFile, table: PlannedTable) -> None:
    findings = draft.known.findings(file.file)
    why = "; ".join(f"{one.code}: {one.message}" for one in findings) or "not listed"
    how = f"merged into {table.name}" if len(table.inputs) > 1 else f"as {table.name}"
    result = f"{how}, with {words_for(*draft.known.count(file))}"
    options = draft.options_of(file)
    if options[:1] == (StepKind.LEAVE_OUT,):
        result += (
            ", as far as the stack has none that are newer, or of the same update; the snapshot keeps it"
        )
    draft.steps.append(Step(StepKind.TAKE_UP, file.file, why, result, Severity.ERROR, options=options))


def _plan_merging(draft: Draft, file: TableFile, files: Sequence[TableFile], table: PlannedTable) -> None:
    others = " and ".join(other.file for other in files if other is not file)
    low, high = file.readable.limits
    file.reasons.insert(0, f"its update indexes, {low} to {high}, do not fit beside those of {others}")
    file.severity = Severity.ERROR
    result = (
        f"with {others} into {table.name}, which has {words_for(table.refs, table.logs)}: "
        "of one name, the table that is later in the list counts, as for git"
    )
    draft.keep(StepKind.MERGE_TABLE, file, result, draft.options_of(file))


def _plan_rewriting(draft: Draft, file: TableFile, table: PlannedTable) -> None:
    losses = file.losses
    result = f"as {table.name}, with {words_for(table.refs, table.logs)}"
    if losses is not None:
        if losses.uncertain_logs:
            entries = counted(losses.uncertain_logs, "reflog entry", "reflog entries")
            result += f"; {entries} from damaged bytes, which may be wrong, left out"
        if losses.stretches:
            stretches = counted(losses.stretches, "stretch", "stretches")
            result += f"; {stretches} ({losses.size} bytes) cannot be read"
        left_out = len(file.readable.left_out)
        if left_out:
            result += f"; {counted(left_out, 'ref')} of damaged bytes, which can be none, left out"
        restored = sum(map(len, file.readable.restored.ref_blocks())) if file.readable.restored else 0
        if restored:
            result += f"; {counted(restored, 'ref')} restored from the reflog"
        if file.regained_logs:
            entries = counted(file.regained_logs, "lost reflog entry", "lost reflog entries")
            result += f"; {entries} taken from tables that it was made of"
        surplus = (
            file.readable.regained
            + file.regained_logs
            + losses.refs
            + losses.logs
            - losses.uncertain_logs
            - table.refs
            - table.logs
        )
        surplus += losses.left_out - left_out
        if surplus > 0:
            result += f"; {counted(surplus, 'record')} repeated or impossible in a table, left out"
    options = draft.options_of(file) if file.file in draft.listed else ()
    draft.keep(StepKind.REWRITE_TABLE, file, result, options)
