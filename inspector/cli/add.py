"""The verb that writes transactions, as `git update-ref --stdin` does."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader
from typing import Final, cast

import click

from engine.progress import ProgressCallback
from engine.update import Control, RefUpdate, TransactionResult, read_commands
from inspector import text
from inspector.actions import AddAction, rehearse
from inspector.cli.opening import Call, dry_run_option, stack_verb
from inspector.cli.output import ProgressLine
from inspector.exit_codes import note
from inspector.text import log_line, ref_line

_CHUNK: Final = 65536


@click.command()
@click.option("-m", "message", metavar="MESSAGE", help="What the reflogs say about it; not empty.")
@click.option("-z", "nul_terminated", is_flag=True, help="The commands come in the form with NULs.")
@click.option("--force", is_flag=True, help="Write object ids that git would refuse for the ref.")
@dry_run_option
@stack_verb
def add(call: Call, message: str | None, nul_terminated: bool, force: bool, dry_run: bool) -> None:
    """Apply `git update-ref --stdin` commands.

    They are read from standard input and make one transaction, or several: start, prepare, commit and abort
    are answered at once, as by git ("start: ok"), and between prepare and commit the stack is locked. In
    the end prints what was written, refs and then reflog entries, tombstones among both; of a dry run, for
    one transaction only, the plan, and with --json the same records.
    Names of objects like HEAD~1 are resolved by git; full ids need none.

    Without --force it is refused, as by git, to write an object that the repository does not have, or
    another one than a commit to a branch or HEAD; to delete a ref and create one in its place whose name it
    is a directory of, or the other way round; and what git cannot be asked about.
    """
    if message == "":
        raise click.UsageError("git refuses an update with an empty message, too; leave -m out for none")
    written: list[TransactionResult] = []
    # What is there is read, without waiting for more: a program at the other end may wait for an answer.
    chunks = _standard_input()
    data = b"".join(chunks) if dry_run else b""
    action = AddAction(call.workplace, data, message or "", nul_terminated, force)
    plan = None
    with ProgressLine() as progress:
        if dry_run:
            plan = rehearse(action, progress)
            for warning in plan.warnings:
                _warn(warning)
            written.append(plan.made.result)
        else:
            with call.workplace.opened() as stack:
                hash_id = stack.hash_id
            with action.names() as resolve:
                commands = read_commands(chunks, hash_id, nul_terminated=nul_terminated, resolve=resolve)
                try:
                    _make_transactions(call, action, commands, written, progress)
                except BaseException:
                    _print_written(call, written)
                    raise
    if not any(result.refs or result.logs for result in written):
        note("nothing had to change")
    elif plan is not None and not call.as_json:
        call.out.text([plan.sentence, *plan.lines])
    else:
        _print_written(call, written)


def _standard_input() -> Iterator[bytes]:
    """What can be read, as soon as it can be. Raises `click.UsageError` where the caller has closed it."""
    try:
        yield from iter(lambda: cast("BufferedReader", sys.stdin.buffer).read1(_CHUNK), b"")
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        raise click.UsageError("standard input is closed, from which the commands are read") from None


class _AbortedError(Exception):
    """Raised into a prepared transaction, so that it is not committed."""


def _make_transactions(
    call: Call,
    action: AddAction,
    commands: Iterator[RefUpdate | Control],
    written: list[TransactionResult],
    progress: ProgressCallback,
) -> None:
    """Make each transaction when its commands say so, and answer them as git does. Fills `written`."""
    updates: list[RefUpdate] = []
    for command in commands:
        if isinstance(command, RefUpdate):
            updates.append(command)
            continue
        end = command
        if command.verb == "abort":
            action.abort(updates, note)
        elif command.verb != "start":
            with suppress(_AbortedError), action.transaction(updates, progress, _warn, note) as result:
                if command.verb == "prepare":
                    _answer(call, command)
                    end = cast("Control", next(commands))
                    if end.verb == "abort":
                        raise _AbortedError
            if end.verb == "commit":
                written.append(result)
        if command.verb != "start":
            updates = []
        _answer(call, end)


def _answer(call: Call, command: Control) -> None:
    """Say at once that a command is carried out; the end of the input gets no answer."""
    if not command.place:
        return
    try:
        if call.as_json:
            call.out.objects([{"kind": "answer", "command": command.verb, "answer": "ok"}])
        else:
            call.out.text([f"{command.verb}: ok"])
        call.out.flush()
    except BrokenPipeError:  # not the end of a reader that has all it wants: the transaction is aborted
        raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None


def _print_written(call: Call, written: list[TransactionResult]) -> None:
    out = call.out
    refs = [record for result in written for record in result.refs]
    logs = [record for result in written for record in result.logs]
    if call.as_json:
        out.json(text.ref_json(record, None, '"kind":"ref",') for record in refs)
        out.json(text.log_json(record, None, '"kind":"log",') for record in logs)
    else:
        out.lines(ref_line(record, out.show) for record in refs)
        null_id = bytes(max((len(record.new or record.old or b"") for record in logs), default=0))
        out.lines(log_line(record, null_id, out.show) for record in logs)


def _warn(warning: str) -> None:
    note(f"warning: {warning}")
