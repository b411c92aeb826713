"""A stack of tables in a directory that several processes read and change at once.

Owns `tables.list`, locks, temporary files, durability, and the ways to change a stack: an addition, a
compaction, cleaning. May import `merge`.

    durable       writing that stays on the disk
    lock          `<path>.lock`, as git makes it
    options       what a stack is opened with
    temporary     temporary files, and names of new tables
    directory     the list, and the tables it names
    addition      a transaction that puts tables on top
    compactor     replacing a range of tables while others go on writing
    holders       which processes have a file open
    coverage      what the listed tables hold, for judging one that is not listed
    unlisted      the one judge of the files beside the tables: what they are, what needs them, who uses them
    cleaning      removing those that nothing needs
    stale_lock    removing a lock that a dead process left behind
    stack         the object that programs use
"""

from engine.format import TABLES_LIST
from engine.stack.addition import check_names
from engine.stack.cleaning import CleanPlan, StaleFile
from engine.stack.compactor import CompactionStats
from engine.stack.directory import StackDirectory, read_list_bytes, read_table_list
from engine.stack.durable import sync_directory, sync_file, write_file
from engine.stack.holders import Holder, find_holders
from engine.stack.lock import LockFile
from engine.stack.options import DEFAULT_LOCK_TIMEOUT_MS, Policy, StackOptions
from engine.stack.stack import Stack
from engine.stack.stale_lock import remove_stale_lock
from engine.stack.temporary import TEMPORARY_MARK, TemporaryTable, unused_table_name
from engine.stack.unlisted import (
    LIST_LOCK,
    LOCK_SUFFIX,
    YOUNG_LOCK_SECONDS,
    FileKind,
    UnlistedFile,
    Verdicts,
    unlisted_files,
)

__all__ = [
    "DEFAULT_LOCK_TIMEOUT_MS",
    "LIST_LOCK",
    "LOCK_SUFFIX",
    "TABLES_LIST",
    "TEMPORARY_MARK",
    "YOUNG_LOCK_SECONDS",
    "CleanPlan",
    "CompactionStats",
    "FileKind",
    "Holder",
    "LockFile",
    "Policy",
    "Stack",
    "StackDirectory",
    "StackOptions",
    "StaleFile",
    "TemporaryTable",
    "UnlistedFile",
    "Verdicts",
    "check_names",
    "find_holders",
    "read_list_bytes",
    "read_table_list",
    "remove_stale_lock",
    "sync_directory",
    "sync_file",
    "unlisted_files",
    "unused_table_name",
    "write_file",
]
