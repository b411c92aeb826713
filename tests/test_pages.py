"""README and the pages below docs/ are true: their commands run here, and print what the page shows.

    ```console    `$ command`, then what it prints, both streams; a line `...` stands for any lines, `…` in a
                  line for anything
    ```sh         commands that end well and print whatever they print
    ```python     a program, run as it is

A page is one session of a shell, in a directory with a damaged repository, `path/to/repository`, and a sound
one, `lantern.git`. `<!-- not run: REASON -->` before a block excepts it, for one of the reasons below, and
`<!-- ends with CODE -->` says so of its last command.

`python -m tests.test_pages PAGE...` writes into the console blocks what their commands print now.
"""

from __future__ import annotations

import difflib
import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from inspector.demo import build_damaged_demo, build_demo

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = ("README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")))

BLOCK: Final = re.compile(
    r"^ *(?:<!-- (?P<mark>[^\n]*) -->\n)?^(?P<indent> *)```(?P<kind>console|sh|python)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
REASONS_NOT_TO_RUN: Final = {
    "it opens the terminal",
    "test_json_page.py does",
    "test_packaging.py installs",
    "it wants a machine of its own",
}
MARK: Final = "--- end of block"
CONFIG: Final = (
    "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\trefstorage = reftable\n"
)


@dataclass(slots=True)
class Block:
    """A fenced block that is to be run: `text` without its indentation, from `start` to `end` in the page."""

    kind: str
    text: str
    start: int
    end: int
    indent: str
    code: int


def blocks(page: str) -> list[Block]:
    found = []
    for match in BLOCK.finditer(page):
        mark = match["mark"] or ""
        if mark.startswith("not run: "):
            assert mark.removeprefix("not run: ") in REASONS_NOT_TO_RUN, mark
        elif mark != "test-command":
            text = re.sub(f"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
            code = int(mark.removeprefix("ends with ")) if mark.startswith("ends with ") else 0
            place = match.start("text"), match.end("text")
            found.append(Block(match["kind"], text, *place, match["indent"], code))
    return found


def repository(place: Path, *, damaged: bool) -> None:
    """The files of a bare repository around a demo stack, without objects."""
    # First the stack: beside a HEAD, an empty one would be one that has lost everything.
    (build_damaged_demo if damaged else build_demo)(place / "reftable")
    for directory in ("objects", "refs"):
        (place / directory).mkdir(parents=True)
    (place / "refs" / "heads").write_text("this repository uses the reftable format\n")
    (place / "HEAD").write_text("ref: refs/heads/.invalid\n")
    (place / "config").write_text(CONFIG)


def prepare(place: Path) -> None:
    repository(place / "lantern.git", damaged=False)
    repository(place / "path" / "to" / "repository", damaged=True)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pages")
    prepare(place)
    return place


def commands(block: Block) -> list[str]:
    """The commands of a block, each one that its output follows."""
    if block.kind == "console":
        return [line.removeprefix("$ ") for line in block.text.splitlines() if line.startswith("$ ")]
    if block.kind == "python":
        return [f"{shlex.quote(sys.executable)} - <<'END_OF_PROGRAM'\n{block.text}END_OF_PROGRAM"]
    return [block.text.rstrip("\n")]


def run(found: list[Block], place: Path) -> list[list[tuple[str, int]]]:
    """What each command of each block prints, and how it ends."""
    script = "".join(
        f"{command}\nprintf '\\n{MARK} %s\\n' $?\n" for block in found for command in commands(block)
    )
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(place),
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "110",
    }
    done = subprocess.run(
        ["bash", "-s"],  # noqa: S607
        input=script.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=place,
        env=environment,
        check=False,
    )
    pieces = re.split(rf"\n{MARK} (\d+)\n", done.stdout.decode())
    results = [(output, int(status)) for output, status in zip(pieces[:-1:2], pieces[1::2], strict=True)]
    given = iter(results)
    return [[next(given) for _ in commands(block)] for block in found]


def shown(block: Block, results: list[tuple[str, int]]) -> str:
    """The text of a console block, with the outputs that its commands have."""
    pairs = zip(commands(block), results, strict=True)
    return "".join(
        f"$ {command}\n{output}{'' if output.endswith(chr(10)) or not output else chr(10)}"
        for command, (output, _) in pairs
    )


def agrees(expected: str, actual: str) -> bool:
    """Whether the text is what the page shows, but for what stands for anything."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else ".*".join(map(re.escape, line.split("…")))
        for line in expected.splitlines(keepends=True)
    )
    return re.fullmatch(pattern, actual) is not None


@pytest.mark.parametrize("page", [page for page in PAGES if blocks((ROOT / page).read_text())])
def test_what_a_page_says_is_so(page: str, prepared: Path, tmp_path: Path) -> None:
    found = blocks((ROOT / page).read_text())
    place = shutil.copytree(prepared, tmp_path / "place")
    for block, results in zip(found, run(found, place), strict=True):
        if block.kind == "console":
            actual = shown(block, results)
            difference = difflib.unified_diff(
                block.text.splitlines(), actual.splitlines(), page, "now", lineterm=""
            )
            assert agrees(block.text, actual), "\n".join(itertools.islice(difference, 40))
        else:
            output, status = results[0]
            assert status == block.code, f"{page}:\n{block.text}\nends with {status}: {output[-2000:]}"


def test_links_and_pictures_of_pages_lead_to_files() -> None:
    for page in PAGES:
        path = ROOT / page
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{page} leads to {target}"


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 250


def rewrite(path: Path) -> None:
    text = path.read_text()
    found = blocks(text)
    with tempfile.TemporaryDirectory() as place:
        prepare(Path(place))
        all_results = run(found, Path(place))
    for block, results in reversed(list(zip(found, all_results, strict=True))):
        if block.kind == "console":
            new = shown(block, results)
            if not agrees(block.text, new):
                new = "".join(block.indent + line for line in new.splitlines(keepends=True))
                text = text[: block.start] + new + text[block.end :]
        elif results[0][1] != block.code:
            sys.stdout.write(f"{path.name}: {block.text}\nends with {results[0][1]}\n")
    path.write_text(text)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        rewrite(ROOT / name)
