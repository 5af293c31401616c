"""The settings of a plug-in or a configuration table, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

_TYPES = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "unset",
    "object": "table",
    "array": "list",
}
_BOUNDS = (
    ("minimum", ">="),
    ("exclusiveMinimum", ">"),
    ("maximum", "<="),
    ("exclusiveMaximum", "<"),
)

Row = tuple[str, str, str, str]


def settings(model: type[BaseModel]) -> Iterator[Row]:
    """Name, kind with range, default, and meaning of every setting."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    required = set(schema.get("required", ()))
    for name, described in schema.get("properties", {}).items():
        yield (
            name,
            kind(described, definitions),
            "required" if name in required else _value(described.get("default")),
            str(described.get("description", "")),
        )


def kind(described: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a JSON Schema allows, as a reader would say it.

    Args:
        described: schema of one value.
        definitions: what its references point to.
    """
    if "$ref" in described:
        return kind(definitions[described["$ref"].rpartition("/")[2]], definitions)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in described:
            choices = [kind(one, definitions) for one in described[several]]
            return " or ".join(dict.fromkeys(choice for choice in choices if choice != "unset"))
    if "const" in described:
        return _value(described["const"])
    if "enum" in described:
        return " or ".join(_value(value) for value in described["enum"])
    words = _TYPES.get(str(described.get("type")), "anything")
    if described.get("type") == "array" and isinstance(described.get("items"), Mapping):
        words = f"list of {kind(described['items'], definitions)}"
    bounds = [f"{sign} {_figure(described[key])}" for key, sign in _BOUNDS if key in described]
    if described.get("minItems") or described.get("minLength"):
        bounds.append("not empty")
    return f"{words} {', '.join(bounds)}".rstrip()


def _figure(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _value(value: Any) -> str:
    """As written in TOML, near enough; null is `unset`, and a table has a page of its own."""
    if isinstance(value, dict):
        return "that table's defaults"
    return "unset" if value is None else json.dumps(value, ensure_ascii=False)
