"""What options and arguments are completed with: see `completes` in opening."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from engine.format import is_table_file
from engine.snapshot import list_snapshots
from inspector.cli.opening import Call, View
from inspector.text import safe_name

Item = CompletionItem[str]

_MOST: Final = 200
"""So many refs are told by name; of more, what comes before the next slash."""

_SHORT: Final = (b"refs/heads/", b"refs/tags/", b"refs/remotes/")


def directories(_context: click.Context, incomplete: str) -> Iterable[Item]:
    """Directories."""
    return [CompletionItem(incomplete, "dir")]


def full_refs(context: click.Context, incomplete: str) -> Iterable[Item]:
    """Whole names of refs."""
    typed = os.fsencode(incomplete)
    return _read(context, lambda view: _names(view, typed))


def refs(context: click.Context, incomplete: str) -> Iterable[Item]:
    """Names of refs as people type them: `main`, `v1.0`, `origin/main`, HEAD, or whole ones."""
    typed = os.fsencode(incomplete)

    def found(view: View) -> Iterator[tuple[bytes, bool]]:
        if typed.startswith(b"refs/"):
            yield from _names(view, typed)
            return
        for prefix in _SHORT:
            for name, is_whole in _names(view, prefix + typed):
                yield name.removeprefix(prefix), is_whole
        yield from _names(view, typed, end=b"refs/")
        if b"refs/".startswith(typed):
            yield b"refs/", False

    return _read(context, found)


def tables(context: click.Context, incomplete: str) -> Iterable[Item]:
    """Table files in the directory of the stack."""
    names = sorted(os.listdir(_call(context).workplace.directory))
    return _items(
        (os.fsencode(name), True) for name in names if is_table_file(name) and name.startswith(incomplete)
    )


def worktrees(context: click.Context, incomplete: str) -> Iterable[Item]:
    """The worktrees of the repository; the main one is `main`."""
    stacks = _call(context, worktree=None).workplace.surroundings.stacks
    return _items((os.fsencode(one.name), True) for one in stacks if one.name.startswith(incomplete))


def snapshots(context: click.Context, incomplete: str) -> Iterable[Item]:
    """Ids of snapshots, the newest first."""
    for one in list_snapshots(_call(context).workplace.directory):
        if one.id.startswith(incomplete) and _is_shown(one.id):
            yield CompletionItem(one.id, help=f"before the {one.operation}")


def snapshots_and_directories(context: click.Context, incomplete: str) -> Iterable[Item]:
    """Ids of snapshots, and directories."""
    with suppress(Exception):  # here is no stack, but there may be one elsewhere
        yield from snapshots(context, incomplete)
    yield from directories(context, incomplete)


def _call(context: click.Context, **changed: Any) -> Call:  # noqa: ANN401 - fields of `Call`
    """The stack that the words so far mean."""
    # Behind an option without its value, click leaves the arguments alone.
    names = [one.name for one in context.command.params if isinstance(one, click.Argument)]
    given = dict(zip(names, context.args, strict=False))
    given |= {name: value for name, value in context.params.items() if value is not None} | changed
    typed = given.get("path") or next(filter(os.path.isdir, given.get("words") or ()), None)
    path = None if typed is None else Path(os.path.expandvars(os.path.expanduser(typed)))
    return Call(path, given.get("worktree"), as_json=False)


def _read(context: click.Context, found: Callable[[View], Iterable[tuple[bytes, bool]]]) -> list[Item]:
    with _call(context).shown(alone=context.params.get("stack_only", False)) as (_, view):
        return [*_items(found(view))]


def _names(view: View, prefix: bytes, end: bytes | None = None) -> Iterator[tuple[bytes, bool]]:
    """The refs that begin with `prefix`, up to `end`, and whether a name is whole."""
    few = [*islice(_begin_with(view, prefix, prefix, end), _MOST + 1)]
    if len(few) <= _MOST:
        yield from ((name, True) for name in few)
        return
    start = prefix
    for _ in range(_MOST):
        name = next(_begin_with(view, start, prefix, end), None)
        if name is None:
            return
        slash = name.find(b"/", len(prefix))
        start = name + b"\0" if slash < 0 else name[:slash] + b"0"  # which sorts behind the slash
        yield (name, True) if slash < 0 else (name[: slash + 1], False)


def _begin_with(view: View, start: bytes, prefix: bytes, end: bytes | None) -> Iterator[bytes]:
    for record, _ in chain.from_iterable(view.ref_origins(start)):
        if not record.name.startswith(prefix) or (end is not None and record.name >= end):
            return
        yield record.name


def _items(names: Iterable[tuple[bytes, bool]]) -> Iterator[Item]:
    """Names that a shell may have in its line, each once."""
    for name, is_whole in dict.fromkeys(names):
        text = os.fsdecode(name)
        if _is_shown(text):
            yield CompletionItem(text, "plain" if is_whole else "part")


def _is_shown(text: str) -> bool:
    return safe_name(text) == text
