"""`Refs` gives the answers of git: from each worktree, for every kind of name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import Refs, find_repository
from engine.format import is_root_ref
from tests.support.git import Git, Repository

_NAMES = (
    "HEAD", "@", "main", "heads/main", "refs/heads/main", "topic", "tags/topic", "v1", "refs/tags/v1",
    "origin", "origin/main", "remotes/origin", "origin/HEAD", "refs/remotes/origin/HEAD", "ORIG_HEAD",
    "BISECT_HEAD", "bisect/bad", "refs/bisect/bad", "refs/worktree/mine", "worktree/mine",
    "refs/rewritten/one", "loop", "refs/heads/loop", "dangling", "deep1", "deep2", "deep5",
    "main-worktree/HEAD", "main-worktree/refs/bisect/bad", "main-worktree/refs/heads/main",
    "worktrees/side/HEAD", "worktrees/side/refs/worktree/mine", "worktrees/side/refs/heads/main",
    "worktrees/none/HEAD", "worktrees/side", "odd/größe", "nothing", "HEAD/x", "both", "refs/heads/both",
    "heads/both", "stash",
)  # fmt: skip


@pytest.fixture(scope="module", params=["sha1", "sha256"])
def places(
    request: pytest.FixtureRequest, git: Git, tmp_path_factory: pytest.TempPathFactory
) -> list[Repository]:
    """A repository with all kinds of refs: seen from its main worktree, and from two linked ones."""
    parent = tmp_path_factory.mktemp("refs")
    repo = git.init(parent / "repo", request.param)
    for number in range(4):
        repo.commit(f"commit {number}", date=f"{1_700_000_000 + 100 * number} +0000")
    repo.branch("topic", "HEAD~1")
    repo.tag("v1", "HEAD~2")
    repo.tag("topic", "HEAD~3")
    repo.branch("odd/größe")
    for name in ("heads", "tags", "remotes"):
        repo.git("update-ref", f"refs/{name}/both", "HEAD~1")
    repo.git("update-ref", "refs/remotes/origin/main", "HEAD")
    repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    repo.git("symbolic-ref", "refs/heads/dangling", "refs/heads/nowhere")
    repo.git("symbolic-ref", "refs/heads/deep5", "refs/heads/main")
    for number in range(5, 1, -1):
        repo.git("symbolic-ref", f"refs/heads/deep{number - 1}", f"refs/heads/deep{number}")
    repo.git("symbolic-ref", "refs/heads/loop", "refs/heads/pool")
    repo.git("symbolic-ref", "refs/heads/pool", "refs/heads/loop")
    repo.git("worktree", "add", "-q", "-b", "side", str(parent / "side"), "HEAD~1")
    repo.git("worktree", "add", "-q", "--detach", str(parent / "loose"), "HEAD~2")
    seen = [
        Repository(git, place, repo.git_dir, {}) for place in (repo.path, parent / "side", parent / "loose")
    ]
    for number, place in enumerate(seen):
        for name in (
            "refs/bisect/bad",
            "refs/worktree/mine",
            "refs/rewritten/one",
            "ORIG_HEAD",
            "BISECT_HEAD",
        ):
            place.git("update-ref", name, f"HEAD~{number % 2}")
        place.commit(f"in place {number}", date=f"{1_700_001_000 + number} +0000")
    return seen


@pytest.fixture(params=[0, 1, 2], ids=["main", "branch", "detached"])
def place(request: pytest.FixtureRequest, places: list[Repository]) -> Repository:
    return places[request.param]


@pytest.fixture
def refs(place: Repository) -> Iterator[Refs]:
    with find_repository(place.path).refs() as refs:
        yield refs


def _asked(place: Repository, *arguments: str) -> str | None:
    done = place.git("rev-parse", "--verify", "-q", *arguments, "--", check=False)
    return done.stdout.decode().strip() or None


def _hex(oid: bytes | None) -> str | None:
    return None if oid is None else oid.hex()


def test_the_refs_below_a_prefix_are_those_of_the_worktree_and_the_shared_ones(
    place: Repository, refs: Refs
) -> None:
    listed = {
        record.name: refs.resolve(record.name).name if record.target else record.value
        for record in refs.under()
        if (record.name.startswith(b"refs/") or is_root_ref(record.name))
        and refs.resolve(record.name).oid is not None
    }
    assert listed == {name: ref.target or ref.value for name, ref in place.refs(root=True).items()}
    heads = [record.name for record in refs.under(b"refs/heads/t")]
    assert heads == [name for name in place.refs("refs/heads/") if name.startswith(b"refs/heads/t")]
    names = [record.name for record in refs]
    assert names == sorted(set(names))


def test_a_name_means_what_git_takes_it_for(place: Repository, refs: Refs) -> None:
    for name in _NAMES:
        full = refs.full_name(name.encode())
        oid = None if full is None else refs.resolve(full).oid
        assert _hex(oid) == _asked(place, name), name
        said = place.git("rev-parse", "--symbolic-full-name", name, check=False).stdout.decode().strip()
        if oid is not None and said:  # it says nothing where two refs could be meant
            assert full == said.encode(), name


def test_the_short_name_is_the_one_that_git_shows(place: Repository, refs: Refs) -> None:
    for warns in ("true", "false"):
        listed = place.git(
            "-c", f"core.warnAmbiguousRefs={warns}", "for-each-ref", "--format=%(refname) %(refname:short)"
        )
        said = dict(line.split(b" ") for line in listed.stdout.splitlines())
        assert {name: refs.short_name(name, strict=warns == "true") for name in said} == said


@pytest.mark.parametrize(
    "name", ["HEAD", "refs/heads/main", "refs/heads/side", "refs/heads/topic", "worktrees/side/HEAD"]
)
def test_an_earlier_value_is_the_one_of_git(name: str, place: Repository, refs: Refs) -> None:
    entries = [*refs.reflog(name.encode())]
    assert entries
    for number in range(len(entries) + 3):
        assert _hex(refs.nth(name.encode(), number)) == _asked(place, f"{name}@{{{number}}}"), number
    times = {entry.time for entry in entries}
    for when in sorted({other for time in times for other in (time - 1, time, time + 1)}):
        assert _hex(refs.at(name.encode(), when)) == _asked(place, f"{name}@{{{when}}}"), when


def test_the_reflog_is_that_of_the_place_where_the_ref_is(place: Repository, refs: Refs) -> None:
    for name in ("HEAD", "refs/heads/side", "main-worktree/HEAD"):
        found = [(entry.new, entry.message) for entry in refs.reflog(name.encode())]
        assert found == [(log.new, log.message + b"\n") for log in place.reflog(name)]


def test_the_current_branch_is_the_one_that_head_names(place: Repository, refs: Refs) -> None:
    said = place.git("branch", "--show-current").stdout.strip()
    assert refs.current_branch() == (b"refs/heads/" + said if said else None)


def test_an_unborn_head_has_a_branch_and_no_id(repo: Repository) -> None:
    with find_repository(repo.path).refs() as refs:
        assert refs.current_branch() == b"refs/heads/main"
        head = refs.resolve(b"HEAD")
        assert (head.name, head.oid, head.end, head.is_symref) == (b"refs/heads/main", None, "missing", True)
        assert refs.full_name(b"HEAD") is None


def test_a_circle_ends_and_says_so(places: list[Repository]) -> None:
    with find_repository(places[0].path).refs() as refs:
        found = refs.resolve(b"refs/heads/loop")
    assert (found.oid, found.end, found.chain[:3]) == (
        None,
        "endless",
        (b"refs/heads/loop", b"refs/heads/pool", b"refs/heads/loop"),
    )


def test_watching_tells_what_changes_in_both_stacks_once(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    side = Repository(git, tmp_path / "side", repo.git_dir, {})
    steps = iter(
        [
            lambda: None,
            lambda: side.git("update-ref", "refs/heads/new", "HEAD"),
            lambda: side.git("update-ref", "refs/worktree/mine", "HEAD"),
            lambda: repo.git("update-ref", "refs/worktree/theirs", "HEAD"),
            lambda: repo.git("pack-refs", "--all"),
            lambda: side.git("update-ref", "-d", "refs/heads/new"),
        ]
    )
    with find_repository(side.path).refs() as refs:
        watched = refs.watch(sleep=lambda _seconds: next(steps)())
        told = []
        with pytest.raises(RuntimeError):  # no step is left
            told.extend((change.name, change.kind) for changes in watched for change in changes)
    assert told == [
        (b"refs/heads/new", "created"),
        (b"refs/worktree/mine", "created"),
        (b"refs/heads/new", "deleted"),
    ]
