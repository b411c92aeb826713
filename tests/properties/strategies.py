"""What hypothesis draws here: names that share beginnings, records of every kind, layouts of tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from hypothesis import strategies as st

from engine.format import U64_MAX, HashId, LogRecord, RefRecord, log_key
from engine.table import WriteOptions
from tests.support.tables import oid

HASH_IDS = st.sampled_from(HashId)
UPDATE_INDEXES = st.integers(0, U64_MAX)

OIDS = 24
"""So few object ids that refs share them, and that an object record has several offsets."""

_PIECES = st.sampled_from(
    [b"a", b"b", b"/", b"\x01", b"\x7f", b"\x80", b"\xff", b"refs/heads/", b"refs/tags/"]
)
_SHARING = st.lists(_PIECES, min_size=1, max_size=6).map(b"".join)
_LONG = st.builds(lambda name, size: (name * size)[:size], _SHARING, st.integers(100, 300))
_ANY = st.binary(min_size=1, max_size=20).map(lambda name: name.replace(b"\0", b"\x01"))

NAMES = _SHARING | _SHARING | _LONG | _ANY
"""Names that share beginnings, are long, or hold any byte but NUL."""


def ref_records(hash_id: HashId, names: st.SearchStrategy[bytes] = NAMES) -> st.SearchStrategy[RefRecord]:
    """Draw ref records of every type, with any update index."""
    ids = st.binary(min_size=hash_id.size, max_size=hash_id.size)
    return (
        st.builds(RefRecord, names, UPDATE_INDEXES)
        | st.builds(RefRecord, names, UPDATE_INDEXES, value=ids)
        | st.builds(RefRecord, names, UPDATE_INDEXES, value=ids, peeled=ids)
        | st.builds(RefRecord, names, UPDATE_INDEXES, target=st.binary(max_size=300))
    )


def log_records(hash_id: HashId, names: st.SearchStrategy[bytes] = NAMES) -> st.SearchStrategy[LogRecord]:
    """Draw log records of both types, with any update index and message."""
    ids = st.binary(min_size=hash_id.size, max_size=hash_id.size)
    texts = st.binary(max_size=200)
    update = st.builds(
        LogRecord,
        names,
        UPDATE_INDEXES,
        old=ids,
        new=ids,
        committer=texts,
        email=texts,
        time=st.integers(0, U64_MAX),
        tz=st.integers(-(2**15), 2**15 - 1),
        message=texts,
    )
    return update | update | st.builds(LogRecord, names, UPDATE_INDEXES)


@dataclass(slots=True)
class Contents:
    """What a table is made of: its records in order, the limits that they lie in, and the layout."""

    refs: list[RefRecord]
    logs: list[LogRecord]
    limits: tuple[int, int]
    options: WriteOptions

    @property
    def names(self) -> list[bytes]:
        """Every name, once and in order."""
        return sorted({record.name for record in (*self.refs, *self.logs)})

    @property
    def largest_record(self) -> int:
        """No record of these, or of an index over them, takes more bytes than this."""
        head, number = 10, 10
        sizes = [head + number]
        for ref in self.refs:
            values = (ref.value or b"") + (ref.peeled or b"") + (ref.target or b"")
            sizes.append(head + len(ref.name) + number + number + len(values))
        for log in self.logs:
            texts = log.committer + log.email + log.message
            sizes.append(head + len(log.name) + 9 + 2 * 32 + 4 * number + 2 + len(texts))
        return max(sizes)


WRITE_OPTIONS = st.builds(
    WriteOptions,
    block_size=st.integers(80, 400) | st.integers(80, 400) | st.integers(400, 65536),
    restart_interval=st.integers(1, 20) | st.sampled_from([1, 2, 16, 65535]),
    unpadded=st.booleans(),
    skip_index_objects=st.sampled_from([False, False, False, True]),
    exact_log_message=st.booleans(),
    hash_id=HASH_IDS,
)


@st.composite
def contents(draw: st.DrawFn) -> Contents:
    """Draw a few refs and logs, or a few hundred.

    Names are drawn one by one, and in a numbered run for tables of many blocks; what the records hold is
    read off a few bytes, so that a hundred records cost no more draws than one.
    """
    names = draw(st.sets(NAMES, max_size=12))
    count = draw(st.sampled_from([0, 30, 90, 150]))
    if count:
        beginning = draw(NAMES)
        names |= {beginning + b"%03d" % number for number in range(count)}
    ordered = sorted(names)
    options = draw(WRITE_OPTIONS)
    low = draw(st.sampled_from([0, 1, 2**32, U64_MAX - 4]))
    pattern = draw(st.binary(min_size=1, max_size=20))
    refs = list(_refs(ordered, low, pattern, options.hash_id or HashId.SHA1))
    logs = list(_logs(ordered, low, draw(st.binary(min_size=1, max_size=20)), options))
    match draw(st.sampled_from(["refs", "logs", "both", "both", "both"])):
        case "refs":
            logs = []
        case "logs":
            refs = []
    return Contents(refs, logs, (low, low + 4), options)


def _refs(names: Sequence[bytes], low: int, pattern: bytes, hash_id: HashId) -> Iterator[RefRecord]:
    for number, (name, byte) in enumerate(zip(names, cycle(pattern), strict=False)):
        update_index = low + byte % 5
        value = oid((number + byte) % OIDS, hash_id.size)
        match byte % 8:
            case 0:
                yield RefRecord(name, update_index)
            case 1:
                yield RefRecord(name, update_index, target=names[number * byte % len(names)])
            case 2 | 3:
                peeled = oid(byte % OIDS, hash_id.size)
                yield RefRecord(name, update_index, value=value, peeled=peeled)
            case _:
                yield RefRecord(name, update_index, value=value)


def _logs(names: Sequence[bytes], low: int, pattern: bytes, options: WriteOptions) -> Iterator[LogRecord]:
    size = (options.hash_id or HashId.SHA1).size
    found: list[LogRecord] = []
    for number, (name, byte) in enumerate(zip(names, cycle(pattern), strict=False)):
        for age in range((byte + 1) % 4):
            update_index = max(low + 4 - age * (byte >> 2), 0)
            if byte & 0x40:
                found.append(LogRecord(name, update_index))
                continue
            message = pattern.replace(b"\n", b" ") * (byte & 3) + b"\n"
            who = names[number * byte % len(names)]
            zone = byte * 16 - 2048
            ids = oid(number, size), oid(number + 1, size)
            found.append(LogRecord(name, update_index, *ids, who, pattern, byte << 40, zone, message))
    unique = {(log.name, log.update_index): log for log in found}
    yield from sorted(unique.values(), key=lambda log: log_key(log.name, log.update_index))
