"""The files by which git knows a repository with reftables: the steps that mend them, and doing these.

HEAD and `refs/heads` are stubs there, so that a program that knows nothing of reftables fails rather than
see no refs (`refs_create_refdir_stubs` in git's refs.c). They are written under `<file>.lock`, and the
configuration by git itself, which locks it the same way. The order of steps is that of their kinds: git
reads the repository again when the last one is done.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine.errors import LockError, RepositoryError, reason_of
from engine.format import HashId
from engine.fsck import Finding, Severity, check_repository
from engine.git import Repository
from engine.repair.plan import RepairPlan, Step, StepKind, trace
from engine.stack import LOCK_SUFFIX, LockFile, hand_over, make_directory, sync_directory
from engine.system import O_NOFOLLOW, O_NONBLOCK, heir

_HEAD: Final = b"ref: refs/heads/.invalid\n"
_HEADS: Final = b"this repository uses the reftable format\n"
_OBJECT: Final = "(?:pack-)?([0-9a-f]{38}|[0-9a-f]{62})(?:[0-9a-f]{2}[.](?:pack|idx))?"
_HASHES: Final = {38: HashId.SHA1, 62: HashId.SHA256}


def mended_around(plan: RepairPlan, repository: Repository, findings: Sequence[Finding]) -> RepairPlan:
    """A plan for a stack, in which `findings` were found, with the steps that mend the repository around."""
    around = [*check_repository(repository)]
    steps = [*_steps(repository, [*around, *findings], plan.hash_id)]
    files = dict.fromkeys(step.file for step in steps if step.kind.is_around)
    traces = (trace(plan.directory, file) for file in files)
    return plan._replace(
        steps=tuple(sorted((*plan.steps, *steps), key=lambda step: [*StepKind].index(step.kind))),
        files=(*plan.files, *traces),
        errors=plan.errors + sum(one.severity is Severity.ERROR for one in around),
    )


def _steps(repository: Repository, findings: Collection[Finding], hash_id: HashId) -> Iterator[Step]:
    """What mends the files around a stack, whose tables are of `hash_id`; `findings` are of both."""
    for finding in findings:
        kind, result = StepKind.LEAVE_OUT, ""
        path = Path(finding.file)
        match finding.code:
            case "repository-head":
                kind, result = _of_head(path)
            case "repository-directory" if path.name == "refs":
                kind, result = StepKind.MAKE_DIRECTORY, "with git's stub `refs/heads` in it"
            case "repository-directory":
                result = (
                    "no repair brings objects back: copy the directory from a backup or from a clone; with "
                    "an empty one (mkdir) git shows the refs, and can fetch what they lead to"
                )
            case "repository-stub":
                kind, result = StepKind.WRITE_STUB, f"holds `{_HEADS.decode().rstrip()}`"
            case "repository-version" | "repository-storage" | "object-format":
                yield from _of_config(repository, finding, hash_id)
                continue
            case _:
                continue
        yield Step(kind, finding.file, finding.message, result, finding.severity)


def _of_head(path: Path) -> tuple[StepKind, str]:
    try:
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            path.read_bytes()
    except FileNotFoundError:
        status = None
    except OSError as error:
        return StepKind.LEAVE_OUT, f"{reason_of(error)}: what it holds cannot be kept, so it is not replaced"
    if status is not None and stat.S_ISDIR(status.st_mode):
        return StepKind.LEAVE_OUT, "a directory is not replaced: move it away"
    kept = "; what it held is kept with the snapshot" if status is not None and status.st_size else ""
    return StepKind.WRITE_STUB, f"holds `{_HEAD.decode().rstrip()}`{kept}"


def _of_config(repository: Repository, finding: Finding, hash_id: HashId) -> Iterator[Step]:
    """The variables to be set: by git, or by hand where there is none."""
    common_dir = repository.common_dir or Path()
    settings = [("extensions.objectFormat", str(hash_id))]
    if finding.code != "object-format":
        settings = [("core.repositoryFormatVersion", "1"), ("extensions.refStorage", "reftable")]
        is_one = repository.config.number("core.repositoryformatversion", 0, 0, 2**31 - 1) == 1
        settings = settings[is_one : None if finding.code == "repository-storage" else 1]
    file = os.fspath(common_dir / "config")
    for key, value in settings:
        command = f"git config {key} {value}"
        kind, result, setting = StepKind.SET_CONFIG, f"`{command}`", (key, value)
        if finding.code == "object-format" and (objects := _hash_of(common_dir / "objects")) not in (
            None,
            hash_id,
        ):
            kind = StepKind.LEAVE_OUT
            result = f"the objects are {objects}: it is the tables that are of another repository"
        elif repository.git is None:
            kind, result = (
                StepKind.LEAVE_OUT,
                f"there is no git to write it: type `{command}` where there is one",
            )
        yield Step(kind, file, finding.message, result, finding.severity, setting=setting)


def _hash_of(objects: Path) -> HashId | None:
    """The hash function of a directory of objects, by the length of a name in it; None if it has none."""
    with suppress(OSError):
        for directory in sorted(filter(Path.is_dir, objects.iterdir())):
            for match in filter(None, map(re.compile(_OBJECT).fullmatch, os.listdir(directory))):
                return _HASHES[len(match[1])]
    return None


def mend_repository(repository: Repository, steps: Sequence[Step], default_mode: int | None) -> None:
    """Do these steps. New files get `default_mode`, or that of the repository's directory.

    Raises `LockError`, `RepositoryError` where git does not do its part, `OSError`.
    """
    for step in steps:
        path = Path(step.file)
        mode = stat.S_IMODE(path.parent.stat().st_mode)
        if step.kind is StepKind.MAKE_DIRECTORY:
            make_directory(path, path.parent)
            path = path / "heads"
        if step.setting is not None:
            _set(repository, step.file, *step.setting)
            continue
        file_mode = mode & 0o666 if default_mode is None else default_mode
        with LockFile(os.fspath(path), mode=file_mode) as lock:
            lock.write(_HEAD if path.name == "HEAD" else _HEADS)
            lock.commit()
        sync_directory(path.parent)


def _set(repository: Repository, file: str, key: str, value: str) -> None:
    # git goes where a link leads, and makes a new file, which belongs to whoever runs it.
    made = os.path.realpath(file)
    owner = heir(made)
    if repository.git is not None and repository.git.set_config(file, key, value):
        if owner is not None:
            fd = os.open(made, os.O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            try:
                if os.fstat(fd).st_nlink == 1:  # or it is another file by now, put there under a second name
                    hand_over(fd, made, owner)
            finally:
                os.close(fd)
        return
    if os.path.lexists(file + LOCK_SUFFIX):
        raise LockError(file + LOCK_SUFFIX, "another process holds it, or one that died left it behind")
    raise RepositoryError(f"git did not do it: type `git config {key} {value}` for {file!r}")
