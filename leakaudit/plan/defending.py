"""Settings that no training could start with are refused before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Defense
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.stack import check_claims, resolve
from leakaudit.exchange.update import WeightUpdates
from leakaudit.plan.cells import CohortChoice
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.materials import Materials, exposure_of
from leakaudit.plan.plan import training_of
from leakaudit.plan.strengths import check_strengths
from leakaudit.plugins import Kind, build
from leakaudit.split.spec import SplitSpec


def check_defenses(
    configuration: AuditConfiguration, choice: CohortChoice, given: Materials
) -> None:
    """Refuse, before anything runs, settings that no training could start with.

    Args:
        configuration: its defenses, those of sweeps included, and its sweeps.
        choice: the cohort, pinned by its fingerprint.
        given: the same, loaded.

    Raises:
        ConfigurationError: a defense does not exist, cannot stand in this split or beside another,
            reaches no target, claims no sensible epsilon, or a sweep's strengths are out of order.
    """
    for sweep in configuration.sweep:
        check_strengths(sweep)
    for stack in configuration.defenses:
        built = [build(Kind.DEFENSE, use.use, use.settings) for use in stack.stack]
        cell = training_of(configuration, choice, stack, configuration.seeds[0])
        exposure = exposure_of(given, cell.training)
        try:
            resolved = resolve(built, configuration.split, exposure)
            check_claims(resolved, configuration.split, exposure)
            _check_builds(configuration.split, resolved, given)
        except ConfigurationError as problem:
            raise ConfigurationError(
                f"setting {stack.label!r}: {problem.rule}",
                found=problem.found,
                remedy=problem.remedy,
            ) from None


def _check_builds(split: SplitSpec, defenses: Sequence[Defense], given: Materials) -> None:
    """Put the defenses on somebody's own network, which not every one of them can stand in."""
    if split.is_reference:
        return
    space = given.cohort.space
    network = Network(split, len(given.cohort.regions), space, defenses, seed=0)
    with WeightUpdates(network, defenses):
        pass
