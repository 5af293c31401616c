"""What is put into a configuration's content before it is read: variables and changes."""

from __future__ import annotations

import os
import re
from typing import Any

from leakaudit.errors import ConfigurationError

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def substituted(value: Any) -> Any:
    """The content with ``${NAME}`` in its strings replaced by environment variables.

    Raises:
        ConfigurationError: a variable is not set.
    """
    if isinstance(value, dict):
        return {key: substituted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [substituted(inner) for inner in value]
    if isinstance(value, str):
        return _VARIABLE.sub(_from_environment, value)
    return value


def _from_environment(match: re.Match[str]) -> str:
    name = match.group(1)
    if name not in os.environ:
        raise ConfigurationError(
            f"the configuration uses the environment variable {name}",
            found="it is not set",
            remedy=f"run with {name}=... in front, or write the value into the file",
        )
    return os.environ[name]


def change(content: dict[str, Any], key: str, value: Any) -> None:
    """Change one value; a number in a key counts entries of a list, from 0.

    Raises:
        ConfigurationError: nothing can stand at the key.
    """
    *path, last = key.split(".")
    place: Any = content
    for step in path:
        place = place.setdefault(step, {}) if isinstance(place, dict) else _entry(place, step, key)
    if isinstance(place, dict):
        place[last] = value
    else:
        _entry(place, last, key)
        place[int(last)] = value


def _entry(place: Any, step: str, key: str) -> Any:
    if not isinstance(place, list):
        raise ConfigurationError(
            "a dotted key leads through tables and lists",
            found=f"{key}: nothing can stand at {step!r}",
            remedy="see `leakaudit explain configuration`",
        )
    if not step.isdecimal() or int(step) >= len(place):
        raise ConfigurationError(
            f"entries of this list are numbered 0 to {len(place) - 1}",
            found=f"{step!r} in {key}",
            remedy="write the entry's number, such as attacks.0.steps=50",
        )
    return place[int(step)]
