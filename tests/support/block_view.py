"""A block view under a pilot, with short ways to what tests ask of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from engine.format import Read
from engine.table import Table
from inspector.rows import Node
from inspector.tui.widgets.block_pane import BlockPane, ShownFile
from inspector.tui.widgets.block_tree import BlockTree
from inspector.tui.widgets.hex_view import HexView
from tests.support.screens import WIDE, drive, shown_lines

Steps = Callable[["View"], Awaitable[None]]


class Host(App[None]):
    """An application with nothing but a block view."""

    ENABLE_COMMAND_PALETTE = False

    def compose(self) -> ComposeResult:
        yield BlockPane()


class View:
    """The view under a pilot, with short ways to what a test asks."""

    def __init__(self, pilot: Pilot[Any]) -> None:
        self.pilot = pilot
        self.pane = pilot.app.query_one(BlockPane)
        self.tree = pilot.app.query_one(BlockTree)
        self.hex = pilot.app.query_one(HexView)

    async def settle(self) -> None:
        await self.pilot.pause()
        while not self.pane.idle:
            await self.pilot.app.workers.wait_for_complete()
            await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def show(self, path: Path) -> None:
        self.pane.show_table(Table.open(path))
        await self.settle()

    async def show_damaged(self, path: Path) -> None:
        with Path.open(path, "rb") as file:
            data = file.read()
        self.show_file(path.name, len(data), lambda at, size: data[at : at + size])
        await self.settle()

    def show_file(self, name: str, size: int, read: Read) -> None:
        self.pane.show(ShownFile(name, name, size, read))

    async def go(self, offset: int) -> None:
        self.hex.go_to(offset)
        await self.settle()

    async def reveal(self, offset: int, key: bytes | None = None) -> None:
        self.pane.reveal(offset, key)
        await self.settle()

    async def open(self, name: str) -> None:
        """Open the first row whose title begins with `name`."""
        self.tree.cursor = next(row for row, title in enumerate(self.titles) if title.startswith(name))
        await self.pilot.pause()
        self.tree.action_unfold()
        await self.settle()

    @property
    def node(self) -> Node:
        node = self.tree.current
        assert node is not None
        return node

    @property
    def lit(self) -> tuple[int, int]:
        return self.hex.lit.start, self.hex.lit.stop

    @property
    def titles(self) -> list[str]:
        rows = [self.tree.source.row(row) for row in range(self.tree.source.count)]
        return [row.title for row in rows if row is not None]

    @property
    def text(self) -> str:
        return "\n".join(shown_lines(self.pilot.app))


def block_view(steps: Steps, size: tuple[int, int] = WIDE) -> None:
    async def with_view(pilot: Pilot[Any]) -> None:
        await steps(View(pilot))

    drive(Host(), with_view, size)
