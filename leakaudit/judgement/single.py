"""Any patient: what the attacks on one question came to for each audited patient by itself."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from leakaudit.judgement.findings import FindingId, Series, ceiling_of
from leakaudit.record import Asset, SinglePatients
from leakaudit.record.estimates import RATES, advantage_values, cells
from leakaudit.statistics import Direction, corrected_level, patient_bounds
from leakaudit.statistics.ends import LEVEL
from leakaudit.statistics.verdict import Singles

# Of the way to a total leak. One guess for all masks fits some patients far better than others:
# their advantages differ by .17 where nothing leaks, and less than this tells nobody apart.
_MASK = 0.5


def threshold_of(asset: Asset, threshold: float) -> float:
    """Advantage of one patient that counts as a leak of an asset.

    Args:
        asset: what leaks.
        threshold: of images.
    """
    return max(threshold, _MASK) if asset == "masks" else threshold


def singles(single: SinglePatients | None, asset: Asset, *, surely: bool = False) -> Singles | None:
    """The same as a verdict needs it; None where no single patient decides.

    Args:
        single: as recorded.
        asset: what leaks. Of images the worst patient is bounded, too; of masks, who surely leaks
            counts, for nobody's bound comes near where guesses fit some far better than others.
        surely: who surely leaks counts, and not who may.
    """
    if single is None or asset not in ("images", "masks"):
        return None
    if surely or asset == "masks":
        # Nobody's bound is asked for, so none is spoken of.
        some = min(single.threshold, 1.0)
        leaks = single.leaking > 0
        return Singles(single.audited, single.leaking, some, single.threshold) if leaks else None
    return Singles(single.audited, single.leaking, single.at_most, single.threshold)


def single_patients(
    candidates: Mapping[FindingId, Series], threshold: float
) -> SinglePatients | None:
    """Who surely leaks by any of the attacks, and a bound on the worst by all of them.

    Rates are left out: a guess that never changes finds somebody, the same patient every time.

    Args:
        candidates: the attacks on one question that are to be believed.
        threshold: advantage of one patient that counts as a leak.

    Returns:
        None where no attack gives values of single patients.
    """
    advantages = {
        key: found
        for key, series in candidates.items()
        if key.metric not in RATES
        and (found := advantage_values(series.values, series.blind, _ceiling(key, series)))
        is not None
        and not np.isnan(found).all()
    }
    if not advantages:
        return None
    strict = corrected_level(LEVEL, len(advantages))
    leaking: set[str] = set()
    values, least, most = [], [], []
    for key, found in advantages.items():
        sure = patient_bounds(
            cells(found, candidates[key].patients), direction=Direction.HIGHER, level=strict
        )
        alone = patient_bounds(cells(found, candidates[key].patients), direction=Direction.HIGHER)
        names = np.array(sure.patients)
        leaking |= set(names[sure.at_least > threshold].tolist())
        place = int(np.argmax(sure.value))
        values.append((float(sure.value[place]), sure.patients[place]))
        least.append(float(sure.at_least.max()))
        most.append(float(alone.at_most.max()))
    worst, patient = max(values)
    return SinglePatients(
        threshold=threshold,
        audited=max(len(series.patients) for series in candidates.values()),
        leaking=len(leaking),
        worst=worst,
        patient=patient,
        at_least=max(least) if np.isfinite(max(least)) else None,
        at_most=max(most) if np.isfinite(max(most)) else None,
    )


def every_time(candidates: Mapping[FindingId, Series]) -> tuple[str, ...]:
    """Who is picked out under every seed by one attack, where luck hardly does that to anybody.

    No leak shown: one guess for all patients finds one of them every time. But nor is it silence.

    Args:
        candidates: the attacks on one question that are to be believed.
    """
    found: set[str] = set()
    looks = sum(1 for key in candidates if key.metric in RATES)
    for key, series in candidates.items():
        if key.metric not in RATES or series.chance is None:
            continue
        seeds, patients = series.values.shape
        if looks * patients * series.chance**seeds <= 1 - LEVEL:
            always = (series.values == 1).all(axis=0)
            found |= {name for name, yes in zip(series.patients, always, strict=True) if yes}
    return tuple(sorted(found))


def _ceiling(key: FindingId, series: Series) -> float | None:
    return ceiling_of(key.metric, len(series.patients))
