"""Another package named `engine` before ours on Python's path: the message names it, and says what helps."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from inspector.cli.shadowed import shadowed

ROOT = Path(__file__).parents[3]


def test_another_engine_is_named_with_what_helps(tmp_path: Path) -> None:
    other = tmp_path / "engine" / "__init__.py"
    other.parent.mkdir()
    other.write_text("")
    # Without the finder of an editable install, which would find our modules in the other package.
    places = [str(tmp_path), str(ROOT), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    start = [sys.executable, "-S", "-c", "from inspector.cli import main; main()", "tables"]
    done = subprocess.run(start, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert done.stdout == ""
    assert done.stderr.startswith(
        f"reftable-inspector: the module `engine` that Python finds, {str(other)!r},"
    )
    assert "PYTHONPATH" in done.stderr
    assert "pipx install reftable-inspector" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_package_that_wrote_over_ours_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    owners = {"engine": ["reftable-inspector", "game-engine"]}
    monkeypatch.setattr("inspector.cli.shadowed.packages_distributions", lambda: owners)
    told = shadowed()
    assert told is not None
    assert "it belongs to game-engine;" in told


def test_our_own_engine_is_none_of_these(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.cli.shadowed.packages_distributions", dict)
    assert shadowed() is None
