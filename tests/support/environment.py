"""The tests' git as the git that the engine finds and starts by itself."""

from __future__ import annotations

import os

import pytest

from tests.support.git import Git


def enter_environment_of(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this process the environment of `git`, with nothing of the machine's or the user's git in it."""
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    for name, value in git.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REFTABLE_GIT", git.program)
