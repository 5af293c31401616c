"""How sure an audit may be: intervals over patients and seeds, comparisons, verdicts."""

from leakaudit.statistics.direction import Direction
from leakaudit.statistics.estimate import (
    Cells,
    Estimate,
    cells_of,
    estimate,
    estimate_cells,
)

__all__ = ["Cells", "Direction", "Estimate", "cells_of", "estimate", "estimate_cells"]
