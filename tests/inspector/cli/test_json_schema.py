"""What the verbs print with --json is what inspector/cli/schema.json says, no more and no less.

Every line that the calls below print is held against the schema of its verb. The other way round, each field,
null where a field may be null, and each value of an enumeration occurs in some line, or is in ELSEWHERE: so a
field that is new in the code is found, and one that is gone from it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from engine.format import HashId, LogRecord, RefRecord
from engine.fsck import FAULTS, Severity
from engine.repair import Outcome, StepKind
from engine.stack import Stack, StackOptions
from engine.table import WriteOptions
from inspector.cli.schema import verb_schema, whole_schema
from inspector.text.as_json import _SENTENCES
from tests.support.cli import ok, run, start, verbs_and_options
from tests.support.findings import write_stack
from tests.support.git import Git
from tests.support.handmade import change_byte
from tests.support.stacks import add, list_tables, listed, lock, make_stack
from tests.support.tables import oid, write_table

Schema = Mapping[str, Any]
Run = Callable[..., list[dict[str, Any]]]
"""Runs a verb with --json, whose exit code is the first argument, and takes its lines."""

WHOLE: Final = whole_schema()
VERBS: Final = [verb for verb, options in verbs_and_options() if "--json" in options]
ODD: Final = b"refs/heads/caf\xe9"
LATIN1: Final = b"J\xf6rg"
OPTIONS: Final = StackOptions(auto_compact=False, skip_name_check=True)

ELSEWHERE: Final = {
    "layout.level: null": "only of an index block where it cannot be told what is indexed",
    "layout.section = None": "likewise",
}
"""What does not occur below, and why."""


# What is run


def sound(run: Run, place: Path, git: Git) -> None:
    """A repository of git with a linked worktree, and each verb that changes."""
    repo = git.init(place / "sound", auto_compaction=False)
    first, _ = repo.commit("one"), repo.commit("two")
    repo.tag("v1")
    repo.branch("topic")
    repo.git("branch", "-q", "-D", "topic")
    repo.git("worktree", "add", "-q", "--detach", place / "side")
    path, env = repo.path, repo.runner.environment
    for verb in ("tables", "segments", "refs", "logs", "print", "layout", "fsck"):
        run(0, verb, path)
        run(0, verb, place / "side")
    for verb in ("refs", "logs"):
        run(0, verb, "--deletions", path)
    run(0, "trace", "refs/heads/topic", path)
    run(0, "trace", "v1", path)
    run(0, "trace", "HEAD", path)
    run(1, "resolve", "-C", place / "side", "HEAD", "v1", "main-worktree/HEAD", "nowhere")
    run(0, "repair", path)
    run(0, "export", path, place / "files")
    run(0, "export", "--anonymize", path, place / "anonymous")
    create = b"create refs/heads/x %s\n" % first.hex().encode()
    symref = b"symref-create refs/heads/sym refs/heads/none\n"
    commands = b"start\nabort\nstart\n" + create + symref + b"prepare\ncommit\n"
    run(0, "add", "--dry-run", "-m", "why", path, stdin=create, env=env)
    run(0, "add", "-m", "why", path, stdin=commands, env=env)
    run(0, "add", path, stdin=b"delete refs/heads/x\n", env=env)
    run(1, "resolve", "-C", path, "sym")
    (path / ".git" / "reftable" / "notes.txt").touch()
    (path / ".git" / "reftable" / "0x000000000001-0x000000000001-0badcafe.ref").write_bytes(
        (path / ".git" / "reftable" / listed(repo.reftable)[0]).read_bytes()
    )
    repo.git("config", "gc.refs/heads/*.reflogExpire", "now")
    for options in (["--dry-run"], []):
        run(0, "clean", *options, path)
        run(0, "compact", *options, "--range", "0:2", path)
        run(0, "expire", *options, path)
        run(0, "undo", *options, path)
        run(0, "compact", *options, path)
    run(0, "expire", "--min-update-index", "3", path)
    kept, *_, oldest = [one["id"] for one in run(0, "snapshots", path)]
    for options in (["--dry-run"], []):
        run(0, "snapshots", *options, "--keep", kept, path)
        run(0, "snapshots", *options, "--drop", oldest, path)
    run(0, "snapshots", "--prune", path)
    run(0, "snapshots", path)


def odd_names(run: Run, place: Path, _: Git) -> None:
    """Refs, persons, messages, tables, files, stacks and directories whose names are no UTF-8."""
    outer = place / os.fsdecode(b"odd\xff.git")
    stack = outer / "reftable"
    stack.mkdir(parents=True)
    refs = [
        RefRecord(ODD, 1, oid(2)),
        RefRecord(ODD + b"/x", 1, oid(3)),  # which a directory would have to make room for
        RefRecord(b"refs/heads/a", 1, target=ODD),
        RefRecord(b"refs/heads/../b", 1, oid(3)),
        RefRecord(b"refs/heads/loop", 1, target=b"refs/heads/loop"),
        RefRecord(long := b"refs/heads/" + LATIN1 * 70, 1, oid(3)),  # no file is called like this
    ]
    logs = [
        LogRecord(ODD, 1, None, oid(2), LATIN1, b"\xff@x", 1, 330, b"gr\xfc\xdfe\n"),
        LogRecord(long, 1, None, oid(2), b"A", b"a@b", 0, 0, b"m\n"),
    ]
    write_stack(stack, refs, logs).rename(stack / os.fsdecode(b"caf\xe9.ref"))
    (stack / "tables.list").write_bytes(b"caf\xe9.ref\n")
    for verb in ("tables", "refs", "logs", "print", "layout", "fsck", "repair"):
        run(None, verb, stack)
    run(0, "trace", os.fsdecode(ODD), stack)
    run(1, "resolve", "-C", stack, os.fsdecode(ODD), "refs/heads/a", "refs/heads/loop")
    run(3, "export", stack, place / os.fsdecode(b"files\xff"))
    run(None, "export", "--anonymize", stack, place / os.fsdecode(b"anonymous\xff"))
    run(0, "demo", place / os.fsdecode(b"demo\xff"))
    (stack / os.fsdecode(b"left\xff")).touch()
    run(0, "clean", "--dry-run", stack)
    run(0, "compact", "--dry-run", stack)
    run(0, "expire", "--before", "now", stack)


def damaged(run: Run, place: Path, git: Git) -> None:
    """Stacks with damage of many kinds: what is told of it, the plans, and what they do."""
    holey = place / "holey"
    holey.mkdir()
    names = [b"refs/heads/%03d" % number for number in range(60)]
    refs = [RefRecord(name, 1, oid(number)) for number, name in enumerate(names)]
    logs = [LogRecord(ref.name, 1, None, ref.value, b"A", b"a@b", 1, 0, b"m\n") for ref in refs[:30]]
    table = write_stack(holey, refs, logs, WriteOptions(block_size=512))
    for damaged in (512, 1024, table.stat().st_size - 1):
        change_byte(table, damaged)
    for verb in ("tables", "segments", "refs", "logs", "print", "layout"):
        run(3, verb, holey)
    run(1, "fsck", holey)
    run(3, "trace", "refs/heads/040", holey)
    run(3, "export", holey, place / "files")
    run(0, "repair", holey)
    run(1, "repair", "--apply", holey)
    run(0, "undo", "--dry-run", holey)
    run(0, "snapshots", holey)

    # A table that is gone, reflogs that tell of it, and files that the list does not name.
    lost = place / "lost"
    lost.mkdir()
    log = partial(LogRecord, update_index=2, new=oid(2), committer=b"A", email=b"a@b", message=b"m\n")
    with Stack.open(lost, OPTIONS) as stack:
        add(stack, of_all_types(1))
        add(stack, [RefRecord(b"refs/heads/gone", 2, oid(2))])
        add(stack, logs=[log(b"refs/heads/gone"), log(b"refs/heads/val1", old=oid(1))])
        add(stack, [RefRecord(b"refs/heads/gone", 4, oid(3))])
    present, gone, _, last = listed(lost)
    (lost / gone).unlink()
    (lost / last).unlink()
    newer, cut = (f"0x{number:012x}-0x{number:012x}-0badcafe" for number in (5, 6))
    write_table(lost / f"{newer}.ref", [RefRecord(b"refs/heads/x", 5, oid(1))])
    (lost / f"{cut}.ref").write_bytes(b"REFT")
    lock(lost, "tables.list")
    run(1, "fsck", lost)
    run(0, "repair", lost)
    run(0, "repair", "--set-aside", present, "--take-up", newer, lost)
    run(1, "repair", "--force", "--apply", lost)

    # A table that is listed twice, one with a name of no writer, and one that overlaps.
    mixed = place / "mixed"
    mixed.mkdir()
    with Stack.open(mixed, OPTIONS) as stack:
        for number in (1, 2, 3):
            add(stack, of_all_types(number))
    tables = listed(mixed)
    (mixed / tables[2]).rename(mixed / "three.ref")
    list_tables(mixed, [*tables[:2], "three.ref", tables[1]])
    run(1, "fsck", mixed)
    run(0, "repair", mixed)
    wide = "0x000000000001-0x000000000003-00000001.ref"
    write_table(mixed / wide, of_all_types(1), limits=(1, 3))
    list_tables(mixed, [wide, tables[1]])
    run(1, "fsck", mixed)
    run(0, "repair", mixed)

    # A repository that has lost what is around its stack.
    path, env = git.init(place / "around", "sha256").path, git.environment
    git.run("config", "--unset", "extensions.objectFormat", cwd=path)
    (path / ".git" / "HEAD").write_bytes(b"\0 what it was")
    (path / ".git" / "refs" / "heads").unlink()
    (path / ".git" / "refs").rmdir()
    run(1, "fsck", path, env=env)
    run(0, "repair", path, env=env)
    run(0, "repair", "--apply", path, env=env)


def of_all_types(index: int) -> list[RefRecord]:
    """A ref of each type, with other values for each update index."""
    return [
        RefRecord(b"refs/heads/val1", index, oid(index)),
        RefRecord(b"refs/heads/val2", index, oid(index), oid(index + 10)),
        RefRecord(b"refs/heads/symref", index, target=b"refs/heads/%d" % index),
        RefRecord(b"refs/heads/deletion", index),
    ]


def sizes(run: Run, place: Path, git: Git) -> None:
    """Object ids of 32 bytes, index blocks, blocks without padding, large update indexes."""
    repo = git.init(place / "sha256", "sha256").path
    for verb in ("tables", "refs", "logs", "layout"):
        run(0, verb, repo)
    directory = place / "indexed"
    directory.mkdir()
    names = [b"refs/heads/%04d" % number for number in range(80)]
    records = [RefRecord(name, 2**64 - 1, oid(number)) for number, name in enumerate(names)]
    write_stack(directory, records, (), WriteOptions(block_size=256))
    for verb in ("tables", "refs", "layout"):
        run(0, verb, directory)


def many(run: Run, place: Path, git: Git) -> None:
    """Repositories below a directory, one of which cannot be looked at."""
    path = git.init(place / "a").path
    lock(path / ".git" / "reftable", "tables.list")
    git.init(place / "b")
    make_stack(stack := git.init(place / "c").path / ".git" / "reftable", 1)
    (stack / listed(stack)[0]).unlink()
    # As a process: forking one that runs tests in threads is no good.
    out, _ = start("survey", "--json", "--check", os.fspath(place), f"{place}/nowhere").communicate()
    run(None, "survey", out=out)


SCENARIOS: Final = [sound, odd_names, damaged, sizes, many]


@pytest.fixture(scope="module")
def lines(git: Git, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What all of that prints, by verb."""
    found: dict[str, list[dict[str, Any]]] = {}

    def take(
        code: int | None,
        verb: str,
        *args: str | Path,
        out: bytes | None = None,
        **more: Any,  # noqa: ANN401
    ) -> list[dict[str, Any]]:
        if out is None:
            done = run(verb, "--json", *args, **more)
            assert code is None or done.code == code, (verb, args, done.code, done.err)
            out = done.out
        made = [json.loads(line) for line in out.splitlines()]
        found.setdefault(verb, []).extend(made)
        return made

    for scenario in SCENARIOS:
        scenario(take, tmp_path_factory.mktemp(scenario.__name__), git)
    return found


# The schema and the code


def definitions() -> Iterator[tuple[str, Schema]]:
    """Each object of the schema, with a name for it."""

    def inside(name: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
        if "properties" in schema:
            yield name, schema
        for field, inner in schema.get("properties", {}).items():
            yield from inside(f"{name}.{field}", inner)
        yield from inside(f"{name}[]", schema["items"]) if "items" in schema else ()

    for name, schema in WHOLE["$defs"].items():
        yield from inside(name, schema)


def resolved(schema: Schema) -> Schema:
    """A schema with what it refers to in it."""
    if "$ref" not in schema:
        return schema
    own = {key: value for key, value in schema.items() if key != "$ref"}
    return {**resolved(WHOLE["$defs"][schema["$ref"].removeprefix("#/$defs/")]), **own}


def test_it_is_a_schema_in_which_every_field_is_described() -> None:
    Draft202012Validator.check_schema(WHOLE)
    assert set(VERBS) <= set(WHOLE["$defs"])
    for name, schema in definitions():
        fields = schema["properties"]
        assert schema["additionalProperties"] is False, name
        assert schema["required"] == [field for field in fields if not field.endswith("_hex")], name
        for field, inner in fields.items():
            assert resolved(inner).get("description"), f"{name}.{field}"
            if field.endswith("_hex"):
                text = resolved(fields[field.removesuffix("_hex")])
                kind = "string" if inner["$ref"] == "#/$defs/hex" else "array"
                assert kind in text["type"], f"{name}.{field}"


def test_a_text_is_words_or_has_its_bytes_beside_it() -> None:
    words = set()
    for name, schema in definitions():
        fields = schema["properties"]
        for field, inner in fields.items():
            if "#/$defs/sentence" in json.dumps(inner.get("anyOf", inner.get("$ref", ""))):
                words.add(field)
            elif "string" in resolved(inner).get("type", "") and "pattern" not in resolved(inner):
                # Of a snapshot that others have written, this may be anything; it is a verb.
                assert f"{field}_hex" in fields or field == "operation", f"{name}.{field}"
    assert words == _SENTENCES


def test_it_has_the_sets_that_the_program_has() -> None:
    enums = {name: one["enum"] for name, one in WHOLE["$defs"].items() if "enum" in one}
    assert enums["code"] == list(FAULTS)
    assert enums["severity"] == list(Severity)
    assert enums["step-kind"] == list(StepKind)
    properties = {name: one["properties"] for name, one in definitions()}
    outcomes = enums["outcome"]
    assert sorted([*outcomes, Outcome.KEPT]) == sorted(Outcome)
    assert list(properties["repair-result.refs"]) == list(Outcome)
    assert properties["tables"]["hash"]["enum"] == list(HashId)


@cache
def validator(text: str) -> Draft202012Validator:
    return Draft202012Validator({"$defs": WHOLE["$defs"], **json.loads(text)})


def parts(schema: Schema, at: str, value: Any = ...) -> Iterator[str]:  # noqa: ANN401
    """What is in a schema: fields, values of enumerations, null or not; of a `value`, what that has of it."""
    everything, name = value is ..., at
    while "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        own = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**WHOLE["$defs"][name], **own}
        at = name if "properties" in schema or "items" in schema else at
    choices = schema.get("oneOf", schema.get("anyOf", []))
    for choice in choices:
        if everything or validator(json.dumps(choice)).is_valid(value):
            yield from parts(choice, at, value)
    if "null" in schema.get("type", "") or {"type": "null"} in choices:
        nulls = (True, False) if everything else (value is None,)
        yield from (f"{at}: {'null' if one else 'not null'}" for one in nulls)
    for one in schema.get("enum", ()):
        if everything or one == value:
            yield f"{name} = {one}"
    for field, inner in schema.get("properties", {}).items():
        if everything or (value is not None and field in value):
            yield f"{at}.{field}"
            yield from parts(inner, f"{at}.{field}", ... if everything else value[field])
    if "items" in schema:
        for item in [...] if everything else value or ():
            yield from parts(schema["items"], f"{at}[]", item)


def test_what_verbs_print_is_what_the_schema_says(lines: dict[str, list[dict[str, Any]]]) -> None:
    assert sorted(lines) == sorted(VERBS)
    said, met = set(), set()
    for verb in VERBS:
        schema = {"$ref": f"#/$defs/{verb}"}
        said.update(parts(schema, verb))
        check = Draft202012Validator(verb_schema(verb))
        for one in lines[verb]:
            check.validate(one)
            met.update(parts(schema, verb, one))
    # What is no UTF-8 is the same for all, see test_json_names.py; that the codes are all is held above.
    missing = {one for one in said - met if not one.endswith("_hex") and not one.startswith("code = ")}
    assert missing == set(ELSEWHERE)


def test_a_verb_prints_its_schema() -> None:
    for verb in VERBS:
        printed = json.loads(ok(verb, "--json-schema").out)
        assert printed == verb_schema(verb)
        assert printed["$defs"].keys() < WHOLE["$defs"].keys()
