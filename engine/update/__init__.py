"""Changing refs as `git update-ref --stdin` does.

May import `stack` and `git`.

    commands      from the bytes of the commands to updates
    resolution    the refs that updates really change, and whether they may
    transaction   applying them to a stack
"""

from engine.update.commands import parse_commands
from engine.update.resolution import ReadRef
from engine.update.transaction import UpdatePlan, apply_planned, apply_updates, plan_updates

__all__ = [
    "ReadRef",
    "UpdatePlan",
    "apply_planned",
    "apply_updates",
    "parse_commands",
    "plan_updates",
]
