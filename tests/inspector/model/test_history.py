"""The history of a stack: what its tables tell, and what each change of it becomes."""

from __future__ import annotations

from pathlib import Path

from inspector.model import history_of_tables
from tests.support.git import Git
from tests.support.travel import open_view


def test_the_tables_tell_which_update_indexes_were_merged(git: Git, tmp_path: Path) -> None:
    """Git's first table is that of HEAD; three commits of one index each are merged with it, one follows."""
    repo = git.init(tmp_path / "repo", auto_compaction=False)
    for number in range(3):
        repo.commit(str(number))
    repo.git("pack-refs", "--all")
    repo.commit("last")
    with open_view(repo.reftable) as view:
        merged, last = history_of_tables(view)
        assert (merged.first, last.first, last.last) == (1, merged.last + 1, merged.last + 1)
        assert (merged.most_transactions, last.most_transactions) == (merged.last, 1)
        sizes = [(table.policy_size, table.size) for table in view.tables]
        assert [(merged.policy_size, merged.size), (last.policy_size, last.size)] == sizes
        assert merged.name == view.tables[0].name
