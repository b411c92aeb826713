"""Applying `git update-ref` commands as one transaction; what the verb `add` and the screen of it share."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import ClassVar

from engine.errors import Cancelled, OutdatedError, ReftableError
from engine.format import HashId, LogRecord, RefRecord, footer_size, header_size
from engine.git import Repository
from engine.merge import suggest_compaction_segment, suggest_geometric_segment
from engine.progress import Progress, ProgressCallback
from engine.stack import Stack, StackOptions
from engine.update import ReadRef, UpdatePlan, apply_planned, parse_commands, plan_updates
from inspector.actions.base import Plan, Result, Workplace
from inspector.actions.shell import command, word
from inspector.actions.words import counted
from inspector.text import safe_name, safe_text

__all__ = ["AddAction", "peel_tags", "shared_refs"]


@contextmanager
def shared_refs(repository: Repository, directory: Path, options: StackOptions) -> Iterator[ReadRef | None]:
    """How to read a ref that worktrees share, when `directory` is the stack of a linked one; else None."""
    main = next(location for location in repository.stacks if location.name == "main")
    if os.path.realpath(main.directory) == os.path.realpath(directory):
        yield None
    else:
        with Stack.open(main.directory, options, read_only=True) as stack:
            yield stack.read_ref


def peel_tags(
    repository: Repository, oids: Collection[bytes], warn: Callable[[str], object]
) -> Mapping[bytes, bytes | None]:
    """What tags among the ids point to; warns of ids that the repository has no object for."""
    known = repository.objects(oids)
    for oid, info in known.items():
        if info.type is None:
            warn(f"{oid.hex()}: the repository has no such object")
    if unchecked := len(oids) - len(known):
        warn(f"{counted(unchecked, 'object id')} could not be looked up; a tag among them is not peeled")
    return {oid: info.peeled for oid, info in known.items()}


@dataclass(frozen=True, slots=True)
class AddAction:
    """One transaction: `commands` as `git update-ref --stdin` takes them, `message` for the reflogs."""

    workplace: Workplace
    commands: bytes
    message: str = ""
    title: ClassVar[str] = "Add a transaction"
    verb: ClassVar[str] = "Write"
    operation: ClassVar[str] = "add"

    @property
    def command_line(self) -> str:
        """The verb `add`, with the commands as a here-document."""
        options = ["-m", word(self.message)] if self.message else []
        return command("add", options, self.workplace.arguments, self.commands)

    def plan(self, progress: ProgressCallback) -> Plan[UpdatePlan]:
        """See which records would be written. Raises what `plan_updates` raises."""
        workplace = self.workplace
        repository = workplace.surroundings
        warnings: list[str] = []

        def peel(oids: Collection[bytes]) -> Mapping[bytes, bytes | None]:
            # Asking git about many objects takes a while, and is over when somebody wants to stop.
            progress(Progress("objects", 0, None))
            found = peel_tags(repository, oids, lambda text: warnings.append(f"{text}."))
            progress(Progress("objects", len(oids), None))
            return found

        with (
            workplace.opened() as stack,
            shared_refs(repository, workplace.directory, workplace.options) as shared,
        ):
            made = plan_updates(
                stack,
                parse_commands(self.commands, stack.hash_id),
                committer=repository.committer(),
                message=os.fsencode(self.message),
                autocreates_reflog=repository.autocreates_reflog,
                peel=peel,
                shared=shared,
            )
            follow_up = _follow_up(stack, made)
        if made.table is None:
            nothing = "Nothing has to change: the refs are what the commands make of them."
            return Plan(made, made.names, nothing, (), tuple(warnings), is_noop=True)
        lines = [
            *_lines(made),
            f"one table of {made.table.size:,} bytes, update index {made.table.max_update_index}",
            *follow_up,
        ]
        return Plan(
            made, made.names, f"{_amount(made)} will be written, all or none.", tuple(lines), tuple(warnings)
        )

    def apply(self, plan: Plan[UpdatePlan], progress: ProgressCallback) -> Result:
        """Write the records of the plan; then let auto-compaction do what it does after an addition."""
        workplace = self.workplace
        progress(Progress("writing", 0, None))
        if plan.made.table is None:
            return Result("Done: nothing had to change.", ())
        # Compacted here rather than by the addition itself, so that it can be watched, and stopped.
        alone = replace(workplace.options, auto_compact=False)
        with (
            workplace.opened(to_write=True, options=alone) as stack,
            shared_refs(workplace.surroundings, workplace.directory, workplace.options) as shared,
        ):
            apply_planned(stack, plan.made, shared=shared)
            count = len(stack.tables)
            warning = _tidy_up(stack, progress) if workplace.options.auto_compact else None
            merged = count - len(stack.tables)
        lines = list(_lines(plan.made))
        if merged:
            lines.append(f"auto-compaction made {count} tables into {count - merged}")
        return Result(f"Done: {_amount(plan.made)} written.", tuple(lines), (warning,) if warning else ())


def _tidy_up(stack: Stack, progress: ProgressCallback) -> str | None:
    """Auto-compact; what kept it from being done. The addition is part of the stack whatever happens."""
    try:
        stack.auto_compact(progress)
    except OutdatedError:
        return None  # another process is at it, or has been
    except Cancelled:
        return "The compaction after it was stopped; the next addition will begin it again."
    except (ReftableError, OSError) as error:
        return (
            f"The compaction after it failed, and will be tried by the next addition: {safe_name(str(error))}"
        )
    return None


def _follow_up(stack: Stack, made: UpdatePlan) -> list[str]:
    """What auto-compaction would do after the addition, if anything."""
    options = stack.options
    if made.table is None or not options.auto_compact:
        return []
    version = 1 if stack.hash_id is HashId.SHA1 else 2
    size = made.table.size - footer_size(version) - (header_size(version) - 1)
    sizes = [*stack.sizes, size]
    if options.policy == "geometric":
        segment = suggest_geometric_segment(sizes, options.factor)
    else:
        segment = suggest_compaction_segment(sizes)
    if not len(segment):
        return ["auto-compaction will find nothing to merge after it"]
    if segment.end == len(sizes):
        which = f"this table and the newest {counted(len(segment) - 1, 'other', 'others')}"
    else:
        which = f"tables #{segment.start} to #{segment.end - 1}"
    return [f"auto-compaction ({options.policy} rule) will merge {which}"]


def _amount(made: UpdatePlan) -> str:
    refs, logs = len(made.result.refs), len(made.result.logs)
    parts = [counted(refs, "ref")] if refs else []
    if logs:
        parts.append(counted(logs, "reflog entry", "reflog entries"))
    return " and ".join(parts)


def _lines(made: UpdatePlan) -> Iterator[str]:
    """Each ref before and after, then the reflog entries, in as few cells as whole object ids allow."""
    for before, after in zip(made.before, made.result.refs, strict=True):
        kind = "delete" if after.is_deletion else "create" if before is None else "update"
        yield f"{kind} {safe_text(after.name)}"
        yield f"  old {_value(before)}"
        yield f"  new {_value(after)}"
    for name, group in groupby(made.result.logs, attrgetter("name")):
        yield from _log_lines(name, list(group))


def _value(record: RefRecord | None) -> str:
    if record is None or record.is_deletion:
        return "none"
    if record.target is not None:
        return f"-> {safe_text(record.target)}"
    peeled = f", tag of {record.peeled.hex()}" if record.peeled is not None else ""
    return f"{(record.value or b'').hex()}{peeled}"


def _log_lines(name: bytes, logs: Sequence[LogRecord]) -> Iterator[str]:
    deleted = sum(log.is_deletion for log in logs)
    if deleted:
        yield f"reflog of {safe_text(name)}: {counted(deleted, 'entry', 'entries')} deleted"
    for log in logs:
        if not log.is_deletion:
            yield f"reflog of {safe_text(name)}"
            yield f"  old {(log.old or b'').hex()}"
            yield f"  new {(log.new or b'').hex()}"
            yield f"  by  {safe_text(log.committer)} <{safe_text(log.email)}> {log.time} {log.tz:+05d}"
            message = log.message.rstrip(b"\n")
            if message:
                yield f"  msg {safe_text(message)}"
