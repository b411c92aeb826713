"""Filters: what is typed, what passes, and that no expression holds anything up for ever."""

from __future__ import annotations

import threading
import time
import warnings

import pytest

from inspector.rows import FilterError, RowFilter, beginning, row_filter as filters
from inspector.rows.row_filter import TEXT_BYTES, TooSlowError


def never() -> bool:
    return False


def passing(typed: str, *names: bytes) -> list[bytes]:
    row_filter = RowFilter.parse(typed)
    assert row_filter is not None
    admitted = row_filter.admits(names, 1, never)
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
    assert RowFilter(b"ann").admits(texts, 2, never) == [True, False]
    assert RowFilter(b"ann", inverted=True).admits(texts, 2, never) == [False, True]


@pytest.mark.parametrize("typed", ["re:(", "re:*", "re:[z-a]", "!re:(?P<1>x)", r"re:\8", "re:(?R)"])
def test_what_is_no_expression_is_an_error_in_words(typed: str) -> None:
    with pytest.raises(FilterError, match=r"no regular expression: \w+"):
        RowFilter.parse(typed)


def test_a_doubtful_expression_prints_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert RowFilter.parse("re:[[a]") is not None


ENDLESS = RowFilter(rb"(a|aa)+$", is_regex=True)
LONG = b"a" * 64 + b"b"


def test_an_expression_without_end_is_given_up_and_others_work_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(filters, "TEXT_SECONDS", 0.1)
        with pytest.raises(TooSlowError, match="given up"):
            ENDLESS.admits([b"b", LONG], 1, never)
    assert ENDLESS.admits([b"aaa", b"b"], 1, never) == [True, False]


def test_texts_that_take_too_long_together_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [b"a" * 10 + b"b"] * 100_000
    assert ENDLESS.admits(texts[:10], 1, never) == [False] * 10
    monkeypatch.setattr(filters, "SECONDS", 0.1)
    with pytest.raises(TooSlowError, match="given up"):
        ENDLESS.admits(texts, 1, never)


def test_other_threads_run_while_an_expression_is_searched_for() -> None:
    begun, lively = threading.Event(), threading.Event()

    def several_turns() -> None:
        begun.wait()
        # One turn it would get anyway, where the search returns.
        for _ in range(3):
            time.sleep(0.001)
        lively.set()

    def just_before_the_search() -> bool:
        begun.set()
        return False

    other = threading.Thread(target=several_turns)
    other.start()
    with pytest.raises(TooSlowError):
        ENDLESS.admits([LONG], 1, just_before_the_search)
    assert lively.is_set()
    other.join()


def test_a_search_that_is_not_wanted_any_more_ends() -> None:
    answers = iter([False, True])
    assert ENDLESS.admits([b"aaa", LONG, LONG], 1, lambda: next(answers)) == [True]


def test_a_long_text_is_searched_at_its_beginning_only() -> None:
    inside, outside = b"a" * (TEXT_BYTES - 1) + b"z", b"a" * TEXT_BYTES + b"z"
    assert RowFilter(b"z", is_regex=True).admits([inside, outside], 1, never) == [True, False]


def test_thousands_of_texts_go_through_at_once() -> None:
    row_filter = RowFilter(rb"7$", is_regex=True)
    texts = [b"refs/heads/%d" % number for number in range(20_000)]
    assert row_filter.admits(texts, 1, never) == [text.endswith(b"7") for text in texts]
    assert row_filter.admits([], 1, never) == []


@pytest.mark.parametrize(
    "prefix", [b"refs/heads/", b"refs/a.b+c/", "refs/größe/".encode(), b"refs/\xff\xfe/", b"refs/a b\\/"]
)
def test_what_begins_with_a_prefix_is_written_as_a_filter_that_can_be_typed(prefix: bytes) -> None:
    typed = beginning(prefix)
    typed.encode()  # no half of a character
    row_filter = RowFilter.parse(typed)
    assert row_filter is not None
    names = [prefix + b"x", b"x" + prefix, prefix[:-2] + b"?/x", prefix.replace(b".", b"-") + b"x"]
    assert row_filter.admits(names, 1) == [name.startswith(prefix) for name in names]
