"""Who holds what, which encoder levels run at the parties, and which skips cross."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from leakaudit.errors import UnknownNameError
from leakaudit.plugins import Use

SPLIT_U_NET = "split-u-net"
OWN = "own"
"""A network of a job that trains elsewhere: nobody here knows how it is built."""
SERVER = "server"
MOST_CHANNELS = 4096
"""No U-Net has as many; a slip of the pen beyond it would ask for terabytes of weights."""
MOST_LEVELS = 16
LONGEST_NAME = 200
"""Of whatever people name: reports print names in tables."""

CutChoice = Annotated[int, Field(strict=True, ge=0)] | Annotated[str, Field(min_length=1)]
"""A cut as people write it: by its name, or by its number: split-u-net's level."""


class PartySpec(BaseModel):
    """An institution: its name and the modalities it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    modalities: tuple[str, ...] = Field(min_length=1)
    share: PositiveFloat = Field(
        default=1.0,
        description="horizontal split: its part of the training patients, relative to the others",
    )


class MeasuredCut(BaseModel):
    """A cut between the parties and the server, as a dry run of the model measured it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    shapes: tuple[tuple[PositiveInt, ...], ...] = Field(
        description="(channels, *grid) of what each party sends, in the order of the parties"
    )


class SplitSpec(BaseModel):
    """Who holds what, which network is split, and what crosses.

    Of the reference model, Split-U-Net: level 0 is full resolution; level i is 2**i times coarser.
    The deepest level that runs at the parties always crosses; shallower ones cross where ``skips``
    says so. Any other model says itself where it is cut, and a dry run measures what crosses there;
    the levels are then the numbers of its cuts.
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
    model: Use = Field(
        default=Use(use=SPLIT_U_NET), description="the network; written as the table `[model]`"
    )
    cuts: tuple[MeasuredCut, ...] | None = Field(
        default=None,
        description="what crosses, as measured; not to be written. Unset: split-u-net's levels",
    )
    head_shape: tuple[PositiveInt, ...] | None = Field(
        default=None,
        description="(channels, *grid) of the last features, as measured where they cross; not to "
        "be written",
    )

    mixes: bool = Field(
        default=False,
        description="whether, in training, what is computed for a patient depends on others of the "
        "batch, as measured; not to be written",
    )

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
        if self.is_reference and (self.cuts or self.head_shape):
            raise ValueError("split-u-net's levels follow from channels, party_levels and skips")
        if self.orientation == "horizontal":
            if len({party.modalities for party in self.parties}) > 1:
                raise ValueError("in a horizontal split every party holds the same modalities")
            if self.labels_at != SERVER:
                raise ValueError("in a horizontal split each party sends its masks to the server")
        return self

    @property
    def crossing(self) -> tuple[int, ...]:
        """The levels whose features leave a party, shallow first; of other models, all cuts.

        Raises:
            RuntimeError: nobody measured the cuts of this model yet.
        """
        if not self.is_reference:
            if self.cuts is None:
                raise RuntimeError(f"the cuts of {self.model.use} were not measured")
            return tuple(range(len(self.cuts)))
        deepest = self.party_levels - 1
        return tuple(sorted({deepest, *(range(deepest) if self.skips is None else self.skips)}))

    def last_shape(self, space: tuple[int, ...]) -> tuple[int, ...]:
        """(channels, *grid) of the last features, which a label holder is sent."""
        return self.head_shape or (self.channels[0], *space)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels per level; of other models, of every cut, where the widest party is widest."""
        if self.cuts is None:
            return self.channels
        return tuple(max(shape[0] for shape in cut.shapes) for cut in self.cuts)

    @property
    def is_reference(self) -> bool:
        """Whether the network is Split-U-Net, whose levels follow from the settings alone."""
        return self.model.use == SPLIT_U_NET

    @property
    def network_name(self) -> str:
        """What the network is called: somebody's own by its import path."""
        if self.model.use == OWN:
            return "a network of the job's own"
        settings = self.model.settings
        return str(settings.get("network") or settings.get("function") or self.model.use)

    def cut_name(self, level: int) -> str:
        """What a level is called."""
        return f"level {level}" if self.cuts is None else self.cuts[level].name

    @property
    def every_cut(self) -> tuple[str, ...]:
        """Names by number; of split-u-net also levels that do not cross."""
        return tuple(map(self.cut_name, range(len(self.widths))))

    @property
    def cut_names(self) -> tuple[str, ...]:
        """What crosses is called, shallow first."""
        return tuple(map(self.cut_name, self.crossing))

    def numbers(self, chosen: Iterable[CutChoice] | None, whose: str) -> tuple[int, ...]:
        """The numbers of cuts that somebody chose, rising; None chose all that cross.

        Args:
            chosen: by name or number.
            whose: who names them, for the message.

        Raises:
            UnknownNameError: one does not exist, or does not cross; the nearest is suggested.
        """
        crossing = self.crossing
        known = dict(zip(self.cut_names, crossing, strict=True))
        found = set()
        for each in crossing if chosen is None else chosen:
            number = known.get(each) if isinstance(each, str) else each
            if number not in crossing:
                shown = f"level {each}" if isinstance(each, int) and self.is_reference else each
                raise UnknownNameError.of(f"cut of {whose}", str(shown), known)
            found.add(number)
        return tuple(sorted(found))

    def shape(self, level: int, space: tuple[int, ...], party: str) -> tuple[int, ...]:
        """(channels, *grid) of what a party sends of images of that size, before any defense."""
        if self.cuts is None:
            return (self.channels[level], *level_size(space, level))
        return self.cuts[level].shapes[self.party_names.index(party)]

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
