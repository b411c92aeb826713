"""Which ref names may exist, alone and beside each other.

Two rules of git that are no part of the table format:

- `check_refname`: the grammar of one name, as `git check-ref-format --allow-onelevel` has it.
- `check_conflicts`: no name is a directory of another one. `a` and `a/b` cannot both be refs, because the
  files backend, and every clone that uses it, would need one path to be a file and a directory.

Both are about names that are being added. A bad name that a stack already holds stays readable, and a
deletion is never checked: it is the way to get rid of one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator
from typing import Final

from engine.errors import NameConflictError, RefnameError
from engine.format.record import RefRecord, ref_key
from engine.format.walk import Walk

PER_WORKTREE: Final = (b"refs/bisect/", b"refs/worktree/", b"refs/rewritten/")
"""What the names of refs begin with that each worktree has for itself, besides HEAD and the like."""

OTHER_WORKTREES: Final = (b"main-worktree/", b"worktrees/")
"""What names begin with by which git finds the refs of another worktree."""

MAX_SYMREF_DEPTH: Final = 5
"""How many symbolic refs git follows one after the other."""

_ROOT_REFS: Final = {
    b"HEAD",
    b"AUTO_MERGE",
    b"BISECT_EXPECTED_REV",
    b"NOTES_MERGE_PARTIAL",
    b"NOTES_MERGE_REF",
    b"MERGE_AUTOSTASH",
}
_FILES_LIKE_ROOT_REFS: Final = {b"FETCH_HEAD", b"MERGE_HEAD"}
_ROOT_REF_BYTES: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_-"

_FORBIDDEN_BYTES: Final = bytes(range(0x21)) + b"\x7f~^:?*[\\"

# Each is looked for in the name with a slash before and after it, so that the rules for the ends of a
# component need no case of their own for the ends of the name.
_FORBIDDEN_SEQUENCES: Final = (
    (b"//", "an empty component (a slash at the start, at the end, or two in a row)"),
    (b"/.", "a component that begins with a dot"),
    (b"..", "two dots in a row"),
    (b".lock/", "a component that ends with '.lock'"),
    (b"@{", "'@{', which asks for a reflog entry"),
)


def check_refname(name: bytes) -> None:
    """Raise RefnameError, with the reason in words, unless `name` may be the name of a ref.

    The rules are those of check_refname_format() in git's refs.c, one-level names (`HEAD`) allowed. A NUL,
    which no C string can hold, is a control character like the others. Bytes from 0x80 up are fine in any
    order.
    """
    fault = _fault(name)
    if fault is not None:
        raise RefnameError(name, fault)


def is_refname(name: bytes) -> bool:
    """Whether `check_refname` has nothing against `name`."""
    return _fault(name) is None


def may_be_refused(names: list[bytes]) -> bool:
    """Whether `check_refname` may have something against one of these; if not, none is refused.

    Asks of all names at once, which is many times faster than name by name.
    """
    joined = b"\n/" + b"/\n/".join(names) + b"/\n"
    # Only the newlines between the names are left to be removed, if no name has a forbidden byte.
    if len(joined) - len(joined.translate(None, _FORBIDDEN_BYTES)) != len(names) + 1:
        return True
    # Few names have a dot or an at sign.
    return (
        b"//" in joined
        or (b"." in joined and any(sequence in joined for sequence in (b"/.", b"..", b".lock/", b"./\n")))
        or (b"@" in joined and (b"@{" in joined or b"\n/@/\n" in joined))
    )


def is_root_ref(name: bytes) -> bool:
    """Whether git knows a ref of this name outside of `refs/`.

    As is_root_ref() in git's refs.c: FETCH_HEAD and MERGE_HEAD are files, in every backend.
    """
    if name.endswith(b"_HEAD"):
        return has_root_ref_syntax(name) and name not in _FILES_LIKE_ROOT_REFS
    return name in _ROOT_REFS


def has_root_ref_syntax(name: bytes) -> bool:
    """Whether git takes this for the name of a ref outside of `refs/`, known or not."""
    return bool(name) and not name.translate(None, _ROOT_REF_BYTES)


def is_per_worktree(name: bytes) -> bool:
    """Whether each worktree has a ref of this name for itself: is_current_worktree_ref() in git's refs.c."""
    return has_root_ref_syntax(name) or name.startswith(PER_WORKTREE)


def split_worktree(name: bytes) -> tuple[bytes | None, bytes]:
    """The worktree whose ref `name` asks for by a prefix, and the name of the ref there.

    None is for a name without such a prefix, which stays as it is; the empty id is the main worktree's. As
    parse_worktree_ref() in git's worktree.c: refs that all worktrees share have no other names.
    """
    if name.startswith(OTHER_WORKTREES):
        first, _, inner = name.partition(b"/")
        worktree = b""
        if first == b"worktrees":
            worktree, _, inner = inner.partition(b"/")
        if is_per_worktree(inner) and bool(worktree) == (first == b"worktrees"):
            return worktree, inner
    return None, name


def is_unsafe_refname(name: bytes) -> bool:
    """Whether git dies of a stack that shows a ref of this name, rather than leave the ref out.

    Of the names below `refs/`, those that lead elsewhere: refname_is_safe() in git's refs.c.
    """
    return name.startswith(b"refs/") and not {b"", b".", b".."}.isdisjoint(name.split(b"/"))


def _fault(name: bytes) -> str | None:
    if not name:
        return "a ref name cannot be empty"
    if name == b"@":
        return "'@' alone is another way to write HEAD"
    if len(name.translate(None, _FORBIDDEN_BYTES)) < len(name):
        at, byte = next((at, byte) for at, byte in enumerate(name) if byte in _FORBIDDEN_BYTES)
        return f"a ref name cannot contain {_byte_name(byte)} (byte {at})"
    framed = b"/" + name + b"/"
    # Few names have a dot or an at sign.
    if b"//" in framed or b"." in name or b"@" in name:
        for sequence, meaning in _FORBIDDEN_SEQUENCES:
            if sequence in framed:
                return f"a ref name cannot contain {meaning}"
    if name.endswith(b"."):  # of the whole name only: `a./b` is a ref name
        return "a ref name cannot end with a dot"
    return None


def _byte_name(byte: int) -> str:
    if byte == 0x20:
        return "a space"
    if byte < 0x20 or byte == 0x7F:
        return f"the control character 0x{byte:02x}"
    return f"'{chr(byte)}'"


def check_conflicts(
    added: Collection[bytes],
    removed: Container[bytes],
    refs_from: Callable[[bytes], Iterator[list[RefRecord]]],
) -> None:
    """Raise NameConflictError if a name in `added` is a directory of another ref, or lies below one.

    `added` are the names that one transaction writes a value to (they have passed `check_refname`), `removed`
    those that it deletes, which are no obstacle any more. `refs_from(start)` gives the refs that exist now,
    in order, from the first one that is not less than `start`; refs of `added` and of `removed` may be among
    them. Refs that conflict with each other already, and are not touched, are not looked for.

    What would be in the way is looked up in ascending order along one walk over the existing refs: a few
    names cost a few seeks, and a million names into a small stack cost a few, too.
    """
    names = set(added)
    directories: set[bytes] = set()
    for name in sorted(names):
        for directory in _directories(name):
            if directory in names:
                raise NameConflictError(name, directory)
            if directory in directories:
                break  # and so are those above it
            directories.add(directory)

    # A directory of an added name is looked for itself, and what lies below an added name from `name/` on.
    # The slash at the end tells one kind from the other; the walk needs both in one order.
    walk = Walk(refs_from, ref_key)
    for obstacle in sorted(directories.union(name + b"/" for name in names)):
        ref = walk.to(obstacle)
        if obstacle.endswith(b"/"):
            while ref is not None and ref.name.startswith(obstacle) and ref.name in removed:
                ref = walk.step()
            if ref is not None and ref.name.startswith(obstacle):
                raise NameConflictError(obstacle[:-1], ref.name)
        elif ref is not None and ref.name == obstacle and obstacle not in removed:
            raise NameConflictError(min(name for name in names if name.startswith(obstacle + b"/")), obstacle)
        if ref is None:
            return


def _directories(name: bytes) -> Iterator[bytes]:
    """The directories that `name` lies in, the deepest first."""
    end = name.rfind(b"/")
    while end > 0:
        yield name[:end]
        end = name.rfind(b"/", 0, end)
