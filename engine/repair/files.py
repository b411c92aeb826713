"""What is known of a stack that is to be repaired: its list, its files, what fsck finds in them.

Each file that may be a table is looked at once, by what fsck finds in it: it is read as it is, salvaged if it
is damaged, or of no use. Whether it becomes part of the repaired stack, the planner decides.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from operator import attrgetter, ne
from pathlib import Path
from typing import Final

from engine import salvage
from engine.errors import FormatError, counted, reason_of, shown
from engine.format import Block, HashId, decode_refs, is_table_file, limits_in_name, parse_table_list
from engine.fsck import (
    REWRITE_TABLE,
    Finding,
    Limits,
    Severity,
    check_file,
    has_symref,
    misplaced_refs,
    renamed_refs,
)
from engine.git import Repository
from engine.merge import MergedTable
from engine.progress import Progress, ProgressCallback
from engine.readable import ReadableTable, open_table
from engine.repair.choice import Candidate
from engine.repair.inputs import Input, contents_of
from engine.repair.plan import LeftOut
from engine.stack import HIGHEST_LIMIT, is_of_repository, read_list_bytes
from engine.system import file_name
from engine.table import Table

_MOST_REASONS: Final = 3

_SEVERAL_ROOTS: Final = "index-several-roots"
# These are about the name alone: the bytes stay as they are.
_OF_THE_NAME: Final = {"table-name", "name-range", "dulwich-table"}
# A table without other findings than these can be read as it is.
_OF_THE_STACK: Final = {"ref-name-unsafe", "limits-beyond-records", "ranges-overlap", "hash-mixed"}


class TableFile:
    """A file that may be a table, of `size` bytes, and what was made of it.

    `input` is None if nothing can be read of it. `reasons` are what is wrong with it, in words, `severity`
    how bad that is; `rewrites` or `renames` when it cannot stay as it is, `single_root` when an index of it
    has several and is to have one. `regained_logs` are log entries that others had of it.
    """

    def __init__(
        self,
        file: str,
        size: int,
        reasons: list[str],
        severity: Severity,
        hash_id: HashId,
        *,
        rewrites: bool,
        renames: bool,
    ) -> None:
        self.file = file
        self.size = size
        self.input: Input | None = None
        self.reasons = reasons
        self.severity = severity
        self.rewrites = rewrites
        self.renames = renames
        self.hash_id = hash_id
        self.losses: salvage.Losses | None = None
        self.single_root = False
        self.regained_logs = 0

    @property
    def readable(self) -> Input:
        """How it is read; it can be."""
        assert self.input is not None  # noqa: S101 - asked of readable files only
        return self.input

    @property
    def why(self) -> str:
        """The first few reasons as one."""
        return joined(self.reasons)

    def candidate(self, *, is_listed: bool) -> Candidate:
        """The file, which can be read, as one to choose from."""
        return Candidate((self.file,), *self.readable.limits, not self.rewrites, is_listed, self.size)

    def rewrite(self, reason: str, becomes: Input) -> None:
        """Have the file, which cannot stay as it is for this reason, come as `becomes`."""
        self.reasons.append(reason)
        self.rewrites, self.severity, self.input = True, Severity.ERROR, becomes


class Evidence:
    """The files of one directory; `entries` are the names of all, `raw` are the bytes of the list if any.

    Those in `named` are to be repaired as well from what git takes for sound. With the `repository`, git can
    be asked for objects.
    """

    def __init__(
        self,
        path: Path,
        findings: Sequence[Finding],
        hash_id: HashId | None,
        progress: ProgressCallback | None,
        named: Collection[str] = (),
        repository: Repository | None = None,
    ) -> None:
        self.path = path
        self.repository = repository
        self.entries = sorted(os.listdir(path))
        self.raw = read_list_bytes(path)
        self.hash_id = hash_id or HashId.SHA1
        self.files: dict[str, TableFile] = {}
        self.counts_on = False  # from an update index that was never set, as git does: perhaps at 0
        self._is_hash_stated = hash_id is not None
        self._findings = findings
        self._named = named
        self._progress = progress

    def findings(self, name: str) -> list[Finding]:
        """What is wrong with a file."""
        return [finding for finding in self._findings if finding.file == name]

    def codes(self, name: str) -> set[str]:
        """The codes of what is wrong with a file."""
        return {finding.code for finding in self.findings(name)}

    def files_with(self, *codes: str) -> set[str]:
        """The files with which one of these is wrong."""
        return {finding.file for finding in self._findings if finding.code in codes}

    @property
    def is_list_cut(self) -> bool:
        """Whether the list ends within a name. Behind a whole one, the Go library writes no newline."""
        listed = parse_table_list(self.raw or b"")
        return not listed.is_whole and not is_table_file(os.fsdecode(listed.lines[-1].raw))

    def tell(self, phase: str) -> None:
        """Tell what is being done."""
        if self._progress is not None:
            self._progress(Progress(phase, 0, None))

    def listed(self) -> tuple[list[str], list[LeftOut]]:
        """The names in the list, and the lines that are no table of this directory.

        A name of no file may be wrong in one character, or that of the last line cut short: if that can be
        one table alone, it is meant. NULs that a power cut has left are no name.
        """
        names: list[str] = []
        left: list[LeftOut] = []
        listed = parse_table_list(self.raw or b"")
        others = [one for one in self.entries if is_table_file(one) and one not in listed.names]
        for line in listed.lines:
            name = line.name or file_name(line.raw.partition(b"\0")[0])
            if name and name not in self.entries:
                is_cut = line is listed.lines[-1] and not listed.is_whole
                meant = [one for one in others if _is_alike(name, one) or (is_cut and one.startswith(name))]
                name = meant[0] if len(meant) == 1 else name
            if line.name is not None or name in others:
                names.append(name)
            elif name:
                what = f"{shown(line.raw)} in tables.list is no table of this directory"
                left.append(LeftOut(name, what, None, 0, 0, is_listed=True, is_missing=True))
        return names, left

    def look_at_listed(self, listed: Sequence[str]) -> list[TableFile]:
        """How those listed tables that are there can be read, oldest first.

        The hash function is the one stated, or that of most of them, or of those that are not listed where
        none of them can be read; others do not fit beside them.
        """
        present = [name for name in listed if name in self.entries]
        files = [self._look_at(name, self._checked(name), _between(name, listed)) for name in present]
        hashes = [file.hash_id for file in files if file.input is not None]
        if not hashes and not self._is_hash_stated:
            beside = [
                open_table(os.fspath(self.path / one), one, self.hash_id) for one in self.not_looked_at()
            ]
            hashes = [table.hash_id for table in beside if table.fault is None]
        if not self._is_hash_stated and hashes:
            self.hash_id = max(hashes, key=hashes.count)
        for file in files:
            self._refuse_foreign(file)
        return files

    def look_at_unlisted(self, name: str) -> TableFile:
        """How a table that is not listed can be read."""
        if name not in self.files:
            self.tell("check tables that are not listed")
            self._refuse_foreign(self._look_at(name, self._checked(name), None))
        return self.files[name]

    def _checked(self, name: str) -> list[Finding]:
        """What is wrong inside of a file: fsck has read those whose names are lines of the list."""
        lines = {line.raw for line in parse_table_list(self.raw or b"").lines}
        if os.fsencode(name) in lines or not stat.S_ISREG(os.stat(self.path / name).st_mode):
            return self.findings(name)
        # Where it becomes part of the stack, the others tell of it what they tell of a listed one.
        return check_file(
            self.path,
            name,
            is_symref=self._is_symref,
            below=lambda: self._below(name),
            lacking=None if self.repository is None else self._lacking,
        )

    def _lacking(self, oids: set[bytes]) -> set[bytes]:
        found = self.repository.objects(oids) if self.repository is not None and oids else {}
        return {oid for oid, info in found.items() if info.type is None}

    def not_looked_at(self) -> list[str]:
        """Files that are named like tables, regular ones, and not looked at yet."""
        names = (name for name in self.entries if is_table_file(name) and name not in self.files)
        return [name for name in names if stat.S_ISREG(os.lstat(self.path / name).st_mode)]

    def count(self, file: TableFile) -> tuple[int, int]:
        """How many refs and log entries can be read of a file."""
        if file.input is None:
            return 0, 0
        counts = contents_of(self.path, [file.input])
        return counts.refs, counts.logs

    def _look_at(self, name: str, findings: Sequence[Finding], between: Limits | None) -> TableFile:
        """How a file can be read, by what fsck has found in it.

        `between` are the update indexes that it may have if nothing of it tells. Raises `OSError` where
        permission is wanting.
        """
        single_root = name in self._named and any(one.code == _SEVERAL_ROOTS for one in findings)
        found = [
            one
            for one in findings
            if one.severity is not Severity.INFO or (single_root and one.code == _SEVERAL_ROOTS)
        ]
        reasons = [finding for finding in found if finding.code not in _OF_THE_STACK]
        codes = {finding.code for finding in reasons}
        severity = min(
            (finding.severity for finding in found), key=attrgetter("rank"), default=Severity.WARNING
        )
        rewrites = any(
            (REWRITE_TABLE in one.fixes or one.code == "not-a-table") and one.code not in _OF_THE_NAME
            for one in reasons
        )
        rewrites = rewrites or bool(codes & {"table-unreadable", "orphan-damaged"})
        status, renames = os.stat(self.path / name), bool(codes & _OF_THE_NAME)
        places = ["" if one.offset is None else f" at byte {one.offset}" for one in reasons]
        words = [f"{one.code}{at}: {one.message}" for one, at in zip(reasons, places, strict=True)]
        file = TableFile(
            name, status.st_size, words, severity, self.hash_id, rewrites=rewrites, renames=renames
        )
        file.single_root = single_root
        self.files[name] = file
        if stat.S_ISREG(status.st_mode):
            try:
                self._open(file, between, findings)
            except PermissionError:
                raise
            except (FormatError, OSError) as error:
                file.reasons.append(reason_of(error))
        # It is sound, and has nothing that is to be salvaged.
        file.rewrites = rewrites or single_root
        read = file.input
        if read is not None and read.limits[1] >= HIGHEST_LIMIT:
            # It ends with its last update index, where a higher one was never set.
            counts = contents_of(self.path, [read])
            low, high = read.limits[0], max(read.limits[0], counts.highest_ref, counts.highest_log)
            if high < read.limits[1]:
                self.counts_on = True
                why = f"its update indexes end with {high}, not with {read.limits[1]}"
                file.rewrite(why, read._replace(limits=(low, high)))
        return file

    def _open(self, file: TableFile, between: Limits | None, findings: Sequence[Finding]) -> None:
        """See how a regular file with these `findings` is read: as it is, or salvaged."""
        name = file.file
        table = open_table(os.fspath(self.path / name), name, self.hash_id)
        if isinstance(table.fault, PermissionError):
            raise table.fault
        if not file.rewrites:
            if table.fault is None:
                file.input = Input(name, (table.min_update_index, table.max_update_index))
                file.hash_id = table.hash_id
            return
        salvaged = table.salvaged()
        if salvaged is None:
            raise table.loss()
        header = salvaged.header
        losses = self._with_what_contradicts(table, findings, salvaged)
        salvaged = replace(salvaged, losses=losses)
        file.hash_id = header.hash_id
        limits = (header.min_update_index, header.max_update_index) if table.has_limits else between
        if limits is not None:
            file.losses = losses
            if losses.refs or losses.logs > losses.uncertain_logs:
                file.input = Input(name, limits, salvaged)

    def _with_what_contradicts(
        self, table: ReadableTable, findings: Sequence[Finding], salvaged: salvage.Salvaged
    ) -> salvage.Losses:
        """Its losses, with the refs that another part of the table contradicts: its objects, its logs."""
        losses, name = salvaged.losses, table.name
        if losses.doubtful is not None:
            losses = replace(losses, doubtful=losses.doubtful | self._unlike_objects(name, findings))

        def is_symref(asked: bytes) -> bool:
            return has_symref(salvaged.table, asked) or self._is_symref(asked)

        # fsck sees no such names where something else is wrong with the table.
        names, undeleted = renamed_refs(salvaged.table, is_symref, lambda: self._below(name))
        had = Counter(altered for _, altered in names)
        renamed = {name: had[altered] == 1 for name, altered in names}
        certain = {altered: name for name, altered in names if renamed[name]}
        certain |= {deletion.name: name for name, deletion in undeleted.items()}
        alike = {
            name: record
            for altered, name in salvage.altered_alike(salvaged, table.read, certain).items()
            if (record := salvaged.table.read_ref(altered)) and salvaged.table.read_ref(name) is None
        }
        doubtful = had.keys() | {record.name for record in alike.values()}
        misnamed = None if losses.misnamed is None else losses.misnamed | doubtful
        misplaced = misplaced_refs(salvaged.table) if is_of_repository(self.path) else {}
        return replace(
            losses,
            misnamed=misnamed,
            renamed=renamed,
            undeleted=undeleted,
            alike=alike,
            misplaced=misplaced,
        )

    def _below(self, name: str) -> MergedTable:
        """What can be read of the tables of the stack that are older than one, as their names tell.

        In a sound list, they are those in front of it. Raises `FormatError` if they do not fit together.
        """
        listed = self.listed()[0]
        is_whole = name in listed and set(listed).issubset(self.entries)
        names = listed if is_whole else self.entries
        named = {one: limits for one in names if (limits := limits_in_name(one)) is not None}
        low, _ = named.get(name, (0, 0))
        older = sorted((one for one, limits in named.items() if limits[1] < low), key=named.__getitem__)
        opened = [open_table(os.fspath(self.path / one), one, self.hash_id) for one in older]
        return MergedTable([one for one in opened if one.fault is None])

    def _is_symref(self, name: bytes) -> bool:
        """Whether any table has a symbolic ref of this name."""
        for one in filter(is_table_file, self.entries):
            with suppress(FormatError, OSError), Table.open(self.path / one) as table:
                if has_symref(table, name):
                    return True
        return False

    def _unlike_objects(self, name: str, findings: Sequence[Finding]) -> set[bytes]:
        """The refs of a table whose object ids its object section does not have: one of both was altered."""
        found = [one.offset for one in findings if one.code == "objects-incomplete"]
        altered: set[bytes] = set()
        if found:
            with suppress(FormatError), Table.open(self.path / name) as table:
                for offset in {offset for offset in found if offset is not None}:
                    altered |= _not_indexed(table, table.block_at(offset))
        return altered

    def correct_limits(self, file: TableFile) -> None:
        """Take the update indexes of a table from its name, if its records fit: its header's overlap."""
        limits, found = limits_in_name(file.file), file.readable
        if limits is None or not limits[0] <= limits[1] < HIGHEST_LIMIT or limits == found.limits:
            return
        counts = contents_of(self.path, [found])
        if not (counts.refs or counts.logs) or (counts.refs and counts.lowest_ref < limits[0]):
            return
        if max(counts.highest_ref, counts.highest_log) > limits[1]:
            return
        why = (
            f"its header states the update indexes {found.limits[0]} to {found.limits[1]}, "
            f"which overlap other tables; its records lie in those of its name, {limits[0]} to {limits[1]}"
        )
        file.rewrite(why, found._replace(limits=limits))

    def _refuse_foreign(self, file: TableFile) -> None:
        if file.input is not None and file.hash_id is not self.hash_id:
            file.reasons.append(f"a {file.hash_id} table in a stack of {self.hash_id} tables")
            file.severity = Severity.ERROR
            file.input = None


def _not_indexed(table: Table, block: Block) -> set[bytes]:
    """The refs of a block that the object section of its table does not have. Raises `FormatError`."""
    refs = list(block.records(decode_refs, table.hash_id.size, table.min_update_index))
    pairs = [(ref.name, oid) for ref in refs for oid in (ref.value, ref.peeled) if oid is not None]
    return {
        name
        for name, oid in pairs
        if all(found.name != name for found in table.refs_for_prefix(oid, scans=False))
    }


def _between(name: str, listed: Sequence[str]) -> Limits:
    """Update indexes between those of the tables before and after one in the list, by their names."""
    at = listed.index(name)
    below = [limits[1] for one in listed[:at] if (limits := limits_in_name(one))]
    above = [limits[0] for one in listed[at + 1 :] if (limits := limits_in_name(one))]
    low = max(below, default=0) + 1
    return low, max(low, min(above, default=low + 1) - 1)


def _is_alike(name: str, other: str) -> bool:
    """Whether two names differ in one character."""
    return len(name) == len(other) and sum(map(ne, name, other)) == 1


def joined(reasons: Sequence[str]) -> str:
    """The first few reasons as one."""
    more = len(reasons) - _MOST_REASONS
    return "; ".join(reasons[:_MOST_REASONS]) + (f"; and {more} more" if more > 0 else "")


def words_for(refs: int, logs: int) -> str:
    """Numbers of records in words."""
    return f"{counted(refs, 'ref')} and {counted(logs, 'reflog entry', 'reflog entries')}"
