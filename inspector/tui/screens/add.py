"""The form for a transaction: a change of one ref, or `git update-ref --stdin` commands."""

from __future__ import annotations

from typing import Final, Literal, get_args

from textual.widget import Widget
from textual.widgets import Input, TextArea

from engine.format import HashId, RefRecord
from engine.update import parse_commands
from inspector.actions import AddAction, FormKind, RefForm, Workplace, name_field, value_field
from inspector.model import Journal
from inspector.text import counted
from inspector.tui.screens.form import Choice, FormScreen, field

_CHECKED_CHARACTERS: Final = 32768
"""Longer commands are checked by the plan, in its thread, rather than while they are typed."""


class AddScreen(FormScreen):
    """Changes refs of a stack with object ids of `hash_id`.

    The form begins with `ref`, as it is; or with HEAD, to be written as a symbolic ref to the branch `head`,
    which is empty where only the user knows it.
    """

    HELP = """
    A transaction changes refs, all of them or none, and is written as one table on top of the stack. It also
    has the reflog entries, by the committer that git knows. A deleted ref leaves a tombstone that hides it in
    the older tables.

    One ref: create demands that there is none of that name; update and delete can demand an old value, and
    are refused if the ref holds another one; symref makes a symbolic ref, like HEAD, point to another ref.
    An update of a symbolic ref changes the ref at its end, unless it is to be the ref itself.

    Commands: what git update-ref --stdin reads, one a line: create REF NEW, update REF NEW OLD, delete REF
    OLD, verify REF OLD, symref-update REF TARGET, option no-deref, and so on. Names of objects like HEAD~1
    are looked up for the plan. Tab leads out of the box; ctrl+g makes the plan.

    Whether the repository has the objects is looked up for the plan, which warns of what git would refuse.
    """

    DEFAULT_CSS = """
    AddScreen {
        & #commands { height: 10; border: solid $surface-lighten-3; }
        & #commands:focus { border: heavy $accent; }
        & #box { height: auto; }
    }
    """

    def __init__(
        self,
        workplace: Workplace,
        journal: Journal,
        hash_id: HashId,
        *,
        ref: RefRecord | None = None,
        head: bytes | None = None,
    ) -> None:
        self._hash_id = hash_id
        self._mode: Choice[Literal["ref", "commands"]] = Choice(
            [("ref", "one ref"), ("commands", "update-ref commands")], id="mode"
        )
        kinds: list[tuple[FormKind, str]] = [(kind, kind) for kind in get_args(FormKind)]
        kind: FormKind = "create"
        if ref is not None and not ref.is_deletion:
            kind = "update" if ref.target is None else "symref"
        elif head is not None:
            kind = "symref"
        self._kind: Choice[FormKind] = Choice(kinds, chosen=kind, id="kind")
        self._given, self._head = ref, head
        self._ref = Input(placeholder="e.g. refs/heads/topic", compact=True, id="name")
        self._new = Input(compact=True, id="new")
        self._old = Input(placeholder="any", compact=True, id="old")
        self._itself: Choice[bool] = Choice(
            [(False, "the ref it points to"), (True, "the ref itself")], id="itself"
        )
        self._message = Input(placeholder="none", compact=True, id="message")
        self._commands = TextArea(
            id="commands", soft_wrap=False, tab_behavior="focus", highlight_cursor_line=False
        )
        super().__init__(
            "Add a transaction",
            workplace,
            journal,
            field("change", self._mode),
            field("what", self._kind),
            field("ref", self._ref),
            field("new value", self._new),
            field("old value", self._old),
            field("symref means", self._itself),
            self._commands,
            field("reflog says", self._message),
        )

    def on_mount(self) -> None:
        """What is left to say of a ref that is given is its new value."""
        ref = self._given
        if ref is not None:
            self._ref.value = name_field(ref.name)
            self._old.value = value_field(ref)
            self._new.focus()
        elif self._head is not None:
            self._ref.value = "HEAD"
            self._new.value = name_field(self._head) if self._head else ""
            self._new.focus()

    def _form(self) -> RefForm:
        old = self._old.value.strip() if self._kind.value != "create" else ""
        new = self._new.value.strip() if self._kind.value != "delete" else ""
        return RefForm(self._kind.value, self._ref.value.strip(), new, old, self._itself.value)

    def _data(self) -> bytes:
        if self._mode.value == "ref":
            return self._form().commands(self._hash_id)
        text = self._commands.text
        return (text if text.endswith("\n") else f"{text}\n").encode("utf-8", "surrogateescape")

    def show_fields(self) -> None:
        """Show the lines that this kind of change has."""
        one, kind = self._mode.value == "ref", self._kind.value
        shown: list[tuple[Widget, bool]] = [
            (self._kind, True),
            (self._ref, True),
            (self._new, kind != "delete"),
            (self._old, kind != "create"),
            (self._itself, kind in ("update", "delete")),
        ]
        for widget, visible in shown:
            if widget.parent is not None:
                widget.parent.display = one and visible
        self._commands.display = not one
        digits = f"{2 * self._hash_id.size} hexadecimal digits"
        self._new.placeholder = "e.g. refs/heads/topic" if kind == "symref" else digits

    def check(self) -> str:
        """The command that a change of one ref is, or how many updates the commands are."""
        if self._mode.value == "ref":
            form = self._form()
            if wrong := form.problem(self._hash_id):
                raise ValueError(wrong)
            commands = form.commands(self._hash_id).decode("utf-8", "surrogateescape")
            return f"As a command: {'; '.join(commands.splitlines())}"
        if not self._commands.text.strip():
            raise ValueError("no commands yet: one a line, like create refs/heads/topic and an object id")
        if len(self._commands.text) > _CHECKED_CHARACTERS:
            return ""
        # Which object a name is for, git says when the plan is made.
        named = b"\xff" * self._hash_id.size
        updates = parse_commands(self._data(), self._hash_id, resolve=lambda _: named)
        return f"These are {counted(len(updates), 'update')}."

    @property
    def hint(self) -> str:
        """In the box, enter begins a line."""
        key = "Enter" if self._mode.value == "ref" else "ctrl+g"
        return f"{key} makes a plan; nothing is changed yet."

    def action(self) -> AddAction:
        """Write what the form says."""
        return AddAction(self._workplace, self._data(), self._message.value)
