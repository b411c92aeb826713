"""Which values of doubtful refs the repository has objects for: no damage makes one id of another."""

from __future__ import annotations

from engine.repair.plan import RepairPlan

Value = tuple[bytes | None, bytes | None]
"""The object id that a ref holds, and what a tag of that id is said to point to."""


def present_values(plan: RepairPlan) -> set[Value]:
    """Those of refs that damage may have reached into. git is asked once, if the plan has a repository."""
    if plan.repository is None:
        return set()
    values: dict[Value, bytes] = {}
    inputs = [one for table in plan.tables if table.is_rewritten for one in table.inputs]
    for salvaged in [one.salvaged for one in inputs if one.salvaged is not None]:
        for name in salvaged.losses.doubtful or ():
            ref = salvaged.table.read_ref(name)
            if ref is not None and ref.value is not None:
                values[ref.value, ref.peeled] = ref.value
    found = plan.repository.objects(values.values()) if values else {}
    return {
        (value, peeled)
        for (value, peeled), oid in values.items()
        if oid in found and found[oid].type is not None and peeled in (None, found[oid].peeled)
    }
