"""What surrounds a stack: git's configuration, its program, the repository and its worktrees.

May import `stack`.

    config        the syntax of a config file, and what its values mean
    program       what is asked of the git program
    hook          the hook reference-transaction
    repository    a repository: its stacks, and what git's configuration asks of them
    finding       from any path that a user types to the repository behind it
    searching     from directories to all repositories below them
"""

from engine.git.finding import find_repository as find_repository
from engine.git.hook import ReferenceHook as ReferenceHook
from engine.git.program import Identity as Identity
from engine.git.repository import Repository as Repository, StackLocation as StackLocation
from engine.git.searching import (
    FoundRepository as FoundRepository,
    repositories_below as repositories_below,
)
