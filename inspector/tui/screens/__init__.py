"""The screens of the inspector.

Those that lie on top of the main one are imported when the first of their kind is opened: most of what they
need, the screen that a user waits for does not.
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from inspector.tui.screens.add import AddScreen
    from inspector.tui.screens.change_menu import Change, ChangeMenu
    from inspector.tui.screens.compact import CompactScreen, range_action
    from inspector.tui.screens.copy_row import CopyScreen
    from inspector.tui.screens.dialog import Dialog, HelpScreen, choose_place
    from inspector.tui.screens.expire import ExpireScreen
    from inspector.tui.screens.export_rows import ExportScreen
    from inspector.tui.screens.history import HistoryScreen
    from inspector.tui.screens.journal import JournalScreen
    from inspector.tui.screens.moments import MomentsScreen
    from inspector.tui.screens.no_prompt import NoPromptScreen
    from inspector.tui.screens.picker import PickerScreen
    from inspector.tui.screens.plan import ActionScreen, Phase, RepairScreen
    from inspector.tui.screens.snapshots import SnapshotsScreen
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "add": "AddScreen",
            "change_menu": "Change ChangeMenu",
            "compact": "CompactScreen range_action",
            "copy_row": "CopyScreen",
            "dialog": "Dialog HelpScreen choose_place",
            "expire": "ExpireScreen",
            "export_rows": "ExportScreen",
            "history": "HistoryScreen",
            "journal": "JournalScreen",
            "moments": "MomentsScreen",
            "no_prompt": "NoPromptScreen",
            "picker": "PickerScreen",
            "plan": "ActionScreen Phase RepairScreen",
            "snapshots": "SnapshotsScreen",
        },
    )
