"""The claim of noise on messages: what is composed, for whom, and what stays open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.claim import Claim, Exposure, Noise
from leakaudit.exchange.message import Direction
from leakaudit.split.spec import SplitSpec

from ._message_guard import MessageDefense

Neighbouring = Literal["replace", "zero-out"]

_RELATION = {
    "replace": "replace: one patient's data exchanged for any other data",
    "zero-out": "zero-out: one patient's messages exchanged for blank ones",
}


def sensitivity(neighbouring: Neighbouring) -> float:
    """How far two clipped messages can be apart, in units of the clipping norm."""
    return 2.0 if neighbouring == "replace" else 1.0


@dataclass(frozen=True)
class Releases:
    """How often something of one patient is released: every message of every sample, each epoch.

    Attributes:
        epochs: passes over the training patients.
        samples: samples of the patient with the most.
        levels: levels that cross.
        parties: senders (receivers) per sample; 1 in a horizontal split.
        directions: 2 where activations and gradients are both noised.
    """

    epochs: int
    samples: int
    levels: int
    parties: int
    directions: int

    @classmethod
    def of(cls, defense: MessageDefense, exposure: Exposure, split: SplitSpec) -> Self | None:
        """What a claim has to compose; None where a cut is bare and no claim can be made."""
        if bare_cuts(defense, split):
            return None
        return cls(
            epochs=exposure.epochs,
            samples=exposure.samples_per_patient,
            levels=len(split.crossing),
            parties=len(acting_parties(defense, split)) if split.orientation == "vertical" else 1,
            directions=defense.directions,
        )

    @property
    def total(self) -> int:
        """The number of releases."""
        return self.epochs * self.samples * self.levels * self.parties * self.directions

    def in_words(self) -> str:
        """The product, for the report."""
        factors = (
            (self.epochs, "epochs"),
            (self.samples, "samples per patient"),
            (self.levels, "cuts"),
            (self.parties, "parties"),
            (self.directions, "directions"),
        )
        product = " x ".join(f"{number} {noun}" for number, noun in factors if number > 1) or "1"
        return f"{product} = {self.total} releases, each certain (no gain from subsampling)"


def bare_cuts(defense: MessageDefense, split: SplitSpec) -> tuple[str, ...]:
    """The cuts it does not act on, by name."""
    crossing = split.crossing
    return tuple(split.cut_name(each) for each in crossing if not defense.acts_on(each, split))


def acting_parties(defense: MessageDefense, split: SplitSpec) -> tuple[str, ...]:
    """The parties it acts at, in the order of the split."""
    return tuple(name for name in split.party_names if defense.acts_at(name))


def required_releases(defense: MessageDefense, exposure: Exposure, split: SplitSpec) -> Releases:
    """What calibration has to compose.

    Raises:
        ConfigurationError: a cut is bare, so that no epsilon can be promised.
    """
    releases = Releases.of(defense, exposure, split)
    if releases is None:
        raise ConfigurationError(
            "a target_epsilon needs noise on every cut",
            found=f"no noise on {', '.join(bare_cuts(defense, split))}",
            remedy="leave `cuts` out, or send nothing there (skip-withholding)",
        )
    return releases


def message_claim(
    defense: MessageDefense,
    split: SplitSpec,
    *,
    mechanism: str,
    kind: Literal["gaussian", "laplace"],
    neighbouring: Neighbouring,
    epsilon: float,
    delta: float,
    composition: str,
    accountant: str,
) -> Claim:
    """The claim in the words that fit the direction.

    Args:
        defense: what makes it.
        split: the split, reshaped.
        mechanism: such as ``Gaussian mechanism``, with its settings.
        kind: distribution of the noise.
        neighbouring: relation between neighbouring data.
        epsilon: total privacy loss.
        delta: failure probability; 0 for pure differential privacy.
        composition: what was composed, in words with figures.
        accountant: what did the composing.
    """
    return Claim(
        mechanism=mechanism,
        epsilon=epsilon,
        delta=delta,
        unit=_unit(defense, split),
        neighbouring=_RELATION[neighbouring],
        composition=composition,
        accountant=accountant,
        trust_model=_TRUST[defense.direction],
        not_covered=_not_covered(defense, split),
        noise=Noise(
            kind=kind,
            replaced=neighbouring == "replace",
            directions=_DIRECTIONS[defense.direction],
            parties=acting_parties(defense, split),
        ),
    )


_DIRECTIONS = {
    "forward": (Direction.ACTIVATION,),
    "backward": (Direction.GRADIENT,),
    "both": (Direction.ACTIVATION, Direction.GRADIENT),
}

_TRUST = {
    "forward": "each party clips and adds the noise before sending; no receiver is trusted",
    "backward": "the server clips and adds the noise before gradients leave it, and is trusted; "
    "the parties are not",
    "both": "each sender clips and adds the noise before sending; for masks the server is trusted, "
    "for images no receiver is",
}


def _unit(defense: MessageDefense, split: SplitSpec) -> str:
    where = ", ".join(acting_parties(defense, split))
    return {
        "forward": f"one training patient: the patient's images held at {where}, through the "
        "activations computed from them",
        "backward": "one training patient: the patient's mask and features of other parties, "
        f"through the gradients computed from them and sent to {where}",
        "both": f"one training patient: the patient's images held at {where} and mask, through the "
        "activations and gradients computed from them",
    }[defense.direction]


def _not_covered(defense: MessageDefense, split: SplitSpec) -> str:
    open_ends = [
        "what the networks learned from this patient and show in other patients' messages or in "
        "their weights",
        "messages sent after training, for validation or in use",
    ]
    if defense.direction == "forward":
        open_ends.append("masks, and the gradients that carry them")
    if defense.direction == "backward":
        open_ends.append("the activations, which are sent as they are")
    if split.orientation == "horizontal":
        open_ends.append(
            "the encoder updates that cross every round, computed from the images as they are"
        )
    if split.label_holder is not None:
        open_ends.append(
            f"what {split.label_holder} exchanges with the server at the last layers: no defense "
            "stands there"
        )
    open_ends.append(
        "anyone who knows the generator's seed: in use, noise must come from a secret source"
    )
    return "; ".join(open_ends)
