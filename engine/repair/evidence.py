"""What is known of a stack that is to be repaired: its list, its files, what fsck finds in them.

Each file that may be a table is looked at once, and salvaged then if it is damaged.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from engine.format import HashId, is_table_file
from engine.fsck import Finding, Severity
from engine.progress import Progress, ProgressCallback
from engine.repair.files import TableFile, check_or_tell, look_at, number_of
from engine.repair.inputs import count_records
from engine.repair.table_list import around
from engine.stack import read_list_bytes


class Evidence:
    """The files of one directory; `entries` are the names of all, `raw` are the bytes of the list if any."""

    def __init__(
        self,
        path: Path,
        findings: Sequence[Finding],
        hash_id: HashId | None,
        progress: ProgressCallback | None,
    ) -> None:
        self.path = path
        self.entries = sorted(os.listdir(path))
        self.raw = read_list_bytes(path)
        self.hash_id = hash_id or HashId.SHA1
        self.files: dict[str, TableFile] = {}
        self._is_hash_stated = hash_id is not None
        self._findings = findings
        self._progress = progress

    def findings(self, name: str) -> list[Finding]:
        """What is wrong with a file."""
        return [finding for finding in self._findings if finding.file == name]

    def codes(self, name: str) -> set[str]:
        """The same in short."""
        return {finding.code for finding in self.findings(name)}

    def files_with(self, *codes: str) -> set[str]:
        """The files with which one of these is wrong."""
        return {finding.file for finding in self._findings if finding.code in codes}

    def tell(self, phase: str) -> None:
        """Tell what is being done."""
        if self._progress is not None:
            self._progress(Progress(phase, 0, None))

    def look_at_listed(self, listed: Sequence[str]) -> list[TableFile]:
        """What those tables of the list are worth that are there, oldest first.

        The hash function is the one stated, or that of most of them; others do not fit beside them.
        """
        present = [name for name in listed if name in self.entries]
        for name in present:
            file = look_at(self.path, name, self.findings(name), around(name, listed), self.hash_id)
            self.files[name] = file
        hashes = [self.files[name].hash_id for name in present if self.files[name].input is not None]
        if not self._is_hash_stated and hashes:
            self.hash_id = max((one for one in hashes if one), key=hashes.count)
        for name in present:
            self._refuse_foreign(self.files[name])
        return [self.files[name] for name in present]

    def look_at_unlisted(self, name: str) -> TableFile:
        """What a table is worth that is not listed, unless it was looked at before."""
        if name not in self.files:
            self.tell("check tables that are not listed")
            file = look_at(self.path, name, check_or_tell(self.path, name), None, self.hash_id)
            self._refuse_foreign(file)
            self.files[name] = file
        return self.files[name]

    def not_looked_at(self) -> list[str]:
        """Files that are named like tables, regular ones, and not looked at yet."""
        names = (name for name in self.entries if is_table_file(name) and name not in self.files)
        return [name for name in names if stat.S_ISREG(os.lstat(self.path / name).st_mode)]

    def count(self, file: TableFile) -> tuple[int, int]:
        """How many refs and log entries can be read of a file."""
        if file.input is None:
            return 0, 0
        counts = count_records(self.path, [file.input])
        return counts.refs, counts.logs

    def _refuse_foreign(self, file: TableFile) -> None:
        if file.input is not None and file.hash_id is not self.hash_id:
            file.reasons.append(f"a {file.hash_id} table in a stack of {self.hash_id} tables")
            file.severity = Severity.ERROR
            file.input = None


def words_for(refs: int, logs: int) -> str:
    """Numbers of records in words."""
    return f"{number_of(refs, 'ref')} and {number_of(logs, 'log entry', 'log entries')}"
