"""What an audit of this size can answer, before it runs: the smallest leak that it can exclude.

Audits of a defense that leaks nothing are simulated and judged by the very functions that judge
measured ones. Where even they end in "none shown" in fewer than four of five cases, it cannot be
the answer: it takes more patients or seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from leakaudit.judgement.findings import FindingId, Series, total_leak
from leakaudit.judgement.silence import SETTING, Design, finding_id, silent
from leakaudit.judgement.simulated import simulate
from leakaudit.record.estimates import RATES, advantage_values, cells, zero_of_rate
from leakaudit.record.power import PROMISE, Spread
from leakaudit.statistics import Direction, Verdict, worst_estimate
from leakaudit.statistics.verdict import PATIENT_THRESHOLD

AUDITS = 100
_AUDITS_OF_A_SEARCH = 50
_AUDITS_OF_THE_WORST = 25
_STEP = 1.15
_FEWEST = 2
_SIZES = (10, 20, 40, 80, 160, 320, 500)
MOST_PATIENTS = _SIZES[-1]
_SEEDS = (5, 10)


@dataclass(frozen=True)
class Reach:
    """What audits of one size come to, where nothing leaks.

    Attributes:
        smallest: the advantage that the promised share of them excludes, for the mean over
            patients; None: they exclude none.
        share: of them that end in "none shown" at the threshold.
        why: what keeps silence from counting in an audit of this size, whatever is measured.
    """

    smallest: float | None
    share: float
    why: str = ""


@dataclass(frozen=True)
class Enough:
    """A size under which "none shown" is within reach."""

    patients: int
    seeds: int


@lru_cache(maxsize=1024)
def reach(
    design: Design,
    threshold: float,
    *,
    series: int = 1,
    spread: Spread | None = None,
    patient_threshold: float = PATIENT_THRESHOLD,
    audits: int = AUDITS,
) -> Reach:
    """Simulate audits of a defense that leaks nothing.

    Args:
        design: how large they are.
        threshold: the advantage that "none shown" excludes.
        series: attacks and cuts tried on the question: all of them must be silent.
        spread: of advantages; None: as stated.
        patient_threshold: the advantage of a single patient that "none shown" excludes.
        audits: how many are simulated; always the same ones.
    """
    if design.patients < _FEWEST:
        return Reach(None, 0.0, f"{design.patients} patient(s): no leak can be told from chance")
    found = simulate(design, threshold, patient_threshold, spread, audits)
    said, leak = found.said, Verdict.LEAK_SHOWN
    quiet = [each for each in said if each.judgement.verdict is not leak]
    # Of one size all have the same: too few patients or seeds, or no interval.
    if not quiet or found.doubts or all(each.at_most is None for each in quiet):
        why = "; ".join(found.doubts) or (
            quiet[0].judgement.reason if quiet else "chance alone shows leaks"
        )
        return Reach(None, 0.0, why)
    # Chance alone shows a leak in one of twenty audits of nothing, however many attacks are tried.
    calm = len(quiet) / len(said)
    silent_share = sum(each.judgement.verdict is Verdict.NONE_SHOWN for each in quiet) / len(quiet)
    every = min(1.0, PROMISE / calm) ** (1 / series)
    return Reach(
        smallest=_excluded([each.at_most for each in said], every),
        share=calm * silent_share**series,
    )


def enough(
    design: Design,
    threshold: float,
    *,
    series: int = 1,
    spread: Spread | None = None,
    patient_threshold: float = PATIENT_THRESHOLD,
) -> Enough | None:
    """The fewest patients, and seeds, under which "none shown" is within reach.

    Args:
        design: the size that is planned; its seeds are kept where they suffice.
        threshold: the advantage that "none shown" excludes.
        series: as in :func:`reach`.
        spread: as in :func:`reach`.
        patient_threshold: as in :func:`reach`.

    Returns:
        None where nothing up to :data:`MOST_PATIENTS` would do.
    """

    def reached(patients: int, seeds: int, audits: int = _AUDITS_OF_A_SEARCH) -> bool:
        others = math.ceil(design.others * patients / max(design.patients, 1))
        larger = replace(design, patients=patients, seeds=seeds, others=others)
        found = reach(
            larger,
            threshold,
            series=series,
            spread=spread,
            patient_threshold=patient_threshold,
            audits=audits,
        )
        return found.share >= PROMISE

    for seeds in (design.seeds, *(more for more in _SEEDS if more > design.seeds)):
        # Not from the largest: of more patients the worst is harder to bound.
        patients = next((size for size in _SIZES if reached(size, seeds)), 0)
        if not patients:
            continue
        too_few = max((size for size in _SIZES if size < patients), default=1)
        while patients - too_few > max(1, patients // 20):
            middle = round(math.sqrt(too_few * patients))
            if middle in (too_few, patients):
                break
            if reached(middle, seeds):
                patients = middle
            else:
                too_few = middle
        # The search stopped at a size that was lucky; the promise is held against more audits.
        while patients < MOST_PATIENTS and not reached(patients, seeds, AUDITS):
            patients = math.ceil(_STEP * patients)
        return Enough(patients, seeds)
    return None


@lru_cache(maxsize=256)
def smallest_of_the_worst(
    design: Design, *, series: int = 1, spread: Spread | None = None
) -> float | None:
    """The advantage over the patient who leaks most that four of five audits of nothing exclude.

    Args:
        design: how large they are.
        series: as in :func:`reach`.
        spread: as in :func:`reach`.

    Returns:
        None where they exclude none.
    """
    if design.patients < _FEWEST:
        return None
    key = finding_id(design, SETTING)
    bounds = [
        _worst(key, silent(design, np.random.default_rng(number), spread))
        for number in range(_AUDITS_OF_THE_WORST)
    ]
    return _excluded(bounds, PROMISE ** (1 / series))


def _worst(key: FindingId, series: Series) -> float | None:
    """Upper bound on the advantage over the patient who leaks most."""
    ceiling = total_leak(key, series)
    if key.metric not in RATES or series.chance is None:
        values = advantage_values(series.values, series.blind, ceiling)
        hits = None
    else:
        zero = zero_of_rate(series.chance, series.blind)
        if ceiling <= zero:
            return None  # a judge that cannot tell the true images apart excludes nothing
        values = (series.values - zero) / (ceiling - zero)
        hits = (-zero / (ceiling - zero), (1 - zero) / (ceiling - zero))
    if values is None:
        return None
    found = worst_estimate(cells(values, series.patients), direction=Direction.HIGHER, hits=hits)
    return found.at_most


def _excluded(bounds: Sequence[float | None], share: float) -> float | None:
    """What so large a share of the bounds keep to; None where that is no advantage at all."""
    ordered = sorted(math.inf if bound is None else bound for bound in bounds)
    bound = ordered[min(len(ordered), math.ceil(share * len(ordered))) - 1]
    return bound if bound < 1 else None
