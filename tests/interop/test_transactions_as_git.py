"""Transactions through `Refs` leave what `git update-ref --stdin` leaves: in each stack the same tables.

The same series is made by git in one repository and by us in its twin, from three worktrees: the main one,
one on a branch, one with a detached HEAD.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from engine import Refs, find_repository
from engine.errors import ReftableError
from engine.git import RefTransaction
from engine.update import RefValue, Symref
from tests.support.environment import enter_environment_of
from tests.support.git import DATE, Git, Repository
from tests.support.thinning import ALL

_STEPS = 120 if ALL else 30
_ALIASES = {
    "refs/heads/alias": "refs/heads/a",
    "refs/heads/dangling": "refs/heads/b",
    "refs/worktree/alias": "refs/heads/a",
    "refs/custom/own": "refs/bisect/bad",
    "refs/bisect/far": "refs/worktree/alias",
}
"""Symbolic refs, within a stack and from one to the other, in no circle."""
_NAMES = (
    "HEAD", "ORIG_HEAD", "refs/heads/main", "refs/heads/side", "refs/heads/a", "refs/heads/b",
    "refs/heads/a/b", "refs/rewritten/one",
    "refs/tags/t", "refs/custom/x", "refs/bisect/bad", "refs/bisect/bad/x", "refs/worktree/x",
    *_ALIASES,
)  # fmt: skip
_MESSAGES = (b"", b"why", b" two\n\tlines ", b"x" * 5000)


@dataclass(frozen=True, slots=True)
class Twins:
    """Two repositories that have gone the same way, as seen from the same worktree."""

    theirs: Repository
    ours: Repository
    ids: tuple[bytes, ...]

    def seen_from(self, worktree: str) -> Twins:
        theirs, ours = (
            Repository(one.runner, one.path.parent / worktree, one.git_dir, one.env)
            for one in (self.theirs, self.ours)
        )
        return Twins(theirs, ours, self.ids)

    @property
    def tables(self) -> list[dict[str, list[tuple[str, bytes]]]]:
        """Of either repository, the tables of each stack, without the random suffixes of their names."""
        return [
            {
                str(listed.parent.relative_to(repo.git_dir)): [
                    (name[:29], (listed.parent / name).read_bytes()) for name in listed.read_text().split()
                ]
                for listed in sorted(repo.git_dir.rglob("tables.list"))
            }
            for repo in (self.theirs, self.ours)
        ]


@pytest.fixture(params=["sha1", "sha256"])
def twins(request: pytest.FixtureRequest, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Twins:
    made = []
    for which in ("theirs", "ours"):
        repo = git.init(tmp_path / which / "main", request.param)
        first, second = repo.commit("first"), repo.commit("second")
        tag, tree = repo.tag("v1"), repo.oid("HEAD^{tree}")
        repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / which / "side"), "HEAD~1")
        repo.git("worktree", "add", "-q", "--detach", str(tmp_path / which / "loose"), "HEAD~1")
        made.append((repo, (first, second, tag, tree, b"\x12" * len(first))))
    twins = Twins(made[0][0], made[1][0], made[1][1])
    enter_environment_of(git, monkeypatch)
    monkeypatch.setenv("GIT_COMMITTER_DATE", DATE)
    for worktree in ("main", "side", "loose"):
        aliases = list(_ALIASES.items())[: None if worktree == "main" else -2]
        for name, target in aliases:
            for repo in (twins.seen_from(worktree).theirs, twins.seen_from(worktree).ours):
                repo.git("symbolic-ref", name, target)
    return twins


def _git(twins: Twins, message: bytes, commands: list[str]) -> bool:
    """Whether git has taken the commands."""
    reason = ["-m", message] if message else []
    data = "".join(f"{command}\n" for command in commands).encode()
    return not twins.theirs.git("update-ref", *reason, "--stdin", input=data, check=False).returncode


def _ask(random: Random, refs: Refs, ids: tuple[bytes, ...], transaction: RefTransaction) -> list[str]:
    """Ask `transaction` for a few changes at random, and return the commands that ask git for the same."""
    null = bytes(len(ids[0]))
    commands: list[str] = []
    names = random.sample(_NAMES, random.choice((1, 1, 2, 3, 5)))
    # Two of them may lead to one ref, which git refuses; but recent ones, by chance, not always.
    symbolic = [name for name in names if (ref := refs.get(name.encode())) is not None and ref.target]
    for name in names:
        if name in symbolic[1:]:
            continue
        raw, no_deref = name.encode(), random.random() < 0.3
        now = refs.resolve(raw)
        # Behind a symbolic ref recent gits ask no more whether a branch gets a commit.
        new = random.choice(ids[:2]) if name in symbolic else random.choices(ids, (30, 30, 5, 1, 1))[0]
        old: RefValue | None = random.choice(
            (None, None, None, now.oid or null, now.oid or null, null, ids[0])
        )
        verb = random.choices(("update", "create", "delete", "verify", "symref"), (5, 2, 2, 1, 2))[0]
        if (verb == "symref" and name not in _ALIASES and name != "HEAD") or (verb == "create" and no_deref):
            verb = "update"
        no_deref = no_deref and verb != "verify"
        if name in _ALIASES and (no_deref or verb == "symref"):
            old = (
                now.oid
            )  # only newer gits refuse to overwrite a dangling symbolic ref where none is expected
        if no_deref or verb == "symref":
            commands.append("option no-deref")
        if verb == "update":
            transaction.update(raw, new, old, no_deref=no_deref)
            commands.append(
                f"update {name} {new.hex()}" + (f" {old.hex()}" if isinstance(old, bytes) else "")
            )
        elif verb == "create":
            transaction.create(raw, new, no_deref=no_deref)
            commands.append(f"create {name} {new.hex()}")
        elif verb == "delete":
            old = None if old == null else old
            transaction.delete(raw, old, no_deref=no_deref)
            commands.append(f"delete {name}" + (f" {old.hex()}" if isinstance(old, bytes) else ""))
        elif verb == "verify":
            transaction.verify(raw, old or null, no_deref=no_deref)
            commands.append(f"verify {name}" + (f" {old.hex()}" if isinstance(old, bytes) else ""))
        else:
            target = random.choice(("refs/heads/main", "refs/heads/side", "refs/heads/a", "refs/heads/b"))
            stored = refs.get(raw)
            if stored is not None and stored.target is not None and random.random() < 0.5:
                old = Symref(stored.target)
                commands.append(f"symref-update {name} {target} ref {stored.target.decode()}")
            elif old is not None and isinstance(old, bytes):
                commands.append(f"symref-update {name} {target} oid {old.hex()}")
            else:
                commands.append(f"symref-update {name} {target}")
            transaction.symref(raw, target.encode(), old)
    return commands


def test_a_series_of_transactions_leaves_the_same_tables_as_by_git(twins: Twins) -> None:
    random = Random(1)
    assert twins.tables[0] == twins.tables[1]
    taken = 0
    for step in range(_STEPS):
        seen = twins.seen_from(random.choice(("main", "side", "side", "loose")))
        message = random.choice(_MESSAGES)
        commands: list[str] = []
        refusal = None
        with find_repository(seen.ours.path).refs() as refs:
            try:
                with refs.transaction(message) as transaction:
                    commands = _ask(random, refs, seen.ids, transaction)
            except ReftableError as error:
                refusal = error
        said = _git(seen, message, commands)
        assert said == (refusal is None), (step, seen.ours.path.name, " ; ".join(commands), refusal)
        theirs, ours = twins.tables
        assert theirs == ours, (step, seen.ours.path.name, commands)
        taken += said
    assert taken > _STEPS / 4
    for worktree in ("main", "side", "loose"):
        seen = twins.seen_from(worktree)
        assert seen.ours.refs(root=True) == seen.theirs.refs(root=True)
        for name in (
            "HEAD",
            "refs/heads/main",
            "refs/heads/side",
            "main-worktree/HEAD",
            "worktrees/side/HEAD",
        ):
            reflogs = [repo.git("reflog", "show", name, check=False) for repo in (seen.ours, seen.theirs)]
            assert reflogs[0].stdout == reflogs[1].stdout, name


@pytest.mark.parametrize("twins", ["sha1"], indirect=True)
def test_the_hook_is_told_of_the_refs_of_both_stacks_as_git_tells_it(twins: Twins) -> None:
    for repo in (twins.theirs, twins.ours):
        hook = repo.git_dir / "hooks" / "reference-transaction"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f'#!/bin/sh\n{{ echo "$1"; cat; }} >>{repo.git_dir}/told\n')
        hook.chmod(0o755)
    seen, new = twins.seen_from("side"), twins.ids[1]
    with find_repository(seen.ours.path).refs() as refs, refs.transaction() as transaction:
        transaction.update(b"refs/bisect/bad", new)
        transaction.update(b"HEAD", new)
    assert _git(seen, b"", [f"update refs/bisect/bad {new.hex()}", f"update HEAD {new.hex()}"])
    with find_repository(seen.ours.path).refs() as refs, refs.transaction() as transaction:
        transaction.update(b"refs/heads/side", twins.ids[0], new)
        transaction.delete(b"refs/bisect/bad")
    assert _git(
        seen,
        b"",
        [f"update refs/heads/side {twins.ids[0].hex()} {new.hex()}", "delete refs/bisect/bad"],
    )
    told = [(repo.git_dir / "told").read_text() for repo in (twins.ours, twins.theirs)]
    assert told[0] == told[1]
    assert told[0].count("committed\n") == 2
