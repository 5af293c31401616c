"""Who holds what, which encoder levels run at the parties, and which skips cross."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

SERVER = "server"
MOST_CHANNELS = 4096
"""No U-Net has as many; a slip of the pen beyond it would ask for terabytes of weights."""
MOST_LEVELS = 16


class PartySpec(BaseModel):
    """An institution: its name and the modalities it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    modalities: tuple[str, ...] = Field(min_length=1)
    share: PositiveFloat = Field(
        default=1.0,
        description="horizontal split: its part of the training patients, relative to the others",
    )


class SplitSpec(BaseModel):
    """A Split-U-Net: K encoders at the parties, one decoder at the server.

    Level 0 is full resolution; level i is 2**i times coarser. The deepest level that runs at the
    parties always crosses; shallower ones cross where ``skips`` says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parties: tuple[PartySpec, ...] = Field(min_length=1)
    dimensions: Literal[2, 3] = 2
    orientation: Literal["vertical", "horizontal"] = Field(
        default="vertical",
        description="vertical: other modalities, same patients; horizontal: the reverse",
    )
    channels: tuple[Annotated[int, Field(gt=0, le=MOST_CHANNELS)], ...] = Field(
        default=(16, 32, 64, 128),
        min_length=2,
        max_length=MOST_LEVELS,
        description="feature channels per level",
    )
    party_levels: PositiveInt = Field(default=3, description="encoder levels that run at parties")
    skips: tuple[int, ...] | None = Field(
        default=None, description="levels whose features cross; unset: all that run at parties"
    )
    labels_at: str = Field(default=SERVER, description="`server`, or the party that holds labels")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [party.name for party in self.parties]
        if len(set(names)) != len(names):
            raise ValueError(f"two parties share a name: {', '.join(names)}")
        if SERVER in names:
            raise ValueError("a party cannot be called `server`")
        if self.party_levels > len(self.channels):
            raise ValueError(
                f"party_levels is {self.party_levels}, but channels names only "
                f"{len(self.channels)} levels"
            )
        wrong = [level for level in self.skips or () if not 0 <= level < self.party_levels]
        if wrong:
            raise ValueError(f"skip {wrong[0]} is not a level that runs at the parties")
        if self.labels_at != SERVER and self.labels_at not in names:
            raise ValueError(f"labels_at names no party: {self.labels_at}; parties: {names}")
        if self.orientation == "horizontal":
            if len({party.modalities for party in self.parties}) > 1:
                raise ValueError("in a horizontal split every party holds the same modalities")
            if self.labels_at != SERVER:
                raise ValueError("in a horizontal split each party sends its masks to the server")
        return self

    @property
    def crossing(self) -> tuple[int, ...]:
        """The levels whose features leave a party, shallow first."""
        deepest = self.party_levels - 1
        return tuple(sorted({deepest, *(range(deepest) if self.skips is None else self.skips)}))

    @property
    def party_names(self) -> tuple[str, ...]:
        """In the order of the configuration."""
        return tuple(party.name for party in self.parties)

    def party(self, name: str) -> PartySpec:
        """The party of that name."""
        return next(party for party in self.parties if party.name == name)

    @property
    def label_holder(self) -> str | None:
        """The party that holds the labels; None where the server does."""
        return None if self.labels_at == SERVER else self.labels_at


def level_size(space: tuple[int, ...], level: int) -> tuple[int, ...]:
    """The spatial size of a level: halved, rounding down, once per level."""
    return tuple(side >> level for side in space)
