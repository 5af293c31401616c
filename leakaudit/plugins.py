"""Plug-ins: how attacks, defenses, cohorts, metrics and reports are found and built.

A plug-in is a frozen pydantic model whose fields are its settings. It is registered by name in an
entry-point group, the same way for those that ship here and for a stranger's package.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from leakaudit.errors import ConfigurationError, UnknownNameError

ModelT = TypeVar("ModelT", bound=BaseModel)

# What :func:`validated` calls the file as a whole; its tables have pages of their own.
CONFIGURATION = "configuration"

# A table that lacks a field is not printed whole.
_LONGEST_VALUE = 200


class Kind(StrEnum):
    """The entry-point groups; the value is the group's name."""

    ATTACK = "leakaudit.attacks"
    DEFENSE = "leakaudit.defenses"
    COHORT = "leakaudit.cohorts"
    METRIC = "leakaudit.metrics"
    MODEL = "leakaudit.models"
    REPORT = "leakaudit.reports"

    @property
    def noun(self) -> str:
        """The singular word for messages."""
        return self.name.lower()


class Settings(BaseModel):
    """A frozen table of settings; some of them may still be written by a former name.

    Attributes:
        former_names: former name to the name of the setting.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    former_names: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or not set(given) & set(cls.former_names):
            return given
        renamed = {cls.former_names.get(key, key): value for key, value in given.items()}
        if len(renamed) < len(given):
            twice = next(f"`{old}` and `{new}`" for old, new in cls.former_names.items()
                         if old in given and new in given)  # fmt: skip
            raise ValueError(f"{twice} are one setting: write one of them")
        return renamed


class Plugin(Settings):
    """Base of everything that can be plugged in: its fields are its validated settings."""

    moved: ClassVar[Mapping[str, str]] = {}
    """Settings that it once had, each with what to do instead."""

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(cls) or "").partition("\n")[0]


class Use(BaseModel):
    """A plug-in by name; every other key is one of its settings."""

    model_config = ConfigDict(frozen=True, extra="allow")

    use: str = Field(description="registered name")

    @property
    def settings(self) -> dict[str, Any]:
        """What is passed to the plug-in."""
        return dict(self.model_extra or {})


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
    former = model.former_names if issubclass(model, Settings) else {}
    unknown = [key for key in settings if key not in model.model_fields and key not in former]
    if issubclass(model, Plugin) and (old := [key for key in unknown if key in model.moved]):
        raise ConfigurationError(
            f"{what} has no such setting any more",
            found=", ".join(f"{key} = {settings[key]!r}" for key in old)[:_LONGEST_VALUE],
            remedy=model.moved[old[0]],
        )
    if unknown and model.model_config.get("extra") == "forbid":
        raise UnknownNameError.of(f"setting of {what}", unknown[0], model.model_fields)
    try:
        return model.model_validate(dict(settings))
    except ValidationError as problem:
        complaints = problem.errors()
        # A name that does not exist explains the one that is missing.
        first = next((c for c in complaints if c["type"] == "extra_forbidden"), complaints[0])
        *path, last = first["loc"] or ("",)
        table = _model_at(model, path)
        if first["type"] == "extra_forbidden" and table is not None:
            raise UnknownNameError.of(
                f"setting of {'.'.join(map(str, path))}", str(last), table.model_fields
            ) from None
        place = _place(model, first["loc"])
        where = f"{'.'.join(map(str, place))}: " if place else ""
        # The branches of a union complain one by one.
        rules = dict.fromkeys(_rule(c) for c in complaints if _place(model, c["loc"]) == place)
        rule = " or ".join(rules).replace(" or Input should be ", " or ")
        # What a table as a whole breaks, its rule already names; the table itself is long.
        whole = isinstance(first["input"], Mapping)
        raise ConfigurationError(
            f"{what}: {where}{rule}",
            found=None if whole else repr(first["input"])[:_LONGEST_VALUE],
            remedy=f"see `leakaudit explain {_page(model, place, what)}`",
        ) from None


def _place(model: type[BaseModel], loc: Sequence[int | str]) -> tuple[int | str, ...]:
    """Where a complaint points to in the file: without pydantic's names for branches of a union."""
    place: list[int | str] = []
    table: type[BaseModel] | None = model
    free = False  # below a setting that only its plug-in knows
    for step in loc:
        if isinstance(step, int) or free:
            place.append(step)
        elif table is not None and step in table.model_fields:
            place.append(step)
            table = _model_in(table.model_fields[step].annotation)
        elif table is not None and table.model_config.get("extra") == "allow":
            place.append(step)
            free = True
    return tuple(place)


def _rule(complaint: Any) -> str:
    """What must hold; a model's own check is a sentence already."""
    return str(complaint["msg"]).removeprefix("Value error, ")


def _page(model: type[BaseModel], place: Sequence[int | str], what: str) -> str:
    """The name under which `leakaudit explain` has more: a table's, or the plug-in's own."""
    if what == CONFIGURATION and place:
        field = model.model_fields.get(str(place[0]))
        if field is not None and _model_in(field.annotation) is not None:
            return str(place[0])
    return what.rsplit(maxsplit=1)[-1]


def _model_at(model: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel] | None:
    """The table that a path of keys and list positions leads to; None where it leads nowhere."""
    for step in path:
        if isinstance(step, str):
            field = model.model_fields.get(step)
            found = None if field is None else _model_in(field.annotation)
            if found is None:
                return None
            model = found
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in a type such as `tuple[Model, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in inner if model is not None), None)
