"""What a study hides until its steps have led there, which are decisions, and compactions of the past."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from engine.stack import Policy, StackOptions
from inspector.model import PastCompaction, Study, TableSize

FRAME = 91
"""Bytes of a file that the rules do not count."""

LOG2: Policy = "log2"
GEOMETRIC: Policy = "geometric"


def tables(*sizes: int, begin: int = 0) -> tuple[TableSize, ...]:
    return tuple(
        TableSize(f"table-{number}", size + FRAME, size) for number, size in enumerate(sizes, start=begin)
    )


def past(
    before: Sequence[int], merged: range, result: int | None, policy: Policy = LOG2, factor: int = 2
) -> Study:
    """A study of a compaction of tables of these sizes."""
    old = tables(*before)
    new = tables(result, begin=1000) if result is not None else ()
    after = old[: merged.start] + new + old[merged.stop :]
    study = Study()
    study.replay(PastCompaction("seen", old, merged, after), StackOptions(policy=policy, factor=factor))
    return study


def test_a_suggestion_is_hidden_until_the_last_step() -> None:
    study = past([9000, 100, 90, 80, 3], range(1, 4), 250)
    assert (study.at, study.step, study.hidden, study.seen) == (0, None, True, range(0))
    assert study.target == range(1, 4), "what is asked for without looking is there all the same"
    for number in range(1, len(study.steps)):
        study.at = number
        assert study.hidden
        assert not study.seen
    study.at += 1
    assert study.step is not None
    assert study.step.kind == "result"
    assert study.seen == study.target
    study.at -= 1
    assert not study.seen
    study.mark(0, 2)
    assert study.seen == range(2), "what was marked is no secret of the rule"


def test_each_rule_is_left_where_it_is() -> None:
    study = past([9000, 100, 90, 80, 3], range(1, 4), 250)
    study.at = 10_000
    study.switch_rule()
    assert study.at == 0
    assert study.hides("geometric")
    assert not study.hides("log2")
    study.at = 2
    study.change_factor(1)
    assert study.at == 0, "another factor, another question"
    study.switch_rule()
    assert not study.hidden


@pytest.mark.parametrize("sizes", [[], [500]])
def test_with_nothing_to_find_out_the_result_is_there_at_once(sizes: list[int]) -> None:
    study = past(sizes, range(0), None)
    assert not study.hides("log2")
    assert not study.hides("geometric")


@pytest.mark.parametrize(
    ("rule", "kinds"), [(LOG2, {"cut", "choose", "grow"}), (GEOMETRIC, {"end", "begin"})]
)
def test_decisions_are_the_answers_that_change_something(rule: Policy, kinds: set[str]) -> None:
    study = past([90_000, 700, 100, 90, 80, 3], range(0), None, rule)
    study.mark(0, 0)
    study.rule = rule
    met = set()
    while study.hidden:
        passed = range(study.at, study.next_decision - 1)
        assert not any(study.steps[at].yes for at in passed)
        study.at = study.next_decision
        assert study.step is not None
        met.add(study.step.kind)
    assert met == {*kinds, "result"}


@pytest.mark.parametrize("rule", [LOG2, GEOMETRIC])
@pytest.mark.parametrize("sizes", [[48] * 300, [48, 3000] * 150, [3, *(2**at for at in range(200, 0, -1))]])
def test_hundreds_of_tables_are_played_with_few_stops(rule: Policy, sizes: list[int]) -> None:
    study = past(sizes, range(0), None, rule)
    study.rule = rule
    stops = 0
    while study.hidden:
        study.at = study.next_decision
        stops += 1
    assert stops <= 20


@pytest.mark.parametrize("policy", [LOG2, GEOMETRIC])
def test_a_past_compaction_is_shown_with_the_rule_that_merges_these_tables(policy: Policy) -> None:
    geometric_only = past([9000, 400, 100, 60, 3], range(2, 4), 150, policy)
    assert geometric_only.rule == "geometric"
    assert not geometric_only.marked
    assert geometric_only.hidden
    both = past([9000, 100, 90], range(1, 3), 180, policy)
    assert both.rule == policy, "the stack's own if both do"


def test_a_past_compaction_of_neither_rule_shows_its_result_at_once() -> None:
    study = past([9000, 100, 90], range(3), 9100)
    assert study.marked == range(3)
    assert study.seen == range(3)


def test_the_size_of_a_past_result_is_known() -> None:
    study = past([9000, 100, 90], range(1, 3), 170)
    assert study.merged_size(file_sizes=False) == 170
    assert study.merged_size(file_sizes=True) == 170 + FRAME
    assert not study.is_estimate
    study.mark(0, 2)
    assert study.is_estimate, "of another range it is not"
    nothing = past([9000, 100, 90], range(1, 3), None)
    assert nothing.merged_size(file_sizes=True) is None


def test_a_table_added_meanwhile_is_not_taken_for_the_result() -> None:
    old, new = tables(9000, 100, 90), tables(170, 40, begin=1000)
    assert PastCompaction("seen", old, range(1, 3), (*old[:1], *new)).result == new[0]


@pytest.mark.parametrize("policy", [LOG2, GEOMETRIC])
def test_a_table_that_was_never_seen_is_as_large_as_its_rule_needs(policy: Policy) -> None:
    chance = random.Random(3)
    merged_before = 0
    for _ in range(300):
        sizes = [chance.choice([40, 300, 2000, 40_000]) * chance.randint(1, 9) for _ in range(5)]
        options = StackOptions(policy=policy, factor=chance.choice([2, 3]))
        merged = options.suggestion(sizes).positions
        if merged.stop != len(sizes):
            continue
        merged_before += 1
        *seen, newest = tables(*sizes)
        # The merge superseded nearly all of it, so it tells of one byte.
        unseen = TableSize(newest.name, 1 + FRAME, 1, is_least=True)
        study = Study()
        study.replay(PastCompaction("seen", (*seen, unseen), merged, ()), options)
        assert not study.marked
        assert (study.rule, study.target) == (policy, merged)
        assert study.sizes[-1] <= sizes[-1]
        assert study.tables[-1].size == study.sizes[-1] + FRAME
        again = Study()
        assert study.past is not None
        again.replay(study.past, options)
        assert again.past == study.past
    assert merged_before > 20


def test_a_table_that_was_never_seen_stays_as_it_is_if_no_rule_has_merged_it() -> None:
    *seen, newest = tables(9000, 400, 100, 30)
    unseen = TableSize(newest.name, newest.size, 200, is_least=True)
    study = Study()
    study.replay(PastCompaction("seen", (*seen, unseen), range(2, 4), ()), StackOptions(policy="log2"))
    assert study.sizes[-1] == 200
    assert study.marked == range(2, 4)
