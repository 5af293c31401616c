"""How well a split segments every patient of a cohort: cross-validation by patient, no attacks.

Run ``python benchmarks/cross_validated_dice.py CONFIG``. Each patient is unseen exactly once; the
others lend as many training patients as the configuration's training group has, drawn at random.
With few validation patients in an audit, this says how much of its Dice was the luck of the draw.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from recording import machine, store

from leakaudit.plan.configuration import AuditConfiguration, read_configuration
from leakaudit.plan.materials import load_cohort
from leakaudit.record.estimates import figure
from leakaudit.statistics import Direction
from leakaudit.training.data import hold
from leakaudit.training.evaluation import evaluate
from leakaudit.training.loop import predictor, train


@dataclass(frozen=True)
class Fold:
    """Who is unseen, and who trains."""

    number: int
    unseen: tuple[str, ...]
    training: tuple[str, ...]


def folds(patients: list[str], count: int, training: int | None, seed: int) -> list[Fold]:
    """Deal patients into folds; the rest of each fold trains, or as many of it as asked for."""
    rng = np.random.default_rng(seed)
    order = [patients[number] for number in rng.permutation(len(patients))]
    found = []
    for number in range(count):
        unseen = order[number::count]
        rest = [name for name in order if name not in unseen]
        chosen = rng.permutation(len(rest))[:training]
        found.append(Fold(number, tuple(unseen), tuple(rest[each] for each in chosen)))
    return found


def scored(
    configuration: AuditConfiguration, fold: Fold, seed: int
) -> dict[str, tuple[float | None, dict[str, float | None]]]:
    """Region to Dice over all pixels and per patient of a fold's unseen patients."""
    torch.set_num_threads(1)
    cohort = load_cohort(configuration.cohort.use, configuration.cohort.settings)
    split = configuration.split
    holdings = hold(cohort, split)

    def rows(names: tuple[str, ...]) -> torch.Tensor:
        return torch.from_numpy(np.flatnonzero(np.isin(cohort.patients, names)))

    trained = train(holdings, rows(fold.training), split, (), configuration.training, seed=seed)
    scores = evaluate(
        predictor(trained.network, holdings, seed=seed),
        rows(fold.unseen), cohort.masks(), cohort.patients, tuple(cohort.regions),
    )  # fmt: skip
    return {region: (each.dice_over_all_pixels, each.dice) for region, each in scores.items()}


def main(arguments: list[str]) -> int:
    """Print and keep what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configuration", type=Path)
    parser.add_argument("--folds", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0, help="of the folds and the trainings")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    configuration, _ = read_configuration(given.configuration)
    cohort = load_cohort(configuration.cohort.use, configuration.cohort.settings)
    wanted = configuration.groups.training
    plan = folds(
        sorted(set(cohort.patients.tolist())), given.folds,
        wanted if isinstance(wanted, int) else None, given.seed,
    )  # fmt: skip
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.workers, mp_context=context) as pool:
        waiting = [pool.submit(scored, configuration, fold, given.seed) for fold in plan]
        results = []
        for fold, each in zip(plan, waiting, strict=True):
            results.append(each.result())
            pixels = {region: score[0] for region, score in results[-1].items()}
            print(f"fold {fold.number}: {pixels}", file=sys.stderr, flush=True)
    found = []
    for region in results[0]:
        dice = {name: value for each in results for name, value in each[region][1].items()}
        values = np.array([[np.nan if v is None else v for v in dice.values()]])
        mean = figure(values, list(dice), direction=Direction.LOWER, limits=(0.0, 1.0))
        pixels = [each[region][0] for each in results]
        found.append(
            {
                "region": region,
                "dice over all pixels, per fold": pixels,
                "dice over all pixels, mean of folds": float(
                    np.mean([p for p in pixels if p is not None])
                ),
                "dice per patient, mean": mean.mean,
                "lower": mean.lower,
                "upper": mean.upper,
                "patients": mean.n_patients,
            }
        )
    store(
        "cross-validated-dice",
        {
            "configuration": given.configuration.name,
            "folds": given.folds,
            "seed": given.seed,
            "training patients": len(plan[0].training),
            "regions": found,
        },
        machine("torch", "monai"),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
