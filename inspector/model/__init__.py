"""One stack as the inspector knows it: what was read of it, and what is to be read next. No Textual.

May import `rows`.

    view          one state of the stack, and what lists can be about
    session       the one door to the engine: opened read-only, read in pieces
    arrangement   the rows that are drawn
    trace         all that a stack holds about one ref
    layout_reader one table for the block view
    health        what is wrong
    compaction_study, what_if
                  a compaction rule at one of its steps; the next additions
    difference_summary
                  what changed, in one line
    journal       what was changed in this session
"""

from inspector.model.arrangement import (
    LOGS as LOGS,
    REFS as REFS,
    Arrangement as Arrangement,
    RecordKind as RecordKind,
    Shape as Shape,
    arrange as arrange,
)
from inspector.model.compaction_study import (
    Blocked as Blocked,
    Damage as Damage,
    MergeKey as MergeKey,
    MergeResult as MergeResult,
    Study as Study,
    merge_result as merge_result,
)
from inspector.model.difference_summary import DifferenceSummary as DifferenceSummary, summarise as summarise
from inspector.model.health import (
    Check as Check,
    Counts as Counts,
    Health as Health,
    HealthMark as HealthMark,
    broken_text as broken_text,
    damage_text as damage_text,
    findings_at_hand as findings_at_hand,
    identity as identity,
)
from inspector.model.journal import Ending as Ending, Entry as Entry, Journal as Journal
from inspector.model.layout_reader import LayoutReader as LayoutReader
from inspector.model.session import (
    KeyFound as KeyFound,
    News as News,
    Reloaded as Reloaded,
    RowsRead as RowsRead,
    Session as Session,
)
from inspector.model.trace import ChainEnd as ChainEnd, RefTrace as RefTrace, find_versions as find_versions
from inspector.model.view import (
    AsOf as AsOf,
    OneTable as OneTable,
    Scope as Scope,
    StackView as StackView,
    WholeStack as WholeStack,
)
from inspector.model.what_if import Moment as Moment, replay as replay
