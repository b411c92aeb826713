"""A mistyped verb or option is answered with the one that is meant; a path stays a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import run


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["tabels"], 'no verb "tabels"; did you mean "tables"?'),
        (["fcsk", "somewhere", "--json"], 'no verb "fcsk"; did you mean "fsck"?'),
        (["for-each-ref"], 'no verb "for-each-ref"; did you mean "refs"?'),
        (["Refs"], 'no verb "Refs"; did you mean "refs"?'),
        (["snap", "--keep", "x"], 'no verb "snap"; did you mean "snapshots"?'),
        ([".", "refs"], 'the verb comes first: "refs ."'),
    ],
)
def test_what_looks_like_a_verb_is_answered_with_the_verb(words: list[str], answer: str) -> None:
    done = run(*words)
    assert (done.code, done.out) == (2, b"")
    assert done.err.endswith(f"Error: {answer}\n")


@pytest.mark.parametrize("word", ["repo", "reftable", "./tabels", "x/tables", "main", "re"])
def test_what_looks_like_none_is_a_path_that_is_not_there(word: str) -> None:
    done = run(word)
    assert done.code == 3
    assert "there is no such file or directory" in done.err


def test_a_path_that_is_there_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tabels").mkdir()
    done = run("tabels")
    assert done.code == 3
    assert "verb" not in done.err


@pytest.mark.parametrize(
    ("verb", "wrong", "right"), [("refs", "--prefx", "--prefix"), (".", "--demoo", "--demo")]
)
def test_an_option_is_answered_with_the_one_that_is_meant(verb: str, wrong: str, right: str) -> None:
    done = run(verb, wrong)
    assert done.code == 2
    assert wrong in done.err
    assert right in done.err.split(wrong)[1]
