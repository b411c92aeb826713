"""The search for bytes that the engine does not stand finds none, for as long as it is given."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.fuzz import search as searching
from tests.fuzz.corpus import tables
from tests.fuzz.mutator import Mutator
from tests.fuzz.search import DefectError, search

# The search has an alarm of its own, for each input.
pytestmark = pytest.mark.timeout(600, method="thread")

SECONDS = float(os.environ.get("REFTABLE_FUZZ_SECONDS", "3"))
SEED = int(os.environ.get("REFTABLE_FUZZ_SEED", "1"))


def test_no_bytes_are_found_that_the_engine_does_not_stand(
    tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    found = search(tmp_path, SEED, SECONDS)
    record_property("inputs", found.inputs)
    assert found.inputs
    # It went on from what it found, or it has tried the same all the time.
    assert found.corpus > len(list(tables()))


def test_a_defect_is_told_with_the_input_that_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_args: object, **_options: object) -> set[str]:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(searching, "try_table", defect)
    with pytest.raises(
        DefectError, match=r"ZeroDivisionError: a defect\nseed 5, input 1, \d+ bytes:\n[0-9a-f]+"
    ):
        search(tmp_path, 5, 1)


def test_the_same_numbers_make_the_same_inputs() -> None:
    corpus = list(tables())
    inputs = [
        [mutator.mutate(data, corpus) for data in corpus for _ in range(50)]
        for mutator in (Mutator(random.Random(3)), Mutator(random.Random(3)))
    ]
    assert inputs[0] == inputs[1]
    assert len(set(inputs[0])) > len(inputs[0]) // 2
