"""Bytes and facts of a stack as words and as JSON, the same wherever they are shown.

Knows the types of the engine and nothing else of the inspector; may import `engine`.

    safe          bytes that anyone may have written, made fit for a terminal and for JSON
    facts         counts, sizes, names, ids and errors as short texts
    times         ages and points in time, as they are shown and as users write them
    records       records as lines of text
    fields        attributes as fields of JSON, where there are few
    as_json       records and all else as JSON
    ref_format    refs in lines of a form that the user gives, and in an order
    plans         what a change would do, in lines
    layout_words  what the bytes of a table mean
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from inspector.text.as_json import json_line, log_json, ref_json
    from inspector.text.facts import (
        bar,
        bracket,
        columns,
        counted,
        eighths_bar,
        error_text,
        estimate,
        file_size,
        loss_text,
        positions_text,
        short_id,
        short_table_name,
        shown,
        update_range,
        value_text,
        whole_value,
    )
    from inspector.text.fields import picked, value_fields
    from inspector.text.layout_words import copied_value, explanation, size_text, span_value_text, title
    from inspector.text.plans import (
        GC_WARNING,
        aside_text,
        change_line,
        clean_lines,
        compaction_lines,
        gap_fields,
        gap_lines,
        gaps_in_words,
        is_chosen,
        log_counts,
        lost_sentence,
        outcome_fields,
        outcome_line,
        ref_counts,
        ref_losses,
        step_lines,
        unknown_refs,
        update_lines,
    )
    from inspector.text.records import (
        hex_ids,
        log_line,
        print_log,
        print_ref,
        ref_line,
        reflog_line,
    )
    from inspector.text.ref_format import RefFormat, Surroundings, sort_refs
    from inspector.text.safe import json_text, safe_message, safe_name, safe_text
    from inspector.text.times import age_text, log_time, log_zone, log_zone_note, parse_time, utc_time
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "as_json": "json_line log_json ref_json",
            "facts": (
                "bar bracket columns counted eighths_bar error_text estimate file_size loss_text "
                "positions_text short_id short_table_name shown update_range value_text whole_value"
            ),
            "fields": "picked value_fields",
            "layout_words": "copied_value explanation size_text span_value_text title",
            "plans": (
                "GC_WARNING aside_text change_line clean_lines compaction_lines gap_fields gap_lines "
                "gaps_in_words is_chosen log_counts lost_sentence outcome_fields outcome_line ref_counts "
                "ref_losses step_lines unknown_refs update_lines"
            ),
            "records": "hex_ids log_line print_log print_ref ref_line reflog_line",
            "ref_format": "RefFormat Surroundings sort_refs",
            "safe": "json_text safe_message safe_name safe_text",
            "times": "age_text log_time log_zone log_zone_note parse_time utc_time",
        },
    )
