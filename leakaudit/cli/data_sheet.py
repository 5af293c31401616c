"""What `leakaudit init` says about a cohort after reading all of it: one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from leakaudit.cohorts._labels import union
from leakaudit.cohorts._oddities import bright_end
from leakaudit.cohorts._stack import Range, Survey

_MOST_LISTED = 6


def data_sheet(survey: Survey) -> Iterator[str]:
    """Lines: persons, studies, sites, shapes, ranges before and after scaling, labels."""
    cohort = survey.cohort
    visits = len(survey.shapes)
    sites = "not said" if cohort.site is None else str(len(set(cohort.site.tolist())))
    yield f"Persons {len(cohort.patient_ids)}, studies {visits}, sites {sites}."
    yield f"Samples {len(cohort.images)} of {' x '.join(map(str, cohort.space))}."
    yield f"Size on disk: {_counted(survey.shapes)}."
    if survey.spacings:
        rounded = [tuple(round(mm, 2) for mm in spacing) for spacing in survey.spacings]
        yield f"Spacing in mm: {_counted(rounded)}."
    for channel, modality in enumerate(cohort.modalities):
        bright = bright_end(cohort.images[:, channel])
        yield f"{modality}: {_ranges(survey.ranges[modality])}; 99.5th percentile {bright:.2f}."
    regions = ", ".join(f"{name} = {list(own)}" for name, own in cohort.regions.items())
    yield f"Labels on disk (voxels, files): {_labels(survey)}; regions {regions}."
    for hidden in survey.passed_over[:_MOST_LISTED]:
        yield f"Passed over, hidden: {hidden}"


def _counted(values: object) -> str:
    counts = Counter(values)  # type: ignore[call-overload]
    listed = [
        f"{' x '.join(map(str, value))} ({count})"
        for value, count in counts.most_common(_MOST_LISTED)
    ]
    more = len(counts) - len(listed)
    return ", ".join(listed) + (f" and {more} others" if more else "")


def _ranges(ranges: tuple[Range, ...]) -> str:
    low, high = min(own.low for own in ranges), max(own.high for own in ranges)
    zero, one = (
        sorted(value) for value in zip(*((r.scale.low, r.scale.high) for r in ranges), strict=True)
    )
    grounds = sorted({own.scale.background for own in ranges if own.scale.background is not None})
    without = sum(own.scale.background is None for own in ranges)
    ground = ", ".join(f"{value:g}" for value in grounds[:3]) or "none found"
    if len(grounds) > 3:
        ground = f"{grounds[0]:g} to {grounds[-1]:g}"
    if grounds and without:
        ground += f", none in {without}"
    return (
        f"{low:g} to {high:g} on disk, of which {_between(zero)} becomes 0 and {_between(one)} "
        f"becomes 1; background {ground}"
    )


def _between(values: list[float]) -> str:
    first, last = f"{values[0]:.4g}", f"{values[-1]:.4g}"
    return first if first == last else f"{first} to {last}"


def _labels(survey: Survey) -> str:
    total = union(survey.counts)
    rows = [
        f"{value} ({voxels}, {sum(value in own for own in survey.counts.values())})"
        for value, voxels in list(total.items())[: 2 * _MOST_LISTED]
    ]
    more = len(total) - len(rows)
    return ", ".join(rows) + (f" and {more} more" if more else "")
