"""The suite's fixtures, its hypothesis profiles, and the rule that nothing skips in CI."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest

from engine.format import compiled
from tests.support.git import Git, GitNotFoundError, Repository, find_git
from tests.support.thinning import ALL, WITH_GIT

# The default draws the same examples on every run, and takes no notice of a busy machine. `all` draws more of
# them, and `thorough` still more, and others each time.
hypothesis.settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    max_examples=20,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("all", hypothesis.settings.get_profile("default"), max_examples=60)
hypothesis.settings.register_profile(
    "thorough",
    hypothesis.settings.get_profile("default"),
    derandomize=False,
    max_examples=5000,
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "all" if ALL else "default"))

_IS_SECOND_WORKER = os.environ.get("PYTEST_XDIST_WORKER") == "gw1"
_NOTHING_SKIPS = os.environ.get("CI") == "true" or os.environ.get("REFTABLE_NO_SKIP") == "1"


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    # An expected failure is reported as skipped too, but it did run.
    if _NOTHING_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} skips, and nothing may skip in CI: {reason}"


# Outermost, so that the verdicts of pytest's own hooks (skip marks, xfail) are in.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_skipped(report)
    # In a fresh clone all tests have to be compiled. Each worker collects them all; the second one begins at
    # the end and meets the first in the middle, so that neither compiles what the other has.
    if _IS_SECOND_WORKER and isinstance(collector, pytest.Directory) and _is_whole_suite(collector.config):
        report.result.reverse()
    return report


def _is_whole_suite(config: pytest.Config) -> bool:
    return config.args == config.getini("testpaths")


def _needs_git(item: pytest.Item) -> bool:
    return "git" in getattr(item, "fixturenames", ())


@cache
def _names_git(path: Path) -> bool:
    """Whether a file names what its tests that need a git are given."""
    return re.search(r"\b(Git|Repository)\b", path.read_text("utf-8")) is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    # Where those alone are run, to import all others would take longer than many of them.
    is_test = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return True if WITH_GIT and is_test and not _names_git(collection_path) else None


def _is_asked_for(item: pytest.Item) -> bool:
    if WITH_GIT and not _needs_git(item):
        return False
    if compiled and item.get_closest_marker("interpreted") is not None:
        return False
    return ALL or item.get_closest_marker("whole") is None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if _needs_git(item) and not _names_git(item.path):
            raise pytest.UsageError(f"REFTABLE_TESTS=git would miss {item.nodeid}: its file has to name Git")
    left_out = [item for item in items if not _is_asked_for(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _is_asked_for(item)]
    if _is_whole_suite(config):
        items.sort(key=lambda item: item.path)  # the same order for all workers


_MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a private directory in it
_ROOM = 2 << 30
"""Bytes that a whole run may take of it, with all that is left of failed tests."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Have the tests' files lie in memory, unless TMPDIR says where: a disk costs a fifth of all the time."""
    if "TMPDIR" not in os.environ and _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK):
        # In a container it is often small, and programs may not be run from it.
        runs = not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
        if runs and shutil.disk_usage(_MEMORY).free > _ROOM:
            os.environ["TMPDIR"] = str(_MEMORY)  # for the workers, and for what tests start
            tempfile.tempdir = None


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Have processes start with the default for SIGINT, even where it is ignored, as in a background job."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def git(tmp_path_factory: pytest.TempPathFactory) -> Git:
    """A git that knows reftables, in an environment of its own."""
    try:
        program = find_git()
    except GitNotFoundError as error:
        pytest.skip(str(error))
    return Git(program, tmp_path_factory.mktemp("home"))


@pytest.fixture
def repo(git: Git, tmp_path: Path) -> Repository:
    """An empty reftable repository of real git."""
    return git.init(tmp_path / "repo")
