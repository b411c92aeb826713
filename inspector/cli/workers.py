"""Work in processes beside this one, as much at once as there are of them.

Each process has one item of work at a time, so that it is known what was lost with one that dies; another one
takes its place. Nothing is kept of what is done, and of what is to be done a few items. The processes are
forked, which costs milliseconds where a new interpreter takes a tenth of a second: this process must have no
other threads.

An interrupt is for this process alone, which ends the others; if it is killed itself, they come to the end of
their pipe.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any, Final, Generic, NoReturn, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LENGTH: Final = 8
"""Bytes in front of what goes through a pipe, which say how long it is."""


class _Worker(Generic[T, R]):
    """A process that does `work` for what comes through a pipe, and what it has to do, if anything.

    What it has to do goes into `orders`, what it makes of that comes out of `results`. It is forked here,
    since the import of multiprocessing takes longer than a look at some repositories.
    """

    def __init__(self, work: Callable[[T], R], others: list[_Worker[T, R]]) -> None:
        self.item: T | None = None
        self._pid = 0
        orders, self.orders = os.pipe()
        self.results, results = os.pipe()
        others.append(self)
        # An interrupt behind the fork, before this process knows of the other one, would leave that alone.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
        try:
            self._pid = os.fork()
            if not self._pid:
                ours = [fd for one in others for fd in (one.orders, one.results)]
                _live(work, orders, results, ours)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(orders)
            os.close(results)

    def give(self, item: T) -> None:
        """Have it do something. Raises `ConnectionError` if it has ended."""
        _send(self.orders, item)
        self.item = item

    def take(self) -> R:
        """What it has made of that. Raises `EOFError` if it has ended before."""
        result: R = _receive(self.results)
        return result

    def end(self) -> int:
        """Have the process gone; how it ended (a signal's number is negative)."""
        os.close(self.orders)
        os.close(self.results)
        if not self._pid:
            return 0
        os.kill(self._pid, signal.SIGKILL)  # does nothing to one that has ended
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def _live(work: Callable[[T], R], orders: int, results: int, inherited: list[int]) -> NoReturn:
    """The life of the process: nothing of what surrounds the fork is come back to."""
    code = 1
    try:
        # With these open here, the others would never see their pipes end.
        for other in inherited:
            os.close(other)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for ending in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
        with suppress(EOFError, ConnectionError):
            while True:
                _send(results, work(_receive(orders)))
        code = 0
    except BaseException:  # noqa: BLE001 - a defect, which is told as at the end of any process
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _send(pipe: int, thing: object) -> None:
    data = pickle.dumps(thing)
    data = len(data).to_bytes(_LENGTH) + data
    while data:
        data = data[os.write(pipe, data) :]


def _receive(pipe: int) -> Any:  # noqa: ANN401 - what was sent
    return pickle.loads(_read(pipe, int.from_bytes(_read(pipe, _LENGTH))))  # noqa: S301 - by our own process


def _read(pipe: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = os.read(pipe, size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


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
    pipes = select.poll()

    def end(worker: _Worker[T, R]) -> int:
        pipes.unregister(worker.results)
        workers.remove(worker)
        return worker.end()

    try:
        while more or waiting or len(idle) < len(workers):
            while waiting and (idle or len(workers) < processes):
                if not idle:
                    idle.append(_Worker(work, workers))
                    pipes.register(idle[0].results, select.POLLIN)
                worker = idle.pop()
                try:
                    worker.give(waiting[0])
                    waiting.popleft()
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
            for pipe, _ in pipes.poll(0 if searches or not workers else None):
                worker = next(one for one in workers if one.results == pipe)
                item, worker.item = worker.item, None
                try:
                    result = worker.take()
                    idle.append(worker)
                except EOFError:
                    code = end(worker)
                    if item is None:
                        idle.remove(worker)
                        continue
                    result = lost(item, code)
                yield result
    finally:
        for worker in workers:
            worker.end()
