"""Cohorts: where patients come from, what is checked about them, how they are grouped."""

from __future__ import annotations

from leakaudit.cohorts.cohort import Cohort, CohortSource, Group
from leakaudit.cohorts.groups import Groups, GroupSettings, check_disjoint, split_patients

__all__ = [
    "Cohort",
    "CohortSource",
    "Group",
    "GroupSettings",
    "Groups",
    "check_disjoint",
    "split_patients",
]
