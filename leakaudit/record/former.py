"""Records of schema 1.x as 2.0 puts it: their levels by the names of the cuts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Name = Callable[[Any], str]

_OF_CUTS = ("findings", "controls", "verdicts", "presence")
_HIJACKING = "feature-hijacking"


def upgraded(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a 1.x record, named as 2.0 names it; what is no record is left as it is.

    Args:
        raw: as parsed; not changed.
    """
    split = raw.get("split")
    if not isinstance(split, Mapping):
        return dict(raw)
    name = _namer(split)
    content = {**raw, "split": _split(split, raw.get("cohort"), name)}
    for key in _OF_CUTS:
        content |= {key: [_plural(each, name) for each in _tables(raw, key)]} if key in raw else {}
    if "dependence" in raw:
        content["dependence"] = [_singular(each, name) for each in _tables(raw, "dependence")]
    if "costs" in raw:
        content["costs"] = [_cost(each, name) for each in _tables(raw, "costs")]
    if "pictures" in raw:
        content["pictures"] = [_picture(each, split) for each in _tables(raw, "pictures")]
    if "defenses" in raw:
        content["defenses"] = [
            {**each, "stack": [_plural(use, name) for use in _tables(each, "stack")]}
            if isinstance(each, Mapping) and isinstance(each.get("stack"), list)
            else each
            for each in _tables(raw, "defenses")
        ]
    if "attacks" in raw:
        content["attacks"] = [_hijacking(each, name) for each in _tables(raw, "attacks")]
    return content


def upgraded_baseline(raw: Any) -> Any:
    """The content of a baseline; one of schema 1.0 does not say what its split calls the levels."""
    if not isinstance(raw, Mapping) or raw.get("schema_version") != "1.0":
        return raw
    name = _namer({})
    content = dict(raw)
    for key, upgrade in (("findings", _plural), ("attacks", _hijacking)):
        if key in raw:
            content[key] = [upgrade(each, name) for each in _tables(raw, key)]
    return content


def _namer(split: Mapping[str, Any]) -> Name:
    cuts = split.get("cuts") or ()

    def name(number: Any) -> str:
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise TypeError(number)
        return str(cuts[number]["name"]) if cuts else f"level {number}"

    return name


def _tables(table: Mapping[str, Any], key: str) -> list[Any]:
    found = table[key]
    return found if isinstance(found, list) else [found]


def _plural(part: Any, name: Name) -> Any:
    """`levels` as `cuts`; a damaged part stays, and the schema says what is wrong with it."""
    if not isinstance(part, Mapping) or "levels" not in part:
        return part
    rest = {key: value for key, value in part.items() if key != "levels"}
    levels = part["levels"]
    try:
        return {**rest, "cuts": None if levels is None else [name(each) for each in levels]}
    except (TypeError, LookupError):
        return part


def _singular(part: Any, name: Name) -> Any:
    if not isinstance(part, Mapping) or "level" not in part:
        return part
    rest = {key: value for key, value in part.items() if key != "level"}
    try:
        return {**rest, "cut": name(part["level"])}
    except (TypeError, LookupError):
        return part


def _hijacking(attack: Any, name: Name) -> Any:
    """The one attack that had a setting `levels`."""
    if not isinstance(attack, Mapping) or attack.get("name") != _HIJACKING:
        return attack
    return {**attack, "settings": _plural(attack.get("settings"), name)}


def _cost(cost: Any, name: Name) -> Any:
    if not isinstance(cost, Mapping) or not isinstance(cost.get("routes"), list):
        return cost
    return {**cost, "routes": [_route(each, name) for each in cost["routes"]]}


def _route(route: Any, name: Name) -> Any:
    if isinstance(route, Mapping) and route.get("cut") == "head":
        return {key: value for key, value in route.items() if key != "level"}
    return _singular(route, name)


def _picture(picture: Any, split: Mapping[str, Any]) -> Any:
    if not isinstance(picture, Mapping) or not isinstance(picture.get("column"), str):
        return picture
    column, cuts = picture["column"], split.get("cuts") or ()
    kind, _, number = column.partition(" ")
    if column == "all levels":
        column = "all cuts"
    elif kind == "level" and number.isdecimal() and int(number) < len(cuts):
        column = f"cut {cuts[int(number)]['name']}"
    return {**picture, "column": column}


def _split(split: Mapping[str, Any], cohort: Any, name: Name) -> dict[str, Any]:
    """What crosses is listed for every model; split-u-net's shapes follow from its levels."""
    content = {key: value for key, value in split.items() if key != "skips"}
    if split.get("cuts"):
        return content
    try:
        parties = [party["name"] for party in split["parties"]]
        content["cuts"] = [
            {
                "name": name(level),
                "shapes": {
                    party: [split["channels"][level], *(side >> level for side in cohort["space"])]
                    for party in parties
                },
            }
            for level in split["skips"]
        ]
    except (TypeError, LookupError):
        return dict(split)
    return content
