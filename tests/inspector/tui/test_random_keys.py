"""Random keys, typed ahead of everything, while the answers of jobs come late: what always holds holds then.

A seed decides it all: the keys, when answers come, when others change the stack, how large the terminal is.
So that it is the same each time, threads are waited for before each step; when their answers come is drawn.
"""

from __future__ import annotations

import asyncio
import os
import random
import string
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from textual.app import App
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen

from engine.errors import ReftableError
from engine.format import RefRecord
from engine.stack import Stack, StackOptions
from inspector.tui import InspectorApp, MainScreen
from inspector.tui.screens import attempt
from inspector.tui.screens.dialog import ConfirmScreen
from inspector.tui.screens.plan import ActionScreen
from inspector.tui.work import Job, Jobs
from tests.support.demo import copy_damaged_demo, copy_demo
from tests.support.quick_pilot import draw_at_once, rest
from tests.support.screens import NARROW, WIDE, branches, log, make_stack, open_session, settle, shown_lines
from tests.support.stacks import traces
from tests.support.tables import oid
from tests.support.thinning import ALL

SEEDS: Final = range(4 if ALL else 1)
STEPS: Final = 300 if ALL else 40

# Keys of terminals, beside those that are bound where the user is.
KEYS: Final = (
    *string.ascii_letters,
    *string.digits,
    *("enter", "escape", "tab", "shift+tab", "backspace", "delete", "space", "up", "down", "left", "right"),
    *("pageup", "pagedown", "home", "end", "ctrl+p", "ctrl+d", "ctrl+u", "ctrl+c", "ctrl+z", "f1", "f5"),
    *("question_mark", "colon", "slash", "at", "equals_sign", "plus", "minus", "full_stop", "comma"),
    *("left_square_bracket", "right_square_bracket", "greater_than_sign", "left_curly_bracket"),
)
SIZES: Final = (WIDE, WIDE, NARROW, (200, 50), (60, 16), (30, 8), (2, 20), (1, 1))


class Answers:
    """Holds back what jobs bring until it is let go, what one job brings in its order."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._lock = threading.Lock()
        self._held: dict[Job, list[Callable[[], None]]] = {}
        self._deliver = Jobs.deliver
        self._start = Jobs.start
        self._numbers: dict[Job, int] = {}
        self._at_work: list[Future[Any]] = []

    def start(self, jobs: Jobs, group: str, *rest: Any, **options: Any) -> None:  # noqa: ANN401
        """In place of `Jobs.start`: jobs are told apart by the order in which they begin."""
        self._start(jobs, group, *rest, **options)
        self._numbers[jobs._newest[group]] = len(self._numbers)

    def count_threads(self) -> None:
        """Know of each function that is given to a thread."""
        loop: Any = asyncio.get_running_loop()
        pool = ThreadPoolExecutor()
        loop.set_default_executor(pool)

        def begin(_executor: None, function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
            future = pool.submit(function, *arguments)
            self._at_work = [one for one in self._at_work if not one.done()] + [future]
            return asyncio.wrap_future(future)

        loop.run_in_executor = begin

    def wait_for_threads(self) -> None:
        """Wait until none is at work; the event loop stands still. What is cancelled may never begin."""
        while not all(future.done() for future in self._at_work):
            time.sleep(0.0005)

    def take(self, jobs: Jobs, job: Job, tell: Callable[[], object], **options: bool) -> None:
        """In place of `Jobs.deliver`, in any thread."""
        with self._lock:
            self._held.setdefault(job, []).append(partial(self._deliver, jobs, job, tell, **options))

    def let_go(self, *, all_of_them: bool = False) -> bool:
        """Have the first answers of some jobs delivered; whether there was one."""
        with self._lock:
            held = sorted(self._held, key=self._numbers.__getitem__)
            jobs = [job for job in held if all_of_them or self._chance.random() < 0.5]
            told = []
            for job in jobs:
                waiting = self._held[job]
                count = len(waiting) if all_of_them else self._chance.randint(1, len(waiting))
                told += waiting[:count]
                del waiting[:count]
                if not waiting:
                    del self._held[job]
        for tell in told:
            tell()
        return bool(told)


class Typist:
    """Does one random thing after the other to an application, and looks at what always holds."""

    def __init__(self, pilot: Pilot[Any], directory: Path, chance: random.Random, answers: Answers) -> None:
        self.pilot = pilot
        self.app: App[Any] = pilot.app
        assert isinstance(self.app, InspectorApp)
        assert isinstance(self.app.screen, MainScreen)
        self.main = self.app.screen
        self.directory = directory
        self.chance = chance
        self.answers = answers
        self.files = traces(directory)
        self.applied = 0
        self.quits = 0
        self.done: list[str] = []
        self.sights: Counter[str] = Counter()

    async def step(self) -> None:
        self.answers.wait_for_threads()
        what = self.chance.random()
        if what < 0.03:
            size = self.chance.choice(SIZES)
            self.done.append(f"size {size}")
            await self.pilot.resize_terminal(*size)
        elif what < 0.06:
            self.done.append("look")
            self.main._watching = True
            self.main._look()
        elif what < 0.07:
            self.change()
        elif what < 0.3:
            self.done.append("answers")
            self.answers.let_go()
        else:
            self.press(self.key())
        how_long = self.chance.random()
        if how_long < 0.1:
            await rest(self.app)
            if how_long < 0.02:
                shown_lines(self.app)  # which draws it
        elif how_long < 0.5:
            for _ in range(self.chance.choice((1, 2, 5, 20))):
                await asyncio.sleep(0)
        self.look()

    def key(self) -> str:
        if isinstance(self.app.screen, ConfirmScreen | ActionScreen) and self.chance.random() < 0.3:
            return self.chance.choice(("enter", "enter", "right", "escape"))  # or few plans would be applied
        bound = [key for key, (_, binding, *_) in self.app.screen.active_bindings.items() if binding.action]
        return self.chance.choice(bound if bound and self.chance.random() < 0.8 else KEYS)

    def press(self, key: str) -> None:
        self.done.append(key)
        character = key if len(key) == 1 else CHARACTERS.get(key)
        self.app.post_message(Key(key, character))

    def change(self) -> None:
        """Have another process commit, where the stack and its locks allow it."""
        if self.applied:
            return  # else it could not be told from what a plan has written
        self.done.append("commit")
        try:
            with Stack.open(self.directory, StackOptions(skip_name_check=True)) as stack:
                index = stack.next_update_index
                stack.add(lambda writer: writer.add_ref(RefRecord(b"refs/heads/new", index, oid(index))))
        except (ReftableError, OSError):
            self.done[-1] += " refused"
        self.files = traces(self.directory)

    def look(self) -> None:
        app, screens = self.app, self.app.screen_stack
        self.sights[type(screens[-1]).__name__] += 1
        assert isinstance(app, InspectorApp)
        for error in (app._exception, *app.defects):
            if error is not None:
                raise error
        assert not app._exit, "it ends"
        assert [one for one in screens if isinstance(one, MainScreen)] == [screens[0]] == [self.main]
        focused = app.screen.focused
        assert focused is None or focused.screen is app.screen
        if not self.applied:
            assert traces(self.directory) == self.files, "files have changed without a plan"


CHARACTERS: Final = {
    "space": " ",
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "at": "@",
    "equals_sign": "=",
    "plus": "+",
    "minus": "-",
    "full_stop": ".",
    "comma": ",",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "greater_than_sign": ">",
    "left_curly_bracket": "{",
}


def type_at_random(directory: Path, seed: int, steps: int, patch: pytest.MonkeyPatch) -> Counter[str]:
    """Open a stack, and do so many random things; how often each screen was on top."""
    chance = random.Random(seed)
    answers = Answers(chance)
    typists: list[Typist] = []
    run = attempt.run

    def apply(*arguments: Any) -> Any:  # noqa: ANN401
        for typist in typists:
            typist.applied += 1
        return run(*arguments)

    def deliver(jobs: Jobs, job: Job, tell: Callable[[], object], **options: bool) -> None:
        answers.take(jobs, job, tell, **options)

    async def leave(_app: InspectorApp) -> None:
        for typist in typists:
            typist.quits += 1

    patch.setattr(attempt, "run", apply)
    if ALL:  # also what is seen in between
        patch.setattr(Screen, "_compositor_refresh", draw_at_once)

    def start(jobs: Jobs, group: str, *rest: Any, **options: Any) -> None:  # noqa: ANN401
        answers.start(jobs, group, *rest, **options)

    patch.setattr(Jobs, "deliver", deliver)
    patch.setattr(Jobs, "start", start)
    patch.setattr(InspectorApp, "action_quit", leave)
    patch.setattr(InspectorApp, "deliver_screenshot", lambda _app: None)

    async def go() -> None:
        answers.count_threads()
        with open_session(directory) as session:
            app = InspectorApp(session)
            async with app.run_test(size=WIDE, notifications=True) as pilot:
                await rest(app)
                typist = Typist(pilot, directory, chance, answers)
                typists.append(typist)
                try:
                    for _ in range(steps):
                        await typist.step()
                    await end(typist)
                except BaseException as error:
                    error.add_note(f"seed {seed}, {len(typist.done)} steps, the last: {typist.done[-40:]}")
                    raise

    async def end(typist: Typist) -> None:
        while typist.answers.let_go(all_of_them=True):
            await rest(typist.app)
        patch.setattr(Jobs, "deliver", answers._deliver)
        typist.answers.let_go(all_of_them=True)
        await settle(typist.pilot)
        typist.look()

    asyncio.run(go())
    return typists[0].sights


def sound(place: Path) -> None:
    copy_demo(place)


def damaged(place: Path) -> None:
    copy_damaged_demo(place, time.time())


def small(place: Path) -> None:
    make_stack(place, (branches(30), [log(b"HEAD", 1)]), (branches(5, 2), [log(b"HEAD", 2)]))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("make", [sound, damaged, small] if ALL else [sound, damaged])
def test_random_keys_never_break_what_always_holds(
    tmp_path: Path, make: Callable[[Path], None], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, elsewhere = tmp_path / "reftable", tmp_path / "elsewhere"
    make(stack)
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", os.fspath(elsewhere))
    type_at_random(stack, seed, STEPS, monkeypatch)
