"""How every setting's claims fared, over its trainings."""

from __future__ import annotations

from collections.abc import Mapping

from leakaudit.cells.training_cell import TrainingResult
from leakaudit.judgement.utility import by_setting
from leakaudit.plan.plan import TrainingId
from leakaudit.record import ClaimCheck


def claim_checks(trainings: Mapping[TrainingId, TrainingResult]) -> tuple[ClaimCheck, ...]:
    """One check per setting, claim and method: of its trainings, the one that says worst of it."""
    found = []
    for setting, identities in by_setting(trainings).items():
        for repeats in zip(*(trainings[each].claim_checks for each in identities), strict=True):
            strongest = max(repeats, key=lambda c: (c.refuted, not c.draws, c.shown_epsilon or 0.0))
            found.append(strongest.model_copy(update={"setting": setting}))
    return tuple(found)


def doubtful_claims(trainings: Mapping[TrainingId, TrainingResult]) -> dict[str, tuple[str, ...]]:
    """Setting to why nothing can rest on its claims; left out where all were tested and stand."""
    found: dict[str, tuple[str, ...]] = {}
    for check in claim_checks(trainings):
        if check.doubt:
            found[check.setting] = (*found.get(check.setting, ()), check.doubt)
    return found
