"""Filters: what is typed, what passes, and that no expression holds anything up for ever."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

from inspector.rows import FilterError, Matcher, RowFilter, regex_search
from inspector.rows.regex_search import TEXT_BYTES, RegexSearch, TooSlowError


def never() -> bool:
    return False


def passing(typed: str, *names: bytes) -> list[bytes]:
    row_filter = RowFilter.parse(typed)
    assert row_filter is not None
    matcher = Matcher(row_filter)
    try:
        admitted = matcher.admits(names, 1, never)
    finally:
        matcher.close()
    assert admitted is not None
    return [name for name, passes in zip(names, admitted, strict=True) if passes]


@pytest.mark.parametrize("typed", ["", "!", "re:", "!re:"])
def test_what_says_nothing_lets_everything_through(typed: str) -> None:
    assert RowFilter.parse(typed) is None


NAMES = (b"refs/heads/main", b"refs/heads/v1", b"refs/tags/v1", b"refs/tags/v1.0", b"caf\xe9")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("v1", NAMES[1:4]),
        ("!v1", (NAMES[0], NAMES[4])),
        ("re:v1$", NAMES[1:3]),
        ("!re:v1$", (NAMES[0], NAMES[3], NAMES[4])),
        (r"re:\xe9", NAMES[4:]),
        ("re:^refs/(heads|tags)/v1", NAMES[1:4]),
        ("v1.0", NAMES[3:4]),
        ("V1", ()),
        ("re:(?i)V1$", NAMES[1:3]),
        ("re:!", ()),
    ],
)
def test_text_and_expressions_and_their_inverse(typed: str, expected: tuple[bytes, ...]) -> None:
    assert tuple(passing(typed, *NAMES)) == expected


def test_a_row_of_several_texts_passes_when_one_of_them_does() -> None:
    texts = [b"refs/heads/a", b"ann", b"refs/heads/b", b"bob"]
    assert Matcher(RowFilter(b"ann")).admits(texts, 2, never) == [True, False]
    assert Matcher(RowFilter(b"ann", inverted=True)).admits(texts, 2, never) == [False, True]


@pytest.mark.parametrize("typed", ["re:(", "re:*", "re:[z-a]", "!re:(?P<1>x)", r"re:\8"])
def test_what_is_no_expression_is_an_error_in_words(typed: str) -> None:
    with pytest.raises(FilterError, match=r"no regular expression: \w+"):
        RowFilter.parse(typed)


def test_a_doubtful_expression_prints_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert RowFilter.parse("re:[[a]") is not None


def test_an_expression_without_end_is_given_up_and_others_work_after_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The child reads its limit from its own file.
    source = (
        Path(regex_search.__file__)
        .read_text("utf-8")
        .replace("CPU_SECONDS: Final = 2.0", "CPU_SECONDS = 0.1")
    )
    (tmp_path / "impatient.py").write_text(source)
    monkeypatch.setattr(regex_search, "__file__", str(tmp_path / "impatient.py"))
    search = RegexSearch(rb"(a+)+$")
    try:
        with pytest.raises(TooSlowError, match="given up"):
            search.found([b"b", b"a" * 64 + b"b"], never)
        assert search.found([b"aaa", b"b"], never) == [True, False]
    finally:
        search.close()


def test_a_search_that_nobody_wants_any_more_ends_and_leaves_no_process() -> None:
    search = RegexSearch(rb"(a+)+$")
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > 1

    assert search.found([b"a" * 64 + b"b"], stopped) is None
    assert search._child is None
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_long_text_is_searched_at_its_beginning_only() -> None:
    search = RegexSearch(b"z")
    try:
        inside, outside = b"a" * (TEXT_BYTES - 1) + b"z", b"a" * TEXT_BYTES + b"z"
        assert search.found([inside, outside], never) == [True, False]
    finally:
        search.close()


def test_thousands_of_texts_go_through_at_once() -> None:
    search = RegexSearch(rb"7$")
    try:
        texts = [b"refs/heads/%d" % number for number in range(20_000)]
        found = search.found(texts, never)
        assert found == [text.endswith(b"7") for text in texts]
        assert search.found([], never) == []
    finally:
        search.close()
