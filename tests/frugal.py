"""Any registered attack at settings that cost next to nothing: for what is said, not how well."""

from __future__ import annotations

from typing import Any

from leakaudit import plugins
from leakaudit.plugins import Kind

_FEW = {"channels": 4, "copies": 0, "draws": 1, "batch_size": 4, "releases": 2}


def frugal(name: str, **changes: Any) -> dict[str, Any]:
    """Settings of an attack: two steps of everything that counts steps, and little width."""
    fields = plugins.load(Kind.ATTACK, name).model_fields
    steps = {field: 2 for field in fields if field.endswith("steps")}
    few = {field: value for field, value in _FEW.items() if field in fields}
    return steps | few | changes
