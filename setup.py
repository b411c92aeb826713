"""What pyproject.toml cannot say: a build that begins in an empty directory.

setuptools copies modules into build/lib and packs whatever lies there. Without this, a second `pip install .`
installs modules again that were deleted since the first.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class CleanBuild(build_py):
    """Packages as they are in the source, and nothing else."""

    def run(self) -> None:
        """Copy the packages, after what an earlier build has left is gone."""
        if not self.editable_mode:
            for package in self.packages or ():
                shutil.rmtree(Path(self.build_lib) / package, ignore_errors=True)
        super().run()


setup(cmdclass={"build_py": CleanBuild})
