"""Stacks with a known history, and what may befall their files: all of it drawn from one generator."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine.format import REF, LogRecord, RefRecord, is_table_file
from engine.layout import Record
from engine.stack import Stack, StackOptions
from tests.support.damage import flipped
from tests.support.spans import everything, layout_of
from tests.support.tables import oid


@dataclass(slots=True)
class Made:
    """A stack, and what is true of it.

    `refs` are those that it shows, `last` the update index of the last change to each name, deletions among
    them. `tables` are the bytes of all tables that it has ever had, `lists` the names of those it had
    together, the newest last.
    """

    directory: Path
    refs: dict[bytes, RefRecord] = field(default_factory=dict)
    last: dict[bytes, int] = field(default_factory=dict)
    tables: dict[str, bytes] = field(default_factory=dict)
    lists: list[list[str]] = field(default_factory=list)

    @property
    def list_path(self) -> Path:
        """The path of the list."""
        return self.directory / "tables.list"

    @property
    def present(self) -> list[str]:
        """The files that are named like tables."""
        return sorted(path.name for path in self.directory.iterdir() if is_table_file(path.name))

    @property
    def lines(self) -> list[bytes]:
        """The lines of the list with their ends; none where there is no list."""
        return self.raw.splitlines(keepends=True)

    @property
    def raw(self) -> bytes:
        """The bytes of the list."""
        return self.list_path.read_bytes() if self.list_path.exists() else b""


def made_stack(rng: random.Random, directory: Path) -> Made:
    """Make a stack of several tables: branches with reflogs, tags, symbolic refs, deletions, compactions."""
    made = Made(directory)
    options = StackOptions(
        auto_compact=False,
        block_size=rng.choice([256, 4096]),
        restart_interval=rng.choice([1, 3, 16]),
        suffix=lambda: rng.randrange(1, 2**32),
    )
    names = [b"refs/heads/b%02d" % number for number in range(rng.choice([4, 9, 30]))]
    logged: dict[bytes, list[int]] = {}
    with Stack.open(directory, options) as stack:
        for number in range(rng.randrange(3, 10)):
            few = rng.sample(names, rng.randrange(1, min(5, len(names)) + 1))
            _add(rng, made, stack, few if number else names[: max(2, len(names) // 2)], logged)
            if len(stack.tables) > 2 and rng.random() < 0.35:
                first = rng.randrange(len(stack.tables) - 1)
                stack.compact(first, rng.randrange(first + 2, len(stack.tables) + 1))
                _note(made, stack)
    return made


def _add(
    rng: random.Random, made: Made, stack: Stack, branches: list[bytes], logged: dict[bytes, list[int]]
) -> None:
    """Add a table that changes these branches, and perhaps other refs."""
    with stack.addition() as addition, addition.table() as writer:
        index = addition.update_index
        refs, logs = dict[bytes, RefRecord](), list[LogRecord]()
        if index == 1:
            refs[b"HEAD"] = RefRecord(b"HEAD", index, target=branches[0])
        for name in branches:
            before = made.refs.get(name)
            if before is not None and rng.random() < 0.25:
                refs[name] = RefRecord(name, index)
                logs += [LogRecord(name, of) for of in logged.pop(name, [])]
                continue
            refs[name] = RefRecord(name, index, oid(rng.randrange(10**6)))
            if rng.random() < 0.8:
                ids = (before.value if before is not None else None) or bytes(20), refs[name].value
                logs.append(LogRecord(name, index, *ids, b"A", b"a@b", 1_700_000_000 + index, 0, b"m\n"))
                logged.setdefault(name, []).append(index)
        if rng.random() < 0.4:
            name = b"refs/tags/v%d" % rng.randrange(4)
            is_deleted = name in made.refs and rng.random() < 0.5
            peeled = oid(rng.randrange(10**6)) if rng.random() < 0.5 else None
            refs[name] = RefRecord(name, index, *(() if is_deleted else (oid(index), peeled)))
        if rng.random() < 0.15:
            name = b"refs/remotes/o/HEAD"
            refs[name] = RefRecord(name, index, target=b"refs/remotes/o/b%d" % rng.randrange(3))
        writer.add_refs(refs.values())
        writer.add_logs(logs)
    for name, ref in refs.items():
        made.last[name], made.refs[name] = index, ref
        if ref.is_deletion:
            del made.refs[name]
    _note(made, stack)


def _note(made: Made, stack: Stack) -> None:
    names = [table.name for table in stack.tables]
    for name in names:
        made.tables.setdefault(name, (made.directory / name).read_bytes())
    made.lists.append(names)


# What befalls the files. Each returns the names of refs whose records have other bytes now.


def _altered(data: bytes, start: int, end: int) -> set[bytes]:
    """The names of the refs between the restart points around records that have one of these bytes."""
    found, names = set[bytes](), set[bytes]()
    for record in everything(layout_of(data)) if len(data) > 100 else ():
        if isinstance(record, Record) and record.type == REF:
            shared = next(iter(record.children())).value
            names = names if shared else set()
            names.add(record.key)
            if record.start < end and start < record.end:
                found |= names
            elif found & names:
                found.add(record.key)
    return found


def _flip(rng: random.Random, made: Made) -> set[bytes]:
    path = made.directory / rng.choice(made.present)
    if not (data := path.read_bytes()):
        return set()
    at = rng.randrange(len(data))
    path.write_bytes(flipped(data, at, rng.choice([0x01, 0x20, 0xFF, rng.randrange(1, 256)])))
    return _altered(data, at, at + 1)


def _smear(rng: random.Random, made: Made) -> set[bytes]:
    path = made.directory / rng.choice(made.present)
    if not (data := path.read_bytes()):
        return set()
    at = rng.randrange(len(data))
    size = min(rng.randrange(2, 80), len(data) - at)
    path.write_bytes(data[:at] + rng.choice([bytes(size), rng.randbytes(size)]) + data[at + size :])
    return _altered(data, at, at + size)


def _cut(rng: random.Random, made: Made) -> None:
    path = made.directory / rng.choice(made.present)
    data = path.read_bytes()
    path.write_bytes(data[: rng.choice([0, rng.randrange(len(data) + 1)])])


def _delete(rng: random.Random, made: Made) -> None:
    present = made.present
    (made.directory / rng.choice([present[0], present[-1], rng.choice(present)])).unlink()


def _copy(rng: random.Random, made: Made) -> None:
    one, other = (made.directory / rng.choice(made.present) for _ in range(2))
    other.write_bytes(one.read_bytes())


def _exchange(rng: random.Random, made: Made) -> None:
    one, other = (made.directory / rng.choice(made.present) for _ in range(2))
    contents = one.read_bytes(), other.read_bytes()
    other.write_bytes(contents[0])
    one.write_bytes(contents[1])


def _empty_list(_: random.Random, made: Made) -> None:
    made.list_path.write_bytes(b"")


def _lose_list(_: random.Random, made: Made) -> None:
    made.list_path.unlink(missing_ok=True)


def _cut_list(rng: random.Random, made: Made) -> None:
    raw, lines = made.raw, made.lines
    size = rng.choice([rng.randrange(len(raw) + 1), sum(map(len, lines[: rng.randrange(len(lines) + 1)]))])
    made.list_path.write_bytes(raw[:size])


def _zero_list(rng: random.Random, made: Made) -> None:
    size = rng.randrange(len(made.raw) + 1)
    made.list_path.write_bytes(made.raw[:size].ljust(len(made.raw), b"\0"))


def _flip_list(rng: random.Random, made: Made) -> None:
    if raw := made.raw:
        made.list_path.write_bytes(flipped(raw, rng.randrange(len(raw)), rng.randrange(1, 256)))


def _lose_line(rng: random.Random, made: Made) -> None:
    if lines := made.lines:
        lines.pop(rng.randrange(len(lines)))
        made.list_path.write_bytes(b"".join(lines))


def _swap_lines(rng: random.Random, made: Made) -> None:
    if lines := made.lines:
        one, other = (rng.randrange(len(lines)) for _ in range(2))
        lines[one], lines[other] = lines[other], lines[one]
        made.list_path.write_bytes(b"".join(lines))


def _repeat_line(rng: random.Random, made: Made) -> None:
    if lines := made.lines:
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
        made.list_path.write_bytes(b"".join(lines))


def _put_tables_back(rng: random.Random, made: Made) -> None:
    gone = sorted(made.tables.keys() - set(made.present))
    for name in rng.sample(gone, rng.randrange(1, len(gone) + 1)) if gone else ():
        (made.directory / name).write_bytes(made.tables[name])


def _put_list_back(rng: random.Random, made: Made) -> None:
    made.list_path.write_bytes(b"".join(b"%s\n" % name.encode() for name in rng.choice(made.lists)))


def _put_stack_back(rng: random.Random, made: Made) -> None:
    names = rng.choice(made.lists)
    made.list_path.write_bytes(b"".join(b"%s\n" % name.encode() for name in names))
    for name in names:
        (made.directory / name).write_bytes(made.tables[name])


def _lose_both(rng: random.Random, made: Made) -> None:
    """Lose a table and its line, or all from one on."""
    if not (lines := made.lines):
        return
    first = rng.randrange(len(lines))
    end = rng.choice([first + 1, len(lines)])
    for line in lines[first:end]:
        name = line.decode("ascii", "replace").strip("\n")
        if name in made.present:
            (made.directory / name).unlink()
    made.list_path.write_bytes(b"".join(lines[:first] + lines[end:]))


BLOWS: Final[dict[str, Callable[[random.Random, Made], set[bytes] | None]]] = {
    "a byte altered": _flip,
    "bytes overwritten": _smear,
    "a table cut": _cut,
    "a table deleted": _delete,
    "a table copied over another": _copy,
    "two tables exchanged": _exchange,
    "the list emptied": _empty_list,
    "the list gone": _lose_list,
    "the list cut": _cut_list,
    "NULs in the list": _zero_list,
    "a byte of the list altered": _flip_list,
    "a line gone": _lose_line,
    "two lines exchanged": _swap_lines,
    "a line repeated": _repeat_line,
    "old tables beside": _put_tables_back,
    "an older list": _put_list_back,
    "an older list and its tables": _put_stack_back,
    "tables gone with their lines": _lose_both,
}
"""By name, what may befall a stack that has a table left."""

ALTERING: Final = {"a byte altered", "bytes overwritten"}
COPYING: Final = {"a table copied over another", "two tables exchanged"}
"""What puts a table under the name of another one."""

REORDERING: Final = COPYING | {
    "a byte of the list altered",
    "two lines exchanged",
    "a line repeated",
    "an older list",
    "an older list and its tables",
}
"""What may have git itself read a table later than newer ones, or not at all."""
