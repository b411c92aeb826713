"""Changing refs as `git update-ref --stdin` does.

May import `stack`.

    commands      from the bytes of the commands to updates
    stacks        which stack has which ref, as far as a transaction asks
    resolution    the refs that updates really change, and whether they may
    outcome       the records that this gives, for each stack
    hook          the hook reference-transaction
    transaction   preparing, planning and applying them as one transaction
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.update.commands import (
        CREATES_NOTHING as CREATES_NOTHING,
        DELETES_NOTHING as DELETES_NOTHING,
        Control as Control,
        RefUpdate as RefUpdate,
        RefValue as RefValue,
        Resolve as Resolve,
        Symref as Symref,
        check_update as check_update,
        is_null as is_null,
        parse_commands as parse_commands,
        read_commands as read_commands,
    )
    from engine.update.hook import ReferenceHook as ReferenceHook
    from engine.update.outcome import (
        Identity as Identity,
        StackUpdate as StackUpdate,
        TransactionResult as TransactionResult,
    )
    from engine.update.resolution import hook_lines as hook_lines
    from engine.update.stacks import Stacks as Stacks
    from engine.update.transaction import (
        PreparedUpdates as PreparedUpdates,
        UpdatePlan as UpdatePlan,
        prepare_updates as prepare_updates,
    )
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "commands": (
                "Control RefUpdate RefValue Resolve Symref check_update is_null parse_commands read_commands "
                "CREATES_NOTHING DELETES_NOTHING"
            ),
            "hook": "ReferenceHook",
            "outcome": "Identity StackUpdate TransactionResult",
            "resolution": "hook_lines",
            "stacks": "Stacks",
            "transaction": "PreparedUpdates UpdatePlan prepare_updates",
        },
    )
