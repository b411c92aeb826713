"""Where a ref leads, and names that are no bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ApiError
from engine.format import RefRecord
from engine.stack import Resolved, Stack, follow

OID = b"\x01" * 20


def _refs(links: int) -> dict[bytes, RefRecord]:
    """So many symbolic refs, each naming the next, before one with an object id."""
    chain = {b"%d" % at: RefRecord(b"%d" % at, 1, target=b"%d" % (at + 1)) for at in range(links)}
    return chain | {b"%d" % links: RefRecord(b"%d" % links, 1, OID)}


def test_five_refs_are_read_and_no_more_as_in_git() -> None:
    assert follow(_refs(0).get, b"0") == Resolved(b"0", OID, (b"0",), "id")
    assert follow(_refs(4).get, b"0") == Resolved(b"4", OID, (b"0", b"1", b"2", b"3", b"4"), "id")
    assert follow(_refs(5).get, b"0").end == "endless"


def test_a_ref_that_names_none_has_an_end_that_is_missing() -> None:
    refs = {b"HEAD": RefRecord(b"HEAD", 1, target=b"refs/heads/main")}
    unborn = follow(refs.get, b"HEAD")
    assert unborn == Resolved(b"refs/heads/main", None, (b"HEAD", b"refs/heads/main"), "missing")
    assert unborn.is_symref
    assert not follow(refs.get, b"refs/heads/main").is_symref


def test_a_name_that_is_no_bytes_is_refused_with_the_bytes_that_it_would_be(tmp_path: Path) -> None:
    with Stack.open(tmp_path) as stack:
        for read in (stack.read_ref, stack.read_log, stack.refs, stack.logs, stack.refs_for):
            with pytest.raises(ApiError, match="are bytes: b'HEAD' instead of 'HEAD'"):
                read("HEAD")  # type: ignore[arg-type]
        with pytest.raises(ApiError, match="are bytes, not 7"):
            stack.read_ref(7)  # type: ignore[arg-type]
