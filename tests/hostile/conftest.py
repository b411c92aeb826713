"""What the tests of hostile tables and directories stand on: a stack, and an end to all waiting."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from tests.support.stacks import make_stack

# Longer than any of these tests takes on any machine: only one that waits for ever is still there.
_SECONDS = 600


@pytest.fixture(autouse=True)
def end_of_waiting() -> Iterator[None]:
    """Make a hang a failure of the test that hangs."""

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        pytest.fail("waits for ever")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """The directory of a stack of three tables."""
    make_stack(tmp_path / "stack", 3)
    return tmp_path / "stack"
