"""The verb that makes a stack."""

from __future__ import annotations

from pathlib import Path

import click

from inspector import demo as demos
from inspector.cli.opening import completes, json_option
from inspector.cli.output import Output
from inspector.exit_codes import WRITES
from inspector.text import safe_name


@click.command()
@click.argument(
    "directory", metavar="DIR", type=click.Path(path_type=Path), shell_complete=completes("directories")
)
@click.option("--damaged", is_flag=True, help="With several kinds of damage, to try fsck and repair on.")
@json_option
def demo(directory: Path, damaged: bool, as_json: bool) -> None:
    """Make a stack to play with.

    DIR must be empty or not exist. Prints the path of the stack.
    """
    click.get_current_context().meta[WRITES] = True
    (demos.build_damaged_demo if damaged else demos.build_demo)(directory)
    out = Output.standard()
    if as_json:
        out.objects([{"path": str(directory)}])
    else:
        out.text([safe_name(str(directory))])
