"""The replay of loads under both rules: what it counts, and how near it comes to what a real stack does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st

from engine.format import RefRecord
from engine.merge import fastlog2, suggest_compaction_segment, suggest_geometric_segment
from engine.stack import Policy, Stack, StackOptions
from inspector.model import (
    LOADS,
    Band,
    Course,
    Event,
    EventKind,
    Load,
    Moment,
    Shapes,
    TableShape,
    begin,
    last_updates,
    past,
    replay,
)
from inspector.model.event import difference
from inspector.model.what_if import FRAME, MOST_UPDATES
from tests.support.git import Git
from tests.support.screens import branches, make_stack
from tests.support.tables import oid

RULES: list[Policy] = ["log2", "geometric"]


def moments(sizes: Sequence[int], added: Sequence[int], rule: Policy, factor: int = 2) -> list[Moment]:
    return list(replay(begin(sizes), added, rule, factor))


def course(load: Load, count: int, rule: Policy, sizes: Sequence[int] = ()) -> Course:
    tables = begin(sizes)
    return Course(tables, replay(tables, load.transactions(count), rule, 2))


def shapes(stack: Stack) -> Shapes:
    return tuple(map(TableShape.of, stack.tables))


def named(word: str) -> Load:
    [load] = [load for load in LOADS if word in load.name]
    return load


def test_each_addition_and_each_merge_is_written() -> None:
    """A merge has a frame less for each table less, so two are not quite twice as large as the third."""
    two = 200 - FRAME
    three = two + 100 - FRAME
    first, second, third = (Band(number, number, 100) for number in (1, 2, 3))
    both, all_three = Band(1, 2, two), Band(1, 3, three)
    assert moments([], [100] * 3, "geometric") == [
        Moment(1, first, 0, (), None, 1, 100),
        Moment(2, second, 0, (first, second), both, 1, 200 + two),
        Moment(3, third, 0, (both, third), all_three, 1, 300 + two + three),
    ]


def test_without_a_merge_tables_pile_up_and_additions_are_written_once() -> None:
    found = moments([100, 7], [3, 3, 3], "geometric", 1)
    assert [(moment.tables, moment.written) for moment in found] == [(3, 3), (4, 6), (5, 9)]


# What is looked at each time is not the whole stack: the range reaches far back; so does what is due of old.
@example([300, 60] * 40, [2**20, 2**20, 60], "log2", 2)
@example([5000, 5000] + [300, 60] * 40, [60, 300], "log2", 2)
@example([100] * 80, [100, 101], "geometric", 1)
@example([2**39, *(2**power for power in range(39, 7, -1))], [100, 156], "geometric", 1)
@given(
    st.lists(st.integers(1, 2**20), max_size=70),
    st.lists(st.integers(1, 2**12), min_size=1, max_size=8),
    st.sampled_from(RULES),
    st.sampled_from([1, 2, 5]),
)
def test_the_replay_merges_what_the_rule_says_of_the_whole_stack(
    sizes: list[int], cycle: list[int], rule: Policy, factor: int
) -> None:
    """However little of it is looked at; a merge keeps all bytes but frames."""
    stack, written = list(sizes), 0
    added = list(Load("", tuple(cycle), "").transactions(60))
    tables = begin(sizes)
    of_replay = Course(tables, replay(tables, added, rule, factor))
    for number, (size, moment) in enumerate(zip(added, of_replay.moments, strict=True), start=1):
        stack.append(size)
        written += size
        segment = (
            suggest_compaction_segment(stack) if rule == "log2" else suggest_geometric_segment(stack, factor)
        )
        if len(segment) > 1:
            made = max(1, segment.bytes - FRAME * (len(segment) - 1))
            assert (moment.start, len(moment.merged)) == (segment.start, len(segment))
            assert moment.made is not None
            assert moment.made.size == made
            stack[segment.start : segment.end] = [made]
            written += made
        else:
            assert moment.made is None
        assert (moment.tables, moment.written) == (len(stack), written)
        assert [band.size for band in of_replay.stack(number)] == stack
    ends = [(band.first, band.last) for band in of_replay.stack(60)]
    assert [first for first, _ in ends] == [1, *(last + 1 for _, last in ends[:-1])], "no transaction is lost"


@pytest.mark.parametrize("word", ["deletes", "300 and 200", "300 and 60"])
def test_sizes_in_turn_are_what_log2_never_merges(word: str) -> None:
    """For these git changed its rule."""
    assert course(named(word), 100, "log2").most == 100
    assert course(named(word), 100, "geometric").most <= 5
    with_tables = course(named(word), 100, "log2", [110_000, 32_000, 9000, 300])
    assert with_tables.moments[-1].tables >= 100


def test_the_most_tables_may_be_those_of_the_beginning() -> None:
    found = course(named("one size"), 10, "geometric", [100] * 50)
    assert found.moments[-1].tables < 50
    assert found.most == 50


def test_equal_sizes_are_merged_by_both_and_big_ones_part_the_small_in_log2() -> None:
    equal = [course(named("one size"), 1000, rule) for rule in RULES]
    assert all(found.most <= 12 for found in equal)
    assert equal[0].moments[-1].written < equal[1].moments[-1].written
    log2, geometric = (course(named("big one"), 1000, rule) for rule in RULES)
    assert log2.moments[-1].tables > 100
    assert geometric.most <= 10


@pytest.mark.parametrize("rule", RULES)
def test_ten_thousand_additions_to_three_hundred_tables_keep_their_numbers(rule: Policy) -> None:
    found = course(named("deletes"), 10_000, rule, [500] * 300)
    assert len(found.moments) == 10_000
    assert found.moments[-1].tables == len(found.stack(10_000))
    assert found.last == 10_300


def test_a_load_repeats_its_sizes_and_is_scaled() -> None:
    load = Load("", (100, 7), "")
    assert list(load.transactions(5)) == [100, 7, 100, 7, 100]
    assert list(load.transactions(2, 0.25)) == [25, 1]


def test_a_course_goes_from_merge_to_merge() -> None:
    found = course(named("300 and 60"), 7, "geometric")
    merges = [number for number, moment in enumerate(found.moments, start=1) if moment.merged]
    assert merges
    assert found.next_merge(0, 1) == merges[0]
    assert found.next_merge(merges[-1], 1) == 7, "the end, when there is no other"
    assert found.next_merge(7, -1) == [number for number in merges if number < 7][-1]
    assert found.next_merge(1, -1) == 1
    made = [band for band in found.bands(7) if band.first != band.last]
    assert len(made) == len(merges)


def test_last_updates_are_parts_of_their_tables(tmp_path: Path) -> None:
    """And the past of a stack is when its tables end."""
    directory = make_stack(tmp_path / "reftable", (branches(300), []), ([RefRecord(b"HEAD", 2, oid(1))], []))
    with Stack.open(directory, read_only=True) as stack:
        assert last_updates(()) is None
        load = last_updates(shapes(stack))
        assert load is not None
        assert load.sizes == tuple(table.policy_size for table in stack.tables)
        found = past(shapes(stack))
    assert [moment.last for moment in found.moments] == [1, 2]
    assert found.most == 2


def test_the_past_has_the_events_that_were_seen() -> None:
    """Also those that go back, as an undo does, and those that another process made in several steps."""
    tables = {name: TableShape(name, *span, 100, 191) for name, span in SPANS.items()}
    states = [
        tuple(tables[name] for name in names) for names in ("abc", "abcd", "ae", "aef", "abcd", "d", "")
    ]
    events = [
        Event(number, 0.0, EventKind.UNKNOWN, before, after, difference(before, after))
        for number, (before, after) in enumerate(pairwise(states), start=1)
    ]
    found = past(states[0], events)
    stacks = [[(band.first, band.last) for band in found.stack(at)] for at in range(len(found.moments) + 1)]
    for state in states:
        assert [SPANS[table.name] for table in state] in stacks, "each state has its moment"
    assert stacks[-1] == []
    assert [moment.tables for moment in found.moments] == [len(stack) for stack in stacks[1:]]
    [merge] = [moment for moment in found.moments if moment.made is not None]
    assert (merge.start, len(merge.merged), merge.tables) == (1, 3, 2)
    assert [moment.last for moment in found.moments] == sorted(moment.last for moment in found.moments)


SPANS = {"a": (1, 9), "b": (10, 12), "c": (13, 13), "d": (14, 14), "e": (10, 14), "f": (15, 15)}


def test_of_many_last_updates_the_newest_are_taken(tmp_path: Path) -> None:
    spans = [(1, 400), (401, 440), (441, 441)]
    with Stack.open(tmp_path, StackOptions(auto_compact=False)) as stack:
        for first, last in spans:
            with stack.addition() as addition, addition.table() as writer:
                writer.set_limits(first, last)
                writer.add_refs([RefRecord(b"refs/heads/%d" % first, last, oid(first))])
        load = last_updates(shapes(stack))
        assert load is not None
        assert len(load.sizes) == MOST_UPDATES
        assert load.sizes[-1] == stack.tables[-1].policy_size
        assert load.sizes[0] == 1, "a table of 400 transactions gives each its part, a byte at least"


@pytest.mark.parametrize("rule", RULES)
def test_a_real_stack_goes_as_replayed(tmp_path: Path, rule: Policy) -> None:
    """Tables whose sizes nearly add up: no prefix is shared, no block is padded, nothing is superseded."""
    options = StackOptions(policy=rule, restart_interval=1, unpadded=True, block_size=1 << 20)
    tables: list[int] = []
    with Stack.open(tmp_path, options) as stack:
        for number in range(60):
            name = b"refs/heads/%04d" % number + b"x" * 1000
            with stack.addition() as addition, addition.table() as writer:
                writer.add_ref(RefRecord(name, addition.update_index, oid(number)))
            if not number:
                size = stack.sizes[0]
            tables.append(len(stack.tables))
        read = stack.stats.bytes
        assert sum(stack.sizes) == pytest.approx(60 * size, rel=0.03)
    found = moments([], [size] * 60, rule)
    assert [moment.tables for moment in found] == tables
    assert found[-1].written == pytest.approx(read + 60 * size, rel=0.03)


def test_git_writes_the_sizes_of_the_load_named_after_it(git: Git, tmp_path: Path) -> None:
    """A branch created and one deleted are of two magnitudes, again and again; commits are of one."""
    repository = git.init(tmp_path / "repo", auto_compaction=False)
    for message in ("Add a first thing", "Rework it", "Drop the second one"):
        repository.git("commit", "-q", "--allow-empty", "-m", message)
    for _ in range(3):
        repository.git("branch", "-f", "foo")
        repository.git("branch", "-d", "foo")
    with Stack.open(repository.reftable, read_only=True) as stack:
        sizes = [table.policy_size for table in stack.tables[1:]]
    commits, turns = sizes[:3], sizes[3:]
    assert turns == pytest.approx(list(named("deletes").transactions(6)), rel=0.15)
    assert len({fastlog2(size) for size in turns}) == 2
    assert suggest_compaction_segment(turns).end == 0
    assert commits == pytest.approx(list(named("one size").transactions(3)), rel=0.15)
    assert len({fastlog2(size) for size in commits}) == 1
