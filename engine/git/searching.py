"""From directories to all repositories below them.

A directory is a repository if it is a git directory, or has one called `.git`; a `.git` that is a file or a
symbolic link leads to one elsewhere, whose main repository counts, once:

    bare repository      not entered
    work tree            entered, but for its .git: repositories may be nested, as submodules are
    linked worktree      counts as the repository that it belongs to
    tables.list          a stack alone

Nothing is opened but directories, and files of a line that point elsewhere. Symbolic links are not followed,
so there are no loops; other file systems are entered. What is kept in memory are the names of directories
that are still to be entered, and an identity of each repository that only a `.git` file has led to: the
others cannot be met twice.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from engine.errors import RepositoryError, in_words, reason_of
from engine.format import TABLES_LIST
from engine.git.finding import common_dir_of, follow_git_file, is_git_dir


class FoundRepository(NamedTuple):
    """A repository, or a directory that may hold some and cannot be read.

    `path` shows where it is, below the directory that was asked about, unless a linked worktree leads out of
    it; `find_repository` opens `place`. `problem` says what keeps it from being opened, None if nothing does.
    """

    path: str
    place: str
    problem: str | None = None


def repositories_below(directories: Iterable[str | os.PathLike[str]]) -> Iterator[FoundRepository | None]:
    """The repositories in `directories` and below, as they are found.

    After each directory without one comes a None, so that a caller may do something else meanwhile. Raises
    nothing for what lies there: what cannot be read is a `FoundRepository` with its `problem`.
    """
    roots = {os.path.realpath(path): os.fspath(path) for path in directories}
    search = _Search(tuple(roots))
    for root, typed in roots.items():
        if not (os.path.isdir(root) and search.enters(root, but=root)):
            yield from search.below(root, typed)


class _Search:
    """One search; `roots` are its directories, free of symbolic links."""

    def __init__(self, roots: tuple[str, ...]) -> None:
        self._roots = roots
        self._led_to: set[tuple[int, int]] = set()  # device and inode

    def enters(self, path: str, but: str | None = None) -> bool:
        """Whether the search comes to `path` by itself, from another of its roots than `but`."""
        for root in self._roots:
            if root == path and root != but:
                return True
            inner = os.path.dirname(path)
            while root != but and _is_in(inner, root) and not _is_repository(inner):
                if inner == root:
                    return True
                inner = os.path.dirname(inner)
        return False

    def below(self, root: str, typed: str) -> Iterator[FoundRepository | None]:
        """What is found from one of the roots on, which was `typed`."""
        pending = [""]
        while pending:
            inner = pending.pop()
            path, shown = (os.path.join(start, inner) if inner else start for start in (root, typed))
            try:
                with os.scandir(path) as entries:
                    found = {one.name: one.is_dir(follow_symlinks=False) for one in entries}
            except OSError as error:
                is_gone = bool(inner) and isinstance(error, FileNotFoundError)
                yield None if is_gone else FoundRepository(shown, path, reason_of(error))
                continue
            yield self._repository_in(path, shown, found)
            if not _is_repository(path, found):
                inside = (name for name, is_directory in found.items() if is_directory and name != ".git")
                pending += [os.path.join(inner, name) for name in sorted(inside, reverse=True)]

    def _repository_in(self, path: str, shown: str, found: dict[str, bool]) -> FoundRepository | None:
        """The repository that a directory is or has; `found` are the names in it, true for directories."""
        if _is_repository(path, found):
            return FoundRepository(shown, path)
        dot_git, is_directory = os.path.join(path, ".git"), found.get(".git")
        if is_directory is None:
            return None
        try:
            if not is_directory:
                return self._led_to_by(dot_git, shown)
            return FoundRepository(shown, dot_git) if is_git_dir(dot_git) else None
        except (RepositoryError, OSError) as error:
            return FoundRepository(shown, dot_git, in_words(error))

    def _led_to_by(self, dot_git: str, shown: str) -> FoundRepository | None:
        """What a file `.git` leads to, or a symbolic link, if nothing else does.

        Raises `RepositoryError`, `OSError`.
        """
        target = Path(os.path.realpath(dot_git))
        git_dir = target if target.is_dir() else follow_git_file(target)
        common_dir = common_dir_of(git_dir)
        status = common_dir.stat()
        identity = status.st_dev, status.st_ino
        if identity in self._led_to or self.enters(os.fspath(common_dir)):
            return None
        self._led_to.add(identity)
        if common_dir != git_dir:
            shown = os.fspath(common_dir.parent if common_dir.name == ".git" else common_dir)
        return FoundRepository(shown, os.fspath(common_dir))


def _is_in(path: str, root: str) -> bool:
    return path == root or path.startswith(os.path.join(root, ""))


def _is_repository(path: str, names: Container[str] | None = None) -> bool:
    """Whether a directory is not entered: a git directory, or a stack."""
    if os.path.basename(path) == ".git":
        return True
    has_list = os.path.lexists(os.path.join(path, TABLES_LIST)) if names is None else TABLES_LIST in names
    return has_list or is_git_dir(path, names)
