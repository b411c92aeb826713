"""From any path to the stacks behind it, in repositories that real git made."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.errors import RepositoryError
from engine.format import HashId
from engine.git import Repository, StackLocation, find_repository
from engine.git.committer import plain_committer
from engine.git.program import GitProgram, ObjectInfo
from engine.stack import StackOptions
from engine.update import Identity
from tests.support import git as real
from tests.support.environment import enter_environment_of
from tests.support.git import EMAIL, NAME, Git


@pytest.fixture(autouse=True)
def git_environment(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that git programs of the engine inherit."""
    enter_environment_of(git, monkeypatch)


@pytest.fixture(params=["git", None], ids=["with-git", "without-git"])
def program(request: pytest.FixtureRequest) -> str | None:
    """The answers are the same, whether there is a git to ask or not."""
    chosen: str | None = request.param
    return chosen


def kind_of(found: Repository) -> str:
    if found.git_dir is None:
        assert found.common_dir is found.worktree is None
        return "plain directory"
    if found.is_bare:
        assert found.worktree is None
        return "bare repository"
    return "work tree" if found.git_dir == found.common_dir else "linked worktree"


def location(found: Repository) -> tuple[str, Path | None, Path | None, Path | None, Path]:
    return kind_of(found), found.git_dir, found.common_dir, found.worktree, found.current.directory


def refused(path: str | os.PathLike[str], program: str | None = "git") -> str:
    with pytest.raises(RepositoryError) as caught:
        find_repository(path, program)
    return str(caught.value)


# --- One repository


@pytest.mark.parametrize(
    "typed", ["", "src/deep", ".git", ".git/objects", ".git/reftable", "src/..", "link", "link/deep"]
)
def test_every_path_in_a_work_tree_finds_its_stack(
    repo: real.Repository, program: str | None, typed: str
) -> None:
    (repo.path / "src" / "deep").mkdir(parents=True)
    (repo.path / "link").symlink_to(repo.path / "src")
    found = find_repository(repo.path / typed, program)
    assert location(found) == ("work tree", repo.git_dir, repo.git_dir, repo.path, repo.reftable)
    assert found.stacks == (StackLocation("main", repo.reftable, is_current=True),)
    assert found.path == repo.path / typed
    assert found.hash_id is HashId.SHA1
    assert not found.is_bare


def test_a_relative_path_is_found_from_the_current_directory(
    repo: real.Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo.git_dir)
    assert find_repository(".").git_dir == repo.git_dir
    assert find_repository("..").worktree == repo.path
    assert find_repository("reftable").current.directory == repo.reftable


@pytest.mark.parametrize("typed", ["", "objects/info", "reftable"])
def test_every_path_in_a_bare_repository_finds_its_stack(
    git: Git, tmp_path: Path, program: str | None, typed: str
) -> None:
    repo = git.init(tmp_path / "bare.git", bare=True)
    found = find_repository(repo.path / typed, program)
    assert location(found) == ("bare repository", repo.path, repo.path, None, repo.reftable)
    assert found.is_bare


def test_a_sha256_repository_is_known_by_its_configuration(
    git: Git, tmp_path: Path, program: str | None
) -> None:
    repo = git.init(tmp_path / "repo", "sha256")
    found = find_repository(repo.path, program)
    assert found.hash_id is HashId.SHA256
    assert found.stack_options().hash_id is HashId.SHA256


def test_the_git_directory_may_lie_elsewhere(git: Git, tmp_path: Path, program: str | None) -> None:
    git.run(
        "init", "-q", "--ref-format=reftable", "--separate-git-dir", tmp_path / "store", tmp_path / "work"
    )
    for typed in (tmp_path / "work", tmp_path / "work" / ".git"):
        assert location(find_repository(typed, program)) == (
            "work tree",
            tmp_path / "store",
            tmp_path / "store",
            tmp_path / "work",
            tmp_path / "store" / "reftable",
        )


def test_a_submodule_has_a_stack_of_its_own(
    git: Git, repo: real.Repository, tmp_path: Path, program: str | None
) -> None:
    library = git.init(tmp_path / "library")
    library.commit()
    module = repo.git_dir / "modules" / "sub"
    module.parent.mkdir()
    repo.git("clone", "-q", "--separate-git-dir", module, library.path, "sub")
    repo.git("-C", "sub", "config", "core.worktree", "../../../sub")  # as `git submodule add` does
    for typed in (repo.path / "sub", repo.path / "sub" / ".git", module, module / "reftable"):
        assert location(find_repository(typed, program)) == (
            "work tree",
            module,
            module,
            repo.path / "sub",
            module / "reftable",
        )


def test_a_git_file_may_lead_to_a_bare_repository(git: Git, tmp_path: Path, program: str | None) -> None:
    repo = git.init(tmp_path / "project" / ".bare", bare=True)
    (tmp_path / "project" / ".git").write_text("gitdir: ./.bare\n")
    found = find_repository(tmp_path / "project", program)
    assert location(found) == ("bare repository", repo.path, repo.path, None, repo.reftable)


# --- Linked worktrees


def test_every_path_of_a_linked_worktree_finds_its_own_stack(
    repo: real.Repository, tmp_path: Path, program: str | None
) -> None:
    repo.commit()
    repo.git("worktree", "add", "-q", tmp_path / "linked")
    repo.git("worktree", "add", "-q", tmp_path / "other")
    own = repo.git_dir / "worktrees" / "linked"
    for typed in (tmp_path / "linked", tmp_path / "linked" / ".git", own, own / "reftable"):
        found = find_repository(typed, program)
        assert location(found) == (
            "linked worktree",
            own,
            repo.git_dir,
            tmp_path / "linked",
            own / "reftable",
        )
        assert found.stacks == (
            StackLocation("main", repo.reftable, is_current=False),
            StackLocation("linked", own / "reftable", is_current=True),
            StackLocation("other", repo.git_dir / "worktrees" / "other" / "reftable", is_current=False),
        )


def test_the_main_worktree_knows_the_stacks_of_the_linked_ones(
    repo: real.Repository, tmp_path: Path, program: str | None
) -> None:
    repo.commit()
    repo.git("worktree", "add", "-q", tmp_path / "linked")
    for typed in (repo.path, repo.git_dir, repo.reftable):
        found = find_repository(typed, program)
        assert [(stack.name, stack.is_current) for stack in found.stacks] == [
            ("main", True),
            ("linked", False),
        ]
        assert kind_of(found) == "work tree"


def test_a_worktree_called_main_is_told_from_the_main_stack(
    repo: real.Repository, tmp_path: Path, program: str | None
) -> None:
    repo.commit()
    repo.git("worktree", "add", "-q", "-b", "topic", tmp_path / "main")
    found = find_repository(tmp_path / "main", program)
    assert [stack.name for stack in found.stacks] == ["main", "worktrees/main"]
    assert found.current.name == "worktrees/main"


def test_a_worktree_of_a_bare_repository_is_not_bare(git: Git, tmp_path: Path, program: str | None) -> None:
    bare = git.init(tmp_path / "bare.git", bare=True)
    tree = bare.git("hash-object", "-t", "tree", "-w", "--stdin").stdout.strip()
    commit = bare.git("commit-tree", "-m", "x", tree).stdout.strip()
    bare.git("update-ref", "refs/heads/main", commit)
    bare.git("worktree", "add", "-q", tmp_path / "linked", "main")
    assert kind_of(find_repository(tmp_path / "linked", program)) == "linked worktree"
    assert kind_of(find_repository(bare.path, program)) == "bare repository"


def test_the_configuration_of_a_worktree_counts(
    repo: real.Repository, tmp_path: Path, program: str | None
) -> None:
    repo.commit()
    repo.git("worktree", "add", "-q", tmp_path / "linked")
    repo.git("config", "extensions.worktreeConfig", "true")
    repo.git("-C", tmp_path / "linked", "config", "--worktree", "reftable.blockSize", "512")
    assert find_repository(tmp_path / "linked", program).stack_options().block_size == 512
    assert find_repository(repo.path, program).stack_options().block_size == 4096


# --- Directories that belong to no repository


def test_a_copied_stack_is_a_plain_directory(
    repo: real.Repository, tmp_path: Path, program: str | None
) -> None:
    repo.commit()
    copy = tmp_path / "copy"
    shutil.copytree(repo.reftable, copy)
    found = find_repository(copy, program)
    assert location(found) == ("plain directory", None, None, None, copy)
    assert found.stacks == (StackLocation("main", copy, is_current=True),)
    assert found.hash_id is None
    assert found.stack_options() == StackOptions()
    assert found.objects([bytes(20)]) == {}

    (copy / "tables.list").unlink()
    assert kind_of(find_repository(copy, program)) == "plain directory"


def test_a_stack_inside_a_work_tree_is_not_the_work_trees(repo: real.Repository, program: str | None) -> None:
    repo.commit()
    copy = repo.path / "evidence"
    shutil.copytree(repo.reftable, copy)
    assert location(find_repository(copy, program)) == ("plain directory", None, None, None, copy)


def test_an_empty_directory_is_a_stack_only_if_it_is_called_reftable(
    tmp_path: Path, program: str | None
) -> None:
    (tmp_path / "reftable").mkdir()
    (tmp_path / "other").mkdir()
    assert kind_of(find_repository(tmp_path / "reftable", program)) == "plain directory"
    assert "no git repository here or in a directory above" in refused(tmp_path / "other", program)


def test_a_source_directory_called_reftable_belongs_to_its_repository(
    repo: real.Repository, program: str | None
) -> None:
    sources = repo.path / "reftable"
    sources.mkdir()
    (sources / "stack.c").touch()
    (sources / "genome.ref").touch()
    assert find_repository(sources, program).current.directory == repo.reftable


# --- Repositories in trouble still open


def test_a_repository_that_lost_its_head_or_its_objects_is_found(
    repo: real.Repository, program: str | None
) -> None:
    (repo.git_dir / "HEAD").unlink()
    assert find_repository(repo.path, program).current.directory == repo.reftable
    shutil.rmtree(repo.git_dir / "objects")
    assert find_repository(repo.path, program).current.directory == repo.reftable


def test_a_broken_line_in_the_configuration_does_not_hide_the_rest(
    repo: real.Repository, program: str | None
) -> None:
    config = repo.git_dir / "config"
    config.write_bytes(b"[broken\n" + config.read_bytes())
    assert find_repository(repo.path, program).current.directory == repo.reftable


def test_a_git_that_refuses_the_repository_is_done_without(repo: real.Repository) -> None:
    commit = repo.commit()
    repo.git("config", "reftable.blockSize", "512")
    # To a git before 2.45, refStorage is such an extension.
    repo.git("config", "extensions.fromTheFuture", "true")
    found = find_repository(repo.path)
    assert found.current.directory == repo.reftable
    assert found.stack_options().block_size == 512
    assert found.objects([commit]) == {}


def test_a_repository_whose_head_says_so_has_reftables_whatever_its_configuration(
    repo: real.Repository, program: str | None
) -> None:
    """`git config unset extensions.refStorage`: git asks the files backend, and finds nothing."""
    assert find_repository(repo.path, program).states_reftables
    (repo.git_dir / "config").unlink()
    found = find_repository(repo.path, program)
    assert found.current.directory == repo.reftable
    assert not found.states_reftables


def test_the_stack_of_a_repository_without_configuration_is_reached_by_its_own_path(
    repo: real.Repository, program: str | None
) -> None:
    (repo.git_dir / "config").unlink()
    (repo.git_dir / "HEAD").write_text("ref: refs/heads/main\n")
    message = refused(repo.path, program)
    assert "uses the files backend" in message
    assert f"name '{repo.reftable}'" in message
    assert location(find_repository(repo.reftable, program)) == (
        "plain directory",
        None,
        None,
        None,
        repo.reftable,
    )


# --- Refs stored elsewhere


@pytest.mark.parametrize("relative", [False, True])
def test_ref_storage_may_name_a_place_for_the_stacks(
    repo: real.Repository, tmp_path: Path, program: str | None, relative: bool
) -> None:
    repo.commit()
    repo.git("worktree", "add", "-q", tmp_path / "linked")
    store = tmp_path / "store"
    (store / "worktrees" / "linked").mkdir(parents=True)
    repo.reftable.rename(store / "reftable")
    (repo.git_dir / "worktrees/linked/reftable").rename(store / "worktrees/linked/reftable")
    value = f"reftable://{'../../store' if relative else store}"
    repo.git("config", "--file", repo.git_dir / "config", "extensions.refStorage", value)
    for typed, current in (repo.path, "main"), (tmp_path / "linked", "linked"):
        found = find_repository(typed, program)
        assert {stack.name: stack.directory for stack in found.stacks} == {
            "main": store / "reftable",
            "linked": store / "worktrees" / "linked" / "reftable",
        }
        assert found.current.name == current


def test_the_environment_overrides_the_ref_storage(
    repo: real.Repository, tmp_path: Path, program: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "store" / "reftable").mkdir(parents=True)
    monkeypatch.setenv("GIT_REFERENCE_BACKEND", f"reftable://{tmp_path}/store")
    assert find_repository(repo.path, program).current.directory == tmp_path / "store" / "reftable"


# --- What git is asked through a repository


def test_stack_options_come_from_every_configuration_that_git_reads(
    repo: real.Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = tmp_path / "gitconfig"
    user.write_text("[reftable]\n\tblockSize = 1k\n\tgeometricFactor = 3\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(user))
    repo.git("config", "reftable.geometricFactor", "4")
    with_git, without = (find_repository(repo.path, program).stack_options() for program in ("git", None))
    assert (with_git.block_size, with_git.factor, with_git.policy) == (1024, 4, "geometric")
    assert (without.block_size, without.factor, without.policy) == (4096, 4, "geometric")


def test_a_bad_setting_does_not_keep_a_repository_from_being_found(
    repo: real.Repository, program: str | None
) -> None:
    repo.git("config", "reftable.blockSize", "huge")
    found = find_repository(repo.path, program)
    with pytest.raises(RepositoryError, match=r"reftable\.blocksize is 'huge'"):
        found.stack_options()


def test_objects_and_committer_are_asked_of_git(repo: real.Repository) -> None:
    commit = repo.commit()
    tag = repo.tag("v1")
    found = find_repository(repo.path)
    assert found.objects([tag, commit]) == {tag: ObjectInfo("tag", commit), commit: ObjectInfo("commit")}
    assert (found.committer().name, found.committer().email) == (NAME.encode(), EMAIL.encode())


@pytest.mark.parametrize(
    ("environment", "configured", "is_asked"),
    [
        ({}, {}, False),
        ({"NAME": "J\u00fcrgen \udcff O'X", "EMAIL": "j@[::1]"}, {"committer.name": "not this"}, False),
        ({"NAME": None}, {"user.name": "of the user"}, False),
        ({"NAME": None}, {"user.name": "of the user", "committer.name": "of the committer"}, False),
        ({"EMAIL": None}, {"user.email": "u@x", "committer.email": ""}, False),
        ({"NAME": "Jr."}, {}, True),
        ({"NAME": " two  words\t"}, {}, True),
        ({"NAME": "a <b>"}, {}, True),
        ({"EMAIL": "<a@b>"}, {}, True),
        ({"DATE": "1700000001 -0330"}, {}, True),
    ],
)
def test_the_committer_is_the_one_of_git_which_is_asked_where_a_name_or_a_date_is_not_plain(
    repo: real.Repository,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str | None],
    configured: dict[str, str],
    is_asked: bool,
) -> None:
    monkeypatch.delenv("GIT_COMMITTER_DATE", raising=False)
    for name, value in environment.items():
        if value is None:
            monkeypatch.delenv(f"GIT_COMMITTER_{name}")
        else:
            monkeypatch.setenv(f"GIT_COMMITTER_{name}", value)
    for key, value in configured.items():
        repo.git("config", key, value)
    found = find_repository(repo.path)
    program, git_dir = found.git, found.git_dir
    assert program is not None
    assert git_dir is not None
    wanted = program.committer(git_dir)
    assert wanted is not None
    asked: list[object] = []

    def committer(_: object, where: object) -> Identity:
        asked.append(where)
        return wanted

    monkeypatch.setattr(GitProgram, "committer", committer)
    known = found.committer()
    assert (known.name, known.email, known.tz) == (wanted.name, wanted.email, wanted.tz)
    assert 0 <= known.time - wanted.time < 100
    assert bool(asked) is is_asked


def test_no_committer_is_taken_for_plain_whose_name_git_refuses(
    repo: real.Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_COMMITTER_DATE", raising=False)
    repo.git("config", "user.name", "of the user")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "")
    found = find_repository(repo.path)
    assert plain_committer(found.config) is None


def test_without_git_no_object_is_known_and_the_committer_is_that_of_the_environment(
    repo: real.Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repo.commit()
    found = find_repository(repo.path, None)
    assert found.objects([commit]) == {}
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Somebody Else")
    assert found.committer().name == b"Somebody Else"


def test_reflogs_begin_by_the_repositorys_setting(git: Git, tmp_path: Path, program: str | None) -> None:
    work = find_repository(git.init(tmp_path / "work").path, program)
    bare = find_repository(git.init(tmp_path / "bare", bare=True).path, program)
    assert work.autocreates_reflog(b"refs/heads/main")
    assert not bare.autocreates_reflog(b"refs/heads/main")


# --- Paths without a stack behind them


def test_a_missing_path_is_told(tmp_path: Path, program: str | None) -> None:
    assert "there is no such file or directory" in refused(tmp_path / "missing", program)
    (tmp_path / "file").touch()
    assert "there is no such file or directory" in refused(tmp_path / "file" / "below", program)


def test_a_path_with_a_nul_is_told(program: str | None) -> None:
    assert "not a path" in refused("a\0b", program)


def test_a_files_repository_is_told_how_to_migrate(git: Git, tmp_path: Path, program: str | None) -> None:
    git.run("init", "-q", "--ref-format=files", tmp_path / "repo")
    for typed in (tmp_path / "repo", tmp_path / "repo" / ".git"):
        message = refused(typed, program)
        assert f"'{typed}': the repository '{tmp_path}/repo/.git' uses the files backend" in message
        assert message.endswith("`git refs migrate --ref-format=reftable` converts it")


def test_an_unknown_ref_storage_is_named(repo: real.Repository, program: str | None) -> None:
    repo.git("config", "--file", repo.git_dir / "config", "extensions.refStorage", "postgres://host")
    assert "keeps its refs in 'postgres', not in reftables" in refused(repo.path, program)


def test_an_unknown_hash_function_is_named(repo: real.Repository, program: str | None) -> None:
    repo.git("config", "--file", repo.git_dir / "config", "extensions.objectFormat", "md5")
    assert "extensions.objectFormat is 'md5'" in refused(repo.path, program)


def test_a_repository_without_its_reftable_directory_is_told(
    repo: real.Repository, program: str | None
) -> None:
    shutil.rmtree(repo.reftable)
    assert f"there is no directory '{repo.reftable}'" in refused(repo.path, program)


def test_a_worktree_without_its_reftable_directory_is_told_and_the_main_stack_still_found(
    repo: real.Repository, tmp_path: Path, program: str | None
) -> None:
    repo.commit()
    repo.git("worktree", "add", "-q", tmp_path / "linked")
    lost = repo.git_dir / "worktrees" / "linked" / "reftable"
    shutil.rmtree(lost)
    assert f"there is no directory '{lost}'" in refused(tmp_path / "linked", program)
    assert [stack.name for stack in find_repository(repo.path, program).stacks] == ["main", "linked"]


@pytest.mark.parametrize("content", [b"", b"some text\n", b"gitdir:x\n", b"\0" * 5000])
def test_a_file_that_is_no_git_file_is_told(tmp_path: Path, program: str | None, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert "a file, and no .git file" in refused(tmp_path / "file", program)


@pytest.mark.parametrize(
    "content",
    [b"gitdir: ", b"gitdir: \n", b"gitdir: a\0b\n", pytest.param(b"gitdir: " + b"a/" * 10**6, id="endless")],
)
def test_a_git_file_without_a_path_is_told(tmp_path: Path, program: str | None, content: bytes) -> None:
    (tmp_path / ".git").write_bytes(content)
    assert "what it points to is no path" in refused(tmp_path, program)


@pytest.mark.parametrize(
    "target", [b".git", b".", b"missing", b"\xff\x1b[31m", b"a" * 4000, b"loop", b"second"]
)
def test_a_git_file_that_leads_to_no_git_directory_is_told(
    tmp_path: Path, program: str | None, target: bytes
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "second").write_bytes(b"gitdir: .git\n")  # no chain of files is followed
    (tmp_path / ".git").write_bytes(b"gitdir: " + target + b"\n")
    message = refused(tmp_path, program)
    assert "which is no git directory" in message
    assert message.isprintable()


def test_a_common_directory_that_is_not_there_is_told(
    repo: real.Repository, tmp_path: Path, program: str | None
) -> None:
    repo.commit()
    repo.git("worktree", "add", "-q", tmp_path / "linked")
    commondir = repo.git_dir / "worktrees" / "linked" / "commondir"
    commondir.write_text("../missing\n")
    assert "which is no directory" in refused(tmp_path / "linked", program)
    # Its stack is there all the same.
    assert kind_of(find_repository(commondir.with_name("reftable"), program)) == "plain directory"


def test_a_pipe_is_not_read(tmp_path: Path, repo: real.Repository, program: str | None) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "neither a directory nor a regular file" in refused(tmp_path / "pipe", program)
    (repo.git_dir / "config").unlink()
    os.mkfifo(repo.git_dir / "config")
    found = find_repository(repo.path, program)
    assert not found.states_reftables
    assert found.git is None  # which would wait for each answer
    (repo.git_dir / "HEAD").unlink()
    os.mkfifo(repo.git_dir / "HEAD")
    assert "uses the files backend" in refused(repo.path, program)


@contextmanager
def no_privileges() -> Iterator[None]:
    """Permissions count: the tests may be run by root, to whom nothing is forbidden."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_git_directory_that_must_not_be_entered_is_an_os_error() -> None:
    with tempfile.TemporaryDirectory() as base:
        Path(base).chmod(0o755)
        git_dir = Path(base) / "repo" / ".git"
        git_dir.mkdir(parents=True)
        git_dir.chmod(0)
        with no_privileges(), pytest.raises(PermissionError, match=r"repo/\.git"):
            find_repository(git_dir.parent, None)
        git_dir.chmod(0o755)


def test_a_work_tree_that_can_be_entered_but_not_listed_is_found(git: Git) -> None:
    with tempfile.TemporaryDirectory() as base:
        Path(base).chmod(0o755)
        repo = git.init(Path(base).resolve() / "repo")
        repo.path.chmod(0o111)
        with no_privileges():
            assert find_repository(repo.path, None).current.directory == repo.reftable
        repo.path.chmod(0o755)


def test_a_loop_of_symbolic_links_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="loop"):
        find_repository(tmp_path / "loop")


def test_names_that_are_no_utf_8_are_found(git: Git, tmp_path: Path, program: str | None) -> None:
    path = tmp_path / os.fsdecode(b"re\xffpo\n")
    repo = git.init(path)
    assert location(find_repository(path, program)) == (
        "work tree",
        repo.git_dir,
        repo.git_dir,
        path,
        repo.reftable,
    )
