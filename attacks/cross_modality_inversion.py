"""Cross-modality inversion: invert another party's messages beside one's own images."""

from __future__ import annotations

import torch
from pydantic import Field, PositiveInt
from torch import Generator

from leakaudit.threat.attack import Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Target, View

from .parts.beyond_own_images import Clues, be_a_party, learn_beyond_own_images
from .parts.decoder_attack import DecoderAttack
from .parts.examples import Examples, altered
from .parts.messages import gather


class CrossModalityInversion(DecoderAttack):
    """Start from what one's own images tell of another's, and learn what its messages add.

    Knows: a party's own images of the attacked patients; auxiliary patients in all modalities;
    another party's messages, and queries: a party that listens on the victim's link, or sides with
    the server. It starts as the blind baseline of its own images, which is what it is judged by,
    and leaves it only where messages surely help on patients it did not learn from, and help more
    than those of other patients do.
    Differs: the decoder reads the adversary's own images beside the messages; the paper's reads
    messages alone.
    Source: conditional leakage, asked of He, Zhang, Lee, ACSAC 2019, section 5, for an adversary
    with another modality of the same patients.
    """

    needs = (
        Knowledge.OWN_IMAGES
        | Knowledge.AUXILIARY_IMAGES
        | Knowledge.ACTIVATIONS
        | Knowledge.QUERIES
    )
    asset = "images"
    criterion = "inference"
    family = "decoder"
    source = "He et al. 2019"
    per_level = False

    steps: PositiveInt = Field(default=150, le=1_000_000, description="optimiser steps per victim")
    copies: int = Field(
        default=3, ge=0, le=64,
        description="altered copies of each auxiliary image, to learn from",
    )  # fmt: skip

    def guess(self, view: View, rng: Generator) -> Guesses:
        """One network per target."""
        be_a_party(view)
        return {target: self._guess(view, target, rng) for target in view.targets}

    def _guess(self, view: View, target: Target, rng: Generator) -> Guess:
        names = (*view.members, target.victim)
        every = torch.cat([view.auxiliary_images(name) for name in names], dim=1)
        # All modalities of a patient are altered alike, as they would be by another posture.
        images = torch.cat([every, *(altered(every, rng) for _ in range(self.copies))])
        theirs = view.modalities[target.victim]
        own, truth = images.split([images.shape[1] - theirs, theirs], dim=1)
        patients = view.auxiliary_patients.repeat(self.copies + 1)
        asked = Examples(truth, patients, torch.arange(len(images)) >= len(every))
        sent = gather(view, target.victim, target.levels, 1, rng, asked=asked)
        clues = Clues(sent.draws[0], sent.received, own, asked, sent.centred)
        return learn_beyond_own_images(view, target, clues, self.budget, rng)
