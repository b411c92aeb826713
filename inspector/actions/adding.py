"""Applying `git update-ref` commands as one transaction."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from engine import snapshot as snapshots, update as updating
from engine.errors import Cancelled, HookError, OutdatedError, ReftableError
from engine.format import HashId, policy_size
from engine.git import JointStacks, Objections, prepare_for
from engine.progress import Progress, ProgressCallback
from engine.stack import Stack
from engine.update import (
    PreparedUpdates,
    RefUpdate,
    Resolve,
    StackUpdate,
    TransactionResult,
    UpdatePlan,
    hook_lines,
    parse_commands,
)
from inspector.actions.base import Action, Plan, Result
from inspector.actions.workplace import Workplace, command, word
from inspector.text import counted, error_text, positions_text, safe_message, safe_name, update_lines


class Written:
    """What a transaction writes, and what became of the stack around it once it is over."""

    def __init__(self, result: TransactionResult) -> None:
        self.result = result
        self.snapshot: snapshots.Snapshot | None = None
        self.lines: list[str] = []
        self.warnings: list[str] = []


@dataclass(frozen=True, slots=True)
class AddAction(Action[UpdatePlan]):
    """One transaction: `commands` as `git update-ref --stdin` takes them, `message` for the reflogs.

    `nul_terminated` is the form of `git update-ref -z`. Without `force`, what git refuses of objects is an
    error, and so is an object that a repository cannot be asked for; with it there is a warning.
    """

    workplace: Workplace
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
        found: list[str] = []
        objections = self._objections(found.append)
        with self._stacks() as stacks:
            hash_id = stacks.to_read(stacks.own or stacks.main).hash_id
            with self.names() as resolve:
                commands = parse_commands(
                    self.commands, hash_id, nul_terminated=self.nul_terminated, resolve=resolve
                )
            updates = self._prepare(hash_id, commands, objections, progress)
            hook = self._hook(found.append, objections.forced)
            made = updates.plan(stacks)
            warnings, needs_force = tuple(found), bool(objections.forced)
            tables = [
                line
                for part in made.parts
                for line in self._table_lines(part, stacks.to_read(part.directory))
            ]
        if not made.parts:
            nothing = "Nothing has to change: the refs are what the commands make of them."
            return Plan(made, made.names, nothing, warnings=warnings, is_noop=True, needs_force=needs_force)
        lines = (
            *update_lines(made),
            *tables[:1],
            *(["the hook reference-transaction will be run, and may refuse it"] if hook else []),
            *tables[1:],
        )
        sentence = f"{_amount(made)} will be written, all or none."
        return Plan(made, made.names, sentence, lines, warnings, needs_force=needs_force)

    def apply(self, plan: Plan[UpdatePlan], progress: ProgressCallback) -> Result:
        """Write the records of the plan; then let auto-compaction do what it does after an addition."""
        said: list[str] = []
        with self._transaction(plan.made.updates, progress, said.append, plan.made) as written:
            pass
        lines = [*update_lines(plan.made), *written.lines]
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
            made = self._prepare(stack.hash_id, updates, self._objections(warn), progress)
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
        progress(Progress("writing", 0, None))
        hook = self._hook(said, [])
        changing: dict[Path, tuple[Stack, snapshots.ChangeRecord]] = {}
        now = time.time()
        with ExitStack() as held:

            def open_to_write(directory: Path) -> Stack:
                there = self.workplace.at(directory)
                there.require_writable()
                # Compacted here rather than by the addition itself, so that it can be watched, and stopped.
                alone = replace(there.options, auto_compact=False)
                changing[directory] = held.enter_context(
                    there.changing(self.operation, options=alone, now=now)
                )
                return changing[directory][0]

            with self._stacks(open_to_write) as stacks:
                with made.transaction(stacks, hook=hook, planned=planned) as result:
                    written = Written(result)
                    yield written
                if result.refs or result.logs:
                    for directory, (stack, _) in changing.items():
                        self._tidy_up(directory, stack, written, progress)
        for directory, (_, record) in changing.items():
            if not (other := self._other(directory)):
                written.snapshot = record.snapshot
            elif record.snapshot is not None:
                undo = self.workplace.at(directory).undo_command(record.snapshot.id)
                written.lines.append(f"the change of {other} is taken back by: {undo}")

    def _stacks(self, open_to_write: Callable[[Path], Stack] | None = None) -> JointStacks[Stack]:
        """The stacks as the worktree of this one has them."""
        return self.workplace.surroundings.joint_stacks(
            lambda directory: self.workplace.at(directory).opened(),
            open_to_write,
            own=self.workplace.directory,
        )

    def _other(self, directory: str | Path) -> str:
        """`the stack of the worktree side`: which other stack than that of the workplace it is, if it is."""
        if os.path.realpath(directory) == os.path.realpath(self.workplace.directory):
            return ""
        for location in self.workplace.surroundings.stacks:
            if os.fspath(location.directory) == os.fspath(directory) and location.name != "main":
                return f"the stack of the worktree {safe_name(location.name)}"
        return "the main stack"

    def _table_lines(self, part: StackUpdate, stack: Stack) -> Iterator[str]:
        """The table that a plan adds to a stack, and what auto-compaction would do after it."""
        if part.table is not None:
            index, other = part.table.max_update_index, self._other(part.directory)
            where = f", in {other}" if other else ""
            yield f"one table of {part.table.size:,} bytes, update index {index}{where}"
            yield from _follow_up(stack, part.table.size)

    def _tidy_up(self, directory: Path, stack: Stack, written: Written, progress: ProgressCallback) -> None:
        """Auto-compact, and note it. The addition is part of the stack whatever happens."""
        if not self.workplace.options.auto_compact:
            return
        count = len(stack.tables)
        try:
            stack.auto_compact(progress)
        except OutdatedError:
            pass  # another process is at it, or has been
        except Cancelled:
            written.warnings.append(
                "The compaction after it was stopped; the next addition will begin it again."
            )
        except (ReftableError, OSError) as error:
            reason = error_text(error)
            written.warnings.append(
                f"The compaction after it failed, and will be tried by the next addition: {reason}"
            )
        if (left := len(stack.tables)) != count:
            other = self._other(directory)
            where = f" of {other}" if other else ""
            written.lines.append(f"auto-compaction made {count} tables{where} into {left}")

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

    def _hook(self, said: Callable[[str], object], forced: list[str]) -> updating.ReferenceHook | None:
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

    def _objections(self, warn: Callable[[str], object]) -> Objections:
        hint = "--force writes it all the same"
        return Objections(
            self.workplace.surroundings, self.force, hint, lambda warning: warn(safe_message(warning))
        )

    def _prepare(
        self,
        hash_id: HashId,
        updates: Iterable[RefUpdate],
        objections: Objections,
        progress: ProgressCallback,
    ) -> PreparedUpdates:
        # Asking git about many objects takes a while, and is over when the user wants to stop.
        progress(Progress("objects", 0, None))
        message = os.fsencode(self.message)
        made = prepare_for(self.workplace.surroundings, updates, hash_id, message, objections)
        progress(Progress("objects", len(made.peeled), None))
        return made


def _follow_up(stack: Stack, size: int) -> list[str]:
    """What auto-compaction would do after the addition of a table of `size` bytes, if anything."""
    options = stack.options
    if not options.auto_compact:
        return []
    sizes = [*stack.sizes, policy_size(size, stack.hash_id.version)]
    segment = options.suggestion(sizes)
    if not len(segment):
        return ["auto-compaction will find nothing to merge after it"]
    if segment.end == len(sizes):
        which = f"this table and the newest {counted(len(segment) - 1, 'other', 'others')}"
    else:
        which = f"tables {positions_text(segment.positions)}"
    return [f"auto-compaction ({options.policy} rule) will merge {which}"]


def _amount(made: UpdatePlan) -> str:
    refs, logs = len(made.result.refs), len(made.result.logs)
    parts = [counted(refs, "ref")] if refs else []
    if logs:
        parts.append(counted(logs, "reflog entry", "reflog entries"))
    return " and ".join(parts)
