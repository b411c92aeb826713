"""Programs on the installed package are checked by its types: those of the pages, and what narrows."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.support.wheel import ROOT, built_wheel

NARROWING = """
from typing import assert_never

from engine import AnyRef, LiveRef, LogRecord, ReadStack, RefRecord, Stack, open_readable, ref_changes


def of_any(record: RefRecord) -> bytes | None:
    return record.value


def in_words(record: AnyRef) -> str:
    if record.type == "symref":
        return record.target.decode()
    if record.type == "val1":
        return record.value.hex()
    if record.type == "val2":
        return record.value.hex() + record.peeled.hex()
    if record.type == "deletion":
        return repr(of_any(record))
    assert_never(record)


def id_of(record: LiveRef) -> str:
    return "" if record.type == "symref" else record.value.hex()


def walk(stack: ReadStack) -> None:
    for record in stack.refs():
        print(in_words(record), id_of(record))
    for entry in stack.logs():
        print(entry.old.hex(), entry.new.hex(), entry.replace(name=b"refs/heads/x").new.hex())
    for table in stack.tables:
        for log in table.logs():
            if log.type == "update":
                print(log.new.hex())
    for changes in ref_changes(stack.merged, stack.merged):
        for change in changes:
            if change.after is not None:
                print(id_of(change.after))


with Stack.open("x") as sound, open_readable("x") as tolerant:
    walk(sound)
    walk(tolerant)
made = RefRecord(b"refs/heads/x", 1, value=bytes(20))
print({made: made.type}, {LogRecord(b"refs/heads/x", 1, new=bytes(20)).type}, of_any(made))
"""

WRONG = """
from engine import Stack

with Stack.open("x") as stack:
    for record in stack.refs():
        print(record.target.decode())
    print(stack.read_ref("HEAD"))
"""


def checked(directory: Path, environment: Path, programs: list[Path]) -> list[int | str]:
    """The lines of what is wrong with programs by mypy --strict, as one sees it who installed the package."""
    python = ["--python-executable", environment / "bin" / "python"]
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=cache", *python]
    ran = subprocess.run([*mypy, *programs], check=False, capture_output=True, text=True, cwd=directory)
    assert ran.stderr == ""
    lines = ran.stdout.splitlines()[:-1]  # but for the last, which counts
    numbers = [(re.match(r"wrong\.py:(\d+): error", line), line) for line in lines]
    return [int(number[1]) if number else line for number, line in numbers]


@pytest.mark.whole
@pytest.mark.timeout(300)
def test_programs_pass_strict_types_against_the_installed_wheel(tmp_path: Path) -> None:
    environment, programs = tmp_path / "venv", tmp_path / "programs"
    venv.create(environment, symlinks=True)
    (site,) = environment.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site]
    subprocess.run([*pip, built_wheel(tmp_path)], check=True, capture_output=True)
    programs.mkdir()
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for number, block in enumerate(
            re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
        ):
            (programs / f"{page.stem.lower()}_{number}.py").write_text(block)
    (programs / "narrowing.py").write_text(NARROWING)
    assert len(list(programs.iterdir())) > 5
    assert checked(tmp_path, environment, sorted(programs.iterdir())) == []
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    assert checked(tmp_path, environment, [wrong]) == [6, 7]
