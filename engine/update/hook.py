"""The hook `reference-transaction`, which git runs at every step of a transaction of refs.

    preparing    before the lock is taken; a hook that fails aborts the transaction (from git 2.54)
    prepared     with the lock held and every expectation checked; likewise
    committed    the refs are changed
    aborted      nothing is changed, after all

The step is the argument, and each update a line of standard input: `<old> SP <new> SP <ref> LF`, with
`ref:<target>` for a symbolic ref and zeros for no ref and for no expectation. Up to git 2.53 a reflog that is
written for a change of another ref (that of HEAD for a commit) has a line, too.

The program is run as git runs it: at the top of the work tree, or else in the git directory.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Final, NamedTuple

from engine.errors import HookError, in_words

_DECIDING: Final = ("preparing", "prepared")
_SHELL: Final = "/bin/sh"


class ReferenceHook(NamedTuple):
    """A hook of a repository. `is_recent` is how git from 2.54 on runs it; `output` gets what it prints."""

    program: Path
    directory: Path
    environment: Mapping[str, str]
    is_recent: bool
    output: Callable[[bytes], object]

    def run(self, step: str, lines: bytes) -> None:
        """Run it and wait for its end. Raises HookError if the transaction must not go on."""
        if step == "preparing" and not self.is_recent:
            return
        # A file rather than a pipe: what the hook leaves running in the background may hold it open.
        import tempfile

        with tempfile.TemporaryFile() as printed:
            try:
                code = self._wait([os.fspath(self.program), step], lines, printed)
            except OSError as error:
                code = 127  # as a shell has it
                printed.write(f"{in_words(error)}\n".encode())
            printed.seek(0)
            said = printed.read()
        if said:
            self.output(said)
        if code and step in _DECIDING:
            reason = b"".join(said.splitlines()[-1:]).decode(errors="surrogateescape")
            how = f"exit code {code}" if code > 0 else f"ended by signal {-code}, {signal.strsignal(-code)}"
            what = f"the hook {self.program.name} refuses the transaction"
            raise HookError(f"{what} ({step}, {how}): {reason or 'no reason'}")

    def _wait(self, command: list[str], lines: bytes, printed: IO[bytes]) -> int:
        import subprocess

        try:
            return subprocess.run(
                command,
                input=lines,
                stdout=printed,
                stderr=printed,
                cwd=self.directory,
                env=self.environment,
                check=False,
            ).returncode
        except OSError as error:
            # A script that does not say which shell it is for.
            if error.errno != errno.ENOEXEC or command[0] == _SHELL:
                raise
            return self._wait([_SHELL, *command], lines, printed)
