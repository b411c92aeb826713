"""From any path that a user types to the stacks behind it.

A repository has one stack in its common directory and one for each linked worktree:

    <common dir>/reftable                   refs/*, and HEAD and the like of the main worktree
    <common dir>/worktrees/<id>/reftable    HEAD and the like, refs/bisect/*, refs/worktree/* and
                                            refs/rewritten/* of one linked worktree

In a linked worktree git reads the second kind of names from the worktree's own stack and all others from the
main one. Nothing is merged here: a stack is a stack. `extensions.refStorage = reftable://PATH`, or
GIT_REFERENCE_BACKEND in the environment, puts both below PATH, which is relative to the common directory.

A directory is a git directory here if it has what git asks for, or else a stack and a configuration: a
repository that lost its HEAD is one to look into, too. Nothing is written, and files that
point elsewhere (`.git`, `commondir`, `gitdir`) are followed one step, as git does, never further.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Container
from pathlib import Path
from typing import Final

from engine.errors import OtherBackendError, RepositoryError
from engine.format import TABLES_LIST, parse_table_name
from engine.git.config import GitConfig, parse_config
from engine.git.program import GitProgram, WholeConfig
from engine.git.repository import Repository, StackLocation, refs_storage

_MAX_POINTER: Final = 4096  # no path is longer
_STUB: Final = b"ref: refs/heads/.invalid"
_MAX_CONFIG: Final = 2**24


def find_repository(path: str | os.PathLike[str] | None = None, git: str | None = "git") -> Repository:
    """The repository, or the plain stack directory, that `path` leads to.

    `path` may be a work tree or a directory in one, a `.git` directory or file, a bare repository, the git
    directory of a linked worktree, a `reftable` directory, or any directory with a stack in it. Without one
    it is here, or, as for git, what GIT_DIR and GIT_COMMON_DIR in the environment name. `git` is the
    git program to ask for the configuration, by name or path: "git" is the one that REFTABLE_GIT names, or
    else the one on PATH, and with None none is asked.

    Raises RepositoryError if there is no stack behind the path, saying what is there instead, and for a
    repository whose configuration makes no sense.
    """
    from_environment = os.environ.get("GIT_DIR") if path is None else None
    typed = Path(from_environment or path or ".")
    try:
        mode = os.stat(typed).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise RepositoryError(f"{_quoted(typed)}: there is no such file or directory") from None
    except ValueError as error:
        raise RepositoryError(f"{_quoted(typed)}: not a path ({error})") from None
    program = None if git is None else GitProgram.find(git)
    place = Path(os.path.realpath(typed))
    if not stat.S_ISDIR(mode):
        git_dir, worktree = follow_git_file(place), place.parent if place.name == ".git" else None
    elif from_environment is not None:
        if not is_git_dir(place):
            raise RepositoryError(f"GIT_DIR is {_quoted(typed)}, which is no git directory")
        shared = os.environ.get("GIT_COMMON_DIR")
        return _open_repository(
            typed, place, None, program, Path(os.path.realpath(shared)) if shared else None
        )
    elif _is_stack(place):
        return _open_stack(typed, place, program)
    else:
        git_dir, worktree = _search_upwards(place)
    return _open_repository(typed, git_dir, worktree, program)


def _open_stack(typed: Path, directory: Path, program: GitProgram | None) -> Repository:
    """The repository that has its current stack in `directory`, or a plain directory where there is none."""
    # The stack can be read whatever is wrong with the repository around it.
    with contextlib.suppress(RepositoryError, OSError):
        if is_git_dir(directory.parent):
            repository = _open_repository(typed, directory.parent, None, program)
            if os.path.realpath(repository.current.directory) == os.fspath(directory):
                return repository
    location = StackLocation("main", directory, is_current=True)
    return Repository(typed, False, None, None, None, (location,), GitConfig({}), program)


def _open_repository(
    typed: Path,
    git_dir: Path,
    worktree: Path | None,
    program: GitProgram | None,
    common_dir: Path | None = None,
) -> Repository:
    common_dir = common_dir or common_dir_of(git_dir)
    files = (git_dir / "HEAD", common_dir / "HEAD", common_dir / "config", git_dir / "config.worktree")
    if any(map(_is_special, files)):
        program = None  # it would wait for what a pipe has to say, for each question
    own = _read_config(git_dir, common_dir)
    config = GitConfig(own if program is None else WholeConfig(own, program, git_dir))
    stacks = _locate_stacks(typed, git_dir, common_dir, config)

    is_bare = False
    if common_dir != git_dir:
        with contextlib.suppress(OSError, RepositoryError):  # a worktree may be gone
            worktree = worktree or _follow(git_dir / "gitdir").parent
    elif config.flag("core.bare", worktree is None and git_dir.name != ".git"):
        worktree, is_bare = None, True
    elif configured := config.text("core.worktree"):
        worktree = Path(os.path.realpath(git_dir / configured))
    elif worktree is None and git_dir.name == ".git":
        worktree = git_dir.parent
    repository = Repository(typed, is_bare, git_dir, common_dir, worktree, stacks, config, program)
    _ = repository.hash_id  # refuse an unknown one now, not when the stack is opened
    return repository


def _search_upwards(start: Path) -> tuple[Path, Path | None]:
    """The first git directory in or above `start`, and the work tree that it was found in."""
    for directory in (start, *start.parents):
        dot_git = directory / ".git"
        if os.path.isfile(dot_git):
            return follow_git_file(dot_git), directory
        if is_git_dir(dot_git):
            return Path(os.path.realpath(dot_git)), directory
        if is_git_dir(directory):
            return directory, None
    raise RepositoryError(
        f"{_quoted(start)}: no git repository here or in a directory above, and no reftable stack; "
        "name a work tree, a git directory, or a directory with a tables.list in it"
    )


def is_git_dir(directory: str | os.PathLike[str], names: Container[str] | None = None) -> bool:
    """Whether a directory, which holds `names`, is a git directory. Raises `PermissionError`."""

    def has(name: str) -> bool:
        if names is not None:
            return name in names
        try:
            os.lstat(os.path.join(directory, name))
        except PermissionError:  # not to be taken for "no repository here"
            raise
        except OSError:
            return False
        return True

    return (has("HEAD") and (has("objects") or has("commondir"))) or (
        has("reftable") and (has("config") or has("commondir"))
    )


def _is_stack(directory: Path) -> bool:
    """Whether `directory` is a stack: one with its list, one that lost it, or one that has nothing yet."""
    if os.path.lexists(directory / TABLES_LIST):
        return True
    try:
        names = os.listdir(directory)
    except PermissionError:  # such a directory can still be entered, and git does
        return False
    if not names:
        return directory.name == "reftable"
    return any(parse_table_name(name) for name in names)


def follow_git_file(path: Path) -> Path:
    """The git directory that a `.git` file points to. Raises `RepositoryError`, `OSError`."""
    target = _follow(path, b"gitdir: ")
    if not is_git_dir(target):
        raise RepositoryError(
            f"{_quoted(path)}: points to {_quoted(target)}, which is no git directory; if the repository was "
            "moved, `git worktree repair` in its main worktree repairs the files of linked worktrees"
        )
    return target


def common_dir_of(git_dir: Path) -> Path:
    """The directory that a linked worktree shares with the others; any other git directory is its own.

    Raises `RepositoryError`, `OSError`.
    """
    pointer = git_dir / "commondir"
    if not os.path.lexists(pointer):
        return git_dir
    target = _follow(pointer)
    if not os.path.isdir(target):
        raise RepositoryError(f"{_quoted(pointer)}: points to {_quoted(target)}, which is no directory")
    return target


def _follow(pointer: Path, prefix: bytes = b"") -> Path:
    """The path in a file that consists of `prefix` and a path, relative to the file's own directory."""
    if not stat.S_ISREG(os.stat(pointer).st_mode):
        raise RepositoryError(f"{_quoted(pointer)}: neither a directory nor a regular file")
    with open(pointer, "rb") as file:
        data = file.read(_MAX_POINTER + 1)
    if not data.startswith(prefix):
        raise RepositoryError(
            f"{_quoted(pointer)}: a file, and no .git file (which begins with 'gitdir: '); "
            "name the directory that it lies in"
        )
    target = data.removeprefix(prefix).rstrip(b"\r\n")
    if not target or b"\0" in target or len(data) > _MAX_POINTER:
        raise RepositoryError(f"{_quoted(pointer)}: what it points to is no path")
    return Path(os.path.realpath(pointer.parent / os.fsdecode(target)))


def _read_config(git_dir: Path, common_dir: Path) -> dict[str, str | None]:
    """What the repository's own files say."""
    own = parse_config(_read_if_regular(common_dir / "config"))
    if GitConfig(own).flag("extensions.worktreeconfig", False):
        own |= parse_config(_read_if_regular(git_dir / "config.worktree"))
    return own


def _is_special(path: Path) -> bool:
    """Whether there is a pipe, a device or a socket."""
    return path.exists() and not (path.is_file() or path.is_dir())


def _read_if_regular(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with open(path, "rb") as file:
        data = file.read(_MAX_CONFIG + 1)
    if len(data) > _MAX_CONFIG:
        raise RepositoryError(f"{_quoted(path)}: larger than any configuration ({_MAX_CONFIG} bytes)")
    return data


def _locate_stacks(
    typed: Path, git_dir: Path, common_dir: Path, config: GitConfig
) -> tuple[StackLocation, ...]:
    """The stacks of a repository, the main one first, then those of linked worktrees by name."""
    backend, separator, payload = refs_storage(config).partition("://")
    root = Path(os.path.realpath(common_dir / payload)) if separator else common_dir
    main = root / "reftable"
    subject = f"{_quoted(typed)}: the repository {_quoted(git_dir)}"
    # A HEAD that is a stub says what the repository has, whatever its configuration does.
    has_stub = _is_stub(common_dir / "HEAD")
    if backend == "files" and not has_stub:
        advice = "`git refs migrate --ref-format=reftable` converts it"
        if main.is_dir():
            advice += f"; name {_quoted(main)} to look into the stack that is there all the same"
        raise OtherBackendError(f"{subject} uses the files backend, not reftables; {advice}")
    if backend not in ("files", "reftable") and not (has_stub and main.is_dir()):
        raise OtherBackendError(f"{subject} keeps its refs in {backend[:80]!r}, not in reftables")

    linked = {}
    worktrees = common_dir / "worktrees"
    for worktree_id in sorted(os.listdir(worktrees)) if worktrees.is_dir() else ():
        directory = root / "worktrees" / worktree_id / "reftable"
        if os.path.lexists(worktrees / worktree_id / "gitdir") or directory.is_dir():
            linked[worktree_id] = directory
    current = main
    if git_dir != common_dir:
        current = (root / "worktrees" / git_dir.name if separator else git_dir) / "reftable"
        linked[git_dir.name] = current
    if not current.is_dir():
        raise RepositoryError(
            f"{subject} keeps its refs in reftables, but there is no directory {_quoted(current)}: "
            "its refs are lost unless you have a copy of that directory to put there"
        )
    return (
        StackLocation("main", main, main == current),
        *(
            # Ids are single names, so the slash sets a worktree called "main" apart from the main stack.
            StackLocation("worktrees/main" if name == "main" else name, directory, directory == current)
            for name, directory in linked.items()
        ),
    )


def _is_stub(head: Path) -> bool:
    """Whether HEAD is what git writes in a repository with reftables, whatever its configuration says."""
    with contextlib.suppress(OSError):
        return _read_if_regular(head).strip() == _STUB
    return False


def _quoted(path: str | os.PathLike[str]) -> str:
    """A path as a message shows it: names may hold control characters, and bytes that are no text."""
    return repr(os.fspath(path))
