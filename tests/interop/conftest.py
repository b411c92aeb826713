"""The history that has everything in it, made once for each layout and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.git import Git, Repository
from tests.support.history import Layout, write_busy_history


@pytest.fixture(scope="session")
def originals() -> dict[Layout, Repository]:
    """The repositories made so far, which no test gets hold of."""
    return {}


@pytest.fixture
def busy(
    git: Git, originals: dict[Layout, Repository], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Layout], Repository]:
    """A function that returns a repository of a layout with the busy history, each transaction a table."""

    def copy(layout: Layout) -> Repository:
        if layout not in originals:
            repo = layout.init(git, tmp_path_factory.mktemp("busy") / "repo")
            write_busy_history(repo, rename=layout.logs)
            originals[layout] = repo
        original = originals[layout]
        path = shutil.copytree(original.path, tmp_path / "busy")
        return Repository(git, path, path / ".git", original.env)

    return copy
