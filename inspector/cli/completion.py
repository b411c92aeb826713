"""What may come next on a command line: the verb `completion`, whose scripts ask, and what is answered.

A shell's script puts the command line up to the cursor into COMP_WORDS, and what of it the shell replaces
into COMP_CWORD, and runs the program with _REFTABLE_INSPECTOR_COMPLETE. A line of the answer is

    plain VALUE HELP     a word that is whole
    part  VALUE HELP     one that goes on: no space behind it
    dir                  directories, which shells know better

with tabs between. Nothing is written, and no error told: where there is nothing to say, nothing is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from inspector.cli.output import Output

Item = CompletionItem[str]

_SCRIPTS: Final = {
    "bash": "reftable-inspector",
    "zsh": "_reftable-inspector",
    "fish": "reftable-inspector.fish",
}

_GIT_OPTIONS: Final = {"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--config-env", "--attr-source"}
"""Options of git that have a value, and stand before the verb."""


@click.command()
@click.argument("shell", type=click.Choice([*_SCRIPTS]))
def completion(shell: str) -> None:
    """Print the script that has a shell complete what is typed: verbs, options, refs, tables, worktrees.

    \b
    bash   source <(reftable-inspector completion bash)
    zsh    source <(reftable-inspector completion zsh)       behind compinit
    fish   reftable-inspector completion fish | source

    in the shell's start-up file. Installed for a user or the system, the scripts lie where shells look for
    them, and this is not needed. It works for `git reftable` where git's own completion is there.
    """  # noqa: D301 - the backspace tells click to keep the lines
    script = Path(__file__).parent / "completions" / shell / _SCRIPTS[shell]
    Output.standard().text(script.read_text("utf-8").splitlines())


def answer(cli: click.Command, shell: str) -> int:
    """Tell a script what may come next; the exit code of the process."""
    with suppress(Exception):
        found = _Completion(cli, shell).complete()
        sys.stdout.buffer.write(found.encode(errors="surrogateescape"))
        sys.stdout.flush()
    return 0


class _Completion(ShellComplete):
    """One question of a shell."""

    def __init__(self, cli: click.Command, shell: str) -> None:
        super().__init__(cli, {}, "reftable-inspector", "")
        self._shell = shell
        self._replaced = os.environ.get("COMP_CWORD", "")
        self._incomplete = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        # A letter behind the last word tells an empty one from none.
        words = split_arg_string(os.environ["COMP_WORDS"] + "x")
        *args, last = words
        self._incomplete = last[:-1]
        return _of_this_program(args), self._incomplete

    def get_completions(self, args: list[str], incomplete: str) -> list[Item]:
        if not args and not incomplete.startswith("-"):
            return [*self._verbs(incomplete), CompletionItem(incomplete, "dir")]
        return super().get_completions(args, incomplete)

    def _verbs(self, incomplete: str) -> Iterator[Item]:
        context = click.Context(self.cli)
        group = self.cli
        if isinstance(group, click.Group):
            for name in group.list_commands(context):
                if name.startswith(incomplete):
                    # bash shows no help, and does not wait until all verbs are imported.
                    verb = None if self._shell == "bash" else group.get_command(context, name)
                    yield CompletionItem(
                        name, help=verb.get_short_help_str(100) if verb is not None else None
                    )

    def format_completion(self, item: Item) -> str:
        value = item.value
        # The shell may replace more than the value (`--ref=main` in fish), or less (`host` of `user@host`).
        if item.type in ("plain", "part"):
            typed = self._incomplete
            if not typed.endswith(self._replaced):
                return ""
            whole = typed[: typed.index("=") + 1] + value if _has_value(typed) else value
            value = whole[len(typed) - len(self._replaced) :]
        return "\t".join([item.type, value, " ".join((item.help or "").split())])

    def complete(self) -> str:
        return "".join(f"{line}\n" for line in super().complete().split("\n") if line)


def _has_value(word: str) -> bool:
    return word.startswith("--") and "=" in word


def _of_this_program(words: list[str]) -> list[str]:
    """The arguments behind the name of the program; behind `git reftable`, with git's options taken up."""
    program, *args = words
    if os.path.basename(program) != "git":
        return args
    rest = iter(args)
    for word in rest:
        if not word.startswith("-"):
            break
        option, equals, value = word.partition("=")
        if option in _GIT_OPTIONS and not equals:
            value = next(rest)
        if option == "-C":
            os.chdir(os.path.expanduser(value))
        elif option == "--git-dir":
            os.environ["GIT_DIR"] = os.path.expanduser(value)
    return [*rest]
