"""How often the gate would cry wolf: a system compared with itself, many times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from leakaudit.errors import NoValidVerdictError
from leakaudit.policy.evidence import Evidence
from leakaudit.policy.model import Budget, Regression, Scope
from leakaudit.policy.names import Known, check_names
from leakaudit.policy.reading import PolicyFile
from leakaudit.policy.validity import finding_problem
from leakaudit.record import Finding, Record
from leakaudit.statistics import clopper_pearson
from leakaudit.statistics.ends import LEVEL
from leakaudit.statistics.pivot import Pivot

Doubles = npt.NDArray[np.float64]
REPEATS = 1000
ALLOWED = 1 - LEVEL
_AT_ONCE = 50


@dataclass(frozen=True)
class FalseAlarms:
    """What comparing a system with itself came to.

    Attributes:
        rule: name of the rule whose findings were compared.
        findings: how many at once.
        alarms: comparisons that called the unchanged system worse.
        repeats: comparisons.
    """

    rule: str
    findings: int
    alarms: int
    repeats: int

    @property
    def rate(self) -> float:
        """Share of false alarms."""
        return self.alarms / self.repeats

    @property
    def at_least(self) -> float:
        """One-sided 95 % lower bound of the true rate."""
        return clopper_pearson(self.alarms, self.repeats, level=0.9).lower or 0.0

    @property
    def sound(self) -> bool:
        """Whether the rate may be the 5 % that is promised, or less."""
        return self.at_least <= ALLOWED


def false_alarms(
    file: PolicyFile, record: Record, rng: np.random.Generator, *, repeats: int = REPEATS
) -> tuple[FalseAlarms, ...]:
    """Compare a record's system with itself, at a margin of 0: the strictest there is.

    Every comparison draws the patients again, with replacement, and gives both sides replicates of
    their own: the patient's mean, plus a shift as large as the seeds' and a remainder drawn from
    the record's. The findings of a rule are tested together, as the gate does (Holm).

    Args:
        file: its rules select what is compared.
        record: the system.
        rng: draws everything.
        repeats: comparisons for each rule.

    Raises:
        NoValidVerdictError: no rule has a finding that could be compared.
    """
    evidence = Evidence(record)
    check_names(file, Known.of(evidence))
    found = []
    for placed in file.rules:
        if not isinstance(placed.rule, Budget | Regression):
            continue
        cells = _complete(evidence, placed.rule, placed.setting)
        if cells:
            found.append(_repeated(placed.name, cells, rng, repeats))
    if not found:
        raise NoValidVerdictError(
            "a self-test needs findings with several patients and seeds, without gaps",
            found=f"none in audit {record.audit_id} that {file.path.name} speaks of",
            remedy="audit more patients under more seeds",
        )
    return tuple(found)


def _complete(evidence: Evidence, scope: Scope, setting: str) -> list[Doubles]:
    """(seeds, patients) of each sound finding, leak upwards."""
    found = []
    for finding in evidence.selected(scope, setting):
        cells = _cells(evidence, finding, scope)
        if cells is not None:
            found.append(cells)
    return found


def _cells(evidence: Evidence, finding: Finding, scope: Scope) -> Doubles | None:
    if finding_problem(evidence, finding, scope):
        return None
    cells = evidence.cells(finding, scope.on)
    if cells is None or np.isnan(cells.values).any() or min(cells.values.shape) < 2:
        return None
    return evidence.direction(finding, scope.on).sign * cells.values


def _repeated(
    rule: str, findings: list[Doubles], rng: np.random.Generator, repeats: int
) -> FalseAlarms:
    alarms = 0
    # Holm's first step: the smallest p-value is held against the level over the number of tests.
    level = ALLOWED / len(findings)
    for start in range(0, repeats, _AT_ONCE):
        count = min(_AT_ONCE, repeats - start)
        alarmed = np.zeros(count, dtype=bool)
        for values in findings:
            difference = _itself(values, rng, count)
            with np.errstate(invalid="ignore", divide="ignore"):
                # No spread at all is no alarm: the comparison is NaN, and NaN is not above 0.
                paired = np.asarray(Pivot.of(difference).bound(level) > 0)
                alarmed |= paired & _seeds_agree(difference, level)
        alarms += int(alarmed.sum())
    return FalseAlarms(rule, len(findings), alarms, repeats)


def _seeds_agree(difference: Doubles, level: float) -> npt.NDArray[np.bool_]:
    """(count,) whether Student's test over the seeds' own growth calls it worse too."""
    by_seed = difference.mean(axis=-1)
    n_seeds = by_seed.shape[-1]
    margin = -special.stdtrit(n_seeds - 1, level) * by_seed.std(axis=-1, ddof=1) / np.sqrt(n_seeds)
    agree: npt.NDArray[np.bool_] = np.asarray(by_seed.mean(axis=-1) > margin)
    return agree


def _itself(values: Doubles, rng: np.random.Generator, count: int) -> Doubles:
    """(count, seeds, patients) differences of two runs of the same system."""
    n_seeds, n_patients = values.shape
    patients = rng.integers(n_patients, size=(count, n_patients))
    shared = values.mean(axis=1) - values.mean()
    rest = values - values.mean(axis=0) - shared[:, None]
    shift = float(shared.std(ddof=1))
    # Means take some of the spread away: it is brought back to size.
    rest = rest * np.sqrt(n_seeds * n_patients / ((n_seeds - 1) * (n_patients - 1)))

    def run() -> Doubles:
        # Drawn anew, not drawn again: of two or three seeds, the same draw would often come for
        # every seed, and a shift that all share looks surer than it is.
        seeds = rng.normal(0.0, shift, size=(count, n_seeds, 1))
        own = rng.integers(n_seeds, size=(count, n_seeds, n_patients))
        drawn: Doubles = seeds + rest[own, patients[:, None, :]]
        return drawn

    # The patient's own mean stands on both sides, so that it cancels: a paired comparison.
    return run() - run()
