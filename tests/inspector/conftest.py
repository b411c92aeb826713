"""What the tests of the inspector start with: a Textual that is as quick as it can be."""

from __future__ import annotations

import textual.constants

from inspector.tui.terminal import collect_garbage_seldom

# A screen without a terminal has nobody to see a line glide to another tab, and each key would wait for it.
# The plugin for snapshots has imported Textual by now, so the variable of the environment comes too late.
textual.constants.TEXTUAL_ANIMATIONS = "none"  # type: ignore[misc]


def pytest_collection_finish() -> None:
    # As in the program itself: see there.
    collect_garbage_seldom()
