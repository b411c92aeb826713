"""Stacks to play with: a sound one, the same after a bad night, and small ones to learn from.

May import `engine`.

    sound         eight months of an invented project
    damaged       the same stack, damaged in several ways
    tour          the guided tour of compaction: its stacks and its words
"""

from inspector.demo.damaged import build_damaged_demo
from inspector.demo.sound import build_demo
from inspector.demo.tour import FAREWELL, LESSONS, Lesson
