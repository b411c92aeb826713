"""HEAD written anew where the stack has none, or one that names no branch: which branch, and how."""

from __future__ import annotations

from itertools import islice
from typing import Final

from engine.fsck import Finding
from engine.readable import open_readable
from inspector.actions.ref_form import name_field
from inspector.actions.workplace import PROGRAM, Workplace, word

_BRANCHES: Final = b"refs/heads/"
_USUAL: Final = ("main", "master")
"""The names that git gives to the first branch, by its version."""


def branch_for_head(workplace: Workplace) -> bytes | None:
    """The branch that HEAD most likely named, by its full name; None where it would be a guess.

    The one of init.defaultBranch, main, master, or the only one there is; where there is none yet, the one
    that init.defaultBranch says. Reads the branches, of all worktrees; raises `OSError` or `ReftableError`.
    """
    around = workplace.surroundings
    asked = around.config.text("init.defaultbranch")
    directory = workplace.directory if workplace.home is None else around.stacks[0].directory
    usual = [_BRANCHES + one.encode("utf-8", "surrogateescape") for one in (asked, *_USUAL) if one]
    with open_readable(directory, workplace.options) as stack:
        for name in usual:
            if stack.merged.read_ref(name) is not None:
                return name
        some = [one.name for one in islice(stack.merged.refs(_BRANCHES), 2)]
    if some:
        return some[0] if len(some) == 1 else None
    return usual[0] if asked else None


def command_for_head(workplace: Workplace, finding: Finding) -> str:
    """What writes HEAD in a shell; BRANCH stands for the branch where only the user can know it."""
    branch = branch_for_head(workplace)
    target = "refs/heads/BRANCH" if branch is None else name_field(branch)
    lines = [f"symref-create HEAD {target}"]
    if finding.code != "head-missing":
        lines = ["option no-deref", f"symref-update HEAD {target}"]
    said = f"echo {word(lines[0])}" if len(lines) == 1 else f"printf '%s\\n' {' '.join(map(word, lines))}"
    return f"{said} | {PROGRAM} add {' '.join(workplace.arguments)}"
