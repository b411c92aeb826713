"""A table of which everything readable is read, whatever is wrong with the rest.

`ReadableTable` is a `Table`. As long as its bytes are sound it is read as any other; where they are not, the
file is salvaged and the scan goes on with what comes behind the damage. For a file that does not open as a
table, or is not there at all, there is a `BrokenTable`: name, size and header as far as they can be told, and
what salvaging brings.

What is looked up may be lost, and that is said where it matters:

    read_ref, read_log, scans      what can be read; never `FormatError`
    locate_ref, locate_log         the same, but they raise when what they do not find may be lost
    may_have_lost                  the same question without reading anything

What is made of whole tables, for compactions, is refused as by any table that is damaged. Salvaging reads the
file once, the first time that damage is met.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Final, NoReturn, TypeVar, cast

from engine import layout, salvage
from engine.errors import FormatError, MissingTableError
from engine.format import (
    U64_MAX,
    AnyLog,
    AnyRef,
    Footer,
    HashId,
    Header,
    LiveRef,
    LogRecord,
    RefRecord,
    footer_size,
    limits_in_name,
    log_order,
    logs_ascend,
    ref_key,
    refs_ascend,
)
from engine.table import RegularFile, Table, TableBlocks

_R = TypeVar("_R", RefRecord, LogRecord)
_K = TypeVar("_K", bytes, tuple[bytes, int])

_OUT_OF_FILES: Final = {errno.EMFILE, errno.ENFILE}

OpenError = FormatError | MissingTableError | OSError
"""Why a table cannot be opened."""


class ReadableTable(Table):
    """A table that is read past its damage; see the module's text. Safe to read from several threads.

    `fault` is why the file cannot be opened as a table, None where it can. `has_limits` when its update
    indexes are known.
    """

    has_limits = True

    def __init__(self, file: RegularFile, path: str) -> None:
        super().__init__(file, path)
        self._salvaged: salvage.Salvaged | None = None
        self._lock = threading.Lock()
        self.fault: OpenError | None = None
        self._read_by: Header | None = self.header
        if self.min_update_index > self.max_update_index:  # which keeps no table from being opened
            spans = layout.TableLayout(self.name, self.size, self.read)
            self._read_by = salvage.assumed_header(spans, self.name, self.hash_id)[0]

    @property
    def _looks_sound(self) -> bool:
        """Whether the table is to be read as it stands: it opens, and no damage was met so far."""
        return self.fault is None and self._salvaged is None

    @property
    def losses(self) -> salvage.Losses | None:
        """What salvaging has brought; None if no damage was met so far, or where nothing can be salvaged."""
        return self._salvaged.losses if self._salvaged is not None else None

    def meet_damage(self) -> None:
        """Read the table as far as its first damage; where it has none, as a whole."""
        for _ in chain(self.ref_blocks(), self.log_blocks()):
            if not self._looks_sound:
                return

    def may_have_lost(self, name: bytes) -> bool:
        """Whether a version of the ref `name` may be in what cannot be read, as far as damage is known.

        Reads nothing. A table that opens has none until it is met.
        """
        losses = self.losses
        return self.fault is not None if losses is None else losses.may_have_lost(name)

    def loss(self) -> OpenError:
        """The error that says why something of this table cannot be read."""
        if self.fault is not None:
            return self.fault
        first = self.losses.first if self.losses is not None else None
        if first is not None:
            return FormatError(self.name, first.start, first.reason)
        return FormatError(self.name, None, "records of damaged blocks are left out")

    # Lookups.

    def read_ref(self, name: bytes) -> AnyRef | None:
        """The record of exactly this name, as far as it can be read."""
        found = self._find_ref(name)
        return found[1] if found else None

    def locate_ref(self, name: bytes) -> tuple[int, AnyRef] | None:
        """As `read_ref`, with the offset of the block that holds the record.

        Raises what `loss` returns when there is none and may have been one.
        """
        found = self._find_ref(name)
        if found is None and self.may_have_lost(name):
            raise self.loss()
        return found

    def _find_ref(self, name: bytes) -> tuple[int, AnyRef] | None:
        if self._looks_sound:
            with suppress(FormatError):
                return super().locate_ref(name)
        salvaged = self.salvaged()
        return salvaged.locate_ref(name) if salvaged is not None else None

    def read_log(self, name: bytes, update_index: int = U64_MAX) -> AnyLog | None:
        """The newest log record of this ref at or below `update_index`, of those that can be read."""
        found = self._find_log(name, update_index)
        return found[1] if found else None

    def locate_log(self, name: bytes, update_index: int = U64_MAX) -> tuple[int, AnyLog] | None:
        """As `read_log`, with the offset of the block. Raises as `locate_ref` does."""
        found = self._find_log(name, update_index)
        if found is None and not self._looks_sound and (self.losses is None or self.losses.lost_logs):
            raise self.loss()
        return found

    def _find_log(self, name: bytes, update_index: int) -> tuple[int, AnyLog] | None:
        if self._looks_sound:
            with suppress(FormatError):
                return super().locate_log(name, update_index)
        salvaged = self.salvaged()
        return salvaged.locate_log(name, update_index) if salvaged is not None else None

    # Scans.

    def ref_blocks(self, start: bytes = b"") -> Iterator[list[RefRecord]]:
        """The refs from the first name >= `start` on, as far as they can be read."""
        scan = super().ref_blocks(start)
        return self._past_damage(
            scan, refs_ascend, lambda found, key: found.table.ref_blocks(key), ref_key, start
        )

    def log_blocks(self, start: bytes = b"", update_index: int = U64_MAX) -> Iterator[list[LogRecord]]:
        """The logs from the first key >= (`start`, `update_index`) on, as far as they can be read."""

        def rest(found: salvage.Salvaged, key: tuple[bytes, int]) -> Iterator[list[LogRecord]]:
            return found.log_blocks(key[0], -key[1])

        # One ref has many entries; to look at names alone costs little and shows most.
        scan = super().log_blocks(start, update_index)
        return self._past_damage(scan, logs_ascend, rest, log_order, (start, -update_index))

    def _past_damage(
        self,
        sound: Iterator[list[_R]],
        ascend: Callable[[list[_R], bytes], bool],
        salvaged: Callable[[salvage.Salvaged, _K], Iterator[list[_R]]],
        key_of: Callable[[_R], _K],
        start: _K,
    ) -> Iterator[list[_R]]:
        """The blocks of a scan until damage is met, then what was salvaged behind the last key."""
        last: _K | None = None
        if self._looks_sound:
            with suppress(FormatError):
                for block in self._in_order(sound, ascend):
                    yield block
                    last = key_of(block[-1])
                return
        found = self.salvaged()
        if found is None:
            return
        for records in salvaged(found, start if last is None else last):
            kept = records if last is None else [record for record in records if key_of(record) > last]
            if kept:
                yield kept

    def _in_order(
        self, blocks: Iterator[list[_R]], ascend: Callable[[list[_R], bytes], bool]
    ) -> Iterator[list[_R]]:
        """Blocks of a scan, each as soon as it is seen that the next one follows it.

        Raises `FormatError` where names do not ascend, and does not hand out the block before: its last
        name may be the wrong one.
        """
        before: list[_R] = []
        block: list[_R]
        for block in blocks:
            if not ascend(block, before[-1].name if before else b""):
                raise FormatError(self.name, None, "keys that do not ascend")
            if before:
                yield before
            before = block
        if before:
            yield before

    def refs_for_prefix(self, prefix: bytes, *, scans: bool = True) -> Iterator[LiveRef]:
        """The refs of this table whose value or peeled value begins so, of those that can be read."""
        last: bytes | None = None
        if self._looks_sound:
            with suppress(FormatError):
                for record in super().refs_for_prefix(prefix, scans=scans):
                    yield record
                    last = record.name
                return
        blocks = cast("Iterator[list[LiveRef]]", self.ref_blocks(last or b""))
        for refs in blocks if scans else ():
            for record in refs:
                ids = record.value or b"", record.peeled or b""
                if (last is None or record.name > last) and any(oid.startswith(prefix) for oid in ids):
                    yield record

    def salvaged(self) -> salvage.Salvaged | None:
        """What is left of the table; None for a file that nothing can be taken from."""
        with self._lock:
            if self._salvaged is None and self._read_by is not None:
                self._salvaged = salvage.salvage_table(self.name, self.size, self.read, self._read_by)
            return self._salvaged


class BrokenTable(ReadableTable):
    """A file that is no table, or one that is not there, as `fault` says; it is salvaged if `is_read`.

    `header` is what to show of it: where nothing tells them, its hash function is `hash_id`, and its update
    index the highest of those older, `before`.
    """

    def __init__(  # of a table, there is nothing to read
        self,
        path: str,
        name: str,
        fault: OpenError,
        hash_id: HashId,
        before: int = 0,
        *,
        is_read: bool = True,
    ) -> None:
        self.path = path
        self.name = name
        self.size = 0
        self.fault = fault
        self.has_limits = False
        self._read_by = self._refs = self._logs = self._salvaged = None
        self._lock = threading.Lock()
        low, high = sorted(limits_in_name(name) or (before, before))
        shown = Header(hash_id.version, 0, low, high, hash_id)
        file: RegularFile | None = None
        try:
            file = RegularFile.open(path, name)
        except (FormatError, OSError) as error:
            no_shortage(error)
            if isinstance(error, PermissionError):
                with suppress(OSError):
                    self.size = os.stat(path).st_size
        else:
            self.size = file.size
            if is_read:
                spans = layout.TableLayout(name, file.size, file.read)
                self._read_by, self.has_limits = salvage.assumed_header(spans, name, hash_id)
                known = self._read_by if self.has_limits else shown._replace(hash_id=self._read_by.hash_id)
                shown = known._replace(version=known.hash_id.version)
        self._blocks = TableBlocks(name, file, self.size)
        self._describe(shown, Footer(), max(self.size - footer_size(shown.version), shown.size))

    @property
    def has_logs(self) -> bool:
        """Whether there may be a log section."""
        return self._read_by is not None

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes of the file, none where there is no file. Raises `OSError`."""
        if self._blocks.file is not None:
            return super().read(offset, size)
        if isinstance(self.fault, OSError):
            raise self.fault.with_traceback(None)
        return b""

    def _cut_out(self, *_: object) -> NoReturn:
        # What is made of whole tables is refused.
        raise self.loss()

    def blocks(self) -> NoReturn:
        """Refused: raises `fault`."""
        raise self.loss()


def open_table(path: str, name: str, hash_id: HashId) -> ReadableTable:
    """The file at `path` as a table, whatever it holds; `hash_id` where nothing tells its hash function.

    Raises `OSError` when no more files can be opened.
    """
    try:
        return ReadableTable.open(path, name)
    except FileNotFoundError:
        return BrokenTable(path, name, MissingTableError(name), hash_id)
    except (FormatError, OSError) as error:
        # Without the frames that it came through: they hold another handle of the file.
        return BrokenTable(path, name, no_shortage(error).with_traceback(None), hash_id)


def no_shortage(error: FormatError | OSError) -> FormatError | OSError:
    """An error that is a fault of its file. That no more files can be opened is none: raises that one."""
    if isinstance(error, OSError) and error.errno in _OUT_OF_FILES:
        raise error
    return error
