"""The words of the compaction pane: steps of a rule as questions with their numbers; what a merge does."""

from __future__ import annotations

from typing import Final

from textual.content import Content

from engine.merge import Comparison, ComparisonKind
from engine.stack import Policy
from inspector.model import Blocked, PastCompaction, Study
from inspector.text import counted, error_text, estimate, file_size, safe_name
from inspector.tui.widgets.axis import Axis, stacked

LEGEND: Final = "? asked  = compared  ┃ needed  R range  L log2  G geometric  M marked"
DAMAGE_LEGEND: Final = "X damaged  ? asked  = compared  R range  L log2  G geometric  M marked"
"""The columns beside the bars, without and with one for damage."""

_HEADINGS: Final[dict[ComparisonKind, str]] = {
    "cut": "cut the stack into segments",
    "choose": "choose a segment",
    "grow": "do older tables go into it?",
    "end": "where does the range end?",
    "begin": "where does the range begin?",
    "result": "the result",
}

_RULES: Final[dict[ComparisonKind, str]] = {
    "cut": "A segment: neighbours whose bars end between the same two powers.",
    "choose": "Of the segments with two tables or more, the smallest power is merged.",
    "grow": "The next older table goes in too while its power is not above that of all in it.",
    "end": "From the newest on: the first table smaller than {factor} × the next newer ends it.",
    "begin": "It begins with the oldest table smaller than {factor} × all newer in it together.",
    "result": "",
}

_WHOLE_RULES: Final[dict[Policy, str]] = {
    "log2": (
        "1 Cut: neighbours whose bars end between the same two powers of two are a segment. "
        "2 Choose: of the segments with two tables or more, that of the smallest power is merged.\n"
        "3 Grow: the next older table goes in too, and so on, while its power is not above that of all in it "
        "put together."
    ),
    "geometric": (
        "1 End: from the newest table on, find the first that is smaller than {factor} × the next newer. "
        "The range ends with that newer one; if there is none, nothing is merged.\n"
        "2 Begin: it begins with the oldest table smaller than {factor} × all newer ones of the range put "
        "together."
    ),
}
"""Each rule in two paragraphs, to be read before its steps."""


def tables_text(positions: range) -> str:
    """`table 3`, `tables 3 and 4`, `tables 3 to 7`."""
    if len(positions) == 1:
        return f"table {positions.start}"
    return f"tables {positions.start} {'and' if len(positions) == 2 else 'to'} {positions[-1]}"


def percent(part: int, whole: int) -> str:
    """A share in whole percent; what is more than nothing is at least `<1%`, what is not all at most 99%."""
    if not whole or not part:
        return "0%"
    return "<1%" if part * 100 < whole else f"{part * 100 // whole}%"


def rule_line(study: Study, *, file_sizes: bool = False) -> Content:
    """Both rules, the one shown in brackets; a note if bars are sizes of files; the rule of the stack."""
    parts: list[tuple[str, str]] = [("rule ", "$foreground-muted")]
    for rule, name in (("log2", "log2"), ("geometric", _rule("geometric", study.factor))):
        shown = rule == study.rule
        parts.append((f"[{name}]", "bold $text-accent") if shown else (f" {name} ", ""))
        if shown and rule == "geometric":
            parts.append((" (+ -)", "$foreground-muted"))
    if file_sizes:
        parts.append((" file sizes ", "$text-warning"))
    parts.append(
        (f" the stack's own: {_rule(study.options.policy, study.options.factor)}", "$foreground-muted")
    )
    return Content.assemble(*parts)


def past_line(past: PastCompaction) -> Content:
    """That this is not the stack of now."""
    unseen = past.before and past.before[-1].is_least
    of_then = " · sizes of then" + (", the newest unseen" if unseen else "")
    return Content.assemble(
        ("REPLAY ", "bold $text-warning"),
        safe_name(past.title),
        (f"{of_then} · escape: now", "$foreground-muted"),
    )


def _rule(rule: Policy, factor: int) -> str:
    return rule if rule == "log2" else f"geometric ×{factor}"


def step_lines(study: Study) -> list[Content]:
    """Where the rule is; the rule in a sentence; the question with its numbers and answer."""
    step = study.step
    heading = "which tables are merged?" if step is None else _HEADINGS[step.kind]
    place = Content.assemble(
        (f"step {study.at} of {len(study.steps)}", "bold"), (f"  {heading}", "bold $text-accent")
    )
    if step is None:
        return [place, Content(_whole_rule(study)[0])]
    question, answer = _question(step, study)
    asked = Content.assemble((question, ""), (f" {answer}" if answer else "", "bold"))
    rule = _RULES[step.kind].format(factor=study.factor)
    return [place, *([Content.styled(rule, "$foreground-muted")] if rule else []), asked]


def _whole_rule(study: Study) -> list[str]:
    return _WHOLE_RULES[study.rule].format(factor=study.factor).split("\n")


def _question(step: Comparison, study: Study) -> tuple[str, str]:
    """What a step of the rule asks, with its numbers, and the answer."""
    sizes, position = study.sizes, step.looked.start
    against = tables_text(step.against) if step.against else ""
    together = sum(sizes[at] for at in step.against)
    match step.kind:
        case "cut":
            return _cut_question(step, sizes[position], against)
        case "choose":
            question = f"Segment 2^{step.left}, {tables_text(step.looked)}: has it two tables or more"
            if len(step.looked) == 1:
                return f"{question}?", "No: it stays as it is."
            if not step.against:
                return f"{question}?", f"Yes, {len(step.looked)}: the first found."
            question += f", and is {step.left} < {step.right}, the smallest so far ({against})?"
            return question, "Yes: now it is the smallest." if step.yes else "No."
        case "grow":
            question = (
                f"{against.capitalize()} {_together(step.against)}{together:,} bytes, 2^{step.right}. "
                f"Table {position}, the next older: {sizes[position]:,} bytes, 2^{step.left}. "
                f"Is {step.left} ≤ {step.right}?"
            )
            begin = position if step.yes else position + 1
            return question, f"{'Yes' if step.yes else 'No'}: the range begins at table {begin}."
        case "end" | "begin":
            question = (
                f"Is table {position} smaller than {study.factor} × {against}{_together(step.against)[:-1]} "
                f"{step.left:,} < {study.factor} × {together:,} = {step.right:,}?"
            )
            if step.kind == "end":
                ends = f"Yes, too small: the range ends with table {step.against.start}."
                return question, ends if step.yes else "No, large enough: on to the next older."
            if step.yes:
                return question, f"Yes, too small: the range begins at table {position}."
            if position:
                return question, "No; but it counts with the newer ones for the next older."
            return question, f"No: the range still begins at table {step.marked.start}."
        case "result":
            return _result(step, study)


def _together(tables: range) -> str:
    return " together: " if len(tables) > 1 else ": "


def _cut_question(step: Comparison, size: int, against: str) -> tuple[str, str]:
    log = step.left
    # Why the magnitude is what it is.
    why = f"2^{log} = {2**log:,} ≤ {size:,} < 2^{log + 1}" if size else "no byte, which counts as 2^0"
    fact = f"Table {step.looked.start}: {why}."
    if not step.against:
        return fact, "It begins the first segment."
    question = f"{fact} Is 2^{step.right}, of {against}, its power too?"
    if step.yes and log != step.right:  # all in front of it is empty
        return question, "No; but it joins them, as they have no byte."
    return question, "Yes: it joins." if step.yes else "No: it begins another."


def _result(step: Comparison, study: Study) -> tuple[str, str]:
    if step.yes:
        what = f"{tables_text(step.marked.positions)}, {step.marked.bytes:,} bytes as the rules count them."
        return f"The {_rule(study.rule, study.factor)} rule merges", what
    if not study.tables:
        return "The stack is empty: it has no table to merge.", ""
    if len(study.tables) == 1:
        return "One table alone: there is nothing to merge.", ""
    if study.rule == "log2":
        return "Nothing to merge:", "no two neighbours have the same power of two."
    return "Nothing to merge:", f"each table is at least {study.factor} times as large as the next newer."


# The two that are compared, as bars.


def _hundredths(left: int, right: int) -> str:
    """How many times as large, cut: 0.999 times is less than once."""
    hundredths = left * 100 // right if right else 0
    return f"{hundredths / 100:,.2f}" if hundredths or not left else "less than 0.01"


def compared_lines(study: Study, width: int) -> list[Content]:
    """The table asked about above what it is compared with, on one scale; else how to go on."""
    step = study.step
    if step is None or step.kind not in ("grow", "end", "begin"):
        rest = [] if step is not None else [Content(_whole_rule(study)[1])]
        return [*rest, _hint(". step   > play to the next decision   } result   X other rule")]
    sizes = [study.sizes[at] for at in step.against]
    left, right = study.sizes[step.looked.start], sum(sizes)
    times = study.factor if study.rule == "geometric" else 1
    names = [f"table {step.looked.start}", tables_text(step.against)]
    if times > 1:
        names[1] = f"{times} × {names[1]}"
    label = max(map(len, names))
    room = max(4, width - label - 9)
    if study.rule == "geometric":
        largest = max(left, times * right)
        bars = [stacked([left], 1, largest, room), stacked(sizes, times, largest, room)]
        times_as_large = _hundredths(left, step.right)
        verdict = f"{times_as_large} times as large: " if step.right else "nothing to be compared with: "
        last = verdict + ("too small" if step.yes else "large enough")
        if len(sizes) > 1:
            last += f"   ({times} times, table by table)" if times > 1 else "   (table by table)"
    else:
        axis = Axis.of(study.sizes, room)
        bars = [axis.row(size)[0] for size in (left, right)]
        last = f"2^{step.left} against 2^{step.right}: " + ("goes in" if step.yes else "stays out")
    looks = "$text-warning", "$text-accent"
    return [
        Content.assemble((f"{name:<{label}} ", ""), (f"{drawn:<{room}}", look), f" {file_size(size):>7}")
        for name, drawn, look, size in zip(names, bars, looks, (left, times * right), strict=True)
    ] + [Content.styled(last, "$foreground-muted")]


def damage_text(blocked: Blocked) -> str:
    """Which table is damaged, and how."""
    where = "" if blocked.position is None else f"Table {blocked.position}, "
    return where + error_text(blocked.error)


def damage_texts(study: Study) -> dict[int, str]:
    """How each table that is known to be damaged is, by position."""
    found = ((at, study.damage_of(at)) for at in range(len(study.tables)))
    return {at: damage_text(Blocked(error, at)) for at, error in found if error is not None}


def merge_lines(study: Study) -> list[Content]:
    """What merging the range would do: exactly if that is known, else estimated by sizes."""
    target = study.seen
    if not target:
        if len(study.tables) < 2:
            return []
        return [_hint("Mark tables with space, or all with A, to see what merging them would do.")]
    which = "marked" if study.marked else "suggested"
    if study.past is not None and target == study.past.merged:
        which = "as it was" if not study.marked else "by neither rule"
    if not study.mergeable:
        return [_hint(f"Table {target.start} is {which}; one table alone is not merged: mark another one.")]
    merged, outcome = study.merged_size(file_sizes=True), study.outcome
    what = f"Merge {tables_text(target)} ({which}): "
    if (blocked := study.blocked) is not None:
        return [
            Content.assemble(
                (f"BLOCKED: {tables_text(target)} ({which}) cannot be merged", "bold $text-error"),
                " (enter: repair).",
            ),
            Content.styled(damage_text(blocked), "$text-error"),
            _hint("A merge reads every record of its tables, and so does git's."),
        ]
    after = len(study.tables) - len(target) + (merged is not None)
    read = sum(table.size for table in study.tables[target.start : target.stop])
    if outcome is not None and not isinstance(outcome, Blocked):
        dropped = outcome.dropped
        bytes_text = (
            f"{outcome.bytes:,} bytes out of {read:,}; drops {dropped.shadowed:,} superseded, "
            f"{dropped.tombstones:,} tombstones. "
        )
        how = ("Exactly ", "bold $text-success")
    elif not study.is_estimate:
        bytes_text, how = f"{merged or 0:,} bytes out of {read:,}. ", ("Exactly ", "bold $text-success")
    else:
        exactly = "" if study.past is not None else " (enter: exactly)"
        bytes_text = f" bytes out of {read:,} by the sizes alone{exactly}. "
        how = (estimate(f"{merged or 0:,}"), "bold $text-warning")
    share = percent(read, sum(table.size for table in study.tables))
    return [
        Content.assemble(
            (what, "bold"),
            f"rewrites {share} of the stack, {len(study.tables):,} → {counted(after, 'table')}.",
        ),
        Content.assemble(how, bytes_text, (_tombstones(target), "$foreground-muted")),
    ]


def _tombstones(target: range) -> str:
    if target.start == 0:
        return "Tombstones go: nothing older is left for them to hide."
    return "Tombstones stay: table 0 is out of the range, they may hide what is in it."


def _hint(text: str) -> Content:
    return Content.styled(text, "$foreground-muted")
