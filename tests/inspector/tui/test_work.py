"""Jobs in threads: what gets an answer, and when nothing does."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from engine.errors import ApiError, Cancelled
from inspector.tui.screens.dialog import Dialog
from inspector.tui.terminal import TerminalApp
from inspector.tui.work import Job, Jobs, failure_text
from tests.support.screens import drive, settle


class Gate:
    """A job that waits until it is let go, and then answers with its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.begun = threading.Event()
        self.opened = threading.Event()
        self.cancelled: bool | None = None

    def __call__(self, job: Job) -> str:
        self.begun.set()
        assert self.opened.wait(60)
        self.cancelled = job.is_cancelled
        return self.name


class Asker(Screen[None]):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs = Jobs(self)
        self.told: list[Any] = []


async def until(pilot: Pilot[Any], condition: Callable[[], object]) -> None:
    while not condition():
        await pilot.pause(0.01)


async def begin(pilot: Pilot[Any], gate: Gate) -> None:
    await until(pilot, gate.begun.is_set)


def with_asker(steps: Callable[[Pilot[Any], Asker], Awaitable[None]]) -> TerminalApp:
    """Run `steps` on a screen that asks, on top of an application."""
    app = TerminalApp()

    async def run(pilot: Pilot[Any]) -> None:
        screen = Asker()
        await app.push_screen(screen)
        await steps(pilot, screen)

    drive(app, run)
    return app


def test_reports_come_in_their_order_and_before_the_answer() -> None:
    async def steps(pilot: Pilot[Any], screen: Asker) -> None:
        def count(job: Job) -> str:
            for number in range(3):
                job.report(screen.told.append, number)
            return "done"

        screen.jobs.start("count", count, screen.told.append)
        assert screen.jobs.running("count")
        await settle(pilot)
        assert screen.told == [0, 1, 2, "done"]
        assert screen.jobs.idle

    with_asker(steps)


def test_only_the_newest_of_a_group_is_heard_and_the_one_before_is_told_to_stop() -> None:
    async def steps(pilot: Pilot[Any], screen: Asker) -> None:
        old, new, other = Gate("old"), Gate("new"), Gate("other")
        screen.jobs.start("one", old, screen.told.append)
        await begin(pilot, old)
        screen.jobs.start("one", new, screen.told.append)
        screen.jobs.start("two", other, screen.told.append)
        new.opened.set()
        await until(pilot, lambda: screen.told)
        old.opened.set()
        await until(pilot, lambda: old.cancelled is not None)
        other.opened.set()
        await until(pilot, lambda: screen.jobs.idle)
        assert (old.cancelled, new.cancelled, other.cancelled) == (True, False, False)
        assert screen.told == ["new", "other"]

    with_asker(steps)


def test_what_comes_after_the_screen_is_closed_is_dropped() -> None:
    async def steps(pilot: Pilot[Any], screen: Asker) -> None:
        gate = Gate("late")
        screen.jobs.start("one", gate, screen.told.append)
        await begin(pilot, gate)
        pilot.app.pop_screen()
        gate.opened.set()
        await pilot.pause(0.1)
        assert screen.told == []

    with_asker(steps)


def test_a_part_that_is_taken_away_hears_nothing() -> None:
    async def steps(pilot: Pilot[Any], screen: Asker) -> None:
        part, gate = Static(), Gate("late")
        await screen.mount(part)
        Jobs(part).start("one", gate, screen.told.append)
        await begin(pilot, gate)
        await part.remove()
        gate.opened.set()
        await pilot.pause(0.1)
        assert screen.told == []

    with_asker(steps)


def test_an_answer_for_the_screen_on_top_is_dropped_below_another() -> None:
    async def steps(pilot: Pilot[Any], screen: Asker) -> None:
        for covered in (True, False):
            gate, kept = Gate("on top"), Gate("kept")
            screen.jobs.start("one", gate, screen.told.append, on_top=True)
            screen.jobs.start("two", kept, screen.told.append)
            if covered:
                await pilot.app.push_screen(Screen[None]())
            gate.opened.set()
            kept.opened.set()
            await until(pilot, lambda: screen.jobs.idle)
            assert sorted(screen.told) == (["kept"] if covered else ["kept", "on top"])
            screen.told.clear()
            if covered:
                pilot.app.pop_screen()

    with_asker(steps)


def test_what_is_dropped_is_not_heard_and_what_is_stopped_is() -> None:
    async def steps(pilot: Pilot[Any], screen: Asker) -> None:
        gates = {name: Gate(name) for name in ("dropped", "stopped")}
        for name, gate in gates.items():
            screen.jobs.start(name, gate, screen.told.append)
            await begin(pilot, gate)
        screen.jobs.drop("dropped")
        screen.jobs.stop("stopped")
        assert not screen.jobs.running("dropped")
        assert screen.jobs.running("stopped")
        for gate in gates.values():
            gate.opened.set()
        await until(pilot, lambda: all(gate.cancelled for gate in gates.values()) and screen.jobs.idle)
        assert screen.told == ["stopped"]

    with_asker(steps)


@pytest.mark.parametrize(
    ("error", "text", "defect"),
    [
        (ApiError("no such thing"), "no such thing", False),
        (FileNotFoundError(2, "gone"), "gone", False),
        (Cancelled(), "", False),
        (KeyError("x\x1b"), r"a defect of this program: KeyError: 'x\\x1b'", True),
    ],
)
def test_an_error_is_told_to_who_asked_and_a_defect_is_kept_besides(
    error: Exception, text: str, defect: bool
) -> None:
    def fail(_job: Job) -> None:
        raise error

    async def steps(pilot: Pilot[Any], screen: Asker) -> None:
        screen.jobs.start("one", fail, screen.told.append, screen.told.append)
        await settle(pilot)
        assert screen.told == [error]
        assert failure_text(error) == text
        assert not pilot.app._notifications
        screen.jobs.start("one", fail, screen.told.append)
        await settle(pilot)
        assert [one.message for one in pilot.app._notifications] == [text]
        assert screen.jobs.idle

    assert list(with_asker(steps).defects) == ([error, error] if defect else [])


class Well:
    """Yields what was put into it, as long as there is something."""

    def __init__(self) -> None:
        self.wants: list[int] = []

    @property
    def wanting(self) -> bool:
        return bool(self.wants)

    def work(self) -> Iterator[int | None]:
        while self.wants:
            yield self.wants.pop(0)
            yield None


def test_a_source_works_until_nothing_is_wanted_of_it() -> None:
    async def steps(pilot: Pilot[Any], screen: Asker) -> None:
        well = Well()

        def show(number: int) -> None:
            screen.told.append(number)
            if number < 5:
                well.wants.append(number + 1)  # maybe just when the job is about to end

        def want(number: int) -> None:
            well.wants.append(number)
            screen.jobs.drive("well", well, show)

        screen.jobs.drive("well", well, show)
        assert screen.jobs.idle, "nothing is wanted"
        want(1)
        want(10)
        await settle(pilot)
        assert sorted(screen.told) == [1, 2, 3, 4, 5, 10]

    with_asker(steps)


def test_what_was_asked_before_of_another_source_is_not_heard_and_asked_no_further() -> None:
    async def steps(pilot: Pilot[Any], screen: Asker) -> None:
        begun, opened, asked = threading.Event(), threading.Event(), list[int]()

        class Slow(Well):
            def work(self) -> Iterator[int | None]:
                for number in self.wants:
                    asked.append(number)
                    begun.set()
                    assert opened.wait(60)
                    yield number

        slow, well = Slow(), Well()
        slow.wants, well.wants = [1, 2, 3], [10]
        screen.jobs.drive("well", slow, screen.told.append)
        await until(pilot, begun.is_set)
        screen.jobs.drive("well", well, screen.told.append)
        opened.set()
        await settle(pilot)
        assert (screen.told, asked) == ([10], [1])

    with_asker(steps)


class Question(Dialog[str]):
    """A dialog that is answered from elsewhere."""


@pytest.mark.parametrize("covered", [False, True])
def test_a_dialog_is_left_only_when_nothing_covers_it(covered: bool) -> None:
    app: App[None] = App()
    answers: list[str | None] = []

    async def steps(pilot: Pilot[Any]) -> None:
        question = Question("Question")
        await app.push_screen(question, answers.append)
        cover = Screen[None]()
        if covered:
            await app.push_screen(cover)
        question.dismiss("yes")
        await pilot.pause()
        if covered:
            assert app.screen is cover
            assert answers == []
            app.pop_screen()
            await pilot.pause()
        assert answers == ["yes"]
        assert question not in app.screen_stack

    drive(app, steps)
