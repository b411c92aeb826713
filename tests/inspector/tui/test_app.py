"""The inspector as a user has it: a real stack on screen, keys and mouse, and what they cost."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from engine.format import LogRecord, RefRecord
from engine.stack import StackOptions
from inspector.actions import Workplace
from inspector.model import News
from inspector.tui import InspectorApp, MainScreen, run_inspector
from inspector.tui.widgets.tab_line import TabLine
from inspector.tui.widgets.virtual_list import VirtualList
from tests.support.git import Repository
from tests.support.screens import (
    NARROW,
    WIDE,
    branch,
    branches,
    damage_block,
    drive,
    inspect,
    log,
    make_stack,
    make_tall_stack,
    open_session,
    press,
    settle,
    shown_lines,
)
from tests.support.shared_screen import SharedScreen, shared_screen
from tests.support.stacks import listed
from tests.support.tables import oid
from tests.support.thinning import thinned


def make(directory: Path) -> Path:
    """Two tables: 300 refs and three reflog entries, then one ref moved and one deleted."""
    return make_stack(
        directory,
        (
            [RefRecord(b"HEAD", 1, target=branch(7)), *branches(300)],
            [log(branch(7), 1, b"commit (initial): first\n")],
        ),
        (
            [RefRecord(branch(0), 2), RefRecord(branch(1), 2, oid(77))],
            [log(branch(7), 2, b"commit: second\n"), log(branch(8), 2, b"branch: made\n")],
        ),
    )


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return make(tmp_path / "reftable")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedScreen]:
    with shared_screen(make(tmp_path_factory.mktemp("shared") / "reftable")) as screen:
        yield screen


TABS = ("refs", "logs", "blocks", "compaction", "health")


def rows(screen: MainScreen, name: str) -> VirtualList[Any]:
    return screen.query_one(f"#{name}", VirtualList)


def text(screen: MainScreen) -> str:
    return "\n".join(shown_lines(screen.app))


def test_a_stack_is_shown_with_its_tables_its_refs_and_its_logs(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        lines = shown_lines(screen.app)
        assert lines[0].startswith(" test · 300 refs · 3 logs · 2 tables · ")
        assert re.search(r"> +0 …00005eed +\S+K █+ +1[ │]", text(screen))
        assert re.search(r" +1 …00005eed +\d+ \S +2[ │]", text(screen))
        assert re.search(r"> HEAD +-> …\S+ +1 +#0", text(screen))
        assert re.search(rf"refs/heads/branch-0000001 +{oid(77).hex()[:10]}\S* +2 +#1", text(screen))
        assert "branch-0000000" not in text(screen)
        await press(pilot, "right_square_bracket")
        assert re.search(r"> …branch\S* +\S{7} commit: second", text(screen))

    shared(steps)


def test_a_repository_of_real_git_is_shown(repo: Repository) -> None:
    first, second = repo.commit("first"), repo.commit("second")
    repo.branch("topic", "HEAD~1")
    repo.tag("v1.0")
    shown = {}

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        shown["refs"] = text(screen)
        await press(pilot, "right_square_bracket")
        shown["logs"] = text(screen)

    inspect(repo.reftable, steps)
    assert re.search(r"> HEAD +-> refs/heads/", shown["refs"])
    assert re.search(rf"refs/heads/topic +{first.hex()[:10]}", shown["refs"])
    assert re.search(r"refs/tags/v1.0 ", shown["refs"])
    assert re.search(rf"{second.hex()[:7]} commit: second", shown["logs"])


def test_q_leaves(stack: Path) -> None:
    with open_session(stack) as session:
        app = InspectorApp(session)

        async def steps(pilot: Pilot[Any]) -> None:
            await pilot.press("q")

        drive(app, steps)
        assert app.return_code == 0
        assert not app.is_running


def test_a_stack_that_cannot_be_opened_is_an_error_before_any_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        run_inspector(Workplace(tmp_path / "gone", StackOptions()), label="test")
    assert capsys.readouterr() == ("", "")


def test_tab_goes_from_pane_to_pane(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        refs, tables = rows(screen, "refs"), rows(screen, "tables")
        assert screen.focused is refs
        await press(pilot, "tab")
        assert screen.focused is tables
        await press(pilot, "tab")
        assert screen.focused is refs
        await press(pilot, "shift+tab")
        assert screen.focused is tables

    shared(steps)


def test_brackets_and_numbers_switch_tabs_and_go_there(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        tabs = screen.query_one(TabLine)
        await press(pilot, "tab")
        for key, name in [
            *(("right_square_bracket", name) for name in ("logs", "blocks", "compaction", "health", "refs")),
            ("left_square_bracket", "health"),
            *((str(number), name) for number, name in enumerate(TABS, start=1)),
        ]:
            await press(pilot, key)
            assert tabs.active == name
            assert screen.focused is not None
            assert screen._panes[name] in screen.focused.ancestors

    shared(steps)


def test_the_mouse_selects_rows_panes_and_tabs(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await pilot.click("#tables", offset=(5, 1))
        await settle(pilot)
        assert screen.focused is rows(screen, "tables")
        assert rows(screen, "tables").cursor == 1
        await pilot.click("#refs", offset=(5, 3))
        await settle(pilot)
        assert screen.focused is rows(screen, "refs")
        assert rows(screen, "refs").cursor == 3
        await pilot.click(TabLine, offset=(8, 0))
        await settle(pilot)
        assert screen.focused is rows(screen, "logs")

    shared(steps)


def test_the_detail_of_a_ref_is_all_its_versions(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "j")
        shown = text(screen)
        assert f"value    {oid(77).hex()}" in shown
        assert re.search(rf"wins +#1  update 2  block 0  {oid(77).hex()[:10]}", shown)
        assert re.search(rf"superseded +#0  update 1  block 0  {oid(1).hex()[:10]}", shown)

    shared(steps)


def test_the_detail_follows_the_pane_that_has_the_keys(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "tab", "j")
        assert "#1  0x000000000002-0x000000000002-00005eed.ref" in text(screen)
        await press(pilot, "right_square_bracket")
        assert "A U Thor <author@example.com>" in text(screen)
        assert "2023-11-15 01:43 +0130  (1700007200)" in text(screen)
        await press(pilot, "left_square_bracket")
        assert re.search(r"symref +-> refs/heads/branch-0000007", text(screen))

    shared(steps)


@pytest.mark.parametrize(
    "size",
    thinned([WIDE, NARROW, (140, 50), (60, 16), (100, 24), (40, 10), (1, 1), (20, 4)], 3),
)
def test_any_size_of_terminal_can_be_used(stack: Path, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "j", "tab", "right_square_bracket")
        assert len(shown_lines(screen.app)) == size[1]

    inspect(stack, steps, size)


def test_resizing_keeps_cursor_and_pane(shared: SharedScreen) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "G", "k")
        for width, height in (NARROW, WIDE, (60, 16), WIDE):
            await pilot.resize_terminal(width, height)
            await settle(pilot)
            assert screen.focused is rows(screen, "refs")
            assert re.search(r"> refs/heads/branch-0000298", text(screen))

    shared(steps)


def test_in_a_narrow_terminal_the_stack_is_a_line_until_it_has_the_keys(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        tables = rows(screen, "tables")
        assert tables.size.height == 1
        assert re.search(r"^> +0 …00005eed", text(screen), re.MULTILINE)
        await press(pilot, "tab")
        assert tables.size.height >= 5
        await press(pilot, "j", "tab")
        assert tables.size.height == 1
        assert re.search(r"^> +1 …00005eed", text(screen), re.MULTILINE)

    inspect(stack, steps, NARROW)


def test_an_empty_stack_says_so(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert "0 refs · 0 logs · 0 tables" in text(screen)
        assert "no tables" in text(screen)
        assert "no refs" in text(screen)
        await press(pilot, "j", "tab", "G", "right_square_bracket")
        assert "no reflog entries" in text(screen)

    inspect(make_stack(tmp_path / "reftable"), steps)


def test_thousands_of_tables_are_a_list_like_any_other(tmp_path: Path) -> None:
    directory = make_tall_stack(tmp_path / "reftable", 1000)

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert "1,000 tables" in text(screen)
        assert re.search(r"and 900 older ones", str(screen.query_one("#detail-versions", Static).content))
        await press(pilot, "shift+tab", "G")
        assert re.search(r"> +999 …000003e8 +\d+ \S* +1000", text(screen))

    inspect(directory, steps)


def test_names_from_the_stack_are_neither_obeyed_nor_parsed(tmp_path: Path) -> None:
    names = [
        b"refs/heads/\x1b]0;title\x07",
        b"refs/heads/[bold red]x[/]",
        b"refs/heads/[/bogus",
        b"refs/heads/caf\xe9",
        b"refs/heads/\xe2\x80\xaegnp",
        "refs/heads/漢字".encode(),
    ]
    logs = [log(name, 1, b"[link=x]\x1b[2J\r[/]\n") for name in names]
    directory = make_stack(tmp_path / "reftable", ([RefRecord(name, 1, oid(1)) for name in names], logs))
    shown = [
        r"refs/heads/\x1b]0;title\x07",
        r"refs/heads/[bold red]x[/]",
        r"refs/heads/[/bogus",
        r"refs/heads/caf\xe9",
        r"refs/heads/\u202egnp",
        "refs/heads/漢字",
    ]

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        for name in sorted(zip(names, shown, strict=True)):
            assert text(screen).count(name[1]) == 2, name  # in the list and in the detail
            await press(pilot, "j")
        await press(pilot, "right_square_bracket", "j")
        assert text(screen).count(r"[link=x]\x1b[2J\x0d[/]") == len(names) + 1
        assert "\x1b" not in text(screen)

    inspect(directory, steps, (140, 50))


def test_a_label_is_text_like_any_other(stack: Path) -> None:
    with open_session(stack, "\x1b[2J[bold]/repo[/bold]") as session:
        app = InspectorApp(session)

        async def steps(_pilot: Pilot[Any]) -> None:
            assert r"\x1b[2J[bold]/repo[/bold] · " in shown_lines(app)[0]

        drive(app, steps)


def test_a_damaged_block_is_told_and_everything_else_is_shown(stack: Path) -> None:
    damage_block(stack, block=2)

    async def steps(_pilot: Pilot[Any], screen: MainScreen) -> None:
        assert f"! {listed(stack)[0]} at byte" in text(screen)
        assert "branch-0000001" in text(screen)

    inspect(stack, steps)


def test_a_reload_shows_what_git_wrote_meanwhile(repo: Repository) -> None:
    repo.commit("first")

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert "refs/heads/later" not in text(screen)
        await press(pilot, "R")
        assert "Nothing has changed." in text(screen)
        repo.branch("later")
        await press(pilot, "R")
        assert "refs/heads/later" in text(screen)
        assert " UTC  " in text(screen)
        assert re.search("refs/heads/later created: [0-9a-f]{7}", text(screen))

    inspect(repo.reftable, steps)


def test_a_look_that_fails_is_told_and_the_screen_stays(stack: Path) -> None:
    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        shutil.copy(stack / "tables.list", stack / "old.list")
        (stack / "new.list").write_bytes(b"\x1b[bold]gone.ref\n")
        (stack / "new.list").rename(stack / "tables.list")
        screen._session.want_check()
        screen._work()
        await settle(pilot)
        assert r"! \x1b[bold]gone.ref: " in text(screen)
        assert "branch-0000001" in text(screen)
        await press(pilot, "j", "j")
        assert rows(screen, "refs").cursor == 2
        (stack / "old.list").rename(stack / "tables.list")
        assert r"gone.ref: " in text(screen)
        await press(pilot, "R")
        assert r"gone.ref: " not in text(screen)

    inspect(stack, steps)


def test_keys_work_while_refs_are_still_being_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.rows.record_rows.SCAN_RECORDS", 1)
    directory = make_stack(tmp_path / "reftable", (branches(20_000), []))
    with open_session(directory) as session:
        app = InspectorApp(session)
        work = session.work

        def paused_work() -> Iterator[News | None]:
            for number, news in enumerate(work()):
                yield news
                if number == 10:
                    return

        monkeypatch.setattr(session, "work", paused_work)

        async def steps(pilot: Pilot[Any]) -> None:
            screen = app.screen
            assert isinstance(screen, MainScreen)
            assert "+ refs" in shown_lines(app)[0]
            await press(pilot, "j", "j")
            assert rows(screen, "refs").cursor == 2
            assert not session.view.refs.complete
            await press(pilot, "G")
            assert rows(screen, "refs").current == session.view.refs.row(19_999)

        drive(app, steps)


def test_what_is_wanted_while_the_worker_ends_is_read_all_the_same(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_session(stack) as session:
        work = session.work
        late: list[bytes] = []

        def work_and_miss_one() -> Iterator[News | None]:
            yield from work()
            if late:
                session.want_versions(late.pop())  # as if a key came between the last look and the end

        monkeypatch.setattr(session, "work", work_and_miss_one)

        async def steps(pilot: Pilot[Any]) -> None:
            late.append(branch(5))
            await press(pilot, "R")
            assert not late
            assert not session.wanting

        drive(InspectorApp(session), steps)


def test_a_key_reads_as_little_of_many_refs_as_of_few(tmp_path: Path) -> None:
    keys = ("j", "pagedown", "G", "g", "ctrl+d", "G", "ctrl+u", "k")
    costs: dict[int, dict[str, int]] = {}
    for count in (10, 20_000):
        newer = [RefRecord(branch(number), 2, oid(number + 1)) for number in range(0, count, 9)]
        directory = make_stack(tmp_path / str(count), (branches(count), []), (newer, []))
        cost: dict[str, int] = {}

        async def steps(pilot: Pilot[Any], screen: MainScreen, cost: dict[str, int] = cost) -> None:
            view = screen._session.view
            for key in keys:
                before = sum(table.reads for table in view.tables)
                await press(pilot, key)
                cost[key] = max(cost.get(key, 0), sum(table.reads for table in view.tables) - before)

        inspect(directory, steps)
        costs[count] = cost
    # A key moves to one page at most, and prefetches one; and looks up the versions of one ref.
    assert max(costs[10].values()) <= 4
    assert max(costs[20_000].values()) <= 30


def test_a_list_behind_another_tab_gets_its_rows_too(tmp_path: Path) -> None:
    directory = make_stack(tmp_path / "reftable", ([], [log(b"HEAD", index) for index in range(1, 2001)]))

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "2", "1")
        logs = rows(screen, "logs")
        logs.cursor = 1000
        await settle(pilot)
        assert logs.current is not None

    inspect(directory, steps)


def test_many_log_entries_of_one_ref_scroll_like_refs(tmp_path: Path) -> None:
    entries: list[LogRecord] = [log(b"HEAD", index) for index in range(1, 2001)]
    directory = make_stack(tmp_path / "reftable", ([], entries))

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        await press(pilot, "right_square_bracket")
        assert re.search(r" HEAD +update 2000 ", text(screen))
        await press(pilot, "G")
        assert re.search(r" HEAD +update 1 ", text(screen))
        await press(pilot, "k")
        assert re.search(r" HEAD +update 2 ", text(screen))

    inspect(directory, steps)


def test_nothing_of_the_stack_is_touched(stack: Path) -> None:
    before = [(path, path.stat()) for path in (stack, *sorted(stack.iterdir()))]

    async def steps(pilot: Pilot[Any], _screen: MainScreen) -> None:
        await press(pilot, "G", "tab", "j", "right_square_bracket", "R")

    inspect(stack, steps)
    after = [(path, path.stat()) for path in (stack, *sorted(stack.iterdir()))]
    assert [(path, status.st_ino, status.st_size, status.st_mtime_ns) for path, status in after] == [
        (path, status.st_ino, status.st_size, status.st_mtime_ns) for path, status in before
    ]


def test_state_shows_without_colour(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def steps(pilot: Pilot[Any], screen: MainScreen) -> None:
        assert screen.app.no_color
        with_keys = text(screen)
        assert with_keys.count("┏━ merged view ━") == 1
        await press(pilot, "tab")
        assert text(screen).count("┏━ Stack, oldest first ━") == 1
        assert text(screen).count("╭─ merged view ─") == 1

    inspect(stack, steps)
