"""How sure an audit may be: intervals over patients and seeds, comparisons, verdicts."""

from leakaudit.statistics.direction import Direction

__all__ = ["Direction"]
