"""The manual says of each verb what --help says, in what man can read."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from inspector.cli import man_pages
from inspector.cli.entry import NO_NAME, cli
from inspector.exit_codes import ExitCode

CONTEXT = click.Context(cli, info_name="reftable-inspector", **cli.context_settings)
VERBS = cli.list_commands(CONTEXT)
REQUESTS = {".TH", ".SH", ".PP", ".TP", ".RS", ".RE", ".nf", ".fi", ".br"}
ESCAPES = {r"\-", r"\e", r"\&", r"\fB", r"\fR", r"\(aq", r"\(ga", r"\(ha", r"\(ti"}


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return man_pages.man_pages("1.2.3", "2026-11-29")


def plain(page: str) -> str:
    """The words of a page in one line."""
    for escape, sign in (
        ("\\-", "-"),
        ("\\e", "\\"),
        ("\\(aq", "'"),
        ("\\(ga", "`"),
        ("\\fB", ""),
        ("\\fR", ""),
    ):
        page = page.replace(escape, sign)
    return " ".join(page.replace("\\&", "").replace("\\(ti", "~").replace("\\(ha", "^").split())


def test_the_program_and_each_verb_have_a_page(pages: dict[str, str]) -> None:
    verbs = {f"reftable-inspector-{verb}.1" for verb in VERBS}
    assert pages.keys() == {"reftable-inspector.1", "git-reftable.1"} | verbs
    for name in ("reftable-inspector.1", "git-reftable.1"):
        for verb in VERBS:
            assert f"reftable-inspector-{verb}(1)" in plain(pages[name])
    assert ".SH NAME\ngit\\-reftable \\- " in pages["git-reftable.1"]
    assert "\\fBgit reftable\\fR VERB" in pages["git-reftable.1"]


@pytest.mark.parametrize("verb", [NO_NAME, *VERBS])
def test_a_page_has_all_that_help_has(pages: dict[str, str], verb: str) -> None:
    command = cli.get_command(CONTEXT, verb)
    assert command is not None
    page = pages[f"reftable-inspector-{verb}.1" if verb else "reftable-inspector.1"]
    text = plain(page)
    context = click.Context(command, info_name=verb, parent=CONTEXT)
    for option in command.get_params(context):
        if isinstance(option, click.Option):
            names, what = option.get_help_record(context) or ("", "")
            assert names in text
            assert " ".join(what.replace("`", "").split()) in text
    described = (cli if verb == NO_NAME else command).help or ""
    words = " ".join(described.split("Exit codes")[0].replace("`", "").replace("\b", "").split())
    assert words in text.replace(" .PP ", " ").replace(" .RE ", " ").replace(" .RS 4 .nf ", " ").replace(
        ".fi ", ""
    )
    for code in ExitCode:
        assert f".TP {int(code)} " in text
    sections = re.findall(r"^\.SH (.*)", page, re.MULTILINE)
    assert sections == [
        *("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", *(["VERBS"] if verb == NO_NAME else [])),
        *("EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"),
    ]


def test_pages_are_made_of_what_roff_knows(pages: dict[str, str]) -> None:
    for page in pages.values():
        assert page.endswith("\n")
        for line in page.splitlines():
            assert line.isascii()
            if line.startswith((".", "'")):
                assert line.split()[0] in REQUESTS
            else:
                assert {*re.findall(r"\\(?:f.|\(..|.)", line)} <= ESCAPES
                assert "-" not in line.replace("\\-", "")


def test_a_line_of_text_is_no_request() -> None:
    text = ".git is a directory. 'tis so: a\\b `x-y`"
    assert list(man_pages._filled(text)) == [
        "\\&.git is a directory. \\(aqtis so: a\\eb \\fBx\\-y\\fR",
    ]
    assert list(man_pages._kept(".x\n\n  y")) == [".RS 4", ".nf", "\\&.x", "\\&", "  y", ".fi", ".RE"]


@pytest.mark.parametrize("verb", [NO_NAME, *VERBS])
def test_the_examples_are_command_lines_of_the_verb(verb: str) -> None:
    assert man_pages._EXAMPLES[verb]
    for example in man_pages._EXAMPLES[verb]:
        [words] = re.findall(r"(?:reftable-inspector|git reftable)(?=$| )([^|<>&]*)", example)
        args = shlex.split(words.rstrip(")"))
        is_verb = bool(args) and args[0] in VERBS
        name, rest = (args[0], args[1:]) if is_verb else (NO_NAME, args)
        command = cli.get_command(CONTEXT, name)
        assert verb in (name, NO_NAME)
        assert command is not None
        command.make_context(name, rest, parent=CONTEXT).close()


def test_each_code_is_explained() -> None:
    assert man_pages._CODES.keys() == {*ExitCode}
