"""The verbs that look, on repositories of real git, against what git says of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.merge import Segment, suggest_compaction_segment, suggest_geometric_segment
from engine.stack import Stack
from tests.support.cli import ok, run
from tests.support.git import Git, Repository
from tests.support.stacks import listed

NULL = "0" * 40
READING = ["tables", "segments", "refs", "logs", "print"]


@pytest.fixture
def history(git: Git, tmp_path: Path) -> Repository:
    """Commits in odd zones, branches, a tag, a symref, deletions: every transaction a table of its own."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    for number, zone in enumerate(["+0530", "-0330", "+1245", "+0000"]):
        repo.commit(f"commit number {number}", date=f"{1700000000 + 1000 * number} {zone}")
    repo.branch("topic/one", "HEAD~1")
    repo.branch("topic/two", "HEAD~2")
    repo.tag("v1.0", "HEAD~1")
    repo.git("symbolic-ref", "refs/heads/alias", "refs/heads/topic/two")
    repo.git("branch", "-q", "-D", "topic/one")
    repo.branch("größe/日本", "HEAD")
    return repo


def expected_ref_lines(repo: Repository) -> list[bytes]:
    return [
        b"ref: %s %s" % (ref.target, name)
        if ref.target is not None
        else b"%s %s" % ((ref.value or b"").hex().encode(), name)
        for name, ref in sorted(repo.refs(root=True).items())
    ]


def test_refs_prints_what_git_lists(history: Repository) -> None:
    assert ok("refs", history.path).lines == expected_ref_lines(history)


@pytest.mark.parametrize("place", [".", ".git", ".git/reftable"])
def test_any_path_to_the_repository_will_do(history: Repository, place: str) -> None:
    assert ok("refs", history.path / place).lines == expected_ref_lines(history)


def test_the_path_is_here_by_default(history: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(history.path)
    assert ok("refs").lines == expected_ref_lines(history)


def test_refs_as_json_carry_every_field(history: Repository) -> None:
    tables = {table["name"]: table for table in ok("tables", history.path, "--json").objects}
    objects = ok("refs", history.path, "--json").objects
    assert [record["name"].encode() for record in objects] == sorted(history.refs(root=True))
    for record in objects:
        ref = history.refs(root=True)[record["name"].encode()]
        table = tables[record.pop("table")]
        assert table["min_update_index"] <= record.pop("update_index") <= table["max_update_index"]
        assert record == {
            "name": record["name"],
            "type": "symref" if ref.target else "val2" if ref.peeled else "val1",
            "value": ref.value.hex() if ref.value else None,
            "peeled": ref.peeled.hex() if ref.peeled else None,
            "target": ref.target.decode() if ref.target else None,
        }


def test_prefix_selects_refs_whose_names_begin_with_it(history: Repository) -> None:
    lines = ok("refs", history.path, "--prefix", "refs/heads/t").lines
    assert [line.split()[-1] for line in lines] == [b"refs/heads/topic/two"]
    assert ok("refs", history.path, "--prefix", "refs/heads/zz").lines == []
    assert ok("refs", history.path, "--prefix", "").lines == expected_ref_lines(history)


def test_points_at_finds_values_and_peeled_values(history: Repository) -> None:
    tag, commit = history.oid("refs/tags/v1.0"), history.oid("HEAD~1")
    for oid in (tag, commit):
        names = [
            record["name"] for record in ok("refs", history.path, "--points-at", oid.hex(), "--json").objects
        ]
        assert names == ["refs/tags/v1.0"]
    at_head = ok("refs", history.path, "--points-at", history.oid("HEAD").hex()).lines
    # HEAD is a symbolic ref to the last one.
    assert [line.split()[-1].decode() for line in at_head] == [
        "HEAD",
        "refs/heads/größe/日本",
        "refs/heads/main",
    ]
    head = history.oid("HEAD").hex().upper()
    assert ok("refs", history.path, "--points-at", head, "--prefix", "refs/heads/main").lines == at_head[2:]


def test_points_at_does_not_find_what_is_shadowed(history: Repository) -> None:
    old = history.oid("HEAD~3").hex()
    assert ok("refs", history.path, "--points-at", old).lines == []
    assert len(ok("refs", history.path, "--points-at", old, "--table", "1").lines) == 1


@pytest.mark.parametrize("oid", ["", "abc", "x" * 40, "0" * 64])
def test_points_at_takes_refs_and_full_ids_of_the_stacks_hash_only(history: Repository, oid: str) -> None:
    done = run("refs", history.path, "--points-at", oid)
    assert done.code == 2
    assert "nor 40 hexadecimal digits" in done.err


def test_points_at_takes_sha256_ids_in_a_sha256_repository(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo", "sha256")
    oid = repo.commit().hex()
    assert ok("refs", repo.path, "--points-at", oid).lines[1:] == [f"{oid} refs/heads/main".encode()]
    assert (
        ok("tables", repo.path, "--json").objects[0] | {"version": 2, "hash": "sha256"}
        in ok("tables", repo.path, "--json").objects
    )


def test_as_of_is_the_view_that_git_had_then(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    moments: list[tuple[int, list[bytes]]] = []
    for step in range(5):
        repo.commit(f"step {step}")
        repo.branch(f"b{step}")
        if step > 1:
            repo.git("branch", "-q", "-D", f"b{step - 2}")
        last = ok("tables", repo.path, "--json").objects[-1]["max_update_index"]
        moments.append((last, expected_ref_lines(repo)))
    for index, lines in moments:
        assert ok("refs", repo.path, "--as-of", str(index)).lines == lines
    assert ok("refs", repo.path, "--as-of", "0").lines == []
    assert ok("refs", repo.path, "--as-of", str(10**20)).lines == moments[-1][1]


def test_table_shows_what_one_table_holds(history: Repository) -> None:
    names = [table["name"] for table in ok("tables", history.path, "--json").objects]
    for position, name in enumerate(names):
        everything = ok("refs", history.path, "--table", name, "--deletions", "--json").objects
        assert everything
        assert {record["table"] for record in everything} == {name}
        unique = name.removesuffix(".ref").rsplit("-", 1)[1]
        for how in (str(position), unique):
            assert ok("refs", history.path, "--table", how, "--deletions", "--json").objects == everything


@pytest.mark.parametrize("name", ["no-such-table", "0x0", "99", "1234567", ""])
def test_a_table_that_is_none_or_several_is_a_usage_error(history: Repository, name: str) -> None:
    done = run("refs", history.path, "--table", name)
    assert done.code == 2
    assert "of this stack" in done.err


def test_a_table_that_the_list_does_not_name_is_read_by_its_name_or_path(history: Repository) -> None:
    """An orphan, whole and damaged: what it holds can be compared, and be written with add."""
    first, second, *others = (history.reftable / "tables.list").read_text().split()
    held = ok("refs", "--table", second, history.path).out
    entries = ok("logs", "--table", second, history.path).out
    (history.reftable / "tables.list").write_text("".join(f"{name}\n" for name in (first, *others)))
    assert ok("refs", "--table", second, history.path).out == held != b""
    assert ok("logs", "--table", second, history.path).out == entries != b""
    assert ok("refs", "--table", str(history.reftable / second), history.path).out == held
    assert second.encode() in ok("layout", "--table", second, history.path).out
    path = history.reftable / second
    path.write_bytes(path.read_bytes()[:-10])
    done = run("refs", "--table", second, history.path)
    assert (done.code, done.out) == (3, held)
    assert second in done.err


def test_table_and_as_of_are_two_views(history: Repository) -> None:
    assert run("refs", history.path, "--table", "0", "--as-of", "1").code == 2


def test_deletions_are_shown_on_request_and_marked(history: Repository) -> None:
    plain = ok("refs", history.path).lines
    everything = ok("refs", history.path, "--deletions").lines
    assert [line for line in everything if line not in plain] == [b"deleted refs/heads/topic/one"]
    deleted = [
        record
        for record in ok("refs", history.path, "--deletions", "--json").objects
        if record["type"] == "deletion"
    ]
    assert [(record["name"], record["value"], record["peeled"], record["target"]) for record in deleted] == [
        ("refs/heads/topic/one", None, None, None)
    ]


def reflog_lines(repo: Repository, ref: str) -> list[bytes]:
    """Return the reflog of `ref` as lines of a reflog file, newest first."""
    entries = repo.reflog(ref)
    olds = [entry.new for entry in entries[1:]] + [bytes(20)]
    return [
        f"{old.hex()} {entry.new.hex()} {entry.committer.decode()} <{entry.email.decode()}> "
        f"{entry.time} {entry.tz:+05d}\t{entry.message.decode()}".encode().removesuffix(b"\t")
        for entry, old in zip(entries, olds, strict=True)
    ]


def test_logs_of_a_ref_are_gits_reflog(history: Repository) -> None:
    for ref in ("HEAD", "refs/heads/main", "refs/heads/topic/two"):
        lines = ok("logs", history.path, "--ref", ref).lines
        assert lines == reflog_lines(history, ref)
    zones = [line.split(b"\t")[0].split()[-1] for line in ok("logs", history.path, "--ref", "HEAD").lines]
    assert zones == [b"+0000", b"+1245", b"-0330", b"+0530"]


def test_logs_of_all_refs_name_the_ref_first(history: Repository) -> None:
    refs = ["HEAD", "refs/heads/alias", "refs/heads/größe/日本", "refs/heads/main", "refs/heads/topic/two"]
    expected = [ref.encode() + b" " + line for ref in refs for line in reflog_lines(history, ref)]
    assert ok("logs", history.path).lines == expected


def test_logs_of_a_ref_that_begins_like_another_are_its_own(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    for name in ("a", "a-b", "aa"):
        repo.branch(name)
    assert len(ok("logs", repo.path, "--ref", "refs/heads/a").lines) == 1
    for name in ("refs/heads/", "", "refs/heads/nope"):
        done = run("logs", repo.path, "--ref", name)
        assert (done.code, done.out) == (1, b"")
        assert "there is no reflog of that name" in done.err


def test_logs_as_json_carry_what_is_stored(history: Repository) -> None:
    objects = ok("logs", history.path, "--ref", "HEAD", "--json").objects
    assert [(entry["time"], entry["tz"]) for entry in objects] == [
        (1700003000, 0),
        (1700002000, 1245),
        (1700001000, -330),
        (1700000000, 530),
    ]
    oldest = objects[-1]
    tables = [table["name"] for table in ok("tables", history.path, "--json").objects]
    assert oldest.pop("table") in tables
    assert oldest == {
        "name": "HEAD",
        "update_index": 2,
        "type": "update",
        "old": NULL,
        "new": history.oid("HEAD~3").hex(),
        "committer": "A U Thor",
        "email": "author@example.com",
        "time": 1700000000,
        "tz": 530,
        "message": "commit (initial): commit number 0\n",
    }


def test_deleted_log_entries_are_shown_on_request(history: Repository) -> None:
    assert not [line for line in ok("logs", history.path).lines if b"topic/one" in line]
    gone = [line for line in ok("logs", history.path, "--deletions").lines if b"topic/one" in line]
    objects = ok("logs", history.path, "--deletions", "--ref", "refs/heads/topic/one", "--json").objects
    assert [(entry["type"], entry["old"], entry["time"]) for entry in objects] == [("deletion", None, None)]
    assert gone == [f"refs/heads/topic/one deleted {objects[0]['update_index']}".encode()]


def test_logs_of_one_table(history: Repository) -> None:
    first = ok("logs", history.path, "--table", "1", "--json").objects
    assert [(entry["name"], entry["update_index"]) for entry in first] == [
        ("HEAD", 2),
        ("refs/heads/main", 2),
    ]


def test_trace_shows_every_version_and_the_one_that_wins(history: Repository) -> None:
    versions = ok("trace", "refs/heads/main", history.path, "--json").objects
    commits = [history.oid(f"HEAD~{back}").hex() for back in range(4)]
    assert [version["value"] for version in versions] == commits
    assert [version["wins"] for version in versions] == [True, False, False, False]
    assert [version["type"] for version in versions] == ["val1"] * 4
    positions = [table["name"] for table in ok("tables", history.path, "--json").objects]
    assert [positions.index(version["table"]) for version in versions] == [4, 3, 2, 1]
    assert {"name", "offset", "update_index", "peeled", "target"} <= versions[0].keys()


def test_trace_shows_that_a_deletion_wins(history: Repository) -> None:
    versions = ok("trace", "refs/heads/topic/one", history.path, "--json").objects
    assert [(version["type"], version["wins"]) for version in versions] == [
        ("deletion", True),
        ("val1", False),
    ]
    heading, newest, oldest = ok("trace", "refs/heads/topic/one", history.path).out.decode().splitlines()
    assert heading.split() == ["update", "index", "#", "table", "offset", "value"]
    assert newest.startswith("wins")
    assert newest.endswith("deleted")
    assert oldest.endswith(versions[1]["value"])


def test_trace_names_targets_and_peeled_values(history: Repository) -> None:
    assert ok("trace", "HEAD", history.path).lines[1].endswith(b"ref: refs/heads/main")
    peeled = history.oid("HEAD~1").hex().encode()
    assert ok("trace", "refs/tags/v1.0", history.path).lines[1].endswith(b" (peels to %s)" % peeled)


def test_trace_of_an_unknown_ref_finds_nothing_and_says_so(history: Repository) -> None:
    done = run("trace", "refs/heads/nowhere", history.path)
    assert (done.code, done.out) == (1, b"")
    assert "no table of the stack has a version of it" in done.err


def test_print_is_what_gits_test_tool_dumps(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    commit = repo.commit("one", date="1700000000 -0330").hex()
    tag = repo.tag("v1").hex()
    repo.branch("gone")
    repo.git("branch", "-q", "-D", "gone")
    update = (
        f"A U Thor <author@example.com> 1700000000 -330\n{NULL} => {commit}\n\ncommit (initial): one\n\n}}\n"
    )
    assert ok("print", repo.path).out.decode() == (
        "ref{HEAD(1) => refs/heads/main}\n"
        f"ref{{refs/heads/main(2) val 1 {commit}}}\n"
        f"ref{{refs/tags/v1(3) val 2 {tag}(T {commit})}}\n"
        f"log{{HEAD(2) {update}"
        f"log{{refs/heads/main(2) {update}"
    )


def test_print_as_json_is_refs_then_logs_with_their_kind(history: Repository) -> None:
    objects = ok("print", history.path, "--json").objects
    refs = ok("refs", history.path, "--json").objects
    logs = ok("logs", history.path, "--json").objects
    assert objects == [{"kind": "ref", **ref} for ref in refs] + [{"kind": "log", **log} for log in logs]


def test_tables_are_the_lines_of_the_list(history: Repository) -> None:
    objects = ok("tables", history.path, "--json").objects
    names = listed(history.reftable)
    assert [table["name"] for table in objects] == names
    for position, table in enumerate(objects):
        assert table == {
            "name": names[position],
            "size": (history.reftable / names[position]).stat().st_size,
            "version": 1,
            "hash": "sha1",
            "block_size": 4096,
            "min_update_index": position + 1,
            "max_update_index": position + 1,
            "position": position,
        }
    text = ok("tables", history.path).out.decode().splitlines()
    assert [line.split()[1] for line in text[1:]] == names


def test_segments_shows_both_rules(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo", config={"reftable.geometricFactor": 3}, auto_compaction=False)
    repo.commit()
    repo.update_refs([f"create refs/heads/b{number} HEAD" for number in range(200)])
    for number in range(3):
        repo.branch(f"c{number}")
    [found] = ok("segments", repo.path, "--json").objects
    sizes = [table["size"] - 68 - 23 for table in ok("tables", repo.path, "--json").objects]
    assert found["sizes"] == sizes
    log2, geometric = suggest_compaction_segment(sizes), suggest_geometric_segment(sizes, 3)

    def described(segment: Segment) -> dict[str, int]:
        return {"start": segment.start, "end": segment.end, "bytes": segment.bytes}

    assert found["geometric"] == {"factor": 3, "suggestion": described(geometric)}
    assert found["log2"]["suggestion"] == described(log2)
    assert [(segment["start"], segment["end"]) for segment in found["log2"]["segments"]] == [
        (0, 1),
        (1, 2),
        (2, 3),
        (3, 6),
    ]
    assert set(found["log2"]["segments"][0]) == {"start", "end", "log", "bytes"}
    text = ok("segments", repo.path).out.decode()
    assert f"compact --range {log2.start}:{log2.end}" in text
    assert "geometric, factor 3: merge tables" in text


def test_segments_of_one_table_suggest_nothing(repo: Repository) -> None:
    [found] = ok("segments", repo.path, "--json").objects
    assert (found["log2"]["suggestion"], found["geometric"]["suggestion"]) == (None, None)
    assert ok("segments", repo.path).out.count(b"nothing to merge") == 2


@pytest.mark.parametrize("is_there", [True, False])
def test_segments_of_a_stack_that_has_lost_its_list_are_not_said_to_be_none(
    repo: Repository, is_there: bool
) -> None:
    sizes = ok("segments", repo.path, "--json").objects[0]["sizes"]
    (repo.reftable / "tables.list").unlink()
    if is_there:
        (repo.reftable / "tables.list").touch()
    done = run("segments", repo.path, "--json")
    assert done.code == 3
    assert done.objects[0]["sizes"] == sizes
    assert b"nothing to merge" not in run("segments", repo.path).out
    assert "see the verbs fsck and repair" in done.err


@pytest.mark.parametrize("damage", ["cut off", "gone"])
def test_segments_of_a_damaged_stack_are_its_sizes_and_no_suggestion(
    git: Git, tmp_path: Path, damage: str
) -> None:
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    oid = repo.commit().hex()
    for number in range(3):
        repo.update_refs([f"create refs/heads/{number} {oid}"])
    [before] = ok("segments", repo.path, "--json").objects
    assert before["geometric"]["suggestion"] is not None
    table = repo.reftable / listed(repo.reftable)[1]
    if damage == "gone":
        table.unlink()
    else:
        os.truncate(table, 100)
    done = run("segments", repo.path, "--json")
    assert (done.code, len(done.objects)) == (3, 1)
    [found] = done.objects
    sizes = before["sizes"]
    assert found["sizes"] == [sizes[0], 0 if damage == "gone" else 100 - 68 - 23, *sizes[2:]]
    assert found["log2"] == {"segments": [], "suggestion": None}
    assert found["geometric"] == {"factor": 2, "suggestion": None}
    assert table.name in done.err
    assert "what the rules would merge is not told" in done.err
    text = run("segments", repo.path)
    assert text.code == 3
    assert len(text.lines) == 1 + len(sizes)


def test_an_empty_stack_has_empty_answers(tmp_path: Path) -> None:
    stack = tmp_path / "reftable"
    stack.mkdir()
    (stack / "tables.list").touch()
    for verb in ("tables", "refs", "logs", "print"):
        assert ok(verb, stack, "--json").out == b""
        assert ok(verb, stack).out == b""
    assert "the stack is empty" in ok("tables", stack).err
    assert ok("segments", stack, "--json").objects[0]["sizes"] == []
    assert ok("segments", stack).out.count(b"nothing to merge") == 2


def test_names_that_are_not_utf8_come_back_from_json_and_from_text(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    name = b"refs/heads/caf\xe9-\xff"
    repo.git("update-ref", name, "HEAD")
    line = ok("refs", repo.path, "--json", "--prefix", "refs/heads/caf").out
    assert rb"caf\udce9-\udcff" in line
    [record] = ok("refs", repo.path, "--json", "--prefix", "refs/heads/caf").objects
    assert record["name"].encode("utf-8", "surrogateescape") == name
    assert ok("refs", repo.path, "--prefix", "refs/heads/caf").lines[0].endswith(b" " + name)
    # As an argument the name is what a shell hands over: bytes that are smuggled through as surrogates.
    assert len(ok("trace", record["name"], repo.path, "--json").objects) == 1
    assert len(ok("refs", repo.path, "--prefix", record["name"]).lines) == 1


def test_a_linked_worktree_has_a_stack_of_its_own(git: Git, tmp_path: Path) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    repo.branch("side")
    repo.git("worktree", "add", "-q", tmp_path / "linked", "side")
    head_of_linked = [b"ref: refs/heads/side HEAD"]
    assert [
        line for line in ok("refs", tmp_path / "linked").lines if line.endswith(b" HEAD")
    ] == head_of_linked
    assert [
        line for line in ok("refs", repo.path, "--worktree", "linked").lines if line.endswith(b" HEAD")
    ] == head_of_linked
    assert ok("refs", tmp_path / "linked", "--worktree", "main").lines == ok("refs", repo.path).lines
    unknown = run("refs", repo.path, "--worktree", "nowhere")
    assert unknown.code == 2
    assert "there is main, linked" in unknown.err


def directory_state(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        path.name: (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
        for path in sorted(directory.iterdir())
    }


LOOKING = [
    *([verb] for verb in READING),
    ["trace", "HEAD"],
    ["compact", "--dry-run"],
    ["compact", "--auto", "--dry-run"],
    ["expire", "--before", "now", "--dry-run"],
    ["clean", "--dry-run"],
]


@pytest.mark.parametrize("verb", LOOKING, ids=" ".join)
def test_looking_removes_no_table_that_is_listed_no_more(
    history: Repository, verb: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = listed(history.reftable)
    close = Stack.close

    def overtaken(stack: Stack) -> None:
        # What another process's compaction does, up to the moment when it removes the tables itself.
        (history.reftable / "tables.list").write_text("".join(f"{name}\n" for name in names[:-1]))
        close(stack)

    monkeypatch.setattr(Stack, "close", overtaken)
    ok(*verb, history.path)
    assert (history.reftable / names[-1]).exists()


@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
def test_looking_writes_nothing_and_asks_for_no_lock(history: Repository, json: list[str]) -> None:
    names = listed(history.reftable)
    for name in ("tables.list", names[0]):
        (history.reftable / f"{name}.lock").touch()
    # An orphan, as a writable handle may remove on leaving.
    (history.reftable / "0x000000000001-0x000000000001-00000000.ref").write_bytes(
        (history.reftable / names[0]).read_bytes()
    )
    before = (directory_state(history.reftable), history.reftable.stat().st_mtime_ns)
    for verb in LOOKING:
        ok(*verb, history.path, *json)
    assert (directory_state(history.reftable), history.reftable.stat().st_mtime_ns) == before


@pytest.mark.parametrize("verb", [*READING, "compact", "clean"])
def test_json_is_one_ascii_object_a_line(history: Repository, verb: str) -> None:
    done = ok(verb, history.path, "--json")
    assert done.out.isascii()
    assert done.out.endswith(b"}\n")
    assert all(isinstance(record, dict) for record in done.objects)
