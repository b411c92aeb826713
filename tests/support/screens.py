"""Stacks for the screens to show, and a pilot that waits for the session's work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from engine.format import LogRecord, RefRecord, format_table_name
from engine.stack import Stack, StackOptions
from inspector.model import Session
from inspector.tui import InspectorApp, MainScreen
from tests.support.handmade import change_byte
from tests.support.stacks import OPTIONS
from tests.support.tables import oid, write_table

WIDE = (120, 36)
NARROW = (80, 24)


def branch(number: int) -> bytes:
    """Return the name of a branch; names sort as their numbers do."""
    return b"refs/heads/branch-%07d" % number


def branches(count: int, update_index: int = 1) -> list[RefRecord]:
    """Return that many branches."""
    return [RefRecord(branch(number), update_index, oid(number)) for number in range(count)]


def log(name: bytes, update_index: int, message: bytes = b"commit: change\n") -> LogRecord:
    """Return a reflog entry made an hour after that of the update index before."""
    return LogRecord(
        name,
        update_index,
        oid(update_index),
        oid(update_index + 1),
        b"A U Thor",
        b"author@example.com",
        1_700_000_000 + 3600 * update_index,
        130,
        message,
    )


def make_stack(
    directory: Path,
    *tables: tuple[Sequence[RefRecord], Sequence[LogRecord]],
    options: StackOptions = OPTIONS,
) -> Path:
    """Write a stack with one table for each pair of refs and logs, oldest first."""
    directory.mkdir(parents=True, exist_ok=True)
    with Stack.open(directory, options) as stack:
        for refs, logs in tables:
            indexes = [ref.update_index for ref in refs] + [entry.update_index for entry in logs]
            with stack.addition() as addition, addition.table() as writer:
                # A tombstone of a log has the update index of what it hides, below those of its table.
                writer.set_limits(max(min(indexes), addition.update_index), max(indexes))
                writer.add_refs(refs)
                writer.add_logs(logs)
    return directory


def damage_block(directory: Path, table: int = 0, block: int = 1) -> int:
    """Have a block of a table cost its refs: it cannot be read any more; return where it is."""
    with Stack.open(directory, read_only=True) as stack:
        path = stack.tables[table].path
        offset = list(stack.tables[table].blocks())[block].offset
    change_byte(Path(path), offset)
    return offset


def make_tall_stack(directory: Path, count: int) -> Path:
    """Write a stack of many tables, each moving `refs/heads/main`, without a transaction for each."""
    directory.mkdir(parents=True)
    names = [f"{format_table_name(index, index, index)}.ref" for index in range(1, count + 1)]
    for index, name in enumerate(names, start=1):
        write_table(directory / name, [RefRecord(b"refs/heads/main", index, oid(index))])
    (directory / "tables.list").write_text("".join(f"{name}\n" for name in names))
    return directory


def open_session(directory: Path, label: str = "test") -> Session:
    """Open a session as the inspector does."""
    return Session.open(directory, label=label, options=StackOptions())


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until every screen, or an app without any of its own, shows all that it has asked for."""
    await pilot.pause()
    app = pilot.app
    for _ in range(1000):
        if not list(app.workers) and all(getattr(one, "idle", True) for one in (app, *app.screen_stack)):
            return
        await app.workers.wait_for_complete()
        await pilot.pause()
    raise AssertionError("a screen waits for something that is never read")


def drive(
    app: App[Any], steps: Callable[[Pilot[Any]], Awaitable[None]], size: tuple[int, int] = WIDE
) -> None:
    """Run `app` without a terminal, and `steps` on it once it has settled."""

    async def run() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await settle(pilot)
            await steps(pilot)

    asyncio.run(run())


def inspect(
    directory: Path,
    steps: Callable[[Pilot[Any], MainScreen], Awaitable[None]],
    size: tuple[int, int] = WIDE,
) -> None:
    """Open the inspector on a stack and run `steps` on its main screen."""
    with open_session(directory) as session:
        app = InspectorApp(session)

        async def run(pilot: Pilot[Any]) -> None:
            assert isinstance(app.screen, MainScreen)
            await steps(pilot, app.screen)

        drive(app, run, size)


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys one after the other, each when the one before has had its effect."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


async def look(pilot: Pilot[Any], screen: MainScreen) -> None:
    """What the watch does twice a second."""
    screen._look()
    await settle(pilot)


def shown_lines(app: App[Any]) -> list[str]:
    """Return the screen as text, a string for each line."""
    width, height = app.size
    strips = app.screen._compositor.render_strips(app.size)
    assert len(strips) == height
    return ["".join(segment.text for segment in strip)[:width] for strip in strips]


def footer(pilot: Pilot[Any]) -> str:
    """Return the line of keys."""
    return shown_lines(pilot.app)[-1]
