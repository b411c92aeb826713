"""What real git wrote, damaged in each way of a trial on real git, and repaired: git reads it again."""

from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

import pytest

from engine.export import doubtful_refs
from engine.format import LOG, REF, RefRecord
from engine.git import find_repository
from engine.readable import open_readable
from engine.repair import damages, plan_repair
from engine.snapshot import restore
from engine.table import Table
from inspector.text import log_counts, unknown_refs
from tests.engine.fsck.test_git_stacks import TRIAL, make_trial
from tests.support.cli import ok, run
from tests.support.findings import NOW, codes
from tests.support.git import Git, Repository
from tests.support.handmade import change_byte
from tests.support.history import Layout
from tests.support.objects import add_commits, add_tags
from tests.support.repairs import errors, mend, outcomes, refs, state
from tests.support.stacks import list_tables, listed
from tests.support.tables import stack_contents, stack_files, write_table


@pytest.fixture
def trial(git: Git, tmp_path: Path) -> Repository:
    """The repository of the trial."""
    return make_trial(git, tmp_path / "repo")


def only_table(repo: Repository) -> Path:
    return repo.reftable / listed(repo.reftable)[0]


def sees(repo: Repository) -> dict[bytes, bytes | None]:
    """Return the refs that git knows, whether or not it has the objects."""
    lines = repo.show_ref()
    return {name: bytes.fromhex(value.decode()) for value, name in (line.split(b" ") for line in lines)}


def known(directory: Path) -> dict[bytes, bytes | None]:
    """Return the refs that the stack shows, but for HEAD."""
    return {name: value for name, value in refs(directory).items() if name != b"HEAD"}


@pytest.mark.parametrize("damage", TRIAL)
def test_what_git_does_not_survive_is_repaired(trial: Repository, damage: str) -> None:
    before = sees(trial)
    assert len(before) == 201
    TRIAL[damage][0](only_table(trial))
    broken, (tables, others) = stack_files(trial.reftable), stack_contents(trial.reftable)
    plan_repair(trial.reftable, now=NOW)
    assert stack_files(trial.reftable) == broken, "a plan writes nothing"

    mended = mend(trial.reftable)
    assert trial.git("refs", "verify").stderr == b""
    after = known(trial.reftable)
    assert sees(trial) == {name: after[name] for name in after if name.startswith(b"refs/")}
    if damage in ("a missing table", "nothing left"):
        assert not after
    else:
        assert len(trial.git("reflog", "show", "refs/heads/branch-000").stdout.splitlines()) == 1
        assert {name: after.get(name) for name in before} == before
        restored = [name for name, outcome in mended.told.items() if outcome == "restored"]
        assert len(restored) == {"a key out of order": 4, "a value": 1}.get(damage, 0)
        assert "lost" not in mended.told.values()
        # A key out of order is not below refs/: no ref is left that git never made.
        assert "doubtful" not in mended.told.values()
        assert after.keys() == before.keys()

    if mended.result.snapshot is not None:
        restore(trial.reftable, mended.snapshot, NOW + 1)
        unlocked = {name: data for name, data in others.items() if not name.endswith(".lock")}
        assert stack_contents(trial.reftable) == (tables, unlocked)


def test_refs_whose_records_are_gone_are_restored_from_their_reflogs(git: Git, tmp_path: Path) -> None:
    repo = Layout(block_size=512).init(git, tmp_path / "repo")
    commits = add_commits(repo, 60)
    repo.update_refs(f"create refs/heads/b{at:03} {commits[0].hex()}" for at in range(60))
    repo.update_refs(f"update refs/heads/b{at:03} {commit.hex()}" for at, commit in enumerate(commits))
    repo.update_refs(["delete refs/heads/b020"])
    repo.git("pack-refs")
    before = sees(repo)
    path = only_table(repo)
    data = path.read_bytes()
    path.write_bytes(data[:512] + bytes(1024) + data[1536:])  # two blocks of refs, as a power cut leaves them
    mended = mend(repo.reftable)
    assert sees(repo) == before
    restored = {name for name, outcome in mended.told.items() if outcome == "restored"}
    assert len(restored) > 10
    assert restored < set(before)
    assert mended.told == dict.fromkeys(restored, "restored")


def test_no_ref_is_lost_that_has_a_reflog_where_bytes_were_inserted(git: Git, tmp_path: Path) -> None:
    """Then log entries may be lost as well, for all that the blocks tell that are found."""
    repo, commits = Layout(block_size=512).with_branches(git, tmp_path / "repo", 60)
    repo.update_refs(f"update refs/heads/b{at:03} {commits[at].hex()}" for at in range(30))
    repo.git("pack-refs")
    before = sees(repo)
    path = only_table(repo)
    data = path.read_bytes()
    path.write_bytes(data[:60] + b"\xff" + data[60:])
    mended = mend(repo.reftable)
    assert set(mended.told.values()) <= {"doubtful", "restored"}
    assert sees(repo) == before


@pytest.mark.parametrize("at", [300, 600, 777, 1100])
def test_a_value_of_which_damage_has_left_a_part_is_restored_from_its_log_entry(
    git: Git, tmp_path: Path, at: int
) -> None:
    """The record in front of the damage still looks like one, but git dies of its value."""
    repo, _ = Layout(block_size=512).with_branches(git, tmp_path / "repo", 60)
    repo.git("pack-refs")
    before = sees(repo)
    path = only_table(repo)
    data = path.read_bytes()
    path.write_bytes(data[:at] + bytes(60) + data[at + 60 :])
    mended = mend(repo.reftable)
    assert sees(repo) == before
    assert set(mended.told.values()) == {"restored"}
    assert "repeated or impossible" not in mended.plan.steps[0].result
    # All 60 are accounted for: what is restored is not unknown any more.
    assert unknown_refs(0, mended.plan) in range(2)


def test_a_ref_that_damage_reaches_into_is_told_unless_its_object_shows_that_it_does_not(
    git: Git, tmp_path: Path
) -> None:
    """As in a bare repository, which has no reflogs."""
    repo = Layout(logs=False).init(git, tmp_path / "repo")
    commits = add_commits(repo, 30)
    tags = add_tags(repo, commits)
    commands = "".join(f"create refs/heads/{at:02} {commit.hex()}\n" for at, commit in enumerate(commits))
    commands += "".join(f"create refs/tags/{at:02} {tag.hex()}\n" for at, tag in enumerate(tags))
    repo.git("update-ref", "--stdin", input=commands.encode())
    repo.git("pack-refs")
    path = only_table(repo)
    data = path.read_bytes()
    around = find_repository(repo.path)
    # Of a tag, the last bytes are those of the commit that it is of.
    ends = {b"refs/heads/07": data.index(commits[7]) + 20, b"refs/tags/07": data.index(tags[7]) + 40}
    for name, end in ends.items():
        for reached in (8, 0):
            path.write_bytes(data[: end - reached] + b"?" * (reached + 6) + data[end + 6 :])
            assert outcomes(plan_repair(repo.reftable, now=NOW)) == {name: "doubtful"}
            plan = plan_repair(repo.reftable, now=NOW, repository=around)
            # There is no object of the branch; that of the tag tells what it is of.
            expected = "lost" if name.startswith(b"refs/heads/") else "restored"
            assert outcomes(plan) == ({name: expected} if reached else {})
            with open_readable(repo.reftable) as stack:
                assert name in {ref.name for ref in stack.merged.refs()}
                assert list(doubtful_refs(stack)) == [name]


@pytest.mark.parametrize("is_asked", [True, False])
def test_what_a_tag_is_of_is_put_right_if_its_object_is_there(
    git: Git, tmp_path: Path, is_asked: bool
) -> None:
    """Its first byte is altered, which the object section tells."""
    repo = Layout(block_size=256).init(git, tmp_path / "repo")
    commits = add_commits(repo, 30)
    tags = add_tags(repo, commits)
    repo.update_refs(f"create refs/tags/{at:02} {tag.hex()}" for at, tag in enumerate(tags))
    repo.git("pack-refs")
    before, path = state(repo.reftable), only_table(repo)
    change_byte(path, path.read_bytes().index(tags[7]) + 20)
    assert state(repo.reftable) != before
    told = mend(repo.reftable, repository=find_repository(repo.path) if is_asked else None).told
    assert told == {b"refs/tags/07": "restored" if is_asked else "doubtful"}
    assert (state(repo.reftable) == before) == is_asked


def test_a_ref_whose_id_the_object_section_does_not_have_is_doubtful(git: Git, tmp_path: Path) -> None:
    """The section is made anew: nothing would tell any more that the id was altered."""
    repo = Layout(block_size=256, logs=False).init(git, tmp_path / "repo")
    commits = add_commits(repo, 30)
    commands = "".join(f"create refs/heads/{at:02} {commit.hex()}\n" for at, commit in enumerate(commits))
    repo.git("update-ref", "--stdin", input=commands.encode())
    repo.git("pack-refs")
    path = only_table(repo)
    change_byte(path, path.read_bytes().index(commits[20]), 4)
    assert errors(repo.reftable) == ["objects-wrong", "objects-incomplete"]
    for around, expected in ((None, "doubtful"), (find_repository(repo.path), "lost")):
        plan = plan_repair(repo.reftable, now=NOW, repository=around)
        assert outcomes(plan) == {b"refs/heads/20": expected}
    with Table.open(path) as table:
        section = table.read(0, table.size).index(commits[3][:2], table.footer.obj_offset)
    change_byte(path, path.read_bytes().index(bytes([commits[20][0] ^ 4]) + commits[20][1:]), 4)
    change_byte(path, section + 1, 1)
    assert outcomes(plan_repair(repo.reftable, now=NOW, repository=find_repository(repo.path))) == {}


def zero_from(path: Path, at: int) -> None:
    """Make the rest of a table zeros, as a power cut leaves it."""
    data = path.read_bytes()
    path.write_bytes(data[:at] + bytes(len(data) - at))


@pytest.mark.parametrize("kept", [0, 7, 19])
def test_behind_what_is_left_of_a_value_the_older_one_comes_back_that_has_an_object(
    git: Git, tmp_path: Path, kept: int
) -> None:
    """Git would die of the id of no object, for as long as the newer table hides the older one."""
    repo = Layout().init(git, tmp_path / "repo", auto_compaction=False)
    commits = add_commits(repo, 3)
    for commit in commits:
        repo.update_refs(
            [f"update refs/heads/main {commit.hex()}", f"create refs/heads/{commit.hex()} {commit.hex()}"]
        )
    path = repo.reftable / listed(repo.reftable)[-1]
    zero_from(path, path.read_bytes().rindex(commits[2][:20], 0, 4096) + kept)
    alone = outcomes(plan_repair(repo.reftable, now=NOW))
    assert alone[b"refs/heads/main"] == ("doubtful" if kept else "revived")
    mended = mend(repo.reftable, repository=find_repository(repo.path))
    assert mended.told[b"refs/heads/main"] == "revived"
    assert sees(repo)[b"refs/heads/main"] == commits[1]
    assert repo.git("for-each-ref").stderr == b""


def test_a_repository_without_objects_tells_of_no_id_that_it_is_none(git: Git, tmp_path: Path) -> None:
    repo, commits = Layout(logs=False).with_branches(git, tmp_path / "repo", 3, "{}")
    path = repo.reftable / listed(repo.reftable)[-1]
    zero_from(path, path.read_bytes().index(commits[2]) + 7)
    around = find_repository(repo.path)
    told = [outcomes(plan_repair(repo.reftable, now=NOW, repository=around))]
    shutil.rmtree(repo.path / ".git/objects")
    (repo.path / ".git/objects").mkdir()
    told.append(outcomes(plan_repair(repo.reftable, now=NOW, repository=around)))
    assert [one[b"refs/heads/2"] for one in told] == ["lost", "doubtful"]


@pytest.mark.parametrize("kept", [0, 12])
def test_a_symbolic_ref_whose_target_ends_in_zeros_is_told_as_lost(
    git: Git, tmp_path: Path, kept: int
) -> None:
    repo = Layout().init(git, tmp_path / "repo")
    repo.commit()
    repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    path = repo.reftable / listed(repo.reftable)[-1]
    zero_from(path, path.read_bytes().index(b"refs/remotes/origin/main") + kept)
    mended = mend(repo.reftable)
    assert mended.told[b"refs/remotes/origin/HEAD"] == "lost"
    assert "1 ref of damaged bytes, which can be none, left out" in mended.plan.steps[0].result
    assert repo.git("for-each-ref").stderr == b""


def test_a_table_of_reflogs_alone_casts_no_doubt_on_refs(git: Git, tmp_path: Path) -> None:
    """As every commit in a linked worktree writes one, since the branch is in the main stack."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    repo.commit()
    repo.git("worktree", "add", "-b", "other", str(tmp_path / "beside"))
    repo.git("-C", str(tmp_path / "beside"), "commit", "--allow-empty", "-m", "two")
    [stack] = repo.path.glob(".git/worktrees/*/reftable")
    path = stack / listed(stack)[-1]
    change_byte(path, path.stat().st_size - 68 - 3, 1)  # the checksum of its deflate stream
    plan = plan_repair(stack, now=NOW)
    assert outcomes(plan) == {}
    [damage] = damages(plan)
    assert (damage.losses.gaps, damage.losses.lost_logs) == ((), True)


def test_a_reflog_does_not_confirm_what_a_tag_is_of(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    tags = add_tags(repo, add_commits(repo, 9))
    repo.update_refs(f"create refs/tags/{at} {tag.hex()}" for at, tag in enumerate(tags))
    repo.git("pack-refs")
    path = only_table(repo)
    data = path.read_bytes()
    at = data.index(tags[4]) + 40
    path.write_bytes(data[: at - 8] + b"?" * 14 + data[at + 6 :])
    assert outcomes(plan_repair(repo.reftable, now=NOW))[b"refs/tags/4"] == "doubtful"


@pytest.mark.parametrize("logs", [False, True])
def test_a_ref_whose_name_was_altered_is_told_where_the_index_has_it(
    git: Git, tmp_path: Path, logs: bool
) -> None:
    """The last one of each block is in the index; of others, nothing shows that."""
    repo = Layout(block_size=512, logs=logs).init(git, tmp_path / "repo")
    values = enumerate(add_commits(repo, 100))
    commands = "".join(f"create refs/heads/b{at:03} {commit.hex()}\n" for at, commit in values)
    repo.git("update-ref", "--stdin", input=commands.encode())
    repo.git("pack-refs")
    before = refs(repo.reftable)
    path = only_table(repo)
    with Table.open(path) as table:
        block = [block for block in table.blocks() if block.type == REF][1]
        *_, one, last = (ref.name for ref in block.refs(20, table.min_update_index))
    # The end of its name, in front of its update index and its value.
    change_byte(path, path.read_bytes().index(before[last] or b"") - 2, ord(last[-1:]) ^ ord("z"))
    altered = last[:-1] + b"z"
    plan = plan_repair(repo.reftable, now=NOW)
    assert outcomes(plan) == {altered: "doubtful"} | ({last: "restored"} if logs else {})
    [gap] = [gap for damage in damages(plan) for gap in damage.losses.gaps]
    assert (gap.low, gap.holds(last), gap.about) == (one, True, 1)
    mend(repo.reftable)
    assert refs(repo.reftable).keys() == before.keys() | {altered} if logs else {altered, *before} - {last}


@pytest.mark.parametrize("logs", [False, True])
def test_refs_in_the_wrong_place_are_doubtful_although_their_objects_are_there(
    git: Git, tmp_path: Path, logs: bool
) -> None:
    """One byte of a name that those behind it share: git never made the refs that are read."""
    repo = Layout(block_size=512, logs=logs).init(git, tmp_path / "repo")
    [commit] = add_commits(repo, 1)
    commands = "".join(f"create refs/heads/topic-{at} {commit.hex()}\n" for at in range(10, 60))
    repo.git("update-ref", "--stdin", input=commands.encode())
    repo.git("pack-refs")
    path = only_table(repo)
    change_byte(path, path.read_bytes().index(b"refs/heads/topic", 512) + len("refs/"), ord("h") ^ ord("`"))
    plan = plan_repair(repo.reftable, now=NOW, repository=find_repository(repo.path))
    told = outcomes(plan)
    wrong = {name for name in refs(repo.reftable) if name.startswith(b"refs/`eads/")}
    assert len(wrong) > 5
    assert {told.get(name) for name in wrong} == {"doubtful"}
    assert told.keys() - wrong == ({name.replace(b"`", b"h") for name in wrong} if logs else set())


@pytest.mark.parametrize("is_superseded", [False, True])
def test_a_value_that_its_log_entry_contradicts_is_mended_whether_it_counts_or_not(
    git: Git, tmp_path: Path, is_superseded: bool
) -> None:
    """As long as it stays, fsck names it."""
    repo, commits = Layout().with_branches(git, tmp_path / "repo", 20, "b{:02}")
    path = repo.reftable / listed(repo.reftable)[-1]
    if is_superseded:
        repo.update_refs([f"update refs/heads/b07 {commits[8].hex()}"])
    before = sees(repo)
    data = path.read_bytes()
    change_byte(path, data.index(commits[7]) + 15)
    assert errors(repo.reftable) == ["value-altered"]
    assert mend(repo.reftable).told == ({} if is_superseded else {b"refs/heads/b07": "restored"})
    assert "value-altered" not in codes(repo.reftable)
    assert sees(repo) == before


@pytest.mark.parametrize("is_broken", [False, True])
@pytest.mark.parametrize("logs", [False, True])
@pytest.mark.parametrize("at", range(5))
def test_refs_that_an_altered_byte_has_put_beside_refs_are_below_it_again(
    git: Git, tmp_path: Path, at: int, logs: bool, is_broken: bool
) -> None:
    """Git lists them nowhere, and writes no such name: also those that share the byte with the first one."""
    repo = Layout(logs=logs).init(git, tmp_path / "repo", auto_compaction=False)
    commits = add_commits(repo, 3)
    names = [b"refs/heads/late", b"refs/heads/later", b"refs/tags/late"]
    commands = [
        b"create %s %s\n" % (one, commit.hex().encode()) for one, commit in zip(names, commits, strict=True)
    ]
    repo.git("update-ref", "--stdin", input=b"".join(commands))
    before, path = sees(repo), repo.reftable / listed(repo.reftable)[-1]
    change_byte(path, path.read_bytes().index(names[0]) + at, 0x80)
    assert set(errors(repo.reftable)) == {"name-altered"}
    if is_broken:
        change_byte(path, path.stat().st_size - 1)
    wrong = [one[:at] + bytes([one[at] ^ 0x80]) + one[at + 1 :] for one in names]
    told = mend(repo.reftable, repository=find_repository(repo.path)).told
    assert told == dict.fromkeys(names, "restored") | dict.fromkeys(wrong, "changed")
    assert sees(repo) == before


@pytest.mark.parametrize("logs", [False, True])
def test_a_ref_with_its_name_below_refs_again_has_the_value_of_its_reflog_or_is_doubtful(
    git: Git, tmp_path: Path, logs: bool
) -> None:
    """A byte of its value was altered as well."""
    repo = Layout(logs=logs).init(git, tmp_path / "repo", auto_compaction=False)
    [commit, other] = add_commits(repo, 2)
    repo.git("update-ref", "refs/heads/other", other.hex())
    repo.git("update-ref", "refs/heads/late", commit.hex())
    path = repo.reftable / listed(repo.reftable)[-1]
    data = path.read_bytes()
    change_byte(path, data.index(b"refs/heads/late") + 2, 0x80)
    change_byte(path, data.index(commit) + 8, 0x80)
    told = mend(repo.reftable, repository=find_repository(repo.path)).told
    assert told[b"refs/heads/late"] == ("restored" if logs else "doubtful")
    assert (known(repo.reftable)[b"refs/heads/late"] == commit) == logs


@pytest.mark.parametrize("logs", [False, True])
@pytest.mark.parametrize("altered", [b"refs/heads/late", b"HEAD", b"refs/remotes/o/HEAD"])
def test_what_has_its_name_or_target_again_is_doubtful_where_a_newer_table_is_missing(
    git: Git, tmp_path: Path, altered: bytes, logs: bool
) -> None:
    repo = Layout(logs=logs).init(git, tmp_path / "repo", auto_compaction=False)
    [commit, other] = add_commits(repo, 2)
    for command in (["refs/heads/late", commit.hex()], ["refs/heads/more", commit.hex()]):
        repo.git("update-ref", *command)
    repo.git("symbolic-ref", "refs/remotes/o/HEAD", "refs/heads/late")
    repo.git("pack-refs", "--all")
    repo.git("update-ref", "refs/heads/late", other.hex())
    path, newest = (repo.reftable / name for name in listed(repo.reftable))
    newest.unlink()
    data = path.read_bytes()
    at = data.rindex(b"refs/heads/late") if altered.endswith(b"o/HEAD") else data.index(altered)
    change_byte(path, at + 1, 0x80)
    told = mend(repo.reftable, repository=find_repository(repo.path)).told
    assert told[altered] == "doubtful"


@pytest.mark.parametrize("logs", [False, True])
@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("is_superseded", [False, True])
def test_head_has_its_name_again_where_a_byte_of_it_was_altered(
    git: Git, tmp_path: Path, at: int, logs: bool, is_superseded: bool
) -> None:
    repo = Layout(logs=logs).init(git, tmp_path / "repo", auto_compaction=False)
    repo.commit()
    repo.git("checkout", "-q", "-b", "work")
    before, tables = ok("refs", repo.path).out, listed(repo.reftable)
    path = repo.reftable / tables[0 if is_superseded else -1]
    change_byte(path, path.read_bytes().index(b"HEAD") + at, 0x80)
    assert "name-altered" in errors(repo.reftable)
    wrong = bytes(byte ^ 0x80 * (at == number) for number, byte in enumerate(b"HEAD"))
    told = mend(repo.reftable, repository=find_repository(repo.path)).told
    assert told == {wrong: "changed"} | ({} if is_superseded else {b"HEAD": "restored"})
    assert ok("refs", repo.path).out == before


@pytest.mark.parametrize("is_broken", [False, True])
@pytest.mark.parametrize(
    ("name", "target"), [("refs/remotes/o/HEAD", "refs/remotes/o/b"), ("HEAD", "refs/heads/b")]
)
@pytest.mark.parametrize("at", range(5))
def test_what_a_symbolic_ref_names_is_below_refs_again_where_an_altered_byte_has_put_it_beside(
    git: Git, tmp_path: Path, at: int, name: str, target: str, is_broken: bool
) -> None:
    """As with names: git has no such refs."""
    repo = Layout(logs=False).init(git, tmp_path / "repo", auto_compaction=False)
    [commit] = add_commits(repo, 1)
    repo.git("update-ref", target, commit.hex())
    repo.git("symbolic-ref", name, target)
    before, path = ok("refs", repo.path).out, repo.reftable / listed(repo.reftable)[-1]
    change_byte(path, path.read_bytes().index(target.encode()) + at, 0x80)
    assert "value-altered" in errors(repo.reftable)
    if is_broken:
        change_byte(path, path.stat().st_size - 1)
    assert mend(repo.reftable, repository=find_repository(repo.path)).told == {name.encode(): "restored"}
    assert ok("refs", repo.path).out == before


@pytest.mark.parametrize("field", ["name", "target"])
def test_a_symbolic_ref_that_was_altered_is_doubtful_where_nothing_is_there_that_it_names(
    git: Git, tmp_path: Path, field: str
) -> None:
    """What else of its record was altered, nothing tells."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    repo.commit()
    name, target = b"refs/remotes/o/HEAD", b"refs/remotes/o/b"
    repo.git("symbolic-ref", name, target)
    path = repo.reftable / listed(repo.reftable)[-1]
    change_byte(path, path.read_bytes().index(name if field == "name" else target) + 1, 0x80)
    told = mend(repo.reftable, repository=find_repository(repo.path)).told
    assert told[name] == "doubtful"
    assert ok("refs", repo.path).lines[-1] == b"ref: %s %s" % (target, name)


@pytest.mark.parametrize("has_objects", [True, False])
def test_a_value_of_no_object_that_its_log_entry_contradicts_is_an_error(
    git: Git, tmp_path: Path, has_objects: bool
) -> None:
    """Git dies of it, though nothing else in the table says which of both is right."""
    repo = Layout().init(git, tmp_path / "repo", auto_compaction=False)
    [commit] = add_commits(repo, 1)
    repo.update_refs([f"create refs/heads/x {commit.hex()}"])
    if not has_objects:
        shutil.rmtree(repo.path / ".git/objects")
        (repo.path / ".git/objects").mkdir()
    path = repo.reftable / listed(repo.reftable)[-1]
    change_byte(path, path.read_bytes().index(commit) + 5, 4)
    said = [one["code"] for one in run("fsck", "--json", repo.path).objects if one["severity"] != "info"]
    assert said == ["value-altered" if has_objects else "value-unlike-log"]
    assert run("fsck", repo.reftable).code == has_objects
    if has_objects:
        assert mend(repo.reftable, repository=find_repository(repo.path)).told == {
            b"refs/heads/x": "restored"
        }
        assert sees(repo) == {b"refs/heads/x": commit}


@pytest.mark.parametrize(
    ("is_readable", "is_asked", "outcome"),
    [(True, True, "restored"), (True, False, "doubtful"), (False, True, "doubtful")],
)
def test_an_altered_value_is_told_though_the_reflog_beside_it_is_damaged_too(
    git: Git, tmp_path: Path, is_readable: bool, is_asked: bool, outcome: str
) -> None:
    """An entry out of a damaged block is no proof, but that its id has an object, and the ref's has none."""
    repo, commits = Layout().with_branches(git, tmp_path / "repo", 5, "{}")
    path = repo.reftable / listed(repo.reftable)[-1]
    change_byte(path, path.read_bytes().index(commits[2]) + 10, 4)
    with Table.open(path) as table:
        [block] = [block for block in table.blocks() if block.type == LOG]
    data = path.read_bytes()
    inflating = zlib.decompressobj()
    inflating.decompress(data[block.offset + 4 :])
    end = len(data) - len(inflating.unused_data)
    change_byte(path, end - 1 if is_readable else block.offset + 4)
    assert errors(repo.reftable) == ["block-inflate"]
    around = find_repository(repo.path) if is_asked else None
    assert mend(repo.reftable, repository=around).told == {b"refs/heads/2": outcome}
    assert (known(repo.reftable)[b"refs/heads/2"] == commits[2]) == (outcome == "restored")


@pytest.mark.parametrize("is_superseded", [False, True])
def test_a_ref_gets_its_name_back_that_its_log_tells_whether_it_counts_or_not(
    git: Git, tmp_path: Path, is_superseded: bool
) -> None:
    """The other name stays, for a person to delete: no ref is taken away for what a log says of another."""
    repo = Layout().init(git, tmp_path / "repo")
    one, other = add_commits(repo, 2)
    repo.update_refs([f"create refs/heads/topic {one.hex()}"])
    path = repo.reftable / listed(repo.reftable)[-1]
    repo.env["GIT_TEST_REFTABLE_AUTOCOMPACTION"] = "false"
    if is_superseded:
        repo.update_refs([f"update refs/heads/topic {other.hex()}"])
    before = refs(repo.reftable)
    data = path.read_bytes()
    change_byte(path, data.index(b"refs/heads/topic") + len("refs/heads/to"), 0x01)
    assert errors(repo.reftable) == ["name-altered"]
    told = {b"refs/heads/toqic": "doubtful"} | ({} if is_superseded else {b"refs/heads/topic": "restored"})
    assert mend(repo.reftable).told == told
    assert errors(repo.reftable) == []
    assert refs(repo.reftable) == before | {b"refs/heads/toqic": one}


@pytest.mark.parametrize("part", ["refs", "padding", "index", "logs", "footer"])
def test_an_altered_name_is_mended_with_whatever_else_is_wrong_with_its_table(
    git: Git, tmp_path: Path, part: str
) -> None:
    repo = Layout(block_size=256).init(git, tmp_path / "repo")
    commits = add_commits(repo, 30)
    repo.update_refs(f"create refs/heads/b{2 * at:02} {commit.hex()}" for at, commit in enumerate(commits))
    repo.git("pack-refs")
    before, path = refs(repo.reftable), only_table(repo)
    data = path.read_bytes()
    with Table.open(path) as table:
        located = table.locate_ref(b"refs/heads/b40")
        assert located is not None
        name = table.block_at(located[0]).refs(20, 1)[0].name  # which is stored whole
        index, logs = table.footer.ref_index_offset, table.footer.log_offset
    change_byte(path, data.index(name, located[0]) + len(name) - 1, 0x01)
    altered = name[:-1] + bytes((name[-1] ^ 1,))
    places = {"refs": 6, "padding": 255, "index": index + 10, "logs": logs + 10, "footer": len(data) - 1}
    change_byte(path, places[part])
    told = mend(repo.reftable).told
    assert told[altered] == "doubtful"
    if part == "logs":  # which tell of no name any more
        return
    assert told[name] == "restored"
    assert refs(repo.reftable) == before | {altered: before[name]}


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_value_that_is_altered_with_its_update_index_is_told_by_the_object_section(
    git: Git, tmp_path: Path, is_asked: bool
) -> None:
    """No reflog entry is of the same update any more. Small tables have no such section: nothing tells."""
    repo = Layout(block_size=256).init(git, tmp_path / "repo")
    commits = add_commits(repo, 30)
    for at, commit in enumerate(commits):
        repo.update_refs([f"create refs/heads/b{at:02} {commit.hex()}"])
    repo.git("pack-refs")
    before, path = state(repo.reftable), only_table(repo)
    at = path.read_bytes().index(commits[7])
    for place in (at - 1, at):
        change_byte(path, place, 0x01)
    told = mend(repo.reftable, repository=find_repository(repo.path) if is_asked else None).told
    assert told == {b"refs/heads/b07": "restored" if is_asked else "doubtful"}
    assert (state(repo.reftable) == before) == is_asked


@pytest.mark.parametrize("part", ["", "footer"])
@pytest.mark.parametrize("altered", [b"refs/", b"refs/tags/v", b"refs/remotes/o/"])
def test_refs_that_share_an_altered_byte_with_one_whose_reflog_tells_of_it_are_restored_too(
    git: Git, tmp_path: Path, altered: bytes, part: str
) -> None:
    """Of a name, only what the one before it has not is stored; tags and symbolic refs have no reflogs."""
    repo = Layout().init(git, tmp_path / "repo")
    commits = add_commits(repo, 4)
    for number, commit in enumerate(commits):
        repo.git("branch", f"b{2 * number}", commit.hex())
        repo.git("tag", f"v{2 * number}", commit.hex())
    repo.update_refs([f"create refs/remotes/o/main {commits[1].hex()}"])
    repo.git("symbolic-ref", "refs/remotes/o/HEAD", "refs/remotes/o/main")
    repo.git("update-ref", "--create-reflog", "refs/tags/v2", commits[0].hex())
    repo.git("pack-refs")
    before, path = state(repo.reftable), only_table(repo)
    stored = {b"refs/": b"refs/heads/b0", b"refs/tags/v": b"tags/v0", b"refs/remotes/o/": b"remotes/o/HEAD"}
    first = stored[altered]
    change_byte(path, path.read_bytes().index(first) + first.index(b"/") - 1, 0x01)
    assert set(errors(repo.reftable)) == {"name-altered"}
    lost = {ref.name for ref in before[0]} - refs(repo.reftable).keys()
    assert lost == {ref.name for ref in before[0] if ref.name.startswith(altered)}
    if part:
        change_byte(path, path.stat().st_size - 1)
    told = mend(repo.reftable).told
    assert {name for name, outcome in told.items() if outcome == "restored"} == lost
    # What is not below refs/ is certainly no ref.
    becomes = "changed" if altered == b"refs/" else "doubtful"
    assert sorted(told.values()) == [becomes] * len(lost) + ["restored"] * len(lost)
    assert [ref for ref in state(repo.reftable)[0] if told.get(ref.name) != "doubtful"] == before[0]


@pytest.mark.parametrize("part", ["", "footer", "order", "names", "list"])
@pytest.mark.parametrize("mask", [0x01, 0x40])
def test_a_ref_whose_tombstone_has_an_altered_name_is_deleted_again_and_no_other_one(
    git: Git, tmp_path: Path, mask: int, part: str
) -> None:
    """One bit of `b2` makes `b3` of it, which is there, or `br`, which is not."""
    repo = Layout().init(git, tmp_path / "repo")
    repo.env["GIT_TEST_REFTABLE_AUTOCOMPACTION"] = "false"
    commits = add_commits(repo, 4)
    for at, commit in enumerate(commits):
        repo.git("branch", f"b{at}", commit.hex())
    repo.git("branch", "-D", "b2")
    before, path = refs(repo.reftable), repo.reftable / listed(repo.reftable)[-1]
    change_byte(path, path.read_bytes().index(b"refs/heads/b2") + 12, mask)
    assert errors(repo.reftable) == ["deletion-altered"]
    assert refs(repo.reftable).keys() - before.keys() == {b"refs/heads/b2"}
    if part in ("footer", "order", "names"):
        change_byte(path, path.stat().st_size - 1)
    if part == "order":
        list_tables(repo.reftable, listed(repo.reftable)[::-1])
    elif part == "names":
        for name in listed(repo.reftable)[:-1]:
            (repo.reftable / name).rename(repo.reftable / f"{name[:-12]}5eed5eed.ref")
    elif part == "list":
        (repo.reftable / "tables.list").unlink()
    told = {b"refs/heads/b2": "restored"} | ({b"refs/heads/b3": "returned"} if mask == 0x01 else {})
    found = mend(repo.reftable).told
    if part == "list":
        assert found == dict.fromkeys(before, "returned")
    elif part in ("", "footer"):
        assert found == told
    assert refs(repo.reftable) == before
    repo.git("refs", "verify", check=False)
    assert sees(repo) == known(repo.reftable)


def test_a_value_of_a_detached_head_is_mended_as_that_of_any_ref(git: Git, tmp_path: Path) -> None:
    repo, commits = Layout().with_branches(git, tmp_path / "repo", 20, "b{:02}")
    repo.git("checkout", "--detach", commits[3].hex())
    repo.git("pack-refs")
    before, path = refs(repo.reftable), only_table(repo)
    change_byte(path, path.read_bytes().index(commits[3]) + 15)
    assert errors(repo.reftable) == ["value-altered"]
    assert mend(repo.reftable).told == {b"HEAD": "restored"}
    assert "value-altered" not in codes(repo.reftable)
    assert refs(repo.reftable) == before


@pytest.mark.parametrize(("committed", "is_newer"), [(True, False), (True, True), (False, False)])
def test_head_is_restored_where_its_reflog_ends_as_that_of_one_branch(
    git: Git, tmp_path: Path, committed: bool, is_newer: bool
) -> None:
    repo = Layout(block_size=512).init(git, tmp_path / "repo")
    repo.git("commit", "--allow-empty", "-m", "one")
    for number in range(40):
        repo.git("branch", f"b{number:02}")
    repo.git("checkout", "b07")
    if committed:  # the entry of a checkout is that of HEAD alone
        repo.git("commit", "--allow-empty", "-m", "two")
    repo.git("pack-refs")
    path = only_table(repo)
    if is_newer:  # what HEAD names stands where it stood, as after any commit
        repo.git("commit", "--allow-empty", "-m", "three")
    before = refs(repo.reftable)
    data = path.read_bytes()
    path.write_bytes(data[:28] + bytes(100) + data[128:])
    plan = plan_repair(repo.reftable, now=NOW)
    assert outcomes(plan)[b"HEAD"] == ("restored" if committed else "lost")
    if committed:
        told = mend(repo.reftable).told
        assert told[b"HEAD"] == "restored"
        # All other branches are at one commit: one that is gone could be a symbolic ref to another.
        assert set(told.values()) == {"restored", "doubtful"}
        assert refs(repo.reftable) == before


def lose_record(path: Path, name: bytes) -> None:
    """Overwrite the record of a ref whose name is stored whole, and which HEAD may name."""
    data = path.read_bytes()
    at = data.rindex(name, 0, 200) - 2
    path.write_bytes(data[:at] + bytes(20) + data[at + 20 :])


@pytest.mark.parametrize("is_used", [False, True])
def test_a_symbolic_ref_whose_record_is_lost_is_not_restored_as_a_branch(
    git: Git, tmp_path: Path, is_used: bool
) -> None:
    """An entry of `symbolic-ref -m` is like that of a new branch; one of a commit is the branch's as well."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    repo.commit()
    repo.git("symbolic-ref", "-m", "made", "refs/heads/alias", "refs/heads/main")
    if is_used:
        repo.git("checkout", "alias")
        repo.commit()
        repo.git("pack-refs")
    lose_record(repo.reftable / listed(repo.reftable)[-1], b"refs/heads/alias")
    mended = mend(repo.reftable)
    assert mended.told[b"refs/heads/alias"] == "doubtful"
    assert refs(repo.reftable)[b"refs/heads/alias"] == repo.oid("refs/heads/main")


def test_a_branch_that_a_commit_has_moved_with_head_is_restored_although_another_is_there(
    git: Git, tmp_path: Path
) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    repo.branch("other")
    repo.git("pack-refs")
    before = refs(repo.reftable)
    lose_record(only_table(repo), b"refs/heads/main")
    told = mend(repo.reftable).told
    assert told.pop(b"HEAD") == "doubtful"  # the damage begins at its end
    assert told == {b"refs/heads/main": "restored", b"refs/heads/other": "doubtful"}
    assert refs(repo.reftable) == before


def test_a_ref_whose_newer_log_entries_may_be_lost_is_given_back_as_doubtful(
    git: Git, tmp_path: Path
) -> None:
    repo = Layout(block_size=512).init(git, tmp_path / "repo")
    old, new = add_commits(repo, 2)
    names = [f"refs/heads/b{at:03}" for at in range(60)]
    repo.update_refs(f"create {name} {old.hex()}" for name in names)
    repo.git("pack-refs")
    repo.update_refs(f"update {name} {new.hex()}" for name in names)
    newest = repo.reftable / listed(repo.reftable)[-1]
    newest.unlink()
    path = repo.reftable / listed(repo.reftable)[0]
    data = path.read_bytes()
    path.write_bytes(data[:512] + bytes(1024) + data[1536:])
    mended = mend(repo.reftable)
    assert mended.told == dict.fromkeys([name.encode() for name in names] + [b"HEAD"], "doubtful")
    assert {refs(repo.reftable)[name.encode()] for name in names} == {old}


def test_log_entries_that_the_right_order_deletes_again_are_told(git: Git, tmp_path: Path) -> None:
    """A list in the wrong order shows entries that git has expired; in the right one they are gone."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    repo.commit()
    for number in range(3):
        repo.branch(f"b{number}")
    repo.git("reflog", "expire", "--expire=all", "refs/heads/b1")
    names = listed(repo.reftable)
    (repo.reftable / "tables.list").write_text("".join(f"{name}\n" for name in reversed(names)))

    def logs() -> list[bytes]:
        found = [
            repo.git("reflog", "show", f"refs/heads/{name}").stdout for name in ("main", "b0", "b1", "b2")
        ]
        return b"".join(found).splitlines()

    before = logs()
    mended = mend(repo.reftable)
    assert mended.told == {}
    assert (mended.logs.deleted, mended.logs.lost) == (1, 0)
    assert len(logs()) == len(before) - 1
    assert "kept, 1 deleted by a newer table, 0 lost" in log_counts(mended.logs, mended.plan)


def test_entries_that_come_back_since_what_deleted_them_is_lost_are_told(git: Git, tmp_path: Path) -> None:
    """Those alone that lie where log entries of a newer table are lost."""
    repo = Layout(block_size=256).init(git, tmp_path / "repo")
    commits = add_commits(repo, 2)
    names = [f"refs/heads/b{at:02}" for at in range(40)]
    for commit in commits:
        repo.update_refs(f"update {name} {commit.hex()}" for name in names)
    repo.update_refs(f"delete {name}" for name in names)
    path = repo.reftable / listed(repo.reftable)[-1]
    with Table.open(path) as table:
        blocks = [block for block in table.blocks() if block.type == LOG]
    assert len(blocks) > 2
    change_byte(path, blocks[1].offset + 20)
    mended = mend(repo.reftable)
    logs = mended.logs
    back = repo.git("reflog", "list").stdout.splitlines()
    assert 1 < len(back) < len(names) - 2
    assert 2 * len(back) - 2 <= logs.doubtful == logs.kept <= 2 * len(back)
    assert f"{logs.kept} kept ({logs.kept} may have been deleted in what is lost)" in log_counts(
        logs, mended.plan
    )


def test_zeros_are_not_read_as_a_symbolic_ref_to_nothing(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    repo.commit()
    before = repo.git("symbolic-ref", "HEAD").stdout
    repo.git("symbolic-ref", "HEAD", "refs/heads/other")
    path = repo.reftable / listed(repo.reftable)[-1]
    front, name, rest = path.read_bytes().partition(b"HEAD")
    path.write_bytes(front + name + bytes(7) + rest)
    mended = mend(repo.reftable)
    assert mended.told[b"HEAD"] == "doubtful"
    assert repo.git("symbolic-ref", "HEAD").stdout == before


def test_what_a_killed_git_leaves_is_cleared_away(repo: Repository) -> None:
    """It dies where it waits for a hook, with the lock held: no later git can change a ref."""
    commit = repo.commit()
    hook = repo.git_dir / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\n[ "$1" = prepared ] && kill -9 $PPID\nexit 0\n')
    hook.chmod(0o755)
    repo.git("update-ref", "refs/heads/new", commit.hex(), check=False)
    hook.unlink()
    assert repo.git("update-ref", "refs/heads/new", commit.hex(), check=False).returncode
    before = refs(repo.reftable)
    mend(repo.reftable)
    assert refs(repo.reftable) == before
    repo.git("update-ref", "refs/heads/new", commit.hex())
    assert refs(repo.reftable) == {**before, b"refs/heads/new": commit}


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_a_stack_of_git_cut_off_is_read_and_written_by_git_again(
    git: Git, tmp_path: Path, object_format: str
) -> None:
    repo = git.init(tmp_path / "repo", object_format, auto_compaction=False)
    for number in range(4):
        repo.commit(f"commit {number}", date=f"{1_700_000_000 + number} +0000")
        repo.branch(f"b{number}")
        repo.tag(f"v{number}")
    before = known(repo.reftable)
    names = listed(repo.reftable)
    assert len(names) > 6
    for name in names:
        path = repo.reftable / name
        os.truncate(path, path.stat().st_size - 40)
    assert repo.git("for-each-ref", check=False).stdout == b""
    mended = mend(repo.reftable)
    assert mended.told == {}
    assert known(repo.reftable) == before == sees(repo)
    assert [len(repo.reflog(f"b{number}")) for number in range(4)] == [1] * 4
    assert len(repo.reflog("HEAD")) == 4
    repo.commit("and on")
    repo.git("pack-refs")
    assert repo.git("refs", "verify").stderr == b""
    assert len(listed(repo.reftable)) == 1


def test_a_list_from_an_older_backup_is_brought_up_to_what_git_wrote(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    for number in range(3):
        repo.commit(f"commit {number}")
    backup = (repo.reftable / "tables.list").read_bytes()
    repo.git("pack-refs")
    for number in range(3, 6):
        repo.commit(f"commit {number}")
        repo.branch(f"b{number}")
    before, reflog, names = sees(repo), repo.reflog("HEAD"), stack_contents(repo.reftable)[0]
    (repo.reftable / "tables.list").write_bytes(backup)
    assert repo.show_ref() == []
    mend(repo.reftable)
    assert (sees(repo), repo.reflog("HEAD"), stack_contents(repo.reftable)[0]) == (before, reflog, names)


def test_of_a_half_copied_backup_git_reads_all_that_arrived(git: Git, tmp_path: Path) -> None:
    """Copied while git worked on: the list is of the end, one table was cut off, another never came."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    for number in range(6):
        repo.commit(f"commit {number}")
        repo.branch(f"b{number}")
    before, names = sees(repo), listed(repo.reftable)
    holds = {name: {ref.name for ref in _table_refs(repo.reftable / name)} for name in names}
    missing = next(name for name in names if holds[name] == {b"refs/heads/b4"})
    cut = next(name for name in names if holds[name] == {b"refs/heads/b5"})
    (repo.reftable / missing).unlink()
    os.truncate(repo.reftable / cut, 100)
    assert repo.show_ref() == []
    mended = mend(repo.reftable)
    assert sees(repo) == {name: value for name, value in before.items() if name != b"refs/heads/b4"}
    assert missing in {left.file for left in mended.plan.left_out}
    assert repo.git("refs", "verify").stderr == b""


def _table_refs(path: Path) -> list[RefRecord]:
    with Table.open(path) as table:
        return list(table.refs())


def test_a_worktrees_stack_is_repaired_where_it_lies(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    repo.git("worktree", "add", "-b", "topic", tmp_path / "topic")
    directory = repo.git_dir / "worktrees" / "topic" / "reftable"
    before = refs(directory)
    path = directory / listed(directory)[0]
    os.truncate(path, path.stat().st_size - 40)
    mend(directory)
    assert refs(directory) == before
    assert git.run("symbolic-ref", "HEAD", cwd=tmp_path / "topic").stdout == b"refs/heads/topic\n"


# Tables of one list: update indexes, and which of two commits each ref has; None for a deletion.
Shape = list[tuple[tuple[int, int], dict[bytes, int | None]]]
MAIN, HERE = b"refs/heads/main", b"refs/heads/only-here"
SHAPES: dict[str, Shape] = {
    "inside": [((1, 3), {MAIN: 0}), ((2, 2), {HERE: 1})],
    "inside, with an older value that counts": [((1, 3), {MAIN: 0}), ((2, 2), {MAIN: 1, HERE: 1})],
    "around": [((2, 2), {MAIN: 1, HERE: 1}), ((1, 3), {MAIN: 0})],
    "the same": [((1, 3), {MAIN: 0}), ((1, 3), {HERE: 1})],
    "in part": [((1, 3), {MAIN: 0, HERE: 0}), ((2, 5), {HERE: 1})],
    "deleted by what comes later": [((1, 3), {MAIN: 0, HERE: 0}), ((2, 2), {HERE: None})],
    "with others around": [
        ((1, 1), {HERE: 0}),
        ((2, 4), {MAIN: 0}),
        ((3, 3), {HERE: 1}),
        ((5, 5), {MAIN: 1}),
    ],
    "a limit that was never set": [((1, 2**64 - 1), {MAIN: 0}), ((0, 0), {MAIN: 1, HERE: 1})],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_tables_that_overlap_are_merged_and_git_sees_what_it_saw(repo: Repository, shape: str) -> None:
    commits = [repo.commit("one"), repo.commit("two")]
    for name in listed(repo.reftable):
        (repo.reftable / name).unlink()
    names = []
    for number, ((low, high), values) in enumerate(SHAPES[shape]):
        names.append(f"0x{low:012x}-0x{high:012x}-{number:08x}.ref")
        refs_of = [
            RefRecord(name, low, commits[at] if at is not None else None) for name, at in values.items()
        ]
        if not number:
            refs_of.append(RefRecord(b"HEAD", low, target=MAIN))
        write_table(repo.reftable / names[-1], refs_of, limits=(low, high))
    list_tables(repo.reftable, names)
    before = repo.git("for-each-ref").stdout, repo.git("rev-parse", "HEAD").stdout
    assert MAIN in before[0]

    mended = mend(repo.reftable)
    assert "merge-table" in {step.kind for step in mended.plan.steps}
    # There, an older record hides a newer one, for git as well.
    assert mended.told == ({MAIN: "doubtful"} if shape == "around" else {})
    assert (repo.git("for-each-ref").stdout, repo.git("rev-parse", "HEAD").stdout) == before
    assert repo.git("refs", "verify").stderr == b""
    repo.git("update-ref", "refs/heads/after", commits[0].hex())
    assert sees(repo)[b"refs/heads/after"] == commits[0]


@pytest.mark.parametrize("place", [104, 258])  # here many or few of them come out wrong
def test_of_a_damaged_log_block_no_entry_that_may_be_wrong_comes_into_the_reflogs(
    git: Git, tmp_path: Path, place: int
) -> None:
    """A SHA-256 stack: what inflates in front of the damage may be damaged as well, with good checksums."""
    repo, _ = Layout("sha256", block_size=4096).with_branches(git, tmp_path / "repo", 120)
    repo.git("symbolic-ref", "HEAD", "refs/heads/b000")
    repo.git("pack-refs")
    names = [f"refs/heads/b{at:03}" for at in range(120)]
    before = repo.reflogs(names)
    assert all(before.values())
    path = only_table(repo)
    with Table.open(path) as table:
        logs = [block for block in table.blocks() if block.type == LOG]
    assert len(logs) > 2
    data = bytearray(path.read_bytes())
    data[logs[1].offset + place] ^= 0x55
    path.write_bytes(data)
    mended = mend(repo.reftable)
    assert mended.logs.may_be_lost
    after = repo.reflogs(names)
    assert all(after[name] in ([], before[name]) for name in names)
    assert 0 < sum(map(bool, after.values())) < 120
    assert repo.git("fsck").stderr == b""
    assert repo.git("refs", "verify").stderr == b""
