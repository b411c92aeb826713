"""What the verbs say of refs in a linked worktree, of short names, and of names that are no UTF-8."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.format import RefRecord
from engine.stack import Stack
from tests.support.cli import ok, run
from tests.support.git import Git, GitRef, Repository
from tests.support.handmade import change_byte
from tests.support.tables import oid


@pytest.fixture
def side(git: Git, tmp_path: Path) -> Repository:
    """A linked worktree with refs of its own, beside a main worktree with others of the same names."""
    repo = git.init(tmp_path / "repo")
    repo.commit("one")
    repo.commit("two")
    repo.tag("v1", "HEAD~1")
    repo.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    repo.git("symbolic-ref", "refs/heads/unborn", "refs/heads/nowhere")
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"), "HEAD~1")
    side = Repository(git, tmp_path / "side", repo.git_dir / "worktrees" / "side", {})
    for place in (repo, side):
        place.git("update-ref", "refs/bisect/bad", "HEAD")
        place.git("update-ref", "refs/worktree/mine", "HEAD")
    repo.git("update-ref", "refs/worktree/theirs", "HEAD")
    return side


def _line(name: bytes, ref: GitRef) -> bytes:
    value = b"ref: " + ref.target if ref.target is not None else (ref.value or b"").hex().encode()
    return b"%s %s" % (value, name)


def test_a_linked_worktree_shows_its_own_refs_and_the_shared_ones_as_git_does(side: Repository) -> None:
    listed = [_line(name, ref) for name, ref in sorted(side.refs(root=True).items())]
    lines = ok("refs", side.path).lines
    assert [line for line in lines if b"unborn" not in line] == listed  # which git leaves out
    assert ok("refs", side.git_dir.parents[2], "--worktree", "side").lines == lines
    heads = ok("refs", side.path, "--prefix", "refs/heads/s").lines
    assert [line.split()[-1] for line in heads] == [b"refs/heads/side"]
    tip = side.oid("v1^{commit}")
    refs = side.refs(root=True)
    pointing = [name for name in refs if side.oid(f"{name.decode()}^{{commit}}") == tip]
    assert [line.split()[-1] for line in ok("refs", side.path, "--points-at", tip.hex()).lines] == pointing


def test_the_stack_alone_is_shown_on_request_and_by_its_own_path(side: Repository) -> None:
    own = [b"HEAD", b"ORIG_HEAD", b"refs/bisect/bad", b"refs/worktree/mine"]
    for arguments in ((side.path, "--stack-only"), (side.reftable,)):
        assert [line.split()[-1] for line in ok("refs", *arguments).lines] == own
    assert {line.split()[0] for line in ok("logs", side.path, "--stack-only").lines} <= {b"HEAD", *own}


def test_the_reflogs_of_a_linked_worktree_are_those_of_both_stacks(side: Repository) -> None:
    for name in ("HEAD", "refs/heads/main", "refs/heads/side", "main-worktree/HEAD", "worktrees/side/HEAD"):
        lines = ok("logs", side.path, "--ref", name).lines
        messages = [line.partition(b"\t")[2] for line in lines]
        assert messages == [entry.message for entry in side.reflog(name)]
    names = [line.split()[0] for line in ok("logs", side.path).lines]
    assert names == sorted(names)
    assert {b"HEAD", b"refs/heads/main", b"refs/heads/side"} <= set(names)


def test_versions_are_those_of_the_stack_that_has_the_ref(side: Repository) -> None:
    main = side.git_dir.parents[1] / "reftable"
    names = {"HEAD": side.reftable, "refs/heads/main": main, "main-worktree/HEAD": main}
    for name, place in names.items():
        (version, *_) = ok("trace", name, side.path, "--json").objects
        assert version["wins"]
        assert version["table"] in (place / "tables.list").read_text().split()
    assert ok("trace", "worktrees/side/HEAD", main.parent).lines == ok("trace", "HEAD", side.path).lines
    assert run("trace", "refs/heads/main", side.path, "--stack-only").code == 1
    assert "worktrees/none/HEAD: no table" in run("trace", "worktrees/none/HEAD", side.path).err


def test_short_names_are_understood_where_git_understands_them(side: Repository) -> None:
    assert ok("trace", "v1", side.path, "--json").objects[0]["name"] == "refs/tags/v1"
    assert (
        ok("logs", side.path, "--ref", "main").lines
        == ok("logs", side.path, "--ref", "refs/heads/main").lines
    )
    assert ok("logs", side.path, "--ref", "@").lines == ok("logs", side.path, "--ref", "HEAD").lines


def test_a_reflog_without_entries_is_not_a_missing_one(repo: Repository) -> None:
    repo.commit()
    repo.git("reflog", "expire", "--expire=all", "--all")
    done = ok("logs", repo.path, "--ref", "main")
    assert (done.out, "its reflog has no entries" in done.err) == (b"", True)


def test_resolve_says_what_git_says(side: Repository) -> None:
    names = ["HEAD", "main", "v1", "alias", "main-worktree/HEAD", "worktrees/side/refs/worktree/mine", "@"]
    lines = ok("resolve", "-C", side.path, *names).lines
    said = [side.git("rev-parse", "--verify", name).stdout.strip() for name in names]
    assert [line.split()[0] for line in lines] == said
    full = [side.git("rev-parse", "--symbolic-full-name", name).stdout.strip() for name in names[:4]]
    assert [line.split()[-1] for line in lines[:4]] == full
    assert lines[3].endswith(b" refs/heads/alias -> refs/heads/main")
    assert ok("resolve", "-C", side.git_dir.parents[2], "--worktree", "side", *names).lines == lines


def test_resolve_has_code_1_for_what_leads_to_no_object(side: Repository) -> None:
    done = run("resolve", "-C", side.path, "nothing", "unborn", "main", "--json")
    assert done.code == 1
    nothing, unborn, main = done.objects
    assert nothing == {"asked": "nothing", "name": None, "oid": None, "chain": [], "end": "missing"}
    assert (unborn["name"], unborn["oid"], unborn["end"]) == ("refs/heads/nowhere", None, "missing")
    assert unborn["chain"] == ["refs/heads/unborn", "refs/heads/nowhere"]
    assert (main["oid"], main["end"]) == (side.oid("main").hex(), "id")
    assert run("resolve", "-C", side.path, "unborn").lines == [b"- refs/heads/unborn -> refs/heads/nowhere"]


def test_damage_of_either_stack_is_told_and_ends_with_code_3(side: Repository) -> None:
    main = side.git_dir.parents[1] / "reftable"
    (main / "tables.list").write_bytes((main / "tables.list").read_bytes() + b"nonsense\n")
    for arguments in (("refs", side.path), ("resolve", "-C", side.path, "HEAD")):
        done = run(*arguments)
        assert (done.code, bool(done.lines)) == (3, True)
    assert ok("refs", side.path, "--stack-only").lines
    change_byte(side.reftable / "tables.list", 0)
    assert run("refs", side.path).code == 3


def test_names_that_are_no_utf8_are_told_apart_in_json(tmp_path: Path) -> None:
    first, second = b"refs/heads/caf\xe9", b"refs/heads/caf\xe8"
    with Stack.open(tmp_path) as stack, stack.addition() as addition, addition.table() as writer:
        writer.add_refs(
            [
                RefRecord(b"refs/heads/a", 1, target=first),
                RefRecord(second, 1, oid(1)),
                RefRecord(first, 1, oid(2)),
                RefRecord("refs/heads/größe".encode(), 1, oid(3)),
            ]
        )
    objects = ok("refs", tmp_path, "--json").objects
    assert [one.get("name_hex") for one in objects] == [None, second.hex(), first.hex(), None]
    assert objects[0]["target_hex"] == first.hex()
    (version,) = ok("trace", os.fsdecode(first), tmp_path, "--json").objects
    assert version["name_hex"] == first.hex()
    (found,) = ok("resolve", "-C", tmp_path, os.fsdecode(first), "--json").objects
    assert (found["asked_hex"], found["name_hex"]) == (first.hex(), first.hex())


def test_undo_in_a_linked_worktree_takes_back_no_other_change_than_the_last(side: Repository) -> None:
    """From there `add` writes the shared stack or the worktree's own; undo goes back in the own one alone."""
    ok("expire", side.path, "--before", "now")
    ok("add", side.path, stdin=b"create refs/heads/shared HEAD\n")
    done = run("undo", side.path)
    assert done.code == 2
    assert "is one of the stack that all worktrees share: --worktree main takes it back" in done.err
    assert "--worktree main lists it" in ok("snapshots", side.path).err
    ok("undo", side.path, "--worktree", "main")
    assert run("resolve", "-C", side.path, "refs/heads/shared").code == 1
    ok("add", side.path, stdin=b"create refs/worktree/own HEAD\n")
    assert "lists it" not in ok("snapshots", side.path).err
    ok("undo", side.path)
    assert run("resolve", "-C", side.path, "refs/worktree/own").code == 1


def test_of_a_change_to_both_stacks_undo_takes_back_no_half(side: Repository) -> None:
    ok("add", side.path, stdin=b"create refs/heads/shared HEAD\ncreate refs/worktree/own HEAD\n")
    assert run("undo", side.path).code == 2
    assert ok("resolve", "-C", side.path, "refs/heads/shared", "refs/worktree/own").lines
