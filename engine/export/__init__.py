"""A stack as something else, in a new directory: the way out when nothing helps.

Owns what is written outside of a stack. May import `readable`; nothing is written anywhere but in the new
directory.

    target        the new directory: it is there whole, or not at all
    reflog        a log record as a line of a reflog file
    skeleton      the files of the files backend: HEAD, packed-refs, loose refs, logs
    deflating     deflate streams of a given size
    words         what stands for names, ids and words in an anonymous copy
    anonymous     such a copy of a stack, with its layout and its damage
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from engine.export.anonymous import Anonymous as Anonymous, write_anonymous as write_anonymous
    from engine.export.reflog import reflog_line as reflog_line
    from engine.export.skeleton import (
        Conflict as Conflict,
        Exportable as Exportable,
        LeftOut as LeftOut,
        Skeleton as Skeleton,
        doubtful_refs as doubtful_refs,
        write_skeleton as write_skeleton,
    )
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "anonymous": "Anonymous write_anonymous",
            "reflog": "reflog_line",
            "skeleton": "Conflict Exportable LeftOut Skeleton doubtful_refs write_skeleton",
        },
    )
