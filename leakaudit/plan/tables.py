"""The small tables of a configuration that others are built from."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Base of every table in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Use(BaseModel):
    """A plug-in by name; every other key is one of its settings."""

    model_config = ConfigDict(frozen=True, extra="allow")

    use: str = Field(description="registered name")

    @property
    def settings(self) -> dict[str, Any]:
        """What is passed to the plug-in."""
        return dict(self.model_extra or {})


class DefenseStack(Section):
    """One defense setting: defenses in the order a message passes them."""

    label: str = Field(min_length=1, description="what the report calls it")
    stack: tuple[Use, ...] = Field(default=(), description="in order; empty: undefended")
