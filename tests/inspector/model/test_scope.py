"""Scopes: which tables they mean in each state of a stack, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.format import RefRecord
from engine.stack import Stack
from inspector.model import AsOf, OneTable, Scope, WholeStack
from tests.support.screens import branch, make_stack, open_session
from tests.support.tables import oid


@pytest.mark.parametrize(
    ("scope", "tables", "label"),
    [
        (WholeStack(), 3, "merged view"),
        (AsOf(0), 0, "as of 0 (0 of 3 tables)"),
        (AsOf(2), 2, "as of 2 (2 of 3 tables)"),
        (AsOf(99), 3, "as of 99 (3 of 3 tables)"),
        (OneTable("0x000000000002-0x000000000002-00005eed.ref"), 1, "#1 …00005eed"),
    ],
)
def test_a_scope_means_tables_and_has_a_label(tmp_path: Path, scope: Scope, tables: int, label: str) -> None:
    directory = make_stack(
        tmp_path / "reftable", *[([RefRecord(branch(1), index, oid(index))], []) for index in (1, 2, 3)]
    )
    with open_session(directory) as session:
        merged = scope.resolve(session.view)
        assert merged is not None
        assert len(merged.tables) == tables
        assert scope.label(session.view) == label


def test_a_moment_that_a_compaction_has_merged_away_is_not_said_to_be_shown(tmp_path: Path) -> None:
    directory = make_stack(
        tmp_path / "reftable", *[([RefRecord(branch(1), index, oid(index))], []) for index in (1, 2, 3)]
    )
    with Stack.open(directory) as stack:
        stack.compact(1, 3)
    with open_session(directory) as session:
        assert AsOf(2).label(session.view) == "as of 1, 2 is inside a table (1 of 2 tables)"
        assert AsOf(3).label(session.view) == "as of 3 (2 of 2 tables)"


def test_a_table_that_is_gone_means_nothing_and_is_called_so(tmp_path: Path) -> None:
    with open_session(make_stack(tmp_path / "reftable")) as session:
        gone = OneTable("0x000000000002-0x000000000002-00005eed.ref")
        assert gone.resolve(session.view) is None
        assert gone.label(session.view) == "…00005eed (gone)"
