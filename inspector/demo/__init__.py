"""Stacks to play with: a sound one, the same after a bad night, and small ones to learn from.

May import `engine`.

    sound         eight months of an invented project
    damaged       the same stack, damaged in several ways
    tour          the guided tour of compaction: its stacks and its words
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from inspector.demo.damaged import build_damaged_demo
    from inspector.demo.sound import build_demo
    from inspector.demo.tour import FAREWELL, LESSONS, Lesson
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "damaged": "build_damaged_demo",
            "sound": "build_demo",
            "tour": "FAREWELL LESSONS Lesson",
        },
    )
