"""What pyproject.toml cannot say: a build that begins in an empty directory, and a manual.

setuptools copies modules into build/lib and packs whatever lies there. Without this, a second `pip install .`
installs modules again that were deleted since the first. The pages of the manual are made of the help texts,
for which the build needs what the verbs import.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class Build(build_py):
    """Packages as they are in the source and nothing else; and the manual, beside them."""

    def run(self) -> None:
        """Copy the packages, after what an earlier build has left is gone."""
        if not self.editable_mode:
            for package in self.packages or ():
                shutil.rmtree(Path(self.build_lib) / package, ignore_errors=True)
        super().run()
        self.distribution.data_files.append(("share/man/man1", list(self._manual())))

    def _manual(self) -> Iterator[str]:
        sys.path.insert(0, str(Path(__file__).parent))
        from inspector.cli.man_pages import man_pages  # noqa: PLC0415 - not for an sdist

        now = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
        directory = Path(self.get_finalized_command("build").build_temp, "man")
        directory.mkdir(parents=True, exist_ok=True)
        pages = man_pages(self.distribution.get_version(), time.strftime("%Y-%m-%d", now))
        for name, text in pages.items():
            page = directory / name
            page.write_text(text, "utf-8")
            yield str(page)


setup(cmdclass={"build_py": Build})
