"""Re-identification: find the person behind a feature map."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Generator, Tensor

from leakaudit.threat.attack import Attack, Checkpoint, Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Target, View

from ._conditioning import by_patient
from ._descriptors import Whitening, between_patients, describe, likeness
from ._effort import Effort, fewer_patients, scaled
from ._releases import Releases, gather

_SHRINKAGES = (0.05, 0.3, 1.0)
_FOLDS = 3


class ReIdentification(Attack):
    """Rank candidates by how alike their features are to those that were sent.

    Knows: messages of the victim; query access, through the defense; one image of every candidate,
    of another slice or study than the one attacked; auxiliary patients with several samples each.
    Differs: the paper trains a Siamese network on pairs of images; here messages are compared,
    after a closed-form map, learned on auxiliary patients, that ignores what differs within one.
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
                guesses[target] = _guess(known.only(target.levels), view.auxiliary_patients, rng)
        return guesses


def _guess(known: Releases, patients: Tensor, rng: Generator) -> Guess:
    learnt, people = describe(known.draws[0]), len(torch.unique(patients))
    fewer = tuple(
        Checkpoint(count, _scores(known, learnt[rows], patients[rows], rng))
        for count, rows in fewer_patients(patients, rng)
    )
    values = _scores(known, learnt, patients, rng)
    return Guess(values, effort=people, fewer=fewer, learnt_from=people)


def _scores(known: Releases, learnt: Tensor, patients: Tensor, rng: Generator) -> Tensor:
    shrinkage = _best_shrinkage(learnt, patients, rng)
    embed = _embedding(learnt, patients, shrinkage)
    scores = likeness(embed(describe(known.received)), embed(describe(known.others)))
    return (0.5 + 0.5 * scores).clamp(0, 1).float()


def _embedding(vectors: Tensor, patients: Tensor, shrinkage: float) -> Callable[[Tensor], Tensor]:
    whiten = Whitening.fit(vectors)
    apart = between_patients(whiten(vectors), patients, shrinkage)
    return lambda some: whiten(some) @ apart


def _best_shrinkage(vectors: Tensor, patients: Tensor, rng: Generator) -> float:
    """The one under which unseen auxiliary patients find themselves most often."""
    folds = by_patient(patients, _FOLDS, rng)
    if len(folds) < 2:
        return _SHRINKAGES[-1]
    right = dict.fromkeys(_SHRINKAGES, 0)
    for fold in folds:
        rest = torch.ones(len(vectors), dtype=torch.bool)
        rest[fold] = False
        for shrinkage in _SHRINKAGES:
            embed = _embedding(vectors[rest], patients[rest], shrinkage)
            alike = likeness(embed(vectors[fold]), embed(vectors[fold]))
            alike.fill_diagonal_(-2)
            nearest = patients[fold][alike.argmax(1)]
            right[shrinkage] += int((nearest == patients[fold]).sum())
    return max(_SHRINKAGES, key=lambda each: right[each])
