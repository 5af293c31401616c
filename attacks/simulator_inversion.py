"""Simulator inversion: train encoders that send like the victims', then a decoder on those."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Generator

from leakaudit.threat.attack import Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Target, View

from .parts.decoder import Decoder
from .parts.decoder_attack import DecoderAttack
from .parts.decoding import decode_all
from .parts.effort import scaled
from .parts.training import TrainingSet
from .simulation.simulators import SimulatorBudget, Simulators


class SimulatorInversion(DecoderAttack):
    """Train one's own encoders against the victims' server, and a decoder on what they send.

    Knows: messages of the victims; the server's own weights; images and masks of auxiliary
    patients. No query to any party. Where the encoders' design is not granted either, another
    design of the same shapes is used.
    Differs: besides the critic of the paper, typical message and covariances are matched, which
    holds where victims are few; the whole training runs against the last recorded server rather
    than beside the victims' training; where a defense is random, the last release is foretold from
    all earlier ones, which leaves fresh noise out. The effort curve is that of the decoder.
    Source: Gao, Zhang, "PCAT", USENIX Security 2023; Zhu et al., "Passive inference attacks on
    split learning via adversarial regularization" (SDAR), NDSS 2025.
    """

    needs = (
        Knowledge.ACTIVATIONS
        | Knowledge.SERVER_WEIGHTS
        | Knowledge.AUXILIARY_IMAGES
        | Knowledge.AUXILIARY_LABELS
    )
    asset = "images"
    criterion = "singling out"
    family = "decoder"
    source = "Zhu et al. 2025"

    simulator_steps: PositiveInt = Field(
        default=200, le=1_000_000, description="optimiser steps of the simulators"
    )
    simulator_learning_rate: PositiveFloat = Field(
        default=5e-3, le=1.0, description="highest step size of the simulators"
    )
    moments: NonNegativeFloat = Field(
        default=1.0, le=1e3, description="weight of means and covariances that differ"
    )
    adversarial: NonNegativeFloat = Field(
        default=0.2, le=1e3, description="weight of the critic's verdict"
    )
    draws: PositiveInt = Field(
        default=4, le=64, description="redraws of a random defense on auxiliary images"
    )

    def guess(self, view: View, rng: Generator) -> Guesses:
        """Simulators of all victims are trained together, once; then one decoder per target."""
        simulators = Simulators(
            view,
            SimulatorBudget(
                steps=scaled(self.simulator_steps, self.effort),
                batch_size=self.batch_size,
                learning_rate=self.simulator_learning_rate,
                moments=self.moments,
                adversarial=self.adversarial,
                draws=self.draws,
            ),
            rng,
        )
        budget = self.budget
        guesses: dict[Target, Guess] = {}
        network: Decoder | None = None
        for victim in dict.fromkeys(target.victim for target in view.targets):
            known = simulators.releases(victim)
            images = view.auxiliary_images(victim)
            data = TrainingSet(known, images, view.auxiliary_patients)
            targets = [target for target in view.targets if target.victim == victim]
            tasks = [target.levels for target in targets]
            found, network = decode_all(data, tasks, budget, rng, network)
            guesses.update(zip(targets, found, strict=True))
        return guesses
