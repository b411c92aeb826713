"""A log record as git's files backend has it."""

from __future__ import annotations

from collections.abc import Callable

from engine.format import LogRecord, decimal_zone


def reflog_line(record: LogRecord, null_id: bytes, show: Callable[[bytes], bytes]) -> bytes:
    """A log record as a line of a reflog file: `OLD NEW COMMITTER <EMAIL> TIME TZ<TAB>MESSAGE`.

    As git writes them: the zone with sign and four digits, no tab when the message is empty, newlines
    within it and in names as spaces, so that one record is one line. `null_id` stands in for an absent id.
    A tombstone is `deleted UPDATE_INDEX`. `show` forms what is text.
    """
    if record.is_deletion:
        return b"deleted %d" % record.update_index
    message = record.message.rstrip(b"\n").replace(b"\n", b" ")
    return b"%s %s %s <%s> %d %+05d%s" % (
        (record.old or null_id).hex().encode(),
        (record.new or null_id).hex().encode(),
        show(record.committer.replace(b"\n", b" ")),
        show(record.email.replace(b"\n", b" ")),
        record.time,
        decimal_zone(record.tz),
        b"\t" + show(message) if message else b"",
    )
