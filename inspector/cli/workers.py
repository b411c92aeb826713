"""Work in processes beside this one, as much at once as there are of them.

Each process has one item of work at a time, so that it is known what was lost with one that dies; another one
takes its place. Nothing is kept of what is done, and of what is to be done a few items. The processes are
forked, which costs milliseconds where a new interpreter takes a tenth of a second: this process must have no
other threads.

An interrupt is for this process alone, which ends the others; if it is killed itself, they come to the end of
their pipe.
"""

from __future__ import annotations

import multiprocessing
import selectors
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final, Generic, TypeVar

from inspector.exit_codes import ENDINGS

T = TypeVar("T")
R = TypeVar("R")

_ENDINGS: Final = (signal.SIGINT, *ENDINGS)


class _Worker(Generic[T, R]):
    """A process that does `work` for what comes through a pipe, and what it has to do, if anything."""

    def __init__(self, work: Callable[[T], R], others: list[_Worker[T, R]]) -> None:
        self.item: T | None = None
        self.pipe, theirs = multiprocessing.Pipe()
        ours = [self.pipe, *(other.pipe for other in others)]
        context = multiprocessing.get_context("fork")
        self.process = context.Process(target=_serve, args=(work, theirs, ours), daemon=True)
        others.append(self)
        # An interrupt behind the fork, before this process knows of the other one, would leave that alone.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def end(self) -> int:
        """Have the process gone; how it ended (a signal's number is negative)."""
        self.pipe.close()
        if self.process.pid is None:
            return 0
        self.process.kill()  # does nothing to one that has ended
        self.process.join()
        return self.process.exitcode or 0


def _serve(work: Callable[[T], R], pipe: Connection, inherited: list[Connection]) -> None:
    # With these open here, the others would never see their pipes end.
    for other in inherited:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
    with suppress(EOFError, ConnectionError):
        while True:
            pipe.send(work(pipe.recv()))


def in_processes(
    work: Callable[[T], R], items: Iterator[T | None], processes: int, lost: Callable[[T, int], R]
) -> Generator[R]:
    """What `work` makes of the items, in the order in which it is done, in that many processes.

    `items` gives None where it has none yet: then there is time to take results. `lost` makes the result of
    an item whose process has ended in some way (an exit code, or the negative number of a signal). Close the
    iterator to end the processes early.
    """
    workers: list[_Worker[T, R]] = []
    idle: list[_Worker[T, R]] = []
    waiting: deque[T] = deque()
    more = True
    with selectors.DefaultSelector() as selector:

        def end(worker: _Worker[T, R]) -> int:
            selector.unregister(worker.pipe)
            workers.remove(worker)
            return worker.end()

        try:
            while more or waiting or len(idle) < len(workers):
                while waiting and (idle or len(workers) < processes):
                    if not idle:
                        idle.append(_Worker(work, workers))
                        selector.register(idle[0].pipe, selectors.EVENT_READ, idle[0])
                    worker = idle.pop()
                    try:
                        worker.pipe.send(waiting[0])
                        worker.item = waiting.popleft()
                    except ConnectionError:  # it was killed while it had nothing to do
                        end(worker)
                searches = more and len(waiting) < processes
                if searches:
                    try:
                        item = next(items)
                        if item is not None:
                            waiting.append(item)
                    except StopIteration:
                        more = False
                        continue
                for key, _ in selector.select(0 if searches or not workers else None):
                    worker = key.data
                    item, worker.item = worker.item, None
                    try:
                        result = worker.pipe.recv()
                        idle.append(worker)
                    except (EOFError, ConnectionError):
                        code = end(worker)
                        if item is None:
                            idle.remove(worker)
                            continue
                        result = lost(item, code)
                    yield result
        finally:
            for worker in workers:
                worker.end()
