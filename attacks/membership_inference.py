"""Membership inference: is one of the messages this person's?"""

from __future__ import annotations

import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor

from leakaudit.threat.attack import Attack, Checkpoint, Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Features, Target, View

from .parts.effort import Effort, fewer_patients, scaled
from .parts.messages import Messages, gather

_LEAST_DISTANCE = 1e-12
_LEAST_SPREAD = 0.05  # of the logarithm of a distance: below it, few references look alike
_MODEL = (
    "mount model-membership-inference, which asks the trained network; for messages leave the "
    "setting out"
)


class MembershipInference(Attack):
    """Tell who took part by the messages that their image would send.

    Knows: messages of the victim; query access, through the defense; an image of the person in
    question; auxiliary patients, who were surely not in training, for reference.
    Differs: no loss is needed. As in LiRA each person has a reference distribution of its own: how
    near auxiliary patients come to it; the score is how far below that the nearest message lies.
    The messages are of the very images asked about: it links an image to its own message, and
    tells nothing of what the network remembers, which model-membership-inference asks.
    Source: Carlini et al., "Membership inference attacks from first principles" (LiRA), IEEE S&P
    2022.
    """

    needs = (
        Knowledge.ACTIVATIONS
        | Knowledge.QUERIES
        | Knowledge.AUXILIARY_IMAGES
        | Knowledge.CANDIDATE_IMAGES
    )
    asset = "membership"
    criterion = "singling out"
    family = "membership"
    source = "Carlini et al. 2022"
    moved = dict.fromkeys(("through", "references", "steps", "batch_size", "learning_rate"), _MODEL)

    effort: Effort = Field(default="standard", description="scales redraws")
    draws: PositiveInt = Field(
        default=8, le=64, description="redraws of a random defense on images asked about"
    )

    def guess(self, view: View, rng: Generator) -> Guesses:
        """Scores (candidates,) per target: the higher, the likelier in training."""
        guesses: dict[Target, Guess] = {}
        for victim in dict.fromkeys(target.victim for target in view.targets):
            targets = [target for target in view.targets if target.victim == victim]
            levels = sorted({level for target in targets for level in target.levels})
            people = view.candidate_images(victim)
            draws = scaled(self.draws, self.effort)
            known = gather(view, victim, levels, draws, rng, others=people)
            for target in targets:
                guesses[target] = _guess(known.only(target.levels), view, rng)
        return guesses


def _guess(known: Messages, view: View, rng: Generator) -> Guess:
    owners = view.auxiliary_patients
    people = len(torch.unique(owners))
    fewer = tuple(
        Checkpoint(count, _scores(known, view.patients, owners, rows))
        for count, rows in fewer_patients(owners, rng)
    )
    values = _scores(known, view.patients, owners, torch.arange(len(owners)))
    return Guess(
        values, effort=people, fewer=fewer, learnt_from=people,
        epochs=known.epochs_of(tuple(known.received)),
    )  # fmt: skip


def _scores(known: Messages, patients: Tensor, references: Tensor, rows: Tensor) -> Tensor:
    """(candidates,) 0 to 1: spreads by which the nearest message is nearer than references are."""
    below = []
    for level in known.received:
        near = _nearest(known.others, known.received, level, patients)
        usual = _nearest(known.others, _rows(known.draws[0], rows), level, references[rows])
        spread = usual.std(1, correction=0).clamp_min(_LEAST_SPREAD)
        below.append((usual.mean(1) - near.amin(1)) / spread)
    score = torch.stack(below).mean(0)
    return (0.5 + score.atan() / torch.pi).clamp(0, 1).float()


def _nearest(people: Features, others: Features, level: int, owners: Tensor) -> Tensor:
    """(candidates, patients): logarithm of the distance to each patient's nearest message."""
    first, second = people[level].flatten(1).double(), others[level].flatten(1).double()
    distances = torch.cdist(first, second) / first.shape[1] ** 0.5
    patients = torch.unique(owners)
    nearest = torch.stack([distances[:, owners == each].amin(1) for each in patients], dim=1)
    return nearest.clamp_min(_LEAST_DISTANCE).log()


def _rows(features: Features, rows: Tensor) -> Features:
    return {level: tensor[rows] for level, tensor in features.items()}
