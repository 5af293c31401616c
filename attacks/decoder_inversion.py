"""Decoder inversion: learn to read images off the messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor

from leakaudit.threat.attack import Checkpoint, Guess, Guesses, WayTried
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Target, View

from .parts.decoder import Decoder
from .parts.decoder_attack import DecoderAttack
from .parts.decoding import decode_all
from .parts.effort import fewer_patients
from .parts.examples import examples
from .parts.in_clear import read_in_clear
from .parts.messages import gather
from .parts.portfolio import readable
from .parts.training import TrainingBudget, TrainingSet
from .parts.undoing.crossing import Undoing
from .parts.undoing.source import Sender


class DecoderInversion(DecoderAttack):
    """Train a decoder from exchanged features back to images, on the adversary's own patients.

    Knows: messages of the victim; query access, through the defense; auxiliary patients.
    Differs: one decoder reads all levels (the papers invert one layer); beside it linear maps in
    closed form, of each position's neighbourhood and of whole messages, so that no rescaling or
    rotation of the features and no transform over space can stall the attack, which weighs channels
    as they are, unsaturated and ranked by what each tells of unseen patients; it asks about altered
    copies of the auxiliary images; where a defense is random, it learns from several draws and puts
    the releases of all epochs together.
    Source: He, Zhang, Lee, "Model inversion attacks against collaborative inference", ACSAC 2019,
    section 5; Li et al., "ResSFL", CVPR 2022.
    """

    needs = Knowledge.ACTIVATIONS | Knowledge.QUERIES | Knowledge.AUXILIARY_IMAGES
    asset = "images"
    criterion = "singling out"
    family = "decoder"
    source = "He et al. 2019"

    draws: PositiveInt = Field(
        default=4, le=64, description="redraws of a random defense on auxiliary images"
    )

    copies: int = Field(
        default=4,
        ge=0,
        le=64,
        description="altered copies of each auxiliary image, to learn from; fewer where with them "
        "there would be more than 500 images",
    )

    undo: bool = Field(
        default=True,
        description="look for what undoes a code (signs, rotations, decoys, mixed samples and the "
        "like), tried on queries and chosen on auxiliary patients left out",
    )

    patient_curve: bool = Field(
        default=False,
        description="also learn from a quarter and from half of the auxiliary patients, for their "
        "effort curve: takes up to three times as long",
    )

    def guess(self, view: View, rng: Generator) -> Guesses:
        """What is queried of a victim, and most of the decoder, is shared by its targets."""
        budget = self.budget
        guesses: dict[Target, Guess] = {}
        network: Decoder | None = None
        shortlist: tuple[tuple[Undoing, ...], ...] = ()
        for victim in dict.fromkeys(target.victim for target in view.targets):
            targets = [target for target in view.targets if target.victim == victim]
            levels = sorted({level for target in targets for level in target.levels})
            asked = examples(view, victim, self.copies, rng)
            sender = Sender(view, victim)
            tried: tuple[WayTried, ...] = ()
            if self.undo:
                sender, tried = readable(view, victim, levels, asked, rng, shortlist)
                shortlist = tuple(dict.fromkeys((*shortlist, *sender.steps.values())))
            known = gather(
                view, victim, levels, self.draws, rng, asked=asked, beside=True, sender=sender
            )
            data = TrainingSet(known, asked.images, asked.patients, asked.altered)
            tasks = [target.levels for target in targets]
            found, network = decode_all(data, tasks, budget, rng, network)
            if self.patient_curve:
                found = _with_fewer(found, data, tasks, budget, rng)
            guesses |= {
                target: replace(
                    read_in_clear(view, victim, target.levels, guess, rng),
                    epochs=known.epochs_of(target.levels),
                    ways=(*tried, *guess.ways),
                )
                for target, guess in zip(targets, found, strict=True)
            }
        return guesses


def _with_fewer(
    found: list[Guess], data: TrainingSet, tasks: Sequence[Sequence[int]], budget: TrainingBudget,
    rng: Generator,
) -> list[Guess]:  # fmt: skip
    """The same guesses with what as many steps make of fewer patients, each from the start.

    How messages are conditioned is known from all of them. Randomness is its own, so that a curve
    does not change what it is a curve of.
    """
    own = torch.Generator().manual_seed(rng.initial_seed())
    points: list[list[Checkpoint]] = [[] for _ in found]
    for count, rows in fewer_patients(data.patients, own):
        with torch.random.fork_rng(devices=[]):
            tried, _ = decode_all(_part(data, rows), tasks, budget, own)
        for trail, guess in zip(points, tried, strict=True):
            trail.append(Checkpoint(count, guess.values))
    people = len(torch.unique(data.patients))
    return [
        replace(guess, fewer=tuple(trail), learnt_from=people)
        for guess, trail in zip(found, points, strict=True)
    ]


def _part(data: TrainingSet, rows: Tensor) -> TrainingSet:
    draws = tuple(
        {level: each[rows] for level, each in draw.items()} for draw in data.messages.draws
    )
    return TrainingSet(
        replace(data.messages, draws=draws),
        data.images[rows],
        data.patients[rows],
        None if data.altered is None else data.altered[rows],
    )
