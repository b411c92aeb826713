"""A real git as the tests' partner: found once, run in an environment that is the same everywhere.

`find_git` finds a git that knows reftables, `Git` runs it, and `Repository` is a reftable repository with
the few verbs that tests need to make history and to see it through git's eyes. Object ids are raw bytes, as
in the engine; what git prints in hex is converted here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

MINIMUM_VERSION = (2, 45)
DATE = "1700000000 +0000"
NAME = "A U Thor"
EMAIL = "author@example.com"

_SETTINGS = {
    # Housekeeping would compact a stack behind a test's back.
    "gc.auto": "0",
    "maintenance.auto": "false",
    "init.defaultBranch": "main",
    # Only a power cut could tell the difference, and the disk's pace must not be the tests' pace.
    "core.fsync": "none",
}


_COMMITTED = re.compile(rb"\[[^]]* ([0-9a-f]{40,64})\]")
"""What git says of a commit that it has made."""


class GitNotFoundError(Exception):
    """There is no git here that knows reftables; the message says what was looked at."""


def _version(program: str) -> tuple[int, ...]:
    done = subprocess.run([program, "version"], capture_output=True, check=True)
    numbers = done.stdout.split()[2].split(b".")
    return tuple(int(number) for number in numbers[:2])


def find_git() -> str:
    """Return the git that REFTABLE_GIT names, or the one in PATH.

    Raises `GitNotFoundError` when there is none, or none that is recent enough.
    """
    program = os.environ.get("REFTABLE_GIT") or shutil.which("git")
    if program is None:
        raise GitNotFoundError("no git in PATH")
    version = _version(program)
    if version < MINIMUM_VERSION:
        raise GitNotFoundError(
            f"{program} is git {version[0]}.{version[1]}; reftables need 2.45 (set REFTABLE_GIT to one)"
        )
    return program


class GitRef(NamedTuple):
    """What git says of one ref, in the fields of a ref record: a symref has only a target."""

    value: bytes | None
    peeled: bytes | None = None
    target: bytes | None = None


class GitLog(NamedTuple):
    """One reflog entry as git shows it. `tz` is the decimal reading of "+0530", which is what git stores."""

    new: bytes
    committer: bytes
    email: bytes
    time: int
    tz: int
    message: bytes


class Git:
    """Runs one git program in an environment that has nothing of the machine's or the user's in it."""

    def __init__(self, program: str, home: Path) -> None:
        self.program = program
        self._made: dict[tuple[str, bool], Path] = {}
        self._home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
            "GIT_TEMPLATE_DIR": "",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_DEFAULT_REF_FORMAT": "reftable",
            "GIT_AUTHOR_NAME": NAME,
            "GIT_AUTHOR_EMAIL": EMAIL,
            "GIT_COMMITTER_NAME": NAME,
            "GIT_COMMITTER_EMAIL": EMAIL,
        }
        for number, (key, value) in enumerate(_SETTINGS.items()):
            self.environment[f"GIT_CONFIG_KEY_{number}"] = key
            self.environment[f"GIT_CONFIG_VALUE_{number}"] = value

    def run(
        self,
        *args: str | bytes | Path,
        input: bytes | None = None,  # noqa: A002 - as in subprocess.run
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        date: str = DATE,
        check: bool = True,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `git ARGS` and return it done, with its output in bytes.

        `date` is the author's and the committer's ("seconds zone"), `env` comes on top of the environment.
        With `check`, a git that fails fails the test, and says what git said.
        """
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        done = subprocess.run(
            [self.program, *args],
            input=b"" if input is None else input,
            cwd=cwd,
            env={**self.environment, **dates, **(env or {})},
            capture_output=True,
            check=False,
        )
        if check and done.returncode:
            command = " ".join(os.fsdecode(arg) for arg in args)
            complaint = done.stderr.decode(errors="replace")
            raise AssertionError(f"git {command}: exit code {done.returncode}\n{complaint}")
        return done

    def init(
        self,
        path: Path,
        object_format: str = "sha1",
        config: Mapping[str, str | int] | None = None,
        *,
        bare: bool = False,
        auto_compaction: bool = True,
    ) -> Repository:
        """Make a reftable repository at `path`, with `config` in its own configuration.

        Without `auto_compaction`, what git writes through this `Repository` stays a table of its own. One
        repository of a kind is made by git, and the others are copies of it.
        """
        kind = object_format, bare
        if kind not in self._made:
            self._made[kind] = self._home / f"{object_format}-{bare}"
            layout = ["--bare"] if bare else []
            how = ["-q", "--ref-format=reftable", f"--object-format={object_format}", *layout]
            self.run("init", *how, self._made[kind])
        # Without the times: a file is as old as it seems to be.
        shutil.copytree(self._made[kind], path, copy_function=shutil.copy, dirs_exist_ok=True)
        env = {} if auto_compaction else {"GIT_TEST_REFTABLE_AUTOCOMPACTION": "false"}
        repository = Repository(self, path, path if bare else path / ".git", env)
        for key, value in (config or {}).items():
            repository.git("config", key, str(value))
        return repository


@dataclass(frozen=True, slots=True)
class Repository:
    """A reftable repository of real git: `path` is where git runs with `env`, `git_dir` holds the stack."""

    runner: Git
    path: Path
    git_dir: Path
    env: Mapping[str, str]

    @property
    def reftable(self) -> Path:
        """The directory of the stack."""
        return self.git_dir / "reftable"

    def git(
        self,
        *args: str | bytes | Path,
        input: bytes | None = None,  # noqa: A002 - as in subprocess.run
        env: Mapping[str, str] | None = None,
        date: str = DATE,
        check: bool = True,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git in this repository; see `Git.run`."""
        env = {**self.env, **(env or {})}
        return self.runner.run(*args, input=input, cwd=self.path, env=env, date=date, check=check)

    def oid(self, revision: str | bytes) -> bytes:
        """Return the object id that a revision names."""
        return _raw(self.git("rev-parse", "--verify", "-q", revision).stdout)

    def commit(self, message: str = "commit", *, date: str = DATE) -> bytes:
        """Commit nothing new on top of HEAD and return the commit's id. Not for bare repositories."""
        done = self.git("-c", "core.abbrev=no", "commit", "--allow-empty", "-m", message, date=date)
        told = _COMMITTED.match(done.stdout)
        assert told is not None, done.stdout
        return _raw(told[1])

    def branch(self, name: str, start: str | bytes = "HEAD") -> None:
        """Make a branch at `start`, or move it there."""
        self.git("branch", "-q", "-f", name, start)

    def tag(self, name: str, revision: str | bytes = "HEAD") -> bytes:
        """Make an annotated tag and return the id of the tag object."""
        self.git("tag", "-f", "-a", "-m", name, name, revision)
        return self.oid(f"refs/tags/{name}")

    def update_refs(self, commands: Iterable[str], message: str = "update", *, date: str = DATE) -> None:
        """Run `git update-ref --stdin` on these commands, as one transaction: one table."""
        data = "".join(f"{command}\n" for command in commands).encode()
        self.git("update-ref", "--create-reflog", "-m", message, "--stdin", input=data, date=date)

    def refs(self, *patterns: str, root: bool = False) -> dict[bytes, GitRef]:
        """Return what `git for-each-ref` shows, with HEAD and the other root refs when `root` is set.

        git leaves dangling symrefs out.
        """
        scope = ["--include-root-refs"] if root else []
        fields = "%(refname)%00%(objectname)%00%(*objectname)%00%(symref)"
        listed = self.git("for-each-ref", f"--format={fields}", *scope, *patterns)
        found = {}
        for line in listed.stdout.splitlines():
            name, value, peeled, target = line.split(b"\0")
            if target:
                found[name] = GitRef(None, target=target)
            else:
                found[name] = GitRef(_raw(value), _raw(peeled) if peeled else None)
        return found

    def show_ref(self, *args: str) -> list[bytes]:
        """Return the lines of `git show-ref`; none when no ref matches."""
        done = self.git("show-ref", *args, check=False)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout.splitlines()

    def reflog(self, ref: str) -> list[GitLog]:
        """Return the reflog of a ref, newest first; the commits in it must exist."""
        return [entry for _, entry in self._reflogs([ref])]

    def reflogs(self, names: Iterable[str]) -> dict[str, list[GitLog]]:
        """Return the reflogs of several refs, by their full names, as one git shows them."""
        found: dict[str, list[GitLog]] = {name: [] for name in names}
        for name, entry in self._reflogs(found):
            found[name].append(entry)
        return found

    def _reflogs(self, names: Iterable[str]) -> Iterator[tuple[str, GitLog]]:
        fields = "%H%x00%gn%x00%ge%x00%gD%x00%gs"
        listed = self.git("reflog", "show", "--date=raw", f"--format={fields}", *names)
        for line in listed.stdout.split(b"\n")[:-1]:  # a message may hold a carriage return
            new, committer, email, selector, message = line.split(b"\0")
            name, _, when = selector.removesuffix(b"}").rpartition(b"@{")
            time, tz = when.split()
            yield os.fsdecode(name), GitLog(_raw(new), committer, email, int(time), int(tz), message)


def _raw(hexadecimal: bytes) -> bytes:
    return bytes.fromhex(hexadecimal.decode("ascii"))
