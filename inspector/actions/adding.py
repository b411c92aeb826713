"""Applying `git update-ref` commands as one transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import ClassVar

from engine.errors import Cancelled, HookError, OutdatedError, ReftableError, shown
from engine.format import HashId, footer_size, header_size
from engine.progress import Progress, ProgressCallback
from engine.snapshot import Snapshot
from engine.stack import ReadRef, Stack
from engine.update import (
    PreparedUpdates,
    ReferenceHook,
    RefUpdate,
    Resolve,
    TransactionResult,
    UpdatePlan,
    hook_lines,
    parse_commands,
    prepare_updates,
)
from inspector.actions.base import Action, Plan, Result, command, word
from inspector.text import counted, error_text, safe_message, safe_name, update_lines


@dataclass(slots=True)
class Written:
    """What a transaction writes, and what became of the stack around it once it is over."""

    result: TransactionResult
    tables: int = 0
    merged: int = 0
    snapshot: Snapshot | None = None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AddAction(Action[UpdatePlan]):
    """One transaction: `commands` as `git update-ref --stdin` takes them, `message` for the reflogs.

    `nul_terminated` is the form of `git update-ref -z`. Without `force`, what git refuses of objects is an
    error, and so is an object that a repository cannot be asked for; with it there is a warning.
    """

    commands: bytes
    message: str = ""
    nul_terminated: bool = False
    force: bool = True
    title: ClassVar[str] = "Add a transaction"
    verb: ClassVar[str] = "Write"
    operation: ClassVar[str] = "add"

    @property
    def options(self) -> list[str]:
        """The message; the commands follow as a here-document."""
        return ["-m", word(self.message)] if self.message else []

    def _command(self, *more: str) -> str:
        return command(self.operation, [*more, *self.options], self.workplace.arguments, self.commands)

    def plan(self, progress: ProgressCallback) -> Plan[UpdatePlan]:
        """See which records would be written; no hook is run.

        Raises what `parse_commands`, `prepare_updates` and `PreparedUpdates.plan` raise.
        """
        with self.workplace.opened() as stack, self._shared_refs() as shared:
            with self.names() as resolve:
                commands = parse_commands(
                    self.commands, stack.hash_id, nul_terminated=self.nul_terminated, resolve=resolve
                )
            updates, found, forced = self._prepare(stack, commands, progress)
            hook = self._hook(found.append, forced)
            made = updates.plan(stack, shared=shared)
            warnings, needs_force = tuple(found), bool(forced)
            follow_up = _follow_up(stack, made)
        if made.table is None:
            nothing = "Nothing has to change: the refs are what the commands make of them."
            return Plan(made, made.names, nothing, warnings=warnings, is_noop=True, needs_force=needs_force)
        lines = (
            *update_lines(made),
            f"one table of {made.table.size:,} bytes, update index {made.table.max_update_index}",
            *(["the hook reference-transaction will be run, and may refuse it"] if hook else []),
            *follow_up,
        )
        sentence = f"{_amount(made)} will be written, all or none."
        return Plan(made, made.names, sentence, lines, warnings, needs_force=needs_force)

    def apply(self, plan: Plan[UpdatePlan], progress: ProgressCallback) -> Result:
        """Write the records of the plan; then let auto-compaction do what it does after an addition."""
        said: list[str] = []
        with self._transaction(plan.made.updates, progress, said.append, plan.made) as written:
            pass
        lines = list(update_lines(plan.made))
        if written.merged:
            lines.append(
                f"auto-compaction made {written.tables} tables into {written.tables - written.merged}"
            )
        warnings = (*(f"reference-transaction: {line}" for line in said), *written.warnings)
        sentence = f"Done: {_amount(plan.made)} written."
        return Result(sentence, tuple(lines), warnings, written.result, written.snapshot)

    @contextmanager
    def transaction(
        self,
        updates: Iterable[RefUpdate],
        progress: ProgressCallback,
        warn: Callable[[str], object],
        said: Callable[[str], object],
    ) -> Iterator[TransactionResult]:
        """One transaction of `updates` rather than of `commands`, prepared on entry: a clean exit commits it.

        What they write is worked out under the lock, so other processes cannot outdate it. `warn` is called
        before, `said` with each line that the hook prints. Raises RefusedError and what `prepare_updates` and
        `PreparedUpdates.transaction` raise.
        """
        self.workplace.require_writable()
        with self.workplace.opened() as stack:
            made, warnings, _ = self._prepare(stack, updates, progress)
        for warning in warnings:
            warn(warning)
        with self._transaction(made, progress, said) as written:
            yield written.result

    def abort(self, updates: Iterable[RefUpdate], said: Callable[[str], object]) -> None:
        """Tell the hook of a transaction that is aborted before it is prepared."""
        with suppress(HookError):  # which has no say in this
            if (hook := self._hook(said, [])) is not None:
                with self.workplace.opened() as stack:
                    lines = hook_lines(updates, stack.hash_id.size)
                hook.run("aborted", lines)

    @contextmanager
    def _transaction(
        self,
        made: PreparedUpdates,
        progress: ProgressCallback,
        said: Callable[[str], object],
        planned: UpdatePlan | None = None,
    ) -> Iterator[Written]:
        options = self.workplace.options
        progress(Progress("writing", 0, None))
        hook = self._hook(said, [])
        # Compacted here rather than by the addition itself, so that it can be watched, and stopped.
        alone = replace(options, auto_compact=False)
        changing = self.workplace.changing(self.operation, options=alone)
        with changing as (stack, record), self._shared_refs() as shared:
            with made.transaction(stack, shared=shared, hook=hook, planned=planned) as result:
                written = Written(result)
                yield written
            written.tables = len(stack.tables)
            if options.auto_compact and (result.refs or result.logs):
                written.warnings += _tidy_up(stack, progress)
            written.merged = written.tables - len(stack.tables)
        written.snapshot = record.snapshot

    @contextmanager
    def names(self) -> Iterator[Resolve]:
        """How the object names in commands are resolved: by git, as the worktree of the stack sees them."""
        repository = self.workplace.surroundings
        git_dir = repository.git_dir_of(self.workplace.directory)
        if git_dir is None:
            yield lambda _: "there is no repository"
        elif repository.git is None:
            yield lambda _: repository.git_problem or ""
        else:
            with repository.git.names(git_dir) as look_up:
                yield (
                    lambda name: (
                        look_up(name) or (repository.git_problem or "git finds no object of that name")
                    )
                )

    def _hook(self, said: Callable[[str], object], forced: list[str]) -> ReferenceHook | None:
        """The hook to run, if any. One that git would not run is an error, or with force a reason for it."""

        def output(data: bytes) -> None:
            for line in data.decode(errors="surrogateescape").splitlines():
                said(safe_name(line))

        try:
            return self.workplace.surroundings.reference_hook(self.workplace.directory, output)
        except HookError as error:
            if not self.force:
                raise HookError(f"{error}; --force writes it all the same") from None
            said(f"{safe_message(str(error))}.")
            forced.append(str(error))
            return None

    def _prepare(
        self, stack: Stack, updates: Iterable[RefUpdate], progress: ProgressCallback
    ) -> tuple[PreparedUpdates, list[str], list[str]]:
        """The transaction, warnings of its objects, and what only force allows: known once it is planned."""
        repository = self.workplace.surroundings
        warnings: list[str] = []
        types: dict[bytes, str | None] = {}
        forced: list[str] = []

        def problem(name: bytes, oid: bytes) -> str | None:
            if oid in types:
                reason = _objection(name, oid, types[oid])
            else:
                reason = (
                    f"git cannot be asked for the object {oid.hex()}: {repository.git_problem or 'it fails'}"
                )
            return None if reason is None else refuse(reason, warn=types.get(oid) is not None)

        def conflict(name: bytes, other: bytes) -> str | None:
            reason = f"cannot process {shown(name)} and {shown(other)} at the same time"
            return refuse(reason, warn=True)

        def refuse(reason: str, *, warn: bool) -> str | None:
            if not self.force:
                return f"{reason}; --force writes it all the same"
            forced.append(reason)
            if warn:
                warnings.append(f"git would refuse this: {safe_message(reason)}.")
            return None

        def peel(oids: Collection[bytes]) -> Mapping[bytes, bytes | None]:
            # Asking git about many objects takes a while, and is over when the user wants to stop.
            progress(Progress("objects", 0, None))
            known = repository.objects(oids)
            progress(Progress("objects", len(oids), None))
            types.update((oid, info.type) for oid, info in known.items())
            missing = [oid for oid, info in known.items() if info.type is None and self.force]
            warnings.extend(f"{oid.hex()}: the repository has no such object." for oid in missing)
            unchecked = len(oids) - len(known)
            if unchecked and (self.force or repository.git_dir is None):
                what = f"{counted(unchecked, 'object id')} could not be looked up"
                why = repository.git_problem if repository.git_dir is not None else None
                warnings.append(f"{what}; a tag among them is not peeled{f': {why}' if why else ''}.")
            return {oid: info.peeled for oid, info in known.items()}

        made = prepare_updates(
            updates,
            stack.hash_id,
            committer=repository.committer(),
            message=os.fsencode(self.message),
            autocreates_reflog=repository.autocreates_reflog,
            peel=peel,
            problem=None if repository.git_dir is None else problem,
            conflict=None if repository.git_dir is None else conflict,
        )
        return made, warnings, forced

    @contextmanager
    def _shared_refs(self) -> Iterator[ReadRef | None]:
        """How to read a ref that worktrees share, when the stack is that of a linked one; else None."""
        stacks = self.workplace.surroundings.stacks
        main = next(location.directory for location in stacks if location.name == "main")
        if os.path.realpath(main) == os.path.realpath(self.workplace.directory):
            yield None
        else:
            with Stack.open(main, self.workplace.options, read_only=True) as stack:
                yield stack.read_ref


def _objection(name: bytes, oid: bytes, kind: str | None) -> str | None:
    """Why git refuses an object of this kind for the ref, if it does; None is for one that does not exist."""
    if kind is None:
        return f"trying to write ref {shown(name)} with nonexistent object {oid.hex()}"
    if kind != "commit" and (name == b"HEAD" or name.startswith(b"refs/heads/")):
        return f"trying to write non-commit object {oid.hex()} (a {kind}) to branch {shown(name)}"
    return None


def _tidy_up(stack: Stack, progress: ProgressCallback) -> list[str]:
    """Auto-compact; what kept it from being done. The addition is part of the stack whatever happens."""
    try:
        stack.auto_compact(progress)
    except OutdatedError:
        pass  # another process is at it, or has been
    except Cancelled:
        return ["The compaction after it was stopped; the next addition will begin it again."]
    except (ReftableError, OSError) as error:
        reason = error_text(error)
        return [f"The compaction after it failed, and will be tried by the next addition: {reason}"]
    return []


def _follow_up(stack: Stack, made: UpdatePlan) -> list[str]:
    """What auto-compaction would do after the addition, if anything."""
    options = stack.options
    if made.table is None or not options.auto_compact:
        return []
    version = 1 if stack.hash_id is HashId.SHA1 else 2
    size = made.table.size - footer_size(version) - (header_size(version) - 1)
    sizes = [*stack.sizes, size]
    segment = options.suggestion(sizes)
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
