"""The form of records in the output of the verbs."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, strategies as st

from engine.format import LogRecord, RefRecord
from engine.progress import Progress
from inspector.cli.output import Output, ProgressLine
from inspector.exit_codes import note
from inspector.text import (
    columns,
    json_line,
    log_json,
    log_line,
    print_log,
    print_ref,
    ref_json,
    ref_line,
    reflog_line,
)

OID = bytes(range(20))
PEELED = bytes(range(100, 120))
NULL = bytes(20)

ids = st.binary(min_size=20, max_size=20)
oids = st.none() | ids
values = st.tuples(oids, st.none(), st.none()) | st.tuples(ids, ids, st.none())
targets = st.tuples(st.none(), st.none(), st.binary())


def plain(data: bytes) -> bytes:
    return data


def surrogates(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def in_hex(field: str, data: bytes) -> dict[str, str]:
    is_text = data.decode("utf-8", "replace").encode() == data
    return {} if is_text else {f"{field}_hex": data.hex()}


@given(st.binary(), st.integers(0, 2**64 - 1), values | targets, st.text())
def test_a_ref_as_json_is_its_fields_unchanged(
    name: bytes, index: int, held: tuple[bytes | None, bytes | None, bytes | None], table: str
) -> None:
    value, peeled, target = held
    record = RefRecord(name, index, value, peeled, target)
    line = ref_json(record, table)
    expected = {
        "name": surrogates(name),
        **in_hex("name", name),
        "update_index": index,
        "type": record.type,
        "value": value.hex() if value is not None else None,
        "peeled": peeled.hex() if peeled is not None else None,
        "target": surrogates(target) if target is not None else None,
        **in_hex("target", target or b""),
        "table": table,
    }
    assert json.loads(line) == expected
    assert line == json_line(expected)
    assert line.isascii()


@given(
    st.binary(), st.integers(0, 2**64 - 1), oids, st.binary(), st.binary(), st.integers(-(2**15), 2**15 - 1)
)
def test_a_log_entry_as_json_is_its_fields_unchanged(
    name: bytes, index: int, old: bytes | None, committer: bytes, message: bytes, tz: int
) -> None:
    record = LogRecord(name, index, old, OID, committer, committer[::-1], index // 3, tz, message)
    line = log_json(record, "t.ref", '"kind":"log",')
    expected = {
        "kind": "log",
        "name": surrogates(name),
        **in_hex("name", name),
        "update_index": index,
        "type": "update",
        "old": old.hex() if old is not None else None,
        "new": OID.hex(),
        "committer": surrogates(committer),
        **in_hex("committer", committer),
        "email": surrogates(committer[::-1]),
        **in_hex("email", committer[::-1]),
        "time": index // 3,
        "tz": tz,
        "message": surrogates(message),
        **in_hex("message", message),
        "table": "t.ref",
    }
    assert json.loads(line) == expected
    assert line == json_line(expected)


def test_a_log_tombstone_as_json_has_null_for_all_it_lacks() -> None:
    fields = json.loads(log_json(LogRecord(b"HEAD", 7), "t.ref"))
    assert fields.pop("name") == "HEAD"
    assert fields.pop("update_index") == 7
    assert fields.pop("type") == "deletion"
    assert fields.pop("table") == "t.ref"
    assert fields == dict.fromkeys(["old", "new", "committer", "email", "time", "tz", "message"])


@pytest.mark.parametrize(
    ("record", "line", "dump"),
    [
        (RefRecord(b"a", 1, OID), OID.hex() + " a", f"ref{{a(1) val 1 {OID.hex()}}}"),
        (
            RefRecord(b"b", 2, OID, PEELED),
            OID.hex() + " b",
            f"ref{{b(2) val 2 {OID.hex()}(T {PEELED.hex()})}}",
        ),
        (RefRecord(b"c", 3, target=b"t"), "ref: t c", "ref{c(3) => t}"),
        (RefRecord(b"d", 4), "deleted d", "ref{d(4) delete}"),
    ],
    ids=["val1", "val2", "symref", "deletion"],
)
def test_the_text_of_a_ref(record: RefRecord, line: str, dump: str) -> None:
    assert ref_line(record, plain) == line.encode()
    assert print_ref(record, plain) == dump.encode()


@pytest.mark.parametrize(
    ("tz", "zone", "dumped"),
    [(0, "+0000", "0000"), (530, "+0530", "0530"), (-330, "-0330", "-330"), (-480, "-0800", "-480")],
)
def test_the_text_of_a_log_entry(tz: int, zone: str, dumped: str) -> None:
    record = LogRecord(b"HEAD", 9, None, OID, b"A U Thor", b"a@b", 1700000000, tz, b"commit: x\n")
    old, new = NULL.hex(), OID.hex()
    line = f"{old} {new} A U Thor <a@b> 1700000000 {zone}\tcommit: x"
    dump = f"log{{HEAD(9) A U Thor <a@b> 1700000000 {dumped}\n{old} => {new}\n\ncommit: x\n\n}}"
    assert reflog_line(record, NULL, plain) == line.encode()
    assert log_line(record, NULL, plain) == f"HEAD {line}".encode()
    assert print_log(record, NULL, plain) == dump.encode()


def test_a_reflog_line_has_no_tab_without_a_message_and_is_one_line_always() -> None:
    record = LogRecord(b"HEAD", 1, OID, OID, b"A", b"a", 1, 0, b"\n")
    assert reflog_line(record, NULL, plain).endswith(b"A <a> 1 +0000")
    record.message = b"one\ntwo\n\n"
    assert reflog_line(record, NULL, plain).endswith(b"\tone two")
    record.committer = record.email = b"A\nB"
    assert b" A B <A B> 1 " in reflog_line(record, NULL, plain)


def test_log_tombstones_are_marked() -> None:
    assert reflog_line(LogRecord(b"HEAD", 5), NULL, plain) == b"deleted 5"
    assert print_log(LogRecord(b"HEAD", 5), NULL, plain) == b"log{HEAD(5) delete}"


def test_a_pipe_gets_the_bytes_and_a_terminal_gets_escapes() -> None:
    record = RefRecord(b"refs/heads/\x1b[31m\xff", 1, target=b"\x07")
    pipe, terminal = (Output(io.BytesIO(), terminal=terminal) for terminal in (False, True))
    assert ref_line(record, pipe.show) == b"ref: \x07 refs/heads/\x1b[31m\xff"
    assert ref_line(record, terminal.show) == rb"ref: \x07 refs/heads/\x1b[31m\xff"


def test_a_terminal_that_lacks_a_character_gets_its_escape() -> None:
    out = Output(io.BytesIO(), terminal=True, encoding="ascii")
    assert out.show("größe".encode()) == rb"gr\xf6\xdfe"


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    lines = columns(("#", "name", "bytes"), [("10", "a", "1"), ("9", "long name", "1,000")], "><>")
    assert lines == [
        " #  name       bytes",
        "10  a              1",
        " 9  long name  1,000",
    ]


def test_notes_are_safe_for_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    note("table \x1b[2J\udcff is odd")
    assert capsys.readouterr().err == "reftable-inspector: table \\x1b[2J\\xff is odd\n"


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine() as progress:
        progress(Progress("merging", 1, 2))
    assert capsys.readouterr() == ("", "")


def test_progress_rewrites_one_line_of_a_terminal_and_clears_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    clock = iter([100.0, 100.01, 200.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with ProgressLine() as progress:
        progress(Progress("merging", 1, 4))
        progress(Progress("merging", 2, 4))
        progress(Progress("writing", 1234, None))
    assert capsys.readouterr().err == "\r\x1b[Kmerging: 25%\r\x1b[Kwriting: 1,234\r\x1b[K"
