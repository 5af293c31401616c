"""A sweep: one defense with ranges for its settings, and the settings to audit it comes to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.plan.tables import DefenseStack, OwnLabel, Section, Use
from leakaudit.split.spec import LONGEST_NAME

# More are a slip of the pen: every setting is trained and attacked under every seed.
MOST_SETTINGS = 200
_RANGE_KEYS = frozenset({"from", "to", "steps", "spacing"})
_LIST_KEYS = frozenset({"values"})


class Range(Section):
    """Values of one number, from the weakest to the strongest."""

    start: float = Field(alias="from", allow_inf_nan=False, description="the weakest")
    to: float = Field(allow_inf_nan=False, description="the strongest")
    steps: int = Field(ge=2, le=MOST_SETTINGS, description="how many values, both ends included")
    spacing: Literal["even", "log"] = Field(
        default="even", description="log: each value is the same multiple of the one before"
    )

    def values(self, *, whole: bool) -> tuple[float | int, ...]:
        """The values, to four digits: labels and cells are named by them.

        Args:
            whole: both ends were written as whole numbers, so that all values are.

        Raises:
            ConfigurationError: the ends are alike, or the spacing does not fit them.
        """
        written = f"from = {self.start:g}, to = {self.to:g}, steps = {self.steps}"
        if self.start == self.to:
            raise ConfigurationError(
                "a range runs between two different values",
                found=written,
                remedy="for a single value, write it without a range",
            )
        shares = [step / (self.steps - 1) for step in range(self.steps)]
        if self.spacing == "log":
            if min(self.start, self.to) <= 0:
                raise ConfigurationError(
                    "a range with spacing = log lies above 0",
                    found=written,
                    remedy="start a little above 0, or leave `spacing` out",
                )
            ratio = math.log(self.to / self.start)
            exact = [self.start * math.exp(share * ratio) for share in shares]
        else:
            exact = [self.start + share * (self.to - self.start) for share in shares]
        values = [round(value) if whole else float(f"{value:.4g}") for value in exact]
        if len(set(values)) < self.steps:
            raise ConfigurationError(
                "a range has as many different values as steps",
                found=f"{written}: {len(set(values))} different values",
                remedy="ask for fewer steps, or write 1.0 for 1 where fractions are meant"
                if whole
                else "ask for fewer steps",
            )
        return tuple(values)


class Sweep(Use):
    """One defense with ranges for its settings.

    A setting written as ``{ from = 0.1, to = 4.0, steps = 5 }`` or ``{ values = [...] }`` is swept,
    from the weakest value to the strongest; any other is passed on as it is. Several swept settings
    are combined, each value with each.
    """

    label: OwnLabel = ""
    search: Literal["grid", "least"] = Field(
        default="grid",
        description="grid: every strength; least: the weakest that meets the targets, by bisection",
    )
    before: tuple[Use, ...] = Field(default=(), description="defenses a message passes first")
    after: tuple[Use, ...] = Field(default=(), description="defenses a message passes later")

    @property
    def title(self) -> str:
        """Its label, or its name."""
        return self.label or self.use

    @property
    def swept(self) -> dict[str, tuple[Any, ...]]:
        """The swept settings and their values, in the order of the file."""
        found = {}
        for name, written in self.settings.items():
            if not isinstance(written, Mapping):
                continue
            keys = set(written)
            if keys <= _LIST_KEYS and keys:
                found[name] = _listed(name, written["values"])
            elif "from" in keys and {"to", "steps"} & keys:
                _check_range_keys(name, keys)
                whole = all(_whole(written.get(end)) for end in ("from", "to"))
                found[name] = Range.model_validate(written).values(whole=whole)
        return found

    @property
    def stacks(self) -> tuple[DefenseStack, ...]:
        """The settings it comes to, weakest first."""
        swept = self.swept
        return tuple(
            self._stack(dict(zip(swept, values, strict=True)))
            for values in itertools.product(*swept.values())
        )

    def _stack(self, chosen: dict[str, Any]) -> DefenseStack:
        if len(chosen) == 1:
            told = _told(next(iter(chosen.values())))
        else:
            told = " ".join(f"{name} {_told(value)}" for name, value in chosen.items())
        if len(label := f"{self.title} {told}") > LONGEST_NAME:
            raise ConfigurationError(
                f"a sweep's label and what it sweeps have at most {LONGEST_NAME} characters",
                found=f"{len(label)}: {label[:60]}...",
                remedy="give the sweep a shorter `label`, or sweep fewer settings at once",
            )
        use = Use.model_validate({"use": self.use, **self.settings, **chosen})
        return DefenseStack(label=label, stack=(*self.before, use, *self.after))

    @model_validator(mode="after")
    def _sweeps_something(self) -> Self:
        swept = self.swept
        if not swept:
            raise ConfigurationError(
                "a sweep gives at least one setting a range",
                found=f"{self.use} with {', '.join(self.settings) or 'no settings'}",
                remedy="write SETTING = { from = ..., to = ..., steps = ... } or "
                "{ values = [...] }, or move it to [[defenses]]",
            )
        count = math.prod(len(values) for values in swept.values())
        if count > MOST_SETTINGS:
            raise ConfigurationError(
                f"a sweep comes to at most {MOST_SETTINGS} settings",
                found=f"{self.title}: {count}",
                remedy="ask for fewer steps, or search = 'least'",
            )
        return self


def _check_range_keys(name: str, keys: set[str]) -> None:
    unknown = sorted(keys - _RANGE_KEYS)
    if unknown:
        raise UnknownNameError.of(f"key of the range of {name}", unknown[0], _RANGE_KEYS)


def _listed(name: str, values: Any) -> tuple[Any, ...]:
    if not isinstance(values, list | tuple) or not values:
        raise ConfigurationError(
            "`values` of a sweep is a list with at least one entry",
            found=f"{name}: {values!r}",
            remedy="write { values = [0.2, 0.5, 0.8] }",
        )
    if any(isinstance(value, float) and math.isnan(value) for value in values):
        raise ConfigurationError(
            "`values` of a sweep are numbers, and nan is none",
            found=f"{name}: {values!r}",
            remedy="take nan out",
        )
    if len({isinstance(value, bool) for value in values}) > 1:
        raise ConfigurationError(
            "`values` of a sweep are all of one kind",
            found=f"{name}: {values!r}",
            remedy="write numbers, or true and false, not both",
        )
    told = [_told(value) for value in values]
    if len(set(told)) < len(told):
        raise ConfigurationError(
            "`values` of a sweep are all different",
            found=f"{name}: {', '.join(told)}",
            remedy="name each once",
        )
    return tuple(values)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _told(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "+".join(_told(each) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
