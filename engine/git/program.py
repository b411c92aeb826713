"""What is asked of the git program: configuration, objects, the committer's name.

A stack says nothing about the objects its refs point to, nor who the user is, and git's configuration
comes from more files than the repository's own. Where there is a git program, it is asked; where there is
none, or it fails, hangs, or is too old for reftables (before 2.45), each question has an answer without it.

The repository may be another user's. The commands used here only read, and run nothing that its
configuration names: no hook, no file system monitor, no pager, no fetch of a missing object from a remote of
its choice. GIT_DIR names the repository, so that git neither searches for one nor checks who owns it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Self, TypeVar, cast

from engine import update
from engine.closing import Closing
from engine.system import POSIX, user_id

if TYPE_CHECKING:
    import subprocess

    from engine.update import Identity

Answer = TypeVar("Answer")

_OF_FORMAT: Final = {"core.bare", "core.repositoryformatversion", "core.worktree"}
_MINIMUM: Final = (2, 45)
# How long one process may live, in seconds: a hostile configuration may include a pipe that none writes to.
_TIMEOUT: Final = 10.0
_SECONDS_PER_OBJECT: Final = 0.001
_MAX_OUTPUT: Final = 2**24
# Questions and answers of one batch fit into the buffers of the pipes, so neither side waits for the other.
_BATCH: Final = 50

# Patterns are compiled when they are used: most runs of this program ask git nothing.

# What would make git look at another place than GIT_DIR says.
_REDIRECTIONS: Final = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
}
_SAFETY: Final = {
    # A missing object is an answer, not a reason to fetch it: the fetch would run what the repository says.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
    # A ref points to an object, not to its replacement. And replacements are refs: the stack may be broken.
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}

_OID: Final = rb"([0-9a-f]{40}|[0-9a-f]{64})\n"
_TYPES: Final = {b"commit\n": "commit", b"tree\n": "tree", b"blob\n": "blob", b"tag\n": "tag"}
_IDENTITY: Final = rb"(.*) <(.*)> ([0-9]{1,18}) ([+-][0-9]{1,4})\n?"


class ObjectInfo(NamedTuple):
    """What a repository has under an object id.

    `type` is "commit", "tree", "blob" or "tag", None if there is no such object. `peeled` is the id of what
    an annotated tag points to in the end; None for other objects, and for a tag whose object is missing.
    """

    type: str | None
    peeled: bytes | None = None


class GitProgram(NamedTuple):
    """A git program. Whatever git does, its methods raise nothing: they return what is known without it."""

    command: str

    @classmethod
    def find(cls, command: str = "git") -> Self | None:
        """The program of that name or path, or None. For "git", REFTABLE_GIT may name another one."""
        if command == "git":
            command = os.environ.get("REFTABLE_GIT") or command
        places = os.get_exec_path() if os.path.basename(command) == command else [""]
        found = (os.path.join(place, command) for place in places)
        path = next((one for one in found if os.path.isfile(one) and os.access(one, os.X_OK)), None)
        return None if path is None else cls(path)

    @functools.cache  # noqa: B019 - of a program, which is a path
    def version(self) -> tuple[int, int] | None:
        """The first two numbers of its version; None if it does not say."""
        match = re.match("git version ([0-9]{1,4})[.]([0-9]{1,4})", self._ask(os.devnull, "version"))
        return None if match is None else (int(match[1]), int(match[2]))

    @property
    def problem(self) -> str | None:
        """Why it cannot be asked about a reftable repository, if its version tells."""
        version = self.version()
        if version is None or version >= _MINIMUM:
            return None
        found, needed = (".".join(map(str, numbers)) for numbers in (version, _MINIMUM))
        return (
            f"git {found} is too old for reftables ({needed} or newer is needed); REFTABLE_GIT names another"
        )

    def config(self, git_dir: str | os.PathLike[str], own: Mapping[str, str | None]) -> dict[str, str | None]:
        """The whole configuration that git uses in a repository, its variables by `section.key`.

        `own` is what the repository's own files say, for a git that cannot answer or, being too old for the
        repository's format, leaves it out and lists the system's and the user's settings alone.
        """
        # The scopes come in the order of their weight: system, global, local, worktree, command.
        general: dict[str, str | None] = {}
        local: dict[str, str | None] = {}
        command: dict[str, str | None] = {}
        layers = {"local": local, "worktree": local, "command": command}
        fields = self._ask(git_dir, "config", "--null", "--list", "--show-scope").split("\0")
        for scope, entry in zip(fields[::2], fields[1::2], strict=False):  # the last field is empty
            key, assigned, value = entry.partition("\n")
            layers.get(scope, general)[key] = value if assigned else None
        return general | (local or dict(own)) | command

    def all_values(self, git_dir: str | os.PathLike[str], key: str) -> tuple[str, ...]:
        """All values of a variable that may have several, in the order in which git reads them."""
        return tuple(self._ask(git_dir, "config", "--null", "--get-all", key).split("\0")[:-1])

    def set_config(self, file: str, key: str, value: str) -> bool:
        """Whether git has set a variable in this file, which it locks for that."""
        with (
            contextlib.suppress(OSError),
            self.running(os.devnull, ("config", "--file", file, key, value), _TIMEOUT) as (
                process,
                stdin,
                _,
            ),
        ):
            stdin.close()
            return process.wait() == 0
        return False

    def expiry_dates(self, git_dir: str | os.PathLike[str]) -> dict[str, int]:
        """What gc.reflogExpire and gc.<pattern>.reflogExpire mean now, in seconds since 1970, by variable.

        0 is never, 2**64-1 all. There is none if git does not understand one of them.
        """
        variables = r"^gc\.(.*\.)?reflogexpire$"
        answer = self._ask(git_dir, "config", "--null", "--type=expiry-date", "--get-regexp", variables)
        entries = [entry.partition("\n") for entry in answer.split("\0")]
        return {key: int(value) for key, _, value in entries if re.fullmatch("[0-9]{1,20}", value)}

    def objects(self, git_dir: str | os.PathLike[str], oids: Iterable[bytes]) -> dict[bytes, ObjectInfo]:
        """What the repository has under each of `oids`. Ids that git did not answer for are left out."""
        wanted = list(dict.fromkeys(oids))
        found: dict[bytes, ObjectInfo] = {}
        timeout = _TIMEOUT + len(wanted) * _SECONDS_PER_OBJECT
        arguments = ("cat-file", "--batch-check=%(objectname) %(objecttype)")
        with contextlib.suppress(OSError), self.running(git_dir, arguments, timeout) as (_, stdin, stdout):
            for start in range(0, len(wanted), _BATCH):
                batch = wanted[start : start + _BATCH]
                stdin.write("".join(f"{oid.hex()}\n{oid.hex()}^{{}}\n" for oid in batch).encode())
                stdin.flush()
                for oid in batch:
                    info = _object_info(oid, stdout.readline(256), stdout.readline(256))
                    if info is None:
                        return found
                    found[oid] = info
        return found

    @contextlib.contextmanager
    def names(self, git_dir: str | os.PathLike[str]) -> Iterator[Callable[[bytes], bytes | None]]:
        """A way to make object ids of names like `HEAD~1`, None for those that git finds none for."""
        with Dialogue(self, git_dir, "cat-file", "--batch-check=%(objectname)") as git:

            def look_up(name: bytes) -> bytes | None:
                def ask(stdin: IO[bytes], stdout: IO[bytes]) -> bytes | None:
                    stdin.write(name + b"\n")
                    stdin.flush()
                    return stdout.readline(_MAX_OUTPUT) or None

                answer = None if b"\n" in name else git.ask(ask)
                return bytes.fromhex(answer.decode()) if answer and re.fullmatch(_OID, answer) else None

            yield look_up

    def committer(self, git_dir: str | os.PathLike[str]) -> Identity | None:
        """The committer as git knows them in this repository, None if git does not."""
        answer = self._ask(git_dir, "var", "GIT_COMMITTER_IDENT")
        match = re.fullmatch(_IDENTITY, os.fsencode(answer))
        if match is None:
            return None
        name, email, seconds, tz = match.groups()
        return update.Identity(name, email, int(seconds), int(tz))

    def show_command(
        self, git_dir: str | os.PathLike[str], oid: bytes, *, color: bool = True
    ) -> tuple[list[str], dict[str, str]]:
        """How to have git show an object for a pager: the arguments and the environment.

        Nothing is run that the configuration names, and no ref is read, since the stack may be broken.
        """
        arguments = [self.command, "--no-pager", "show", "--pretty=medium", "--no-decorate", "--no-notes"]
        arguments += ["--no-show-signature", "--no-ext-diff", "--no-textconv", "--submodule=short"]
        arguments += [*(() if color else ("--no-color",)), oid.hex()]
        return arguments, self._environment(git_dir) | {"GIT_PAGER_IN_USE": "true"}

    def pager(self, git_dir: str | os.PathLike[str]) -> str:
        """The shell command that git would show its output with; "cat" for none, "less" if git does not say.

        The configuration of another user's repository is not asked: it could name any program.
        """
        try:
            is_ours = os.stat(git_dir).st_uid == user_id()
        except OSError:
            is_ours = False
        answer = self._ask(git_dir if is_ours else os.devnull, "var", "GIT_PAGER")
        return answer.removesuffix("\n") or ("cat" if os.environ.get("GIT_PAGER") == "" else "less")

    def _ask(self, git_dir: str | os.PathLike[str], *arguments: str) -> str:
        """What git prints; nothing if it fails, takes too long, or does not come to an end."""
        with (
            contextlib.suppress(OSError),
            self.running(git_dir, arguments, _TIMEOUT) as (process, stdin, stdout),
        ):
            stdin.close()
            output = stdout.read(_MAX_OUTPUT)
            if len(output) < _MAX_OUTPUT and process.wait() == 0:
                return os.fsdecode(output)
        return ""

    @staticmethod
    def _environment(git_dir: str | os.PathLike[str]) -> dict[str, str]:
        return environment_without_places() | _SAFETY | {"GIT_DIR": os.fspath(git_dir)}

    @contextlib.contextmanager
    def running(
        self, git_dir: str | os.PathLike[str], arguments: Iterable[str], timeout: float
    ) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]]:
        """A running git, its input and output; it is stopped after `timeout` seconds, or at the end."""
        import subprocess
        import threading

        with subprocess.Popen(
            [self.command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment(git_dir),
            start_new_session=True,
        ) as process:
            alarm = threading.Timer(timeout, _stop, [process])
            alarm.start()
            stdin = cast("IO[bytes]", process.stdin)
            try:
                yield process, stdin, cast("IO[bytes]", process.stdout)
            finally:
                alarm.cancel()
                _stop(process)
                # What it has not read is in the buffer still, and closing writes it: to no reader, by now.
                with contextlib.suppress(OSError):
                    stdin.close()


class Dialogue(Closing):
    """One git process that answers questions: started by the first, and anew by one that finds it ended.

    It ends with its time, too. For one thread at a time; only `close` is for any thread, and ends a question
    that waits.
    """

    def __init__(self, program: GitProgram, git_dir: str | os.PathLike[str], *arguments: str) -> None:
        self._program = program
        self._git_dir = git_dir
        self._arguments = arguments
        self._running = contextlib.ExitStack()
        self._pipes: tuple[IO[bytes], IO[bytes]] | None = None
        self._is_closed = False

    def ask(self, question: Callable[[IO[bytes], IO[bytes]], Answer | None]) -> Answer | None:
        """The answer to a question, which writes to git and reads from it; None for none, or none in time."""
        had_process = self._pipes is not None
        answer = self._ask(question)
        if answer is None and had_process:  # it had ended, or its time was over
            answer = self._ask(question)
        return answer

    def close(self) -> None:
        """End the process; it is not started again."""
        self._is_closed = True
        self._stop()

    def _stop(self) -> None:
        self._pipes = None
        self._running.close()

    def _ask(self, question: Callable[[IO[bytes], IO[bytes]], Answer | None]) -> Answer | None:
        # What is closed by another thread while it is used is a ValueError.
        with contextlib.suppress(OSError, ValueError):
            pipes = self._pipes
            if pipes is None:
                running = self._program.running(self._git_dir, self._arguments, _TIMEOUT)
                self._pipes = pipes = self._running.enter_context(running)[1:]
            if not self._is_closed and (answer := question(*pipes)) is not None:
                return answer
        self._stop()
        return None


class WholeConfig(Mapping[str, str | None]):
    """The configuration of a repository, for which git is asked when the repository's own files do not do.

    What format a repository has, and where its work tree is, git takes from those alone, as
    read_repository_format() in its setup.c.
    """

    def __init__(self, own: dict[str, str | None], program: GitProgram, git_dir: Path) -> None:
        """`own` is what the repository's own files say."""
        self._own = own
        self._program = program
        self._git_dir = git_dir

    @functools.cached_property
    def _all(self) -> dict[str, str | None]:
        return self._program.config(self._git_dir, self._own)

    def __getitem__(self, key: str) -> str | None:
        is_own = key.startswith("extensions.") or key in _OF_FORMAT
        return (self._own if is_own else self._all)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def environment_without_places() -> dict[str, str]:
    """The environment without what would make git look at another repository than it is told to."""
    return {name: value for name, value in os.environ.items() if name not in _REDIRECTIONS}


def _stop(process: subprocess.Popen[bytes]) -> None:
    # The program may be a script that runs the real git, and both hold the pipe that is read from.
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            if POSIX:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()


def _object_info(oid: bytes, itself: bytes, peeled: bytes) -> ObjectInfo | None:
    """What `git cat-file --batch-check` says of OID and of OID^{}: "OID TYPE", or "... missing".

    None where it says something else, as a script does that runs git and has a line of its own to say.
    """
    known, target = _id_and_type(itself), _id_and_type(peeled)
    if known is None:
        is_missing = itself == b"%s missing\n" % oid.hex().encode() and peeled.endswith(b" missing\n")
        return ObjectInfo(None) if is_missing else None
    name, kind = known
    if name != oid.hex() or (target is None and not peeled.endswith(b" missing\n")):
        return None
    if kind != "tag" or target is None:
        return ObjectInfo(kind)
    return ObjectInfo(kind, bytes.fromhex(target[0]))


def _id_and_type(line: bytes) -> tuple[str, str] | None:
    """What `OID TYPE` says; None for another line."""
    name, _, kind = line.partition(b" ")
    is_id = len(name) in (40, 64) and not name.strip(b"0123456789abcdef")
    return (name.decode(), _TYPES[kind]) if is_id and kind in _TYPES else None
