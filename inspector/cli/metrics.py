"""What a survey tells in the form of OpenMetrics, which node exporter's textfile collector reads as well.

All values of one metric have to stand together, so those of each are gathered in a file of their own: memory
does not grow with the number of repositories.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

from engine.closing import Closing
from inspector.cli.output import Output
from inspector.text import safe_name

_UNITS: Final = ("bytes", "seconds")

_OF_REPOSITORIES: Final = {
    "reftable_problem": "1 if the repository, or a directory that may hold some, could not be looked at.",
    "reftable_findings": "What is wrong with the repository, by severity.",
    "reftable_stacks": "Stacks: one, and one for each linked worktree.",
    "reftable_tables": "Tables of all stacks.",
    "reftable_size_bytes": "Size of the tables.",
    "reftable_refs": "Refs, an estimate.",
    "reftable_dead_bytes": "What compacting all tables would save, an estimate.",
    "reftable_compaction_due_tables": "Tables that are due to be merged by the options of the repository.",
    "reftable_compaction_due_bytes": "Size of the tables that are due to be merged.",
    "reftable_locks": "Locks, held or stale.",
    "reftable_oldest_lock_age_seconds": "Age of the oldest lock, 0 without one.",
    "reftable_orphans": "Table files that no list names.",
    "reftable_temporary_files": "Tables that are not finished.",
}
_OF_SURVEYS: Final = {
    "reftable_survey_repositories": "Repositories found, by where they keep their refs.",
    "reftable_survey_problems": "Repositories and directories that could not be looked at.",
    "reftable_survey_duration_seconds": "How long the survey took.",
    "reftable_survey_end_timestamp_seconds": "When the survey ended, in seconds since 1970.",
}
"""Each metric with its help; a unit is the last word of its name."""


class Metrics(Closing):
    """The metrics of one survey."""

    def __init__(self) -> None:
        self._samples: dict[str, IO[str]] = {}
        for name in _OF_REPOSITORIES:
            self._samples[name] = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115 - see close

    def take(self, fields: Mapping[str, Any]) -> None:
        """Take up a repository, given by its fields in JSON."""
        repository = f'repository="{_escaped(fields["path"])}"'
        for name, labels, value in _samples(fields):
            self._samples[name].write(f"{name}{{{repository}{labels}}} {value}\n")

    def write(self, out: Output, storage: Mapping[str, int], problems: int, seconds: float) -> None:
        """Write everything; `storage` is how many repositories keep their refs where."""
        for name, file in self._samples.items():
            out.text(_head(name, _OF_REPOSITORIES[name]))
            file.seek(0)
            for line in file:
                out.text([line.removesuffix("\n")])
        values: tuple[dict[str, float], ...] = (
            {f'{{storage="{name}"}}': number for name, number in storage.items()},
            {"": problems},
            {"": round(seconds, 3)},
            {"": round(time.time(), 3)},
        )
        for (name, text), values_of_one in zip(_OF_SURVEYS.items(), values, strict=True):
            out.text(_head(name, text))
            out.text(f"{name}{labels} {value}" for labels, value in values_of_one.items())
        out.text(["# EOF"])

    def close(self) -> None:
        """Remove the files."""
        for file in self._samples.values():
            file.close()


def _samples(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """The values of a repository: name, further labels, value. What is not known has none."""
    yield "reftable_problem", "", int(fields["problem"] is not None)
    if fields["problem"] is not None:
        return
    for severity, field in (("error", "errors"), ("warning", "warnings"), ("info", "notes")):
        yield "reftable_findings", f',severity="{severity}"', fields[field]
    named = {
        "size_bytes": "bytes",
        "compaction_due_tables": "due_tables",
        "compaction_due_bytes": "due_bytes",
        **{name: name for name in ("stacks", "tables", "refs", "dead_bytes", "orphans", "temporary_files")},
    }
    for name, field in named.items():
        if fields[field] is not None:
            yield f"reftable_{name}", "", fields[field]
    ages = [lock["age"] for lock in fields["locks"]]
    yield "reftable_locks", "", len(ages)
    yield "reftable_oldest_lock_age_seconds", "", max(ages, default=0)


def _head(name: str, text: str) -> Iterator[str]:
    yield f"# TYPE {name} gauge"
    unit = name.rpartition("_")[2]
    if unit in _UNITS:
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {text}"


def _escaped(path: str) -> str:
    """A path as the value of a label: first fit for a terminal, and in ASCII, then as OpenMetrics has it."""
    text = safe_name(path).encode("ascii", "backslashreplace").decode()
    return text.replace("\\", "\\\\").replace('"', '\\"')
