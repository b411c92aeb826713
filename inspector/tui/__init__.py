"""The terminal inspector: screens over the model, and keys that lead to actions.

The only wing that knows Textual. May import `actions`.

    terminal, ending, lasting_driver
                  the process and its terminal, and how it ends from outside
    pager         `git show`, which has the terminal meanwhile
    app           which stack, its session, its screens
    key_table     every key: what it means, and what it does in each place
    keys          what is made of it: bindings, the footer, a user's keymap
    keys_in_turn, key_actions, palette, help
                  keys one after the other, what they do now, and how one finds them
    notices       what is said in passing
    config        what the user has chosen
    navigation    the way to where a row leads, and back
    themes        colours
    work          jobs in threads, and which screen gets their answers
    widgets/      parts of screens: they are given rows and facts to draw
    screens/      the main screen, and those on top of it
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from inspector.tui.app import InspectorApp, run_inspector
    from inspector.tui.screens.main import MainScreen
    from inspector.tui.screens.tour import run_tour
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "app": "InspectorApp run_inspector",
            "screens.main": "MainScreen",
            "screens.tour": "run_tour",
        },
    )
