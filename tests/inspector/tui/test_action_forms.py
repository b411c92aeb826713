"""The forms of actions and the journal, as a user fills them in and reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, RadioButton, Static, TextArea

from engine.format import HashId, RefRecord
from engine.stack import Stack, StackOptions
from inspector.actions import CleanAction
from inspector.model import Session
from inspector.tui.keys import active_bindings
from inspector.tui.screens.add import AddScreen
from inspector.tui.screens.compact import CompactScreen
from inspector.tui.screens.expire import ExpireScreen
from inspector.tui.screens.form import Choice, FormScreen
from inspector.tui.screens.journal import JournalScreen
from inspector.tui.screens.plan import ActionScreen, Phase
from tests.support.actions import ActionApp, act, confirm, journal, lines, phase, sentence, until, workplace
from tests.support.screens import branch, branches, log, make_stack, shown_lines
from tests.support.stacks import listed
from tests.support.tables import oid, stack_files


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Three tables: forty branches and HEAD, a moved branch, a deleted one."""
    return make_stack(
        tmp_path / "reftable",
        ([RefRecord(b"HEAD", 1, target=branch(1)), *branches(40)], [log(branch(1), 1)]),
        ([RefRecord(branch(1), 2, oid(91))], [log(branch(1), 2)]),
        ([RefRecord(branch(2), 3)], [log(branch(3), 3)]),
    )


def read(directory: Path, name: bytes) -> RefRecord | None:
    with Stack.open(directory, read_only=True) as opened:
        return opened.read_ref(name)


def said(screen: FormScreen, name: str) -> str:
    return str(screen.query_one(f"#{name}", Static).content)


def fill(screen: FormScreen, **values: str) -> None:
    for name, value in values.items():
        screen.query_one(f"#{name}", Input).value = value


def compact_screen(directory: Path) -> CompactScreen:
    place = workplace(directory)
    with Session.open(directory, label="test", options=StackOptions()) as session:
        return CompactScreen(place, journal(), session.view)


def test_a_ref_is_created_from_what_is_typed(stack: Path) -> None:
    screen = AddScreen(workplace(stack), journal(), HashId.SHA1)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        await pilot.press("tab", "tab", *"a b", "tab")
        assert "a ref name cannot contain a space" in said(screen, "problem")
        assert screen.query_one("#plan", Button).disabled
        await pilot.press("enter")
        assert app.screen is screen
        fill(screen, name="refs/heads/topic", new="12" * 20, message="by hand")
        await pilot.pause()
        assert said(screen, "said") == f"As a command: create refs/heads/topic {'12' * 20}"
        await pilot.press("enter")
        action = await phase(pilot, Phase.PLANNED)
        assert lines(action)[0] == "create refs/heads/topic"
        await confirm(pilot)
        await phase(pilot, Phase.DONE)
        await pilot.press("escape")
        assert app.answers == [True]

    act(screen, steps)
    record = read(stack, b"refs/heads/topic")
    assert record is not None
    assert record.value == bytes.fromhex("12" * 20)


def test_a_ref_that_is_given_is_updated_from_the_value_it_has(stack: Path) -> None:
    record = read(stack, branch(1))
    screen = AddScreen(workplace(stack), journal(), HashId.SHA1, ref=record)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        assert app.focused is screen.query_one("#new")
        fill(screen, new="34" * 20)
        screen.action_plan()
        action = await phase(pilot, Phase.PLANNED)
        assert lines(action)[:3] == [
            f"update {branch(1).decode()}",
            f"  old {oid(91).hex()}",
            f"  new {'34' * 20}",
        ]
        await pilot.press("escape")
        assert app.screen is screen
        assert screen.query_one("#new", Input).value == "34" * 20
        fill(screen, old="56" * 20)
        screen.action_plan()
        action = await phase(pilot, Phase.FAILED)
        assert sentence(action) == "A ref does not hold the value that was expected."
        await pilot.press("escape", "escape")
        assert app.answers == [False]

    act(screen, steps)


def test_each_kind_of_change_has_its_own_fields(stack: Path) -> None:
    screen = AddScreen(workplace(stack), journal(), HashId.SHA1)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        fields = {"create": "new", "update": "new old itself", "delete": "old itself", "symref": "new old"}
        kind = screen.query_one("#kind", Choice)
        for value, names in fields.items():
            kind.value = value
            await pilot.pause()
            shown = [name for name in ("new", "old", "itself") if screen.query_one(f"#{name}").is_on_screen]
            assert shown == names.split()

    act(screen, steps)


def test_a_whole_transaction_is_pasted_and_checked_line_by_line(stack: Path) -> None:
    screen = AddScreen(workplace(stack), journal(), HashId.SHA1)
    commands = f"delete {branch(5).decode()}\ncreate refs/heads/new {'12' * 20}"

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        await pilot.press("right")
        assert "no commands yet" in said(screen, "problem")
        area = screen.query_one(TextArea)
        area.text = f"{commands}\nfrobnicate"
        await pilot.pause()
        assert said(screen, "problem") == "! line 3: 'frobnicate': unknown command"
        area.text = commands  # without a newline at the end, as pasted text often is
        await pilot.pause()
        assert said(screen, "said") == "These are 2 updates."
        assert "enter" in [one.binding.key for one in active_bindings(screen)]
        area.focus()
        await pilot.pause()
        assert "enter" not in [one.binding.key for one in active_bindings(screen)]  # it is a new line
        await pilot.press("ctrl+g")
        action = await phase(pilot, Phase.PLANNED)
        action.action_again()
        await phase(pilot, Phase.DONE)
        await pilot.press("escape")
        assert app.answers == [True]

    act(screen, steps)
    assert read(stack, branch(5)) is None
    assert read(stack, b"refs/heads/new") is not None


def test_many_commands_are_checked_by_the_plan_and_not_while_they_are_pasted(stack: Path) -> None:
    screen = AddScreen(workplace(stack), journal(), HashId.SHA1)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        screen.query_one("#mode", Choice).value = "commands"
        good = "".join(f"create refs/heads/new-{number} {'12' * 20}\n" for number in range(1000))
        screen.query_one(TextArea).text = f"{good}frobnicate\n"
        await pilot.pause()
        assert "frobnicate" not in said(screen, "problem")
        screen.action_plan()
        action = await phase(pilot, Phase.FAILED)
        assert "line 1001" in lines(action)[0]

    act(screen, steps)


def test_a_time_is_shown_back_in_utc_and_relative_to_the_clock(stack: Path) -> None:
    screen = ExpireScreen(workplace(stack), journal())

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        assert said(screen, "said") == "Goes: what is old by gc.reflogExpire, or else 90 days."
        await pilot.press(*"x y")
        assert "'x y' is no time" in said(screen, "problem")
        for text, shown in {
            "2023-11-14T22:13:20+01:00": "2023-11-14 21:13:20 UTC",
            "2.days.ago": "2023-11-18 17:06:40 UTC",
            "1700000000": "2023-11-14 22:13:20 UTC",
            "99999999999999999": "99,999,999,999,999,999 seconds after 1970",
        }.items():
            fill(screen, time=text)
            await pilot.pause()
            assert said(screen, "said") == f"Goes: what is older than {shown}."
        fill(screen, index="-3")
        await pilot.pause()
        assert "'-3' is no update index" in said(screen, "problem")
        fill(screen, time="", index="3")
        await pilot.pause()
        assert said(screen, "said") == "Goes: what is written by an update below 3."
        await pilot.press("enter")
        action = await phase(pilot, Phase.PLANNED)
        assert "without 2 reflog entries that expired" in sentence(action)
        assert lines(action)[-1].endswith("2 expired")

    act(screen, steps)


def test_the_reflogs_that_expire_are_chosen_by_patterns(stack: Path) -> None:
    screen = ExpireScreen(workplace(stack), journal())

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        fill(screen, time="2100-01-01", refs="refs/heads/* HEAD", spared="refs/heads/x")
        await pilot.pause()
        assert screen.action().refs == ("refs/heads/*", "HEAD")
        assert screen.action().spared == ("refs/heads/x",)
        command = screen.action().command_line
        assert "--ref 'refs/heads/*' --ref HEAD --except refs/heads/x" in command
        screen.action_plan()
        action = await phase(pilot, Phase.PLANNED)
        assert any(line.split()[:2] == ["expired", "kept"] for line in lines(action))

    act(screen, steps)


def test_a_compaction_is_chosen_with_what_each_rule_suggests(stack: Path) -> None:
    screen = compact_screen(stack)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        text = "\n".join(shown_lines(app))
        assert "(*) all: 3 tables" in text
        assert "( ) log2 rule (this stack's): #1 to #2 (2 tables)" in text
        assert "( ) geometric rule, factor 2: #1 to #2 (2 tables)" in text
        assert not screen.query_one("#first").is_on_screen
        await pilot.press("up")
        assert screen.query_one("#first").is_on_screen
        assert "from which table to which?" in said(screen, "problem")
        fill(screen, first="1", last="1")
        await pilot.pause()
        assert "a range needs two tables" in said(screen, "problem")
        fill(screen, last="3")
        await pilot.pause()
        assert "they are numbered 0 to 2" in said(screen, "problem")
        fill(screen, last="2")
        screen.query_one("#root", Choice).value = True
        await pilot.press("enter")
        action = await phase(pilot, Phase.PLANNED)
        assert "--range 1:3 --single-root" in str(action.query_one("#command", Static).content)
        action.action_again()
        await phase(pilot, Phase.DONE)
        await pilot.press("escape")
        assert app.answers == [True]

    act(screen, steps)
    assert len(listed(stack)) == 2


@pytest.mark.parametrize("which", ["add", "expire", "compact"])
def test_a_form_says_at_once_that_nothing_may_be_changed(which: str, stack: Path) -> None:
    place = workplace(stack, read_only=True)
    with Session.open(stack, label="test", options=StackOptions()) as session:
        screen: FormScreen = {
            "add": lambda: AddScreen(place, journal(), HashId.SHA1, ref=read(stack, branch(1))),
            "expire": lambda: ExpireScreen(place, journal()),
            "compact": lambda: CompactScreen(place, journal(), session.view),
        }[which]()
    before = stack_files(stack)

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        await until(pilot, lambda: "opened with --read-only" in said(screen, "problem"))
        screen.action_plan()
        await pilot.pause()
        if which != "add":  # the ref has the value that is in the field
            plan = await phase(pilot, Phase.PLANNED)
            assert "Nothing can be applied: opened with --read-only" in str(plan._warnings.content)
            assert not plan.check_action("proceed", ())

    act(screen, steps)
    assert stack_files(stack) == before


def test_the_journal_has_the_newest_first_and_copies_its_command() -> None:
    kept = journal()
    kept.note(
        "Compact all tables", "done", "Done: 2 tables became one.", "reftable-inspector compact --all /x"
    )
    kept.note("Clean", "failed", "The stack is locked.", "reftable-inspector clean /x")

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        text = "\n".join(shown_lines(app))
        assert "2023-11-20 17:06:40 UTC failed  Clean" in text
        assert "$ reftable-inspector clean /x" in text
        await pilot.press("j", "y")
        assert app.copied == ["reftable-inspector compact --all /x"]
        assert "Done: 2 tables became one." in "\n".join(shown_lines(app))
        await pilot.press("at")
        assert app.answers == [None]

    act(JournalScreen(kept), steps)


def test_an_empty_journal_says_so() -> None:
    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        assert "nothing was changed or went wrong yet" in "\n".join(shown_lines(app))
        await pilot.press("y")
        assert app.copied == []

    act(JournalScreen(journal()), steps)


def test_what_was_planned_only_is_not_in_the_journal(stack: Path) -> None:
    kept = journal()

    async def steps(pilot: Pilot[Any], _app: ActionApp) -> None:
        await phase(pilot, Phase.PLANNED)
        await pilot.press("escape")

    act(ActionScreen(CleanAction(workplace(stack)), kept), steps)
    assert kept.entries == []


def test_no_option_is_cut_without_a_sign_and_none_is_out_of_sight(stack: Path) -> None:
    screen = compact_screen(stack)

    async def steps(pilot: Pilot[Any], app: ActionApp) -> None:
        for width in (120, 80, 62, 50):
            await pilot.resize_terminal(width, 24)
            await pilot.pause()
            text = "\n".join(shown_lines(app))
            for option in screen.query(RadioButton):
                label = option.label.plain
                begun = label[:20]
                line = next(line for line in text.splitlines() if begun in line)
                assert label in line or "…" in line, (width, label)
            assert "( ) one block, for JGit" in text, width

    act(screen, steps, (120, 24))
