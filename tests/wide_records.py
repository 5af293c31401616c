"""An audit with many settings: what fits for three of them need not fit for twenty."""

from __future__ import annotations

from typing import Any, TypeVar

from example_answer import answered_record
from example_records import NOISE
from pydantic import BaseModel

from leakaudit import record as m
from leakaudit.record import Record

PartT = TypeVar("PartT", bound=BaseModel)
BROKEN = "patch-shuffle 8"
"""The last setting: it leaks least, and its network segments nothing."""


def wide_record(settings: int = 20) -> Record:
    """The answered example with further settings, each leaking a little less than the last."""
    base = answered_record()
    known = tuple(d.label for d in base.defenses)
    added = (*(f"noise {k}" for k in range(settings - len(known) - 1)), BROKEN)
    noisy = next(d for d in base.defenses if d.label == NOISE)

    def copies(entries: tuple[PartT, ...], field: str) -> tuple[PartT, ...]:
        alike = [entry for entry in entries if getattr(entry, field) == NOISE]
        return tuple(
            _lowered(
                entry.model_copy(update={field: label}),
                0.9 if label == BROKEN else 0.01 * (k + 1),
                label,
            )
            for k, label in enumerate(added)
            for entry in alike
        )

    answer = base.answer
    assert answer is not None
    changes: dict[str, Any] = {
        "defenses": (
            *base.defenses,
            *(noisy.model_copy(update={"label": label}) for label in added),
        ),
        "findings": base.findings + copies(base.findings, "defense"),
        "verdicts": base.verdicts + copies(base.verdicts, "defense"),
        "utility": base.utility + copies(base.utility, "setting"),
        "costs": base.costs + copies(base.costs, "setting"),
        "trade_offs": tuple(
            found.model_copy(update={"points": found.points + copies(found.points, "setting")})
            for found in base.trade_offs
        ),
        "answer": answer.model_copy(
            update={"standings": answer.standings + copies(answer.standings, "setting")}
        ),
    }
    return base.model_copy(update=changes)


def _lowered(entry: PartT, by: float, label: str) -> PartT:
    """The same entry with less leakage; of the broken setting, without Dice."""
    changes: dict[str, Any] = {}
    for field in ("advantage", "leakage"):
        found = getattr(entry, field, None)
        if isinstance(found, m.Estimate):
            changes[field] = _moved(found, -by)
    if isinstance(entry, m.TradeOffPoint):
        changes["dominated_by"] = ()
    if isinstance(entry, m.Finding):
        changes["curve"] = tuple(
            point.model_copy(update={"estimate": _moved(point.estimate, -by)})
            for point in entry.curve
        )
    if label == BROKEN:
        for field in ("estimate", "dice"):
            found = getattr(entry, field, None)
            if isinstance(entry, m.Utility | m.TradeOffPoint) and isinstance(found, m.Estimate):
                changes[field] = _moved(found, 0.004 - found.mean)
        if isinstance(entry, m.Verdict) and entry.attack is not None:
            changes["verdict"] = "none shown"
    return entry.model_copy(update=changes)


def _moved(estimate: m.Estimate, by: float) -> m.Estimate:
    ends = ("mean", "lower", "upper", "one_sided_lower", "one_sided_upper")
    return estimate.model_copy(
        update={e: getattr(estimate, e) + by for e in ends if getattr(estimate, e) is not None}
    )
