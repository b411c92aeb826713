"""The verb that looks at many repositories: survey.

One process searches, others look, and each repository is a line as soon as it has been looked at. A few are
looked at by the process that has found them, since that takes less time than to start others; they are not
checked there, which may take any time.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

import click

from engine.errors import OtherBackendError, ReftableError, in_words
from engine.format import TABLES_LIST
from engine.fsck import Finding, QuickCheck, Severity, by_cause, check_repository, quick_check
from engine.git import FoundRepository, Repository, find_repository, repositories_below
from engine.progress import Progress
from engine.stack import FileKind, UnlistedFile
from engine.system import POSIX
from inspector import model
from inspector.cli.findings import finding_fields, lost_stack
from inspector.cli.opening import completes, json_option
from inspector.cli.output import Output, ProgressLine
from inspector.exit_codes import ExitCode, note
from inspector.text import age_text, counted, file_size, picked, safe_message, safe_name

if TYPE_CHECKING:
    from inspector.cli.metrics import Metrics

_NAMES: Final = (
    "stacks",
    "tables",
    "bytes",
    "refs",
    "dead_bytes",
    "due_tables",
    "due_bytes",
    "locks",
    "orphans",
    "temporary_files",
    "errors",
    "warnings",
    "notes",
    "worst",
)
"""The fields of a repository that was looked at, behind its path and the problem that keeps it from being."""

_FEW: Final = 4
"""So many repositories are looked at faster than a process is started."""
_NEAR: Final = 256
"""So many steps of the search are waited for, to see whether there are more."""

_LINE: Final = "{:7} {:>6} {:>6} {:>7} {:>9} {:>7} {:>4} {:>5}  {}"
_HEADINGS: Final = _LINE.format("worst", "stacks", "tables", "bytes", "refs", "dead", "due", "lock", "path")


@click.command()
@click.argument(
    "directories",
    metavar="DIR...",
    nargs=-1,
    required=True,
    type=click.Path(),
    shell_complete=completes("directories"),
)
@click.option("--check", is_flag=True, help="Check each repository wholly, as fsck does.")
@click.option(
    "--jobs", type=click.IntRange(1, 1024), metavar="N", help="So many processes (default: the processors)."
)
@json_option
@click.option(
    "--openmetrics",
    "as_metrics",
    is_flag=True,
    help="All at the end, as metrics for the textfile collector of a node exporter.",
)
def survey(
    directories: tuple[str, ...], check: bool, jobs: int | None, as_json: bool, as_metrics: bool
) -> None:
    """Look at all repositories below directories: one line each, as they are done.

    A line has the worst that was found; the number of stacks and tables, and their bytes; about how many refs
    there are, and how many bytes are superseded; how many tables are due to be merged by the repository's own
    options; the age of the oldest lock; and where the repository is. Tables are not read: lists, headers,
    footers and the files beside the tables are, unless --check has everything read. Repositories that keep
    their refs in files are counted at the end. Nothing is written. The exit code is 1 when a repository has
    errors, or something cannot be read.
    """
    if as_json and as_metrics:
        raise click.UsageError("--json and --openmetrics are two forms of the same: choose one")
    start, out, totals = time.monotonic(), Output.standard(), _Totals()
    work = _looked_at(repositories_below(directories), jobs, whole=check)
    with ProgressLine() as progress, closing(work), _metrics() if as_metrics else nullcontext() as metrics:
        if not as_json and metrics is None:
            out.text([_HEADINGS])
        for fields in work:
            if fields == {}:
                continue
            totals.take(fields)
            if fields is not None and metrics is not None:
                metrics.take(fields)
            elif fields is not None:
                progress.close()  # both may go to the same terminal
                if as_json:
                    out.objects([fields])
                else:
                    out.text([_line(fields)])
                out.flush()
            progress(Progress("repositories", totals.all, None))
        if metrics is not None:
            storage = {"reftable": totals.reftable, "files": totals.files}
            metrics.write(out, storage, totals.problems, time.monotonic() - start)
            out.flush()
    note(f"{totals.in_words()}; {time.monotonic() - start:.1f} s")
    if totals.errors or totals.problems:
        raise click.exceptions.Exit(ExitCode.FINDINGS)


def _looked_at(
    found: Iterator[FoundRepository | None], jobs: int | None, *, whole: bool
) -> Generator[dict[str, Any] | None]:
    """What `_fields` makes of repositories, in the order in which it is done."""
    near = [*islice(found, _NEAR)]
    few = [one for one in near if one is not None]
    if jobs is None and not whole and len(near) < _NEAR and len(few) <= _FEW:
        yield from (_fields(one, whole=False) for one in few)
        return
    if not POSIX:  # a process is no fork of this one there
        yield from (_fields(one, whole=whole) for one in chain(near, found) if one is not None)
        return
    # What this imports is needed for nothing else.
    from inspector.cli.workers import in_processes

    look = partial(_fields, whole=whole)
    yield from in_processes(look, chain(near, found), jobs or _processors(), _lost)


def _metrics() -> Metrics:
    from inspector.cli.metrics import Metrics

    return Metrics()


def _processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Totals:
    """What there was: repositories with reftables and without, those with errors and with warnings alone.

    `problems` are those, and directories, that could not be looked at; `all` what was found in all.
    """

    def __init__(self) -> None:
        self.all = self.reftable = self.files = self.errors = self.warnings = self.problems = 0

    def take(self, fields: dict[str, Any] | None) -> None:
        """Count a repository by its fields; None for one without reftables."""
        self.all += 1
        if fields is None:
            self.files += 1
        elif fields["problem"] is not None:
            self.problems += 1
        else:
            self.reftable += 1
            self.errors += fields["errors"] > 0
            self.warnings += fields["warnings"] > 0 and not fields["errors"]

    def in_words(self) -> str:
        """What was counted, in a sentence."""
        parts = [
            counted(self.reftable, "repository with reftables", "repositories with reftables"),
            f"{self.errors:,} with errors, {self.warnings:,} with warnings alone",
            f"{self.files:,} with another backend, not looked at" if self.files else "",
            counted(self.problems, "place that", "places that") + " could not be looked at"
            if self.problems
            else "",
        ]
        return "; ".join(filter(None, parts))


# One repository, in a process that does nothing else, if there are many.


def _fields(found: FoundRepository, *, whole: bool) -> dict[str, Any] | None:
    """A repository as fields of a JSON object; None for one without reftables, none for one that is gone."""
    if found.problem is not None:
        return _unknown(found, found.problem)
    try:
        repository = find_repository(found.place, git=None)
        return {"path": found.path, "problem": None, **_surveyed(repository, found.place, whole=whole)}
    except OtherBackendError as error:
        # With a stack in it, it may be one that has lost its configuration and HEAD.
        has_stack = os.path.lexists(os.path.join(found.place, "reftable", TABLES_LIST))
        return _unknown(found, str(error)) if has_stack else None
    except (ReftableError, OSError) as error:
        return _unknown(found, in_words(error)) if os.path.lexists(found.place) else {}


def _lost(found: FoundRepository, code: int) -> dict[str, Any]:
    """A repository in the middle of which the process has ended, as fields of a JSON object."""
    how = f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return _unknown(found, f"the process that looked at it was {how}" if code < 0 else f"the process {how}")


def _unknown(found: FoundRepository, problem: str) -> dict[str, Any]:
    return {"path": found.path, "problem": problem, **dict.fromkeys(_NAMES)}


def _surveyed(repository: Repository, place: str, *, whole: bool) -> dict[str, Any]:
    """All stacks of a repository together; the one in `place` if that is a stack."""
    # A stack alone is kept as git would keep it.
    options = replace(repository.stack_options(), policy="geometric")
    stacks, found = repository.stacks, list[tuple[str | None, Finding]]()
    if os.path.realpath(place) == os.fspath(repository.current.directory):
        stacks = (repository.current,)
    else:
        found += [(None, one) for one in _causes(check_repository(repository))]
    looks: list[QuickCheck] = []
    files: list[tuple[str, UnlistedFile]] = []
    for stack in stacks:
        try:
            look = quick_check(stack.directory, options)
            findings = model.diagnose(stack.directory, options, home=repository) if whole else look.findings
            found += [(stack.name, one) for one in _causes(findings)]
        except (FileNotFoundError, NotADirectoryError) as error:
            found.append((stack.name, lost_stack(error)))
            continue
        looks.append(look)
        files += [(stack.name, file) for file in look.unlisted]
    counts = Counter(one.severity for _, one in found)
    worst = min(found, key=lambda one: one[1].urgency, default=None)
    values = (
        len(stacks),
        sum(look.tables for look in looks),
        sum(look.bytes for look in looks),
        _sum(look.refs for look in looks),
        _sum(look.dead_bytes for look in looks),
        sum(len(look.suggestion) for look in looks),
        sum(look.suggestion.bytes for look in looks),
        [
            {"stack": stack, **picked(file, "name", "in_use"), "age": int(file.age)}
            for stack, file in files
            if file.kind.is_lock
        ],
        sum(file.kind.is_table for _, file in files),
        sum(file.kind is FileKind.TEMPORARY for _, file in files),
        counts[Severity.ERROR],
        counts[Severity.WARNING],
        counts[Severity.INFO],
        finding_fields(*worst) if worst is not None else None,
    )
    return dict(zip(_NAMES, values, strict=True))


def _causes(findings: Iterable[Finding]) -> list[Finding]:
    """The findings without what follows from others."""
    return [group[0] for group in by_cause(findings)]


def _sum(numbers: Iterable[int | None]) -> int | None:
    """Their sum, if all are known."""
    known = list(numbers)
    return None if None in known else sum(number or 0 for number in known)


def _line(fields: Mapping[str, Any]) -> str:
    path = safe_name(fields["path"])
    if fields["problem"] is not None:
        return _LINE.format("error", *"-------", f"{path}: {safe_message(fields['problem'])}")
    worst, ages = fields["worst"], [lock["age"] for lock in fields["locks"]]
    refs, dead = fields["refs"], fields["dead_bytes"]
    return _LINE.format(
        "ok" if worst is None else worst["severity"],
        fields["stacks"],
        fields["tables"],
        file_size(fields["bytes"]),
        "?" if refs is None else f"{refs:,}",
        "?" if dead is None else file_size(dead),
        fields["due_tables"] or "-",
        age_text(max(ages)) if ages else "-",
        path if worst is None else ": ".join([path, *_words(worst)]),
    )


def _words(worst: Mapping[str, Any]) -> Iterator[str]:
    yield worst["code"]
    if worst["stack"] not in (None, "main"):
        yield f"stack {safe_name(worst['stack'])}"
    if worst["table"]:
        yield safe_name(worst["table"])
    yield safe_message(worst["message"])
