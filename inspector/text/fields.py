"""Attributes as fields of the JSON objects of which a verb prints few."""

from __future__ import annotations

from typing import Any

from engine.format import RefRecord
from inspector.text.safe import json_text


def picked(thing: object, *names: str, **renamed: str) -> dict[str, Any]:
    """These attributes of something, as fields of a JSON object; then those with another name there."""
    fields = {name: name for name in names} | renamed
    return {field: getattr(thing, name) for field, name in fields.items()}


def value_fields(record: RefRecord) -> dict[str, Any]:
    """What a ref record holds, as fields of a JSON object of which there are few."""
    return {
        "update_index": record.update_index,
        "type": record.type,
        "value": record.value.hex() if record.value is not None else None,
        "peeled": record.peeled.hex() if record.peeled is not None else None,
        "target": json_text(record.target) if record.target is not None else None,
    }
