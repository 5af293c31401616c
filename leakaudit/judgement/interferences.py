"""What a dishonest server does to a training: the price that parties could see, if they looked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from leakaudit.cells.training_cell import TrainingResult
from leakaudit.judgement.price import change, dice_cells
from leakaudit.judgement.utility import utility
from leakaudit.plan.plan import InterferedId, TrainingId
from leakaudit.record import Interference

Results = Mapping[TrainingId, TrainingResult]


def interferences(
    honest: Results,
    interfered: Mapping[InterferedId, TrainingResult],
    region: str,
    patients: Sequence[str],
) -> tuple[Interference, ...]:
    """Dice and loss of every training with a dishonest server, beside the honest one.

    Args:
        honest: finished trainings.
        interfered: the same with a dishonest server, as far as they finished.
        region: whose Dice.
        patients: validation patients, in the order of the record.
    """
    grouped: dict[tuple[str, str, str], dict[TrainingId, TrainingResult]] = {}
    for own, result in interfered.items():
        key = (own.training.setting, own.adversary, own.attack)
        grouped.setdefault(key, {})[own.training] = result
    owed = dice_cells(honest, region, patients)
    found = []
    for (setting, adversary, attack), results in grouped.items():
        same = {identity: honest[identity] for identity in results if identity in honest}
        dice = dice_cells(results, region, patients)
        found.append(
            Interference(
                setting=setting,
                adversary=adversary,
                attack=attack,
                region=region,
                dice=next(
                    (u.estimate for u in utility(results, patients)
                     if (u.region, u.metric) == (region, "dice")), None,
                ),
                dice_change=change(dice.get(setting), owed.get(setting)),
                losses=_mean_losses(results),
                honest_losses=_mean_losses(same),
            )
        )  # fmt: skip
    return tuple(found)


def _mean_losses(results: Results) -> tuple[float, ...]:
    """Mean over seeds, epoch by epoch."""
    losses = [result.losses for result in results.values() if result.losses]
    return tuple(float(np.mean(epoch)) for epoch in zip(*losses, strict=True))
