"""What a module has to leave out to be the same when it is compiled: where mypyc does something else.

Each rule was paid for: a walrus that moved a slice, a handler that saw another's error, a list in place of a
generator, which read a million refs for the first page of them, and weak references that led to freed memory.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]

READ_TO_THE_END: Final = {
    "all",
    "any",
    "dict",
    "frozenset",
    "join",
    "list",
    "max",
    "min",
    "set",
    "sum",
    "tuple",
}
"""Functions to which a list is as good as a generator."""


def compiled_modules() -> list[str]:
    """The modules that setup.py names, below `engine`."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMPILED":
            named: tuple[str, ...] = ast.literal_eval(node.value)
            return list(named)
    raise AssertionError("setup.py names no modules to compile")


def differences(source: str) -> Iterator[str]:
    """What mypyc would make something else of."""
    tree = ast.parse(source)
    consumed: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in READ_TO_THE_END:
            consumed.update(node.args)
        elif isinstance(node, ast.YieldFrom):
            consumed.add(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.GeneratorExp) and node not in consumed:
            yield f"line {node.lineno}: a generator expression becomes a list, made at once"
        elif isinstance(node, ast.ClassDef):
            if any(ast.unparse(base).partition("[")[0].endswith("Generic") for base in node.bases):
                yield f"line {node.lineno}: an heir of Generic takes weak references and clears none"
            if any(ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases):
                yield f"line {node.lineno}: an exception takes weak references and clears none"
        elif isinstance(node, ast.FunctionDef):
            names = [one.name for one in ast.walk(node) if isinstance(one, ast.ExceptHandler) and one.name]
            if len(names) > len(set(names)):
                yield f"line {node.lineno}: two handlers of a function have an error of the same name"
        elif isinstance(node, ast.Slice) and node.lower is not None:
            read = {one.id for one in ast.walk(node.lower) if isinstance(one, ast.Name)}
            written = [one.target.id for one in ast.walk(node) if isinstance(one, ast.NamedExpr)]
            if read.intersection(written):
                yield f"line {node.lineno}: the lower bound is read after the upper one has changed it"


@pytest.mark.parametrize("module", compiled_modules())
def test_a_module_is_the_same_when_it_is_compiled(module: str) -> None:
    assert list(differences((ROOT / "engine" / f"{module}.py").read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "live = (block for block in blocks)",
        "filter(None, (block for block in blocks))",
        "class Record(Base, Generic[T]): pass",
        "class Record(typing.Generic[T]): pass",
        "class Malformed(ValueError): pass",
        "def f():\n try: g()\n except A as error: h(error)\n try: g()\n except B as error: h(error)",
        "data[pos : (pos := pos + 4)]",
    ],
)
def test_what_becomes_something_else_is_seen(source: str) -> None:
    assert len(list(differences(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "any(name in block for block in blocks)",
        "', '.join(str(block) for block in blocks)",
        "def f():\n yield from (block for block in blocks)",
        "[block for block in blocks]",
        "class Record(Base): pass",
        "def f():\n try: g()\n except A as error: h(error)\n except B as other: h(other)",
        "data[pos : pos + (size := 4)]",
    ],
)
def test_what_stays_the_same_is_no_difference(source: str) -> None:
    assert list(differences(source)) == []
