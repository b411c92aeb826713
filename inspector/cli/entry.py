"""The command line: `reftable-inspector [PATH]` opens the terminal inspector, a verb is for scripts.

A first argument that is a verb is the verb; everything else belongs to the inspector, which is
the verb with no name (so `./refs` is how to open a directory named `refs`).

Errors pass through the verbs untouched. They become an exit code and a line on standard error here.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import click

from engine.errors import Cancelled, ReftableError
from engine.stack import LockFile
from engine.system import POSIX
from inspector.exit_codes import ENDINGS, STANDARD_OUTPUT, WRITES, ExitCode, describe, note, report_defect

COMPLETING: Final = "_REFTABLE_INSPECTOR_COMPLETE"
"""The variable of the environment by which the script of a shell asks; its value is the shell."""

NO_NAME: Final = ""
"""The name of the verb without one: the inspector."""

_VERBS: Final = {
    "tables": "shape",
    "segments": "shape",
    "refs": "records",
    "logs": "records",
    "trace": "records",
    "resolve": "resolve",
    "print": "records",
    "layout": "layout",
    "fsck": "fsck",
    "survey": "survey",
    "export": "export",
    "repair": "repair",
    "add": "add",
    "compact": "changes",
    "expire": "changes",
    "clean": "changes",
    "demo": "demo",
    "snapshots": "snapshots",
    "undo": "snapshots",
    "completion": "completion",
}
"""The file of each verb, in the order of the help: no verb pays for the import of another."""
_FUNCTIONS: Final = {NO_NAME: "inspect", "print": "print_view"}
"""Those that are not named like their verb."""


class _CommandLine(click.Group):
    """Verbs by their first argument, the inspector for everything else; errors become exit codes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.list_commands(ctx) and args[0] not in ctx.help_option_names):
            from inspector.cli.suggestions import better_words

            if not ctx.resilient_parsing and (better := better_words(args, self.list_commands(ctx))):
                raise click.UsageError(better, ctx)
            args = [NO_NAME, *args]
        with _errors_as_codes(ctx):  # help is printed here
            return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        file = "terminal" if cmd_name == NO_NAME else _VERBS.get(cmd_name)
        if file is None:
            return None
        verb = getattr(import_module(f"inspector.cli.{file}"), _FUNCTIONS.get(cmd_name, cmd_name))
        assert isinstance(verb, click.Command)  # noqa: S101 - for the type checker
        return verb

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        found = super().resolve_command(ctx, args)
        # `main` has seen to it that nothing looks for garbage until here. The inspector has yet to import its
        # screens, and sees to the rest itself.
        if found[0] != NO_NAME and not gc.isenabled():
            gc.freeze()
            gc.enable()
        return found

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(
            ctx.command_path,
            "[PATH] [--demo[=KIND]] [--read-only] [--worktree NAME] [--no-mouse]",
        )
        formatter.write_usage(ctx.command_path, "VERB [OPTIONS] [PATH]", prefix=" " * len("Usage: "))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if nameless := self.get_command(ctx, NO_NAME):
            nameless.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def invoke(self, ctx: click.Context) -> None:
        with _errors_as_codes(ctx):
            super().invoke(ctx)


@contextmanager
def _errors_as_codes(ctx: click.Context) -> Iterator[None]:
    """End what is done here with the exit code and the line of its error, if there is one."""
    commits = LockFile.commits
    try:
        try:
            yield
        except click.exceptions.Exit:
            sys.stdout.flush()
            raise
        # An error of writing belongs here, and not to the end of the process.
        sys.stdout.flush()
    except (ReftableError, OSError, Cancelled, KeyboardInterrupt) as error:
        _settle_output()
        has_changed, writes = LockFile.commits > commits, ctx.meta.get(WRITES, False)
        code, line = describe(error, has_changed=has_changed, writes=writes)
        if line:
            note(line)
        ctx.exit(code)


def _settle_output() -> None:
    """Write what is buffered; where that fails, forget it, or the interpreter fails with it once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=_CommandLine, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Look into the reftable stacks of a git repository: in a terminal screen, or verb by verb.

    PATH is a work tree, a .git directory, a bare repository, a linked worktree or a reftable directory
    (default: here). A path that is named like a verb is written ./refs.

    \b
    Exit codes: 0 fine; 1 errors found, or left by a repair; 2 usage; 3 cannot be read; 4 locked;
    5 the stack changed since the plan; 6 cannot be written; 70 the program failed; 130 interrupted.
    """  # noqa: D301 - the backspace tells click to keep the lines


class _Written(io.FileIO):
    """Standard output or standard error. What the latter does not take is not missed."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - whatever is a buffer
        try:
            return super().write(data)
        except OSError as error:
            if self.fileno() == 1:
                raise OSError(error.errno, error.strerror, STANDARD_OUTPUT) from None
            return memoryview(data).nbytes


def _have_standard_streams() -> None:
    """Have all three, also where the caller has closed one: the next file, a table, would get its number.

    Standard input and output that were closed fail when they are used.
    """
    for number, (name, flags) in enumerate(
        (("stdin", os.O_WRONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY))
    ):
        stream = getattr(sys, name)
        if stream is None:
            fd = os.open(os.devnull, flags)
            if fd != number:
                os.dup2(fd, number)
                os.close(fd)
            stream = os.fdopen(number, "w" if number else "r", closefd=False)
        if number:
            raw = io.BufferedWriter(_Written(number, "w", closefd=False))
            by_line = number == 2 or stream.isatty()
            stream = io.TextIOWrapper(raw, stream.encoding, stream.errors, line_buffering=by_line)
        setattr(sys, name, stream)


def _allow_many_files() -> None:
    """Every table is an open file, and a stack that is kept badly may have thousands."""
    if POSIX:
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def command_line() -> int:
    """Carry out the command line of this process, and return the exit code.

    Raises `KeyboardInterrupt` for one that came before the verb, or behind it.
    """
    _have_standard_streams()
    # Being told to end is an interruption: locks and temporary files go on the way out.
    for ending in ENDINGS:
        signal.signal(ending, signal.default_int_handler)
    _allow_many_files()
    if (shell := os.environ.get(COMPLETING)) is not None:
        from inspector.cli.completion import answer

        return answer(cli, shell)
    try:
        return cli.main(prog_name="reftable-inspector", standalone_mode=False) or ExitCode.OK
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:  # what click makes of an interrupt
        raise KeyboardInterrupt from None
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a defect, and no finding
        _settle_output()
        report_defect(error, "the program")
        return ExitCode.INTERNAL


def ignore_interrupts() -> None:
    """The work is done: what is left is the end of Python."""
    for ending in (signal.SIGINT, *ENDINGS):
        signal.signal(ending, signal.SIG_IGN)
