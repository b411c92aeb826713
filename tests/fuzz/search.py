"""The search: inputs made of inputs, those that showed something new join in."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from tests.fuzz.corpus import tables
from tests.fuzz.mutator import Mutator
from tests.fuzz.trial import NAME, Features, try_list, try_table

PATIENCE: Final = 60
"""Seconds for one input, thousands of times what it takes: only one that does not end takes them."""

REPAIR_EVERY: Final = 8
LIST_EVERY: Final = 16
LONGEST: Final = 4000


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to: how many inputs were tried, how many joined the corpus, and all features."""

    inputs: int
    corpus: int
    features: Features


class DefectError(AssertionError):
    """An input that the engine does not stand."""


def search(directory: Path, seed: int, seconds: float) -> Found:
    """Try inputs for so many seconds, in an empty directory. Raises `DefectError`."""
    rng = random.Random(seed)
    mutator = Mutator(rng)
    corpus = list(tables())
    sound = corpus[0]
    features: Features = set()
    stack = directory / "reftable"
    end = time.monotonic() + seconds
    number = 0
    with _patience():
        for data in corpus:
            features |= _tried(seed, 0, data, lambda data=data: try_table(_empty(stack), data, repairs=True))
        while time.monotonic() < end:
            number += 1
            if number % LIST_EVERY == 0:
                data = mutator.mutate_list(f"{NAME}\n".encode())
                features |= _tried(seed, number, data, lambda data=data: try_list(_empty(stack), data, sound))
                continue
            # The newest are where the search is; the others keep it broad.
            recent = corpus[-20:] if rng.random() < 0.5 else corpus
            data = mutator.mutate(rng.choice(recent), corpus)[:LONGEST]
            repairs = number % REPAIR_EVERY == 0
            shown = _tried(
                seed,
                number,
                data,
                lambda data=data, repairs=repairs: try_table(_empty(stack), data, repairs=repairs),
            )
            if not shown <= features:
                features |= shown
                corpus.append(data)
    return Found(number, len(corpus), features)


def _empty(stack: Path) -> Path:
    """The directory of the stack, without anything in it or of it."""
    shutil.rmtree(stack.with_name(f"{stack.name}-snapshots"), ignore_errors=True)
    shutil.rmtree(stack, ignore_errors=True)
    stack.mkdir()
    return stack


def _tried(seed: int, number: int, data: bytes, attempt: Callable[[], Features]) -> Features:
    signal.alarm(PATIENCE)
    try:
        return attempt()
    except Exception as error:
        what = (
            f"{type(error).__name__}: {error}\nseed {seed}, input {number}, {len(data)} bytes:\n{data.hex()}"
        )
        raise DefectError(what) from error
    finally:
        signal.alarm(0)


class _patience:  # noqa: N801 - used like a function
    """An end to all waiting: whatever does not end in time is a defect."""

    def __enter__(self) -> None:
        def give_up(_signal: int, _frame: FrameType | None) -> None:
            raise TimeoutError("waits for ever")

        self._before = signal.signal(signal.SIGALRM, give_up)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGALRM, self._before)
