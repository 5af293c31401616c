"""What changed between two audits: paired on the same patients and seeds, corrected for many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from leakaudit.errors import DataError
from leakaudit.record.advantage import advantages
from leakaudit.record.costs import Utility
from leakaudit.record.estimates import as_array
from leakaudit.record.leakage import Finding, Verdict
from leakaudit.record.model import Record
from leakaudit.statistics import Cells, Direction, compare, holm

Doubles = npt.NDArray[np.float64]
ALPHA = 0.05
"""Error rate over all answers together (Holm), two-sided."""


class Shift(StrEnum):
    """How an answer moved."""

    MORE = "leaks more"
    LESS = "leaks less"
    SAME = "the same"
    OPEN = "no change shown"
    UNPAIRED = "not comparable"
    NEW = "not audited before"
    GONE = "not audited now"


@dataclass(frozen=True)
class Difference:
    """Now minus before, mean over patients, with its 95 % interval.

    Attributes:
        mean: of the per-patient differences.
        lower: lower end of the interval; None where undefined.
        upper: upper end.
        patients: patients measured in both.
        p_value: two-sided, of no difference; None where undefined.
        at_least: one-sided 95 % bound, also where there is no interval; None where undefined.
        at_most: the other one.
    """

    mean: float
    lower: float | None
    upper: float | None
    patients: int
    p_value: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """The interval, or the bounds from one side where there is none."""
        if self.lower is None or self.upper is None:
            return self.at_least, self.at_most
        return self.lower, self.upper

    def overlaps(self, other: Difference) -> bool:
        """Whether the two intervals share a value, or one is missing."""
        if self.lower is None or self.upper is None:
            return True
        if other.lower is None or other.upper is None:
            return True
        return self.lower <= other.upper and other.lower <= self.upper


@dataclass(frozen=True)
class Answer:
    """One answer then and now: an adversary, a victim, an asset, a setting.

    Attributes:
        before: the earlier verdict; None where it was not asked.
        now: the later one.
        shift: how it moved.
        difference: of the advantage of the attack that is strongest now; None where not paired.
        reason: why it is not comparable; empty otherwise.
    """

    before: Verdict | None
    now: Verdict | None
    shift: Shift
    difference: Difference | None = None
    reason: str = ""

    @property
    def verdict(self) -> Verdict:
        """The later verdict, or the earlier one where there is no later."""
        found = self.now or self.before
        if found is None:
            raise DataError("an answer has a verdict before or now")
        return found


@dataclass(frozen=True)
class Paired:
    """One estimate of both audits.

    Attributes:
        before: the earlier finding or utility.
        now: the later one.
        difference: now minus before; None where no patient was measured in both.
    """

    before: Finding | Utility
    now: Finding | Utility
    difference: Difference | None


@dataclass(frozen=True)
class Changes:
    """Everything that differs between two audits.

    Attributes:
        same_patients: the data are the same, so that patients can be paired.
        answers: what moved most towards leaking first.
        findings: every estimate that both have.
        utility: Dice and distances that both have.
    """

    same_patients: bool
    answers: tuple[Answer, ...]
    findings: tuple[Paired, ...]
    utility: tuple[Paired, ...]

    def count(self, shift: Shift) -> int:
        """How many answers moved so."""
        return sum(answer.shift is shift for answer in self.answers)


def changes(before: Record, now: Record) -> Changes:
    """Compare two audits; nothing is paired where the data differ."""
    same = before.cohort.fingerprint == now.cohort.fingerprint
    seeds = (before.seeds, now.seeds)
    victims = (before.cohort.victims, now.cohort.victims)
    validation = (before.cohort.validation_patients, now.cohort.validation_patients)
    earlier = {_kind(f): f for f in before.findings}
    findings = tuple(
        Paired(was, f, _gain(was, f, victims, seeds) if same else None)
        for f in now.findings
        if (was := earlier.get(_kind(f))) is not None
    )
    known = {(u.setting, u.region, u.metric): u for u in before.utility}
    utility = tuple(
        Paired(old, u, _paired(as_array(old.values), as_array(u.values), validation, seeds)
               if same else None)
        for u in now.utility
        if (old := known.get((u.setting, u.region, u.metric))) is not None
    )  # fmt: skip
    return Changes(same, _answers(before, now, findings, same), findings, utility)


def _answers(
    before: Record, now: Record, findings: Sequence[Paired], same: bool
) -> tuple[Answer, ...]:
    earlier = {_question(v): v for v in before.verdicts}
    later = {_question(v): v for v in now.verdicts}
    paired = {_kind(pair.now): pair for pair in findings if isinstance(pair.now, Finding)}
    found = [
        _answer(earlier.get(key), later.get(key), paired, same)
        for key in dict.fromkeys([*later, *earlier])
    ]
    return tuple(sorted(_corrected(found), key=_gravity))


def _answer(
    was: Verdict | None,
    verdict: Verdict | None,
    paired: dict[tuple[object, ...], Paired],
    same: bool,
) -> Answer:
    if was is None or verdict is None:
        return Answer(was, verdict, Shift.NEW if was is None else Shift.GONE)
    if verdict.attack is None and was.attack is None:
        return Answer(was, verdict, Shift.SAME)
    if not same:
        return Answer(was, verdict, Shift.UNPAIRED, reason="the patients differ")
    pair = paired.get((*_question(verdict), verdict.attack, verdict.cuts, verdict.metric,
                       verdict.region or "whole"))  # fmt: skip
    if pair is None or pair.difference is None:
        return Answer(
            was, verdict, Shift.UNPAIRED,
            reason="the strongest attack now has no counterpart before",
        )  # fmt: skip
    # What moved is decided once all p-values are known.
    return Answer(was, verdict, Shift.OPEN, pair.difference)


def _corrected(answers: Iterable[Answer]) -> list[Answer]:
    """Shifts by Holm's procedure over every answer that has a p-value."""
    given = list(answers)
    tested = [
        place
        for place, answer in enumerate(given)
        if answer.difference is not None and answer.difference.p_value is not None
    ]
    adjusted = dict(zip(tested, holm([_p(given[place]) for place in tested]), strict=True))
    for place, answer in enumerate(given):
        if answer.difference is None:
            continue
        if place in adjusted and adjusted[place] < ALPHA:
            more = answer.difference.mean > 0
            given[place] = replace(answer, shift=Shift.MORE if more else Shift.LESS)
        elif answer.difference.p_value is None and answer.difference.mean == 0:
            given[place] = replace(answer, shift=Shift.SAME)
    return given


def _p(answer: Answer) -> float:
    value = None if answer.difference is None else answer.difference.p_value
    return 1.0 if value is None else value


def _gravity(answer: Answer) -> tuple[int, float]:
    order = (Shift.MORE, Shift.NEW, Shift.UNPAIRED, Shift.OPEN, Shift.LESS, Shift.SAME, Shift.GONE)
    size = 0.0 if answer.difference is None else answer.difference.mean
    return order.index(answer.shift), -size


def _gain(
    was: Finding, now: Finding, patients: tuple[Sequence[str], Sequence[str]],
    seeds: tuple[Sequence[int], Sequence[int]],
) -> Difference | None:  # fmt: skip
    """In advantage over blind; in the metric itself, its sign turned to leakage, without one."""
    tables = advantages(was), advantages(now)
    if tables[0] is not None and tables[1] is not None:
        return _paired(tables[0], tables[1], patients, seeds)
    sign = Direction(now.direction).sign
    return _paired(sign * as_array(was.values), sign * as_array(now.values), patients, seeds)


def _paired(
    was: Doubles, now: Doubles, patients: tuple[Sequence[str], Sequence[str]],
    seeds: tuple[Sequence[int], Sequence[int]],
) -> Difference | None:  # fmt: skip
    try:
        found = compare(
            cells_by_name(now, patients[1], seeds[1]),
            cells_by_name(was, patients[0], seeds[0]),
            direction=Direction.HIGHER,
        )
    except DataError:
        return None
    figure = found.difference
    if figure.mean is None:
        return None
    return Difference(
        figure.mean, figure.lower, figure.upper, figure.n_patients, found.p_value,
        figure.at_least, figure.at_most,
    )  # fmt: skip


def cells_by_name(table: Doubles, patients: Sequence[str], seeds: Sequence[int]) -> Cells:
    """A (seeds, patients) table as the statistics take it: what is wholly missing is left out.

    Raises:
        DataError: the table has another shape than its names.
    """
    if table.shape != (len(seeds), len(patients)):
        raise DataError(
            "a table has a row per seed and a column per patient",
            found=f"{table.shape} for {len(seeds)} seeds and {len(patients)} patients",
        )
    seen = np.isfinite(table)
    some, runs = np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))
    kept = table[runs][:, some]
    return Cells(
        values=kept,
        patients=tuple(patients[place] for place in some.tolist()),
        seeds=tuple(seeds[run] for run in runs.tolist()),
        n_samples=int(np.isfinite(kept).sum()),
        n_missing=int(table.size - seen.sum()),
    )


def _question(verdict: Verdict) -> tuple[str, str, str, str]:
    return verdict.defense, verdict.adversary, verdict.victim, verdict.asset


def _kind(finding: Finding) -> tuple[object, ...]:
    return (
        finding.defense, finding.adversary, finding.victim, finding.asset, finding.attack,
        finding.cuts, finding.metric, finding.region,
    )  # fmt: skip
