"""What surrounds a stack: git's configuration, its program, the repository and its worktrees.

May import `stack`.

    config        the syntax of a config file, and what its values mean
    options       what git's configuration asks of a stack
    program       what is asked of the git program
    repository    from any path that a user types to the stacks behind it
"""

from engine.git.program import Identity as Identity
from engine.git.repository import (
    Repository as Repository,
    StackLocation as StackLocation,
    find_repository as find_repository,
)
