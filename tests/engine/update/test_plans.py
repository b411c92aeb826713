"""Plans of transactions: what they say is what is written, to the stack they were made for or to none."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from engine.errors import EntryTooBigError, LockError, NameConflictError, OutdatedError, RefnameError
from engine.format import HashId, RefRecord
from engine.git import JointStacks
from engine.stack import Stack
from engine.update import Identity, UpdatePlan, parse_commands, prepare_updates
from tests.support.stacks import LOOSE, add, applied, branch, entry, lock, make_stack, names, same
from tests.support.tables import stack_files

WHO = Identity(b"A U Thor", b"author@example.com", 1700000000, 130)
A = same(7).hex()
NAME = "refs/heads/branch-0001"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Three branches, HEAD on the first of them, and one reflog entry."""
    make_stack(tmp_path / "stack", 3)
    with Stack.open(tmp_path / "stack", LOOSE) as stack:
        add(stack, [RefRecord(b"HEAD", 4, target=NAME.encode())], [entry(NAME.encode(), 4)])
    return tmp_path / "stack"


def plan(stack: Stack, commands: str) -> UpdatePlan:
    return prepare_updates(
        parse_commands(commands.encode(), stack.hash_id),
        stack.hash_id,
        committer=WHO,
        message=b"why",
        autocreates_reflog=lambda name: name.startswith(b"refs/heads/"),
    ).plan(stack)


COMMANDS = [
    f"create refs/heads/new {A}\n",
    f"update HEAD {A}\ndelete refs/heads/branch-0002\n",
    f"delete {NAME}\ncreate {NAME}/below {A}\n",
    "option no-deref\nsymref-update HEAD refs/heads/branch-0002\n",
]


@pytest.mark.parametrize("commands", COMMANDS)
def test_a_plan_writes_nothing_and_then_exactly_what_it_says(commands: str, directory: Path) -> None:
    before = stack_files(directory)
    with Stack.open(directory, LOOSE) as stack:
        old = {record.name: record for record in stack.refs()}
        made = plan(stack, commands)
        assert stack_files(directory) == before
        assert made.before == tuple(old.get(record.name) for record in made.result.refs)
        assert applied(made.updates, stack, made) == made.result
        [written] = set(stack_files(directory)).difference(before)
        [part] = made.parts
        assert part.table is not None
        assert (directory / written).stat().st_size == part.table.size
        assert tuple(stack.tables[-1].refs()) == made.result.refs
        assert tuple(stack.tables[-1].logs()) == made.result.logs


@pytest.mark.parametrize("commands", COMMANDS)
def test_a_plan_is_what_an_application_without_one_writes(commands: str, directory: Path) -> None:
    with Stack.open(directory, LOOSE) as stack:
        made = plan(stack, commands)
        assert applied(made.updates, stack) == made.result


def test_a_plan_for_a_stack_that_is_no_more_is_not_applied(directory: Path) -> None:
    with Stack.open(directory, LOOSE) as stack, Stack.open(directory, LOOSE) as other:
        made = plan(stack, COMMANDS[0])
        add(other, [branch(9, other.next_update_index)])
        before = stack_files(directory)
        with pytest.raises(OutdatedError):
            applied(made.updates, stack, made)
        assert stack_files(directory) == before


def test_a_plan_for_the_same_refs_in_other_tables_is_not_applied(directory: Path) -> None:
    with Stack.open(directory, LOOSE) as stack, Stack.open(directory, LOOSE) as other:
        made = plan(stack, COMMANDS[0])
        other.compact_all()
        with pytest.raises(OutdatedError):
            applied(made.updates, stack, made)


def test_a_plan_that_would_have_another_outcome_in_the_main_stack_is_not_applied(
    directory: Path, tmp_path: Path
) -> None:
    # HEAD of a worktree leads into the main stack, and its reflog says where to.
    def main(value: bytes) -> Path:
        path = tmp_path / value.hex()
        path.mkdir()
        with Stack.open(path, LOOSE) as stack:
            add(stack, [RefRecord(b"refs/heads/main", 1, value=value)])
        return path

    def stacks(main: Path) -> JointStacks[Stack]:
        return JointStacks(
            main, directory, {}, partial(Stack.open, read_only=True), partial(Stack.open, options=LOOSE)
        )

    one, other = main(same(1)), main(same(2))
    with stacks(one) as seen:
        made = prepare_updates(
            parse_commands(b"option no-deref\nsymref-update HEAD refs/heads/main\n", HashId.SHA1),
            HashId.SHA1,
            committer=WHO,
            autocreates_reflog=lambda name: name == b"HEAD",
        ).plan(seen)
    assert [record.new for record in made.result.logs] == [same(1)]
    before = stack_files(directory)
    with stacks(other) as seen, pytest.raises(OutdatedError):
        applied(made.updates, seen, made)
    assert stack_files(directory) == before
    with stacks(one) as seen:
        applied(made.updates, seen, made)


def test_a_plan_takes_no_lock_and_its_application_does(directory: Path) -> None:
    lock(directory, "tables.list")
    with Stack.open(directory, LOOSE) as stack:
        made = plan(stack, COMMANDS[0])
        with pytest.raises(LockError):
            applied(made.updates, stack, made)


def test_a_plan_can_be_made_with_a_handle_that_only_reads(directory: Path) -> None:
    with Stack.open(directory, LOOSE, read_only=True) as stack:
        assert len(plan(stack, COMMANDS[0]).parts) == 1


def test_a_plan_of_no_change_has_no_table_and_applies_to_anything(directory: Path) -> None:
    with Stack.open(directory, LOOSE) as stack:
        made = plan(stack, f"update {NAME} {same(1).hex()}\nverify refs/heads/none\n")
        assert (made.parts, made.result.refs) == ((), ())
        before = names(stack)
        applied(made.updates, stack, made)
        assert names(stack) == before


@pytest.mark.parametrize(
    ("commands", "error"),
    [
        (f"create {NAME}/below {A}\n", NameConflictError),
        (f"create refs/heads {A}\n", NameConflictError),
        (f"symref-create topic {NAME}\n", RefnameError),
        (f"create refs/heads/{'x' * 5000} {A}\n", EntryTooBigError),
    ],
)
def test_what_would_be_refused_is_refused_by_the_plan(
    commands: str, error: type[Exception], directory: Path
) -> None:
    with Stack.open(directory, LOOSE) as stack, pytest.raises(error):
        plan(stack, commands)
