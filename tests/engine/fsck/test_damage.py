"""fsck on small tables in which every byte was wrong once, and that were cut anywhere.

What no check can know is a table that some writer could have written: with other refs, but every byte as it
would be then. Exactly that is what is let pass here. Whenever a damaged table answers any question otherwise
than the sound one, either fsck reports an error, or the refs and logs that are read from it, written anew,
give the same bytes again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from engine.errors import FormatError
from engine.format import footer_size, header_size
from engine.fsck import Severity, fsck
from engine.table import Table
from tests.hostile.ordeal import overwrite
from tests.support.damage import flipped, with_checksum, written_anew
from tests.support.findings import NOW, codes, findings, write_stack
from tests.support.tables import oid
from tests.support.thinning import ALL, THOROUGH, thinned
from tests.support.victims import VICTIMS, Victim

# Every bit in the long run, the telling ones in the short.
MASKS = [1 << bit for bit in range(8)] if THOROUGH else [0x01, 0x80]
MASKS += [0xFF]


@pytest.fixture(params=VICTIMS)
def victim(request: pytest.FixtureRequest) -> Victim:
    """Each of the tables."""
    return VICTIMS[request.param]


@pytest.fixture
def path(tmp_path: Path, victim: Victim) -> Path:
    """A stack of that table alone."""
    path = write_stack(tmp_path, victim.refs, victim.logs, victim.options)
    assert not [code for code in codes(tmp_path) if code != "symref-dangling"]
    return path


def ask(path: Path, victim: Victim) -> dict[str, object]:
    """Return what a table answers to everything that can be asked, errors among the answers."""
    answers: dict[str, object] = {}
    try:
        table = Table.open(path)
    except FormatError:
        return answers
    with table:
        for question, read in _questions(table, victim):
            try:
                answers[question] = read()
            except FormatError:
                answers[question] = FormatError
    return answers


def _questions(table: Table, victim: Victim) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "refs", lambda: list(table.refs())
    yield "logs", lambda: list(table.logs())
    for name in sorted([*victim.names, b"m"]):
        yield f"ref {name!r}", lambda name=name: table.read_ref(name)
        yield f"refs from {name!r}", lambda name=name: next(table.refs(name), None)
        yield f"logs of {name!r}", lambda name=name: list(table.logs(name))
    values = sorted({record.value for record in victim.refs if record.value is not None})
    for value in [*values[:3], oid(999, victim.size)]:
        yield f"refs for {value.hex()}", lambda value=value: list(table.refs_for(value[: table.hash_id.size]))


def verdict(path: Path, victim: Victim, data: bytes, sound: dict[str, object]) -> str:
    """Put bytes in the table's place, and tell what fsck makes of them: `MISSED` if it should say more."""
    overwrite(path, data)
    if any(finding.severity is Severity.ERROR for finding in fsck(path.parent, now=NOW)):
        return "error"
    if ask(path, victim) == sound:
        return "harmless"
    return "valid" if written_anew(path, victim.options) == data else "MISSED"


def test_every_wrong_byte_that_changes_an_answer_is_an_error(path: Path, victim: Victim) -> None:
    data = path.read_bytes()
    sound = ask(path, victim)
    assert written_anew(path, victim.options) == data
    verdicts: Counter[str] = Counter()
    tried = thinned(range(len(data)), 11)
    for position in tried:
        for mask in MASKS:
            found = verdict(path, victim, flipped(data, position, mask), sound)
            assert found != "MISSED", f"byte {position} ^ {mask:#x}"
            verdicts[found] += 1
    # Of the refs, names and values may pass; of the logs and the rest, nothing.
    assert verdicts["error"] > 0.5 * len(tried) * len(MASKS)
    assert bool(verdicts["valid"]) is bool(victim.refs) or not ALL


def test_every_wrong_byte_of_header_and_footer_behind_a_valid_checksum_is_an_error(
    path: Path, victim: Victim
) -> None:
    data = path.read_bytes()
    sound = ask(path, victim)
    offsets = len(data) - footer_size(data[4]) + header_size(data[4])
    for position in [*range(header_size(data[4])), *range(offsets, len(data) - 4)]:
        for mask in MASKS:
            found = verdict(path, victim, with_checksum(flipped(data, position, mask)), sound)
            assert found != "MISSED", f"byte {position} ^ {mask:#x}"
            # Where there is no object section, the length of the ids in it may be anything.
            if position >= offsets and position != offsets + 15:
                assert found == "error", f"byte {position} ^ {mask:#x}"


def test_every_table_that_was_cut_is_an_error(path: Path) -> None:
    data = path.read_bytes()
    for size in thinned(range(len(data)), 11):
        overwrite(path, data[:size])
        assert Severity.ERROR in {finding.severity for finding in findings(path.parent)}, size


def test_every_table_that_was_cut_in_front_of_its_footer_is_an_error(path: Path, victim: Victim) -> None:
    data = path.read_bytes()
    footer = data[-footer_size(data[4]) :]
    for size in thinned(range(header_size(data[4]) + 1, len(data) - len(footer)), 11):
        overwrite(path, data[:size] + footer)
        found = findings(path.parent)
        assert Severity.ERROR in {finding.severity for finding in found}, (size, victim)


def test_holes_are_an_error_or_change_nothing(path: Path, victim: Victim) -> None:
    data = path.read_bytes()
    sound = ask(path, victim)
    for size in (4, 16, 64):
        for start in thinned(range(0, len(data), size), 5):
            hole = data[:start] + bytes(len(data[start : start + size])) + data[start + size :]
            assert verdict(path, victim, hole, sound) != "MISSED", (size, start)


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, bytes]]:
    """A stack for each table, with the bytes of the table."""
    made = {}
    for name, victim in VICTIMS.items():
        path = write_stack(tmp_path_factory.mktemp("stack"), victim.refs, victim.logs, victim.options)
        made[name] = path, path.read_bytes()
    return made


EDITS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True), st.integers(0, 80))
    | st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)),
    min_size=1,
    max_size=4,
)
"""Pieces of one table, or any bytes, that replace others: (where, from where, how much) or (where, bytes)."""


@pytest.mark.timeout(600)
@given(name=st.sampled_from(sorted(VICTIMS)), other=st.sampled_from(sorted(VICTIMS)), edits=EDITS)
def test_tables_spliced_from_pieces_are_errors_or_as_good_as_written(
    stacks: dict[str, tuple[Path, bytes]], name: str, other: str, edits: list[tuple[float, ...]]
) -> None:
    path, data = stacks[name]
    overwrite(path, data)
    sound = ask(path, VICTIMS[name])
    footer = data[-footer_size(data[4]) :]
    body = data[: -len(footer)]
    for place, *rest in edits:
        at = int(place * len(body))
        if isinstance(rest[0], bytes):
            piece = rest[0]
        else:
            start = int(rest[0] * len(stacks[other][1]))
            piece = stacks[other][1][start : start + int(rest[1])]
        body = body[:at] + piece + body[at + len(piece) :]
    data = body + footer
    if len(body) >= header_size(2) and data[4] in (1, 2):
        data = with_checksum(data)
    assert verdict(path, VICTIMS[name], data, sound) != "MISSED"
