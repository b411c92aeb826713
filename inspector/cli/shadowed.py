"""What to say when `engine` is not the one of this program. Imports neither it nor anything else of ours."""

from __future__ import annotations

import os
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_OURS: Final = "reftable-inspector"
_INSTEAD: Final = (
    f"an environment of its own keeps them apart: pipx install {_OURS}, or uv tool install {_OURS}"
)


def shadowed() -> str | None:
    """Which `engine` is in the place of ours, and what to do; None if it is not that."""
    spec = find_spec("engine")
    if spec is None:
        return f"the package `engine` of {_OURS} is missing: install {_OURS} anew"
    found = Path(spec.origin or next(iter(spec.submodule_search_locations or ()), ""))
    ours = Path(__file__).resolve().parents[2] / "engine"
    owners = [name for name in packages_distributions().get("engine", ()) if name != _OURS]
    is_elsewhere = ours not in found.resolve().parents
    if not is_elsewhere and not owners:
        return None
    owner = f"it belongs to {' and '.join(sorted(owners))}" if owners else "no installed package owns it"
    where = os.environ.get("PYTHONPATH")
    hint = f" (PYTHONPATH is {where!r})" if where and is_elsewhere else ""
    which = f"the module `engine` that Python finds, {str(found)!r}, is not that of {_OURS}"
    return f"{which}; {owner}{hint}; {_INSTEAD}"
