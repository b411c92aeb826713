"""A stack of tables in a directory that several processes read and change at once.

Owns `tables.list`, locks, temporary files, durability, and the ways to change a stack: an addition, a
compaction, cleaning. May import `merge`.

    durable       writing that stays on the disk
    lock          `<path>.lock`, as git makes it
    options       what a stack is opened with
    temporary     temporary files, and names of new tables
    directory     the list, and the tables it names
    addition      a transaction that puts tables on top
    compactor     replacing a range of tables while others go on writing, and
    stats         what that has done so far
    holders       which processes have a file open
    coverage      what the listed tables hold, for judging one that is not listed
    writable      what has to hold of a stack before anything is written to it
    beside        the files beside the tables, if there are any, and
    unlisted      the one judge of them: what they are, what needs them, who uses them
    cleaning      removing those that nothing needs, and a lock that a dead process left behind
    following     where a ref leads
    reading       what programs read of a stack, sound or damaged
    stack         the object that programs use
"""

from typing import TYPE_CHECKING

from engine.format import TABLES_LIST as TABLES_LIST
from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.stack.addition import Addition as Addition, check_names as check_names
    from engine.stack.beside import unlisted_files as unlisted_files
    from engine.stack.cleaning import (
        CleanPlan as CleanPlan,
        StaleFile as StaleFile,
        remove_stale_lock as remove_stale_lock,
    )
    from engine.stack.coverage import covers as covers, merged_ranges as merged_ranges
    from engine.stack.directory import (
        HOW_TO_BEGIN_ANEW as HOW_TO_BEGIN_ANEW,
        LOST_WITH_ALL_TABLES as LOST_WITH_ALL_TABLES,
        StackDirectory as StackDirectory,
        is_of_repository as is_of_repository,
        read_list_bytes as read_list_bytes,
        require_stack as require_stack,
    )
    from engine.stack.durable import (
        hand_over as hand_over,
        make_alike as make_alike,
        make_directory as make_directory,
        sync_directory as sync_directory,
        sync_file as sync_file,
        write_file as write_file,
    )
    from engine.stack.following import Resolved as Resolved, follow as follow
    from engine.stack.holders import Holder as Holder, find_holders as find_holders
    from engine.stack.lock import (
        LIST_LOCK as LIST_LOCK,
        LOCK_SUFFIX as LOCK_SUFFIX,
        LockFile as LockFile,
    )
    from engine.stack.options import (
        DEFAULT_LOCK_TIMEOUT_MS as DEFAULT_LOCK_TIMEOUT_MS,
        POLICIES as POLICIES,
        Policy as Policy,
        StackOptions as StackOptions,
    )
    from engine.stack.reading import ReadStack as ReadStack
    from engine.stack.stack import Stack as Stack
    from engine.stack.stats import CompactionStats as CompactionStats
    from engine.stack.temporary import (
        TemporaryTable as TemporaryTable,
        unused_table_name as unused_table_name,
    )
    from engine.stack.unlisted import (
        FileKind as FileKind,
        UnlistedFile as UnlistedFile,
        Verdicts as Verdicts,
        age_words as age_words,
    )
    from engine.stack.writable import HIGHEST_LIMIT as HIGHEST_LIMIT, require_writable as require_writable
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "addition": "Addition check_names",
            "cleaning": "CleanPlan StaleFile remove_stale_lock",
            "coverage": "covers merged_ranges",
            "directory": (
                "HOW_TO_BEGIN_ANEW LOST_WITH_ALL_TABLES StackDirectory is_of_repository read_list_bytes "
                "require_stack"
            ),
            "durable": "hand_over make_alike make_directory sync_directory sync_file write_file",
            "following": "Resolved follow",
            "holders": "Holder find_holders",
            "lock": "LIST_LOCK LOCK_SUFFIX LockFile",
            "options": "DEFAULT_LOCK_TIMEOUT_MS POLICIES Policy StackOptions",
            "reading": "ReadStack",
            "stack": "Stack",
            "stats": "CompactionStats",
            "temporary": "TemporaryTable unused_table_name",
            "beside": "unlisted_files",
            "unlisted": "FileKind UnlistedFile Verdicts age_words",
            "writable": "HIGHEST_LIMIT require_writable",
        },
    )
