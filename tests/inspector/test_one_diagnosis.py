"""The verb fsck and the Health tab tell the same of a stack: findings, words, order of severity, counts."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.fsck import Severity
from engine.readable import open_readable
from engine.stack import StackOptions, unlisted_files
from inspector.demo import build_damaged_demo, build_demo
from inspector.model import Health, StackView, diagnose, findings_at_hand
from tests.engine.fsck.test_causes import FAULTS_BY_HAND, build
from tests.support.cli import run

Told = tuple[str, str, str, int | None, str, int, str | None]


def on_screen(directory: Path) -> Health:
    """What the Health tab knows when a check is done, told in small pieces."""
    options, now = StackOptions(), time.time()
    known = Health()
    with open_readable(directory, options) as stack:
        view = StackView(stack)
        beside = unlisted_files(directory, now, [table.name for table in view.tables])
        at_hand = findings_at_hand(view.tables, view.suggested, view.options.policy, beside)
        known.show(view.tables, at_hand, [file.name for file in beside])
        for finding in diagnose(directory, options, None, now):
            known.add([finding])
    return known


def differences(directory: Path) -> list[Any]:
    """What one of the two tells and the other does not, and counts that differ."""
    known = on_screen(directory)
    shown = Counter(
        (
            one.severity,
            one.code,
            one.file,
            one.offset,
            one.message,
            one.at_stake,
            one.cause and one.cause.code,
        )
        for one in known.findings()
    )
    lines = run("fsck", "--json", directory).objects
    printed = Counter(
        (
            *(Severity(one["severity"]), one["code"], one["table"], one["offset"], one["message"]),
            *(one["at_stake"], one["cause"] and one["cause"]["code"]),
        )
        for one in lines
    )
    found: list[Any] = [*(shown - printed), *(printed - shown)]
    words = run("fsck", directory).err
    counts = known.counts()
    for number, noun in ((counts.errors, "error"), (counts.warnings, "warning"), (counts.notes, "note")):
        if f"{number} {noun}" not in words:
            found.append((number, noun, words))
    roots = [one.severity.rank for one in known.findings() if one.cause is None]
    return found if roots == sorted(roots) else [*found, roots]


@pytest.mark.parametrize("fault", FAULTS_BY_HAND)
def test_a_damaged_stack_has_one_diagnosis(tmp_path: Path, fault: str) -> None:
    names = build(tmp_path / "stack")
    FAULTS_BY_HAND[fault][0](tmp_path / "stack", names)
    assert differences(tmp_path / "stack") == []


@pytest.mark.parametrize("demo", [build_demo, build_damaged_demo])
def test_a_demo_has_one_diagnosis(tmp_path: Path, demo: Callable[[Path], object]) -> None:
    demo(tmp_path)
    if demo is build_damaged_demo:  # whose lock is hours old: so are its other files
        for path in tmp_path.iterdir():
            os.utime(path, (0, 0))
    assert differences(tmp_path) == []
