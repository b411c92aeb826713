"""An operator at work with our verbs: `python -m tests.support.operator_worker DIRECTORY OID SEED UNTIL`.

Each verb runs in a process of its own, forked from this one, so that a start costs little; some are killed on
the way. Of each it prints a line of JSON: the ref that is there now, or gone, or of which that is not known.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from inspector.cli.entry import cli
from inspector.exit_codes import ExitCode

_REFUSED = {int(ExitCode.LOCKED), int(ExitCode.CHANGED)}


def run(arguments: Sequence[str], stdin: bytes, kill_after: float | None) -> tuple[int | None, str]:
    """Run a verb; its exit code, None if it was killed, and what it said."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as said:
        source.write(stdin)
        source.seek(0)
        pid = os.fork()
        if not pid:
            code = 99
            try:
                os.dup2(source.fileno(), 0)
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                sys.stdin = os.fdopen(0, encoding="utf-8")
                try:
                    cli(arguments, standalone_mode=True)
                except SystemExit as end:
                    code = end.code if isinstance(end.code, int) else 1
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        said.seek(0)
        return (None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)), said.read().decode()


def undone(said: str) -> str:
    """What an undo makes of the ref that the last addition has made: a compaction may have followed that."""
    fields = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    return "gone" if fields["operation"] == "add" and fields["snapshot"] is not None else "there"


def main(directory: str, oid: str, seed: str, until: str) -> None:
    """Add, undo, compact, expire, clean and repair at random until there is a file of the name `until`."""
    rng = random.Random(f"{seed} operator")
    last: str | None = None  # the ref that the newest recorded change has added, if it was an addition
    number = 0
    is_locked = False
    while not Path(until).exists():
        verb = rng.choice(["add", "add", "add", "undo", "undo", "compact", "expire", "clean", "repair"])
        if last is None and verb == "undo":
            verb = "add"
        elif last is not None and rng.random() < 0.7:
            verb = "undo"
        if is_locked and rng.random() < 0.7:
            verb = "repair"
        number += verb == "add"
        name = f"refs/heads/operator-{seed}-{number}"
        arguments = {
            "add": ["add", "-m", "operator"],
            "undo": ["undo", "--json"],
            "compact": ["compact", rng.choice(["--all", "--auto"])],
            "expire": ["expire", "--before", "1.days.ago"],
            "clean": ["clean"],
            "repair": ["repair", "--apply"],
        }[verb]
        stdin = f"create {name} {oid}\n".encode() if verb == "add" else b""
        kill_after = rng.uniform(0, 0.03) if rng.random() < 0.05 else None
        code, said = run([*arguments, directory], stdin, kill_after)
        is_locked = code == int(ExitCode.LOCKED)
        event: dict[str, object] = {"verb": verb, "code": code, "said": said[:2000]}
        if code not in {0, 1, None, *_REFUSED}:
            event["wrong"] = True
        if verb == "add":
            event["ref"], event["is"] = name, {0: "there", None: "unknown"}.get(code, "gone")
            last = name if code == 0 else None
        elif verb == "undo":
            event["ref"] = last
            event["is"] = undone(said) if code == 0 else "unknown" if code is None else "there"
            last = None
        elif code != int(ExitCode.CHANGED):
            last = None  # it may have left a snapshot of its own
        print(json.dumps(event), flush=True)  # noqa: T201 - read by the test at the other end of a pipe


if __name__ == "__main__":
    main(*sys.argv[1:])
