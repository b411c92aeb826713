"""The words of the compaction pane: steps of a rule as questions with their numbers; what a merge does."""

from __future__ import annotations

from typing import Final

from textual.content import Content

from engine.merge import CompactionPlan, Comparison, ComparisonKind
from engine.stack import Policy
from inspector.model import Blocked, Study
from inspector.text import error_text, file_size

LEGEND: Final = "? asked  = compared  R range so far  L log2  G geometric  M marked"
DAMAGE_LEGEND: Final = "X damaged  ? asked  = compared  R range  L log2  G geometric  M marked"
"""The columns beside the bars, without and with one for damage."""

_HEADINGS: Final[dict[ComparisonKind, str]] = {
    "cut": "cut the stack into segments",
    "choose": "choose a segment",
    "grow": "does it outgrow older tables?",
    "end": "where does the range end?",
    "begin": "where does the range begin?",
    "result": "the result",
}

_RULES: Final[dict[ComparisonKind, str]] = {
    "cut": "Adjacent tables between the same two powers of two form a segment.",
    "choose": "The smallest magnitude that two adjacent tables share is the one to merge.",
    "grow": "Older tables of no larger magnitude than the result are merged too.",
    "end": "Each table should be at least {factor} times as large as the one behind it.",
    "begin": "A table should be at least {factor} times all behind it in the range.",
    "result": "",
}


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


def _rule(rule: Policy, factor: int) -> str:
    return rule if rule == "log2" else f"geometric ×{factor}"


def step_lines(study: Study) -> list[Content]:
    """Where the rule is; the rule in a sentence; the question with its numbers and answer."""
    step = study.step
    place = Content.assemble(
        (f"step {study.at + 1} of {len(study.steps)}", "bold"),
        (f"  {_HEADINGS[step.kind]}", "bold $text-accent"),
    )
    question, answer = _question(step, study)
    asked = Content.assemble((question, ""), (f" {answer}" if answer else "", "bold"))
    rule = _RULES[step.kind].format(factor=study.factor)
    return [place, *([Content.styled(rule, "$foreground-muted")] if rule else []), asked]


def _question(step: Comparison, study: Study) -> tuple[str, str]:
    """What a step of the rule asks, with its numbers, and the answer."""
    sizes, position = study.sizes, step.looked.start
    against = tables_text(step.against) if step.against else ""
    together = sum(sizes[at] for at in step.against)
    match step.kind:
        case "cut":
            log, size = step.left, sizes[position]
            # Why the magnitude is what it is.
            fact = f"Table {position}: 2^{log} = {2**log:,} ≤ {size:,} < 2^{log + 1}: magnitude {log}."
            if not step.against:
                return fact, "It begins the first segment."
            answer = "Yes: it joins." if step.yes else f"No, that is {step.right}: it begins another."
            return f"{fact} That of the segment in front, {against}?", answer
        case "choose":
            question = f"Does segment 2^{step.left}, {tables_text(step.looked)}, hold two tables or more"
            if len(step.looked) == 1:
                return f"{question}?", "No: it stays as it is."
            if not step.against:
                return f"{question}?", f"Yes, {len(step.looked)}: the first found."
            question += f", and is {step.left} < {step.right}, the smallest so far ({against})?"
            return question, "Yes: now it is the smallest." if step.yes else "No."
        case "grow":
            question = (
                f"{against.capitalize()} together: {together:,} bytes, magnitude {step.right}. "
                f"Table {position} in front: {sizes[position]:,} bytes, {step.left}. "
                f"Is {step.left} ≤ {step.right}?"
            )
            begin = position if step.yes else position + 1
            return question, f"{'Yes' if step.yes else 'No'}: the range begins at table {begin}."
        case "end" | "begin":
            which = against if step.kind == "end" else f"{against} behind it"
            question = (
                f"Is table {position} too small for {which}: "
                f"{step.left:,} < {study.factor} × {together:,} = {step.right:,}?"
            )
            if step.kind == "end":
                ends = f"Yes: the range ends with table {step.against.start}."
                return question, ends if step.yes else "No: they may stay as they are."
            if step.yes:
                return question, f"Yes: the range begins at table {position}."
            if position:
                return question, "No; but its bytes count when the next older one is asked."
            return question, f"No: the range still begins at table {step.marked.start}."
        case "result":
            return _result(step, study)


def _result(step: Comparison, study: Study) -> tuple[str, str]:
    if step.yes:
        what = f"{tables_text(step.marked.positions)}, {step.marked.bytes:,} bytes as the rules count them."
        return f"The {_rule(study.rule, study.factor)} rule merges", what
    if not study.tables:
        return "The stack is empty: it has no table to merge.", ""
    if len(study.tables) == 1:
        return "One table alone: there is nothing to merge.", ""
    if study.rule == "log2":
        return "Nothing to merge:", "no two adjacent tables are of one magnitude."
    return "Nothing to merge:", f"each table is at least {study.factor} times as large as the one behind it."


def damage_text(blocked: Blocked) -> str:
    """Which table is damaged, and how."""
    where = "" if blocked.position is None else f"Table {blocked.position}, "
    return where + error_text(blocked.error)


def damage_texts(study: Study) -> dict[int, str]:
    """The same of each table that is known to be damaged, by position."""
    found = ((at, study.damage_of(at)) for at in range(len(study.tables)))
    return {at: damage_text(Blocked(error, at)) for at, error in found if error is not None}


def merge_lines(study: Study) -> list[Content]:
    """What merging the range would do: exactly if that is known, else estimated by sizes."""
    target = study.target
    if not target:
        if len(study.tables) < 2:
            return []
        return [_hint("Mark tables with space, or all with A, to see what merging them would do.")]
    which = "marked" if study.marked else "suggested"
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
    if isinstance(outcome, CompactionPlan):
        dropped = outcome.dropped
        bytes_text = (
            f"{outcome.bytes:,} bytes out of {read:,}; drops {dropped.shadowed:,} superseded, "
            f"{dropped.tombstones:,} tombstones. "
        )
        how = ("Exactly ", "bold $text-success")
    else:
        bytes_text = f"{file_size(merged or 0)} by the sizes alone (enter: exactly). "
        how = ("About ", "bold $text-warning")
    share = percent(read, sum(table.size for table in study.tables))
    return [
        Content.assemble(
            (what, "bold"), f"rewrites {share} of the stack, {len(study.tables):,} → {after:,} tables."
        ),
        Content.assemble(how, bytes_text, (_tombstones(target), "$foreground-muted")),
    ]


def _tombstones(target: range) -> str:
    if target.start == 0:
        return "Tombstones go: nothing older is left for them to hide."
    return "Tombstones stay: table 0 is out of the range, they may hide what is in it."


def _hint(text: str) -> Content:
    return Content.styled(text, "$foreground-muted")
