"""The file format as data: bytes in, records out, and back. No file is opened here.

Owns the numbers of the format, header and footer, table names, varints, the codecs of records and blocks, and
which ref names may exist. May import `engine.errors` and nothing else.

Read in this order:

    varint        integers of three bytes, and varints
    header        the numbers of the format, header and footer
    table_list    names of tables, and the lines of `tables.list`
    malformed     what is wrong with the bytes of a record
    record        the four kinds of records
    codec         what they look like in bytes
    typed         records as type checkers know them
    raw_record    records that pass through a compaction as the bytes they were stored as
    search        the first record from a key on, between two restart points
    block         one block: parsed and searched, or filled and finished
    walk          records asked for by keys that ascend
    refname       which ref names may exist, alone and beside each other
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.format.block import (
        Block as Block,
        Read as Read,
        read_block as read_block,
        read_size as read_size,
    )
    from engine.format.codec import (
        DELETION as DELETION,
        LOG_UPDATE as LOG_UPDATE,
        PART_BYTES as PART_BYTES,
        PART_KEYS as PART_KEYS,
        SYMREF as SYMREF,
        VAL1 as VAL1,
        VAL2 as VAL2,
        add_up as add_up,
        check_end as check_end,
        common_prefix as common_prefix,
        decode_index as decode_index,
        decode_key as decode_key,
        decode_log_key as decode_log_key,
        decode_objects as decode_objects,
        decode_refs as decode_refs,
        encode_head as encode_head,
        encode_ref as encode_ref,
    )
    from engine.format.header import (
        BLOCK_HEADER_SIZE as BLOCK_HEADER_SIZE,
        BLOCK_TYPES as BLOCK_TYPES,
        CRC as CRC,
        DEFAULT_BLOCK_SIZE as DEFAULT_BLOCK_SIZE,
        DEFAULT_RESTART_INTERVAL as DEFAULT_RESTART_INTERVAL,
        FOOTER_FIELDS as FOOTER_FIELDS,
        INDEX as INDEX,
        LOG as LOG,
        MAGIC as MAGIC,
        MAX_BLOCK_SIZE as MAX_BLOCK_SIZE,
        MAX_OBJECT_ID_LEN as MAX_OBJECT_ID_LEN,
        MAX_RESTARTS as MAX_RESTARTS,
        MIN_UPDATE_INDEX as MIN_UPDATE_INDEX,
        NO_OBJECT_ID_LEN as NO_OBJECT_ID_LEN,
        OBJ as OBJ,
        OBJ_OFFSET as OBJ_OFFSET,
        OBJECT_ID_LEN_BITS as OBJECT_ID_LEN_BITS,
        REF as REF,
        RESTART_COUNT_SIZE as RESTART_COUNT_SIZE,
        RESTART_SIZE as RESTART_SIZE,
        SECTION_NAMES as SECTION_NAMES,
        Footer as Footer,
        HashId as HashId,
        Header as Header,
        checksum_fault as checksum_fault,
        checksums as checksums,
        footer_size as footer_size,
        header_fields as header_fields,
        header_size as header_size,
        policy_size as policy_size,
    )
    from engine.format.malformed import Excessive as Excessive, Malformed as Malformed
    from engine.format.raw_record import (
        Encoded as Encoded,
        RawRefs as RawRefs,
        raw_committer as raw_committer,
        split_logs as split_logs,
        split_refs as split_refs,
    )
    from engine.format.record import (
        LOG_KEY_TAIL as LOG_KEY_TAIL,
        IndexRecord as IndexRecord,
        LogRecord as LogRecord,
        ObjectRecord as ObjectRecord,
        RefRecord as RefRecord,
        compiled as compiled,
        decimal_zone as decimal_zone,
        log_key as log_key,
        log_order as log_order,
        logs_ascend as logs_ascend,
        ref_key as ref_key,
        refs_ascend as refs_ascend,
    )
    from engine.format.refname import (
        MAX_SYMREF_DEPTH as MAX_SYMREF_DEPTH,
        OTHER_WORKTREES as OTHER_WORKTREES,
        PER_WORKTREE as PER_WORKTREE,
        check_conflicts as check_conflicts,
        check_refname as check_refname,
        has_root_ref_syntax as has_root_ref_syntax,
        is_per_worktree as is_per_worktree,
        is_refname as is_refname,
        is_root_ref as is_root_ref,
        is_unsafe_refname as is_unsafe_refname,
        may_be_refused as may_be_refused,
        split_worktree as split_worktree,
    )
    from engine.format.table_list import (
        TABLES_LIST as TABLES_LIST,
        ListFault as ListFault,
        ListLine as ListLine,
        check_list_size as check_list_size,
        format_table_name as format_table_name,
        is_table_file as is_table_file,
        limits_in_name as limits_in_name,
        pack_table_list as pack_table_list,
        parse_table_list as parse_table_list,
        parse_table_name as parse_table_name,
    )
    from engine.format.typed import (
        AnyLog as AnyLog,
        AnyRef as AnyRef,
        LiveRef as LiveRef,
        LogEntry as LogEntry,
    )
    from engine.format.varint import (
        U64_MAX as U64_MAX,
        get_u24 as get_u24,
        get_varint as get_varint,
        put_u24 as put_u24,
        put_varint as put_varint,
    )
    from engine.format.walk import Walk as Walk
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "block": "Block Read read_block read_size",
            "codec": (
                "DELETION LOG_UPDATE PART_BYTES PART_KEYS SYMREF VAL1 VAL2 add_up check_end common_prefix "
                "decode_index decode_key decode_log_key decode_objects decode_refs encode_head "
                "encode_ref"
            ),
            "header": (
                "BLOCK_HEADER_SIZE BLOCK_TYPES CRC DEFAULT_BLOCK_SIZE DEFAULT_RESTART_INTERVAL "
                "FOOTER_FIELDS INDEX LOG MAGIC MAX_BLOCK_SIZE MAX_OBJECT_ID_LEN MAX_RESTARTS "
                "MIN_UPDATE_INDEX NO_OBJECT_ID_LEN OBJ OBJ_OFFSET OBJECT_ID_LEN_BITS REF "
                "RESTART_COUNT_SIZE RESTART_SIZE SECTION_NAMES Footer HashId Header "
                "checksum_fault checksums footer_size header_fields header_size policy_size"
            ),
            "malformed": "Excessive Malformed",
            "raw_record": "Encoded RawRefs raw_committer split_logs split_refs",
            "record": (
                "LOG_KEY_TAIL IndexRecord LogRecord ObjectRecord RefRecord compiled decimal_zone log_key "
                "log_order logs_ascend ref_key refs_ascend"
            ),
            "refname": (
                "MAX_SYMREF_DEPTH OTHER_WORKTREES PER_WORKTREE check_conflicts "
                "check_refname has_root_ref_syntax is_per_worktree is_refname is_root_ref is_unsafe_refname "
                "may_be_refused split_worktree"
            ),
            "table_list": (
                "TABLES_LIST ListFault ListLine check_list_size format_table_name is_table_file "
                "limits_in_name pack_table_list parse_table_list parse_table_name"
            ),
            "typed": "AnyLog AnyRef LiveRef LogEntry",
            "varint": "U64_MAX get_u24 get_varint put_u24 put_varint",
            "walk": "Walk",
        },
    )
