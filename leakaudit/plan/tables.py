"""The small tables of a configuration that others are built from."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from leakaudit.plugins import Use
from leakaudit.split.spec import LONGEST_NAME

__all__ = ["DefenseStack", "OwnLabel", "Section", "Use"]

OwnLabel = Annotated[
    str, Field(max_length=LONGEST_NAME, description="what the report calls it; unset: its name")
]


class Section(BaseModel):
    """Base of every table in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DefenseStack(Section):
    """One defense setting: defenses in the order a message passes them."""

    label: str = Field(
        min_length=1, max_length=LONGEST_NAME, description="what the report calls it"
    )
    stack: tuple[Use, ...] = Field(default=(), description="in order; empty: undefended")
