"""What the screens of actions are made of: forms of a ref, words for a shell, troubles, lines, choices."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from engine.errors import Cancelled, CommittedError, FormatError, SnapshotError
from engine.format import HashId, RefRecord
from engine.update import parse_commands
from engine.update.commands import RefUpdate, Symref
from inspector.actions import FormKind, RefForm, explain, name_field, value_field
from inspector.actions.workplace import command, word
from inspector.tui.screens.form import Choice
from inspector.tui.widgets.line_list import Line, LineList, wrapped
from tests.support.screens import drive, shown_lines

A, B, NULL = "12" * 20, "Ab" * 20, "0" * 40
NAME = b"refs/heads/x"


@pytest.mark.parametrize(
    ("form", "update"),
    [
        (RefForm("create", "refs/heads/x", A), RefUpdate(NAME, bytes.fromhex(A), bytes(20))),
        (RefForm("create", "refs/heads/x", A, B), RefUpdate(NAME, bytes.fromhex(A), bytes(20))),
        (RefForm("update", "refs/heads/x", B), RefUpdate(NAME, bytes.fromhex(B))),
        (RefForm("update", "refs/heads/x", A, B), RefUpdate(NAME, bytes.fromhex(A), bytes.fromhex(B))),
        (RefForm("update", "refs/heads/x", A, NULL), RefUpdate(NAME, bytes.fromhex(A), bytes(20))),
        (
            RefForm("update", "refs/heads/x", A, itself=True),
            RefUpdate(NAME, bytes.fromhex(A), no_deref=True),
        ),
        (RefForm("delete", "refs/heads/x"), RefUpdate(NAME, bytes(20))),
        (RefForm("delete", "refs/heads/x", old=A), RefUpdate(NAME, bytes(20), bytes.fromhex(A))),
        (RefForm("symref", "HEAD", "refs/heads/x"), RefUpdate(b"HEAD", Symref(NAME), no_deref=True)),
        (
            RefForm("symref", "HEAD", "refs/heads/x", "refs/heads/y"),
            RefUpdate(b"HEAD", Symref(NAME), Symref(b"refs/heads/y"), no_deref=True),
        ),
        (
            RefForm("symref", "HEAD", "refs/heads/x", A),
            RefUpdate(b"HEAD", Symref(NAME), bytes.fromhex(A), no_deref=True),
        ),
        (
            RefForm("create", r'"refs/heads/\351\""', A),
            RefUpdate(b'refs/heads/\xe9"', bytes.fromhex(A), bytes(20)),
        ),
        (
            RefForm("create", "refs/heads/ä", A),
            RefUpdate("refs/heads/ä".encode(), bytes.fromhex(A), bytes(20)),
        ),
    ],
)
def test_a_form_is_the_update_it_looks_like(form: RefForm, update: RefUpdate) -> None:
    assert form.problem(HashId.SHA1) is None
    assert parse_commands(form.commands(HashId.SHA1), HashId.SHA1) == [update]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        (RefForm("create", "", A), "ref: the full name of a ref is missing"),
        (RefForm("create", "refs/heads/a b", A), "ref: a ref name cannot contain a space (byte 12)"),
        (RefForm("create", "refs/heads/a..b", A), "ref: a ref name cannot contain two dots in a row"),
        (RefForm("create", '"refs/heads/a', A), "ref: badly quoted: '\"refs/heads/a'"),
        (RefForm("create", '"refs/heads/a" x', A), "ref: a ref name cannot contain a space"),
        (RefForm("create", "refs/heads/x"), "new value: 0 of the 40 hexadecimal digits"),
        (RefForm("create", "refs/heads/x", A[:7]), "new value: 7 of the 40 hexadecimal digits"),
        (RefForm("create", "refs/heads/x", A + "00"), "new value: 42 of the 40 hexadecimal digits"),
        (RefForm("create", "refs/heads/x", "HEAD"), "new value: 'H' is no hexadecimal digit"),
        (RefForm("create", "refs/heads/x", NULL), "creates nothing"),
        (RefForm("update", "refs/heads/x", A, "main"), "old value: 'm' is no hexadecimal digit"),
        (RefForm("delete", "refs/heads/x", old=NULL), "nothing to delete"),
        (RefForm("symref", "HEAD", "refs/heads/x.lock"), "new value: a ref name cannot contain a component"),
        (RefForm("symref", "HEAD", "refs/heads/x", "a..b"), "old value: a ref name cannot contain two dots"),
    ],
)
def test_what_is_wrong_with_a_form_is_said_of_the_field(form: RefForm, problem: str) -> None:
    said = form.problem(HashId.SHA1)
    assert said is not None
    assert problem in said


def test_object_ids_are_as_long_as_those_of_the_stack() -> None:
    form = RefForm("create", "refs/heads/x", A)
    assert form.problem(HashId.SHA256) == "new value: 40 of the 64 hexadecimal digits of an object id"
    assert RefForm("create", "refs/heads/x", "12" * 32).problem(HashId.SHA256) is None


@pytest.mark.parametrize(
    "name", [b"refs/heads/x", b'"quoted', b"caf\xe9", b"\x1b[2J\xe2\x80\xae", "größe".encode(), b"a\\b\xff"]
)
@pytest.mark.parametrize("kind", ["update", "symref"])
def test_a_ref_that_is_there_can_be_taken_into_the_form(name: bytes, kind: FormKind) -> None:
    text = name_field(name)
    assert text.isprintable()
    new = A if kind == "update" else "refs/heads/x"
    try:
        [update] = parse_commands(RefForm(kind, text, new).commands(HashId.SHA1), HashId.SHA1)
    except ValueError as error:  # a name that git would refuse is refused for what it is
        assert "not a ref name" in str(error)  # noqa: PT017
    else:
        assert update.name == name


def test_values_of_a_ref_are_what_the_form_takes() -> None:
    assert value_field(RefRecord(NAME, 1, bytes.fromhex(A))) == A
    assert value_field(RefRecord(NAME, 1, target=NAME)) == "refs/heads/x"
    assert value_field(RefRecord(NAME, 1)) == ""


@pytest.mark.parametrize(
    "text", ["plain", "a b", "it's", "$(rm -rf x)", "`x`", "", "new\nline", "\x1b[2J", "caf\udce9'\\7", "ä"]
)
def test_a_word_reaches_the_program_as_it_is(text: str) -> None:
    quoted = word(text)
    assert quoted.isprintable()
    done = subprocess.run(["/bin/bash", "-c", f"printf %s {quoted}"], capture_output=True, check=True)
    assert done.stdout == text.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("data", [b"one\ntwo\n", b"$x `y` \\z\n", b"END\nEND_\n", b""])
def test_a_here_document_reaches_the_program_as_it_is(data: bytes, tmp_path: Path) -> None:
    program = tmp_path / "reftable-inspector"
    program.write_text("#!/bin/sh\ncat\n")
    program.chmod(0o755)
    line = command("add", ["-m", word("a b")], [word("/x")], data)
    done = subprocess.run(
        ["/bin/sh", "-c", line], capture_output=True, check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}
    )
    assert done.stdout == data


@pytest.mark.parametrize(
    ("error", "sentence", "remedy"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x/tables.list.lock"), "no room left", "plan"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "does not permit", "plan"),
        (OSError(errno.EROFS, "Read-only file system", "/x/y"), "mounted read-only", "plan"),
        (OSError(errno.EIO, "Input/output error"), "reports an error", "plan"),
        (Cancelled(), "Stopped", "plan"),
        (FormatError("x.ref", 12, "\x1b[2J"), "damaged", "repair"),
        (FormatError("tables.list", None, "a table is not listed"), "repaired first", "repair"),
        (SnapshotError("tables.list", None, "is gone from the snapshot 5"), "not as it was taken", "none"),
        (CommittedError("tables.list", "full"), "The change is made", "none"),
        (RuntimeError("?"), "defect", "plan"),
    ],
)
def test_errors_are_explained(error: Exception, sentence: str, remedy: str) -> None:
    trouble = explain(error)
    assert sentence in trouble.sentence
    assert trouble.remedy == remedy
    assert all(text.isprintable() for text in trouble.paragraphs)
    if isinstance(error, OSError):
        assert str(error.strerror) in trouble.paragraphs[0]
        assert str(error.filename or "") in trouble.paragraphs[0]


@pytest.mark.parametrize("width", [10, 20, 37])
@pytest.mark.parametrize(
    "text",
    [
        "a few words that go on and on and on",
        "    " + "x" * 100,
        "  old " + "f" * 40 + " and more",
        "日本語" * 30,
    ],
)
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    parts = list(wrapped(text, width))
    assert all(cell_len(part) <= width for part in parts)
    assert "".join(parts).replace(" ", "") == text.replace(" ", "")


class PartsApp(App[None]):
    """A choice above lines."""

    def compose(self) -> ComposeResult:
        yield Choice([(1, "one"), (2, "two"), (3, "three")])
        yield LineList()


def test_a_choice_shows_without_colour_what_is_chosen() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        choice = pilot.app.query_one(Choice)
        assert shown_lines(pilot.app)[0].startswith("(*) one  ( ) two  ( ) three")
        await pilot.press("right", "right", "right", "left")
        assert choice.value == 3
        assert shown_lines(pilot.app)[0].startswith("( ) one  ( ) two  (*) three")
        await pilot.click(Choice, offset=(12, 0))
        assert choice.value == 2

    drive(PartsApp(), steps)


def test_lines_are_wrapped_again_when_the_width_changes() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        text = "some words in a line that is longer than forty cells can take"
        lines = pilot.app.query_one(LineList)
        lines.show_lines([Line(text), Line("short")])
        await pilot.pause()
        assert text in shown_lines(pilot.app)[1]
        await pilot.resize_terminal(40, 10)
        await pilot.pause()
        assert [line.split() for line in shown_lines(pilot.app)[1:4]] == [
            [">", *text.split()[:8]],
            text.split()[8:],
            ["short"],
        ]

    drive(PartsApp(), steps, (80, 10))
