"""Tables in which every byte was wrong once, that were cut anywhere, or put together from pieces.

Whatever the damage, the answer is `FormatError` or a normal one; see `ordeal.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given, strategies as st

from engine.errors import FormatError
from engine.format import (
    LOG,
    REF,
    U64_MAX,
    Footer,
    Header,
    footer_size,
    header_size,
)
from engine.table import Table
from tests.hostile.ordeal import Answers, interrogate, overwrite
from tests.support.damage import flipped, with_checksum
from tests.support.tables import oid
from tests.support.thinning import ALL, THOROUGH, thinned
from tests.support.victims import VICTIMS, Victim

# Every bit in the long run, the telling ones in the short.
MASKS = [1 << bit for bit in range(8)] if THOROUGH else thinned([0x01, 0x80], 2)
MASKS += [0xFF]
STRIDE = 1 if THOROUGH else 11 if ALL else 89


def ask(victim: Victim, path: Path, data: bytes, damage: str = "") -> Answers:
    """Put bytes in the table's place and ask everything; a fault tells of the damage that caused it."""
    overwrite(path, data)
    names = victim.names
    try:
        # Two of the names, and one that is not there.
        return interrogate(path, [names[len(names) // 2], names[-1], names[-2] + b"x"], [oid(0, 32)])
    except Exception as error:
        error.add_note(damage)
        raise


@pytest.fixture(params=VICTIMS)
def victim(request: pytest.FixtureRequest) -> Victim:
    """Each of the tables."""
    return VICTIMS[request.param]


def test_the_sound_tables_answer_everything(tmp_path: Path, victim: Victim) -> None:
    data = victim.write(tmp_path / "sound.ref")
    answers = ask(victim, tmp_path / "sound.ref", data)
    assert answers["refs"] == victim.refs
    assert answers["logs"] == sorted(victim.logs, key=lambda log: (log.name, -log.update_index))
    assert not [answer for answer in answers.values() if isinstance(answer, FormatError)]
    assert with_checksum(data) == data


def test_any_byte_may_be_wrong(tmp_path: Path, victim: Victim) -> None:
    path = tmp_path / "damaged.ref"
    data = victim.write(path)
    for position in thinned(range(len(data)), 13):
        for mask in MASKS:
            ask(victim, path, flipped(data, position, mask), f"byte {position} ^ {mask:#x}")


def test_damage_in_one_section_is_no_matter_to_scans_of_another(tmp_path: Path, victim: Victim) -> None:
    path = tmp_path / "damaged.ref"
    data = victim.write(path)
    sound = ask(victim, path, data)
    with Table.open(path) as table:
        blocks = list(table.blocks())
    for block in blocks:
        # The type of a block is what tells where a section ends.
        for position in thinned(range(block.offset + block.records_start - 3, block.next_offset), 13):
            answers = ask(victim, path, flipped(data, position, 0x81))
            questions = {REF: ["logs"], LOG: ["refs"]}.get(block.type, ["refs", "logs", "compaction"])
            for question in questions:
                assert answers[question] == sound[question], f"byte {position} ^ 0x81 and {question}"


def test_any_byte_of_header_and_footer_may_be_wrong_behind_a_valid_checksum(
    tmp_path: Path, victim: Victim
) -> None:
    path = tmp_path / "damaged.ref"
    data = victim.write(path)
    version = data[4]
    offsets = len(data) - footer_size(version) + header_size(version)
    for position in [*range(header_size(version)), *range(offsets, len(data) - 4)]:
        for mask in MASKS:
            changed = with_checksum(flipped(data, position, mask))
            ask(victim, path, changed, f"byte {position} ^ {mask:#x}")


def test_any_section_may_be_said_to_begin_anywhere(tmp_path: Path, victim: Victim) -> None:
    path = tmp_path / "damaged.ref"
    data = victim.write(path)
    with Table.open(path) as table:
        header, footer = table.header, table.footer
        starts = [block.offset for block in table.blocks()]
    body = data[: -footer_size(header.version)]
    near = {start + step for start in [*starts, len(body), len(data)] for step in (-1, 0, 1, 4)}
    offsets = near | set(range(0, len(data), STRIDE)) | {2**32, 2**59 - 1}
    for offset in sorted(offsets - {-1}):
        changes = [
            Footer(ref_index_offset=offset),
            footer._replace(ref_index_offset=offset),
            footer._replace(obj_offset=offset, object_id_len=footer.object_id_len or 2),
            footer._replace(obj_index_offset=offset, object_id_len=31),
            footer._replace(log_offset=offset),
            footer._replace(log_index_offset=offset),
        ]
        for changed in changes:
            ask(victim, path, body + changed.pack(header), repr(changed))


@pytest.mark.parametrize(
    "footer",
    [
        Footer(U64_MAX, 2**59 - 1, 31, U64_MAX, U64_MAX, U64_MAX),
        Footer(1, 1, 1, 1, 1, 1),
        Footer(0, 0, 31, 0, 0, 0),
        Footer(24, 24, 31, 24, 24, 24),
    ],
)
@pytest.mark.parametrize("block_size", [0, 1, 30, 2**24 - 1])
def test_header_and_footer_may_say_anything(
    tmp_path: Path, victim: Victim, footer: Footer, block_size: int
) -> None:
    path = tmp_path / "damaged.ref"
    data = victim.write(path)
    header = Header.parse("damaged.ref", data)
    header = header._replace(block_size=block_size, max_update_index=U64_MAX)
    body = header.pack() + data[header.size : -footer_size(header.version)]
    ask(victim, path, body + footer.pack(header))


def test_an_object_section_needs_an_object_id_length(tmp_path: Path) -> None:
    victim = VICTIMS["levels of an index, objects"]
    path = tmp_path / "damaged.ref"
    data = victim.write(path)
    header = Header.parse("damaged.ref", data)
    footer = Footer(obj_offset=100, object_id_len=0).pack(header)
    answers = ask(victim, path, data[: -len(footer)] + footer)
    assert list(answers) == ["open"]


def test_a_table_may_be_cut_anywhere(tmp_path: Path, victim: Victim) -> None:
    path = tmp_path / "damaged.ref"
    data = victim.write(path)
    footer = data[-footer_size(data[4]) :]
    for size in thinned(range(len(data)), 7):
        answers = ask(victim, path, data[:size], f"cut at {size}")
        assert list(answers) == ["open"]
    for size in thinned(range(len(footer) - 44, len(data) - len(footer)), 7):
        ask(victim, path, data[:size] + footer, f"cut at {size} in front of the footer")


def test_a_table_may_have_holes(tmp_path: Path, victim: Victim) -> None:
    path = tmp_path / "damaged.ref"
    data = victim.write(path)
    for size in (4, 16, 64):
        for start in thinned(range(0, len(data), size), 5):
            hole = data[:start] + bytes(len(data[start : start + size])) + data[start + size :]
            ask(victim, path, hole, f"{size} zeros at {start}")


@pytest.mark.parametrize("size", [0, 1, 23, 24, 67, 68, 91, 92, 100, 1024])
def test_zeros_are_no_table(tmp_path: Path, size: int) -> None:
    path = tmp_path / "zeros.ref"
    path.write_bytes(bytes(size))
    assert list(interrogate(path, [], [])) == ["open"]


Edit = Callable[[bytes, bytes], bytes]
"""Makes another table of one, with bytes of a second."""

_PLACES = st.floats(0, 1, exclude_max=True)


def _piece(data: bytes, start: float, size: int) -> bytes:
    at = int(start * len(data))
    return data[at : at + size]


def _overwrite(place: float, start: float, size: int) -> Edit:
    def edit(data: bytes, other: bytes) -> bytes:
        at, piece = int(place * len(data)), _piece(other, start, size)
        return data[:at] + piece + data[at + len(piece) :]

    return edit


def _insert(place: float, start: float, size: int) -> Edit:
    def edit(data: bytes, other: bytes) -> bytes:
        at = int(place * len(data))
        return data[:at] + _piece(other, start, size) + data[at:]

    return edit


def _remove(place: float, size: int) -> Edit:
    def edit(data: bytes, _: bytes) -> bytes:
        at = int(place * len(data))
        return data[:at] + data[at + size :]

    return edit


def _write(place: float, piece: bytes) -> Edit:
    def edit(data: bytes, _: bytes) -> bytes:
        at = int(place * len(data))
        return data[:at] + piece + data[at + len(piece) :]

    return edit


SIZES = st.integers(1, 8) | st.integers(1, 200)
EDITS = st.lists(
    st.builds(_overwrite, _PLACES, _PLACES, SIZES)
    | st.builds(_insert, _PLACES, _PLACES, SIZES)
    | st.builds(_remove, _PLACES, SIZES)
    | st.builds(_write, _PLACES, st.binary(min_size=1, max_size=8)),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of each table."""
    path = tmp_path_factory.mktemp("sound") / "sound.ref"
    return {name: victim.write(path) for name, victim in VICTIMS.items()}


@pytest.fixture(scope="module")
def spliced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one table after the other is put together."""
    return tmp_path_factory.mktemp("spliced") / "spliced.ref"


@hypothesis.settings(max_examples=5 * hypothesis.settings.default.max_examples)
@given(
    name=st.sampled_from(sorted(VICTIMS)),
    other=st.sampled_from(sorted(VICTIMS)),
    edits=EDITS,
    inside=st.booleans(),
)
def test_a_table_may_be_spliced_from_pieces(
    spliced: Path, sound: dict[str, bytes], name: str, other: str, edits: list[Edit], inside: bool
) -> None:
    data = sound[name]
    footer = data[-footer_size(data[4]) :] if inside else b""
    body = data.removesuffix(footer)
    for edit in edits:
        body = edit(body, sound[other])
    data = body + footer
    if inside and len(body) >= 28:
        data = with_checksum(data)
    ask(VICTIMS[name], spliced, data)
