"""How many patients an audit has in every group, found out as cheaply as can be."""

from __future__ import annotations

from leakaudit.cohorts.cohort import CohortSource, Group
from leakaudit.cohorts.groups import Groups, group_sizes, split_patients
from leakaudit.cohorts.phantom import Phantom
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plugins import Kind, build


def sizes_of(groups: Groups) -> dict[Group, int]:
    """Patients in every group that was drawn."""
    return {group: len(groups.patients[group]) for group in Group}


def planned_sizes(configuration: AuditConfiguration) -> dict[Group, int]:
    """Patients in every group: generated ones are counted, others are read through their loader.

    Raises:
        ConfigurationError: the cohort or one of its settings does not exist.
        DataError: the data breaks a rule, or a group would be empty.
    """
    chosen = configuration.cohort
    source: CohortSource = build(Kind.COHORT, chosen.use, chosen.settings)
    if isinstance(source, Phantom):
        return group_sizes(configuration.groups, source.patients)
    return sizes_of(split_patients(source.load(), configuration.groups))
