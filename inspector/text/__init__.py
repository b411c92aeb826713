"""Bytes and facts of a stack as words and as JSON, the same wherever they are shown.

Knows the types of the engine and nothing else of the inspector; may import `engine`.

    safe          bytes that anybody may have written, made fit for a terminal and for JSON
    facts         sizes, ages, times, names, ids and errors as short texts
    records       records as JSON and as lines of text
    times         points in time as users write them
    layout_words  what the bytes of a table mean
"""

from inspector.text.facts import (
    age_text,
    error_text,
    file_size,
    log_time,
    log_zone,
    loss_text,
    short_id,
    short_table_name,
    shorten_middle,
    shown,
    update_range,
    value_text,
)
from inspector.text.layout_words import copied_value, explanation, size_text, span_value_text, title
from inspector.text.records import (
    columns,
    json_line,
    log_json,
    log_line,
    print_log,
    print_ref,
    ref_json,
    ref_line,
    reflog_line,
)
from inspector.text.safe import json_text, safe_name, safe_text
from inspector.text.times import parse_time

__all__ = [
    "age_text",
    "columns",
    "copied_value",
    "error_text",
    "explanation",
    "file_size",
    "json_line",
    "json_text",
    "log_json",
    "log_line",
    "log_time",
    "log_zone",
    "loss_text",
    "parse_time",
    "print_log",
    "print_ref",
    "ref_json",
    "ref_line",
    "reflog_line",
    "safe_name",
    "safe_text",
    "short_id",
    "short_table_name",
    "shorten_middle",
    "shown",
    "size_text",
    "span_value_text",
    "title",
    "update_range",
    "value_text",
]
