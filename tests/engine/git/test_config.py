"""git's configuration files: the reader that stands in for git agrees with it, and never gives up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st

from engine.errors import RepositoryError
from engine.git.config import GitConfig, parse_config
from tests.support.git import Git

PIECES = st.sampled_from(
    [
        *("[core]", "[Core]", '[remote "a B"]', '[x "q\\"\\\\"]', "[a.B]", "[", "]"),
        *("key", "Bare", "x-1", "=", " = ", "value", " ", "\t", "\n", "\n", "\n", "\r\n"),
        *('"', '""', "\\", "\\n", "\\t", '\\"', "\\\\", "\\\n", "\\x"),
        *("#", ";", "# note\n", "é", "0", ".", "\ufeff"),
    ]
)


def said_by_git(git: Git, path: Path) -> dict[str, str | None] | None:
    done = git.run("config", "--no-includes", "--file", path, "--null", "--list", check=False)
    if done.returncode:
        return None
    entries = [entry.partition("\n") for entry in done.stdout.decode().split("\0")[:-1]]
    return {key: value if assigned else None for key, assigned, value in entries}


@given(text=st.lists(PIECES, max_size=25).map("".join))
@example(text="[core]\n\tbare = true # note\n[Extensions]\n\tRefStorage = reftable\n")
@example(text='[a] b = x  "  y  "  z  ; note\n c = "#;" # "\n d\ne= \\\n f')
@example(text="[a]\nb = \r\nc = 1\r\n")
@example(text='[a "sub.Section"]\nB = "x\\ty\\"\\\\"\n')
@example(text="[a]\nb = x \\\n  y")
def test_parse_config_agrees_with_git(git: Git, tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("config") / "config"
    path.write_bytes(text.encode())
    expected = said_by_git(git, path)
    found = parse_config(text.encode())
    if expected is not None:
        assert found == expected


@given(
    data=st.binary(max_size=200) | st.lists(PIECES, max_size=25).map(lambda pieces: "".join(pieces).encode())
)
def test_parse_config_reads_any_bytes(data: bytes) -> None:
    assert all("\0" not in (value or "") for value in parse_config(data).values())


def test_parse_config_passes_over_lines_that_make_no_sense() -> None:
    data = b"=\n[core]\nx = 1\n[core\nbare = no\n"
    data += b'[extensions]\n???\nobjectFormat = "sha256\nrefStorage = reftable\nx = \\q\n'
    assert parse_config(data) == {"core.x": "1", "extensions.refstorage": "reftable"}


def test_parse_config_keeps_bytes_that_are_no_utf_8() -> None:
    assert parse_config(b"[core]\nworktree = /\xff\n") == {"core.worktree": "/\udcff"}


@pytest.mark.parametrize("value", ["true", "yes", "on", "TRUE", "1", "-1", "1k", None])
def test_flag_is_true(value: str | None) -> None:
    assert GitConfig({"a.b": value}).flag("a.b", False) is True


@pytest.mark.parametrize("value", ["false", "no", "off", "No", "0", ""])
def test_flag_is_false(value: str) -> None:
    assert GitConfig({"a.b": value}).flag("a.b", True) is False


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("10", 10),
        ("0", 0),
        ("1k", 1024),
        ("2M", 2 << 20),
        ("1g", 1 << 30),
        ("0x10", 16),
        ("010", 8),
        ("+5", 5),
    ],
)
def test_number_is_read_as_git_reads_it(git: Git, value: str, expected: int) -> None:
    assert GitConfig({"a.b": value}).number("a.b", 7, 0, 2**40) == expected
    said = git.run("-c", f"a.b={value}", "config", "--type=int", "a.b").stdout
    assert int(said) == expected


def test_values_that_are_not_set_have_their_defaults() -> None:
    config = GitConfig({})
    assert config.number("a.b", 7, 0, 10) == 7
    assert config.flag("a.b", True) is True
    assert config.flag("a.b", False) is False
    assert config.text("a.b") is None


@pytest.mark.parametrize("value", ["", "x", "1x", "08", "11", "-1", "1 k", "9" * 5000, None])
def test_number_refuses_what_is_none_or_out_of_range(value: str | None) -> None:
    with pytest.raises(
        RepositoryError, match=r"reftable\.blocksize (is|has no value).* from 0 to 10; `git config"
    ):
        GitConfig({"reftable.blocksize": value}).number("reftable.blocksize", 7, 0, 10)


def test_flag_refuses_what_is_neither_true_nor_false() -> None:
    with pytest.raises(RepositoryError, match=r"core\.bare is 'maybe'"):
        GitConfig({"core.bare": "maybe"}).flag("core.bare", True)
