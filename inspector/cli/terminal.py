"""The verb with no name: it opens the terminal inspector."""

from __future__ import annotations

from pathlib import Path

import click

from engine import __version__, compiled
from engine.stack import StackOptions
from inspector import demo, tui
from inspector.actions import Workplace
from inspector.cli.opening import find_stack, path_options


class _NamelessContext(click.Context):
    """Usage and errors of the inspector speak of the program, not of a verb with an empty name."""

    @property
    def command_path(self) -> str:
        return self.parent.command_path if self.parent else super().command_path


class _Nameless(click.Command):
    context_class = _NamelessContext


@click.command("", cls=_Nameless)
@click.option(
    "--demo",
    "made",
    type=click.Choice(["sound", "damaged", "compaction"]),
    is_flag=False,
    flag_value="sound",
    metavar="[=sound|damaged|compaction]",
    help="Open the stack of an invented repository, made for the occasion (sound); a damaged one to repair; "
    "or a guided tour of compaction, on six small stacks.",
)
@click.option("--read-only", is_flag=True, help="Plan changes of the stack, but apply none.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
@click.version_option(
    __version__,
    prog_name="reftable-inspector",
    message=f"%(prog)s %(version)s ({'compiled' if compiled else 'interpreted'})",
)
@path_options
@click.pass_context
def inspect(
    ctx: click.Context,
    path: Path | None,
    worktree: str | None,
    made: str | None,
    read_only: bool,
    no_mouse: bool,
) -> None:
    """Open the terminal inspector on the stack behind PATH. Looking changes nothing in it.

    Where there are several stacks, and --worktree does not say which, it asks.
    """
    if made is None:
        workplace = find_stack(path, worktree, read_only=read_only)
        repository = workplace.surroundings
        ask = worktree is None and len(repository.stacks) > 1
        label = str(repository.path) if worktree is None else f"{repository.path} ({worktree})"
        ctx.exit(tui.run_inspector(workplace, label=label, ask=ask, mouse=not no_mouse))
    if path is not None or worktree is not None:
        raise click.UsageError("--demo opens a stack of its own: leave out PATH and --worktree")
    if made == "compaction":
        ctx.exit(tui.run_tour(mouse=not no_mouse))
    import tempfile

    with tempfile.TemporaryDirectory(prefix="reftable-demo-") as parent:
        directory = Path(parent, "reftable")
        (demo.build_damaged_demo if made == "damaged" else demo.build_demo)(directory)
        workplace = Workplace(directory, StackOptions(), read_only=read_only)
        code = tui.run_inspector(workplace, label="demo", mouse=not no_mouse)
    ctx.exit(code)
