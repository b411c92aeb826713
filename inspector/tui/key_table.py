"""Every key of the inspector, once: what each letter means, and what it does in each place.

`MEANINGS` gives each meaning its keys: one key means one thing, wherever it works. `PLACES` says what a
screen, a pane or a list does with meanings. What is made of the two is in `keys.py`.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Meaning(NamedTuple):
    """The keys of a meaning, by Textual's names, the first of them the one that is shown; and its words."""

    keys: str
    words: str
    shown: str = ""
    """What the footer shows instead of the first key where `other` has its key there too: both."""
    other: str = ""
    """The meaning of the other key of the pair."""


MEANINGS: Final[dict[str, Meaning]] = {
    # Moving, as in every list.
    "down": Meaning("down,j", "Down", "j/k", "up"),
    "up": Meaning("up,k", "Up"),
    "left": Meaning("left", "Left", "← →", "right"),
    "right": Meaning("right", "Right", "← →", "left"),
    "page-down": Meaning("pagedown", "Page down"),
    "page-up": Meaning("pageup", "Page up"),
    "half-down": Meaning("ctrl+d", "Half a page down"),
    "half-up": Meaning("ctrl+u", "Half a page up"),
    "top": Meaning("home,g", "Top"),
    "end": Meaning("end,G", "End"),
    "row-start": Meaning("0", "Start of the row"),
    "row-end": Meaning("dollar_sign", "End of the row"),
    "next-pane": Meaning("tab", "Next pane"),
    "pane-before": Meaning("shift+tab", "Pane before"),
    "tab": Meaning("right_square_bracket", "Tab", "[ ]", "tab-before"),
    "tab-before": Meaning("left_square_bracket", "Tab before"),
    "tab-1": Meaning("1", "Tab 1"),
    "tab-2": Meaning("2", "Tab 2"),
    "tab-3": Meaning("3", "Tab 3"),
    "tab-4": Meaning("4", "Tab 4"),
    "tab-5": Meaning("5", "Tab 5"),
    # Everywhere.
    "open": Meaning("enter", "Open"),
    "leads": Meaning("l", "Leads to…"),
    "back": Meaning("backspace", "Back"),
    "stop": Meaning("escape", "Stop, close, clear"),
    "help": Meaning("question_mark,f1", "Help"),
    "quit": Meaning("q", "Quit"),
    "actions": Meaning("colon", "Actions"),
    "again": Meaning("R", "Again"),
    "maximise": Meaning("m", "Maximise"),
    "pause": Meaning("p", "Pause watching"),
    "suspend": Meaning("ctrl+z", "Suspend"),
    # Screens.
    "snapshots": Meaning("B", "Snapshots"),
    "travel": Meaning("T", "Time travel"),
    "history": Meaning("L", "History"),
    "journal": Meaning("at", "Journal"),
    "stacks": Meaning("W", "Other stack"),
    # Changes of the stack.
    "change": Meaning("w", "Change…"),
    "add": Meaning("a", "Add…"),
    "compact": Meaning("c", "Compact…"),
    "expire": Meaning("e", "Expire…"),
    "clean": Meaning("x", "Clean…"),
    "repair": Meaning("r", "Repair…"),
    "unlock": Meaning("u", "Unlock…"),
    "undo": Meaning("z", "Undo…"),
    "force": Meaning("exclamation_mark", "Force"),
    "keep": Meaning("K", "Keep"),
    "prune": Meaning("P", "Prune…"),
    "plan": Meaning("ctrl+g", "Plan"),
    # Lists.
    "filter": Meaning("slash", "Filter"),
    "jump": Meaning("f", "Jump"),
    "sort": Meaning("s", "Sort", "s/S", "reverse"),
    "reverse": Meaning("S", "Reverse the order"),
    "tree": Meaning("t", "Tree"),
    "created": Meaning("C", "Created"),
    "updated": Meaning("U", "Updated"),
    "tombstones": Meaning("D", "Tombstones"),
    "bytes": Meaning("b", "Bytes"),
    "show": Meaning("o", "git show"),
    "copy": Meaning("y", "Copy", "y/Y", "copy-bytes"),
    "copy-bytes": Meaning("Y", "Copy bytes"),
    "copy-offset": Meaning("O", "Copy offset"),
    "export": Meaning("E", "Export"),
    "differs": Meaning("d", "What differs"),
    "mark": Meaning("space", "Mark"),
    "mark-along": Meaning("V", "Mark along"),
    "mark-all": Meaning("A", "Mark all"),
    "extend-down": Meaning("shift+down", "Extend down"),
    "extend-up": Meaning("shift+up", "Extend up"),
    "extend-left": Meaning("shift+left", "Extend to the left"),
    "extend-right": Meaning("shift+right", "Extend to the right", "shift+← →", "extend-left"),
    # Blocks, Compaction, Health.
    "other-view": Meaning("h", "Other view"),
    "inflated": Meaning("i", "Inflated"),
    "damage": Meaning("n", "Damage", "n/N", "damage-before"),
    "damage-before": Meaning("N", "Damage before"),
    "check": Meaning("v", "Check"),
    "step": Meaning("full_stop", "Step", ". ,", "step-back"),
    "step-back": Meaning("comma", "Step back"),
    "play": Meaning("greater_than_sign", "Play"),
    "first-step": Meaning("left_curly_bracket", "First step"),
    "result": Meaning("right_curly_bracket", "Result"),
    "other-choice": Meaning("X", "The other way"),
    "larger": Meaning("plus,equals_sign", "Larger factor", "+ -", "smaller"),
    "smaller": Meaning("minus", "Smaller factor"),
    "file-sizes": Meaning("F", "File sizes"),
}


class Use(NamedTuple):
    """What a place does with a meaning: the action of its class, and its words there."""

    meaning: str
    action: str
    words: str = ""
    rank: int = 0
    """How useful it is, 1 the most; 0 keeps it out of the footer."""
    hint: str = ""
    priority: bool = False
    """Done before the next key is given to anything: what is typed next is meant for where this leads."""
    is_listed: bool = True
    """Whether the help tells of it: not of a key that has its use elsewhere, and only says so as a rule."""


_NO_PROMPT: Final = (
    Use("filter", "app.no_prompt('filter')", is_listed=False),
    Use("jump", "app.no_prompt('jump')", is_listed=False),
)
"""What follows these keys is text, and where there is nothing to type it for, it is no command either."""


def _moves(*, sideways: bool = False) -> tuple[Use, ...]:
    steps = (Use("left", "step(-1)", "Byte back"), Use("right", "step(1)", "Byte", 34)) if sideways else ()
    return (
        *steps,
        Use("down", "move(1)"), Use("up", "move(-1)"),
        Use("page-down", "page(1)"), Use("page-up", "page(-1)"),
        Use("half-down", "page(0.5)"), Use("half-up", "page(-0.5)"),
        Use("top", "first"), Use("end", "last"),
    )  # fmt: skip


def _leave(words: str, *also: str) -> tuple[Use, ...]:
    """The ways to close a screen: the key that opened it is one."""
    return Use("stop", "leave", words, 8), *(Use(meaning, "leave", words) for meaning in ("quit", *also))


_TO_SHELL: Final = "Back to the shell; fg returns"

PLACES: Final[dict[str, tuple[Use, ...]]] = {
    "app": (Use("suspend", "app.suspend_process", hint=_TO_SHELL),),
    "main": (
        Use("next-pane", "app.focus_next", rank=50),
        Use("pane-before", "app.focus_previous"),
        Use("tab", "tab(1)", rank=20, priority=True),
        Use("tab-before", "tab(-1)", priority=True),
        *(Use(f"tab-{number}", f"show_tab({number - 1})", priority=True) for number in range(1, 6)),
        Use("change", "change", rank=14, hint="Add, compact, expire, clean, repair, unlock, undo"),
        Use("leads", "leads_to", rank=54, hint="The places that the row leads to"),
        Use("back", "go_back", rank=56, hint="Where you came from"),
        Use("history", "history", rank=60),
        Use("snapshots", "snapshots", rank=62),
        Use("travel", "moments", rank=64),
        Use("stacks", "app.pick", rank=66),
        Use("maximise", "maximise", rank=70),
        Use("again", "reload", rank=72, hint="Look at the stack again"),
        Use("pause", "pause", rank=74),
        Use("journal", "journal", rank=76),
        Use("stop", "back", "Whole stack", 40),
        Use("help", "app.explain", rank=2),
        Use("quit", "app.quit", rank=1),
        Use("actions", "app.command_palette", rank=52),
        Use("repair", "repair_damage", is_listed=False),
        Use("filter", "prompt('filter')", is_listed=False),
        Use("jump", "prompt('jump')", is_listed=False),
    ),
    "list": _moves(),
    "stack": (
        Use("open", "open", rank=10, hint="What a table holds, what a lock waits for"),
        Use("mark", "mark", rank=16),
        Use("unlock", "screen.unlock", rank=12),
        Use("stop", "unmark", "Take marks away", 44),
    ),
    "records": (
        Use("open", "follow", rank=44),
        Use("filter", "filter", rank=10, priority=True),
        Use("jump", "jump", rank=12, priority=True),
        Use("sort", "sort", rank=16),
        Use("reverse", "turn"),
        Use("tombstones", "deletions", rank=42),
        Use("bytes", "want('block')", rank=22),
        Use("copy", "want('copy')", rank=24),
        Use("show", "want('object')", rank=43, hint="The commit or tag, in a pager"),
        Use("export", "export", rank=46),
        Use("stop", "back", "Stop, or drop the filter"),
    ),
    "prompt": (
        Use("open", "leave(True)", "To the list", 10, priority=True),
        Use("down", "leave(True)", "To the list"),
        Use("stop", "leave(False)", "Clear", 12, priority=True),
    ),
    "detail": (
        Use("down", "scroll_down", "Scroll", 30),
        Use("up", "scroll_up", "Scroll up"),
        Use("top", "scroll_home"),
        Use("end", "scroll_end"),
    ),
    "blocks": (
        Use("other-view", "other", "Tree/hex", 12),
        Use("inflated", "inflated", rank=16),
        Use("jump", "ask_offset", rank=18),
        Use("damage", "damage(1)", rank=22),
        Use("damage-before", "damage(-1)"),
        Use("copy", "copy_value", rank=24),
        Use("copy-bytes", "copy_bytes"),
        Use("copy-offset", "copy_offset"),
    ),
    "refs": (Use("tree", "tree", "Tree", 20, hint="Prefixes with counts, and back to the list"),),
    "prefixes": (
        Use("open", "toggle_prefix", rank=10),
        Use("right", "unfold", "Open"),
        Use("left", "fold", "Close, or go to what it is below"),
    ),
    "block-tree": (
        Use("open", "toggle_part", rank=10),
        Use("right", "unfold", "Open"),
        Use("left", "fold", "Close, or go to what it is part of"),
    ),
    "hex": (
        *_moves(sideways=True),
        Use("row-start", "row_end(-1)"),
        Use("row-end", "row_end(1)"),
    ),
    "bars": _moves(),
    "compaction": (
        Use("step", "step(1)", rank=10),
        Use("step-back", "step(-1)"),
        Use("play", "play", "Play or pause", 13),
        Use("first-step", "start"),
        Use("result", "result", rank=17),
        Use("other-choice", "switch_rule", "Rule", 12),
        Use("larger", "factor(1)", "Factor", 36),
        Use("smaller", "factor(-1)"),
        Use("mark", "mark", rank=34),
        Use("mark-along", "mark_along"),
        Use("extend-down", "extend(1)", "Mark on"),
        Use("extend-up", "extend(-1)", "Mark back"),
        Use("mark-all", "mark_all", rank=38),
        Use("open", "dry_run", "Dry run", 16),
        Use("open", "repair", "Repair…", 15),
        Use("repair", "repair"),
        Use("compact", "compact", rank=18),
        Use("open", "say_why_not", is_listed=False),
        Use("compact", "say_why_not", is_listed=False),
        Use("file-sizes", "measure", rank=48),
        Use("other-view", "other_view", "Over time", 22),
        Use("stop", "leave", "Clear or stop"),
    ),
    "over-time": (
        Use("down", "load(1)", "Load", 10),
        Use("up", "load(-1)", "Load before"),
        Use("right", "move(1)", "Time", 12),
        Use("left", "move(-1)", "Back in time"),
        Use("page-down", "leap(1)", "A tenth on"),
        Use("half-down", "leap(1)", "A tenth on"),
        Use("page-up", "leap(-1)", "A tenth back"),
        Use("half-up", "leap(-1)", "A tenth back"),
        Use("step", "merge(1)", "Next merge", 16),
        Use("step-back", "merge(-1)", "Merge before"),
        Use("play", "play", "Play or pause", 18),
        Use("top", "first", "First transaction"),
        Use("first-step", "first", "First transaction"),
        Use("end", "last", "Last transaction"),
        Use("result", "last", "Last transaction"),
        Use("extend-right", "additions(1)", "More transactions", 24),
        Use("extend-left", "additions(-1)", "Fewer transactions"),
        Use("extend-up", "size(1)", "Twice as large"),
        Use("extend-down", "size(-1)", "Half as large"),
    ),
    "health": (
        Use("check", "check", rank=10),
        Use("repair", "screen.repair", rank=12),
        Use("open", "open", rank=16),
        Use("bytes", "open", rank=24),
        Use("copy", "copy", rank=42),
        Use("stop", "stop", "Stop", 18),
    ),
    # Screens on top of the main one.
    "dialog": (
        Use("help", "app.explain", rank=2),
        Use("suspend", "app.suspend_process", hint=_TO_SHELL),  # those of the application end at a dialog
        *_NO_PROMPT,
    ),
    "no-prompt": (Use("open", "leave", "Back", 10), Use("stop", "leave", "Back", 8)),
    "help": (
        # Typing filters, so only keys that no field takes do anything else.
        Use("open", "run", "Run", 10, priority=True),
        Use("help", "leave", "Close", priority=True),
        Use("stop", "leave", "Close", 8),
        Use("down", "move(1)", rank=12),
        Use("up", "move(-1)"),
        Use("page-down", "page(1)", rank=14),
        Use("page-up", "page(-1)"),
    ),
    "confirm": (
        Use("stop", "dismiss(False)", "Cancel", 10),
        Use("left", "app.focus_next", "Next"),
        Use("right", "app.focus_next", "Next"),
        Use("next-pane", "app.focus_next", "Next", 12),
        Use("pane-before", "app.focus_previous", "Before"),
    ),
    "leads": (Use("open", "choose", "Go there", 10), *_leave("Back", "leads", "back")),
    "form": (
        Use("open", "submit", "Plan", 10),
        Use("plan", "plan"),
        Use("next-pane", "app.focus_next", "Next field", 12),
        Use("pane-before", "app.focus_previous", "Field before"),
        Use("stop", "leave", "Cancel", 14),
    ),
    "choice": (
        Use("right", "choose(1)", "Choose", 20),
        Use("down", "choose(1)", "Choose"),
        Use("mark", "choose(1)", "Choose"),
        Use("left", "choose(-1)", "Choose the one before"),
        Use("up", "choose(-1)", "Choose the one before"),
    ),
    "picker": (Use("open", "choose", rank=10), *_leave("Leave")),
    "change": (
        Use("open", "choose", "Plan…", 10),
        Use("add", "pick('add')"),
        Use("compact", "pick('compact')"),
        Use("expire", "pick('expire')"),
        Use("clean", "pick('clean')"),
        Use("repair", "pick('repair')"),
        Use("unlock", "pick('unlock')"),
        Use("undo", "pick('undo')"),
        *_leave("Back", "change"),
    ),
    "plan": (
        Use("open", "proceed", "Apply…", 10),
        Use("again", "again", "Try again", 12),
        Use("again", "plan_again", "Plan again", 12),
        Use("repair", "repair", rank=14),
        Use("unlock", "unlock", rank=16),
        Use("undo", "undo", "Undo this", 18),
        Use("leads", "leads_to", rank=26),
        Use("copy", "copy", "Copy command", 24),
        Use("back", "go_back"),
        *_leave("Back"),
    ),
    "repair": (
        Use("differs", "outcomes", "Refs", 20),
        Use("other-choice", "other_option", "Other option", 22),
        Use("force", "force(True)", "Force…", 23),
        Use("force", "force(False)", "No force", 23),
    ),
    "changes": (
        Use("created", "toggle_kind('created')", rank=12),
        Use("updated", "toggle_kind('updated')", rank=14),
        Use("tombstones", "toggle_kind('deleted')", "Deleted", 16),
        Use("open", "follow", rank=10),
        Use("leads", "leads_to", rank=18),
        Use("copy", "copy", rank=24),
        Use("stop", "back", "Stop/back", 8),
        Use("quit", "back"),
        Use("history", "back"),
        Use("back", "leave"),
    ),
    "outcomes": (
        Use("open", "follow", rank=10),
        Use("leads", "leads_to", rank=12),
        *_leave("Back", "differs", "back"),
    ),
    "moments": (
        Use("open", "choose", "Show", 10),
        Use("mark", "mark", rank=14),
        Use("differs", "compare", rank=12),
        Use("leads", "leads_to", rank=16),
        *_leave("Back", "travel", "back"),
    ),
    "snapshots": (
        Use("open", "restore", "Go back…", 10),
        Use("differs", "compare", "Refs then and now", 12),
        Use("keep", "keep", rank=14),
        Use("prune", "prune", "Prune…", 16),
        Use("leads", "leads_to", rank=18),
        *_leave("Back", "snapshots", "back"),
    ),
    "copy": (Use("open", "choose", "Copy", 10), *_leave("Back", "copy")),
    "export": (Use("open", "write", "Write", 10, priority=True), Use("stop", "leave", "Cancel", 12)),
    "history": (
        Use("open", "follow", "Replay", 10),
        Use("open", "differs", "What differs"),
        Use("differs", "differs", rank=12),
        Use("leads", "leads_to", rank=16),
        Use("copy", "copy", "Copy command", 14),
        *_leave("Back", "history", "back"),
    ),
    "tour": (
        Use("open", "go_on", "Answer, next", 10, priority=True),
        Use("open", "end", "Quit", 10, priority=True),
        Use("right", "turn(1)", "Next", 12, priority=True),
        Use("left", "turn(-1)", "Back", priority=True),
        Use("mark", "mark", rank=14),
        Use("mark-all", "mark_all", rank=16),
        Use("step", "step(1)", rank=18),
        Use("step-back", "step(-1)"),
        Use("stop", "clear", "Clear marks"),
        Use("help", "app.explain", rank=2),
        Use("quit", "app.quit", rank=1),
        *_NO_PROMPT,
    ),
    "journal": (
        Use("copy", "copy", "Copy command", 10),
        Use("open", "follow", "Open", 12),
        Use("leads", "leads_to", rank=14),
        *_leave("Back", "journal", "back"),
    ),
}
