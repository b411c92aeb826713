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
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What each wing of the engine may import: these wings, and whatever they may import themselves.
ENGINE_WINGS = {
    "format": "",
    "table": "format",
    "merge": "table",
    "stack": "merge",
    "update": "stack",
    "git": "update",
    "snapshot": "stack",
    "layout": "format",
    "fsck": "git layout",
    "salvage": "stack layout",
    "readable": "salvage",
    "export": "readable",
    "repair": "fsck readable snapshot",
}
# Their files import each other's files, and not only what a wing hands out: a call costs more than its work.
HOT_WINGS = {"format", "table", "merge"}
# Files of the engine that belong to no wing, since every wing uses them.
SHARED = {"closing", "errors", "lazy", "progress", "system"}
# What only a type checker imports, which brings the types of it with itself.
FOR_CHECKERS = {
    ("git/joint.py", "typing_extensions"),
    ("fsck/passing.py", "mypy_extensions"),
}

INSPECTOR_WINGS = {
    "text": "",
    "rows": "text",
    "model": "rows",
    "actions": "model",
    "demo": "actions",
    "tui": "demo",
    "cli": "tui",
}
# Files of the inspector that belong to no wing: what a process says at its end, and how it is started.
INSPECTOR_TOP = {"exit_codes": {"text"}, "__main__": {"cli"}, "__init__": set[str]()}
# Which wing may import which library. rich is what Textual draws with: Textual's own interface hands out its
# segments and styles.
LIBRARIES = {
    "click": {"cli", "exit_codes", "tui"},
    "platformdirs": {"tui"},
    "regex": {"rows"},
    "textual": {"tui"},
    "rich": {"tui"},
}

# What the engine's tests may import besides it: with these alone they run on a newer Python in CI.
ENGINE_TEST_TOOLS = {"hypothesis", "pytest"}

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
    ("inspector/rows/export.py", "open"): "the new file that the user asked rows to be exported to",
    ("inspector/rows/export.py", "os.unlink"): "the same, when it could not be finished",
    **{
        ("inspector/demo/damaged.py", way): "files of its own making, which it is to damage"
        for way in (".read_bytes", ".read_text", ".touch", ".write_bytes", "os.utime")
    },
    ("inspector/cli/completion.py", ".read_text"): "package data: the scripts for shells",
    ("inspector/cli/entry.py", "os.open"): "the null device, in place of a stream that is closed, or unread",
    ("inspector/cli/entry.py", "os.fdopen"): "the same, as a stream",
    **{("inspector/tui/config.py", way): "the user's configuration" for way in ("open", "os.open")},
    ("inspector/tui/ending.py", "os.open"): "the null device, in place of a terminal that has gone",
}

FORBIDDEN_TEXT = {
    "a path of one machine": rb"(?<![\w.$}~-])/(?:home|Users|root|work)/\w|pytest-of-\w",
    "the host of a package registry": rb"(?i)\b(?:anaconda|debian|npmjs|pypi|pythonhosted)\.(?:com|org)\b",
}


@cache
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


@cache
def parsed(source: str) -> ast.Module:
    """The tree of a module's source, for all of the tests."""
    return ast.parse(source)


@cache
def modules(package: str) -> dict[str, str]:
    """The source of each module below a directory of the project, by its path from the project's root."""
    return {
        str(path.relative_to(ROOT)): path.read_text("utf-8")
        for path in project_files()
        if path.suffix == ".py" and path.is_relative_to(ROOT / package)
    }


@cache
def imported_modules(source: str, package: str) -> set[str]:
    """The dotted names that a module of `package` imports, anywhere in its text.

    What is imported from a package counts as the package, unless it is a file or a folder there.
    """
    found: set[str] = set()
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = parents[: len(parents) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = ROOT.joinpath(*module.split("."), alias.name)
                is_module = inner.with_suffix(".py").exists() or inner.is_dir()
                found.add(f"{module}.{alias.name}" if is_module else module)
    return found


def below(wing: str, wings: dict[str, str]) -> set[str]:
    """The wings that `wing` may import: those it stands on, and all they stand on."""
    direct = set(wings[wing].split())
    return direct.union(*(below(other, wings) for other in direct))


def engine_faults(path: str, source: str) -> list[str]:
    """What is wrong with the imports of one file of the engine, given by its path below `engine/`."""
    wing, _, inner = path.removesuffix(".py").rpartition("/")
    if wing not in {"", *ENGINE_WINGS} or (not wing and inner not in {*SHARED, "__init__"}):
        return [f"engine/{path} has no place: give it a wing of ENGINE_WINGS"]
    faults = []
    for imported in sorted(imported_modules(source, ".".join(["engine", *([wing] if wing else [])]))):
        top, *rest = imported.split(".")
        if top != "engine":
            if top not in sys.stdlib_module_names and (path, top) not in FOR_CHECKERS:
                faults.append(f"engine/{path} imports {imported}, which is not in the standard library")
            continue
        other = rest[0] if rest else ""
        if other in SHARED:
            is_allowed = inner != other
        elif not wing:
            is_allowed = inner == "__init__" and len(rest) == 1
        elif other == wing:
            is_allowed = len(rest) > 1
        else:
            is_hot = {wing, other} <= HOT_WINGS
            is_allowed = other in below(wing, ENGINE_WINGS) and (is_hot or len(rest) == 1)
        if not is_allowed:
            faults.append(f"engine/{path} may not import {imported}")
    return faults


def inspector_faults(path: str, source: str) -> list[str]:
    """What is wrong with the imports of one file of the inspector, given by its path below `inspector/`."""
    folder, _, inner = path.removesuffix(".py").rpartition("/")
    wing = folder.partition("/")[0]
    place = wing or inner
    if place not in {*INSPECTOR_WINGS, *INSPECTOR_TOP}:
        return [f"inspector/{path} has no place: give it a wing of INSPECTOR_WINGS"]
    faults = []
    package = ".".join(["inspector", *(folder.split("/") if folder else [])])
    for imported in sorted(imported_modules(source, package)):
        top, *rest = imported.split(".")
        other = rest[0] if rest else ""
        if top == "inspector":
            if other == wing:
                is_allowed = len(rest) > 1
            elif other in INSPECTOR_TOP:
                is_allowed = wing in {"cli", "tui"}
            elif wing:
                is_allowed = len(rest) == 1 and other in below(wing, INSPECTOR_WINGS)
            else:
                is_allowed = len(rest) == 1 and other in INSPECTOR_TOP[inner]
        elif top == "engine":
            is_allowed = len(rest) <= 1
        else:
            is_allowed = place in LIBRARIES.get(top, set()) or top in sys.stdlib_module_names
        if not is_allowed:
            faults.append(f"inspector/{path} may not import {imported}")
    return faults


def import_circles(package: str) -> list[list[str]]:
    """The modules of a package that import each other in a circle, by their paths; none if there is none."""
    sources = modules(package)
    arrows = {}
    for path, source in sources.items():
        names = imported_modules(source, ".".join(Path(path).parent.parts))
        files = {name.replace(".", "/") + ".py" for name in names}
        arrows[path] = {file for file in files if file in sources and file != path}
    while True:
        leaves = {path for path, others in arrows.items() if not others}
        if not leaves:
            break
        arrows = {path: others - leaves for path, others in arrows.items() if path not in leaves}
    # What is left reaches a circle; those that nothing left imports are not on one.
    while outer := arrows.keys() - set().union(*arrows.values(), set()):
        arrows = {path: others for path, others in arrows.items() if path not in outer}
    return [sorted(arrows)] if arrows else []


def foreign_to_the_engine(start: str) -> list[str]:
    """What the tests below `start` import beyond the engine, also through other modules of tests."""
    sources = modules("tests")
    left = [path for path in sources if path.startswith(start)]
    seen, faults = set(left), []
    while left:
        path = left.pop()
        for name in imported_modules(sources[path], ".".join(Path(path).parent.parts)):
            file, top = name.replace(".", "/") + ".py", name.partition(".")[0]
            if file in sources and file not in seen:
                seen.add(file)
                left.append(file)
            elif top not in {"engine", "tests", *ENGINE_TEST_TOOLS} and top not in sys.stdlib_module_names:
                faults.append(f"{path} imports {name}")
    return sorted(faults)


def handed_out_wrongly(package: str, source: str) -> list[str]:
    """What the table of a package that is imported lazily says otherwise than what type checkers read."""
    checked = {
        (node.module, alias.asname or alias.name)
        for block in parsed(source).body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    handed_out = {
        (f"{package}.{file}", name)
        for node in ast.walk(parsed(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "lazily"
        for file, names in ast.literal_eval(node.args[1]).items()
        for name in names.split()
    }
    files = {path.stem for path in (ROOT / package.replace(".", "/")).iterdir()}
    hidden = {(file, name) for file, name in handed_out if name in files}
    return [f"{package}: {file} {name}" for file, name in sorted((checked ^ handed_out) | hidden)]


def file_accesses(source: str) -> set[str]:
    """The ways in which a module gets at files itself."""
    found: set[str] = set()
    for node in ast.walk(parsed(source)):
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
                last = name.rpartition(".")[2]
                if last == "Path" or not re.fullmatch(r"cls|[A-Z]\w*", last):
                    found.add(f"{name}.open")
            case ast.Attribute(value=ast.Name(id="os"), attr=attr) if attr in FILE_FUNCTIONS:
                found.add(f"os.{attr}")
            case ast.Attribute(attr=attr) if attr in FILE_METHODS:
                found.add(f".{attr}")
    return found


def test_engine_imports_the_standard_library_and_the_wings_below() -> None:
    faults = [
        fault
        for path, source in modules("engine").items()
        for fault in engine_faults(path.removeprefix("engine/"), source)
    ]
    assert faults == []


@pytest.mark.parametrize("package", ["engine", "inspector"])
def test_no_file_is_on_a_circle_of_imports(package: str) -> None:
    assert import_circles(package) == []


def test_inspector_imports_wings_below_and_each_library_where_it_belongs() -> None:
    faults = [
        fault
        for path, source in modules("inspector").items()
        for fault in inspector_faults(path.removeprefix("inspector/"), source)
    ]
    assert faults == []


def test_each_layer_of_the_terminal_imports_the_layers_below() -> None:
    layers = ["inspector.tui.app", "inspector.tui.screens", "inspector.tui.widgets", "inspector.tui.work"]
    faults = [
        (path, imported)
        for path, source in modules("inspector/tui").items()
        for number, layer in enumerate(layers)
        if f"{path.removesuffix('.py').replace('/', '.')}.".startswith(f"{layer}.")
        for imported in imported_modules(source, ".".join(Path(path).parent.parts))
        if f"{imported}.".startswith(tuple(f"{above}." for above in layers[:number]))
    ]
    assert faults == []


@pytest.mark.parametrize("package", ["engine", "inspector"])
def test_what_a_package_hands_out_is_what_type_checkers_see(package: str) -> None:
    packages = {path: source for path, source in modules(package).items() if "lazily(" in source}
    assert len(packages) > 5
    faults = [
        fault
        for path, source in packages.items()
        if path.endswith("__init__.py")
        for fault in handed_out_wrongly(".".join(Path(path).parent.parts), source)
    ]
    assert faults == []


def test_inspector_leaves_the_files_of_a_stack_to_the_engine() -> None:
    accesses = {(path, way) for path, source in modules("inspector").items() for way in file_accesses(source)}
    assert accesses == set(FILE_ACCESS_ALLOWED)


def test_every_module_says_what_it_is() -> None:
    # Told by the beginning: to parse all tests would take longer than all else here.
    begins = re.compile(r'(?:#.*\n|\s)*r?"""\s*[^\s"]')
    assert [path for path, source in modules("").items() if not begins.match(source)] == []
    assert not begins.match('import ast\n"""Not what it is."""')
    assert not begins.match('""""""')


def test_the_tests_of_the_engine_need_nothing_but_it_and_their_tools() -> None:
    assert foreign_to_the_engine("tests/engine/") == []
    assert any("textual" in fault for fault in foreign_to_the_engine("tests/inspector/tui/test_app.py"))


def test_no_file_names_a_machine_or_a_registry() -> None:
    faults = [
        (str(path.relative_to(ROOT)), what, found.group())
        for path in project_files()
        for what, pattern in FORBIDDEN_TEXT.items()
        for found in re.finditer(pattern, path.read_bytes())
    ]
    assert faults == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("format/header.py", "import textual"),
        ("format/header.py", "from click import echo"),
        ("format/header.py", "from inspector import cli"),
        ("format/header.py", "from engine.table import Table"),
        ("format/header.py", "from engine import table"),
        ("format/header.py", "from .record import RefRecord\nfrom ..table import Table"),
        ("format/header.py", "def late():\n    import engine.table.reader"),
        ("format/header.py", "from engine import FormatError"),
        ("format/header.py", "from engine.format import RefRecord"),
        ("progress.py", "from engine.format import Header"),
        ("stack/lock.py", "from engine.table.reader import Table"),
        ("stack/stack.py", "from engine.update import apply"),
        ("fsck/run.py", "from engine.repair import plan_repair"),
        ("__init__.py", "from engine.repair.planner import plan_repair"),
        ("nowhere.py", ""),
        ("nowhere/at_all.py", ""),
    ],
)
def test_an_import_that_points_up_or_past_a_door_is_a_fault(path: str, source: str) -> None:
    assert len(engine_faults(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("format/record.py", "import os.path\nfrom engine.format.header import HashId"),
        ("format/record.py", "from .header import HashId\nfrom engine.errors import ApiError"),
        ("merge/merged.py", "from engine.table.reader import Table"),
        ("stack/stack.py", "from engine.format import RefRecord\nfrom engine import errors"),
        ("stack/stack.py", "from engine.stack import lock"),
        ("__init__.py", "from engine.repair import plan_repair"),
    ],
)
def test_an_import_that_points_down_is_none(path: str, source: str) -> None:
    assert engine_faults(path, source) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("text/facts.py", "import textual"),
        ("text/facts.py", "import click"),
        ("text/facts.py", "from inspector.rows import RefRows"),
        ("rows/record_rows.py", "from inspector.text.facts import shown"),
        ("rows/record_rows.py", "from inspector.rows import RefRows"),
        ("rows/record_rows.py", "from engine.stack.lock import LockFile"),
        ("model/view.py", "def late():\n    from inspector.actions import run"),
        ("model/view.py", "import numpy"),
        ("actions/base.py", "from inspector.cli import main"),
        ("tui/app.py", "from inspector.cli import main"),
        ("exit_codes.py", "from inspector.rows import RefRows"),
        ("nowhere.py", ""),
        ("nowhere/at_all.py", ""),
    ],
)
def test_an_import_of_the_inspector_that_points_up_or_past_a_door_is_a_fault(path: str, source: str) -> None:
    assert len(inspector_faults(path, source)) == 1


@pytest.mark.parametrize(
    ("imports", "table"),
    [
        ("from engine.stack.lock import LockFile as LockFile", {}),
        ("from engine.stack.lock import LockFile as LockFile", {"stack": "LockFile"}),
        ("pass", {"lock": "LockFile"}),
        ("from engine.stack.lock import lock as lock", {"lock": "lock"}),
    ],
)
def test_a_table_of_names_that_says_otherwise_is_seen(imports: str, table: dict[str, str]) -> None:
    source = f"if TYPE_CHECKING:\n    {imports}\nelse:\n    x = lazily(__name__, {table})"
    assert handed_out_wrongly("engine.stack", source)


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
        ("import pathlib\npathlib.Path.open(path)", {"pathlib.Path.open"}),
        ("Stack.open(directory)", set()),
        ("stack.Stack.open(directory)", set()),
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
