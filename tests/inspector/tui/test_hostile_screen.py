r"""Whatever a stack holds, the terminal gets no byte of it that it would obey, and the layout stays.

Names, messages and people are made of what terminals do things for. Looked at are the bytes that really
reach a terminal, and every line of every pane.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from engine.format import LogRecord, RefRecord
from engine.stack import StackOptions
from inspector.text.safe import MAX_MARKS
from inspector.tui import MainScreen
from inspector.tui.widgets.tab_line import TabLine
from tests.support.screens import NARROW, WIDE, inspect, make_stack, settle, shown_lines
from tests.support.tables import oid
from tests.support.terminal import SEQUENCE, inspector
from tests.support.thinning import thinned
from tests.support.walk import walk

PAYLOADS = (
    b"\x1b]0;title\x07",  # retitle the window
    b"\x1b]52;c;cHduZWQ=\x1b\\",  # write the clipboard
    b"\x1b[2J\x1b[3J",  # clear
    b"\x1b[6n",  # have the terminal type an answer
    b"\x1bc",  # reset
    b"\x1bP+q544e\x1b\\",  # ask for terminfo
    b"\xc2\x9b31m",  # CSI as one character
    b"\x9b31m",  # CSI as one byte
    b"\x07\x08\x0d\x0b\x0c\x0e\x0f\x7f",
    "\u202egnp.exe\u2066".encode(),  # right to left
    "\u200b\u200d\u2028\u2029\ufeff".encode(),  # nothing, and line ends that are none
    b"a" + "\u0301\u0489".encode() * 2000,  # a tower of marks
    "\u0301start".encode(),
    b"\xff\xfe\xc3(\xe2\x82",  # no UTF-8
    "漢字👩‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿🇳🇱é\u1100\u1161\u11a8".encode(),  # wide, joined, composed
    b"[bold red]markup[/] [@click=app.quit]x[/] [/bogus $error",
    b"-> #7 wins (deleted)",
    b"\\x1b[31m",
)

# What Textual's driver writes: colours, cursor and pointer, modes, and two questions about modes.
OWN = re.compile(
    rb"\x1b(?:\[[0-9;]*m|\[[0-9]+;[0-9]+H|\[\?[0-9;]+[hl]|\[>[0-9]+u|\[<u|\[\?20(?:26|48)\$p|\[[0-9]* q"
    rb"|\]22;[a-z-]*\x07)"
)


def names() -> list[bytes]:
    short = [b"refs/heads/%02d-%s" % (number, payload) for number, payload in enumerate(PAYLOADS)]
    return sorted([*short, b"refs/heads/long-" + b"x" * 65_000, b"refs/heads/long-" + b"\x1b[2J" * 6000])


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A stack of all that, with files of such names beside it, in a directory of such a name."""
    directory = tmp_path / "re\x1b]0;po\x07\u202e" / "reftable"
    options = StackOptions(
        auto_compact=False,
        skip_name_check=True,
        exact_log_message=True,
        block_size=1 << 20,
        suffix=lambda: 0x5EED,
    )
    refs = [RefRecord(name, 1, oid(number)) for number, name in enumerate(names())]
    targets = [
        RefRecord(b"refs/remotes/%02d" % number, 1, target=payload) for number, payload in enumerate(PAYLOADS)
    ]
    logs = [
        LogRecord(
            name, 1, oid(1), oid(2), payload, payload, 1_700_000_000, -1, payload + b"\nmore\n\x1b[2J\n"
        )
        for name, payload in zip(names(), PAYLOADS * 2, strict=False)
    ]
    newer = [RefRecord(names()[0], 2), RefRecord(names()[1], 2, oid(99))]
    make_stack(directory, ([*refs, *targets], logs), (newer, []), options=options)
    (directory / "0x000000000009-0x000000000009-\x1b[2J\u202e.ref").write_bytes(b"\x1b]0;\x07")
    (directory / "\x1b[31m.lock").touch()
    return directory


def obeyed(texts: Iterable[str]) -> set[str]:
    """Characters that do something else than to be seen."""
    forbidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return {char for text in texts for char in text if unicodedata.category(char) in forbidden}


@pytest.mark.whole
@pytest.mark.timeout(300)
def test_no_byte_of_the_stack_is_obeyed_by_the_terminal(hostile: Path) -> None:
    with inspector(hostile) as terminal:
        terminal.until("refs/heads/02")
        terminal.quiet()
        assert walk(terminal) == 0, terminal.after_screen
    assert rb"\x1b]0;title\x07" in terminal.written
    own = [found.group() for found in SEQUENCE.finditer(terminal.written)]
    assert [sequence for sequence in own if not OWN.fullmatch(sequence)] == []
    text = SEQUENCE.sub(b"", terminal.written).decode("utf-8")
    assert obeyed([text.replace("\n", "").replace("\r", "")]) == set()
    assert max(len(tower) for tower in re.findall("(?:\u0301\u0489)+", text)) == MAX_MARKS


def test_what_a_refusal_names_is_not_obeyed_either(tmp_path: Path) -> None:
    with inspector(tmp_path / "\x1b]0;x\x07\u202e\x9b") as terminal:
        assert terminal.end() == 3
    assert r"\x1b]0;x" in terminal.text
    assert obeyed([terminal.written.decode("utf-8").replace("\r\n", "")]) == set()


@pytest.mark.parametrize("is_all_lost", [False, True])
def test_the_names_of_lost_tables_are_shown_in_lines_of_their_width(hostile: Path, is_all_lost: bool) -> None:
    if is_all_lost:
        for table in hostile.glob("*.ref"):
            table.unlink()
    (hostile / "tables.list").write_bytes(b"\x1b]0;x\x07\xe2\x80\xae\xc2\x9b.ref\n")

    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        strips = pilot.app.screen._compositor.render_strips(pilot.app.size)
        assert obeyed(strip.text for strip in strips) == set()
        assert {cell_len(strip.text) for strip in strips} == {WIDE[0]}
        assert r"\x1b]0;x" in "\n".join(shown_lines(pilot.app))

    inspect(hostile, steps)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("size", thinned([WIDE, NARROW], 2), ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_line_of_every_pane_has_its_width_and_nothing_to_obey(
    hostile: Path, size: tuple[int, int]
) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        seen = set[str]()

        async def look() -> None:
            await settle(pilot)
            strips = pilot.app.screen._compositor.render_strips(pilot.app.size)
            assert obeyed(strip.text for strip in strips) == set()
            assert {cell_len(strip.text) for strip in strips} == {size[0]}
            seen.update(strip.text for strip in strips)

        tabs = screen.query_one(TabLine)
        for number, _ in enumerate(tabs.names):
            await screen.action_show_tab(number)
            await look()
            for key in ("home", *["down"] * len(thinned(PAYLOADS, 5)), "end", "up", "pageup"):
                pilot.app.simulate_key(key)
                await look()
        await pilot.press("tab", "end")
        await look()
        assert any(r"\x1b[2J" in line for line in seen)

    inspect(hostile, steps, size)
