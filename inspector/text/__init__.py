"""Bytes and facts of a stack as words and as JSON, the same wherever they are shown.

Knows the types of the engine and nothing else of the inspector; may import `engine`.

    safe          bytes that anyone may have written, made fit for a terminal and for JSON
    facts         counts, sizes, names, ids and errors as short texts
    times         ages and points in time, as they are shown and as users write them
    records       records as JSON and as lines of text
    plans         what a change would do, in lines
    layout_words  what the bytes of a table mean
"""

from inspector.text.facts import (
    columns as columns,
    counted as counted,
    error_text as error_text,
    file_size as file_size,
    loss_text as loss_text,
    short_id as short_id,
    short_table_name as short_table_name,
    shorten_middle as shorten_middle,
    shown as shown,
    update_range as update_range,
    value_text as value_text,
)
from inspector.text.layout_words import (
    copied_value as copied_value,
    explanation as explanation,
    size_text as size_text,
    span_value_text as span_value_text,
    title as title,
)
from inspector.text.plans import (
    clean_lines as clean_lines,
    compaction_lines as compaction_lines,
    gap_lines as gap_lines,
    is_chosen as is_chosen,
    log_counts as log_counts,
    ref_counts as ref_counts,
    ref_losses as ref_losses,
    step_lines as step_lines,
    unknown_refs as unknown_refs,
    update_lines as update_lines,
)
from inspector.text.records import (
    json_line as json_line,
    log_json as log_json,
    log_line as log_line,
    picked as picked,
    print_log as print_log,
    print_ref as print_ref,
    ref_json as ref_json,
    ref_line as ref_line,
    reflog_line as reflog_line,
    value_fields as value_fields,
)
from inspector.text.safe import json_text as json_text, safe_name as safe_name, safe_text as safe_text
from inspector.text.times import (
    age_text as age_text,
    log_time as log_time,
    log_zone as log_zone,
    parse_time as parse_time,
    utc_time as utc_time,
)
