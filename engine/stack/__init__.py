"""A stack of tables in a directory that several processes read and change at once.

Owns `tables.list`, locks, temporary files, durability, and the ways to change a stack: an addition, a
compaction, cleaning. May import `merge`.

    durable       writing that stays on the disk
    lock          `<path>.lock`, as git makes it
    options       what a stack is opened with
    directory     the list, the tables it names, temporary files
    addition      a transaction that puts tables on top
    compactor     replacing a range of tables while others go on writing
    holders       which processes have a file open
    clean         files that nothing needs
    unlisted      the files beside the tables, and who has them open
    stack         the object that programs use
"""

from engine.format import TABLES_LIST
from engine.stack.addition import check_names
from engine.stack.clean import LOCK_SUFFIX, CleanPlan, FileKind, StaleFile
from engine.stack.compactor import CompactionStats
from engine.stack.directory import (
    TEMPORARY_MARK,
    StackDirectory,
    TemporaryTable,
    read_list_bytes,
    read_table_list,
    unused_table_name,
)
from engine.stack.durable import sync_directory, sync_file, write_file
from engine.stack.holders import Holder, find_holders
from engine.stack.lock import LockFile
from engine.stack.options import DEFAULT_LOCK_TIMEOUT_MS, Policy, StackOptions
from engine.stack.stack import Stack
from engine.stack.unlisted import Neighbour, neighbours

__all__ = [
    "DEFAULT_LOCK_TIMEOUT_MS",
    "LOCK_SUFFIX",
    "TABLES_LIST",
    "TEMPORARY_MARK",
    "CleanPlan",
    "CompactionStats",
    "FileKind",
    "Holder",
    "LockFile",
    "Neighbour",
    "Policy",
    "Stack",
    "StackDirectory",
    "StackOptions",
    "StaleFile",
    "TemporaryTable",
    "check_names",
    "find_holders",
    "neighbours",
    "read_list_bytes",
    "read_table_list",
    "sync_directory",
    "sync_file",
    "unused_table_name",
    "write_file",
]
