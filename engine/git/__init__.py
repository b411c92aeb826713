"""What surrounds a stack: git's configuration, its program, the repository and its worktrees.

May import `update`.

    config        the syntax of a config file, and what its values mean
    program       what is asked of the git program
    committer     who makes a reflog entry, as far as it is told without git
    joint         which stack has which ref, and the two stacks of a linked worktree as one view
    writing       transactions as git would make them in the repository
    refs          the refs of a repository, its stacks as one, as git sees them from a worktree
    objects       what a commit or a tag says, from one git process
    repository    a repository: its stacks, and what git's configuration asks of them
    finding       from any path that a user types to the repository behind it
    searching     from directories to all repositories below them
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.git.finding import find_repository as find_repository
    from engine.git.joint import JointStacks as JointStacks, JointView as JointView
    from engine.git.objects import GitObject as GitObject, ObjectReader as ObjectReader
    from engine.git.program import GitProgram as GitProgram, ObjectInfo as ObjectInfo
    from engine.git.refs import Refs as Refs, possible_names as possible_names, short_name as short_name
    from engine.git.repository import Repository as Repository, StackLocation as StackLocation
    from engine.git.searching import (
        FoundRepository as FoundRepository,
        repositories_below as repositories_below,
    )
    from engine.git.writing import (
        Objections as Objections,
        RefTransaction as RefTransaction,
        prepare_for as prepare_for,
    )
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "finding": "find_repository",
            "joint": "JointStacks JointView",
            "objects": "GitObject ObjectReader",
            "program": "GitProgram ObjectInfo",
            "refs": "Refs possible_names short_name",
            "repository": "Repository StackLocation",
            "searching": "FoundRepository repositories_below",
            "writing": "Objections RefTransaction prepare_for",
        },
    )
