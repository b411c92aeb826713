"""A history that has everything in it, and the ways git can be told to lay its tables out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from engine.format import HashId
from engine.table import WriteOptions
from tests.support.git import Git, Repository
from tests.support.objects import add_commits, add_tags

TIME = 1700000000


@dataclass(frozen=True, slots=True)
class Layout:
    """How git is told to write its tables. Reflog entries do not fit into the smallest blocks."""

    object_format: str = "sha1"
    block_size: int = 4096
    restart_interval: int = 16
    index_objects: bool = True
    logs: bool = True

    def __str__(self) -> str:
        objects = "" if self.index_objects else "-noobj"
        return f"{self.object_format}-{self.block_size}-{self.restart_interval}{objects}"

    @property
    def write_options(self) -> WriteOptions:
        """The same for the engine."""
        return WriteOptions(
            block_size=self.block_size,
            restart_interval=self.restart_interval,
            skip_index_objects=not self.index_objects,
            hash_id=HashId(self.object_format),
        )

    def init(self, git: Git, path: Path, *, auto_compaction: bool = False) -> Repository:
        """Make a repository whose tables have this layout, but for the first, which has HEAD alone."""
        config = {
            "reftable.blockSize": self.block_size,
            "reftable.restartInterval": self.restart_interval,
            "reftable.indexObjects": str(self.index_objects).lower(),
            "core.logAllRefUpdates": str(self.logs).lower(),
        }
        return git.init(path, self.object_format, config, auto_compaction=auto_compaction)

    def with_branches(
        self, git: Git, path: Path, count: int, name: str = "b{:03}"
    ) -> tuple[Repository, list[bytes]]:
        """Make one with so many branches, numbered from 0, in one transaction; with their commits."""
        repo = self.init(git, path)
        commits = add_commits(repo, count)
        repo.update_refs(
            f"create refs/heads/{name.format(at)} {commit.hex()}" for at, commit in enumerate(commits)
        )
        return repo, commits


LAYOUTS = [
    Layout(),
    Layout("sha256"),
    Layout(block_size=100, logs=False),
    Layout("sha256", block_size=150, restart_interval=1, logs=False),
    Layout(block_size=256, restart_interval=1),
    Layout("sha256", block_size=300, restart_interval=2),
    Layout(block_size=512, restart_interval=3, index_objects=False),
    Layout("sha256", block_size=1000, restart_interval=65535, index_objects=False),
    Layout(block_size=65536, restart_interval=100),
    Layout("sha256", block_size=65536),
]


def write_busy_history(
    repo: Repository, *, rename: bool = True, after_each: Callable[[], object] = lambda: None
) -> None:
    """Every kind of ref and of change, each transaction followed by a call of `after_each`.

    To rename a branch always means to write a reflog, which not every layout has room for.
    """
    commits = add_commits(repo, 12)
    tags = add_tags(repo, commits[:6])
    nested = add_tags(repo, tags[:2], "tag")

    def update(commands: list[str], zone: str) -> None:
        data = "".join(f"{command}\n" for command in commands).encode()
        repo.git("update-ref", "-m", "a", "--stdin", input=data, date=f"{next(seconds)} {zone}")
        after_each()

    seconds = count(TIME, 1000)
    branches = [f"refs/heads/b{number:02}" for number in range(24)]
    update([f"create {name} {commits[at % 7].hex()}" for at, name in enumerate(branches)], "+0000")
    update([f"create refs/tags/t{at} {oid.hex()}" for at, oid in enumerate(tags + nested)], "+0530")
    update([f"update {name} {commits[at % 5].hex()}" for at, name in enumerate(branches[::3])], "-1130")
    update([f"delete {name}" for name in branches[::4]], "+1345")
    update([f"create refs/remotes/o/{at} {oid.hex()}" for at, oid in enumerate(commits)], "-0030")
    for command in (
        ["symbolic-ref", "HEAD", "refs/heads/b05"],
        ["symbolic-ref", "refs/remotes/o/HEAD", "refs/remotes/o/9"],
        ["symbolic-ref", "refs/dangling", "refs/heads/none"],
    ):
        repo.git(*command)
        after_each()
    update([f"create {branches[0]} {commits[9].hex()}", f"delete refs/tags/t7 {nested[1].hex()}"], "+0200")
    update([f"update HEAD {commits[11].hex()}", f"update ORIG_HEAD {commits[1].hex()}"], "+0200")
    if rename:
        repo.git("branch", "-m", "b01", "moved/b01")
        after_each()
    update([f"delete refs/remotes/o/{at}" for at in range(5)], "+0000")
