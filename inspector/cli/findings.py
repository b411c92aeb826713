"""Findings as the verbs tell them that check one repository or many."""

from __future__ import annotations

from typing import Any

from engine.errors import in_words
from engine.fsck import FAULTS, Finding
from inspector.text import picked


def lost_stack(error: OSError) -> Finding:
    """That the directory of a stack is not there."""
    return Finding(FAULTS["stack-lost"], "", None, in_words(error))


def finding_fields(stack: str | None, finding: Finding) -> dict[str, Any]:
    """A finding as the fields of a JSON object, with the name of its stack."""
    fields = picked(finding, "severity", "code", table="file", offset="offset", message="message")
    fields |= picked(finding, fix="fixes", git="git")
    fields |= {"meaning": finding.fault.meaning, "stack": stack, "at_stake": finding.at_stake}
    cause = finding.cause
    return {**fields, "cause": cause and picked(cause, "code", table="file", offset="offset")}
