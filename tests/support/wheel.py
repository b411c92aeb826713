"""The wheel of the source as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def built_wheel(directory: Path, stale: str = "", **environment: str) -> Path:
    """A wheel made in `directory` from a copy of the source, beside which a build has left this file.

    The environment is that of the tests and the variables given.
    """
    source = directory / "source"
    unwanted = shutil.ignore_patterns(".*", "build", "*.egg-info", "tests", "screenshots", "__pycache__")
    shutil.copytree(ROOT, source, ignore=unwanted)
    if stale:
        left = source / "build" / "lib" / stale
        left.parent.mkdir(parents=True)
        left.write_text("")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", directory, source]
    subprocess.run(pip, env={**os.environ, **environment}, check=True, capture_output=True)
    (wheel,) = directory.glob("*.whl")
    return wheel
