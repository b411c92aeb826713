"""What the columns of refs and of log entries show in narrow, usual and wide terminals."""

from __future__ import annotations

import pytest

from engine.format import RefRecord
from inspector.tui.cells import fitted_value, name_text
from inspector.tui.widgets.record_pane import LogsPane, RefsPane
from inspector.tui.widgets.virtual_list import fit_columns


@pytest.mark.parametrize(
    ("name", "width", "expected"),
    [
        (b"refs/heads/main", 15, "refs/heads/main"),
        (b"refs/heads/main", 14, "…heads/main"),
        (b"refs/heads/main", 11, "…heads/main"),
        (b"refs/heads/main", 10, "…main"),
        (b"refs/heads/team/topic", 12, "…team/topic"),
        (b"refs/heads/team/topic", 8, "…topic"),
        (b"HEAD", 4, "HEAD"),
        (b"refs/heads/\xff\x1b", 12, "…\\xff\\x1b"),
        (b"", 5, ""),
        (b"refs/heads/topic/a-rather-long-name-14", 24, "…a-rather-long-name-14"),
        ("refs/heads/日本語/ブランチ-14".encode(), 12, "…ブランチ-14"),
    ],
)
def test_a_name_that_is_too_long_loses_what_most_names_begin_with(
    name: bytes, width: int, expected: str
) -> None:
    assert name_text(name, width) == expected


def test_a_target_that_is_too_long_keeps_its_end() -> None:
    record = RefRecord(b"HEAD", 1, target=b"refs/heads/joe/fix-contour-lines")
    assert fitted_value(record, 40) == "-> refs/heads/joe/fix-contour-lines"
    assert fitted_value(record, 28) == "-> …joe/fix-contour-lines"
    assert fitted_value(record, 21) == "-> …fix-contour-lines"
    assert fitted_value(record, 16) == "-> …fix…ur-lines"


def fitted(pane: type[RefsPane | LogsPane], width: int) -> dict[str, int]:
    return {column.title: cells for column, cells in fit_columns(pane._columns((), ()), width)}


def test_the_message_has_room_and_what_says_less_goes_first() -> None:
    narrow = fitted(LogsPane, 76)
    assert narrow.keys() == {"ref", "new", "message", "time"}
    assert narrow["message"] >= 32
    assert fitted(LogsPane, 132).keys() == {"ref", "index", "old", "new", "message", "time", "who", "table"}
    assert sum(fitted(LogsPane, 132).values()) == 132 - 7
    assert fitted(RefsPane, 132)["value"] >= 40, "a whole id of SHA-1"
