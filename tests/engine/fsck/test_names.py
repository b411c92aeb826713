"""What is known of names at once: those that are called plain are, whatever tables they come from."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from hypothesis import given, strategies

from engine.format import RefRecord, may_be_refused
from engine.fsck import Report
from engine.fsck.frame import CheckedTable
from engine.fsck.names import Names, begin_with_another
from engine.fsck.special import Special
from engine.fsck.table import check_table
from engine.merge import merge_columns
from engine.table import WriteOptions
from tests.support.tables import oid, write_table

NAMES = strategies.sets(
    strategies.text("ab/-.@A k\n", min_size=1, max_size=9).map(str.encode), min_size=1, max_size=40
)


def checked(path: Path, refs: Iterable[RefRecord], interval: int = 16) -> Iterator[Names]:
    """The names of a table of these refs, as a check has them block by block."""
    write_table(path, refs, options=WriteOptions(block_size=256, restart_interval=interval))
    report = Report()
    yield from check_table(CheckedTable(path.parent, path.name), report, lambda _position: None)


def is_plain(names: list[bytes]) -> bool:
    """Whether nothing has to be looked at, name by name."""
    return not (
        may_be_refused(names)
        or begin_with_another(names)
        or any(isinstance(name, Special) or name != name.lower() for name in names)
    )


@given(NAMES, strategies.integers(1, 5), strategies.sampled_from(["val1", "symref", "deletion"]))
def test_names_that_a_pass_calls_plain_are(names: set[bytes], interval: int, last: str) -> None:
    refs = [RefRecord(name, 1, oid(at)) for at, name in enumerate(sorted(names))]
    if last != "val1":
        refs[-1] = RefRecord(refs[-1].name, 1, target=b"refs/heads/a" if last == "symref" else None)
    with tempfile.TemporaryDirectory() as place:
        for found in checked(Path(place) / "table.ref", refs, interval):
            assert is_plain(found.keys) or not found.are_plain


def test_usual_names_are_plain(tmp_path: Path) -> None:
    names = [b"refs/heads/team-%02d/topic_%05d" % (at // 10, at) for at in range(100)]
    lists = list(checked(tmp_path / "table.ref", [RefRecord(name, 1, oid(1)) for name in names]))
    assert len(lists) > 3
    assert all(found.are_plain for found in lists)


@given(strategies.lists(NAMES, min_size=1, max_size=4), strategies.integers(1, 9))
def test_plain_names_of_several_tables_are_plain_together_or_not_called_so(
    tables: list[set[bytes]], size: int
) -> None:
    lists: list[list[Names]] = []
    for table in tables:
        names = sorted(table)
        parts = [names[at : at + size] for at in range(0, len(names), size)]
        lists.append([Names(part, are_plain=is_plain(part)) for part in parts])
    merged = list(merge_columns(lists))
    assert [name for found in merged for name in found.keys] == sorted(set().union(*tables))
    assert all(is_plain(found.keys) for found in merged if found.are_plain)


def test_of_equal_names_that_of_the_newest_table_remains() -> None:
    for count in (1, 4):
        older = [Names([b"refs/heads/%d" % at for at in range(5)], are_plain=True)]
        newer = [Names([Special(b"refs/heads/%d" % at, None) for at in range(count)])]
        (found,) = [names for names in merge_columns([older, newer]) if b"refs/heads/0" in names.keys]
        assert [isinstance(name, Special) for name in found.keys[:count]] == [True] * count
