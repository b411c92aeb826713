"""What is installed is what the source holds, and says so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import engine
from tests.support.cli import ok
from tests.support.wheel import ROOT, built_wheel


def test_the_version_is_said_once_and_the_changelog_begins_with_it() -> None:
    how = "compiled" if engine.compiled else "interpreted"
    assert ok("--version").out == f"reftable-inspector {engine.__version__} ({how})\n".encode()
    first = re.search(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first is not None
    assert first[1] == engine.__version__


def test_the_command_that_tries_a_wheel_is_one_for_the_shells_of_all_systems() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["cibuildwheel"]["test-command"]
    assert "'" not in asked, "which quotes nothing for that of Windows"
    tried = asked.replace("engine.compiled", "engine.__version__")
    program = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{program}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["/bin/sh", "-c", tried], env=environment, capture_output=True, check=True)
    assert done.stdout.startswith(b"reftable-inspector ")


@pytest.mark.whole
@pytest.mark.timeout(300)
def test_a_module_that_is_deleted_is_in_no_later_wheel(tmp_path: Path) -> None:
    with zipfile.ZipFile(built_wheel(tmp_path, stale="engine/stale.py")) as packed:
        names = set(packed.namelist())
    assert "engine/stale.py" not in names
    wanted = {"engine/py.typed", "inspector/tui/main.tcss", "inspector/cli/schema.json", "engine/__init__.py"}
    assert wanted <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    # And where man and the shells look for them.
    shared = {name.partition(".data/data/share/")[2] for name in names}
    assert {"man/man1/git-reftable.1", "man/man1/reftable-inspector-refs.1"} <= shared
    scripts = {"git-reftable", "_git-reftable", "git-reftable.fish"}
    scripts |= {name.replace("git-reftable", "reftable-inspector") for name in scripts}
    assert {name.rpartition("/")[2] for name in shared if not name.startswith("man/")} - {""} == scripts
    # The verb prints them as well.
    assert scripts <= {
        name.rpartition("/")[2] for name in names if name.startswith("inspector/cli/completions/")
    }


@pytest.mark.whole
@pytest.mark.timeout(300)
def test_a_wheel_is_for_all_platforms_where_there_was_no_compiler(tmp_path: Path) -> None:
    wheel = built_wheel(tmp_path, REFTABLE_COMPILE="1", CC="no-such-compiler")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        (about,) = (packed.read(name) for name in names if name.endswith(".dist-info/WHEEL"))
    assert b"Root-Is-Purelib: true" in about
    assert "engine/format/codec.py" in names
    assert not [name for name in names if name.endswith(".so") or ".data/platlib/" in name]
