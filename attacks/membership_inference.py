"""Membership inference: was this patient among those who trained?"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor

from leakaudit.threat.attack import Attack, Checkpoint, Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Features, Target, View

from .parts.effort import Effort, fewer_patients, scaled
from .parts.messages import Messages, gather
from .simulation.reference_models import ReferenceBudget, told_by_model

_LEAST_DISTANCE = 1e-12
_LEAST_SPREAD = 0.05  # of the logarithm of a distance: below it, few references look alike
_ASKED = Knowledge.QUERIES | Knowledge.AUXILIARY_IMAGES | Knowledge.CANDIDATE_IMAGES


class MembershipInference(Attack):
    """Tell who trained: by the messages that their image would send, or by the trained network.

    Knows: query access, through the defense; an image of the person in question; auxiliary
    patients, who were surely not in training, for reference. Through messages: those of the victim.
    Through the model: the server's weights and the auxiliary patients' masks; of the person, a mask
    where granted, and only the modalities of parties it goes for.
    Differs: through messages no loss is needed. As in LiRA each person has a reference distribution
    of its own: how near auxiliary patients come to it; the score is how far below that the nearest
    message lies. Those messages are of the very images asked about: it links an image to its own
    message, and tells nothing of what the network remembers. Through the model it is offline RMIA
    on the training loss, with few references that each leave out their share of the auxiliary
    patients, and soft comparisons. Without the person's mask the network is held against what it
    draws itself, which says much less.
    Source: Carlini et al., "Membership inference attacks from first principles" (LiRA), IEEE S&P
    2022; Zarifzadeh et al., "Low-cost high-power membership inference attacks" (RMIA), ICML 2024.
    """

    needs = Knowledge.ACTIVATIONS | _ASKED
    asset = "membership"
    criterion = "singling out"
    family = "membership"
    source = "Carlini et al. 2022; Zarifzadeh et al. 2024"

    through: Literal["messages", "model"] = Field(
        default="messages", description="what gives a person away"
    )
    effort: Effort = Field(default="standard", description="scales redraws and reference steps")
    draws: PositiveInt = Field(
        default=8, le=64, description="redraws of a random defense on images asked about"
    )
    references: PositiveInt = Field(
        default=3, ge=2, le=64, description="model: reference networks, on auxiliary patients"
    )
    steps: PositiveInt = Field(
        default=120, le=1_000_000, description="model: optimiser steps of each reference network"
    )
    batch_size: PositiveInt = Field(default=8, le=4096, description="model: samples per step")
    learning_rate: PositiveFloat = Field(
        default=1e-2, le=1.0, description="model: highest step size of the reference networks"
    )

    @property
    def required(self) -> Knowledge:
        """Messages, or the server's weights and masks to train references with."""
        if self.through == "messages":
            return self.needs
        return _ASKED | Knowledge.SERVER_WEIGHTS | Knowledge.AUXILIARY_LABELS

    @property
    def levels_apart(self) -> bool:
        """A network is asked as a whole."""
        return self.through == "messages"

    @property
    def mixed_up(self) -> Literal["messages", "candidates"]:
        """Through the model no message is read that could be another's."""
        return "messages" if self.through == "messages" else "candidates"

    def guess(self, view: View, rng: Generator) -> Guesses:
        """Scores (candidates,) per target: the higher, the likelier in training."""
        if self.through == "model":
            # One network was trained by all parties: whoever trained at one trained it.
            return dict.fromkeys(view.targets, told_by_model(view, self._budget(), rng))
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

    def _budget(self) -> ReferenceBudget:
        return ReferenceBudget(
            references=self.references,
            steps=scaled(self.steps, self.effort),
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            draws=scaled(self.draws, self.effort),
        )


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
