"""How to read a metric, in one place: direction, range, guessing, ceiling, meaning, remedy."""

from __future__ import annotations

from leakaudit.record import MetricSummary

from .blocks import Items, say, strong
from .evidence_index import Index, Question
from .wording import MINUS, number


def range_text(metric: MetricSummary) -> str:
    """`0 to 1`, `0 or more, dB`: every value the metric can take, and its unit."""
    low = None if metric.lowest is None else f"{metric.lowest:g}".replace("-", MINUS)
    high = None if metric.highest is None else f"{metric.highest:g}".replace("-", MINUS)
    unit = "" if metric.unit in {"", "1"} else f", {metric.unit}"
    if low is None and high is None:
        return f"any number{unit}"
    if high is None:
        return f"{low} or more{unit}"
    return f"{high} or less{unit}" if low is None else f"{low} to {high}{unit}"


def ceiling_text(index: Index, metric: MetricSummary, without: str, measured: str) -> str:
    """A perfect attack's value; where the judge is a model, what it found from the truth.

    Args:
        index: of the record.
        metric: its summary.
        without: what to say where there is none.
        measured: what to say before the least and the greatest of those found.
    """
    found = [
        finding.ceiling_estimate.mean
        for finding in index.record.findings
        if finding.metric == metric.name and finding.ceiling_estimate is not None
    ]
    if found:
        ends = dict.fromkeys((number(min(found)), number(max(found))))
        return f"{measured} {' to '.join(ends)}".strip()
    return without if metric.ceiling is None else number(metric.ceiling)


def reading(index: Index, question: Question) -> Items | None:
    """What the numbers of one question mean, for the metrics its verdicts were read from."""
    names = dict.fromkeys(v.metric for v in index.verdicts(question) if v.metric is not None)
    known = [metric for name in names if (metric := index.metric(name)) is not None]
    if not known:
        return None
    return Items(
        tuple(
            say(
                strong(index.metric_label(metric.name)),
                f": {metric.direction} is worse; {range_text(metric)}; guessing "
                + ("is measured as blind" if metric.chance is None else number(metric.chance))
                + "; a perfect attack "
                + ceiling_text(index, metric, "has no fixed value", "is measured:")
                + f". {metric.meaning} What to do: {metric.remedy[:1].lower()}{metric.remedy[1:]}",
            )
            for metric in known
        )
    )
