"""Changing refs as `git update-ref --stdin` does.

May import `stack` and `git`.

    commands      from the bytes of the commands to updates
    resolution    the refs that updates really change, and whether they may
    transaction   preparing, planning and applying them as one transaction
"""

from engine.update.commands import (
    Control as Control,
    RefUpdate as RefUpdate,
    Resolve as Resolve,
    parse_commands as parse_commands,
    read_commands as read_commands,
)
from engine.update.resolution import ReadRef as ReadRef, hook_lines as hook_lines
from engine.update.transaction import (
    PreparedUpdates as PreparedUpdates,
    TransactionResult as TransactionResult,
    UpdatePlan as UpdatePlan,
    prepare_updates as prepare_updates,
)
