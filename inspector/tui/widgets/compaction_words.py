"""The words of the compaction pane: steps of a rule as questions with their numbers; what a merge does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from textual.content import Content

from engine.merge import Comparison, ComparisonKind
from engine.progress import Progress
from engine.stack import Policy
from inspector.model import Blocked, MergeResult, Study
from inspector.text import error_text, file_size
from inspector.tui.work import failure_text

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
    "choose": "The smallest magnitude that two neighbours share is the one to merge.",
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
    """Both rules, that in question in brackets; a note if bars are files; the rule of the stack."""
    rules: list[tuple[Policy, str]] = [("log2", "log2"), ("geometric", f"geometric ×{study.factor}")]
    parts: list[tuple[str, str]] = [("rule ", "$foreground-muted")]
    for rule, name in rules:
        shown = rule == study.rule
        parts.append((f"[{name}]" if shown else f" {name} ", "bold $text-accent" if shown else ""))
        if shown and rule == "geometric":
            parts.append((" (+ -)", "$foreground-muted"))
    used = study.policy if study.policy == "log2" else f"geometric ×{study.policy_factor}"
    if file_sizes:
        parts.append((" file sizes ", "$text-warning"))
    parts.append((f" the stack's own: {used}", "$foreground-muted"))
    return Content.assemble(*parts)


def step_lines(study: Study) -> list[Content]:
    """Where the rule is; the rule in a sentence; the question with its numbers and answer."""
    step = study.step
    place = Content.assemble(
        (f"step {study.at + 1} of {len(study.steps)}", "bold"),
        (f"  {_HEADINGS[step.kind]}", "bold $text-accent"),
    )
    question, answer = _QUESTIONS[step.kind](step, study)
    asked = Content.assemble((question, ""), (f" {answer}" if answer else "", "bold"))
    rule = _RULES[step.kind].format(factor=study.factor)
    return [place, *([Content.styled(rule, "$foreground-muted")] if rule else []), asked]


def _bytes(sizes: list[int], positions: range) -> int:
    return sum(sizes[position] for position in positions)


def _cut(step: Comparison, study: Study) -> tuple[str, str]:
    position, log, sizes = step.looked.start, step.left, study.sizes
    # Why the magnitude is what it is.
    fact = f"Table {position}: 2^{log} = {2**log:,} ≤ {sizes[position]:,} < 2^{log + 1}: magnitude {log}."
    if not step.against:
        return fact, "It begins the first segment."
    question = f"{fact} That of the segment in front, {tables_text(step.against)}?"
    return question, "Yes: it joins." if step.yes else f"No, that is {step.right}: it begins another."


def _choose(step: Comparison, _study: Study) -> tuple[str, str]:
    what = f"Does segment 2^{step.left}, {tables_text(step.looked)}, hold two tables or more"
    if len(step.looked) == 1:
        return f"{what}?", "No: it stays as it is."
    if not step.against:
        return f"{what}?", f"Yes, {len(step.looked)}: the first found."
    question = (
        f"{what}, and is {step.left} < {step.right}, the smallest so far ({tables_text(step.against)})?"
    )
    return question, "Yes: now it is the smallest." if step.yes else "No."


def _grow(step: Comparison, study: Study) -> tuple[str, str]:
    position, sizes = step.looked.start, study.sizes
    question = (
        f"{tables_text(step.against).capitalize()} together: {_bytes(sizes, step.against):,} bytes,"
        f" magnitude {step.right}. Table {position} in front: {sizes[position]:,} bytes, {step.left}."
        f" Is {step.left} ≤ {step.right}?"
    )
    if step.yes:
        return question, f"Yes: the range begins at table {position}."
    return question, f"No: the range begins at table {position + 1}."


def _end(step: Comparison, study: Study) -> tuple[str, str]:
    position, behind = step.looked.start, step.against.start
    factor, size = study.factor, study.sizes[behind]
    question = f"Is table {position} too small for table {behind}: {step.left:,} < {factor} × {size:,}"
    question += f" = {step.right:,}?"
    if step.yes:
        return question, f"Yes: the range ends with table {behind}."
    return question, "No: they may stay as they are."


def _begin(step: Comparison, study: Study) -> tuple[str, str]:
    position = step.looked.start
    behind = _bytes(study.sizes, step.against)
    question = f"Is table {position} too small for {tables_text(step.against)} behind it:"
    question += f" {step.left:,} < {study.factor} × {behind:,} = {step.right:,}?"
    if step.yes:
        return question, f"Yes: the range begins at table {position}."
    if position:
        return question, "No; but its bytes count when the next older one is asked."
    return question, f"No: the range still begins at table {step.marked.start}."


def _result(step: Comparison, study: Study) -> tuple[str, str]:
    rule = "log2" if study.rule == "log2" else f"geometric ×{study.factor}"
    if step.yes:
        marked = range(step.marked.start, step.marked.end)
        return (
            f"The {rule} rule merges",
            f"{tables_text(marked)}, {step.marked.bytes:,} bytes as the rules count them.",
        )
    if not study.tables:
        return "The stack is empty: it has no table to merge.", ""
    if len(study.tables) == 1:
        return "One table alone: there is nothing to merge.", ""
    if study.rule == "log2":
        return "Nothing to merge:", "no two neighbours are of one magnitude."
    return "Nothing to merge:", f"each table is at least {study.factor} times as large as the one behind it."


_QUESTIONS: Final[dict[ComparisonKind, Callable[[Comparison, Study], tuple[str, str]]]] = {
    "cut": _cut,
    "choose": _choose,
    "grow": _grow,
    "end": _end,
    "begin": _begin,
    "result": _result,
}


def progress_line(target: range, progress: Progress | None) -> Content:
    """How far a dry run is."""
    how_far = ""
    if progress is not None and progress.total:
        how_far = f"  {progress.phase} {percent(progress.done, progress.total)}"
    return Content.assemble(
        ("Dry run ", "bold"),
        (f"of {tables_text(target)}…{how_far}", ""),
        ("   escape stops it", "$foreground-muted"),
    )


def fault_line(fault: BaseException) -> Content:
    """Why a dry run ended without a result."""
    return Content.styled(f"The dry run failed: {failure_text(fault)}", "$text-error")


def damage_text(blocked: Blocked) -> str:
    """Which table is damaged, and how."""
    where = "" if blocked.position is None else f"Table {blocked.position}, "
    return where + error_text(blocked.error)


def damage_texts(study: Study) -> dict[int, str]:
    """The same of each table that is known to be damaged, by position."""
    positions = range(len(study.tables))
    found = [study.blocked_in(positions[at : at + 1]) for at in positions]
    return {at: damage_text(one) for at, one in zip(positions, found, strict=True) if one is not None}


def merge_lines(study: Study) -> list[Content]:
    """What merging the range would do: exactly if that is known, or else as far as sizes tell."""
    target = study.target
    if not target:
        if len(study.tables) < 2:
            return []
        return [_hint("Mark tables with space, or all with A, to see what merging them would do.")]
    which = "marked" if study.marked else "suggested"
    if not study.mergeable:
        return [_hint(f"Table {target.start} is {which}; one table alone is not merged: mark another one.")]
    estimate, outcome = study.estimate, study.outcome
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
    after = estimate.tables_after
    if isinstance(outcome, MergeResult):
        dropped = outcome.dropped
        after -= 0 if outcome.bytes else 1
        bytes_text = (
            f"{outcome.bytes:,} bytes out of {estimate.read:,}; drops {dropped.shadowed:,} shadowed, "
        )
        bytes_text += f"{dropped.tombstones:,} tombstones. "
        how = ("Exactly ", "bold $text-success")
    else:
        bytes_text = f"{file_size(estimate.written)} by the sizes alone (enter: exactly). "
        how = ("About ", "bold $text-warning")
    share = percent(estimate.read, sum(table.size for table in study.tables))
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
