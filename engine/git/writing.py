"""Transactions of refs as git would make them in a repository: its objects, committer, hook and options.

How a transaction is applied to stacks is in `engine.update`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

from engine.errors import ApiError, require_bytes, shown
from engine.format import HashId
from engine.git.joint import JointStacks
from engine.git.program import ObjectInfo
from engine.stack import Stack
from engine.update import (
    CREATES_NOTHING,
    DELETES_NOTHING,
    Identity,
    PreparedUpdates,
    RefUpdate,
    RefValue,
    Symref,
    TransactionResult,
    check_update,
    is_null,
    prepare_updates,
)

if TYPE_CHECKING:
    from engine.update import ReferenceHook

_HOW_TO_FORCE: Final = "force=True writes it all the same"


class Surroundings(Protocol):
    """What a transaction asks of a `Repository`."""

    @property
    def git_dir(self) -> Path | None:
        """None for a stack that belongs to no repository."""

    @property
    def hash_id(self) -> HashId | None:
        """The hash function of the repository; None where the tables alone say it."""

    @property
    def git_problem(self) -> str | None:
        """Why git cannot be asked, as far as that is known."""

    def objects(self, oids: Iterable[bytes]) -> dict[bytes, ObjectInfo]:
        """What the repository has under each of `oids`, as far as git answers."""

    def committer(self) -> Identity:
        """Who the reflog entries are by."""

    def reflog_rule(self) -> Callable[[bytes], bool]:
        """Which refs get a reflog by themselves."""

    def reference_hook(self, directory: Path, output: Callable[[bytes], object]) -> ReferenceHook | None:
        """The hook to run for a transaction of the worktree whose stack is in `directory`."""


class Objections:
    """What git has against the objects and the names of one transaction: an error, which ends in `hint`.

    With `force` it is none, but told to `warn` (in a sentence), and noted in `forced`: what only force allows
    is known once the transaction is planned or prepared.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        force: bool,
        hint: str = _HOW_TO_FORCE,
        warn: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.surroundings = surroundings
        self.force = force
        self.hint = hint
        self.warn = warn
        self.forced: list[str] = []
        self._known: dict[bytes, ObjectInfo] = {}

    def peel(self, oids: Collection[bytes]) -> Mapping[bytes, bytes | None]:
        """What the objects to be written are tags of; asks git about all of them, once."""
        self._known = self.surroundings.objects(oids)
        is_repository = self.surroundings.git_dir is not None
        if self.force:
            for oid, info in self._known.items():
                if info.type is None:
                    self.warn(f"{oid.hex()}: the repository has no such object.")
        unchecked = len(oids) - len(self._known)
        if unchecked and (self.force or not is_repository):
            what = f"{unchecked:,} object id{'s' * (unchecked != 1)} could not be looked up"
            why = self.surroundings.git_problem if is_repository else None
            self.warn(f"{what}; a tag among them is not peeled{f': {why}' if why else ''}.")
        return {oid: info.peeled for oid, info in self._known.items()}

    def problem(self, name: bytes, oid: bytes) -> str | None:
        """Why the ref may not hold this object; None if it may."""
        info = self._known.get(oid)
        if info is None:
            why = self.surroundings.git_problem or "it fails"
            return self._refuse(f"git cannot be asked for the object {oid.hex()}: {why}", is_told=True)
        if info.type is None:
            reason = f"trying to write ref {shown(name)} with nonexistent object {oid.hex()}"
            return self._refuse(reason, is_told=True)
        if info.type != "commit" and (name == b"HEAD" or name.startswith(b"refs/heads/")):
            return self._refuse(
                f"trying to write non-commit object {oid.hex()} (a {info.type}) to branch {shown(name)}"
            )
        return None

    def conflict(self, name: bytes, other: bytes) -> str | None:
        """Why one ref cannot take the place of another in one transaction; None if it may."""
        return self._refuse(f"cannot process {shown(name)} and {shown(other)} at the same time")

    def _refuse(self, reason: str, *, is_told: bool = False) -> str | None:
        """An error, or nothing with force: then it is told, unless it has been by `peel`."""
        if not self.force:
            return f"{reason}; {self.hint}"
        if reason not in self.forced:  # updates may be resolved more than once
            self.forced.append(reason)
            if not is_told:
                self.warn(f"git would refuse this: {reason}.")
        return None


def prepare_for(
    surroundings: Surroundings,
    updates: Iterable[RefUpdate],
    hash_id: HashId,
    message: bytes,
    objections: Objections,
    *,
    create_reflog: bool = False,
) -> PreparedUpdates:
    """One transaction of `updates` as git would make it in this repository.

    Raises what `prepare_updates` raises.
    """
    is_repository = surroundings.git_dir is not None
    return prepare_updates(
        updates,
        hash_id,
        committer=surroundings.committer(),
        message=message,
        autocreates_reflog=(lambda _: True) if create_reflog else surroundings.reflog_rule(),
        peel=objections.peel,
        problem=objections.problem if is_repository else None,
        conflict=objections.conflict if is_repository else None,
    )


class RefTransaction:
    """Changes of refs that are made together at the end of a `with`, or not at all.

    Names are whole (`refs/heads/main`, `HEAD`, `worktrees/ID/HEAD`), object ids the bytes themselves. In each
    call `old` is what the ref must hold by then: an object id, the null id (zero bytes, 20 or 32)
    if there must be no such ref, a `Symref` for the target of a symbolic ref, together with `no_deref`; None
    for whatever there is. Unless it says `no_deref`, the change of a symbolic ref is one of the ref that it
    leads to. A ref can be named once, and HEAD is not changed beside its branch.

    Where `no_deref` meets the null id as `old`, a dangling symbolic ref is one that exists: git takes it for
    none.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        stacks: JointStacks[Stack],
        message: bytes,
        force: bool,
        create_reflog: bool,
        output: Callable[[bytes], object],
    ) -> None:
        """In `stacks`, which it closes. See `Refs.transaction`."""
        if not isinstance(message, bytes):
            raise ApiError(f"the message of a transaction is bytes, not {message!r}")
        self._surroundings = surroundings
        self._stacks = stacks
        self._message = message
        self._objections = Objections(surroundings, force)
        self._create_reflog = create_reflog
        self._output = output
        self._hash_id = surroundings.hash_id or stacks.to_read(stacks.main).hash_id
        self._updates: list[RefUpdate] = []
        self._held: ExitStack | None = None
        self._is_over = False
        self.result = TransactionResult()
        """The records that are written, once they are known."""

    def update(self, name: bytes, new: bytes, old: RefValue | None = None, *, no_deref: bool = False) -> None:
        """Let the ref hold the object id `new`, whether it exists or not, unless `old` says so."""
        require_bytes(new)
        self._add(name, new, old, no_deref)

    def create(self, name: bytes, new: bytes, *, no_deref: bool = False) -> None:
        """Let the ref, which must not exist, hold the object id `new`."""
        require_bytes(new)
        if is_null(new):
            raise ApiError(f"{shown(name)}: {CREATES_NOTHING}")
        self._add(name, new, bytes(self._hash_id.size), no_deref)

    def delete(self, name: bytes, old: RefValue | None = None, *, no_deref: bool = False) -> None:
        """Delete the ref and its reflog; without `old`, one that does not exist is no error."""
        if is_null(old):
            raise ApiError(f"{shown(name)}: {DELETES_NOTHING}")
        self._add(name, bytes(self._hash_id.size), old, no_deref)

    def verify(self, name: bytes, old: RefValue, *, no_deref: bool = False) -> None:
        """Leave the ref as it is, and have the transaction fail if it does not hold `old`."""
        require_bytes(old.target if isinstance(old, Symref) else old)
        self._add(name, None, old, no_deref)

    def symref(
        self, name: bytes, target: bytes, old: RefValue | None = None, *, no_deref: bool = True
    ) -> None:
        """Let `name` itself be a symbolic ref to `target`, as git update-ref does with symref-update."""
        require_bytes(target)
        self._add(name, Symref(target), old, no_deref)

    def _add(self, name: bytes, new: RefValue | None, old: RefValue | None, no_deref: bool) -> None:
        if self._is_over or self._held is not None:
            raise ApiError("the transaction is prepared, or over: begin another one")
        require_bytes(name)
        if old is not None:
            require_bytes(old.target if isinstance(old, Symref) else old)
        update = RefUpdate(name, new, old, no_deref)
        check_update(update, self._hash_id.size)
        self._updates.append(update)

    def prepare(self) -> None:
        """Lock the stacks and check everything now: what is left is to commit, at the end of the `with`."""
        if self._held is not None or self._is_over:
            raise ApiError("the transaction is prepared already, or over")
        own = self._stacks.own or self._stacks.main
        hook = self._surroundings.reference_hook(Path(own), self._output)
        updates = prepare_for(
            self._surroundings,
            self._updates,
            self._hash_id,
            self._message,
            self._objections,
            create_reflog=self._create_reflog,
        )
        with ExitStack() as held:
            self.result = held.enter_context(updates.transaction(self._stacks, hook=hook))
            self._held = held.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._updates and self._held is None:
                self.prepare()
            if self._held is not None:
                self._held.__exit__(kind, error, trace)
        finally:
            self._is_over = True
            self._stacks.close()
