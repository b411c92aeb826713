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
    attempts = _Attempts(directory / "reftable", seed)
    end = time.monotonic() + seconds
    with attempts:
        for data in corpus:
            features |= attempts.table(data, repairs=True)
        while time.monotonic() < end:
            if attempts.number % LIST_EVERY == 0:
                features |= attempts.list(mutator.mutate_list(f"{NAME}\n".encode()), sound)
                continue
            # The newest are where the search is; the others keep it broad.
            recent = corpus[-20:] if rng.random() < 0.5 else corpus
            data = mutator.mutate(rng.choice(recent), corpus)[:LONGEST]
            shown = attempts.table(data, repairs=attempts.number % REPAIR_EVERY == 0)
            if not shown <= features:
                features |= shown
                corpus.append(data)
    return Found(attempts.number, len(corpus), features)


class _Attempts:
    """Tries inputs in a stack of their own; as a context, it puts an end to all waiting."""

    def __init__(self, stack: Path, seed: int) -> None:
        self._stack = stack
        self._seed = seed
        self.number = 0
        """Inputs that were tried."""

    def table(self, data: bytes, *, repairs: bool) -> Features:
        """Try a table."""
        return self._judged(data, lambda: try_table(self._stack, data, repairs=repairs))

    def list(self, data: bytes, table: bytes) -> Features:
        """Try a list, beside a sound table."""
        return self._judged(data, lambda: try_list(self._stack, data, table))

    def _judged(self, data: bytes, attempt: Callable[[], Features]) -> Features:
        shutil.rmtree(self._stack.with_name(f"{self._stack.name}-snapshots"), ignore_errors=True)
        shutil.rmtree(self._stack, ignore_errors=True)
        self._stack.mkdir()
        self.number += 1
        signal.alarm(PATIENCE)
        try:
            return attempt()
        except Exception as error:
            where = f"seed {self._seed}, input {self.number}, {len(data)} bytes:\n{data.hex()}"
            raise DefectError(f"{type(error).__name__}: {error}\n{where}") from error
        finally:
            signal.alarm(0)

    def __enter__(self) -> None:
        def give_up(_signal: int, _frame: FrameType | None) -> None:
            raise TimeoutError("waits for ever")

        self._before = signal.signal(signal.SIGALRM, give_up)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGALRM, self._before)
