"""What the tests of hostile tables and directories stand on: a stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.stacks import make_stack


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """The directory of a stack of three tables."""
    make_stack(tmp_path / "stack", 3)
    return tmp_path / "stack"
