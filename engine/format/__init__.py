"""The file format as data: bytes in, records out, and back. No file is opened here.

Owns the numbers of the format, header and footer, table names, varints, the codecs of records and blocks, and
which ref names may exist. May import `engine.errors` and nothing else.

Read in this order:

    header        numbers, varints, header and footer, table names and `tables.list`
    record        the four kinds of records and their codecs
    raw_record    records that pass through a compaction as the bytes they were stored as
    block         one block: parsed and searched, or filled and finished
    refname       which ref names may exist, alone and beside each other
"""

from engine.format.block import Block, Read, read_block
from engine.format.header import (
    BLOCK_HEADER_SIZE,
    BLOCK_TYPES,
    DEFAULT_BLOCK_SIZE,
    DEFAULT_RESTART_INTERVAL,
    INDEX,
    LOG,
    MAGIC,
    MAX_BLOCK_SIZE,
    MAX_OBJECT_ID_LEN,
    MAX_RESTARTS,
    OBJ,
    OBJECT_ID_LEN_BITS,
    REF,
    RESTART_COUNT_SIZE,
    RESTART_SIZE,
    SECTION_NAMES,
    U64_MAX,
    Footer,
    HashId,
    Header,
    footer_size,
    format_table_name,
    get_u24,
    get_varint,
    header_size,
    is_table_file,
    pack_table_list,
    parse_table_list,
    parse_table_name,
)
from engine.format.raw_record import Encoded, split_logs
from engine.format.record import (
    DELETION,
    LOG_UPDATE,
    SYMREF,
    VAL1,
    VAL2,
    IndexRecord,
    LogRecord,
    Malformed,
    ObjectRecord,
    RefRecord,
    add_up,
    check_end,
    common_prefix,
    decode_index,
    decode_key,
    log_key,
)
from engine.format.refname import check_conflicts, check_refname, is_refname, is_unsafe_refname

__all__ = [
    "BLOCK_HEADER_SIZE",
    "BLOCK_TYPES",
    "DEFAULT_BLOCK_SIZE",
    "DEFAULT_RESTART_INTERVAL",
    "DELETION",
    "INDEX",
    "LOG",
    "LOG_UPDATE",
    "MAGIC",
    "MAX_BLOCK_SIZE",
    "MAX_OBJECT_ID_LEN",
    "MAX_RESTARTS",
    "OBJ",
    "OBJECT_ID_LEN_BITS",
    "REF",
    "RESTART_COUNT_SIZE",
    "RESTART_SIZE",
    "SECTION_NAMES",
    "SYMREF",
    "U64_MAX",
    "VAL1",
    "VAL2",
    "Block",
    "Encoded",
    "Footer",
    "HashId",
    "Header",
    "IndexRecord",
    "LogRecord",
    "Malformed",
    "ObjectRecord",
    "Read",
    "RefRecord",
    "add_up",
    "check_conflicts",
    "check_end",
    "check_refname",
    "common_prefix",
    "decode_index",
    "decode_key",
    "footer_size",
    "format_table_name",
    "get_u24",
    "get_varint",
    "header_size",
    "is_refname",
    "is_table_file",
    "is_unsafe_refname",
    "log_key",
    "pack_table_list",
    "parse_table_list",
    "parse_table_name",
    "read_block",
    "split_logs",
]
