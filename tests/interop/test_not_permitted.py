"""A table that the user may not read is no damage: it is named, the others are read, none is set aside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.errors import in_words
from engine.format import HashId
from engine.fsck import Severity, by_cause, fsck
from engine.readable import open_readable, open_table
from engine.repair import plan_repair
from inspector.cli.opening import end_with_faults
from inspector.exit_codes import ExitCode
from tests.support.cli import run
from tests.support.git import Git, find_git
from tests.support.stacks import listed, make_stack

NOBODY = 65534
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="acts as two users, of which one is root"
)


@contextmanager
def unprivileged() -> Iterator[None]:
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def stack() -> Iterator[Path]:
    """Three tables of one branch each, the newest for root alone; not in `tmp_path`, which is, too."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        directory = Path(parent, "stack")
        make_stack(directory, 3)
        directory.chmod(0o755)
        for path in directory.iterdir():
            path.chmod(0o644)
        (directory / listed(directory)[2]).chmod(0o600)
        yield directory


def test_it_is_named_with_its_owner_and_what_to_do(stack: Path) -> None:
    with unprivileged():
        found = [one for one in fsck(stack) if one.severity is not Severity.INFO]
    ((one,),) = by_cause(found)
    assert (one.code, one.file, one.severity) == ("table-not-permitted", listed(stack)[2], Severity.ERROR)
    assert one.message.startswith("not readable by you: it belongs to root and has the mode 600; you are ")
    assert "chmod" in one.fixes[0]
    assert "sudo" in one.fixes[0]
    assert not one.fault.is_for_repair
    assert [one for one in fsck(stack) if one.severity is not Severity.INFO] == []


def test_the_other_tables_are_read_and_it_is_said_which_is_not(
    stack: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with unprivileged(), open_readable(stack) as opened:
        names = [ref.name for ref in opened.merged.refs()]
        faults = opened.damage_met()
    assert names == [b"refs/heads/branch-0000", b"refs/heads/branch-0001"]
    with pytest.raises(Exception):  # noqa: B017, PT011 - click's way to end with a code
        end_with_faults(faults)
    told = capfd.readouterr().err
    assert f"{listed(stack)[2]} (it belongs to root and has the mode 600; you are " in told
    assert "Errno" not in told


def test_a_repair_does_not_set_it_aside(stack: Path) -> None:
    with unprivileged(), pytest.raises(PermissionError) as raised:
        plan_repair(stack)
    assert "it belongs to root and has the mode 600" in in_words(raised.value)
    assert plan_repair(stack).is_noop


def test_neither_a_list_nor_an_orphan_is_rebuilt_or_called_damaged(
    stack: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The tables of a list that may not be read are shown all the same, and no number of an error is."""
    (stack / "tables.list").chmod(0o600)
    with unprivileged(), open_readable(stack) as opened:
        found = by_cause(one for one in fsck(stack) if one.severity is Severity.ERROR)
        faults = opened.damage_met()
        with pytest.raises(PermissionError):
            plan_repair(stack)
    assert [group[0].code for group in found] == ["list-not-permitted"]
    assert found[0][0].message.startswith("not readable by you: it belongs to root and has the mode 600")
    with pytest.raises(Exception):  # noqa: B017, PT011 - click's way to end with a code
        end_with_faults(faults)
    assert "Errno" not in capfd.readouterr().err


def test_layout_and_tables_do_not_call_it_no_table(stack: Path) -> None:
    """Nothing was read of it that could be wrong; how large it is, its directory tells."""
    name = listed(stack)[2]
    size = (stack / name).stat().st_size
    with unprivileged():
        laid_out, told = run("layout", stack), run("tables", "--json", stack)
        shown = open_table(str(stack / name), name, HashId.SHA1)
        with pytest.raises(PermissionError):
            shown.read(0, 1)
    assert laid_out.code == ExitCode.UNREADABLE
    assert f"{name}: {size} bytes" in laid_out.out.decode().splitlines()
    assert f"Permission denied: {stack / name} (it belongs to root and has the mode 600" in laid_out.err
    assert "not a reftable" not in laid_out.err
    assert told.objects[2]["size"] == size
    (stack / name).unlink()
    assert f"{name}: listed in tables.list, but there is no such file" in run("layout", stack).err


def test_an_anonymous_copy_without_a_file_that_may_not_be_read_is_not_whole(stack: Path) -> None:
    names, out = listed(stack), stack.parent / "out"
    out.mkdir()
    out.chmod(0o777)
    # What it imports, root alone may be able to read where the tests are.
    assert run("export", "--anonymize", stack, out / "whole").code == ExitCode.OK
    with unprivileged():
        done = run("export", "--anonymize", stack, out / "part")
    assert done.code == ExitCode.UNREADABLE
    assert f"{names[2]}: left out: Permission denied" in done.err
    assert {*names[:2], "tables.list"} == {path.name for path in (out / "part").iterdir()}
    stack.chmod(0o744)  # each file is seen, and none may be looked at
    with unprivileged():
        done = run("export", "--anonymize", stack, out / "none")
    assert done.code == ExitCode.UNREADABLE
    assert f"Permission denied: {stack}/" in done.err
    assert not (out / "none").exists()


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="there is no setpriv")
def test_git_sees_no_ref_and_says_nothing(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    without = "-dac_override,-dac_read_search"

    def refs() -> bytes:
        program = [find_git(), "-C", os.fspath(repo.path), "for-each-ref"]
        command = ["setpriv", f"--bounding-set={without}", f"--inh-caps={without}", *program]
        return subprocess.run(command, check=True, capture_output=True).stdout

    assert refs()
    (repo.reftable / listed(repo.reftable)[-1]).chmod(0)
    assert refs() == b""


def test_a_directory_that_may_not_be_entered_cannot_be_read_and_is_no_wrong_usage(stack: Path) -> None:
    stack.parent.chmod(0o700)
    child = os.fork()  # for click, the real user counts
    if child == 0:
        code = 70
        try:
            os.setuid(NOBODY)
            code = run("refs", stack.parent).code
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == ExitCode.UNREADABLE
