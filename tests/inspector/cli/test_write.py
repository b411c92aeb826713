"""The verbs that change a stack, and what git says of the stack before and after."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import LockError
from engine.merge import CompactionPlan, Expiry
from engine.progress import ProgressCallback
from engine.stack import CleanPlan, Stack
from tests.support.cli import ok, run
from tests.support.git import Git, Repository
from tests.support.stacks import listed
from tests.support.tables import stack_files


@pytest.fixture
def many(git: Git, tmp_path: Path) -> Repository:
    """Some history in ten tables or so, with versions that are shadowed and refs that were deleted."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    for number in range(4):
        repo.commit(f"commit {number}", date=f"{1700000000 + 1000 * number} +0100")
        repo.branch(f"branch-{number}")
    repo.git("branch", "-q", "-D", "branch-0", "branch-1")
    return repo


def state(repo: Repository) -> tuple[Any, Any]:
    """Everything that git sees of the refs and reflogs."""
    refs = repo.refs(root=True)
    return refs, {name: repo.reflog(name.decode()) for name in refs}


def names(repo: Repository) -> list[str]:
    return listed(repo.reftable)


def test_an_empty_message_is_refused_as_git_refuses_it(repo: Repository) -> None:
    commit = repo.commit().hex()
    before = state(repo)
    git = repo.git("update-ref", "-m", "", "refs/heads/topic", commit, check=False)
    done = run("add", "-m", "", repo.path, stdin=f"create refs/heads/topic {commit}\n".encode())
    assert git.returncode != 0
    assert done.code == 2
    assert "empty message" in done.err
    assert state(repo) == before


def test_an_empty_new_value_between_nuls_deletes_as_it_does_in_git(repo: Repository) -> None:
    commit = repo.commit().hex()
    repo.git("branch", "one", commit)
    repo.git("branch", "two", commit)
    ok("add", "-z", repo.path, stdin=b"update refs/heads/one\0\0\0")
    repo.git("update-ref", "-z", "--stdin", input=b"update refs/heads/two\0\0\0")
    assert repo.refs("refs/heads/one", "refs/heads/two") == {}
    refused = b"create refs/heads/one\0\0"
    assert repo.git("update-ref", "-z", "--stdin", input=refused, check=False).returncode != 0
    assert run("add", "-z", repo.path, stdin=refused).code != 0


def test_add_makes_a_transaction_that_git_sees(repo: Repository) -> None:
    commit = repo.commit().hex()
    env = {**repo.runner.environment, "GIT_COMMITTER_DATE": "1700000777 +0530"}
    commands = f"create refs/heads/topic {commit}\nsymref-create refs/heads/alias refs/heads/topic\n"
    done = ok("add", "-m", "made by hand", repo.path, stdin=commands.encode(), env=env)
    assert repo.refs("refs/heads/topic", "refs/heads/alias").keys() == {
        b"refs/heads/topic",
        b"refs/heads/alias",
    }
    [entry] = repo.reflog("refs/heads/topic")
    assert (entry.new.hex(), entry.committer, entry.time, entry.tz) == (commit, b"A U Thor", 1700000777, 530)
    assert entry.message == b"made by hand"
    log = f"{'0' * 40} {commit} A U Thor <author@example.com> 1700000777 +0530\tmade by hand"
    assert done.out.decode().splitlines() == [
        "ref: refs/heads/topic refs/heads/alias",
        f"{commit} refs/heads/topic",
        f"refs/heads/topic {log}",
    ]
    assert done.err == ""
    repo.git("refs", "verify")


def test_add_as_json_is_the_records_that_were_written(repo: Repository) -> None:
    commit = repo.commit().hex()
    tag = repo.tag("v1").hex()
    commands = f"create refs/tags/again {tag}\ndelete refs/tags/v1 {tag}\n".encode()
    done = ok("add", "--json", repo.path, stdin=commands, env=repo.runner.environment)
    assert [
        (record["kind"], record["name"], record["type"], record["value"], record["peeled"], record["table"])
        for record in done.objects
    ] == [
        ("ref", "refs/tags/again", "val2", tag, commit, None),
        ("ref", "refs/tags/v1", "deletion", None, None, None),
    ]
    assert repo.refs("refs/tags").keys() == {b"refs/tags/again"}


def test_add_of_nothing_says_so(repo: Repository) -> None:
    before = stack_files(repo.reftable)
    done = ok("add", repo.path)
    assert (done.out, done.err) == (b"", "reftable-inspector: nothing had to change\n")
    assert stack_files(repo.reftable) == before


def test_add_takes_commands_with_nuls(repo: Repository) -> None:
    commit = repo.commit().hex()
    ok("add", "-z", repo.path, stdin=f"create refs/heads/new\0{commit}\0".encode())
    assert b"refs/heads/new" in repo.refs()


def test_add_warns_of_objects_that_the_repository_lacks(repo: Repository) -> None:
    missing = "12" * 20
    commands = f"create refs/heads/new {missing}\n".encode()
    assert repo.git("update-ref", "--stdin", input=commands, check=False).returncode != 0
    refused = run("add", repo.path, stdin=commands)
    assert (refused.code, b"refs/heads/new" in repo.refs()) == (2, False)
    assert f"line 1: trying to write ref 'refs/heads/new' with nonexistent object {missing}" in refused.err
    done = ok("add", "--force", repo.path, stdin=commands)
    assert f"warning: {missing}: the repository has no such object" in done.err
    assert done.lines[0].decode() == f"{missing} refs/heads/new"


def test_a_branch_takes_commits_only_as_in_git(repo: Repository) -> None:
    tree = repo.git("rev-parse", "HEAD^{tree}").stdout.decode().strip() if repo.commit() else ""
    before = state(repo)
    for name in ("refs/heads/new", "HEAD"):
        commands = f"update {name} {tree}\n".encode()
        assert repo.git("update-ref", "--stdin", input=commands, check=False).returncode != 0
        refused = run("add", repo.path, stdin=commands)
        assert (refused.code, f"non-commit object {tree} (a tree) to branch" in refused.err) == (2, True)
    assert state(repo) == before
    ok("add", repo.path, stdin=f"create refs/tags/tree {tree}\n".encode())


def test_add_warns_when_there_is_no_repository_to_ask(tmp_path: Path) -> None:
    stack = tmp_path / "stack"
    stack.mkdir()
    (stack / "tables.list").touch()
    done = ok("add", stack, stdin=f"create refs/heads/new {'12' * 20}\n".encode())
    assert "warning: 1 object id could not be looked up" in done.err
    assert len(ok("refs", stack).lines) == 1


def test_add_changes_the_stack_of_the_worktree_that_is_named(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    commit = repo.commit().hex()
    repo.git("worktree", "add", "-q", "-b", "side", tmp_path / "linked")
    before = stack_files(repo.reftable)
    ok("add", "--worktree", "linked", repo.path, stdin=f"create refs/worktree/mine {commit}\n".encode())
    assert stack_files(repo.reftable) == before
    assert (
        git.run("rev-parse", "refs/worktree/mine", cwd=tmp_path / "linked").stdout.decode().strip() == commit
    )


def test_add_changes_the_main_stack_for_a_ref_that_worktrees_share(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    first, second = repo.commit().hex(), repo.commit().hex()
    linked = tmp_path / "linked"
    repo.git("worktree", "add", "-q", "-b", "side", linked, "HEAD~1")
    commands = f"update HEAD {second} {first}\ncreate refs/heads/new {second}\n".encode()
    before = stack_files(repo.reftable)
    plan = ok("add", "--dry-run", "-m", "why", linked, stdin=commands).out.decode()
    assert stack_files(repo.reftable) == before
    assert plan.count("one table of") == 2
    assert "in the main stack" in plan
    written = ok("add", "-m", "why", linked, stdin=commands).lines
    assert [line.split()[0] for line in written[2:]] == [b"HEAD", b"refs/heads/new", b"refs/heads/side"]
    assert [repo.oid(name).hex() for name in ("side", "new")] == [second, second]
    logged = git.run("reflog", "show", "--format=%H %gs", "HEAD", cwd=linked).stdout.decode().splitlines()
    assert logged[0] == f"{second} why"
    ok("undo", repo.path)
    assert repo.oid("side").hex() == first


@pytest.mark.parametrize(
    ("commands", "complaint"),
    [
        ("frobnicate refs/heads/x", "unknown command"),
        ("create refs/heads/x HEAD~7", "not an object id"),
        ("create refs/heads/a..b " + "1" * 40, "not a ref name"),
        ("create refs/heads/main/below " + "1" * 40, "cannot exist together with"),
    ],
)
def test_add_refuses_what_git_would_refuse(repo: Repository, commands: str, complaint: str) -> None:
    repo.commit()
    before = stack_files(repo.reftable)
    done = run("add", "--force", repo.path, stdin=commands.encode() + b"\n")
    assert done.code == 2
    assert complaint in done.err
    assert stack_files(repo.reftable) == before


def test_compact_makes_one_table_and_changes_nothing_that_git_sees(many: Repository) -> None:
    before, tables = state(many), names(many)
    [plan] = ok("compact", many.path, "--json").objects
    assert state(many) == before
    assert len(names(many)) == 1
    assert [table["name"] for table in plan["before"]] == tables
    assert [table["name"] for table in plan["after"]] == names(many)
    assert plan["bytes"] == plan["after"][0]["size"] == (many.reftable / names(many)[0]).stat().st_size
    assert sorted(path.name for path in many.reftable.iterdir()) == sorted([*names(many), "tables.list"])
    many.git("refs", "verify")


def snapshot_of(repo: Repository) -> str:
    """The id of the newest snapshot."""
    newest: str = ok("snapshots", "--json", repo.path).objects[0]["id"]
    return newest


def test_a_dry_run_says_what_the_real_run_does_and_writes_nothing(many: Repository) -> None:
    files = stack_files(many.reftable)
    [planned] = ok("compact", "--dry-run", "--json", many.path).objects
    words = ok("compact", "--dry-run", many.path).out.decode()
    assert stack_files(many.reftable) == files
    shutil.copytree(many.reftable, many.git_dir / "kept")
    [done] = ok("compact", "--json", many.path).objects
    assert planned["after"][0].pop("name") is None
    assert done["after"][0].pop("name") == names(many)[0]
    assert (planned.pop("applied"), planned.pop("snapshot")) == (False, None)
    assert (done.pop("applied"), done.pop("snapshot")) == (True, snapshot_of(many))
    assert planned == done
    shutil.rmtree(many.reftable)
    (many.git_dir / "kept").rename(many.reftable)
    assert ok("compact", many.path).out.decode().replace(names(many)[0], "(new)").split() == words.split()


def test_compact_counts_what_drops_out(many: Repository) -> None:
    everything = ok("refs", "--deletions", "--json", many.path).objects
    [plan] = ok("compact", "--json", many.path).objects
    # Of main, 4 versions were written; both deleted branches had a version; their logs had an entry each.
    assert plan["dropped"] == {"shadowed": 3 + 2 + 2, "tombstones": 2 + 2, "expired": 0}
    assert len(everything) - len(ok("refs", "--deletions", "--json", many.path).objects) == 2
    text = ok("compact", "--dry-run", many.path)
    assert (text.out, text.err) == (b"", "reftable-inspector: nothing to merge: the stack stays as it is\n")


def test_compact_in_words_marks_what_is_merged(many: Repository) -> None:
    tables = names(many)
    lines = ok("compact", "--range", "1:3", many.path).out.decode().splitlines()
    after = names(many)
    assert lines[0].startswith(f"before: {len(tables)} tables, ")
    assert [line.split()[:3] for line in lines[2:6]] == [
        ["0", tables[0], lines[2].split()[2]],
        ["-", "1", tables[1]],
        ["-", "2", tables[2]],
        ["3", tables[3], lines[5].split()[2]],
    ]
    assert f"after: {len(tables) - 1} tables, " in "\n".join(lines)
    assert [line.split()[2] for line in lines if line.startswith("+")] == [after[1]]
    assert lines[-1].startswith("dropped: ")


def test_compact_of_a_range_replaces_these_tables_only(many: Repository) -> None:
    before, tables = state(many), names(many)
    ok("compact", "--range", "2:5", many.path)
    assert state(many) == before
    after = names(many)
    assert after[:2] == tables[:2]
    assert after[3:] == tables[5:]


def test_compact_keeps_tombstones_above_the_oldest_table(many: Repository) -> None:
    [plan] = ok("compact", "--range", f"1:{len(names(many))}", "--json", many.path).objects
    assert plan["dropped"]["tombstones"] == 0
    assert [line for line in ok("refs", "--deletions", many.path).lines if line.startswith(b"deleted")]


def test_compact_auto_does_what_the_rule_suggests(many: Repository) -> None:
    shutil.copytree(many.reftable, many.git_dir / "kept")
    for policy, key in (("log2", "log2"), ("geometric", "geometric")):
        [suggested] = ok("segments", "--json", many.path).objects
        part = suggested[key]["suggestion"]
        tables = names(many)
        ok("compact", "--auto", "--policy", policy, many.path)
        merged = tables[: part["start"]] + tables[part["end"] :]
        assert [name for name in names(many) if name in tables] == merged
        assert len(names(many)) == len(merged) + 1
        shutil.rmtree(many.reftable)
        shutil.copytree(many.git_dir / "kept", many.reftable)


def test_compact_auto_goes_by_the_factor(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    repo.commit()
    ok("compact", repo.path)
    repo.branch("topic")
    small = ok(
        "compact", "--auto", "--policy", "geometric", "--factor", "1", "--json", "--dry-run", repo.path
    )
    large = ok(
        "compact", "--auto", "--policy", "geometric", "--factor", "255", "--json", "--dry-run", repo.path
    )
    assert small.objects[0]["bytes"] == 0
    assert large.objects[0]["bytes"] > 0


@pytest.mark.parametrize(
    "options",
    [
        ["--all", "--auto"],
        ["--all", "--range", "0:1"],
        ["--policy", "log2"],
        ["--factor", "3"],
        ["--auto", "--factor", "256"],
        ["--auto", "--policy", "random"],
        ["--range", "2:1"],
        ["--range", "1"],
        ["--range", "-1:2"],
        ["--range", "0:99"],
    ],
    ids=" ".join,
)
def test_compact_takes_one_clear_choice(many: Repository, options: list[str]) -> None:
    before = stack_files(many.reftable)
    assert run("compact", *options, many.path).code == 2
    assert stack_files(many.reftable) == before


def test_expire_drops_entries_before_a_time(many: Repository) -> None:
    before = many.reflog("HEAD")
    [plan] = ok("expire", "--before", "1700002000", "--json", many.path).objects
    # Two commits, each in the logs of HEAD and of main; the log of branch-2 and branch-3 is of another time.
    assert plan["dropped"]["expired"] == 2 + 2 + 2
    assert many.reflog("HEAD") == [entry for entry in before if entry.time >= 1700002000]
    assert len(names(many)) == 1


def test_expire_drops_entries_below_an_update_index(many: Repository) -> None:
    indexes = [entry["update_index"] for entry in ok("logs", "--json", many.path).objects]
    limit = sorted(indexes)[len(indexes) // 2]
    ok("expire", "--min-update-index", str(limit), many.path)
    left = [entry["update_index"] for entry in ok("logs", "--json", many.path).objects]
    assert left == [index for index in indexes if index >= limit]


def test_expire_works_on_a_stack_of_one_table(many: Repository) -> None:
    ok("compact", many.path)
    refs = many.refs(root=True)
    [plan] = ok("expire", "--before", "2100-01-01", "--json", many.path).objects
    assert plan["dropped"]["expired"] > 0
    assert ok("logs", many.path).lines == []
    assert many.refs(root=True) == refs


def test_a_dry_run_of_expire_writes_nothing(many: Repository) -> None:
    files = stack_files(many.reftable)
    [plan] = ok("expire", "--before", "now", "--dry-run", "--json", many.path).objects
    assert plan["dropped"]["expired"] > 0
    assert stack_files(many.reftable) == files


@pytest.mark.parametrize("options", [["--before", "last friday"], ["--min-update-index", "-3"]])
def test_expire_has_to_know_what_is_old(many: Repository, options: list[str]) -> None:
    before = stack_files(many.reftable)
    assert run("expire", *options, many.path).code == 2
    assert stack_files(many.reftable) == before


def test_clean_removes_what_is_stale_and_says_why(many: Repository) -> None:
    kept = stack_files(many.reftable)
    orphan = "0x000000000001-0x000000000001-0badcafe.ref"
    (many.reftable / orphan).write_bytes((many.reftable / names(many)[0]).read_bytes())
    (many.reftable / "notes.txt").write_text("mine")
    [planned] = ok("clean", "--dry-run", "--json", many.path).objects
    words = ok("clean", "--dry-run", many.path).out
    assert orphan in stack_files(many.reftable)
    [done] = ok("clean", "--json", many.path).objects
    assert done == {**planned, "applied": True, "snapshot": snapshot_of(many)}
    assert [(file["name"], file["size"]) for file in done["removed"]] == [(orphan, len(kept[names(many)[0]]))]
    assert [file["name"] for file in done["kept"]] == ["notes.txt"]
    assert all(file["reason"] for file in done["removed"] + done["kept"])
    assert stack_files(many.reftable) == {**kept, "notes.txt": b"mine"}
    assert b"removed  " + orphan.encode() in words
    assert b"kept     notes.txt" in words


def test_clean_of_a_clean_stack_says_so(repo: Repository) -> None:
    done = ok("clean", repo.path)
    assert done.out == b""
    assert "nothing to clean" in done.err
    assert ok("clean", "--json", repo.path).objects == [
        {"removed": [], "kept": [], "applied": False, "snapshot": None}
    ]


def test_clean_removes_no_more_than_it_planned(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    table = (repo.reftable / names(repo)[0]).read_bytes()
    planned, late = (repo.reftable / f"0x000000000001-0x000000000001-0000000{n}.ref" for n in (1, 2))
    planned.write_bytes(table)
    plan_clean = Stack.plan_clean

    def overtaken(stack: Stack) -> CleanPlan:
        plan = plan_clean(stack)
        late.write_bytes(table)
        return plan

    monkeypatch.setattr(Stack, "plan_clean", overtaken)
    [done] = ok("clean", "--json", repo.path).objects
    assert [file["name"] for file in done["removed"]] == [planned.name]
    assert not planned.exists()
    assert late.exists()


def overtake(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[int], object]) -> list[CompactionPlan]:
    """Have `meanwhile(number)` done between each plan of a compaction and its application; the plans."""
    plan_compaction = Stack.plan_compaction
    plans: list[CompactionPlan] = []

    def overtaken(
        stack: Stack, first: int, end: int, expiry: Expiry | None, progress: ProgressCallback | None
    ) -> CompactionPlan:
        plans.append(plan_compaction(stack, first, end, expiry, progress))
        meanwhile(len(plans))
        return plans[-1]

    monkeypatch.setattr(Stack, "plan_compaction", overtaken)
    return plans


@pytest.mark.parametrize("verb", [["compact", "--all"], ["expire", "--before", "1700001000"]], ids=" ".join)
def test_a_stack_to_which_others_write_is_compacted(
    many: Repository, verb: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    overtake(monkeypatch, lambda number: number < 5 and many.branch(f"meanwhile-{number}"))
    refs = many.refs(root=True)
    [done] = ok(*verb, "--json", many.path).objects
    assert [table["name"] for table in done["after"]] == names(many)[: len(done["after"])]
    assert many.refs(root=True).keys() > refs.keys()
    many.git("refs", "verify")


@pytest.mark.parametrize("verb", [["compact", "--all"], ["expire", "--before", "1700001000"]], ids=" ".join)
def test_a_stack_whose_tables_others_merge_all_the_time_is_locked_before_the_last_plan(
    many: Repository, verb: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_out: list[int] = []

    def compact(number: int) -> None:
        try:
            with Stack.open(many.reftable) as other:
                other.compact(0, 2)
        except LockError:
            kept_out.append(number)

    plans = overtake(monkeypatch, compact)
    refs = many.refs(root=True)
    [done] = ok(*verb, "--json", many.path).objects
    assert kept_out == [len(plans)] == [5]
    assert [table["name"] for table in done["after"]] == names(many)
    assert many.refs(root=True) == refs
    assert not list(many.reftable.glob("*.lock"))


def test_a_range_is_never_one_of_other_tables(many: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    def compact(_number: int) -> None:
        with Stack.open(many.reftable) as other:
            other.compact(2, 4)

    overtake(monkeypatch, compact)
    count = len(names(many))
    assert run("compact", "--range", "1:3", many.path).code == 5
    assert len(names(many)) == count - 1
