"""What the strongest attack came to, its bounds corrected for its having been picked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from leakaudit.judgement.findings import FindingId, Series, advantage_figure
from leakaudit.statistics import Direction, Figure, corrected_level, strongest_figure
from leakaudit.statistics.ends import LEVEL


def corrected(
    candidates: Mapping[FindingId, Series], figures: Mapping[FindingId, Figure], best: FindingId
) -> Figure:
    """The strongest attack's figure, its bounds corrected for having been picked of many.

    The interval is corrected like the one-sided bounds: another attack that surely leaks lifts it,
    however unsure the strongest one is.
    """
    if len(figures) == 1:
        return figures[best]
    strict = corrected_level(LEVEL, len(figures))
    plain = {str(place): figure for place, figure in enumerate(figures.values())}
    corrected = {
        str(place): advantage_figure(key, candidates[key], strict) or figures[key]
        for place, key in enumerate(figures)
    }
    bounds = strongest_figure(plain, corrected, direction=Direction.HIGHER)
    ends = strongest_figure(
        _by_interval(plain), _by_interval(corrected), direction=Direction.HIGHER
    )
    open_ends = ends.at_least is None or ends.at_most is None
    return replace(
        figures[best],
        at_least=bounds.at_least,
        at_most=bounds.at_most,
        lower=None if open_ends else ends.at_least,
        upper=None if open_ends else ends.at_most,
        undefined=next((f.undefined for f in figures.values() if f.undefined), "")
        if open_ends
        else "",
        method=f"{figures[best].method}; bounds corrected for picking one of {len(figures)}",
    )


def _by_interval(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """The figures with the ends of their intervals in place of the one-sided bounds."""
    return {
        name: replace(figure, at_least=figure.lower, at_most=figure.upper)
        for name, figure in figures.items()
    }
