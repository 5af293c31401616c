"""Plug-ins: how attacks, defenses, cohorts, metrics and reports are found and built.

A plug-in is a frozen pydantic model whose fields are its settings. It is registered by name in an
entry-point group, the same way for those that ship here and for a stranger's package.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from leakaudit.errors import ConfigurationError, UnknownNameError


ModelT = TypeVar("ModelT", bound=BaseModel)


class Kind(StrEnum):
    """The entry-point groups; the value is the group's name."""

    ATTACK = "leakaudit.attacks"
    DEFENSE = "leakaudit.defenses"
    COHORT = "leakaudit.cohorts"
    METRIC = "leakaudit.metrics"
    REPORT = "leakaudit.reports"

    @property
    def noun(self) -> str:
        """The singular word for messages."""
        return self.name.lower()


class Plugin(BaseModel):
    """Base of everything that can be plugged in: its fields are its validated settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(cls) or "").partition("\n")[0]


@cache
def entries(kind: Kind) -> Mapping[str, EntryPoint]:
    """What is registered, by name, not loaded."""
    return {entry.name: entry for entry in entry_points(group=kind.value)}


def names(kind: Kind) -> list[str]:
    """The registered names of a kind, sorted."""
    return sorted(entries(kind))


def load(kind: Kind, name: str) -> Any:
    """The class registered under a name.

    Raises:
        UnknownNameError: nothing is registered under it; the nearest name is suggested.
    """
    known = entries(kind)
    if name not in known:
        raise UnknownNameError.of(kind.noun, name, known)
    return known[name].load()


def build(kind: Kind, name: str, settings: Mapping[str, Any]) -> Any:
    """A plug-in with its settings in effect.

    Raises:
        UnknownNameError: the plug-in or one of the settings does not exist.
        ConfigurationError: a setting is out of its range.
    """
    plugin = load(kind, name)
    return validated(plugin, settings, what=f"{kind.noun} {name}")


def validated(model: type[ModelT], settings: Mapping[str, Any], *, what: str) -> ModelT:
    """Build a pydantic model; turn its complaints into one message that names the remedy."""
    unknown = [key for key in settings if key not in model.model_fields]
    if unknown and model.model_config.get("extra") == "forbid":
        raise UnknownNameError.of(f"setting of {what}", unknown[0], model.model_fields)
    try:
        return model.model_validate(dict(settings))
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or what
        raise ConfigurationError(
            f"{what}: {where}: {first['msg']}",
            found=repr(first["input"]),
            remedy=f"see `leakaudit explain {what.split()[-1]}`",
        ) from None


def source_digest(plugin: type) -> str:
    """SHA-256 of the file a plug-in is written in: a changed attack must not reuse old results."""
    return hashlib.sha256(Path(inspect.getfile(plugin)).read_bytes()).hexdigest()
