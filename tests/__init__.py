"""The tests of the engine and of the inspector."""

from __future__ import annotations

import os
import sys

# Each worker, and each process that a test starts, would compile all source anew: seconds each time. What is
# compiled is kept beside the source, where git ignores it, even if the environment asks for none to be kept.
# Here, since hypothesis, which pytest compiles as well, is imported by the conftest.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
