"""Ref names: git's grammar of one name, and directory/file conflicts between names."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator

import pytest
from hypothesis import example, given, strategies as st

from engine.errors import NameConflictError, RefnameError
from engine.format import RefRecord, check_conflicts, check_refname, is_refname
from tests.support.git import Git

# Pieces that the rules speak of, and enough ordinary ones between them that names pass, too.
PIECES = st.sampled_from(b"a refs HEAD x-y / // . .. .lock lock @ @{ { } \xff \xc3\xa9 \x80".split())
AWKWARD_BYTES = st.integers(1, 255).map(lambda byte: bytes([byte]))
NAMES = st.lists(PIECES | PIECES | PIECES | AWKWARD_BYTES, max_size=6).map(b"".join)


@given(names=st.lists(NAMES, min_size=3, max_size=3))
@example(names=[b"", b"@", b"@@", b"a@", b"@/a"])
@example(names=[b"a./b", b"a/b.", b"a.lock", b"a.lock/b", b"a.lockx/b"])
@example(names=[b".lock", b"lock", b"a\x7f", b"a\x80", b"a b"])
def test_check_refname_agrees_with_git_check_ref_format(git: Git, names: list[bytes]) -> None:
    for name in names:
        if name.startswith(b"-"):
            continue  # git takes it for an option
        said = git.run("check-ref-format", "--allow-onelevel", name, check=False).returncode
        assert said in (0, 1)
        assert is_refname(name) == (said == 0), name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (b"", "empty"),
        (b"@", "another way to write HEAD"),
        (b"/a", "empty component"),
        (b"a/", "empty component"),
        (b"a//b", "empty component"),
        (b"refs/.hidden", "begins with a dot"),
        (b".", "begins with a dot"),
        (b"a..b", "two dots"),
        (b"a.", "end with a dot"),
        (b"a/b.lock", "'.lock'"),
        (b"a.lock/b", "'.lock'"),
        (b"a@{1}", "'@{'"),
        (b"a b", "a space (byte 1)"),
        (b"refs/\x1b[31m", "control character 0x1b (byte 5)"),
        (b"a\x7f", "control character 0x7f (byte 1)"),
        (b"a\0b", "control character 0x00 (byte 1)"),
        (b"a\\b", "'\\' (byte 1)"),
        (b"refs/heads/*", "'*' (byte 11)"),
    ],
)
def test_check_refname_says_what_is_wrong(name: bytes, reason: str) -> None:
    with pytest.raises(RefnameError) as caught:
        check_refname(name)
    assert reason in caught.value.reason
    assert caught.value.name == name


def test_check_refname_takes_one_level_names_and_bytes_that_are_no_utf_8() -> None:
    check_refname(b"HEAD")
    check_refname(b"refs/heads/\xff\xfe")


class Refs:
    """The names that exist, counting how often a walk over them is begun."""

    def __init__(self, *names: bytes) -> None:
        self.names = sorted(names)
        self.seeks = 0

    def refs_from(self, start: bytes) -> Iterator[list[RefRecord]]:
        self.seeks += 1
        for at in range(bisect_left(self.names, start), len(self.names), 64):
            yield [RefRecord(name, 1) for name in self.names[at : at + 64]]


def conflict(
    existing: Collection[bytes], added: Collection[bytes], removed: Collection[bytes] = ()
) -> tuple[bytes, bytes] | None:
    try:
        check_conflicts(added, removed, Refs(*existing).refs_from)
    except NameConflictError as error:
        return error.name, error.other
    return None


@pytest.mark.parametrize(
    ("existing", "added", "expected"),
    [
        ([b"a/b"], b"a", (b"a", b"a/b")),
        ([b"a/b"], b"a/b/c", (b"a/b/c", b"a/b")),
        ([b"a/b"], b"a/b", None),
        ([b"a/b"], b"a/c", None),
        ([b"a/b"], b"a-b", None),
        ([b"a/b"], b"a/", None),
        ([b"a", b"a-b", b"a0"], b"a-c/d", None),
        # "-" sorts before "/": what lies below a name does not follow it directly.
        ([b"a-1", b"a-2", b"a/b"], b"a", (b"a", b"a/b")),
        ([b"refs/heads/x/y/z"], b"refs/heads/x", (b"refs/heads/x", b"refs/heads/x/y/z")),
        ([b"refs"], b"refs/heads/x", (b"refs/heads/x", b"refs")),
        ([], b"refs/heads/x", None),
    ],
)
def test_check_conflicts_finds_a_name_that_is_a_directory_of_another(
    existing: list[bytes], added: bytes, expected: tuple[bytes, bytes] | None
) -> None:
    assert conflict(existing, [added]) == expected


def test_check_conflicts_ignores_names_deleted_by_the_same_transaction() -> None:
    assert conflict([b"a/b"], [b"a"], [b"a/b"]) is None
    assert conflict([b"a"], [b"a/b"], [b"a"]) is None
    assert conflict([b"a/b", b"a/c", b"a/d"], [b"a"], [b"a/b", b"a/c"]) == (b"a", b"a/d")


def test_check_conflicts_compares_the_additions_with_each_other() -> None:
    assert conflict([], [b"a/b", b"a"]) == (b"a/b", b"a")
    assert conflict([], [b"a", b"a-", b"a/b/c"]) == (b"a/b/c", b"a")
    assert conflict([], [b"a/b", b"a/c", b"a-"]) is None


def test_check_conflicts_leaves_existing_conflicts_between_untouched_names_alone() -> None:
    assert conflict([b"a", b"a/b"], [b"c"]) is None


COMPONENTS = st.lists(st.sampled_from([b"a", b"a-", b"a0", b"b"]), min_size=1, max_size=4)
NAME_SETS = st.sets(COMPONENTS.map(b"/".join), max_size=12)


@given(existing=NAME_SETS, added=NAME_SETS, removed=NAME_SETS)
def test_check_conflicts_agrees_with_comparing_every_pair(
    existing: set[bytes], added: set[bytes], removed: set[bytes]
) -> None:
    removed -= added
    there = (existing - removed) | added
    pairs = {(name, other) for name in added for other in there if name.startswith(other + b"/")}
    pairs |= {(name, other) for name in added for other in there if other.startswith(name + b"/")}
    found = conflict(existing, added, removed)
    assert (found in pairs) if pairs else (found is None)


def _numbered(count: int) -> list[bytes]:
    return [b"refs/heads/%06d" % number for number in range(count)]


@pytest.mark.parametrize(
    ("existing", "added", "seeks"),
    [
        (_numbered(0), _numbered(5_000), 1),
        (_numbered(1), _numbered(5_000), 1),
        (_numbered(5_000), _numbered(5_000), 1),
        (_numbered(5_000), [b"refs/heads/002500"], 2),
        (_numbered(5_000), [b"refs/heads/000000", b"refs/heads/002500", b"refs/heads/004999"], 3),
    ],
)
def test_check_conflicts_seeks_only_across_gaps(
    existing: list[bytes], added: list[bytes], seeks: int
) -> None:
    refs = Refs(*existing)
    check_conflicts(added, (), refs.refs_from)
    assert refs.seeks == seeks


def test_check_conflicts_reads_no_further_than_it_must() -> None:
    read: list[RefRecord] = []

    def refs_from(start: bytes) -> Iterator[list[RefRecord]]:
        for refs in Refs(*_numbered(5_000)).refs_from(start):
            read.extend(refs)
            yield refs

    check_conflicts([b"refs/heads/002500"], (), refs_from)
    assert len(read) < 300
