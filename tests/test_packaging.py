"""What is installed is what the source holds, and says so."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import engine
from tests.support.cli import ok

ROOT = Path(__file__).parents[1]


def test_the_version_is_said_once_and_the_changelog_begins_with_it() -> None:
    assert ok("--version").out == f"reftable-inspector {engine.__version__}\n".encode()
    first = re.search(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first is not None
    assert first[1] == engine.__version__


@pytest.mark.whole
@pytest.mark.timeout(300)
def test_a_module_that_is_deleted_is_in_no_later_wheel(tmp_path: Path) -> None:
    source = tmp_path / "source"
    unwanted = shutil.ignore_patterns(".*", "build", "*.egg-info", "tests", "screenshots", "__pycache__")
    shutil.copytree(ROOT, source, ignore=unwanted)
    stale = source / "build" / "lib" / "engine" / "stale.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, source]
    subprocess.run(pip, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
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
