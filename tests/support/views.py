"""What git shows of a repository and what the engine reads of its stack, in the same terms, to be compared.

git leaves out what it cannot resolve: symbolic refs that dangle with their reflogs, and reflog entries that
end in no commit (so the tests that compare reflogs keep commits in them). It never prints the old id of an
entry: that is for tests that know the records, and for those that compare bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.merge import MergedTable
from engine.stack import Stack
from tests.support.git import GitLog, GitRef, Repository

# git looks through all the reflogs of a command for each entry that it prints.
_REFLOGS_AT_ONCE = 100


class View(NamedTuple):
    """A stack as `git for-each-ref`, `git show-ref -d --head`, `git reflog list` and `git log -g` show it."""

    refs: dict[bytes, GitRef]
    shown: list[bytes]
    logged: list[bytes]
    logs: dict[bytes, list[GitLog]]


def git_view(repo: Repository) -> View:
    """Return what git shows of a repository."""
    refs = repo.refs(root=True)
    logged = repo.git("reflog", "list").stdout.splitlines()
    found = git_logs(repo, [name for name in logged if name in refs])
    logs = {name: entries for name, entries in found.items() if entries}
    return View(refs, repo.show_ref("-d", "--head"), logged, logs)


def git_logs(repo: Repository, names: Sequence[bytes]) -> dict[bytes, list[GitLog]]:
    """Return the reflogs of these refs, newest entry first, as `Repository.reflog` does for one."""
    fields = "%gD%x00%H%x00%gn%x00%ge%x00%gs"
    logs: dict[bytes, list[GitLog]] = {name: [] for name in names}
    for start in range(0, len(names), _REFLOGS_AT_ONCE):
        revisions = b"".join(name + b"\n" for name in names[start : start + _REFLOGS_AT_ONCE])
        shown = repo.git("log", "-g", "--stdin", "--date=raw", f"--format={fields}", input=revisions)
        for line in shown.stdout.split(b"\n")[:-1]:
            selector, new, committer, email, message = line.split(b"\0")
            name, _, when = selector.rpartition(b"@{")
            time, tz = when.removesuffix(b"}").split()
            entry = GitLog(bytes.fromhex(new.decode()), committer, email, int(time), int(tz), message)
            logs[name].append(entry)
    return logs


def engine_view(stack: Stack | MergedTable) -> View:
    """Return what git would show of the refs and reflogs in a stack."""
    refs: dict[bytes, GitRef] = {}
    shown: list[bytes] = []
    for record in stack.refs():
        value, peeled = _resolve(stack, record.name)
        if value is None:
            continue
        is_symref = record.target is not None
        refs[record.name] = GitRef(None, target=record.target) if is_symref else GitRef(value, peeled)
        if record.name == b"HEAD" or record.name.startswith(b"refs/"):
            shown.append(value.hex().encode() + b" " + record.name)
            if peeled is not None:
                shown.append(peeled.hex().encode() + b" " + record.name + b"^{}")
    logs: dict[bytes, list[GitLog]] = {}
    logged: dict[bytes, None] = {}
    for log in stack.logs():
        logged[log.name] = None
        if log.name in refs and log.new is not None and any(log.new):
            message = log.message.removesuffix(b"\n")
            entry = GitLog(log.new, log.committer, log.email, log.time, log.tz, message)
            logs.setdefault(log.name, []).append(entry)
    return View(refs, shown, list(logged), logs)


def _resolve(stack: Stack | MergedTable, name: bytes) -> tuple[bytes | None, bytes | None]:
    """Return the object id that a ref leads to, and that object's peeled id."""
    for _ in range(5):
        record = stack.read_ref(name)
        if record is None:
            break
        if record.target is None:
            return record.value, record.peeled
        name = record.target
    return None, None
