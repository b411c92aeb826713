"""Facts of a stack as short texts, the same wherever they are shown.

Bytes of the stack become text here, through `safe_text`; long ones are cut first, since the rest
is not read and a name may have megabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from engine import salvage
from engine.errors import counted, in_words
from engine.format import RefRecord, parse_table_name
from inspector.text.safe import safe_text

SHOWN_BYTES: Final = 1024


def shown(data: bytes) -> str:
    """`data` of a stack as text on one line; more than SHOWN_BYTES bytes end in an ellipsis."""
    return safe_text(data) if len(data) <= SHOWN_BYTES else safe_text(data[:SHOWN_BYTES]) + "…"


def error_text(error: BaseException) -> str:
    """An error as one line, fit for a terminal whatever it quotes."""
    return shown(in_words(error).encode("utf-8", "surrogateescape"))


def columns(headings: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> list[str]:
    """Headings and rows as lines with aligned columns; `align` has `<` or `>` for each of them.

    Widths count characters, so text that may hold wide ones belongs into the last column.
    """
    table = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    layout = "  ".join(f"{{:{side}{width}}}" for side, width in zip(align, widths, strict=True))
    return [layout.format(*row).rstrip() for row in table]


def bar(size: int, largest: int, width: int) -> str:
    """A bar of `width` cells for `largest`, in eighths of a cell; what is not empty has at least one."""
    eighths = size * width * 8 // largest if largest else 0
    return eighths_bar(max(size > 0, eighths))


def eighths_bar(eighths: int) -> str:
    """A bar of so many eighths of a cell."""
    full, rest = divmod(eighths, 8)
    return "█" * full + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")


def bracket(position: int, among: range, glyphs: str = "╴┐│┘") -> str:
    """What a bracket around the positions `among` shows in the row of one; nothing outside.

    `glyphs` are for a bracket of one row, and for the first, a middle and the last row of a longer one.
    """
    if position not in among:
        return ""
    if position == among.start:
        return glyphs[len(among) > 1]
    return glyphs[3] if position == among[-1] else glyphs[2]


def file_size(size: int) -> str:
    """Bytes with a unit, at most seven characters: `92`, `4.0K`, `1023.9M`."""
    if size < 1024:
        return str(size)
    amount, units = size / 1024, "KMGTPE"
    while amount >= 1023.95:  # what would be rounded to 1024.0 goes to the next unit
        amount, units = amount / 1024, units[1:]
    return f"{amount:.1f}{units[0]}"


def estimate(number: str) -> str:
    """A number that is not known exactly, such as a size: `~55.4K`."""
    return f"~{number}"


def short_table_name(name: str) -> str:
    """What tells tables of one stack apart: the random suffix of `name`, or its last characters."""
    parsed = parse_table_name(name)
    if parsed is not None and parsed.suffix:
        return "…" + parsed.suffix
    return safe_text(name.encode("utf-8", "surrogateescape"))


def positions_text(tables: range) -> str:
    """`#3`, `#3 to #7`: where tables stand, of which there is one at least."""
    return f"#{tables.start}" if len(tables) == 1 else f"#{tables.start} to #{tables[-1]}"


def update_range(low: int, high: int) -> str:
    """A range of update indices: `1-3600`, or `7` when it is one."""
    return str(low) if low == high else f"{low}-{high}"


def short_id(oid: bytes | None) -> str:
    """The first seven digits of an object id; zeros for none, which is how git shows none."""
    return oid.hex()[:7] if oid is not None else "0000000"


def loss_text(losses: salvage.Losses) -> str:
    """What can be read of a damaged table, and what cannot."""
    text = f"{counted(losses.refs, 'ref')}, {counted(losses.logs, 'reflog entry', 'reflog entries')}"
    if losses.uncertain_logs:
        text += f" ({losses.uncertain_logs:,} uncertain)"
    if losses.size:
        text += f"; {counted(losses.size, 'byte')} in {counted(losses.stretches, 'place')} cannot be read"
    if losses.left_out:
        text += f"; {counted(losses.left_out, 'more record')} left out"
    return text


def value_text(record: RefRecord, width: int = 10) -> str:
    """What a ref record says, in `width` cells if it can: an id, `id ^peeled`, `-> target`, `(deleted)`."""
    if record.target is not None:
        return "-> " + shown(record.target)
    if record.value is None:
        return "(deleted)"
    if record.peeled is None:
        return record.value.hex()[: max(width, 7)]
    digits = max(7, min((width - 2) // 2, 2 * len(record.value)))
    return f"{record.value.hex()[:digits]} ^{record.peeled.hex()[:digits]}"


def whole_value(
    record: RefRecord | None, *, target: str = "-> ", peeled: str = "", deleted: str = "deleted"
) -> str:
    """What a ref record says, with nothing cut off, for lines of a verb; `deleted` for no record as well.

    `target` comes before the name of a symbolic ref, `peeled` is filled with the peeled id.
    """
    if record is not None and record.target is not None:
        return target + safe_text(record.target)
    if record is None or record.value is None:
        return deleted
    return record.value.hex() + (peeled.format(record.peeled.hex()) if record.peeled is not None else "")
