"""One stack as the inspector knows it: what was read of it, and what is to be read next. No Textual.

May import `rows`.

    view          one state of the stack, and what lists can be about
    session       the one door to the engine: opened read-only, read in pieces
    arrangement   the rows that are drawn
    trace         all that a stack holds about one ref
    objects       what the repository knows of the objects that refs point to
    layout_reader one table for the block view
    check         a look for all that is wrong, and
    health        what is known of it by now
    compaction_study, what_if
                  a compaction rule at one of its steps; a stack over time, as it was and under a load
    difference_summary
                  what changed, in one line
    moments       the states that its tables still tell apart
    newest_log    the newest reflog entry of a table
    event         a change of the stack: what became of which tables
    history       the changes that were seen or made
    journal       what was tried in this session
    places        where one can go
    leading       where each kind of row leads
    destinations  what there is by now
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from inspector.model.arrangement import LOGS, REFS, Arrangement, RecordKind, Shape, arrange
    from inspector.model.check import Check, diagnose
    from inspector.model.compaction_study import Blocked, Damage, MergeKey, PastCompaction, Study, TableSize
    from inspector.model.destinations import InBytes, InList, find, is_at_hand
    from inspector.model.difference_summary import summarise
    from inspector.model.event import Event, EventKind, OwnChange, Shapes, TableShape, shapes_of
    from inspector.model.health import (
        Counts,
        Health,
        HealthMark,
        broken_text,
        findings_at_hand,
        identity,
    )
    from inspector.model.history import History, Told, compare, reopen
    from inspector.model.journal import Ending, Entry, Journal
    from inspector.model.layout_reader import LayoutReader, reading
    from inspector.model.leading import PlacedRow, StackRow, is_placed, places_of
    from inspector.model.moments import StackMoment, moments_of
    from inspector.model.newest_log import NewestEntry, newest_entry
    from inspector.model.objects import RepositoryObjects, object_of
    from inspector.model.places import (
        CommitPlace,
        CompactionPlace,
        FilePlace,
        LogPlace,
        MomentPlace,
        OffsetPlace,
        Place,
        PlanPlace,
        PrefixPlace,
        ReadPlace,
        RecordPlace,
        RefPlace,
        SectionPlace,
        SnapshotPlace,
        place_words,
    )
    from inspector.model.session import KeyFound, News, Reloaded, RowsRead, Session
    from inspector.model.trace import ChainEnd, RefTrace, find_versions
    from inspector.model.view import AsOf, Elsewhere, OneTable, Scope, StackView, WholeStack, damage_text
    from inspector.model.what_if import LOADS, Band, Course, Load, Moment, begin, last_updates, past, replay
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "arrangement": "LOGS REFS Arrangement RecordKind Shape arrange",
            "check": "Check diagnose",
            "compaction_study": "Blocked Damage MergeKey PastCompaction Study TableSize",
            "destinations": "InBytes InList find is_at_hand",
            "difference_summary": "summarise",
            "event": "Event EventKind OwnChange Shapes TableShape shapes_of",
            "health": "Counts Health HealthMark broken_text findings_at_hand identity",
            "history": "History Told compare reopen",
            "journal": "Ending Entry Journal",
            "layout_reader": "LayoutReader reading",
            "leading": "PlacedRow StackRow is_placed places_of",
            "moments": "StackMoment moments_of",
            "newest_log": "NewestEntry newest_entry",
            "objects": "RepositoryObjects object_of",
            "places": (
                "CommitPlace CompactionPlace FilePlace LogPlace MomentPlace OffsetPlace Place "
                "PlanPlace PrefixPlace ReadPlace RecordPlace RefPlace SectionPlace SnapshotPlace place_words"
            ),
            "session": "KeyFound News Reloaded RowsRead Session",
            "trace": "ChainEnd RefTrace find_versions",
            "view": "AsOf Elsewhere OneTable Scope StackView WholeStack damage_text",
            "what_if": "LOADS Band Course Load Moment begin last_updates past replay",
        },
    )
