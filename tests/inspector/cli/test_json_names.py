"""Bytes that are no UTF-8 in JSON: text for people, and the bytes as hex beside it, wherever they are."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from engine.format import LogRecord, RefRecord
from engine.table import Table
from inspector.rows import export_rows
from inspector.text import json_line, log_json, ref_json
from tests.support.tables import write_table

RAW = b"refs/heads/\xff\xf0\x9f\x8e\x89"
TEXT = RAW.decode("utf-8", "surrogateescape")
FINE = "refs/heads/größe/🎉"


def fields(line: str) -> dict[str, Any]:
    assert line.isascii()
    made: dict[str, Any] = json.loads(line)
    return made


def test_fields_that_are_no_utf8_are_there_as_hex_as_well() -> None:
    made = fields(json_line({"name": TEXT, "at": 1, "inner": [{"target": TEXT, "why": f"as {TEXT}"}]}))
    inner = {"target": TEXT, "target_hex": RAW.hex(), "why": f"as {TEXT}"}
    assert made == {"name": TEXT, "name_hex": RAW.hex(), "at": 1, "inner": [inner]}
    assert list(made) == ["name", "name_hex", "at", "inner"]


def test_a_list_has_the_bytes_of_all_its_names_if_one_is_no_utf8() -> None:
    both = [[FINE, TEXT]]
    made = fields(json_line({"chain": [FINE, TEXT], "pairs": both, "fine": [FINE]}))
    wanted = [FINE.encode().hex(), RAW.hex()]
    assert made == {
        "chain": [FINE, TEXT],
        "chain_hex": wanted,
        "pairs": both,
        "pairs_hex": [wanted],
        "fine": [FINE],
    }


def test_text_has_no_hex() -> None:
    for name in (FINE, "\\udcff", "a\n", ""):
        assert fields(json_line({"name": name})) == {"name": name}


def test_records_have_the_bytes_of_every_text() -> None:
    ref = RefRecord(RAW, 1, target=RAW)
    log = LogRecord(RAW, 1, bytes(20), bytes(20), b"J\xf6rg", b"\xfc@x", 1, 0, b"gr\xfc\xdfe\n")
    odd = "0x1\udcff.ref"
    for made, wanted in (
        (fields(ref_json(ref, odd)), {"name_hex": RAW, "target_hex": RAW, "table_hex": b"0x1\xff.ref"}),
        (
            fields(log_json(log, "x.ref")),
            {
                "name_hex": RAW,
                "committer_hex": b"J\xf6rg",
                "email_hex": b"\xfc@x",
                "message_hex": b"gr\xfc\xdfe\n",
            },
        ),
    ):
        found = {name: bytes.fromhex(made[name]) for name in made if name.endswith("_hex")}
        assert found == wanted


def test_csv_has_the_same_columns_in_every_row(tmp_path: Path) -> None:
    records = [RefRecord(b"refs/heads/a", 1, bytes(20)), RefRecord(RAW, 1, bytes(20))]
    write_table(tmp_path / "t.ref", records)
    with Table.open(tmp_path / "t.ref") as table:
        out = tmp_path / "refs.csv"
        export_rows(out, [[(record, table) for record in records]], lambda _: None)
    text = out.read_bytes().decode("utf-8", "surrogateescape")
    heads, *rows = csv.reader(text.splitlines())
    assert heads[:2] == ["name", "update_index"]
    assert [len(row) for row in rows] == [len(heads)] * 2
    assert rows[1][0] == TEXT
