"""What an adversary may know, where it sits, and how it behaves. Terms follow NIST AI 100-2."""

from __future__ import annotations

from enum import Flag, StrEnum, auto
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from leakaudit.split.spec import LONGEST_NAME, SERVER


class Knowledge(Flag):
    """What an attack can need and an adversary can have. Grants are stated, never assumed."""

    ACTIVATIONS = auto()
    """Forward messages of the victim."""
    GRADIENTS = auto()
    """Backward messages for the attacked features."""
    LABELS = auto()
    """The victims' label masks."""
    OWN_IMAGES = auto()
    """The adversary's own modalities of the same patients."""
    ARCHITECTURE = auto()
    """How the victim's encoder is built."""
    QUERIES = auto()
    """Black-box access: images in, messages out, through the defense."""
    ENCODER_WEIGHTS = auto()
    """White-box access to the victim's encoder (an insider, exchanged checkpoints)."""
    SERVER_WEIGHTS = auto()
    """White-box access to the server's part and the head."""
    WEIGHT_UPDATES = auto()
    """The gradient of the victim's encoder weights."""
    AUXILIARY_IMAGES = auto()
    """Images of the adversary's own patients, in the victim's modality."""
    AUXILIARY_LABELS = auto()
    """Label masks of those patients."""
    CANDIDATE_IMAGES = auto()
    """Images of named people, in the victim's modality, who may be among the patients."""
    CANDIDATE_LABELS = auto()
    """Label masks of these people, drawn on those images."""

    @property
    def words(self) -> tuple[str, ...]:
        """The single kinds of knowledge, as written in configurations."""
        return tuple(str(kind.name).lower().replace("_", "-") for kind in self)

    @classmethod
    def parse(cls, word: str) -> Knowledge:
        """The kind written as `auxiliary-images`; KeyError where there is none."""
        return cls[word.upper().replace("-", "_")]


NOTHING = Knowledge(0)


IdentityQuestion = Literal["same image", "same scan", "another study"]
"""What of a candidate is held: the very image, other slices of the scan, or an earlier study."""


class Position(StrEnum):
    """Where the adversary sits."""

    SERVER = "server"
    PARTY = "party"
    WIRE = "wire"
    COALITION = "coalition"


class Adversary(BaseModel):
    """Who attacks, from where, with which extra grants.

    What a position sees by itself follows from the split
    (:func:`leakaudit.threat.positions.seen_from`); ``grants`` adds to it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=LONGEST_NAME, description="what the report calls it")
    position: Position
    members: tuple[str, ...] = Field(
        default=(),
        description="party: its name; wire: parties whose links are tapped; coalition: who joins",
    )
    grants: tuple[str, ...] = Field(default=(), description="knowledge beyond the position's own")
    behaviour: Literal["passive", "active"] = Field(
        default="passive",
        description="active: where it has the server, it may send back what it likes; attacks that "
        "do so get trainings of their own",
    )
    question: IdentityQuestion = Field(
        default="same scan",
        description="what it holds of the people it could name: the same image that may have been "
        "sent, another slice of the same scan, or an image of another study (an earlier scan)",
    )
    linked: bool = Field(
        default=True,
        description="whether it sees which messages are of one patient, as sample ids tell; false "
        "for a deployment that hides it",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for word in self.grants:
            try:
                Knowledge.parse(word)
            except KeyError:
                known = ", ".join((~NOTHING).words)
                raise ValueError(f"unknown grant {word!r}; known: {known}") from None
        if self.position is Position.PARTY and len(self.members) != 1:
            raise ValueError("a party adversary names exactly one member")
        if self.position is Position.COALITION and len(self.members) < 2:
            raise ValueError("a coalition names at least two members")
        return self

    @property
    def sends_back(self) -> bool:
        """Whether it decides what the parties get back: an active one that has the server."""
        server = self.position is Position.SERVER or SERVER in self.members
        return server and self.position is not Position.WIRE and self.behaviour == "active"

    @property
    def granted(self) -> Knowledge:
        """The grants as flags."""
        total = NOTHING
        for word in self.grants:
            total |= Knowledge.parse(word)
        return total


# Query access, patients of its own, and images of people who may be among the patients.
_TRAINED_ON = ("queries", "auxiliary-images", "auxiliary-labels", "candidate-images")

PRESETS: dict[str, dict[str, Any]] = {
    "curious-server": {
        "name": "curious-server",
        "position": "server",
        "grants": _TRAINED_ON,
    },
    "curious-server-with-weights": {
        "name": "curious-server-with-weights",
        "position": "server",
        "grants": (
            *_TRAINED_ON,
            "candidate-labels",
            "architecture",
            "encoder-weights",
            "weight-updates",
        ),
    },
    "curious-party": {
        "name": "curious-party",
        "position": "party",
        "grants": ("server-weights", "auxiliary-images", "auxiliary-labels"),
    },
    "wire-tap": {
        "name": "wire-tap",
        "position": "wire",
        "grants": (*_TRAINED_ON, "architecture"),
    },
    "dishonest-server": {
        "name": "dishonest-server",
        "position": "server",
        "grants": (*_TRAINED_ON, "architecture"),
        "behaviour": "active",
    },
}
"""Plain names for configurations; a party adversary still names its member."""
