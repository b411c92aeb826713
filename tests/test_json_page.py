"""docs/json.md: its tables are what the program has, and its lines with jq print what the page shows.

`python -m tests.test_json_page` writes both anew.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from inspector.cli.schema import whole_schema
from inspector.exit_codes import ExitCode
from tests.support.cli import run, verbs_and_options
from tests.test_pages import ROOT, agrees, prepare

PAGE: Final = ROOT / "docs" / "json.md"
DEFINITIONS: Final = whole_schema()["$defs"]
LONGEST: Final = 12
"""How many values of an enumeration a table lists."""


# The tables


def exit_codes() -> str:
    rows = "".join(f"| {code.value} | {code.meaning} |\n" for code in ExitCode)
    return f"| exit code | means |\n|---|---|\n{rows}"


def resolved(schema: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in schema.items() if key != "$ref"}
    return {**resolved(DEFINITIONS[name_of(schema)]), **own} if "$ref" in schema else own


def name_of(schema: Mapping[str, Any]) -> str:
    name: str = schema.get("$ref", "").removeprefix("#/$defs/")
    return name


def kind(schema: Mapping[str, Any]) -> str:
    """The type of a field, in a few words."""
    known = {"oid": "object id", "sentence": "words"}
    if name_of(schema) in known:
        return known[name_of(schema)]
    schema = resolved(schema)
    if "anyOf" in schema:
        return " or ".join(map(kind, schema["anyOf"]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if len(schema.get("enum", ())) > LONGEST:
        return "string"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(one).strip(chr(34))}`" for one in schema["enum"])
    if "items" in schema:
        return f"list of {kinds(schema['items'])}" + " or null" * ("null" in schema["type"])
    return " or ".join([schema["type"]] if isinstance(schema["type"], str) else schema["type"])


def kinds(items: Mapping[str, Any]) -> str:
    """The same of the items of a list."""
    one = "string" if "enum" in resolved(items) else kind(items)
    return one if one == "words" else one.replace("list", "lists") if one.startswith("list") else f"{one}s"


def rows(schema: Mapping[str, Any], lead: str = "") -> Iterator[str]:
    """A row for each field, and below it for those inside."""
    fields = schema["properties"]
    for field, inner in fields.items():
        if field.endswith("_hex"):
            continue
        whole = resolved(inner)
        names = f"`{lead}{field}`" + (f", `{lead}{field}_hex`" if f"{field}_hex" in fields else "")
        yield f"| {names} | {kind(inner)} | {whole['description']} |\n"
        lists = 0
        while "items" in whole and "properties" not in whole:
            whole, lists = resolved(whole["items"]), lists + 1
        if "properties" in whole:
            yield from rows(whole, f"{lead}{field}{'[]' * lists}.")


def fields_of_verbs() -> str:
    """A heading, a sentence and a table for each verb."""
    made: list[str] = []
    seen: dict[str, str] = {}
    for verb, options in verbs_and_options():
        if "--json" not in options:
            continue
        schema = DEFINITIONS[verb]
        made.append(f"\n### {verb}\n\n{schema['description']}\n")
        for branch in schema.get("oneOf", [schema]):
            name = name_of(branch)
            if name in seen:
                made.append(
                    f"\nWhere it is {DEFINITIONS[name]['title']}, as for [{seen[name]}](#{seen[name]}).\n"
                )
                continue
            if "oneOf" in schema:
                title = DEFINITIONS[name]["title"]
                made.append(f"\n{title[0].upper()}{title[1:]}:\n")
                seen[name] = verb
            made.append("\n| field | type | meaning |\n|---|---|---|\n" + "".join(rows(resolved(branch))))
    return "".join(made)


MADE: Final[dict[str, Callable[[], str]]] = {"exit codes": exit_codes, "fields": fields_of_verbs}


def with_tables(text: str) -> str:
    """The page with its tables made anew."""
    for name, make in MADE.items():
        begin, end = f"<!-- {name}: made by python -m tests.test_json_page -->\n", "<!-- end -->\n"
        before, found, rest = text.partition(begin)
        assert found, name
        _, found, after = rest.partition(end)
        assert found, name
        text = f"{before}{begin}{make().lstrip()}{end}{after}"
    return text


def test_the_tables_are_those_of_the_program() -> None:
    assert PAGE.read_text().splitlines() == with_tables(PAGE.read_text()).splitlines()


# The lines with jq

Objects = list[dict[str, Any]]


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


IN_PYTHON: Final[dict[str, Callable[[Objects], list[str]]]] = {
    """-r 'select(.type == "symref") | .name + " " + .target'""": lambda found: [
        f"{one['name']} {one['target']}" for one in found if one["type"] == "symref"
    ],
    "-s 'map(.size) | add'": lambda found: [str(sum(one["size"] for one in found))],
    "-cs 'group_by(.email) | map([.[0].email, length])'": lambda found: [
        compact([[email, count] for email, count in sorted(Counter(one["email"] for one in found).items())])
    ],
    """-r 'select(.cause == null and .severity == "error") | .code'""": lambda found: [
        one["code"] for one in found if one["cause"] is None and one["severity"] == "error"
    ],
    """-c 'select(.kind == "plan") | .steps[] | [.kind, .file]'""": lambda found: [
        compact([step["kind"], step["file"]]) for step in found[0]["steps"]
    ],
    """-c 'select(.kind == "result") | .refs'""": lambda found: [compact(found[-1]["refs"])],
}
"""What each program for jq makes of the objects, for a machine without jq."""

BLOCK: Final = re.compile(
    "<!-- not run: test_json_page.py does -->\n```console\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


def lines_with_jq(text: str) -> str:
    """Each line with what it prints; jq is run where there is one, and agrees with Python."""
    made, run_once = "", cache(lambda call: run(*call.split()))
    for line in text.splitlines():
        if not line.startswith("$ "):
            continue
        call, _, program = line.removeprefix("$ reftable-inspector ").partition(" | jq ")
        done = run_once(call)
        printed = "".join(f"{one}\n" for one in IN_PYTHON[program](done.objects))
        if shutil.which("jq"):
            told = subprocess.run(
                ["sh", "-c", f"jq {program}"],  # noqa: S607
                input=done.out,
                capture_output=True,
                check=True,
            )
            assert told.stdout.decode() == printed
        made += f"{line}\n{printed}"
    return made


def test_the_lines_with_jq_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    (shown,) = BLOCK.findall(PAGE.read_text())
    assert agrees(shown, lines_with_jq(shown))


if __name__ == "__main__":
    text = with_tables(PAGE.read_text())
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        prepare(Path())
        text = BLOCK.sub(lambda found: found[0].replace(found[1], lines_with_jq(found[1])), text)
    PAGE.write_text(text)
