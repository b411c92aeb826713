"""What pyproject.toml cannot say: a build that begins in an empty directory, a manual, and compiled modules.

setuptools copies modules into build/lib and packs whatever lies there. Without this, a second `pip install .`
installs modules again that were deleted since the first. The pages of the manual are made of the help texts,
for which the build needs what the verbs import.

REFTABLE_COMPILE=1 has mypyc compile the modules where time goes, from the same files that are interpreted
otherwise. Without a compiler for C the build goes on without them, and makes a wheel for all platforms.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

COMPILED = (
    "format/varint",
    "format/record",
    "format/codec",
    "format/raw_record",
    "format/search",
    "format/block",
    "table/blocks",
    "table/sections",
    "table/writer",
    "merge/merged",
    "fsck/names",
    "fsck/passing",
    "fsck/index",
    "fsck/objects",
    "fsck/block",
    "fsck/table",
    "salvage/items",
)
"""No class of these has heirs elsewhere: an interpreted class cannot inherit from a compiled one."""

COMPILE = os.environ.get("REFTABLE_COMPILE") == "1"
MYPY = "mypy==2.4.1"
"""The one that pyproject.toml pins for development: only a build that compiles asks for it."""


class Build(build_py):
    """Packages as they are in the source and nothing else; and the manual, beside them."""

    def run(self) -> None:
        """Copy the packages, after what an earlier build has left is gone."""
        if not self.editable_mode:
            for package in self.packages or ():
                shutil.rmtree(Path(self.build_lib) / package, ignore_errors=True)
            for compiled in (*Path(self.build_lib).glob("*.so"), *Path(self.build_lib).glob("*.pyd")):
                compiled.unlink()
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
            page.write_text(text, "utf-8", newline="\n")
            yield str(page)


class Wheel(bdist_wheel):
    """A wheel for this platform if anything was compiled for it, or else for any."""

    def run(self) -> None:
        """Build, see what came of it, and pack that."""
        self.run_command("build")
        built = self.get_finalized_command("build_ext").get_outputs()
        if not any(map(os.path.exists, built)):
            self.distribution.ext_modules = []
            self.root_is_pure = True
        super().run()


def extensions() -> list[Extension]:
    """The modules to compile; none when a build only asks what it needs, before mypy is there."""
    if not COMPILE:
        return []
    try:
        from mypyc.build import mypycify  # noqa: PLC0415 - it is there only where a build asks for it
    except ImportError:
        return []
    files = [f"engine/{module}.py" for module in COMPILED]
    made = mypycify(["--strict", *files], opt_level="3", debug_level="0")
    for extension in made:
        extension.optional = True  # without a compiler, the build goes on
    return made


setup(
    cmdclass={"build_py": Build, "bdist_wheel": Wheel},
    ext_modules=extensions(),
    setup_requires=[MYPY] if COMPILE else [],
)
