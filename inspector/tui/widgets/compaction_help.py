"""What `?` says of the compaction pane: enough to tell which tables the next commit merges."""

from __future__ import annotations

from typing import Final

HELP: Final = """\
A reftable stack grows by a table with each transaction, at its newest end. Every read has to look into all \
tables, so now and then neighbours are merged into one: compaction. Merging everything each time would write \
the whole stack again and again; a rule decides which tables are worth it, from their sizes alone. git asks \
it after each transaction, of all tables with the new one. So to say what the next commit merges, think of \
a small table below the newest, and ask the rule.

Sizes are as the rules count them: the file without its footer and without its header but for one byte, so \
that a table of one small record weighs little. F shows the sizes of the files instead.

Bars stand on an axis of powers of two: from one rule ┊ to the next, sizes double. A table's power is the \
last rule that its bar covers.

The log2 rule (git before 2.45, JGit, the Go library), in three questions:

1. Cut: neighbours whose bars end between the same two rules form a segment. One table may be a segment.

2. Choose: of the segments with two tables or more, the one of the smallest power is merged; of two with \
that power the older. If no segment has two tables, nothing is merged.

3. Grow: put the sizes together; the next older table goes in too if its power is not above that of the sum. \
Ask again with it put in, until one stays out. Newer tables never go in.

The geometric rule (git since 2.45), in two questions; each table should be at least FACTOR (2) times as \
large as the next newer:

1. End: from the newest table on towards the oldest, find the first that is smaller than FACTOR × the next \
newer one. The range ends with that newer one. If there is none, nothing is merged.

2. Begin: of all tables older than that end, take the oldest that is smaller than FACTOR × everything \
newer up to the end put together, whether or not those between are. The range begins there.

The result is hidden until the steps have led to it: guess first. . makes a step, , takes it back, > plays \
up to the next answer that changes something and pauses when pressed meanwhile, { goes to the start, } to \
the result, where the tables slide into one. X is the other rule, + and - the factor. In the row asked \
about, ┃ is what is needed: a bar that ends before it goes into the merge.

Columns: ? the table that a step asks about, = those it is compared with, R the range of the rule so far, \
L and G what the log2 and the geometric rule suggest in the end, M (*) tables marked by hand, X tables \
that are known to be damaged; ×next how many times a table is as large as the next newer.

A range of your own shows at once what merging it would do: space marks the table under the cursor and all \
between it and those marked (or takes it out), V marks along with the cursor, shift and the arrows likewise, \
A marks all, escape clears. Sizes alone give an estimate (~). enter makes a dry run: the merge as it would \
be, written nowhere. It tells the exact size and what would drop out: superseded versions, for which a newer \
table has another, and tombstones, which say that something was deleted. Tombstones can only go when the \
range begins with table 0: else they may hide something in an older table. c goes on to compacting the \
range, marked or suggested, also when no step was made.

A range with a damaged table is BLOCKED as soon as reading, a check (v in Health) or a dry run has met the \
damage: a merge reads every record. enter then shows what repairs the stack, and c has nothing to offer.

h shows the stack over time: how it came to be, and what becomes of it, under both rules."""
