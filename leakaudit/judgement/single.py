"""Any patient: what the attacks on one question came to for each audited patient by itself."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from leakaudit.judgement.findings import FindingId, Series, ceiling_of
from leakaudit.record import SinglePatients
from leakaudit.record.estimates import RATES, advantage_values, cells
from leakaudit.statistics import Direction, corrected_level, patient_bounds
from leakaudit.statistics.ends import LEVEL
from leakaudit.statistics.verdict import Singles


def singles(single: SinglePatients | None, *, surely: bool = False) -> Singles | None:
    """The same as a verdict needs it.

    Args:
        single: as recorded.
        surely: who surely leaks counts, and not who may.
    """
    if single is None:
        return None
    most = min(single.threshold, 1.0) if surely else single.at_most
    return Singles(single.audited, single.leaking, most, single.threshold)


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


def _ceiling(key: FindingId, series: Series) -> float | None:
    return ceiling_of(key.metric, len(series.patients))
