"""Findings as a table, for whoever would sort, group or plot them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

    from leakaudit.record.leakage import Finding
    from leakaudit.record.model import Record
    from leakaudit.record.part import Estimate

_WHAT = ("defense", "adversary", "victim", "asset", "attack")


def findings_frame(record: Record) -> pandas.DataFrame:
    """One row per finding, in the record's order; numbers that were not measured are NaN."""
    import pandas

    return pandas.DataFrame([_row(finding) for finding in record.findings], columns=_columns())


def _columns() -> list[str]:
    estimates = [
        f"{name}{end}"
        for name in ("value", "blind", "advantage")
        for end in ("", "_lower", "_upper")
    ]
    return [
        *_WHAT, "cuts", "metric", "region", "direction", "question", *estimates,
        "chance", "ceiling", "converged", "patients",
    ]  # fmt: skip


def _row(finding: Finding) -> dict[str, Any]:
    return {
        **{name: getattr(finding, name) for name in _WHAT},
        "cuts": finding.cuts,
        "metric": finding.metric,
        "region": finding.region,
        "direction": str(finding.direction),
        "question": finding.question,
        **_three("value", finding.estimate),
        **_three("blind", finding.blind),
        **_three("advantage", finding.advantage),
        "chance": _number(finding.chance),
        "ceiling": _number(finding.ceiling),
        "converged": finding.converged,
        "patients": finding.estimate.patients,
    }


def _three(name: str, estimate: Estimate | None) -> dict[str, float]:
    """Mean and interval; a failure is no number, so it is NaN and not 0."""
    mean, low, high = (
        (None, None, None) if estimate is None else (estimate.mean, estimate.lower, estimate.upper)
    )
    return {name: _number(mean), f"{name}_lower": _number(low), f"{name}_upper": _number(high)}


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
