"""What the tests of the inspector start with."""

from __future__ import annotations

from inspector.tui.terminal import collect_garbage_seldom
from tests.support.quick_pilot import make_textual_quick

make_textual_quick()


def pytest_collection_finish() -> None:
    # As in the program itself: see there.
    collect_garbage_seldom()
