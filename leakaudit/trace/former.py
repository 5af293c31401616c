"""A trace's description of schema 1.0 as 2.0 puts it: cuts by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def upgraded(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The content of `trace.json`; what is no description is left for the schema to refuse.

    Args:
        raw: as parsed, of any version; not changed.
    """
    routes = raw.get("routes")
    if not str(raw.get("schema_version", "")).startswith("1.") or not isinstance(routes, list):
        return raw
    split = raw.get("split")
    cuts = (split.get("cuts") if isinstance(split, Mapping) else None) or ()
    return {**raw, "routes": [_route(each, cuts) for each in routes]}


def _route(route: Any, cuts: Any) -> Any:
    if not isinstance(route, Mapping) or not isinstance(route.get("level"), int):
        return route
    rest = {key: value for key, value in route.items() if key != "level"}
    level, kind = route["level"], route.get("cut")
    if kind == "head":
        return {**rest, "number": level}
    if kind != "encoder":
        return route
    try:
        name = cuts[level]["name"] if cuts else f"level {level}"
    except (TypeError, LookupError):
        return route
    return {**rest, "cut": name, "number": level}
