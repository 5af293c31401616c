"""Segmentation quality and cost of every setting, from finished training cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from leakaudit.cells.training_cell import TrainingResult
from leakaudit.plan.plan import TrainingId
from leakaudit.record import Cost, Dependence, Estimate, Utility
from leakaudit.record.estimates import as_array, as_table, figure, recorded
from leakaudit.split.spec import SplitSpec
from leakaudit.statistics import Direction
from leakaudit.training.evaluation import HD95_UNIT

Results = Mapping[TrainingId, TrainingResult]


def by_setting(results: Results) -> dict[str, list[TrainingId]]:
    """The seeds of every setting, in the order of the plan."""
    settings: dict[str, list[TrainingId]] = {}
    for identity in results:
        settings.setdefault(identity.setting, []).append(identity)
    return settings


def utility(results: Results, patients: Sequence[str]) -> tuple[Utility, ...]:
    """Dice and HD95 per setting and region, over validation patients and seeds.

    Args:
        results: finished trainings.
        patients: validation patients, in the order of the record.
    """
    found = []
    for setting, seeds in by_setting(results).items():
        for region in results[seeds[0]].utility:
            found += _region(results, seeds, setting, region, patients)
    return tuple(found)


def _region(
    results: Results,
    seeds: Sequence[TrainingId],
    setting: str,
    region: str,
    patients: Sequence[str],
) -> list[Utility]:
    scores = [results[seed].utility[region] for seed in seeds]
    found = []
    for metric, unit, direction, most in (
        ("dice", "1", Direction.HIGHER, 1.0),
        ("hd95", HD95_UNIT, Direction.LOWER, np.inf),
    ):
        values = as_array(
            tuple(tuple(getattr(score, metric).get(p) for p in patients) for score in scores)
        )
        # The worst patient is the one segmented worst, so the statistics look the other way.
        estimate = recorded(
            figure(values, patients, direction=direction.opposite, limits=(0.0, most))
        )
        if estimate is not None:
            found.append(
                Utility(
                    setting=setting, reference=seeds[0].reference, region=region,
                    metric="dice" if metric == "dice" else "hd95", unit=unit, estimate=estimate,
                    values=as_table(values), excluded=int(np.isnan(values).sum()),
                )
            )  # fmt: skip
    pooled = [s.dice_over_all_pixels for s in scores if s.dice_over_all_pixels is not None]
    if pooled:
        found.append(
            Utility(
                setting=setting, reference=seeds[0].reference, region=region,
                metric="dice over all pixels", unit="1",
                estimate=Estimate(
                    mean=float(np.mean(pooled)), lower=None, upper=None,
                    patients=len(patients), samples=len(pooled), seeds=len(pooled),
                    method="all pixels of all patients together, mean over seeds",
                    undefined_because="pixels of one patient are not independent; "
                    "the interval is that of Dice per patient",
                ),
                values=tuple((score.dice_over_all_pixels,) for score in scores),
            )
        )  # fmt: skip
    return found


def costs(results: Results, split: SplitSpec) -> tuple[Cost, ...]:
    """Bytes sent per patient and epoch, by setting.

    Args:
        results: finished trainings.
        split: in a horizontal one a patient's messages pass a single party's link.
    """
    links = len(split.parties) if split.orientation == "horizontal" else 1
    return tuple(
        Cost(
            setting=setting,
            bytes_per_patient=sum(r.bytes_per_patient for r in results[seeds[0]].routes) / links,
            routes=results[seeds[0]].routes,
        )
        for setting, seeds in by_setting(results).items()
        if results[seeds[0]].routes
    )


def dependence(results: Results, split: SplitSpec) -> tuple[Dependence, ...]:
    """Mutual-information proxies of every setting and seed.

    Args:
        results: finished trainings.
        split: says what the cuts are called.
    """
    return tuple(
        Dependence(
            defense=identity.setting, party=proxy.party, cut=split.cut_name(proxy.level),
            metric=proxy.metric, unit=proxy.unit, value=proxy.value, pairs=proxy.pairs,
            saturation=proxy.saturation, seed=identity.seed,
        )
        for identity, result in results.items()
        for proxy in result.dependence
    )  # fmt: skip
