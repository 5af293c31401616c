"""From cases read one at a time to a cohort: persons, studies, sites, and what is odd."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts._labels import Counts, LabelPlan
from leakaudit.cohorts._oddities import with_oddities
from leakaudit.cohorts._persons import Owner
from leakaudit.cohorts._pseudonyms import pseudonyms
from leakaudit.cohorts._scaling import Scale
from leakaudit.cohorts._spool import Spool, gathered
from leakaudit.cohorts.checks import (
    check_any_patients,
    check_cohort,
    copied_pairs,
)
from leakaudit.cohorts.cohort import ByteArray, Cohort, FloatArray
from leakaudit.cohorts.faults import raise_all
from leakaudit.errors import DataError

# Images of two persons never agree so far; the same image saved anew does.
_SAME_IMAGE = 0.9995
_SIGNATURE_POINTS = 12


@dataclass(frozen=True)
class Range:
    """One modality of one case before scaling, and its scale."""

    low: float
    high: float
    scale: Scale


@dataclass(frozen=True)
class CaseSamples:
    """What one visit of one person contributes.

    Attributes:
        original: the name on disk; goes no further than this package.
        owner: whose it is.
        images: (n, m, *space) in [0, 1].
        labels: (n, *space).
        positions: (n,).
        signature: (points,) of the first modality on a coarse grid, to find copies.
        shape: of the files.
        spacing: mm, where the files say.
        ranges: modality to its values on disk.
        notes: what was odd; the same words for every patient it is true of.
    """

    original: str
    owner: Owner
    images: FloatArray
    labels: ByteArray
    positions: npt.NDArray[np.int64]
    signature: FloatArray
    shape: tuple[int, ...]
    spacing: tuple[float, ...] | None
    ranges: Mapping[str, Range]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """A cohort and what a reader should know before using it.

    Attributes:
        cohort: as it will be audited.
        counts: label values per file, with voxels.
        ranges: modality to the range of each case.
        shapes: (h, w) or (d, h, w) of each case on disk.
        spacings: mm of each case, where known.
        passed_over: hidden folders that were not looked into.
    """

    cohort: Cohort
    counts: Counts
    ranges: Mapping[str, tuple[Range, ...]]
    shapes: tuple[tuple[int, ...], ...]
    spacings: tuple[tuple[float, ...], ...]
    passed_over: tuple[str, ...] = field(default=())


def signature_of(image: FloatArray) -> FloatArray:
    """(points,) of one scaled image on a coarse grid; the same whatever is labelled."""
    places = [
        np.linspace(0, n - 1, min(n, _SIGNATURE_POINTS)).round().astype(int) for n in image.shape
    ]
    return np.asarray(image[np.ix_(*places)], dtype=np.float32).reshape(-1)


def stacked(
    cases: Iterable[CaseSamples],
    faults: list[DataError],
    *,
    name: str,
    modalities: tuple[str, ...],
    plan: LabelPlan,
    scaling: str,
    counts: Counts,
    warnings: Sequence[str],
    key: Callable[[], str],
    where: Path,
    shareable: bool,
    leave_out_copied: bool,
    passed_over: tuple[str, ...],
) -> Survey:
    """One cohort, ordered by pseudonym and study.

    Args:
        cases: read one at a time; while they are, `faults` fills.
        faults: what could not be read.
        name: of the cohort.
        modalities: in channel order.
        plan: what the labels mean.
        scaling: the rule, as a sentence.
        counts: label values per file.
        warnings: what is odd already.
        key: gives what orders the pseudonyms.
        where: the folder, for messages.
        shareable: may pictures be shown.
        leave_out_copied: leave out persons with a copied modality.
        passed_over: hidden folders.

    Raises:
        DataError: cases break rules, or no patient is left.
    """
    kept: list[CaseSamples] = []
    spool = Spool()
    copied: dict[str, list[tuple[int, int]]] = {}
    for case in cases:
        kept.append(replace(case, images=spool.aside(case.images)))
        if pairs := copied_pairs(case.images):
            copied.setdefault(case.owner.person, []).extend(pairs)
    faults += _twice(kept)
    raise_all(faults)
    secret = key()
    table = pseudonyms((case.owner.person for case in kept), secret)
    notes = [*warnings, *plan.notes]
    notes += _copied_notes(copied, table, modalities, leave_out_copied=leave_out_copied)
    notes += _case_notes(kept, table)
    if leave_out_copied:
        kept = [case for case in kept if case.owner.person not in copied]
    check_any_patients(kept, where, "patients without copied modalities")
    _check_one_size(kept)
    kept.sort(key=lambda case: (table[case.owner.person], case.owner.study or "", case.original))
    counted = [len(case.labels) for case in kept]
    study, site = _studies(kept), _sites(kept, secret)
    cohort = Cohort(
        name=name,
        modalities=modalities,
        images=gathered([case.images for case in kept]),
        labels=np.concatenate([case.labels for case in kept]),
        regions=dict(plan.regions),
        patients=np.repeat(np.array([table[case.owner.person] for case in kept]), counted),
        positions=np.concatenate([case.positions for case in kept]),
        scaling=scaling,
        shareable=shareable,
        study=None if study is None else np.repeat(study, counted),
        site=None if site is None else np.repeat(site, counted),
        warnings=tuple(notes),
    )
    check_cohort(cohort)
    return Survey(
        cohort=with_oddities(cohort),
        counts=counts,
        ranges={modality: tuple(case.ranges[modality] for case in kept) for modality in modalities},
        shapes=tuple(case.shape for case in kept),
        spacings=tuple(case.spacing for case in kept if case.spacing is not None),
        passed_over=passed_over,
    )


def _check_one_size(cases: Sequence[CaseSamples]) -> None:
    sizes = {case.images.shape[1:]: case.original for case in cases}
    if len(sizes) > 1:
        (first, a), (second, b) = list(sizes.items())[:2]
        raise DataError(
            "all samples must have one size",
            found=f"{b!r} is {second}, {a!r} is {first}",
            remedy="set `size` under [cohort]: images are padded to a square and resampled",
        )


def _twice(cases: Sequence[CaseSamples]) -> list[DataError]:
    """Names that occur twice, and images of one person under the name of another."""
    found: list[DataError] = []
    first: dict[tuple[str, str | None], str] = {}
    for case in cases:
        owner = (case.owner.person, case.owner.study)
        if owner in first:
            found.append(
                DataError(
                    "each patient must occur once, or once per study",
                    found=f"{first[owner]!r} and {case.original!r}",
                    remedy="leave one out with `exclude`, or name persons and studies with "
                    "`person_pattern`",
                )
            )
        first.setdefault(owner, case.original)
    groups: dict[tuple[int, ...], list[CaseSamples]] = {}
    for case in cases:
        groups.setdefault((*case.shape, len(case.signature)), []).append(case)
    for alike in groups.values():
        found += _copies(alike)
    return found


def _copies(cases: Sequence[CaseSamples]) -> list[DataError]:
    points = np.stack([case.signature for case in cases]).astype(np.float64)
    points -= points.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(points, axis=1, keepdims=True)
    points /= np.where(sizes > 0, sizes, 1)
    found = []
    for at, case in enumerate(cases):
        rest = cases[at + 1 :]
        for later in np.flatnonzero(points[at + 1 :] @ points[at] > _SAME_IMAGE).tolist():
            other = rest[later]
            if other.owner.person != case.owner.person:
                found.append(
                    DataError(
                        "no image may belong to two persons",
                        found=f"{case.original!r} and {other.original!r} hold the same",
                        remedy="leave one out with `exclude`, or make them one person with "
                        "`person_pattern`",
                    )
                )
    return found


def _studies(cases: Sequence[CaseSamples]) -> npt.NDArray[np.int64] | None:
    """(cases,) numbered from 0 within each person; None where no name says a study."""
    if all(case.owner.study is None for case in cases):
        return None
    own: dict[str, list[str]] = {}
    for case in cases:
        own.setdefault(case.owner.person, []).append(case.owner.study or "")
    order = {person: sorted(set(studies)) for person, studies in own.items()}
    return np.array(
        [order[case.owner.person].index(case.owner.study or "") for case in cases], dtype=np.int64
    )


def _sites(cases: Sequence[CaseSamples], key: str) -> npt.NDArray[np.str_] | None:
    """(cases,) pseudonyms of the sites; None where not every case says one."""
    named = [case.owner.site for case in cases if case.owner.site is not None]
    if len(named) < len(cases):
        return None
    table = pseudonyms(named, key, "S")
    return np.array([table[site] for site in named])


def _copied_notes(
    copied: Mapping[str, Sequence[tuple[int, int]]],
    table: Mapping[str, str],
    modalities: tuple[str, ...],
    *,
    leave_out_copied: bool,
) -> list[str]:
    owners: dict[tuple[int, int], set[str]] = {}
    for original, pairs in copied.items():
        for pair in pairs:
            owners.setdefault(pair, set()).add(table[original])
    done = "left out" if leave_out_copied else "set leave_out_copied to leave them out"
    return [
        f"{modalities[first]} and {modalities[second]} are identical in "
        f"{', '.join(sorted(names))}: a copied channel makes leakage trivially perfect; {done}"
        for (first, second), names in sorted(owners.items())
    ]


def _case_notes(cases: Sequence[CaseSamples], table: Mapping[str, str]) -> list[str]:
    owners: dict[str, set[str]] = {}
    for case in cases:
        for note in case.notes:
            owners.setdefault(note, set()).add(table[case.owner.person])
    return [f"{note} in {', '.join(sorted(names))}" for note, names in sorted(owners.items())]
