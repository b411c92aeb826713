"""The engines that are measured: the interpreted one, and the compiled one where it is installed.

Both are the same sources. Each measurement is a process of its own: `python -m tests.benchmarks.engines
ENGINE verb ARGS...` is that verb of the command line, `... work NAME ARGS...` does a work of `works.py` and
prints what it says. In the interpreted one, compiled modules that lie beside the sources are passed over.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from importlib.abc import PathEntryFinder
from importlib.machinery import FileFinder, SourceFileLoader
from pathlib import Path
from typing import IO, Any, Final, Literal

Engine = Literal["interpreted", "compiled"]

ROOT: Final = Path(__file__).parents[2]


def installed() -> list[Engine]:
    """Those of this environment."""
    import engine  # noqa: PLC0415 - the process that is measured decides from where it imports it

    return ["interpreted", "compiled"] if engine.compiled else ["interpreted"]


def process_seconds(
    command: list[str], stdin: IO[bytes] | None = None, cwd: Path | None = None, codes: tuple[int, ...] = (0,)
) -> float:
    """The processor time of a whole process and its children, whose output goes to nowhere."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command,
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    if done.returncode not in codes:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr.decode()[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def verb(engine: Engine, *arguments: str | Path) -> list[str]:
    """The command of a verb on this engine."""
    return [sys.executable, "-m", "tests.benchmarks.engines", engine, "verb", *map(str, arguments)]


def work(engine: Engine, name: str, *arguments: str | int | Path) -> Any:  # noqa: ANN401 - each work says its own
    """What a work of `works.py` says, done by a process of this engine."""
    command = [sys.executable, "-m", "tests.benchmarks.engines", engine, "work", name, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, check=True)
    return json.loads(done.stdout)


_find_sources = FileFinder.path_hook((SourceFileLoader, [".py"]))


def _find_engine(path: str) -> PathEntryFinder:
    """Find the sources of the engine and nothing else of it."""
    if not Path(path).is_relative_to(ROOT / "engine"):
        raise ImportError(path)
    return _find_sources(path)


def main() -> None:
    """Be the process that is measured."""
    engine, kind, *arguments = sys.argv[1:]
    if engine == "interpreted":
        sys.path_hooks.insert(0, _find_engine)
        sys.path_importer_cache.clear()
    import engine as imported  # noqa: PLC0415 - only now is it known from where

    if imported.compiled != (engine == "compiled"):
        raise SystemExit(f"this is not the {engine} engine")
    if kind == "verb":
        from inspector.cli import main as run  # noqa: PLC0415 - likewise

        sys.argv[1:] = arguments
        run()
    else:
        from tests.benchmarks import works  # noqa: PLC0415 - likewise

        print(json.dumps(getattr(works, arguments[0])(*arguments[1:])))


if __name__ == "__main__":
    main()
