"""A repository: its stacks, and what git's configuration asks of them.

The values and their limits are those of git's `refs/reftable-backend.c`, the meaning of
core.sharedRepository that of `git_config_perm` in its `setup.c` and `calc_shared_perm` in its `path.c`.
A value that git would refuse raises RepositoryError, which names the variable.

How a repository is found is in `finding.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, overload

from engine import merge, stack as stacks, update
from engine.errors import HookError, RepositoryError
from engine.format import DEFAULT_BLOCK_SIZE, DEFAULT_RESTART_INTERVAL, MAX_BLOCK_SIZE, MAX_RESTARTS, HashId
from engine.git.config import GitConfig
from engine.git.program import (
    GitProgram,
    ObjectInfo,
    environment_without_places,
)
from engine.merge import DEFAULT_FACTOR, MAX_FACTOR
from engine.stack import DEFAULT_LOCK_TIMEOUT_MS, StackOptions
from engine.system import user_id

if TYPE_CHECKING:
    from engine.git.joint import AnyStack, JointStacks
    from engine.git.refs import OpenStack, Refs
    from engine.git.writing import RefTransaction
    from engine.stack import Stack
    from engine.update import Identity, ReferenceHook

_HOOK_NAME: Final = "reference-transaction"
_RECENT_HOOK: Final = (2, 54)
_HOOK_EVENT: Final = r"(?s)hook\.(.*)\.event"
_WAIT_FOREVER: Final = -1

# core.sharedRepository adds these to what the umask leaves (PERM_GROUP and PERM_EVERYBODY in git's setup.h).
_GROUP: Final = 0o660
_EVERYBODY: Final = 0o664

_EXPIRY: Final = r"(?s)gc\.(?:(.*)\.)?reflogexpire(unreachable)?"
_DEFAULT_EXPIRY: Final = "90.days.ago"

_SUFFIXES: Final = ("versionsort.suffix", "versionsort.prereleasesuffix")

_LOGGED_PREFIXES: Final = (b"refs/heads/", b"refs/remotes/", b"refs/notes/")


def refs_storage(config: GitConfig) -> str:
    """Where the configuration, or the environment, has refs: `files`, `reftable`, `reftable://PATH`."""
    return os.environ.get("GIT_REFERENCE_BACKEND") or config.text("extensions.refstorage") or "files"


class StackLocation(NamedTuple):
    """One stack: the directory that has its tables.list.

    `name` is "main" for the stack of the common directory, and the worktree's id for that of a linked
    worktree ("worktrees/main" if the id is "main"). `is_current` marks the one that the path leads to; the
    directories of others may be missing.
    """

    name: str
    directory: Path
    is_current: bool


class Repository(NamedTuple):
    """The repository, or the plain directory, that a path leads to.

    `path` is the path as it was typed; all others are absolute and free of symbolic links. A plain directory
    holds a stack and belongs to no repository: it has no `git_dir`, `common_dir` or `worktree`, and its
    configuration is empty. `worktree` is None for a bare repository, and where it is not known. A repository
    `is_bare` that has no worktree of its own; a worktree linked to one is not.
    """

    path: Path
    is_bare: bool
    git_dir: Path | None
    common_dir: Path | None
    worktree: Path | None
    stacks: tuple[StackLocation, ...]
    config: GitConfig
    git: GitProgram | None

    @property
    def states_reftables(self) -> bool:
        """Whether the configuration says that refs are in reftables; if not, only the files do."""
        return refs_storage(self.config).partition("://")[0] == "reftable"

    @property
    def current(self) -> StackLocation:
        """The stack that the path leads to."""
        return next(stack for stack in self.stacks if stack.is_current)

    @property
    def hash_id(self) -> HashId | None:
        """The hash function of the repository; None for a plain directory, whose tables say it.

        Raises RepositoryError for one that is not known.
        """
        if self.git_dir is None:
            return None
        name = self.config.text("extensions.objectformat") or HashId.SHA1
        if name not in list(HashId):
            raise RepositoryError(f"extensions.objectFormat is {name[:80]!r}: only sha1 and sha256 are known")
        return HashId(name)

    @overload
    def refs(self) -> Refs[Stack]: ...

    @overload
    def refs(self, open_stack: OpenStack[AnyStack], own: Path | None = None) -> Refs[AnyStack]: ...

    def refs(self, open_stack: OpenStack[Any] | None = None, own: Path | None = None) -> Refs[Any]:
        """The refs as git sees them from the worktree that the path leads to; a context manager.

        `own` is the stack of another worktree, to see them from there. `open_readable` for `open_stack`
        opens damaged stacks as well. Raises what it raises.
        """
        from engine.git.refs import Refs, open_to_read

        open_stack = open_stack or open_to_read
        to_read = StackOptions(hash_id=self.hash_id)  # for all of them, git would have to be asked

        def begin(
            message: bytes, force: bool, create_reflog: bool, output: Callable[[bytes], object]
        ) -> RefTransaction:
            from engine.git.writing import RefTransaction

            options = self.stack_options()
            writing = partial(stacks.Stack.open, options=options)
            both = self.joint_stacks(lambda one: open_to_read(one, options), writing, own=own)
            return RefTransaction(self, both, message, force, create_reflog, output)

        return Refs(self.joint_stacks(lambda one: open_stack(one, to_read), own=own), begin)

    def joint_stacks(
        self,
        open_to_read: Callable[[Path], AnyStack],
        open_to_write: Callable[[Path], AnyStack] | None = None,
        *,
        own: Path | None = None,
    ) -> JointStacks[AnyStack]:
        """The stacks as seen from the worktree that the path leads to, or from the one whose own is `own`."""
        from engine.git.joint import JointStacks

        main = self.stacks[0].directory
        linked = {stack.directory.parent.name: stack.directory for stack in self.stacks[1:]}
        own = own or self.current.directory
        is_main = own == main or os.path.realpath(own) == os.path.realpath(main)
        return JointStacks(main, None if is_main else own, linked, open_to_read, open_to_write)

    def stack_options(self) -> StackOptions:
        """The options that git would open this repository's stacks with; a plain directory has the defaults.

        Raises RepositoryError for a setting that git refuses.
        """
        if self.git_dir is None:
            return StackOptions()
        config = self.config
        # In these three, 0 asks for the default.
        block_size = config.number("reftable.blocksize", 0, 0, MAX_BLOCK_SIZE)
        restart_interval = config.number("reftable.restartinterval", 0, 0, MAX_RESTARTS)
        factor = config.number("reftable.geometricfactor", 0, 0, MAX_FACTOR)
        return StackOptions(
            hash_id=self.hash_id,
            block_size=block_size or DEFAULT_BLOCK_SIZE,
            restart_interval=restart_interval or DEFAULT_RESTART_INTERVAL,
            skip_index_objects=not config.flag("reftable.indexobjects", True),
            policy="geometric",
            factor=factor or DEFAULT_FACTOR,
            lock_timeout_ms=config.number(
                "reftable.locktimeout", DEFAULT_LOCK_TIMEOUT_MS, _WAIT_FOREVER, 2**63 - 1
            ),
            default_permissions=_shared_permissions(config),
        )

    def autocreates_reflog(self, name: bytes) -> bool:
        """Whether an update of the ref `name` begins a reflog where there is none, by core.logAllRefUpdates.

        "always" does so for every ref, true for branches, remote-tracking branches, notes and HEAD, false for
        none. The default is true, and false in a bare repository.
        """
        return self.reflog_rule()(name)

    def reflog_rule(self) -> Callable[[bytes], bool]:
        """What `autocreates_reflog` says, for many names."""
        key = "core.logallrefupdates"
        if (self.config.text(key) or "").lower() == "always":
            return lambda _: True
        if not self.config.flag(key, not self.is_bare):
            return lambda _: False
        return lambda name: name == b"HEAD" or name.startswith(_LOGGED_PREFIXES)

    def version_suffixes(self) -> tuple[bytes, ...]:
        """What may follow a version, in the order in which git sorts by it: versionsort.suffix.

        Without a git program only the last value is known.
        """
        # The second name is the older one, and counts where the first is not set.
        key = next((one for one in _SUFFIXES if one in self.config.values), None)
        if key is None:
            return ()
        told = (
            self.git.all_values(self.git_dir, key)
            if self.git is not None and self.git_dir is not None
            else ()
        )
        return tuple(map(os.fsencode, told or (self.config.text(key) or "",)))

    def reflog_expiry(self, parse: Callable[[str], int]) -> merge.Expiry:
        """Which entries `git reflog expire` lets expire whatever they lead to, by gc.reflogExpire.

        gc.reflogExpireUnreachable, for which objects would have to be looked at, is left out. `parse` makes
        seconds since 1970 of a time (`90.days.ago`, a date) where git cannot be asked. Raises RepositoryError
        for one that it does not know, which is a ValueError of it. The rules are those of git's reflog.c: of
        the patterns that match a ref the one that is configured first counts, with never if it has a time for
        unreachable entries alone; then refs/stash never expires.
        """
        settings = [match for key in self.config.values if (match := re.fullmatch(_EXPIRY, key))]
        dates = {}
        if settings and self.git is not None and self.git_dir is not None:
            dates = self.git.expiry_dates(self.git_dir)
        default: int | None = None
        times: dict[bytes, int] = {}
        for match in settings:
            key = match[0]
            pattern, for_unreachable = match.groups()
            if for_unreachable:
                if pattern is not None:
                    times.setdefault(os.fsencode(pattern), 0)
                continue
            try:
                time = dates[key] if key in dates else self.config.expiry_date(key, parse)
            except RepositoryError as error:
                raise RepositoryError(
                    f"{error}; {self.git_problem}" if self.git_problem else str(error)
                ) from None
            if pattern is None:
                default = time
            else:
                times[os.fsencode(pattern)] = time
        return merge.Expiry(
            parse(_DEFAULT_EXPIRY) if default is None else default, times=(*times.items(), (merge.STASH, 0))
        )

    @property
    def git_problem(self) -> str | None:
        """Why git cannot be asked about this repository, as far as that is known."""
        return "there is no git program" if self.git is None else self.git.problem

    def objects(self, oids: Iterable[bytes]) -> dict[bytes, ObjectInfo]:
        """What the repository has under each of `oids`.

        Ids that git does not answer for are left out: all of them without a git program or a repository.
        """
        if self.git is None or self.git_dir is None:
            return {}
        return self.git.objects(self.git_dir, oids)

    def git_dir_of(self, directory: Path) -> Path | None:
        """The git directory of the worktree whose own refs are in the stack of `directory`."""
        for stack in self.stacks:
            if stack.directory == directory and not stack.is_current and self.common_dir is not None:
                is_main = stack.name == "main"
                return self.common_dir if is_main else self.common_dir / "worktrees" / directory.parent.name
        return self.git_dir

    def hook_program(self, place: Path) -> Path | None:
        """The hook reference-transaction, if it can be run; a relative core.hooksPath begins at `place`."""
        configured = self.config.text("core.hookspath")
        if configured is None:
            hooks = (self.common_dir or place) / "hooks"
        else:
            hooks = place / os.path.expanduser(configured)
        hook = hooks / _HOOK_NAME
        return hook if os.access(hook, os.X_OK) else None

    def reference_hook(self, directory: Path, output: Callable[[bytes], object]) -> ReferenceHook | None:
        """The hook that git runs for changes of refs in the stack of `directory`, if there is one.

        `output` gets what it prints. Raises HookError for one that is not run: in another user's repository,
        where git would not work either, and for a hook that the configuration defines.
        """
        git_dir = self.git_dir_of(directory)
        if git_dir is None or self.common_dir is None:
            return None
        place = self.worktree if git_dir == self.git_dir and self.worktree is not None else git_dir
        program = self.hook_program(place)
        events = [key for key, value in self.config.values.items() if value == _HOOK_NAME]
        if program is None and not events:
            return None
        version = self.git and self.git.version()
        is_recent = not version or version >= _RECENT_HOOK
        for key in events if is_recent else ():
            match = re.fullmatch(_HOOK_EVENT, key)
            if match is not None and self.config.flag(f"hook.{match[1]}.enabled", True):
                raise HookError(f"{key} defines a hook {_HOOK_NAME}, which git alone runs")
        if program is None:
            return None
        if (me := user_id()) is None:
            raise HookError(f"the hook {_HOOK_NAME} is not run: whose it is cannot be told here")
        for path in (self.common_dir, place):
            if (owner := path.stat().st_uid) != me:
                raise HookError(
                    f"the hook {_HOOK_NAME} is not run: {str(path)!r} belongs to user {owner}, and git "
                    "does not work in a repository of another user"
                )
        environment = environment_without_places() | {"GIT_PREFIX": ""}
        if place != git_dir.parent:
            environment["GIT_DIR"] = os.fspath(git_dir)
        return update.ReferenceHook(program, place, environment, is_recent, output)

    def committer(self) -> Identity:
        """Who a reflog entry of now is by: what git says, or would say, or else what the environment does."""
        from engine.git.committer import committer_from_environment, plain_committer

        known = None
        if self.git is not None:
            # One that is too old for the repository still knows the user.
            known = (
                plain_committer(self.config)
                or self.git.committer(self.git_dir or os.devnull)
                or self.git.committer(os.devnull)
            )
        return known or committer_from_environment()


def _shared_permissions(config: GitConfig) -> int | None:
    """The mode that core.sharedRepository asks for; None leaves new files to the umask."""
    key = "core.sharedrepository"
    value = config.text(key)
    if value == "umask" or key not in config.values:
        return None
    if value is None or value == "group":
        extra = _GROUP
    elif value in ("all", "world", "everybody"):
        extra = _EVERYBODY
    elif re.fullmatch("[0-7]{1,6}", value):
        mode = int(value, 8)
        if mode > 2:
            if mode & 0o600 != 0o600:
                raise RepositoryError(
                    f"{key} is {value} in git's configuration: 0600 is the least to work with"
                )
            return mode & 0o666
        extra = (0, _GROUP, _EVERYBODY)[mode]
    else:
        extra = _GROUP if config.flag(key, False) else 0
    if not extra:
        return None
    # There is no way to ask for the umask without setting it. A file that another thread makes in between is
    # too private, which is the better of the two mistakes.
    umask = os.umask(0o077)
    os.umask(umask)
    return (0o666 & ~umask) | extra
