"""Where one can go: a file, a part of one, a ref, a log entry, a commit, a plan, a compaction.

A place is a value that says what is meant, not where it is by now: it may be gone when it is gone to, and the
screen says so then. Nothing here reads anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from engine.format import is_table_file
from inspector.model.compaction_study import TableSize
from inspector.text import counted, safe_name, short_id, short_table_name, shown, utc_time


class FilePlace(NamedTuple):
    """A file, as its refs, its reflog entries or its bytes, whether or not the stack's list names it.

    It lies in `directory`, or, when that is None, in the stack's own.
    """

    name: str
    shows: Literal["refs", "logs", "blocks"] = "refs"
    directory: Path | None = None

    @property
    def label(self) -> str:
        """What it is, in plain words."""
        what = {"refs": "the refs of", "logs": "the reflog entries of", "blocks": "the bytes of"}[self.shows]
        return f"{what} {file_words(self.name)}{_where(self.directory)}"


class SectionPlace(NamedTuple):
    """A section of a table, by the offset that the footer gives."""

    file: str
    section: str
    offset: int

    @property
    def label(self) -> str:
        """What it is, in plain words."""
        return f"the {self.section} of {file_words(self.file)}, at byte {self.offset:,}"


class RecordPlace(NamedTuple):
    """The bytes of the record that a table has of a ref, or of the log entry of an update index."""

    file: str
    name: bytes
    update_index: int | None = None

    @property
    def label(self) -> str:
        """What it is, in plain words."""
        return f"the bytes in {file_words(self.file)} of {_entry(self.name, self.update_index)}"


class OffsetPlace(NamedTuple):
    """A position in a file: the block that begins there, or else the part over this byte."""

    file: str
    offset: int
    directory: Path | None = None

    @property
    def label(self) -> str:
        """What it is, in plain words."""
        return f"byte {self.offset:,} of {file_words(self.file)}{_where(self.directory)}"


class RefPlace(NamedTuple):
    """A ref in the list of refs."""

    name: bytes

    @property
    def label(self) -> str:
        """What it is, in plain words."""
        return f"the ref {shown(self.name)}"


class LogPlace(NamedTuple):
    """An entry of a ref's log in the list of entries, or the newest."""

    name: bytes
    update_index: int | None = None

    @property
    def label(self) -> str:
        """What it is, in plain words."""
        if self.update_index is None:
            return f"the reflog of {shown(self.name)}"
        return f"{_entry(self.name, self.update_index)} in the reflogs"


class CommitPlace(NamedTuple):
    """A commit, or another object, as git shows it."""

    oid: bytes

    @property
    def label(self) -> str:
        """What it is, in plain words."""
        return f"the commit {short_id(self.oid)}, as git shows it"


class MomentPlace(NamedTuple):
    """The stack as of an update index."""

    update_index: int

    @property
    def label(self) -> str:
        """What it is, in plain words."""
        return f"the refs as of update {self.update_index}"


class SnapshotPlace(NamedTuple):
    """The stack as a snapshot has it; `time` is in seconds since 1970."""

    directory: Path
    tables: tuple[str, ...]
    time: int

    @property
    def label(self) -> str:
        """What it is, in plain words."""
        return f"the refs as the snapshot of {utc_time(self.time)} has them"


class CompactionPlace(NamedTuple):
    """What the rule says about the stack as it is now, with these tables marked if there are any."""

    tables: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What it is, in plain words."""
        return "Compaction: what the rule says, step by step"


PlanKind = Literal["repair", "unlock", "compact", "clean", "undo"]


class PlanPlace(NamedTuple):
    """The plan of a change: of which locks, or which tables, or back to which snapshot."""

    change: PlanKind
    files: tuple[str, ...] = ()
    snapshot: str = ""

    @property
    def label(self) -> str:
        """What it is, in plain words."""
        match self.change:
            case "repair":
                return "a plan that repairs the stack"
            case "unlock":
                return f"a plan that removes {', '.join(map(safe_name, self.files))}"
            case "compact":
                return f"a plan that merges {counted(len(self.files), 'table')}"
            case "clean":
                return "a plan that removes what is left over"
            case "undo":
                return "a plan that goes back to the snapshot" if self.snapshot else "a plan that goes back"


class ReplayPlace(NamedTuple):
    """A compaction that was seen or made, in Compaction on the sizes of then.

    `merged` are the positions in the tables `before`, oldest first; `title` says which compaction it was.
    """

    title: str
    before: tuple[TableSize, ...]
    merged: range
    after: tuple[TableSize, ...]

    @property
    def label(self) -> str:
        """What it is, in plain words."""
        return f"the merge of {counted(len(self.merged), 'table')}, replayed on the sizes of then"


Place = (
    FilePlace
    | SectionPlace
    | RecordPlace
    | OffsetPlace
    | RefPlace
    | LogPlace
    | CommitPlace
    | MomentPlace
    | SnapshotPlace
    | CompactionPlace
    | PlanPlace
    | ReplayPlace
)
"""Where a row leads. Each has a `label`: what is there, in plain words."""


def file_words(name: str) -> str:
    """A file by the part of its name that tells it apart."""
    return f"table {short_table_name(name)}" if is_table_file(name) else safe_name(name)


def _where(directory: Path | None) -> str:
    return "" if directory is None else f" in the snapshot {safe_name(directory.parent.name)}"


def _entry(name: bytes, update_index: int | None) -> str:
    return shown(name) if update_index is None else f"the log entry {shown(name)}, update {update_index}"
