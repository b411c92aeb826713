"""What every test of the engine starts with."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def at_the_pace_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out fsync: only a power cut could tell the difference, and the disk would set the tests' pace.

    Tests of durability put a recorder in its place.
    """
    monkeypatch.setattr(os, "fsync", lambda _: None)
