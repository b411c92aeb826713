"""`python -m tests.fuzz [--seconds N] [--seed N]`: search, and print what came of it."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from engine import compiled
from tests.fuzz.search import search


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        found = search(Path(directory), options.seed, options.seconds)
    kind = "compiled" if compiled else "interpreted"
    rate = found.inputs / options.seconds
    print(f"{kind} engine, seed {options.seed}: {found.inputs:,} inputs, {rate:.0f} a second;")
    print(f"{len(found.features)} features, {found.corpus} inputs showed a new one")


if __name__ == "__main__":
    main()
