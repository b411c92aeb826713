"""Where one can go: a file, a part of one, a ref, a reflog entry, a commit, a plan, a compaction.

A place is a value that says what is meant, not where it is by now: it may be gone when it is gone to, and the
screen says so then. Nothing here reads anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from engine.format import is_table_file
from inspector.model.compaction_study import PastCompaction
from inspector.text import counted, safe_name, short_id, short_table_name, shown, utc_time


class FilePlace(NamedTuple):
    """A file, as its refs, its reflog entries or its bytes, whether or not the stack's list names it.

    It lies in `directory`, or, when that is None, in the stack's own.
    """

    name: str
    shows: Literal["refs", "logs", "blocks"] = "refs"
    directory: Path | None = None


class SectionPlace(NamedTuple):
    """A section of a table, by the offset that the footer gives."""

    file: str
    section: str
    offset: int


class RecordPlace(NamedTuple):
    """The bytes of the record that a table has of a ref, or of the reflog entry of an update index."""

    file: str
    name: bytes
    update_index: int | None = None


class OffsetPlace(NamedTuple):
    """A position in a file: the block that begins there, or else the part over this byte."""

    file: str
    offset: int
    directory: Path | None = None


class RefPlace(NamedTuple):
    """A ref in the list of refs."""

    name: bytes


class LogPlace(NamedTuple):
    """An entry of a ref's log in the list of entries, or the newest."""

    name: bytes
    update_index: int | None = None


class PrefixPlace(NamedTuple):
    """The refs, or the reflog entries, whose names begin with a prefix, which ends in a slash."""

    prefix: bytes
    shows: Literal["refs", "logs"] = "refs"


class CommitPlace(NamedTuple):
    """A commit, or another object, as git shows it."""

    oid: bytes


class MomentPlace(NamedTuple):
    """The stack as of an update index."""

    update_index: int


class SnapshotPlace(NamedTuple):
    """The stack as a snapshot has it; `time` is in seconds since 1970."""

    directory: Path
    tables: tuple[str, ...]
    time: int


@dataclass(frozen=True, slots=True)
class CompactionPlace:
    """What the rule says about the stack as it is now."""


PlanKind = Literal["repair", "unlock", "compact", "clean", "undo", "head"]


class PlanPlace(NamedTuple):
    """The plan of a change: of which locks, or which tables, or back to which snapshot."""

    change: PlanKind
    files: tuple[str, ...] = ()
    snapshot: str = ""


ReadPlace = (
    FilePlace
    | SectionPlace
    | RecordPlace
    | OffsetPlace
    | RefPlace
    | LogPlace
    | PrefixPlace
    | MomentPlace
    | SnapshotPlace
)
"""The places that are found by reading: the others are screens."""

Place = ReadPlace | CommitPlace | CompactionPlace | PlanPlace | PastCompaction
"""Where a row leads."""


def place_words(place: Place) -> str:
    """What is there, in plain words."""
    match place:
        case FilePlace(name, shows, directory):
            what = {"refs": "the refs", "logs": "the reflog entries", "blocks": "the bytes"}[shows]
            return f"{what} of {file_words(name)}{_where(directory)}"
        case SectionPlace(file, section, offset):
            return f"the {section} of {file_words(file)}, at byte {offset:,}"
        case RecordPlace(file, name, update_index):
            return f"the bytes in {file_words(file)} of {_entry(name, update_index)}"
        case OffsetPlace(file, offset, directory):
            return f"byte {offset:,} of {file_words(file)}{_where(directory)}"
        case RefPlace(name):
            return f"the ref {shown(name)}"
        case LogPlace(name, None):
            return f"the reflog of {shown(name)}"
        case LogPlace(name, update_index):
            return f"{_entry(name, update_index)} in the reflogs"
        case PrefixPlace(prefix, shows):
            return f"the {'refs' if shows == 'refs' else 'reflog entries'} below {shown(prefix)}, as a list"
        case CommitPlace(oid):
            return f"the commit {short_id(oid)}, as git shows it"
        case MomentPlace(update_index):
            return f"the refs as of update {update_index}"
        case SnapshotPlace(time=time):
            return f"the refs as the snapshot of {utc_time(time)} has them"
        case CompactionPlace():
            return "Compaction: what the rule says, step by step"
        case PastCompaction(merged=merged):
            return f"the merge of {counted(len(merged), 'table')}, replayed on the sizes of then"
        case PlanPlace(change, files, snapshot):
            return f"a plan that {_change(change, files, snapshot)}"


def _change(change: PlanKind, files: tuple[str, ...], snapshot: str) -> str:
    match change:
        case "repair":
            return "repairs the stack"
        case "unlock":
            return f"removes {', '.join(map(safe_name, files))}"
        case "compact":
            return f"merges {counted(len(files), 'table')}"
        case "clean":
            return "removes what is left over"
        case "undo":
            return "goes back to the snapshot" if snapshot else "goes back"
        case "head":
            return "writes HEAD, by the form for it"


def file_words(name: str) -> str:
    """A file by the part of its name that tells it apart."""
    return f"table {short_table_name(name)}" if is_table_file(name) else safe_name(name)


def _where(directory: Path | None) -> str:
    return "" if directory is None else f" in the snapshot {safe_name(directory.parent.name)}"


def _entry(name: bytes, update_index: int | None) -> str:
    return shown(name) if update_index is None else f"the reflog entry {shown(name)}, update {update_index}"
