"""The command line, run in this process or as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from inspector.cli.entry import cli

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verb answered: its exit code, its data, its notes."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[bytes]:
        """The data as lines, without their newlines."""
        return self.out.removesuffix(b"\n").split(b"\n") if self.out else []

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The data as the objects of JSON Lines."""
        return [json.loads(line) for line in self.lines]


def run(*args: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Outcome:
    """Run a verb, however it ends; what it raises beyond an exit code is raised here."""
    done = CliRunner().invoke(cli, [os.fspath(arg) for arg in args], input=stdin, env=dict(env or {}))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Outcome(done.exit_code, done.stdout_bytes, done.stderr)


def ok(*args: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Outcome:
    """Run a verb that has to succeed."""
    done = run(*args, stdin=stdin, env=env)
    assert done.code == 0, done.err
    return done


def verbs_and_options() -> Iterator[tuple[str, set[str]]]:
    """The verbs, each with its options."""
    context = click.Context(cli)
    for verb in cli.list_commands(context):
        command = cli.get_command(context, verb)
        assert command is not None
        yield verb, {option for parameter in command.params for option in parameter.opts}


def start(*args: str | Path, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """Start `python -m inspector ARGS` with pipes to it."""
    return subprocess.Popen(
        [sys.executable, "-m", "inspector", *args],
        # Buffered whatever is set around the tests, since most users' output is.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )
