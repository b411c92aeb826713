"""Git, our verbs and a handle that stays open, all at work on one stack, with kills: a model checks them.

The model is what was acknowledged to each process: a ref that is there, one that is gone, or one of which a
kill has kept the answer. REFTABLE_MIXED_SECONDS runs it for longer.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from engine.stack import Stack, find_holders
from tests.interop.test_concurrency import ROOT, gets_its_lock, killed_at_the_end
from tests.support.cli import ok
from tests.support.findings import faults
from tests.support.git import Git, Repository
from tests.support.objects import add_commits
from tests.support.stack_worker import PAUSES
from tests.support.stacks import listed
from tests.support.thinning import ALL
from tests.support.views import engine_view, git_view

SECONDS = float(os.environ.get("REFTABLE_MIXED_SECONDS", "20" if ALL else "3"))
HOUR = 3600

pytestmark = pytest.mark.timeout(2 * SECONDS + 120)
ROUND = 2.5
"""Seconds until all is stopped and held against the model."""


class Model:
    """What each process was told, by the names of refs; each name belongs to one process."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.gone: set[str] = set()
        self.unknown: set[str] = set()
        self.commits = 0

    def tell(self, name: str, state: str) -> None:
        """Note what became of a ref."""
        for states in (self.there, self.gone, self.unknown):
            states.discard(name)
        {"there": self.there, "gone": self.gone, "unknown": self.unknown}[state].add(name)
        self.commits += state != "unknown"

    def settle(self, found: set[str], events: list[dict[str, object]]) -> None:
        """Hold the refs that there are against what was acknowledged; `events` are told if they differ."""
        lost, back = self.there - found, found - self.unknown - self.there
        assert not lost | back, "\n".join([f"lost: {lost}", f"there: {back}", *map(str, events)])
        for name in sorted(self.unknown):
            self.tell(name, "there" if name in found else "gone")


def write_by_git(
    repo: Repository, model: Model, who: str, oid: str, seed: int, stop: threading.Event
) -> None:
    """Create refs and delete some of them, by processes of which some are killed."""
    rng = random.Random(f"{seed} {who}")
    mine: list[str] = []
    number = 0
    while not stop.wait(rng.choice(PAUSES)):
        if mine and rng.random() < 0.3:
            name, command, state, other = mine.pop(rng.randrange(len(mine))), ["-d"], "gone", "there"
        else:
            name, command, state, other = f"refs/heads/{who}-{seed}-{number}", [], "there", "gone"
            number += 1
        arguments = ["update-ref", "-m", who, *command, name, *([] if command else [oid])]
        if rng.random() < 0.03:
            with subprocess.Popen(
                [repo.runner.program, *arguments],
                cwd=repo.path,
                env=repo.runner.environment,
                stderr=subprocess.DEVNULL,
            ) as process:
                time.sleep(rng.uniform(0, 0.02))
                process.kill()
            model.tell(name, state if process.returncode == 0 else "unknown")
        else:
            done = gets_its_lock(repo, *arguments)
            model.tell(name, state if done else other)
            if done != bool(command):
                mine.append(name)
        if rng.random() < 0.1:
            repo.git("pack-refs", *(["--auto"] if rng.random() < 0.5 else []), check=False)


def age_locks_of_the_dead(directory: Path, stop: threading.Event) -> None:
    """Make old what a killed process has left, so that the operator's repair need not wait for hours."""
    seen: set[tuple[str, int]] = set()
    while not stop.wait(0.05):
        locks = {}
        for path in directory.glob("*.lock"):
            with suppress(FileNotFoundError):
                locks[path.name, path.stat().st_ino] = path
        held = find_holders([os.path.realpath(path) for path in locks.values()]).found
        seen &= locks.keys()
        for key in seen:
            if os.path.realpath(locks[key]) not in held:
                with suppress(FileNotFoundError):
                    os.utime(locks[key], (time.time() - HOUR,) * 2)
        seen |= locks.keys()


def start(module: str, *args: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"tests.support.{module}", *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_nothing_is_lost_and_nothing_comes_back_where_all_are_at_work(git: Git, tmp_path: Path) -> None:
    repo = git.init(
        tmp_path / "repo", config={"reftable.lockTimeout": 200, "core.logAllRefUpdates": "always"}
    )
    oid = add_commits(repo, 1)[0].hex()
    directory, model = repo.reftable, Model()
    model.there.update(name.decode() for name in repo.refs())
    end = time.monotonic() + SECONDS
    verbs: dict[str, int] = {}
    rounds = 0
    while not rounds or time.monotonic() < end:
        until, stop = tmp_path / f"stop-{rounds}", threading.Event()
        operator = start("operator_worker", directory, oid, rounds, until)
        handle = start("stack_worker", "change", directory, f"handle-{rounds}", oid, rounds, until)
        with killed_at_the_end(operator, handle), ThreadPoolExecutor(3) as threads:
            writers = [
                threads.submit(write_by_git, repo, model, who, oid, rounds, stop)
                for who in ("git-a", "git-b")
            ]
            writers.append(threads.submit(age_locks_of_the_dead, directory, stop))
            try:
                time.sleep(ROUND)
                if rounds % 2:
                    handle.kill()
            finally:
                until.touch()
                stop.set()
            said, complaint = operator.communicate(timeout=120)
            assert operator.returncode == 0, complaint.decode()
            changed, complaint = handle.communicate(timeout=120)
            assert rounds % 2 or handle.returncode == 0, complaint.decode()
            for writer in writers:
                writer.result(120)
        events = [json.loads(line) for line in said.splitlines()]
        for event in events:
            assert "wrong" not in event, event
            answer = f"{event['verb']} {event['code']}"
            verbs[answer] = verbs.get(answer, 0) + 1
            if event.get("ref"):
                model.tell(event["ref"], event["is"])
        events.append({"handle": changed.decode()})
        for line in changed.decode().splitlines():
            name, state = line.split()
            model.tell(name, state)
        check(repo, model, events)
        rounds += 1
    print(f"\n{rounds} rounds, {model.commits} answers, {dict(sorted(verbs.items()))}", end=" ")  # noqa: T201


def check(repo: Repository, model: Model, events: list[dict[str, object]]) -> None:
    """Nothing is missing, nothing is back, and what the dead have left is cleared away by our own verbs."""
    directory = repo.reftable
    with Stack.open(directory, read_only=True) as stack:
        model.settle({name.decode() for name in engine_view(stack).refs}, events)
        assert engine_view(stack) == git_view(repo)
    assert all((directory / name).exists() for name in listed(directory))
    for path in directory.iterdir():
        os.utime(path, (time.time() - HOUR,) * 2)
    for _ in range(2):  # under a lock, nothing can be said about other files
        ok("repair", "--apply", directory)
    ok("fsck", directory)
    assert faults(directory) == []
    with Stack.open(directory, read_only=True) as stack:
        assert engine_view(stack) == git_view(repo)
