"""What a line of each verb with --json holds: the JSON Schema beside this file, and parts of it."""

from __future__ import annotations

import json
import re
from pkgutil import get_data
from typing import Any

_REFERENCE = re.compile('"#/\\$defs/([^"]+)"')


def whole_schema() -> dict[str, Any]:
    """The document: `$defs` has each verb by its name, and what they have in common."""
    made: dict[str, Any] = json.loads(get_data("inspector.cli", "schema.json") or b"")
    return made


def verb_schema(verb: str) -> dict[str, Any]:
    """A schema for the lines of one verb, with no more than it refers to."""
    whole = whole_schema()
    definitions = whole.pop("$defs")
    needed = [verb]
    for name in needed:  # it grows
        found = _REFERENCE.findall(json.dumps(definitions[name]))
        needed += [one for one in dict.fromkeys(found) if one not in needed]
    whole |= {"title": f"A line of reftable-inspector {verb} --json", "$ref": f"#/$defs/{verb}"}
    return {**whole, "$defs": {name: definitions[name] for name in needed}}


def verb_schema_text(verb: str) -> str:
    """The schema of one verb as text."""
    return json.dumps(verb_schema(verb), indent=2)
