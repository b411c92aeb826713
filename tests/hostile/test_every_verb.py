"""Small tables in which each kind of byte was wrong once, and that were cut at each, through every verb.

By default some of the bytes, the same each time. Every byte has its turn where the library itself is asked,
since a verb only adds words: its reader in `test_hostile_tables`, its checks in `fsck/test_damage`,
what is salvaged in `salvage/test_scan`, and repair in `repair/test_damage`.

A verb ends with one of the published codes, whatever it is given. One that reads leaves everything as it was;
where it answers otherwise than on the sound stack, it ends with code 3, or fsck has an error, or some writer
could have written the table. One that writes changes nothing, or loses nothing and can be undone. A repair
succeeds, and can be undone likewise.
"""

from __future__ import annotations

import os
import shutil
from itertools import chain
from pathlib import Path

import pytest

from engine.format import HashId, LogRecord, RefRecord
from engine.table import WriteOptions
from tests.support.cli import Outcome, run
from tests.support.damage import flipped, telling_places, written_anew
from tests.support.findings import OF_VALUES
from tests.support.stacks import traces
from tests.support.tables import oid, stack_contents, stack_files, write_table
from tests.support.thinning import SHARES, THOROUGH, thinned
from tests.support.victims import Victim, log

pytestmark = pytest.mark.timeout(600)
in_shares = pytest.mark.parametrize("share", SHARES)

MASKS = [*(1 << bit for bit in range(8)), 0xFF] if THOROUGH else [0x01]
STRIDE = 7
"""Each byte whose offset is a multiple of this is tried, besides those that stand for a kind of field.

It is odd, so that both kinds of damage come with it.
"""

NAME = "0x000000000001-0x000000000002-00000001.ref"
NEWER = "0x000000000003-0x000000000003-00000002.ref"


# Smaller than those of the library's own tests: each damage is tried by a score of verbs.
VICTIMS = {
    "every kind of record": Victim(
        [
            RefRecord(b"HEAD", 2, target=b"refs/heads/main"),
            RefRecord(b"refs/heads/gone", 2),
            RefRecord(b"refs/heads/main", 1, value=oid(0)),
            RefRecord(b"refs/tags/v1", 2, value=oid(2), peeled=oid(0)),
        ],
        [log(b"HEAD", 2), log(b"refs/heads/main", 1), LogRecord(b"refs/heads/gone", 1)],
        WriteOptions(),
    ),
    "indexes and objects": Victim(
        [RefRecord(b"refs/heads/%d" % number, 2, oid(number)) for number in range(5)],
        [],
        WriteOptions(block_size=80, unpadded=True),
    ),
    "SHA-256": Victim(
        [RefRecord(b"refs/heads/a", 1, oid(1, 32)), RefRecord(b"refs/heads/b", 2)],
        [log(b"refs/heads/a", 1, 32)],
        WriteOptions(hash_id=HashId.SHA256),
    ),
    "logs alone, with an index": Victim(
        [],
        [LogRecord(b"a/%d" % (number // 2), number % 2 + 1) for number in range(5)],
        WriteOptions(block_size=50, unpadded=True),
    ),
}

Files = dict[str, bytes]


@pytest.fixture(params=VICTIMS)
def victim(request: pytest.FixtureRequest) -> Victim:
    return VICTIMS[request.param]


@pytest.fixture
def directory(tmp_path: Path, victim: Victim, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack of the table and of a newer one."""
    # Power cuts are not what is tried here, and thousands of stacks are written.
    monkeypatch.setattr("os.fsync", lambda _: None)
    # No object database is asked, and no configuration of the user's.
    monkeypatch.setenv("REFTABLE_GIT", "/nonexistent/git")
    directory = tmp_path / "reftable"
    directory.mkdir()
    newer = [RefRecord(b"refs/heads/main", 3, oid(3, victim.size))]
    options = WriteOptions(hash_id=victim.options.hash_id)
    write_table(directory / NAME, victim.refs, victim.logs, victim.options, limits=(1, 2))
    write_table(directory / NEWER, newer, [log(b"refs/heads/main", 3, victim.size)], options)
    (directory / "tables.list").write_text(f"{NAME}\n{NEWER}\n")
    return directory


def damages(data: bytes, share: int) -> dict[str, bytes]:
    """Return the table with each telling byte wrong, and cut in front of each: a share of these."""
    places = telling_places(data, STRIDE)
    wrong = {
        f"byte {at} ^ {mask:#x}": flipped(data, at, mask)
        for at in places
        # All bits of a byte at once where it is even, so that both are tried everywhere near.
        for mask in (MASKS if THOROUGH or at % 2 else [0xFF])
    }
    cut = {f"cut at {at}": data[:at] for at in places}
    return dict(thinned([*(wrong | cut).items()][share :: len(SHARES)], 17))


def reset(directory: Path, files: Files) -> None:
    """Make these the files of the stack, without any snapshot."""
    shutil.rmtree(directory.with_name("reftable-snapshots"), ignore_errors=True)
    for path in directory.iterdir():
        path.unlink()
    for name, data in files.items():
        (directory / name).write_bytes(data)


def ask(directory: Path, *words: str, stdin: bytes = b"") -> Outcome:
    """Run a verb, and judge how it ends."""
    done = run(*words, directory, stdin=stdin)
    assert done.code in {0, 1, 2, 3, 4, 5}, (words, done.err)
    if "--json" in words:
        assert all(isinstance(one, dict) for one in done.objects)
    if done.code == 3:
        assert NAME in done.err or "tables.list" in done.err, (words, done.err)
    if done.code == 2:
        assert "Error" not in done.err, (words, done.err)  # it is not the command line that is wrong
    assert all(line.isprintable() for line in done.err.splitlines()), words
    return done


def reading(victim: Victim) -> list[tuple[str, ...]]:
    """Return all verbs that read, with options."""
    name = (victim.refs or victim.logs)[-1].name.decode()
    return [
        ("refs",),
        ("refs", "--prefix", "refs/heads/"),
        ("refs", "--points-at", oid(1, victim.size).hex()),
        ("refs", "--as-of", "2", "--deletions"),
        ("refs", "--table", "0"),
        ("logs",),
        ("logs", "--ref", "refs/heads/main", "--deletions"),
        ("trace", name),
        ("print",),
        ("tables",),
        ("segments",),
        ("layout",),
        ("fsck",),
        ("repair",),
        ("compact", "--dry-run"),
        ("expire", "--before", "now", "--dry-run"),
        ("clean", "--dry-run"),
        ("snapshots",),
    ]


ANSWERS = ("refs", "logs", "trace", "print")


@in_shares
def test_every_verb_that_reads_survives_every_damage(directory: Path, victim: Victim, share: int) -> None:
    files = stack_files(directory)
    verbs = [reading(victim), [(*words, "--json") for words in reading(victim)]]
    sound = {words: ask(directory, *words).out for words in chain(*verbs)}
    answered = 0
    for number, (damage, data) in enumerate(damages(files[NAME], share).items()):
        reset(directory, files | {NAME: data})
        before = traces(directory)
        told = {words: ask(directory, *words) for words in verbs[number % 2]}
        is_error = any(done.code == 1 for words, done in told.items() if words[0] == "fsck")
        for words, done in told.items():
            if words[0] not in ANSWERS or done.code != 0:
                continue
            answered += 1
            if done.out != sound[words] and not is_error:
                assert written_anew(directory / NAME, victim.options) == data, (damage, words)
        assert traces(directory) == before, damage
        assert stack_files(directory) == files | {NAME: data}, damage
        assert os.listdir(directory.parent) == ["reftable"], damage
    assert answered


@in_shares
def test_every_verb_that_writes_changes_nothing_or_loses_nothing(
    directory: Path, victim: Victim, share: int
) -> None:
    files = stack_files(directory)
    command = f"create refs/new/ref {oid(9, victim.size).hex()}\n".encode()
    done = 0
    for damage, data in damages(files[NAME], share).items():
        damaged = files | {NAME: data}
        reset(directory, damaged)
        before = set(ask(directory, "refs").lines)
        entries = set(ask(directory, "logs").lines)
        for words in (("add",), ("compact",), ("expire", "--before", "now"), ("clean",)):
            reset(directory, damaged)
            contents = stack_contents(directory)
            outcome = ask(directory, *words, stdin=command)
            if outcome.code:
                assert stack_files(directory) == damaged, (damage, words)
                continue
            done += 1
            after = set(ask(directory, "refs").lines)
            assert before <= after, (damage, words)
            assert len(after - before) == (words == ("add",)), (damage, words)
            if words[0] != "expire":
                assert entries <= set(ask(directory, "logs").lines), (damage, words)
            if stack_files(directory) != damaged:
                assert ask(directory, "undo").code == 0, (damage, words)
                assert stack_contents(directory) == contents, (damage, words)
    assert done


@in_shares
def test_every_damage_is_repaired_and_the_repair_undone(directory: Path, share: int) -> None:
    files = stack_files(directory)
    tried = damages(files[NAME], share)
    seen: dict[str, tuple[set[str], set[bytes]]] = {}
    """Of the bytes of each repaired stack, the errors that are left and the names of the refs.

    Much damage is repaired to the same stack, about which one answer is enough.
    """
    steps = 0
    for damage, data in tried.items():
        damaged = files | {NAME: data}
        reset(directory, damaged)
        contents = stack_contents(directory)
        before = {line.split(b" ")[-1] for line in ask(directory, "refs").lines}
        done = ask(directory, "repair", "--apply", "--json")
        plan, *outcomes, summary = done.objects
        lost = {one["name"].encode("utf-8", "surrogateescape") for one in outcomes if one["after"] is None}
        key = repr(stack_contents(directory))
        if key not in seen:
            found = ask(directory, "fsck", "--json").objects
            for words in (("logs",), ("print",), ("tables",), ("layout",)):
                assert ask(directory, *words).code == 0, (damage, words)
            listed = ask(directory, "refs")
            assert listed.code == 0, damage
            names = {line.split(b" ")[-1] for line in listed.lines}
            seen[key] = {one["code"] for one in found if one["severity"] == "error"}, names
        left, after = seen[key]
        assert left <= OF_VALUES, damage
        is_lost = summary["losses"] and summary["applied"]
        assert done.code == (1 if is_lost or left else 0), (damage, done.err)
        assert before - after <= lost, damage
        steps += bool(plan["steps"])
        if summary["snapshot"] is not None:
            assert ask(directory, "undo").code == 0, damage
            assert stack_contents(directory) == contents, damage
    assert steps > len(tried) // 2
