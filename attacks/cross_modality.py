"""Cross-modality: what gradients tell a party of another's images beyond its own images."""

from __future__ import annotations

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Generator

from leakaudit.threat.attack import Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Target, View

from .masks.of_own_patients import masks_of_own
from .parts.beyond_own_images import Clues, be_a_party, learn_beyond_own_images
from .parts.conditioning import by_patient
from .parts.decoder_attack import DecoderAttack
from .parts.effort import scaled
from .parts.examples import Examples

_READERS = 2  # of masks: each auxiliary patient is read by one that did not learn from it
_MESSAGES = (
    "mount cross-modality-inversion, which reads another party's messages; for gradients leave "
    "the setting out"
)


class CrossModality(DecoderAttack):
    """Start from what one's own images tell of another's, and learn what gradients add.

    Knows: a party's own images of the attacked patients; auxiliary patients in all modalities with
    masks; the gradients it is sent and the server's weights. It starts as the blind baseline of its
    own images, which is what it is judged by, and leaves it only where gradients surely help on
    patients it did not learn from, and help more than those of other patients do.
    Differs: gradients enter by way of the masks read off them, not as they are: a network that saw
    simulated gradients reads real ones worse than it reads none.
    Source: conditional leakage, asked of He, Zhang, Lee, ACSAC 2019, for an adversary with another
    modality of the same patients; masks from gradients as in Zhu et al., NeurIPS 2019.
    """

    needs = (
        Knowledge.OWN_IMAGES
        | Knowledge.AUXILIARY_IMAGES
        | Knowledge.GRADIENTS
        | Knowledge.SERVER_WEIGHTS
        | Knowledge.AUXILIARY_LABELS
    )
    asset = "images"
    criterion = "inference"
    family = "decoder"
    source = "He et al. 2019; Zhu et al. 2019"
    per_level = False
    moved = dict.fromkeys(("through", "copies"), _MESSAGES)

    steps: PositiveInt = Field(default=150, le=1_000_000, description="optimiser steps per victim")
    stand_in_steps: NonNegativeInt = Field(
        default=30, le=1_000_000,
        description="optimiser steps for stand-ins of the other parties, per epoch read",
    )  # fmt: skip
    reader_steps: PositiveInt = Field(
        default=200, le=1_000_000,
        description="optimiser steps of each network that reads masks off gradients",
    )  # fmt: skip
    releases: PositiveInt = Field(
        default=3, le=10_000, description="recorded epochs that are read together"
    )

    def guess(self, view: View, rng: Generator) -> Guesses:
        """One network per target; masks are read off the gradients once for all."""
        be_a_party(view)
        patients = view.auxiliary_patients
        known, seen = masks_of_own(
            view, by_patient(patients, _READERS, rng), releases=self.releases,
            batch_size=self.batch_size, stand_in_steps=scaled(self.stand_in_steps, self.effort),
            reader_steps=scaled(self.reader_steps, self.effort), rng=rng,
        )  # fmt: skip
        own = torch.cat([view.auxiliary_images(name) for name in view.members], dim=1)

        def learnt(target: Target) -> Guess:
            asked = Examples(view.auxiliary_images(target.victim), patients, patients < 0)
            clues = Clues({0: known}, {0: seen}, own, asked)
            return learn_beyond_own_images(view, target, clues, self.budget, rng)

        return {target: learnt(target) for target in view.targets}
