"""How sure an audit may be: intervals over patients and seeds, comparisons, verdicts."""

from leakaudit.statistics.bounded import seeds_margin
from leakaudit.statistics.comparison import (
    Comparison,
    Outcome,
    Strongest,
    against_baseline,
    against_budget,
    compare,
    corrected_level,
    holm,
    strongest,
    strongest_figure,
    terciles,
)
from leakaudit.statistics.direction import Direction
from leakaudit.statistics.estimate import (
    Cells,
    Figure,
    cells_of,
    estimate,
    estimate_cells,
)
from leakaudit.statistics.patients import (
    PatientBounds,
    patient_bounds,
    patients_above,
    worst_estimate,
)
from leakaudit.statistics.rates import (
    Bounds,
    clopper_pearson,
    estimate_rate,
    percentile_bounds,
    wilson,
)
from leakaudit.statistics.tails import percentile_estimate
from leakaudit.statistics.verdict import Controls, Judgement, Verdict, judge

__all__ = [
    "Bounds",
    "Cells",
    "Comparison",
    "Controls",
    "Direction",
    "Figure",
    "Judgement",
    "Outcome",
    "PatientBounds",
    "Strongest",
    "Verdict",
    "against_baseline",
    "against_budget",
    "cells_of",
    "clopper_pearson",
    "compare",
    "corrected_level",
    "estimate",
    "estimate_cells",
    "estimate_rate",
    "holm",
    "judge",
    "patient_bounds",
    "patients_above",
    "percentile_bounds",
    "percentile_estimate",
    "seeds_margin",
    "strongest",
    "strongest_figure",
    "terciles",
    "wilson",
    "worst_estimate",
]
