"""The shape of the project, held by reading its source.

Who imports whom, who touches files, and what no file contains. The judges are functions over source text,
so that each is shown to see a fault even while the project has none.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What each module of the engine stands on. Whatever these may import, it may import as well; nothing else.
STANDS_ON = {
    "errors": "",
    "progress": "errors",
    "format": "errors",
    "record": "errors format",
    "encoded": "record",
    "block": "encoded",
    "table": "block",
    "writer": "table",
    "merged": "table",
    "difference": "merged progress",
    "compaction": "table writer merged progress",
    "policy_steps": "compaction",
    "durable": "",
    "lock": "errors durable",
    "refname": "errors",
    "options": "compaction",
    "directory": "lock merged options",
    "addition": "directory refname",
    "compactor": "directory",
    "clean": "directory",
    "holders": "",
    "neighbours": "clean holders",
    "stack": "addition compactor clean",
    "git_config": "errors",
    "git_program": "",
    "git_options": "options git_config",
    "repository": "git_options git_program",
    "update_ref": "format refname",
    "resolution": "stack update_ref",
    "transaction": "resolution git_program",
    "span": "errors",
    "block_contents": "block span",
    "section": "block_contents",
    "layout": "section table",
    "faults": "",
    "finding": "faults",
    "fsck_block": "finding block_contents",
    "fsck_index": "finding record",
    "fsck_objects": "fsck_block",
    "fsck_table": "fsck_index fsck_objects layout",
    "fsck_list": "finding directory",
    "fsck_stack": "fsck_table merged refname",
    "fsck": "fsck_list fsck_stack progress",
    "manifest": "durable errors",
    "snapshot": "lock manifest options",
    "salvage": "layout",
    "repair_source": "salvage refname",
    "salvaged": "merged repair_source",
    "readable_table": "salvaged",
    "readable": "readable_table stack",
    "repair_choice": "",
    "repair_files": "fsck_table repair_choice repair_source",
    "repair_plan": "options faults repair_source",
    "repair_leftovers": "clean finding holders repair_plan",
    "repair_list": "directory repair_plan",
    "repair_planner": "clean fsck repair_files repair_leftovers repair_list snapshot",
    "repair_outcome": "repair_plan merged",
    "repair": "repair_outcome repair_planner writer lock snapshot",
}
FACADE = "__init__"  # the engine's public names; it imports any module, and no module imports it

# rich is what Textual draws with: Textual's own interface hands out its segments and styles.
INSPECTOR_MAY_IMPORT = {"click", "engine", "inspector", "rich", "textual"}

# Ways to get at a file. `.open(` is judged apart: `Stack.open(...)` is the engine's.
FILE_MODULES = {"fcntl", "fileinput", "mmap", "shutil"}
FILE_FUNCTIONS = {
    "chmod",
    "fdopen",
    "link",
    "open",
    "remove",
    "rename",
    "renames",
    "replace",
    "rmdir",
    "symlink",
    "truncate",
    "unlink",
    "utime",
}
FILE_METHODS = {
    "chmod",
    "hardlink_to",
    "open_file",
    "read_bytes",
    "read_text",
    "rename",
    "symlink_to",
    "touch",
    "unlink",
    "write_bytes",
    "write_text",
}

# (module, way): why it is no file of a stack. Package data and files that the user named belong here.
FILE_ACCESS_ALLOWED = {
    ("inspector/export.py", "open"): "the new file that the user asked rows to be exported to",
    ("inspector/export.py", "os.unlink"): "the same, when it could not be finished",
    **{
        ("inspector/damaged_demo.py", way): "files of its own making, which it is to damage"
        for way in (".read_bytes", ".read_text", ".touch", ".write_bytes", "os.utime")
    },
    ("inspector/cli.py", "os.open"): "the null device, in place of a pipe whose reader has gone",
    ("inspector/terminal.py", "os.open"): "the null device, in place of a terminal that has gone",
}

FORBIDDEN_TEXT = {
    "a path of somebody's machine": rb"(?<![\w.$}~-])/(?:home|Users|root|work)/\w|pytest-of-\w",
    "the host of a package registry": rb"(?i)\b(?:anaconda|debian|npmjs|pypi|pythonhosted)\.(?:com|org)\b",
}


def project_files() -> list[Path]:
    """Every file that is not git's own and not ignored by it."""
    ignored = [".git", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split())]

    def walk(directory: Path) -> Iterator[Path]:
        for path in sorted(directory.iterdir()):
            if any(fnmatch(path.name, pattern) for pattern in ignored):
                continue
            if path.is_dir():
                yield from walk(path)
            else:
                yield path

    return list(walk(ROOT))


def modules(package: str) -> dict[str, str]:
    """The source of each module below a directory of the project, by its path from the project's root."""
    return {
        str(path.relative_to(ROOT)): path.read_text("utf-8")
        for path in project_files()
        if path.suffix == ".py" and path.is_relative_to(ROOT / package)
    }


def imported_modules(source: str, package: str) -> set[str]:
    """The dotted names that a module of `package` imports, anywhere in its text.

    `from engine import stack` counts as engine.stack, any other name imported from a package as the package.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = parents[: len(parents) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                is_module = module == "engine" and alias.name in STANDS_ON
                found.add(f"{module}.{alias.name}" if is_module else module)
    return found


def may_import(module: str) -> set[str]:
    """The modules of the engine that `module` may import: those it stands on, and all they stand on."""
    below = set(STANDS_ON[module].split())
    return below.union(*(may_import(other) for other in below))


def engine_faults(module: str, source: str) -> list[str]:
    """What is wrong with the imports of one module of the engine."""
    if module not in {*STANDS_ON, FACADE}:
        return [f"engine/{module}.py has no place among the layers: give it one in STANDS_ON"]
    allowed = set(STANDS_ON) if module == FACADE else may_import(module)
    faults = []
    for imported in sorted(imported_modules(source, "engine")):
        top, _, inner = imported.partition(".")
        if top == "engine":
            if (inner or FACADE) not in allowed:
                faults.append(f"engine/{module}.py may not import {imported}")
        elif top not in sys.stdlib_module_names:
            faults.append(f"engine/{module}.py imports {imported}, which is not in the standard library")
    return faults


def file_accesses(source: str) -> set[str]:
    """The ways in which a module gets at files itself."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found.update(alias.name for alias in names if alias.name in FILE_MODULES)
            case ast.ImportFrom(module="os", names=names):
                found.update(f"os.{alias.name}" for alias in names if alias.name in FILE_FUNCTIONS)
            case ast.ImportFrom(module=str(module)) if module in FILE_MODULES:
                found.add(module)
            case ast.Call(func=ast.Name(id="open")):
                found.add("open")
            case ast.Call(func=ast.Attribute(value=receiver, attr="open")):
                # A class with an open() is ours, unless it is Path; an object with one may be a path.
                name = ast.unparse(receiver)
                if name == "Path" or not re.fullmatch(r"cls|[A-Z]\w*", name):
                    found.add(f"{name}.open")
            case ast.Attribute(value=ast.Name(id="os"), attr=attr) if attr in FILE_FUNCTIONS:
                found.add(f"os.{attr}")
            case ast.Attribute(attr=attr) if attr in FILE_METHODS:
                found.add(f".{attr}")
    return found


def test_engine_imports_the_standard_library_and_the_layers_below() -> None:
    faults = [
        fault
        for path, source in modules("engine").items()
        for fault in engine_faults(Path(path).stem, source)
    ]
    assert faults == []


def test_inspector_imports_the_engine_and_its_two_dependencies_only() -> None:
    allowed = INSPECTOR_MAY_IMPORT | sys.stdlib_module_names
    faults = {}
    for path, source in modules("inspector").items():
        package = ".".join(Path(path).parent.parts)
        tops = {name.partition(".")[0] for name in imported_modules(source, package)}
        if tops - allowed:
            faults[path] = tops - allowed
    assert faults == {}


def test_inspector_leaves_the_files_of_a_stack_to_the_engine() -> None:
    accesses = {(path, way) for path, source in modules("inspector").items() for way in file_accesses(source)}
    assert accesses == set(FILE_ACCESS_ALLOWED)


def test_every_module_says_what_it_is() -> None:
    silent = [path for path, source in modules("").items() if not ast.get_docstring(ast.parse(source))]
    assert silent == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    faults = [
        (str(path.relative_to(ROOT)), what, found.group())
        for path in project_files()
        for what, pattern in FORBIDDEN_TEXT.items()
        for found in re.finditer(pattern, path.read_bytes())
    ]
    assert faults == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("format", "import textual"),
        ("format", "from click import echo"),
        ("format", "from inspector import cli"),
        ("format", "from engine.record import RefRecord"),
        ("format", "from engine import record"),
        ("format", "from .record import RefRecord"),
        ("format", "from . import record"),
        ("format", "def late():\n    import engine.record"),
        ("format", "from engine import FormatError"),
        ("record", "from engine.table import Table"),
        ("progress", "from engine.format import Header"),
        ("lock", "from engine.stack import Stack"),
        ("stack", "from engine.transaction import apply"),
        ("nowhere", ""),
    ],
)
def test_an_import_that_points_up_is_a_fault(module: str, source: str) -> None:
    assert len(engine_faults(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("record", "import os.path\nfrom engine.format import HashId\nfrom .errors import ApiError"),
        ("stack", "from engine.record import RefRecord\nfrom engine import errors, lock"),
        ("__init__", "from engine.repair import repair"),
    ],
)
def test_an_import_that_points_down_is_none(module: str, source: str) -> None:
    assert engine_faults(module, source) == []


@pytest.mark.parametrize(
    ("source", "ways"),
    [
        ("open('x')", {"open"}),
        ("import os\nos.open('x', 0)", {"os.open"}),
        ("from os import replace, devnull", {"os.replace"}),
        ("import shutil", {"shutil"}),
        ("import io\nio.open('x')", {"io.open"}),
        ("from pathlib import Path\nPath('x').open()", {"Path('x').open"}),
        ("directory.path.open()", {"directory.path.open"}),
        ("path.open('rb')", {"path.open"}),
        ("Path.open(path)", {"Path.open"}),
        ("map(Path.read_bytes, paths)", {".read_bytes"}),
        ("path.write_text('x')", {".write_text"}),
        ("path.unlink()", {".unlink"}),
        ("import os\nos.unlink(path)", {"os.unlink"}),
        ("Stack.open(directory)", set()),
        ("cls.open(directory)", set()),
        ("import os\nos.environ['x'].replace('a', 'b')", set()),
    ],
)
def test_ways_to_a_file_are_seen(source: str, ways: set[str]) -> None:
    assert file_accesses(source) == ways


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        (b"see /%b/me/x" % b"home", True),
        (b"'/%b/.cache'" % b"root", False),
        (b"'/%b/x'" % b"root", True),
        (b"$top/root/x", False),
        (b"https://py%b.org/simple" % b"pi", True),
        (b"deb.%b.org" % b"Debian", True),
        (b"/etc/apt/sources.list.d/debian.sources", False),
    ],
)
def test_machines_and_registries_are_seen(text: bytes, forbidden: bool) -> None:
    assert any(re.search(pattern, text) for pattern in FORBIDDEN_TEXT.values()) is forbidden
