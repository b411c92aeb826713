"""Changing refs as `git update-ref --stdin` does.

May import `stack`.

    commands      from the bytes of the commands to updates
    resolution    the refs that updates really change, and whether they may
    hook          the hook reference-transaction
    transaction   preparing, planning and applying them as one transaction
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.update.commands import (
        Control as Control,
        RefUpdate as RefUpdate,
        Resolve as Resolve,
        is_null as is_null,
        parse_commands as parse_commands,
        read_commands as read_commands,
    )
    from engine.update.hook import HOOK_NAME as HOOK_NAME, ReferenceHook as ReferenceHook
    from engine.update.resolution import hook_lines as hook_lines
    from engine.update.transaction import (
        Identity as Identity,
        PreparedUpdates as PreparedUpdates,
        TransactionResult as TransactionResult,
        UpdatePlan as UpdatePlan,
        prepare_updates as prepare_updates,
    )
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "commands": "Control RefUpdate Resolve is_null parse_commands read_commands",
            "hook": "HOOK_NAME ReferenceHook",
            "resolution": "hook_lines",
            "transaction": "Identity PreparedUpdates TransactionResult UpdatePlan prepare_updates",
        },
    )
