"""What a record holds for a rule: findings, their values as cells, and figures with bounds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from leakaudit.policy.model import Measure, Scope, Tail
from leakaudit.policy.wording import named
from leakaudit.record import Control, Finding, Record
from leakaudit.record.advantage import advantages_of, arrays
from leakaudit.record.estimates import RATES, advantage_figure, advantage_range, cells, figure
from leakaudit.record.part import IdentityQuestion
from leakaudit.statistics import (
    Cells,
    Direction,
    Figure,
    estimate_cells,
    percentile_estimate,
    worst_estimate,
)

Doubles = npt.NDArray[np.float64]
_SELECTED = ("adversary", "victim", "attack", "asset", "metric", "region")


class Evidence:
    """A record with what is computed from it kept, so that many rules share the work.

    Args:
        record: to read from.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self._arrays: dict[int, tuple[Doubles, Doubles]] = {}
        self._cells: dict[tuple[int, Measure], Cells | None] = {}
        self._figures: dict[tuple[int, Measure, Tail, float], Figure | None] = {}
        self._flat: dict[tuple[object, ...], list[bool]] = defaultdict(list)
        self._controls: dict[tuple[object, ...], list[Control]] = defaultdict(list)
        self._by_setting: dict[str, list[Finding]] = defaultdict(list)
        for finding in record.findings:
            self._by_setting[finding.defense].append(finding)
            if finding.converged is not None:
                self._flat[_run(finding)].append(finding.converged)
        for control in record.controls:
            self._controls[control.kind, *_question(control), control.attack].append(control)

    @cached_property
    def directions(self) -> dict[str, Direction]:
        """Which way each metric leaks."""
        return {m.name: Direction(m.direction) for m in self.record.metrics} | {
            f.metric: Direction(f.direction) for f in self.record.findings
        }

    @cached_property
    def measured(self) -> frozenset[tuple[str, str]]:
        """Which assets were measured by which metrics."""
        return frozenset((f.asset, f.metric) for f in self.record.findings)

    @cached_property
    def undefended(self) -> str:
        """Label of the setting without defenses, where one is."""
        return next((d.label for d in self.record.defenses if not d.stack), "none")

    def unattacked(self, setting: str) -> list[str]:
        """Why no attack undoes a defense of a setting, where none does."""
        return [d.unattacked for d in self.record.defenses if d.label == setting and d.unattacked]

    def selected(self, scope: Scope, setting: str) -> list[Finding]:
        """The findings a rule speaks of; those without the measure by nature are left out."""
        return [
            finding
            for finding in self._by_setting.get(setting, ())
            if in_scope(finding, scope, self.record.split.cut_names)
        ]

    def direction(self, finding: Finding, on: Measure) -> Direction:
        """Which way the measure leaks; an advantage always upwards."""
        return Direction.HIGHER if on == "advantage" else Direction(finding.direction)

    def arrays(self, finding: Finding) -> tuple[Doubles, Doubles]:
        """(seeds, patients) of values and of the blind baseline, NaN where missing."""
        key = id(finding)
        if key not in self._arrays:
            self._arrays[key] = arrays(finding)
        return self._arrays[key]

    def measure(self, finding: Finding, on: Measure) -> Doubles | None:
        """(seeds, patients) of what a rule is held against; None where it is undefined."""
        return measure(finding, on, *self.arrays(finding))

    def cells(self, finding: Finding, on: Measure) -> Cells | None:
        """The same as the statistics want it, by the record's patients and seeds."""
        key = (id(finding), on)
        if key not in self._cells:
            measured = self.measure(finding, on)
            self._cells[key] = (
                None if measured is None else cells(measured, self.record.cohort.victims)
            )
        return self._cells[key]

    def figure(self, finding: Finding, on: Measure, tail: Tail, level: float) -> Figure | None:
        """A finding's mean or tail with bounds; None where the measure is undefined."""
        key = (id(finding), on, tail, level)
        if key not in self._figures:
            self._figures[key] = self._computed(finding, on, tail, level)
        return self._figures[key]

    def _computed(self, finding: Finding, on: Measure, tail: Tail, level: float) -> Figure | None:
        direction = self.direction(finding, on)
        if tail != "mean" or finding.metric not in RATES:
            measured = self.cells(finding, on)
            if measured is None:
                return None
            if tail == "mean":
                return estimate_cells(
                    measured, direction=direction, level=level, limits=self._limits(finding, on)
                )
            if tail == "p95":
                return percentile_estimate(measured, direction=direction, level=level)
            hits = self._hits(finding, on)
            return worst_estimate(measured, direction=direction, level=level, hits=hits)
        values, blind = self.arrays(finding)
        patients = self.record.cohort.victims
        if on == "value":
            return figure(values, patients, direction=direction, rate=True, level=level)
        truth, ends = finding.ceiling_estimate, None
        if truth is not None:
            least, most = truth.one_sided_lower, truth.one_sided_upper
            ends = None if least is None or most is None else (least, most)
        return advantage_figure(
            values, blind, patients, ceiling=finding.ceiling, ceiling_ends=ends,
            chance=finding.chance, rate=True, direction=Direction(finding.direction), level=level,
        )  # fmt: skip

    def _limits(self, finding: Finding, on: Measure) -> tuple[float, float] | None:
        """The range that bounds rest on; None where the record knows none."""
        known = None
        for metric in self.record.metrics:
            if metric.name == finding.metric:
                low, high = metric.lowest, metric.highest
                known = -np.inf if low is None else low, np.inf if high is None else high
        if on == "advantage":
            return advantage_range(self.arrays(finding)[1], finding.ceiling, known)
        return known

    def _hits(self, finding: Finding, on: Measure) -> tuple[float, float] | None:
        """What a miss and a hit are worth on the scale of the measure; None: no hits."""
        if finding.metric not in RATES or (on == "advantage" and finding.chance is None):
            return None
        worth = measure(finding, on, np.array([[0.0, 1.0]]), self.arrays(finding)[1])
        return None if worth is None else (float(worth[0, 0]), float(worth[0, 1]))

    def missing(self, finding: Finding) -> int:
        """Values that are missing without a reason in the patient.

        Where the blind guess has none either, none can be given: a patient of another party in a
        horizontal split. A patient without any lesion has no lesion to rebuild and no mask to
        guess: nothing is missing there.
        """
        values, blind = self.arrays(finding)
        absent = np.isnan(values)
        if finding.blind_values:
            absent &= ~np.isnan(blind)
        if finding.region == "lesion" or finding.asset in ("masks", "attribute"):
            healthy = np.array([share == 0 for share in self.record.cohort.lesion_fraction])
            if healthy.shape == absent.shape[1:]:
                absent = absent[:, ~healthy]
        return int(absent.sum())

    def converged(self, finding: Finding) -> bool | None:
        """Whether the attack run behind it had stopped gaining; None where not measured.

        Curves are kept for the metric that verdicts are read from: they speak of the whole run.
        """
        curves = self._flat.get(_run(finding))
        return all(curves) if curves else None

    def control(self, kind: str, finding: Finding) -> Control | None:
        """The control that speaks for a finding.

        That of the same cuts; otherwise that of most cuts: where one is withheld, "all
        that cross" are fewer than on the undefended split.
        """
        known = self._controls.get((kind, *_question(finding), finding.attack), [])
        same = [control for control in known if control.cuts == finding.cuts]
        return next(iter(same), max(known, key=lambda c: len(c.cuts), default=None))


def _question(part: Finding | Control) -> tuple[str, str, str]:
    return part.adversary, part.victim, part.asset


def _run(finding: Finding) -> tuple[object, ...]:
    return finding.defense, finding.adversary, finding.victim, finding.attack, finding.cuts


def in_scope(finding: Finding, scope: Scope, cuts: Sequence[str]) -> bool:
    """Whether a rule speaks of a finding, under whichever setting.

    One without the measure by nature, such as the advantage of a metric without a ceiling, is none
    of its concern.

    Args:
        finding: of any setting.
        scope: of the rule.
        cuts: names of the split's cuts, by their numbers.
    """
    if scope.cuts is not None and set(named(scope.cuts, cuts)) != set(finding.cuts):
        return False
    wanted = {name: getattr(scope, name) for name in _SELECTED}
    if scope.question is not None and scope.question != question_of(finding):
        return False
    return (scope.on == "value" or finding.ceiling is not None) and all(
        value is None or getattr(finding, name) == value for name, value in wanted.items()
    )


def question_of(finding: Finding) -> IdentityQuestion | None:
    """What is held of the candidates; records before 1.4 ask about the same scan without saying."""
    return (finding.question or "same scan") if finding.asset == "identity" else None


def by_question(findings: Iterable[Finding]) -> dict[tuple[str, str, str], list[Finding]]:
    """Findings by adversary, victim and asset."""
    groups: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[_question(finding)].append(finding)
    return groups


def measure(finding: Finding, on: Measure, values: Doubles, blind: Doubles) -> Doubles | None:
    """What a rule is held against, cell by cell.

    Args:
        finding: says which scale its values have.
        on: the metric itself, or the advantage.
        values: (seeds, patients), NaN where missing.
        blind: the same for the blind baseline.

    Returns:
        None where the advantage is undefined.
    """
    return values if on == "value" else advantages_of(finding, values, blind)
