"""Names of refs that lie below other refs: found in one pass, however the sorted names come in lists."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from engine.errors import shown
from engine.fsck.finding import Report
from engine.fsck.names import begin_with_another
from engine.fsck.whole_stack import RefCheck


def clashes(lists: list[list[bytes]]) -> list[tuple[bytes, str]]:
    found: list[tuple[bytes, str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RefCheck, "_add", lambda _self, _code, name, message: found.append((name, message)))
        check = RefCheck([], Report(), of_worktree=False, of_repository=False, wants_head=False)
        for names in lists:
            check._check_clashes(names, are_plain=not begin_with_another(names))
    return found


@given(
    strategies.sets(strategies.text("a/-", min_size=1, max_size=7).map(str.encode), min_size=1, max_size=40),
    strategies.integers(1, 5),
)
def test_each_ref_that_is_a_directory_of_another_is_told(names: set[bytes], size: int) -> None:
    ordered = sorted(names)
    expected = [
        (name, f"{shown(name)} lies below the ref {shown(other)}")
        for name in ordered
        for other in ordered
        if name.startswith(other + b"/")
    ]
    assert clashes([ordered[at : at + size] for at in range(0, len(ordered), size)]) == expected


def test_names_that_each_begin_with_the_one_before_are_not_held_against_all_of_them() -> None:
    parts = 0

    class Counting(bytes):
        __slots__ = ()

        def __getitem__(self, key: object) -> bytes:
            nonlocal parts
            parts += 1
            return super().__getitem__(key)  # type: ignore[index]

    names: list[bytes] = [Counting(b"refs/heads/" + b"a" * size) for size in range(1, 1001)]
    assert clashes([names]) == []
    assert parts < 2 * len(names)
