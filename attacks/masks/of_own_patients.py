"""Masks read off gradients, of the attacked patients and of one's own, by networks new to both."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from leakaudit.threat.view import View

from ..simulation.exchange import own_patients
from .reader import MaskReader, train_reader
from .simulated_epochs import SimulatedEpochs

_WIDTH = 32


def masks_of_own(
    view: View,
    folds: Sequence[Tensor],
    *,
    releases: int,
    batch_size: int,
    stand_in_steps: int,
    reader_steps: int,
    rng: Generator,
) -> tuple[Tensor, Tensor]:
    """Masks as gradients tell them; auxiliary ones are as uncertain as those of the attacked.

    Args:
        view: of a party or a coalition of parties.
        folds: rows of the auxiliary samples, no patient in two.
        releases: recorded epochs to read together, at most.
        batch_size: samples per step.
        stand_in_steps: to train the other parties' stand-ins, per epoch.
        reader_steps: to train each reader.
        rng: everything random about it.

    Returns:
        (n, regions, *space) of auxiliary samples, each read by a network that did not learn from
        its patient; and of the attacked samples, the mean over these networks. In [-1, 1].

    Raises:
        NotMountableError: the split is of another kind.
    """
    simulated = SimulatedEpochs(view, releases, stand_in_steps, batch_size, rng)
    # Mirrored samples follow the samples as they are, in the same order.
    patients = own_patients(view).patients
    inputs, _ = simulated.victims()
    known = torch.zeros(len(view.auxiliary_patients), view.regions, *view.space)
    seen = torch.zeros(len(view), view.regions, *view.space)
    for fold in folds:
        mine = torch.isin(patients, view.auxiliary_patients[fold])
        learn = torch.arange(len(patients)) if len(folds) == 1 else (~mine).nonzero()[:, 0]
        samples = simulated.samples(learn)
        outputs = (samples.masks.shape[1], samples.states.shape[1])
        reader = MaskReader(samples.seen[learn[:1] * 0], simulated.level, outputs, _WIDTH)
        train_reader(reader, samples, reader_steps, batch_size, rng)
        tested, _, _ = simulated.test(fold)
        known[fold] = reader.read(tested)[0].sigmoid()
        seen += reader.read(inputs)[0].sigmoid() / len(folds)
    return 2 * known - 1, 2 * seen - 1
