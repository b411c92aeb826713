"""The verbs repair, snapshots and undo, and the snapshots that the other verbs take."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.format import LogRecord, RefRecord, format_table_name
from engine.snapshot import list_snapshots
from engine.stack import Stack, StackOptions
from engine.table import WriteOptions
from inspector.actions import RepairAction
from inspector.cli import repair
from inspector.demo import build_damaged_demo
from inspector.rows import OutcomeRows
from tests.support import screens
from tests.support.actions import workplace
from tests.support.cli import ok, run
from tests.support.findings import write_stack
from tests.support.git import Git
from tests.support.history import Layout
from tests.support.objects import add_commits
from tests.support.stacks import LOOSE, add, list_tables, listed, lock, make_stack
from tests.support.tables import oid, stack_contents, stack_files, write_table


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A stack of two tables, in a directory of its own."""
    directory = tmp_path / "reftable"
    directory.mkdir()
    with Stack.open(directory, StackOptions(auto_compact=False)) as made:
        for number in range(2):
            with made.addition() as addition, addition.table() as writer:
                index = addition.update_index
                name = b"refs/heads/b%d" % number
                writer.add_ref(RefRecord(name, index, oid(number)))
                writer.add_log(LogRecord(name, index, oid(9), oid(number), b"A", b"a@b", 1, 0, b"m\n"))
    return directory


def damage(stack: Path) -> None:
    """Lose the footer of the first table."""
    path = stack / listed(stack)[0]
    os.truncate(path, path.stat().st_size - 10)


def age(path: Path) -> None:
    os.utime(path, (1, 1))


def test_without_apply_the_plan_is_shown_and_nothing_is_written(stack: Path) -> None:
    damage(stack)
    before = stack_files(stack)
    done = ok("repair", stack)
    name = listed(stack)[0].encode()
    assert done.lines[0] == b"1. rewrite-table: " + name
    assert b"cut-short" in done.lines[1]
    assert b"1 ref and 1 reflog entry" in done.lines[2]
    assert b"refs: 2 kept, 0 lost" in done.lines
    assert "nothing was changed: --apply does this" in done.err
    assert stack_files(stack) == before
    assert os.listdir(stack.parent) == [stack.name]


def test_apply_does_what_was_shown_and_undo_takes_it_back(stack: Path) -> None:
    damage(stack)
    before = stack_contents(stack)
    shown, done = ok("repair", stack), run("repair", "--apply", stack)
    assert done.code == 1, "what was behind the end of the file is not known"
    assert "what is lost or may be: reflog entries: 2 kept, none known to be lost, some may be" in done.err
    steps = [line for line in shown.lines if line[:1].isdigit()]
    assert steps == [line for line in done.lines if line[:1].isdigit()]
    assert "checked again: no errors" in done.err
    assert ok("fsck", stack).out == b"" or run("fsck", stack).code == 0
    assert len(ok("refs", stack).lines) == 2
    assert ok("undo", stack).lines[0].startswith(b"as before the repair of")
    assert stack_contents(stack) == before
    assert run("fsck", stack).code == 1


def test_a_ref_that_changes_is_shown_with_both_values_and_gc_is_warned_of(stack: Path) -> None:
    names = listed(stack)
    with Stack.open(stack, StackOptions(auto_compact=False)) as made:
        index = made.next_update_index
        made.add(lambda writer: writer.add_refs([RefRecord(b"refs/heads/b0", index, oid(7))]))
        made.add(lambda writer: writer.add_ref(RefRecord(b"HEAD", index + 1, target=b"refs/heads/b0")))
    newer = listed(stack)[2:]
    (stack / "tables.list").write_text("".join(f"{name}\n" for name in (newer[0], *names, newer[1])))
    plan, ref, summary = ok("repair", "--json", stack).objects
    assert plan["steps"]
    assert (ref["before"]["value"], ref["after"]["value"]) == (oid(0).hex(), oid(7).hex())
    assert (ref["outcome"], ref["changes"], ref["name"]) == ("changed", True, "refs/heads/b0")
    assert "git gc" in summary["gc"]
    shown = ok("repair", stack)
    line = f"changed  refs/heads/b0 {oid(0).hex()} -> {oid(7).hex()} (another table counts)".encode()
    assert line in shown.lines
    assert summary["gc"].encode() in shown.lines
    assert "do not run git gc before the refs are back" in ok("repair", "--apply", stack).err


def test_a_sound_stack_has_nothing_to_repair(stack: Path) -> None:
    for options in ([], ["--apply"]):
        done = ok("repair", *options, stack)
        assert done.out == b""
        assert "nothing to repair" in done.err
    assert os.listdir(stack.parent) == [stack.name]
    summary = ok("repair", "--json", stack).objects[-1]
    refs, logs = (len(ok(verb, stack).lines) for verb in ("refs", "logs"))
    assert (summary["refs"]["kept"], summary["logs"]["kept"]) == (refs, logs) != (0, 0)


def test_json_has_the_steps_the_refs_and_the_numbers(stack: Path) -> None:
    (stack / listed(stack)[1]).unlink()
    plan, ref, summary = ok("repair", "--json", stack).objects
    assert [step["kind"] for step in plan["steps"]] == ["leave-out", "write-list"]
    words = {"kind", "file", "why", "result", "severity", "needs_force", "options", "setting"}
    assert set(plan["steps"][0]) == words
    assert [table["name"] for table in plan["tables"]] == listed(stack)[:1]
    assert plan["left_out"][0]["missing"] is True
    assert ref["name"] == "refs/heads/b0"
    assert ref["outcome"] == "doubtful"
    assert ref["before"] == ref["after"]
    assert ref["changes"] is False
    assert ref["after"]["value"] == oid(0).hex()
    assert summary["refs"]["doubtful"] == 1
    assert summary["logs"]["may_be_lost"] is True
    assert (summary["applied"], summary["snapshot"]) == (False, None)
    gap = {"table": plan["left_out"][0]["file"], "after": "", "before": None, "about": None}
    assert summary["gaps"] == [gap]
    assert summary["unknown"] is None
    assert summary["losses"].startswith(
        "refs: none known to be lost, some may be under any name, 1 doubtful; reflog entries"
    )
    done = run("repair", "--apply", "--json", stack)
    assert done.code == 1
    assert f"what is lost or may be: {summary['losses']}" in done.err
    applied = done.objects[-1]
    assert applied["applied"] is True
    assert applied["snapshot"] == ok("snapshots", "--json", stack).objects[0]["id"]


def test_what_becomes_of_refs_is_told_worst_first(tmp_path: Path) -> None:
    build_damaged_demo(tmp_path, now=2e9)
    told = [line.split(b" ")[0] for line in ok("repair", tmp_path).lines]
    worst = [word for word in told if word in (b"lost", b"revived", b"doubtful", b"restored")]
    assert len(set(worst)) > 1
    assert worst == sorted(worst, key=[b"lost", b"revived", b"doubtful", b"restored"].index)
    objects = ok("repair", "--json", tmp_path).objects[1:-1]
    assert [one["outcome"].encode() for one in objects] == worst


def test_the_names_are_told_between_which_refs_may_have_been_lost(tmp_path: Path) -> None:
    names = [b"refs/heads/%02d" % number for number in range(30)]
    refs = [RefRecord(name, 1, oid(1)) for name in names]
    table = write_stack(tmp_path, refs, options=WriteOptions(block_size=256))
    blocks = [one for one in ok("layout", tmp_path, "--json").objects if one["type"] == "ref"]
    data = bytearray(table.read_bytes())
    data[blocks[1]["offset"]] ^= 0xFF
    table.write_bytes(data)
    first, last = blocks[0]["records"] - 1, blocks[0]["records"] + blocks[1]["records"]
    gap = {"table": table.name, "after": names[first].decode(), "before": names[last].decode()}
    summary = ok("repair", "--json", tmp_path).objects[-1]
    about = summary["gaps"][0].pop("about")
    assert summary["gaps"] == [gap]
    assert abs(about - blocks[1]["records"]) <= 2
    line = f"  between {gap['after']} and {gap['before']}, in {table.name}"
    assert ok("repair", tmp_path).lines[-1] == line.encode()
    lost = f"none known to be lost, about {about} unknown between {gap['after']} and {gap['before']}"
    assert f"refs: {30 - blocks[1]['records']} kept, {lost}".encode() in ok("repair", tmp_path).lines
    assert (summary["unknown"], summary["losses"]) == (about, f"refs: {lost}")
    done = run("repair", "--apply", tmp_path)
    assert done.code == 1
    assert f"what is lost or may be: refs: {lost}" in done.err
    (kept,) = ok("snapshots", "--json", tmp_path).objects
    assert (kept["losses"], kept["kept"]) == (f"refs: {lost}", True)
    heading, line = ok("snapshots", tmp_path).lines
    assert heading.split()[-1] == b"lost"
    assert line.endswith(f"{kept['id']}  refs: {lost}".encode())
    ok("undo", tmp_path)
    assert [one["losses"] for one in ok("snapshots", "--json", tmp_path).objects] == ["", f"refs: {lost}"]


def test_what_is_lost_with_a_table_that_is_set_aside_is_not_among_what_its_damage_holds(
    tmp_path: Path,
) -> None:
    """The same bytes cannot be read, whatever becomes of the table, and no reflog tells of them."""
    stack = screens.make_stack(tmp_path / "reftable", (screens.branches(400), []))
    screens.damage_block(stack)
    told = [
        run("repair", "--json", *options, stack).objects[-1]
        for options in ([], ["--set-aside", listed(stack)[0]])
    ]
    assert [one["refs"]["lost"] > 50 for one in told] == [False, True]
    assert [one["unknown"] for one in told] == [told[0]["unknown"]] * 2
    assert told[0]["unknown"] > 5


def test_about_how_many_log_entries_are_lost_is_told(tmp_path: Path) -> None:
    logs = [
        LogRecord(b"HEAD", at, oid(at), oid(at + 1), b"A", b"a@b", at, 0, oid(at).hex().encode() + b"\n")
        for at in range(400, 0, -1)
    ]
    table = write_stack(tmp_path, [RefRecord(b"HEAD", 400, oid(401))], logs)
    blocks = [one for one in ok("layout", tmp_path, "--json").objects if one["type"] == "log"]
    data = bytearray(table.read_bytes())
    start, end = blocks[1]["offset"], blocks[2]["offset"]
    data[start:end] = bytes(end - start)
    table.write_bytes(data)
    summary = ok("repair", "--json", tmp_path).objects[-1]
    about = summary["logs"]["unknown"]
    assert abs(about - blocks[1]["records"]) < blocks[1]["records"] // 4
    assert summary["losses"] == (
        f"reflog entries: {400 - blocks[1]['records']} kept, none known to be lost, about {about} unknown"
    )


def test_another_option_than_the_safest_is_had_by_its_name(stack: Path) -> None:
    damage(stack)
    name = listed(stack)[0]
    shown = ok("repair", stack).lines
    assert b"    or: set-aside, with --set-aside NAME" in shown
    done = run("repair", "--set-aside", name, "--apply", stack)
    assert (done.code, "reflog entries: 1 kept, at least 1 lost, others may be" in done.err) == (1, True)
    assert done.lines[0] == b"1. set-aside (as chosen): " + name.encode()
    assert b"    or: rewrite-table, without --set-aside" in done.lines
    assert [line.split()[1] for line in ok("refs", stack).lines] == [b"refs/heads/b1"]
    [snapshot] = list_snapshots(stack)
    assert (snapshot.lost / name).exists()
    assert run("repair", "--take-up", "no-such", stack).code == 2
    assert run("repair", "--table", name, "--set-aside", listed(stack)[0], stack).code == 2


def test_a_newer_table_that_is_set_aside_is_told_as_what_may_be_lost(stack: Path) -> None:
    orphan = format_table_name(3, 3, 0xBADCAFE) + ".ref"
    write_table(stack / orphan, [RefRecord(b"refs/heads/b1", 3), RefRecord(b"refs/heads/none", 3)])
    said = f"not taken up, though newer: {orphan}, in which 1 ref differs (refs/heads/b1)"
    assert ok("repair", stack).lines[-1] == said.encode()
    assert ok("repair", "--json", stack).objects[-1]["losses"] == said
    assert run("repair", "--take-up", orphan, stack).lines[-1] != said.encode()
    done = run("repair", "--apply", stack)
    assert done.code == 1
    assert f"what is lost or may be: {said}" in done.err


@pytest.mark.parametrize("is_named", [False, True])
def test_the_table_of_a_killed_commit_is_no_loss_if_its_lock_tells_that_it_was_never_listed(
    stack: Path, is_named: bool
) -> None:
    """A writer has the new list in its lock before the old one is replaced."""
    orphan = format_table_name(3, 3, 0xBADCAFE) + ".ref"
    write_table(stack / orphan, [RefRecord(b"refs/heads/b1", 3, oid(2))])
    lock = stack / "tables.list.lock"
    lock.write_text("".join(f"{name}\n" for name in [*listed(stack), orphan][not is_named :]))
    age(lock)
    assert run("export", stack, stack.parent / "out").code == (0 if is_named else 3)
    done = run("repair", "--apply", stack)
    assert done.code == int(not is_named)
    assert ("not taken up, though newer" in done.err) == (not is_named)
    [snapshot] = list_snapshots(stack)
    assert (snapshot.lost / orphan).exists()
    assert [line.split()[1] for line in ok("refs", stack).lines] == [b"refs/heads/b0", b"refs/heads/b1"]


@pytest.mark.parametrize("outcome", ["doubtful", "revived"])
def test_a_ref_that_may_not_be_what_was_last_written_is_told_by_the_exit_code(
    tmp_path: Path, outcome: str
) -> None:
    """Though nothing is known to be lost without trace: a script would go on with it."""
    name, ref = b"refs/heads/main", RefRecord(b"refs/heads/main", 2, oid(1))
    with Stack.open(tmp_path, LOOSE) as stack:
        add(stack, [ref.replace(update_index=1)])
        logs = [LogRecord(one, 2, oid(9), oid(1), b"A", b"a@b", 1, 0, b"m\n") for one in (b"HEAD", name)]
        add(stack, [ref, RefRecord(b"refs/tags/a", 2, oid(2))], logs if outcome == "doubtful" else [])
    table = tmp_path / listed(tmp_path)[-1]
    data = table.read_bytes()
    if outcome == "doubtful":  # an altered name
        table.write_bytes(data.replace(b"/main", b"/maio", 1))
    else:  # a null id, where the record ends at the damage
        at = data.index(oid(1))
        table.write_bytes(data[:at] + bytes(20) + b"\xff\xff" + data[at + 22 :])
    summary = ok("repair", "--json", tmp_path).objects[-1]
    assert summary["refs"][outcome] == 1
    assert f"1 {outcome}" in summary["losses"]
    assert run("repair", "--apply", tmp_path).code == 1


@pytest.mark.parametrize("changes", [False, True])
def test_a_newer_table_that_changes_nothing_is_set_aside_without_a_word(stack: Path, changes: bool) -> None:
    orphan = format_table_name(3, 3, 0xBADCAFE) + ".ref"
    write_table(stack / orphan, [RefRecord(b"refs/heads/b1", 3, oid(2 if changes else 1))])
    assert run("repair", "--apply", stack).code == int(changes)


@pytest.mark.parametrize("option", ["--set-aside", "--take-up", "--table"])
def test_a_table_that_goes_while_it_is_chosen_is_an_error(
    stack: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    name, found = listed(stack)[0], repair.table_files

    def removed(directory: Path) -> list[str]:
        names = found(directory)
        (directory / name).unlink(missing_ok=True)
        return names

    monkeypatch.setattr(repair, "table_files", removed)
    done = run("repair", option, name, "--apply", stack)
    assert done.code == 5
    assert f"{name}: was named, but is gone by now" in done.err
    assert not list_snapshots(stack)


def test_a_stack_that_is_locked_is_told_by_the_exit_code(stack: Path) -> None:
    damage(stack)
    lock(stack, "tables.list")
    before = stack_files(stack)
    done = run("repair", "--apply", stack)
    assert done.code == 4
    assert b"1. remove-lock (only with --force): tables.list.lock" in done.lines
    assert stack_files(stack) == before
    assert run("repair", "--apply", "--force", stack).code == 1, "reflog entries may be lost"
    assert not (stack / "tables.list.lock").exists()


@pytest.mark.parametrize("counts_kept", [True, False])
def test_a_sound_stack_is_read_once_more_only_to_be_counted(stack: Path, counts_kept: bool) -> None:
    phases = set[str]()
    with OutcomeRows() as store:
        action = RepairAction(workplace(stack), store, counts_kept=counts_kept)
        assert action.plan(lambda progress: phases.add(progress.phase)).is_noop
    assert ("count refs" in phases) == counts_kept
    assert run("repair", "--json", stack).objects[-1]["refs"]["kept"] > 0


def test_a_repair_that_can_do_nothing_is_told_by_the_exit_code(stack: Path) -> None:
    """A lock that may be in use, and an error that has no repair."""
    lock(stack, "tables.list")
    before = stack_files(stack)
    assert run("repair", "--apply", "--json", stack).code == 4
    assert run("repair", "--apply", stack).code == 4
    ok("repair", stack)
    assert stack_files(stack) == before
    other = stack.with_name("other")
    other.mkdir()
    write_stack(other, [RefRecord(b"HEAD", 1, target=b"refs/heads/..")])
    assert run("fsck", other).code == 1
    done = run("repair", "--apply", other)
    assert (done.code, done.out) == (1, b"")
    assert "1 error left: see the verb fsck" in done.err


def test_a_stale_lock_alone_is_removed_behind_a_snapshot_that_is_the_last_change(stack: Path) -> None:
    """Its owner may be a process that cannot be seen; and an undo must not take back the change before."""
    ok("compact", stack)
    age(lock(stack, "tables.list"))
    before = stack_files(stack)
    done = ok("repair", "--apply", stack)
    assert "tables.list.lock removed" in done.err
    assert stack_files(stack) == {name: data for name, data in before.items() if name != "tables.list.lock"}
    assert [(one.operation, one.kept) for one in list_snapshots(stack)] == [
        ("repair", True),
        ("compact", False),
    ]
    after = stack_files(stack)
    for undone in (ok("undo", "--dry-run", stack), ok("undo", stack)):
        assert "nothing to undo" in (undone.err + undone.out.decode()).lower()
        assert "he repair removed tables.list.lock: no lock comes back" in undone.err
    assert "the last change" in undone.err
    assert ok("undo", "--json", stack).objects[0]["unlocked"] == ["tables.list.lock"]
    assert b"removed: tables.list.lock" in ok("snapshots", stack).out
    assert stack_files(stack) == after
    ok("undo", list_snapshots(stack)[1].id, stack)
    assert len(listed(stack)) > 1


def test_there_is_nothing_to_undo_where_the_stack_is_what_it_was_before(stack: Path) -> None:
    """However it became that: here, by a backup."""
    before = stack_files(stack)
    ok("compact", stack)
    for name in stack_files(stack):
        (stack / name).unlink()
    for name, data in before.items():
        (stack / name).write_bytes(data)
    assert "nothing to undo: the list is what it was before the compact" in ok("undo", stack).err
    assert stack_files(stack) == before


def test_an_undo_says_that_a_lock_which_was_removed_beside_other_changes_stays_away(stack: Path) -> None:
    names, path = listed(stack), stack / "tables.list"
    path.write_text("".join(f"{name}\n" for name in names[:-1]) + names[-1])
    age(lock(stack, "tables.list"))
    ok("repair", "--apply", stack)
    (stack / names[0]).with_name("mark").touch()
    undone = ok("undo", stack)
    assert "he repair removed tables.list.lock: no lock comes back" in undone.err
    assert (path.read_bytes()[-1:], (stack / "tables.list.lock").exists()) == (b"f", False)
    ok("undo", "--force", stack)
    assert "no lock comes back" not in ok("undo", stack).err


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda _data: b"", lambda _data: None])
def test_an_undo_brings_a_damaged_list_back_as_it_was(
    stack: Path, damage: Callable[[bytes], bytes | None]
) -> None:
    path = stack / "tables.list"
    names = listed(stack)
    broken = damage(path.read_bytes())
    path.unlink()
    if broken is not None:
        path.write_bytes(broken)
    done = run("repair", "--apply", stack)
    assert done.code == 0, done.err
    assert len(listed(stack)) == len(names)
    shown = ok("undo", "--dry-run", stack)
    if broken != b"":
        assert "will be again" in shown.err or "will be none again" in shown.err
    ok("undo", stack)
    assert (path.read_bytes() if path.exists() else None) == broken


def test_a_lock_is_named_whole_and_nothing_else_is_done(stack: Path) -> None:
    damage(stack)
    table = f"{listed(stack)[0]}.lock"
    for name in ("tables.list", listed(stack)[0]):
        age(lock(stack, name))
    before = stack_files(stack)
    shown = ok("repair", "--table", table, stack)
    assert [line for line in shown.lines if line[:1].isdigit()] == [b"1. remove-lock: " + table.encode()]
    done = run("repair", "--apply", "--table", "tables.list.lock", stack)
    assert done.code == 1, "the damage is still there"
    assert "tables.list.lock removed" in done.err
    del before["tables.list.lock"]
    assert stack_files(stack) == before
    assert run("repair", "--table", "tables.list.lock", stack).code == 2, "it is gone by now"


def test_a_repair_that_finds_nothing_says_which_stacks_it_did_not_look_at(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    assert "not checked" not in ok("repair", repo.path).err
    repo.git("worktree", "add", "-b", "other", str(tmp_path / "beside"))
    said = "other stacks of the repository were not checked (--worktree): {}"
    assert said.format("beside") in ok("repair", repo.path).err.lower()
    assert said.format("main") in ok("repair", tmp_path / "beside").err.lower()
    assert "not checked" not in ok("repair", repo.reftable).err, "it was asked for alone"


def test_a_stack_is_judged_the_same_however_it_is_named(git: Git, tmp_path: Path) -> None:
    """The objects of its repository are asked for, also where nothing around it is to be mended."""
    repo = Layout(logs=False).init(git, tmp_path / "repo")
    commits = add_commits(repo, 6)
    commands = "".join(f"create refs/tags/{at} {commit.hex()}\n" for at, commit in enumerate(commits))
    repo.git("update-ref", "--stdin", input=commands.encode())
    table = repo.reftable / listed(repo.reftable)[-1]
    data = table.read_bytes()
    end = data.index(commits[3]) + 20
    table.write_bytes(data[: end - 8] + bytes(20) + data[end + 12 :])
    calls: list[list[str | Path]] = [[repo.path], ["--worktree", "main", repo.path], [repo.reftable]]
    calls.append(["--table", table.name, repo.path])
    told = [ok("repair", "--json", *call).objects for call in calls]
    refs = [[one for one in lines if one["kind"] == "outcome"] for lines in told]
    assert ("refs/tags/3", "lost") in [(one["name"], one["outcome"]) for one in refs[0]]
    assert refs == [refs[0]] * len(calls)


def test_a_table_is_named_by_a_part_of_its_name(stack: Path) -> None:
    damage(stack)
    name = listed(stack)[0]
    part = name.split("-")[2]
    assert b"rewrite-table: " + name.encode() in ok("repair", "--table", part, stack).lines[0]
    assert "nothing to repair" in ok("repair", "--table", listed(stack)[1], stack).err
    assert run("repair", "--table", "0x", stack).code == 2
    assert run("repair", "--table", "none", stack).code == 2


def test_what_cannot_be_repaired_is_told_by_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "tables.list").mkdir()
    assert run("repair", tmp_path).code == 3


def test_hostile_names_do_not_reach_the_terminal(stack: Path) -> None:
    name = b"refs/heads/\x1b[2Jx"
    with (stack / "tables.list").open("a") as file:
        file.write("\x1b[31m.ref\n")
    write_table(stack / "evil.ref", [RefRecord(name, 3, oid(1))])
    with (stack / "tables.list").open("a") as file:
        file.write("evil.ref\n")
    done = ok("repair", stack)
    assert b"\x1b" not in done.out
    assert "\x1b" not in done.err


# Snapshots


def test_every_verb_that_changes_takes_a_snapshot_and_a_no_op_leaves_none(stack: Path) -> None:
    ok("compact", "--dry-run", stack)
    ok("clean", stack)
    ok("add", stack, stdin=b"")
    assert list_snapshots(stack) == []
    states = [stack_contents(stack)]
    orphan = stack / "0x000000000001-0x000000000001-0badcafe.ref"
    for verb, args in {
        "compact": (),
        "add": (f"create refs/heads/new {oid(1).hex()}\n",),
        "expire": ("--min-update-index", "2"),
        "clean": (),
    }.items():
        if verb == "clean":
            write_table(orphan, [RefRecord(b"refs/heads/x", 1)])
            states[-1] = stack_contents(stack)
        if verb == "add":
            ok("add", stack, stdin=args[0].encode())
        else:
            ok(verb, *args, stack)
        states.append(stack_contents(stack))
    operations = [one["operation"] for one in ok("snapshots", "--json", stack).objects]
    assert operations == ["clean", "expire", "add", "compact"]
    for number, one in enumerate(ok("snapshots", "--json", stack).objects):
        ok("undo", one["id"], stack)
        before = states[len(operations) - 1 - number]
        assert stack_contents(stack)[0] == before[0]


def test_snapshots_are_listed_newest_first(stack: Path) -> None:
    assert "no snapshot" in ok("snapshots", stack).err
    ok("compact", stack)
    ok("add", stack, stdin=f"create refs/heads/new {oid(1).hex()}\n".encode())
    heading, *lines = ok("snapshots", stack).lines
    assert heading.split() == [b"time", b"tables", b"kept", b"id"]
    assert [line.rpartition(b"-")[2] for line in lines] == [b"add", b"compact"]
    assert [line.split()[2] for line in lines] == [b"1", b"2"]


def test_the_way_back_is_told_as_a_command_line_to_paste(stack: Path) -> None:
    damage(stack)
    states = [stack_contents(stack)]
    told = run("repair", "--apply", stack).err
    for _ in range(2):
        states.append(stack_contents(stack))
        line = re.search(r"to take (?:it|this) back: (.*)", told)
        assert line is not None
        program, *words = shlex.split(line[1])
        assert (program, words[0]) == ("reftable-inspector", "undo")
        told = ok(*words).err
    damaged, repaired, undone = states
    assert (undone, stack_contents(stack)) == (damaged, repaired)


def test_undo_is_itself_undone(stack: Path) -> None:
    before = stack_contents(stack)
    ok("compact", stack)
    after = stack_contents(stack)
    first = ok("undo", "--json", stack).objects[0]
    assert stack_contents(stack) == before
    assert first["operation"] == "compact"
    assert first["listed"] == listed(stack) != first["tables"]
    ok("undo", first["snapshot"], stack)
    assert stack_contents(stack) == after


def test_undo_refuses_to_undo_what_others_did_since(stack: Path) -> None:
    ok("compact", stack)
    with Stack.open(stack) as other, other.addition() as addition, addition.table() as writer:
        writer.add_ref(RefRecord(b"refs/heads/other", addition.update_index, oid(3)))
    before = stack_files(stack)
    done = run("undo", stack)
    assert done.code == 5
    assert "--force" in done.err
    assert f"{listed(stack)[-1]} came since" in done.err
    assert stack_files(stack) == before
    ok("undo", "--force", stack)
    assert len(listed(stack)) == 2


def test_undo_without_a_snapshot_is_a_usage_error(stack: Path) -> None:
    assert run("undo", stack).code == 2
    assert run("undo", "20261123T214512.034561Z-compact", stack).code == 2
    assert run("undo", "a", "b").code == 2


def test_undo_of_a_clean_promises_no_snapshot_that_is_not_there(stack: Path) -> None:
    orphan = stack / "0x000000000001-0x000000000001-deadbeef.ref"
    orphan.write_bytes((stack / listed(stack)[0]).read_bytes())
    ok("clean", stack)
    assert not orphan.exists()
    done = ok("undo", stack)
    assert orphan.exists()
    assert "to take this back" not in done.err
    assert "Nothing to undo" in ok("undo", stack).err or "nothing to undo" in ok("undo", stack).err


def test_doubt_is_bounded_by_the_bytes_that_cannot_be_read(tmp_path: Path) -> None:
    """A small table of zeros on top of many refs makes each of them doubtful, but few can have been in it."""
    path = write_stack(tmp_path, [RefRecord(b"refs/heads/%04d" % at, 1, oid(at + 1)) for at in range(300)])
    with Stack.open(tmp_path, LOOSE) as made, made.addition() as addition, addition.table() as writer:
        writer.add_ref(RefRecord(b"refs/heads/new", addition.update_index, oid(7)))
    newest = tmp_path / listed(tmp_path)[-1]
    assert newest != path
    newest.write_bytes(bytes(newest.stat().st_size))
    room = (newest.stat().st_size - 24 - 68) // 4
    text = ok("repair", tmp_path).out.decode()
    assert f"300 doubtful (the bytes there that cannot be read have room for {room})" in text
    newest.write_bytes(b"")  # it has been longer, and nothing tells by how much
    assert "room for" not in ok("repair", tmp_path).out.decode()


@pytest.mark.parametrize("kept", [0, 2], ids=["empty", "older"])
def test_of_a_list_that_lost_names_it_is_not_said_that_nothing_was_lost(tmp_path: Path, kept: int) -> None:
    """The newest table may be gone as well: nothing tells of it."""
    directory = tmp_path / "stack"
    made = make_stack(directory, 5)
    list_tables(directory, made[:kept])
    (directory / made[4]).unlink()
    text = ok("repair", directory).out.decode()
    assert "none known to be lost\nreflog entries: 0 kept, none known to be lost\n" in text
    assert ok("repair", "--apply", directory).code == 0


def test_a_missing_table_whose_update_indexes_another_covers_is_no_loss(tmp_path: Path) -> None:
    """An older list was put back: its tables are gone, and a compaction has kept what was in them."""
    directory = tmp_path / "stack"
    before = make_stack(directory, 4)
    with Stack.open(directory) as made:
        made.compact_all()
    whole = listed(directory)
    list_tables(directory, [*whole, before[2]])
    text = ok("repair", directory).out.decode()
    assert f"nothing is lost by it: its update indexes are those of {whole[0]}" in text
    assert "whatever it held is lost" not in text
    assert "refs: 4 kept, 0 lost" in text
    (directory / whole[0]).unlink()
    assert "whatever it held is lost, unless a backup has it" in run("repair", directory).out.decode()
