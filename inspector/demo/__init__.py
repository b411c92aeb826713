"""Stacks to play with: a sound one, and the same after a bad night.

May import `engine`.

    sound         eight months of an invented project
    damaged       the same stack, damaged in several ways
"""

from inspector.demo.damaged import build_damaged_demo
from inspector.demo.sound import build_demo
