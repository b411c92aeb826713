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
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib.resources import files
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from engine.format import is_table_file
from engine.snapshot import list_snapshots
from inspector.cli.opening import Call, View
from inspector.cli.output import Output
from inspector.text import safe_name

Item = CompletionItem[str]

_SCRIPTS: Final = {
    "bash": "reftable-inspector",
    "zsh": "_reftable-inspector",
    "fish": "reftable-inspector.fish",
}
_MOST: Final = 200
"""So many refs are told by name; of more, what comes before the next slash."""

_SHORT: Final = (b"refs/heads/", b"refs/tags/", b"refs/remotes/")
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
    script = files(__package__).joinpath("completions", shell, _SCRIPTS[shell])
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
        found = super().get_completions(args, incomplete)
        if not args and not incomplete.startswith("-"):
            found[:0] = self._verbs(incomplete)
        return found

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


# What options and arguments are completed with: see `completes` in opening.


def directories(_context: click.Context, incomplete: str) -> Iterable[Item]:
    """Directories."""
    return [CompletionItem(incomplete, "dir")]


def full_refs(context: click.Context, incomplete: str) -> Iterable[Item]:
    """Whole names of refs."""
    typed = os.fsencode(incomplete)
    return _read(context, lambda view: _names(view, typed))


def refs(context: click.Context, incomplete: str) -> Iterable[Item]:
    """Names of refs as people type them: `main`, `v1.0`, `origin/main`, HEAD, or whole ones."""
    typed = os.fsencode(incomplete)

    def found(view: View) -> Iterator[tuple[bytes, bool]]:
        if typed.startswith(b"refs/"):
            yield from _names(view, typed)
            return
        for prefix in _SHORT:
            for name, is_whole in _names(view, prefix + typed):
                yield name.removeprefix(prefix), is_whole
        yield from _names(view, typed, end=b"refs/")
        if b"refs/".startswith(typed):
            yield b"refs/", False

    return _read(context, found)


def tables(context: click.Context, incomplete: str) -> Iterable[Item]:
    """Table files in the directory of the stack."""
    names = sorted(os.listdir(_call(context).workplace.directory))
    return _items(
        (os.fsencode(name), True) for name in names if is_table_file(name) and name.startswith(incomplete)
    )


def worktrees(context: click.Context, incomplete: str) -> Iterable[Item]:
    """The worktrees of the repository; the main one is `main`."""
    stacks = _call(context, worktree=None).workplace.surroundings.stacks
    return _items((os.fsencode(one.name), True) for one in stacks if one.name.startswith(incomplete))


def snapshots(context: click.Context, incomplete: str) -> Iterable[Item]:
    """Ids of snapshots, the newest first."""
    for one in list_snapshots(_call(context).workplace.directory):
        if one.id.startswith(incomplete) and _is_shown(one.id):
            yield CompletionItem(one.id, help=f"before the {one.operation}")


def snapshots_and_directories(context: click.Context, incomplete: str) -> Iterable[Item]:
    """Either."""
    with suppress(Exception):  # here is no stack, but there may be one elsewhere
        yield from snapshots(context, incomplete)
    yield from directories(context, incomplete)


def _call(context: click.Context, **changed: Any) -> Call:  # noqa: ANN401 - fields of `Call`
    """The stack that the words so far mean."""
    # Behind an option without its value, click leaves the arguments alone.
    names = [one.name for one in context.command.params if isinstance(one, click.Argument)]
    given = dict(zip(names, context.args, strict=False))
    given |= {name: value for name, value in context.params.items() if value is not None} | changed
    typed = given.get("path") or next(filter(os.path.isdir, given.get("words") or ()), None)
    path = None if typed is None else Path(os.path.expandvars(os.path.expanduser(typed)))
    return Call(path, given.get("worktree"), as_json=False)


def _read(context: click.Context, found: Callable[[View], Iterable[tuple[bytes, bool]]]) -> list[Item]:
    with _call(context).shown(alone=context.params.get("stack_only", False)) as (_, view):
        return [*_items(found(view))]


def _names(view: View, prefix: bytes, end: bytes | None = None) -> Iterator[tuple[bytes, bool]]:
    """The refs that begin with `prefix`, up to `end`, and whether a name is whole."""
    few = [*islice(_begin_with(view, prefix, prefix, end), _MOST + 1)]
    if len(few) <= _MOST:
        yield from ((name, True) for name in few)
        return
    start = prefix
    for _ in range(_MOST):
        name = next(_begin_with(view, start, prefix, end), None)
        if name is None:
            return
        slash = name.find(b"/", len(prefix))
        start = name + b"\0" if slash < 0 else name[:slash] + b"0"  # which sorts behind the slash
        yield (name, True) if slash < 0 else (name[: slash + 1], False)


def _begin_with(view: View, start: bytes, prefix: bytes, end: bytes | None) -> Iterator[bytes]:
    for record, _ in chain.from_iterable(view.ref_origins(start)):
        if not record.name.startswith(prefix) or (end is not None and record.name >= end):
            return
        yield record.name


def _items(names: Iterable[tuple[bytes, bool]]) -> Iterator[Item]:
    """Names that a shell may have in its line, each once."""
    for name, is_whole in dict.fromkeys(names):
        text = os.fsdecode(name)
        if _is_shown(text):
            yield CompletionItem(text, "plain" if is_whole else "part")


def _is_shown(text: str) -> bool:
    return safe_name(text) == text
