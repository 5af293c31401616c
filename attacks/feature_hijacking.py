"""Feature hijacking: a dishonest server trains the parties to send what it can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Generator

from leakaudit.errors import NotMountableError, UnknownNameError
from leakaudit.exchange.interference import Interference
from leakaudit.split.spec import CutChoice, SplitSpec
from leakaudit.threat.attack import Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Target, View

from .parts.decoder_attack import DecoderAttack
from .parts.decoding import decode
from .parts.effort import Effort, scaled
from .parts.training import TrainingSet
from .simulation.hijacking import Hijack, HijackBudget, pilot_of
from .simulation.imitation import answers_anew, imitated, last_release


class FeatureHijacking(DecoderAttack):
    """Send back gradients that train the parties' encoders towards one's own, then decode.

    Knows: how the encoders are built; auxiliary patients' images; what the parties send. It decides
    what they get back, in a training of its own: another one than the honest training that the
    other attacks and the Dice of the settings speak of. No query, no weights, no labels.
    Differs: the feature space is that of an encoder built like the party's, at all hijacked levels
    together, trained before the parties start and then held still; besides the discriminator
    (least squares), typical message and covariances are matched, so that a short training is
    enough; what is sent back is as long as the honest gradient; it passes the defenses, and the
    images are decoded through them. Encoders that are averaged are all pulled to one. The server's
    network goes on learning to segment. The effort curve is that of the decoder.
    Source: Pasquini, Ateniese, Bernaschi, "Unleashing the tiger: inference attacks on split
    learning", ACM CCS 2021, section 3 (FSHA).
    """

    needs = Knowledge.ACTIVATIONS | Knowledge.ARCHITECTURE | Knowledge.AUXILIARY_IMAGES
    asset = "images"
    criterion = "singling out"
    family = "decoder"
    source = "Pasquini et al. 2021"
    per_level = False
    behaviour = "active"

    effort: Effort = Field(
        default="standard",
        description="scales all steps and the width; the training takes as long as it does",
    )
    former_names: ClassVar[Mapping[str, str]] = {"levels": "cuts"}

    cuts: tuple[CutChoice, ...] | None = Field(
        default=None, min_length=1,
        description="cuts to hijack, by name or by number; unset: all that cross",
    )  # fmt: skip
    pilot_steps: PositiveInt = Field(
        default=200, le=1_000_000,
        description="optimiser steps of the server's autoencoder, one per party, beforehand",
    )  # fmt: skip
    pilot_learning_rate: PositiveFloat = Field(
        default=5e-3, le=1.0, description="highest step size of the autoencoder"
    )
    moments: NonNegativeFloat = Field(
        default=1.0, le=1e3, description="weight of means and covariances that differ"
    )
    adversarial: NonNegativeFloat = Field(
        default=0.05, le=1e3, description="weight of the discriminator's verdict"
    )
    strength: PositiveFloat = Field(
        default=1.0, le=1e3,
        description="length of what is sent back, in lengths of the honest gradient",
    )  # fmt: skip
    draws: PositiveInt = Field(
        default=4, le=64, description="redraws of a random defense on auxiliary images"
    )

    def check(self, split: SplitSpec) -> None:
        """Refuse a cut that does not exist."""
        split.numbers(self.cuts, "feature-hijacking")

    def interfere(self, view: View, steps: int, rng: Generator) -> Interference:
        """Train the pilots; the hijacking itself lasts as long as the training."""
        del steps
        budget = HijackBudget(
            levels=self._hijacked(view),
            pilot_steps=scaled(self.pilot_steps, self.effort),
            batch_size=self.batch_size,
            learning_rate=self.pilot_learning_rate,
            moments=self.moments,
            adversarial=self.adversarial,
            strength=self.strength,
        )
        return Hijack(view, budget, rng)

    def guess(self, view: View, rng: Generator) -> Guesses:
        """A decoder learns from what each pilot sends, and reads what its party sent."""
        kept, levels = view.kept(), self._hijacked(view)
        budget = self.budget
        guesses: dict[Target, Guess] = {}
        for target in view.targets:
            pilot = pilot_of(view, target.victim, kept, rng)
            images = view.auxiliary_images(target.victim)
            random = answers_anew(pilot, images, rng)
            received = last_release(view, target.victim, random=random)
            known = imitated(view, pilot, images, received, self.draws, rng)
            data = TrainingSet(known.only(levels), images, view.auxiliary_patients)
            guesses[target] = decode(data, budget, rng)
        return guesses

    def _hijacked(self, view: View) -> tuple[int, ...]:
        try:
            return view.split.numbers(self.cuts, "feature-hijacking")
        except UnknownNameError as problem:  # a defense withholds it
            raise NotMountableError(
                "only cuts that cross can be hijacked",
                found=f"{problem.found}; {', '.join(view.split.cut_names)} cross",
                remedy="name cuts out of these, or leave `cuts` out",
            ) from None
