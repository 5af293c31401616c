"""What attacks would measure behind a defense that leaks nothing.

Power asks what an audit can say of a perfect defense. Behind one, attacks come as close as the
blind guess, give or take, and pick people at random. How much they give or take is stated, not
known; after an audit it is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from leakaudit.cells.scores import PRIMARY
from leakaudit.judgement.findings import FindingId, Series, ceiling_of
from leakaudit.record import Asset
from leakaudit.record.estimates import Doubles
from leakaudit.record.power import Spread

SETTING = "a defense that leaks nothing"
UNDEFENDED = "undefended"
ADVERSARY, VICTIM, ATTACK = "adversary", "victim", "attack"
_EFFORTS = (1, 2)
_OPEN = 0.9  # share of the way to a perfect copy that the open control leaks


# Of the example report's audit (20 patients, 3 seeds), where noise or withheld skips left least:
# images .02 to .04 between patients (one victim .06), .01 to .03 between seeds, .02 beyond both;
# masks .17, .09 and .15.
STATED: Mapping[Asset, Spread] = {
    "images": Spread(patient=0.03, seed=0.02, rest=0.03),
    "masks": Spread(patient=0.17, seed=0.09, rest=0.15),
}
_BLIND = 0.4  # the blind guess at images and masks, mean over patients


@dataclass(frozen=True)
class Design:
    """The size of one question of an audit.

    Attributes:
        asset: what is asked about.
        patients: attacked.
        seeds: of the training.
        others: patients of the other kind: who never trained, where membership is asked.
        ceiling: share of patients that the judge finds from the truth, where it is a model; None:
            not measured yet, and taken for all.
    """

    asset: Asset
    patients: int
    seeds: int
    others: int = 0
    ceiling: float | None = None


def finding_id(design: Design, setting: str, *, shuffled: bool = False) -> FindingId:
    """Under which name the simulated values stand."""
    metric, region = PRIMARY[design.asset]
    return FindingId(
        setting, ADVERSARY, ATTACK, shuffled, VICTIM, design.asset, ("",), metric, region
    )


def silent(design: Design, rng: np.random.Generator, spread: Spread | None = None) -> Series:
    """What one attack measures behind a perfect defense.

    Args:
        design: how many patients and seeds.
        rng: of the audit.
        spread: of what is not a rate; None: as stated. Who is picked at random needs none.
    """
    shape = (design.seeds, design.patients)
    match design.asset:
        case "identity":
            chance = 1 / design.patients
            values = (rng.random(shape) < chance).astype(np.float64)
            return _series(values, np.full(shape, chance), chance, None, _from_truth(design))
        case "membership":
            values = np.stack([_placements(shape[1], design.others, rng) for _ in range(shape[0])])
            return _series(values, np.full(shape, 0.5), 0.5, min(shape[1], design.others))
        case "attribute":
            half = design.patients // 2
            rows = [_placements(half, shape[1] - half, rng, both=True) for _ in range(shape[0])]
            return _series(np.stack(rows), np.full(shape, 0.5), 0.5, half)
        case _:
            return _drawn(design, rng, spread or STATED[design.asset])


def controls_of(design: Design) -> dict[FindingId, Series]:
    """Controls that came out as they must: nothing here keeps silence from counting."""
    shape = (design.seeds, design.patients)
    level = np.full(shape[1], _BLIND) if design.asset in STATED else None
    chance = None if level is not None else _chance(design)
    blind = np.broadcast_to(level if level is not None else np.full(shape[1], chance), shape)
    truth = _from_truth(design)
    ceiling = ceiling_of(PRIMARY[design.asset][0], shape[1]) or 1.0
    ceiling = ceiling if truth is None else float(truth.mean())
    wobble = 0.01 * np.sin(np.arange(shape[0] * shape[1])).reshape(shape)
    leaking = np.clip(blind + _OPEN * (ceiling - blind) + wobble, 0.0, ceiling)
    trials = None if design.asset != "membership" else min(shape[1], design.others)
    mixed = np.clip(blind[:1] - 0.05 + wobble[:1], 0.0, ceiling)
    return {
        finding_id(design, UNDEFENDED): _series(leaking, np.array(blind), chance, trials, truth),
        finding_id(design, UNDEFENDED, shuffled=True): _series(
            mixed, np.array(blind[:1]), chance, trials, truth
        ),
    }


def _chance(design: Design) -> float:
    return 1 / design.patients if design.asset == "identity" else 0.5


def _drawn(design: Design, rng: np.random.Generator, spread: Spread) -> Series:
    """Advantages with the stated spread, on the metric's own scale."""
    n_seeds, n_patients = design.seeds, design.patients
    blind = np.clip(_BLIND + 0.1 * rng.standard_normal(n_patients), 0.02, 0.95)
    advantage = (
        spread.patient * rng.standard_normal(n_patients)
        + spread.seed * rng.standard_normal((n_seeds, 1))
        + spread.rest * rng.standard_normal((n_seeds, n_patients))
    )
    values = np.clip(blind + advantage * (1 - blind.mean()), 0.0, 1.0)
    return _series(values, np.broadcast_to(blind, values.shape).copy(), None, None)


def _placements(
    members: int, others: int, rng: np.random.Generator, *, both: bool = False
) -> Doubles:
    """Each patient's share of the other kind from whom a random score tells it apart."""
    mine, theirs = np.sort(rng.random(members)), np.sort(rng.random(others))
    rng.shuffle(mine)
    above = np.searchsorted(theirs, mine) / max(others, 1)
    if not both:
        return above
    return np.concatenate([above, 1 - np.searchsorted(np.sort(mine), theirs) / max(members, 1)])


def _from_truth(design: Design) -> Doubles | None:
    """(1, patients) whom the judge finds from the truth."""
    if design.ceiling is None or design.asset != "identity":
        return None
    return (np.arange(design.patients) < round(design.ceiling * design.patients))[None].astype(
        np.float64
    )


def _series(
    values: Doubles,
    blind: Doubles,
    chance: float | None,
    trials: int | None,
    ceiling: Doubles | None = None,
) -> Series:
    return Series(
        values=values,
        blind=blind,
        patients=tuple(f"p{number:05d}" for number in range(values.shape[1])),
        curve=dict.fromkeys(_EFFORTS, values),  # more effort changed nothing
        samples=values.size,
        chance=chance,
        trials=trials,
        ceiling=ceiling,
    )
