"""Keys one after the other: each is given to what the keys before it have led to, and none gets lost.

Textual hands a key to the widget that has the focus at that moment. From there the key climbs, one queue
after the other, through everything around the widget up to the application, whose bindings then act. A key
that is typed meanwhile starts its own climb at the same widget, although the key before it may be about to
close the dialog around it: then an input takes what was meant for the screen below, or the dialog is taken
apart while the key is on its way through it, and the key is gone. And a dialog that has only just been
opened has no parts yet, so what is typed into its first field never gets there.

So here keys, and text that is pasted, wait in a row. One that has its turn is given to the screen on top when
this is built and has its focus; the next has its turn when that one has been all the way, and what it
did is done. One that was on its way through something that was closed meanwhile begins again.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections import deque
from dataclasses import dataclass
from typing import Generic

from textual.app import App, ReturnType, ScreenStackError
from textual.events import Event, Key, Paste
from textual.message_pump import MessagePump
from textual.widget import Widget
from textual.worker import Worker


@dataclass(slots=True)
class _Turn:
    """A key that has its turn: what it was given to, and whether it came from there to the application."""

    event: Key | Paste
    taker: Widget | None = None
    has_climbed: bool = False


class KeysInTurnApp(App[ReturnType], Generic[ReturnType]):
    """An application that takes keys as fast as they come, as if they had come slowly."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[Key | Paste] = deque()
        self._giver: Worker[None] | None = None
        self._turn: _Turn | None = None

    async def on_event(self, event: Event) -> None:
        """Have keys wait for their turn; everything else, and the key that has its turn, goes its way."""
        if isinstance(event, (Key, Paste)):
            if self._turn is None or event is not self._turn.event:
                self._waiting.append(event)
                if self._giver is None or self._giver.is_finished:
                    self._giver = self.run_worker(self._give_turns(), group="keys")
                return
            if not self._screen_stack:  # the application ends: a key that is still on its way has no taker
                return
            if event.is_forwarded:
                self._turn.has_climbed = True
            else:
                self._turn.taker = self.focused or self.screen
        await super().on_event(event)

    async def _give_turns(self) -> None:
        while self._waiting:
            event = self._waiting.popleft()
            try:
                await self._screen_is_built()
                if not await self._give_turn(event):
                    self._waiting.appendleft(_anew(event))
            except ScreenStackError:  # the application ends: nothing is there to take it
                return

    async def _screen_is_built(self) -> None:
        screen = None
        while screen is not self.screen:
            screen = self.screen
            await _has_caught_up(screen)

    async def _give_turn(self, event: Key | Paste) -> bool:
        """Wait until what has the focus has taken the key, and all is done; False if it was lost instead."""
        turn = self._turn = _Turn(event)
        self.post_message(event)
        await _has_caught_up(self)
        taker = turn.taker
        if taker is None or not event.is_forwarded:  # a binding with priority has taken it
            return True
        around = [node for node in taker.ancestors_with_self if node is not self]
        # Up with the key, and once more with what it has caused: a button or an input speaks up afterwards.
        for _ in range(2):
            for node in (*around, self):
                await _has_caught_up(node)
        is_taken = turn.has_climbed or event._stop_propagation  # noqa: SLF001 - Textual does not tell
        return is_taken or (self.focused or self.screen) is taker


async def _has_caught_up(pump: MessagePump) -> None:
    """Wait until all that is in the queue of `pump` by now is done, or it has ended."""
    caught_up: Future[None] = asyncio.get_running_loop().create_future()

    def tell(*_ended: Task[None]) -> None:
        if not caught_up.done():
            caught_up.set_result(None)

    running: Task[None] | None = pump._task  # noqa: SLF001 - there is no other way to see it end
    if not pump.call_later(tell):
        return
    if running is not None:
        running.add_done_callback(tell)
    try:
        await caught_up
    finally:
        if running is not None:
            running.remove_done_callback(tell)


def _anew(event: Key | Paste) -> Key | Paste:
    return Key(event.key, event.character) if isinstance(event, Key) else Paste(event.text)
