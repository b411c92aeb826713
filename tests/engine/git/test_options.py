"""The options that git's configuration asks for, against what a real git does with the same configuration."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from engine.errors import RepositoryError
from engine.format import HashId
from engine.git.config import GitConfig
from engine.git.repository import Repository
from engine.stack import StackOptions
from tests.support.git import Git


def repository(values: Mapping[str, str | None], *, bare: bool = False) -> Repository:
    return Repository(Path(), bare, Path(), Path(), None, (), GitConfig(values), None)


@pytest.fixture
def umask() -> Iterator[int]:
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def test_stack_options_are_gits_defaults_where_nothing_is_set() -> None:
    assert repository({}).stack_options() == StackOptions(
        hash_id=HashId.SHA1,
        block_size=4096,
        restart_interval=16,
        skip_index_objects=False,
        policy="geometric",
        factor=2,
        lock_timeout_ms=100,
        default_permissions=None,
    )


def test_stack_options_take_every_setting() -> None:
    asked = repository(
        {
            "extensions.objectformat": "sha256",
            "reftable.blocksize": "8k",
            "reftable.restartinterval": "65535",
            "reftable.indexobjects": "false",
            "reftable.geometricfactor": "255",
            "reftable.locktimeout": "-1",
            "core.sharedrepository": "0640",
        }
    )
    assert asked.stack_options() == StackOptions(
        hash_id=HashId.SHA256,
        block_size=8192,
        restart_interval=65535,
        skip_index_objects=True,
        policy="geometric",
        factor=255,
        lock_timeout_ms=-1,
        default_permissions=0o640,
    )


def test_stack_options_take_a_zero_for_the_default() -> None:
    asked = repository(
        {"reftable.blocksize": "0", "reftable.restartinterval": "0", "reftable.geometricfactor": "0"}
    )
    assert asked.stack_options() == repository({}).stack_options()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("reftable.blocksize", "16777216"),
        ("reftable.blocksize", "-1"),
        ("reftable.restartinterval", "65536"),
        ("reftable.geometricfactor", "256"),
        ("reftable.locktimeout", "-2"),
        ("reftable.locktimeout", "soon"),
        ("reftable.indexobjects", "perhaps"),
        ("core.sharedrepository", "0060"),
        ("core.sharedrepository", "everyone"),
        ("extensions.objectformat", "md5"),
    ],
)
def test_stack_options_refuse_what_git_refuses(git: Git, tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(RepositoryError, match=f"(?i){key}"):
        repository({key: value}).stack_options()
    repo = git.init(tmp_path / "repo")
    repo.commit()
    repo.git("config", "--file", repo.git_dir / "config", key, value)
    assert repo.git("update-ref", "refs/heads/x", "HEAD", check=False).returncode != 0


def test_hash_id_is_sha1_where_nothing_is_set() -> None:
    assert repository({}).hash_id is HashId.SHA1
    assert repository({"extensions.objectformat": "sha1"}).hash_id is HashId.SHA1
    assert repository({"extensions.objectformat": "sha256"}).hash_id is HashId.SHA256


@pytest.mark.parametrize(
    "value",
    ["umask", "group", "all", "world", "everybody", "true", "yes", "false", "0", "1", "2", "0640", "0777"],
)
def test_permissions_are_those_that_git_gives_its_tables(
    git: Git, tmp_path: Path, umask: int, value: str
) -> None:
    repo = git.init(tmp_path / "repo", config={"core.sharedRepository": value})
    repo.commit()
    by_git = {stat.S_IMODE(path.stat().st_mode) for path in repo.reftable.iterdir()}
    ours = repository({"core.sharedrepository": value}).stack_options().default_permissions
    assert by_git == {0o666 & ~umask if ours is None else ours}


def test_permissions_of_a_key_without_value_are_the_groups(umask: int) -> None:
    ours = repository({"core.sharedrepository": None}).stack_options().default_permissions
    assert ours == 0o666 & ~umask | 0o660


def test_asking_for_permissions_leaves_the_umask_as_it_was(umask: int) -> None:
    repository({"core.sharedrepository": "group"}).stack_options()
    assert os.umask(umask) == umask


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("setting", [None, "true", "false", "always", "Always"])
def test_reflogs_begin_where_git_begins_them(
    git: Git, tmp_path: Path, setting: str | None, bare: bool
) -> None:
    repo = git.init(tmp_path / "repo", bare=bare)
    repo.git("config", "--unset", "core.logAllRefUpdates", check=False)
    if setting is not None:
        repo.git("config", "core.logAllRefUpdates", setting)
    asked = repository({} if setting is None else {"core.logallrefupdates": setting}, bare=bare)
    tree = repo.git("hash-object", "-t", "tree", "-w", "--stdin").stdout.strip()
    commit = repo.git("commit-tree", "-m", "x", tree).stdout.strip()
    for name in (
        b"HEAD",
        b"refs/heads/x",
        b"refs/remotes/o/x",
        b"refs/notes/x",
        b"refs/tags/x",
        b"refs/headsx",
    ):
        repo.git("update-ref", "-m", "made", "--no-deref", name, commit)
        begun = repo.git("reflog", "exists", name, check=False).returncode == 0
        assert asked.autocreates_reflog(name) == begun, name
