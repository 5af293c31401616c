"""Re-identification: find the person behind a feature map."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Generator, Tensor

from leakaudit.threat.attack import Attack, Checkpoint, Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.picking import describe, learn, together
from leakaudit.threat.view import Target, View

from .parts.effort import Effort, fewer_patients, scaled
from .parts.messages import Messages, gather


class ReIdentification(Attack):
    """Rank candidates by how alike their features are to those that were sent.

    Knows: messages of the victim; query access, through the defense; one image of every candidate
    (which one: the adversary's `question`); auxiliary patients with several samples each.
    Differs: the paper trains a Siamese network on pairs of images; here messages are compared,
    after a closed-form map, learned on pairs of auxiliary messages, that ignores what differs
    within a patient. A patient's messages are put together where they are `linked`.
    Source: Packhäuser et al., "Deep learning-based patient re-identification", Sci Rep 2022;
    Hatch et al., "Within-class covariance normalization", Interspeech 2006.
    """

    needs = (
        Knowledge.ACTIVATIONS
        | Knowledge.QUERIES
        | Knowledge.AUXILIARY_IMAGES
        | Knowledge.CANDIDATE_IMAGES
    )
    asset = "identity"
    criterion = "linkability"
    family = "retrieval"
    source = "Packhäuser et al. 2022"

    effort: Effort = Field(default="standard", description="scales the redraws")
    draws: int = Field(
        default=4, ge=1, le=64, description="redraws of a random defense on auxiliary images"
    )

    def guess(self, view: View, rng: Generator) -> Guesses:
        """Scores (n, candidates) per target, 0 to 1: the higher, the likelier this person."""
        guesses: dict[Target, Guess] = {}
        for victim in dict.fromkeys(target.victim for target in view.targets):
            targets = [target for target in view.targets if target.victim == victim]
            levels = sorted({level for target in targets for level in target.levels})
            candidates = view.candidate_images(victim)
            known = gather(
                view, victim, levels, scaled(self.draws, self.effort), rng, others=candidates,
                centring=False,
            )  # fmt: skip
            for target in targets:
                guesses[target] = _guess(known.only(target.levels), view, rng)
        return guesses


def _guess(known: Messages, view: View, rng: Generator) -> Guess:
    learnt, patients = describe(known.draws[0]), view.auxiliary_patients
    people = len(torch.unique(patients))
    sent, others = describe(known.received), describe(known.others)

    def scores(rows: Tensor) -> Tensor:
        picker = learn({block: each[rows] for block, each in learnt.items()}, patients[rows])
        alike = picker(sent, others)
        if view.adversary.linked:
            alike = together(alike, view.patients, view.adversary.question)
        return (0.5 + 0.5 * alike).clamp(0, 1)

    fewer = tuple(Checkpoint(count, scores(rows)) for count, rows in fewer_patients(patients, rng))
    values = scores(torch.arange(len(patients)))
    return Guess(
        values, effort=people, fewer=fewer, learnt_from=people,
        epochs=known.epochs_of(tuple(known.received)),
    )  # fmt: skip
