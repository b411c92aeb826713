r"""The demo stack: eight months of an invented project, in a stack worth looking at.

`build_demo` plays a history of some 2,000 transactions (branches made, moved, merged and deleted, tags,
fetches, rebases) and writes it as the tables that git's compactions could have left: each holds the
newest version of everything that its span of update indexes touched, and only the oldest has lost
its tombstones. So there are superseded versions, deletions that still hide something, and sizes about which
the two compaction rules disagree.

Everything is decided by constants and a seeded generator: same refs, same times, same sizes, same names of
tables on every machine. Object ids are made up; there is no object database behind them.
"""

from __future__ import annotations

import hashlib
import random
from functools import partial
from itertools import chain
from pathlib import Path

from engine.errors import ApiError
from engine.format import LogRecord, RefRecord
from engine.stack import Stack, StackOptions

_MAIN = b"refs/heads/main"
_HEAD = b"HEAD"
_START = 1_770_022_800  # 2026-02-02 09:00 UTC
_MEAN_PAUSE = 10_000  # seconds between two transactions
_NULL = bytes(20)

# The update index at which each table but the last one ends. Chosen for their sizes: log2 segments and
# the geometric rule suggest different ranges for them.
_SPANS = (1480, 1760, 1850, 1930, 1952, 1960, 1963)
_LAST = 1965

# (name, mail, zone as git stores it): zones with quarter and half hours are the ones tools get wrong.
_PEOPLE = (
    (b"Anna Lindqvist", b"anna@lantern.example", 200),
    (b"Priya Raman", b"priya@lantern.example", 530),
    (b"Maeve Power", b"maeve@lantern.example", -230),
    ("Hēmi Parata".encode(), b"hemi@lantern.example", 1245),
    (b"Sunita Gurung", b"sunita@lantern.example", 545),
    ("田辺 由紀".encode(), b"yuki@lantern.example", 900),
    (b"Joe Whitehorse", b"joe@lantern.example", -700),
)
_AREAS = ("feature", "fix", "anna", "priya", "maeve", "hemi", "sunita", "yuki", "joe")
_VERBS = ("add", "fix", "rework", "document", "speed up", "simplify", "test", "cache", "validate", "drop")
_THINGS = (
    "tile cache", "label placement", "zoom levels", "vector styles", "range requests", "coastlines",
    "hill shading", "font loading", "offline maps", "projections", "import of relations", "metrics",
    "config reload", "container image", "search api", "rate limits", "translations", "ferry routes",
    "contour lines", "sprite sheets", "access log", "tide tables", "place names", "stale tiles",
)  # fmt: skip

_Change = list[RefRecord | LogRecord]
"""What one transaction writes."""

# Names that a stack may hold whatever git's checks say: text for a terminal has to survive them.
_UNUSUAL = (
    "refs/heads/feature/größere-kacheln".encode(),
    "refs/heads/yuki/地名の読み仮名".encode(),
    "refs/heads/joe/karte-🗺".encode(),
    b"refs/heads/import/caf\xe9-latin1",
    b"refs/heads/\x1b[2J\x1b[31mowned\xe2\x80\xae",
)


def build_demo(directory: Path) -> None:
    """Make the demo stack in `directory`, which is created if need be.

    Raises `ApiError` when the directory holds anything already, `OSError` when it cannot be made.
    Takes well under a second.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise ApiError(f"{directory} is not empty: a demo stack needs a directory of its own")
    changes = _Project().play()
    suffixes = random.Random("names of tables")  # noqa: S311 - reproducible on purpose
    options = StackOptions(auto_compact=False, skip_name_check=True, suffix=partial(suffixes.getrandbits, 32))
    with Stack.open(directory, options=options) as stack:
        first = 1
        for last in (*_SPANS, _LAST):
            _write_table(stack, changes, first, last)
            first = last + 1


def _write_table(stack: Stack, changes: list[_Change], first: int, last: int) -> None:
    """Add the table that a compaction of the transactions `first` to `last` would have made."""
    refs: dict[bytes, RefRecord] = {}
    logs: dict[tuple[bytes, int], LogRecord] = {}
    for record in chain.from_iterable(changes[first - 1 : last]):
        if isinstance(record, RefRecord):
            refs[record.name] = record
        else:
            logs[record.name, record.update_index] = record
    oldest = first == 1
    with stack.addition() as addition, addition.table() as writer:
        writer.set_limits(first, last)
        writer.add_refs([record for record in refs.values() if not (oldest and record.is_deletion)])
        writer.add_logs([record for record in logs.values() if not (oldest and record.is_deletion)])


class _Project:
    """A repository while people work in it. The place of a transaction is its update index."""

    def __init__(self) -> None:
        self._random = random.Random("a lantern in every harbour")  # noqa: S311 - the same
        self._time = _START
        self._who = _PEOPLE[0]
        self._changes: list[_Change] = []
        self._tips: dict[bytes, bytes] = {}
        self._logged: dict[bytes, list[int]] = {}
        self._branches: list[bytes] = []  # but for main: those that may be merged, oldest first
        self._remotes: list[bytes] = []
        self._current = _MAIN
        self._commits = 0
        self._pulls = 0
        self._release = [0, 1]
        names = [
            f"refs/heads/{area}/{verb}-{thing}".replace(" ", "-").encode()
            for area in _AREAS
            for verb in _VERBS
            for thing in _THINGS
        ]
        self._random.shuffle(names)
        self._names = iter(names)

    def play(self) -> list[_Change]:
        """Every transaction, oldest first."""
        self._clone()
        steps = (self._commit, self._branch, self._fetch, self._merge, self._rewrite, self._tag)
        weights = (34, 20, 27, 12, 5, 2)
        while len(self._changes) < _LAST:
            self._who = self._random.choice(_PEOPLE)
            self._random.choices(steps, weights)[0]()
        return self._changes

    # What people do, in one transaction or several.

    def _clone(self) -> None:
        self._begin()
        self._set(_HEAD, target=_MAIN)
        self._move(_MAIN, self._oid(), "clone: from https://git.lantern.example/lantern.git")
        self._set(b"refs/remotes/origin/HEAD", target=b"refs/remotes/origin/main")
        self._remotes.append(b"refs/remotes/origin/main")
        self._set(self._remotes[-1], self._tips[_MAIN])
        for _ in range(24):
            self._release_tag()
        for name in _UNUSUAL:
            self._set(name, self._oid())
        for _ in range(420):
            self._remotes.append(next(self._names).replace(b"refs/heads/", b"refs/remotes/origin/"))
            self._set(self._remotes[-1], self._oid())
        for _ in range(1150):
            self._pull_request()

    def _commit(self) -> None:
        branch = self._some_branch()
        self._checkout(branch)
        self._begin()
        self._move(branch, self._oid(), f"commit: {self._subject()}")

    def _branch(self) -> None:
        name = next(self._names)
        self._begin()
        self._move(name, self._tips[_MAIN], "branch: Created from main")
        self._branches.append(name)
        self._checkout(name)

    def _fetch(self) -> None:
        self._begin()
        for name in self._random.sample(self._remotes, 2):
            how = self._random.choice(("fast-forward", "forced-update"))
            self._move(name, self._oid(), f"fetch: {how}")
        for _ in range(self._random.randrange(3)):
            self._pull_request()

    def _merge(self) -> None:
        if len(self._branches) < 120:
            self._commit()
            return
        name = self._branches.pop(self._random.randrange(60))
        self._checkout(_MAIN)
        self._begin()
        self._move(_MAIN, self._oid(), f"merge {name[11:].decode()}: Merge made by the 'ort' strategy.")
        self._begin()
        self._delete(name)

    def _rewrite(self) -> None:
        name = self._some_branch()
        onto = self._tips[_MAIN].hex()
        self._checkout(name)
        self._begin()
        rebase, amend = f"rebase (finish): {name.decode()} onto {onto}", f"commit (amend): {self._subject()}"
        what = self._random.choice((rebase, amend, "reset: moving to HEAD~1"))
        self._move(name, self._oid(), what)

    def _tag(self) -> None:
        self._begin()
        self._release_tag()

    # What that does to refs and reflogs.

    def _begin(self) -> None:
        self._time += self._random.randrange(60, 2 * _MEAN_PAUSE)
        self._changes.append([])

    def _release_tag(self) -> None:
        self._release[1] += 1
        if self._release[1] > 9:
            self._release = [self._release[0] + 1, 0]
        oid = self._oid()
        self._set(b"refs/tags/v%d.%d" % (self._release[0], self._release[1]), self._oid(), peeled=oid)

    def _set(
        self,
        name: bytes,
        value: bytes | None = None,
        peeled: bytes | None = None,
        target: bytes | None = None,
    ) -> None:
        self._changes[-1].append(RefRecord(name, len(self._changes), value, peeled, target))
        if value is not None:
            self._tips[name] = value

    def _move(self, name: bytes, new: bytes, message: str) -> None:
        old = self._tips.get(name, _NULL)
        self._set(name, new)
        self._log(name, old, new, message)
        if name == self._current:
            self._log(_HEAD, old, new, message)

    def _checkout(self, name: bytes) -> None:
        if name == self._current:
            return
        self._begin()
        message = f"checkout: moving from {self._current[11:].decode()} to {name[11:].decode()}"
        self._log(_HEAD, self._tips[self._current], self._tips[name], message)
        self._set(_HEAD, target=name)
        self._current = name

    def _delete(self, name: bytes) -> None:
        """As git deletes: a tombstone for the ref, and one for each entry of its reflog."""
        del self._tips[name]
        self._set(name)
        self._changes[-1] += [LogRecord(name, index) for index in self._logged.pop(name, [])]

    def _log(self, name: bytes, old: bytes, new: bytes, message: str) -> None:
        index = len(self._changes)
        who, mail, zone = self._who
        record = LogRecord(name, index, old, new, who, mail, self._time, zone, message.encode() + b"\n")
        self._changes[-1].append(record)
        self._logged.setdefault(name, []).append(index)

    # Names and ids.

    def _oid(self) -> bytes:
        self._commits += 1
        return hashlib.sha1(b"lantern %d" % self._commits, usedforsecurity=False).digest()

    def _pull_request(self) -> None:
        self._pulls += 1
        self._set(b"refs/pull/%d/head" % self._pulls, self._oid())

    def _some_branch(self) -> bytes:
        return self._random.choice((self._current, _MAIN, *self._branches[-12:]))

    def _subject(self) -> str:
        return f"{self._random.choice(_VERBS).capitalize()} {self._random.choice(_THINGS)}"
