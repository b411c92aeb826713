"""The guided tour of compaction: six small stacks, for each of which one says first what is merged.

The last table of each stack is that of the commit that has just been made. What a rule merges is asked of the
rule; the words that explain it have only the sizes of the stack in them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.stack import Policy, StackOptions


class Lesson(NamedTuple):
    """A stack of tables of these `sizes`, oldest first, and a rule to foretell.

    `words` are what one has to know for it, `why` is the answer explained. Without `has_steps`, the steps of
    the rule would say more than is known by then.
    """

    title: str
    rule: Policy
    sizes: tuple[int, ...]
    words: str
    why: str
    has_steps: bool = True

    @property
    def answer(self) -> range:
        """The positions that the rule merges; an empty range for none."""
        return StackOptions(policy=self.rule).suggestion(self.sizes).positions


LESSONS: Final = (
    Lesson(
        "What a stack is, and why its tables are merged",
        "log2",
        (4000, 200, 220),
        "Each commit writes a new table, and none is ever changed: they are a stack, the oldest on top in "
        "this list, the newest at its end. A read looks into all of them, so they must not become many. "
        "Merging neighbours into one makes them fewer, but writes all that is in them once more: so small "
        "ones, alike in size, are merged, and a large one is left alone.",
        "The two small tables are alike, and one of 420 bytes takes their place. The 4,000 bytes of the "
        "oldest would have been written again only to save one more table.",
        has_steps=False,
    ),
    Lesson(
        "log2: segments of one magnitude",
        "log2",
        (9000, 1500, 1200, 300, 280),
        "The first rule git had, which JGit still has. The magnitude of a table is the power of two below "
        "its size: the last line ┊ that its bar covers. Neighbours of one magnitude are a segment. Of the "
        "segments with two tables or more, the one of the smallest magnitude is merged; the others have to "
        "wait.",
        "Tables 1 and 2 are a segment of 2^10, tables 3 and 4 one of 2^8, which is smaller. Together they "
        "have 580 bytes, 2^9, less than table 2, and so table 2 stays.",
    ),
    Lesson(
        "log2: the merged table outgrows older ones",
        "log2",
        (9000, 1500, 600, 300, 280),
        "The same rule, and what was left out: the table that is made must not be larger than older ones "
        "are meant to be. So the next older table goes in too while its magnitude is not above that of all "
        "that is merged, put together; then the next one is asked, with that one's bytes counted.",
        "300 and 280 bytes are 580, of magnitude 2^9, and 600 is 2^9 too: it goes in, and so does 1,500 as "
        "2^10 beside 1,180. That makes 2,680, of 2^11, and the 9,000 bytes of table 0, of 2^13, stay.",
    ),
    Lesson(
        "geometric: where the range ends",
        "geometric",
        (9000, 900, 700, 200, 90),
        "The rule git has since 2.45: each table should be at least twice as large as the next newer one. "
        "Go from the newest to the oldest, and ask of each table whether it is smaller than twice the next "
        "newer. The first that is too small ends the range: the newer of the two is its end. What is newer "
        "still is in order, and stays.",
        "200 is at least twice 90, and 700 at least twice 200; but 900 is less than twice 700, so the range"
        " ends with table 2. Table 0, 9,000 bytes, is more than twice the 1,600 of both, and stays.",
    ),
    Lesson(
        "geometric: where the range begins",
        "geometric",
        (9000, 1900, 800, 300, 280),
        "The end is found as before. From there, each older table is asked whether it is smaller than twice"
        " all newer ones of the range put together, not only the next one. The range begins with the oldest"
        " table that is: a merge of all of them leaves a stack that is in order again.",
        "300 is less than twice 280. 800 would be enough beside 300, but not for 580, and 1,900 not for "
        "1,380; only the 9,000 bytes of table 0 are more than twice the 3,280 of all newer ones.",
    ),
    Lesson(
        "Sizes in turn: why git changed its rule",
        "log2",
        (180, 65, 180, 65, 180, 65),
        "Someone creates a branch and deletes it, again and again. What creates it takes 180 bytes; what "
        "deletes it, a tombstone for the branch and one for its reflog, takes 65. Six transactions have "
        "been made, and this is the stack that the log2 rule has made of them. What does it merge now?",
        "180 is of magnitude 2^7 and 65 of 2^6, so log2 never finds two neighbours of one magnitude: it "
        "merges nothing, and keeps a table for each transaction. geometric merges them, below: for just "
        "this case git changed its rule, in version 2.45 of April 2024.",
    ),
)

FAREWELL: Final = """\
That is all there is to it. Which tables does the next commit merge? Put a
small new table at the end, and ask:

log2        Which neighbours are of one magnitude? Of these segments the one of
            the smallest magnitude is merged, with each older table that is not
            of a higher magnitude than all of it together.

geometric   Which table, from the newest on, is smaller than twice the next
            newer? That newer one is the end. The oldest table smaller than
            twice all newer ones up to the end is the beginning.

To go on:
  reftable-inspector --demo     a stack to try it on. 4 is Compaction: > plays
                                a rule, X is the other one, h is over time
  reftable-inspector PATH       the same for a repository of yours, of which
                                looking changes nothing
"""
