"""Settings that no training could start with are refused before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Defense
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.message import Link
from leakaudit.exchange.stack import check_claims, resolve
from leakaudit.exchange.update import WeightUpdates
from leakaudit.plan.cells import CohortChoice
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.materials import Materials, exposure_of
from leakaudit.plan.plan import training_of
from leakaudit.plan.strengths import check_strengths
from leakaudit.plugins import Kind, build
from leakaudit.split.spec import SplitSpec
from leakaudit.training.loop import randomness
from leakaudit.training.step import Batch, exchange

_SAMPLES = 2


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
            _check_step(configuration.split, resolved, given)
        except ConfigurationError as problem:
            raise ConfigurationError(
                f"setting {stack.label!r}: {problem.rule}",
                found=problem.found,
                remedy=problem.remedy,
            ) from None


def _check_step(split: SplitSpec, defenses: Sequence[Defense], given: Materials) -> None:
    """One training step of somebody's own network, which not every defense can stand in."""
    if split.is_reference:
        return
    space, regions = given.cohort.space, len(given.cohort.regions)
    parties = split.parties[:1] if split.orientation == "horizontal" else split.parties
    rng = torch.Generator().manual_seed(0)
    images = {
        party.name: torch.rand(_SAMPLES, len(party.modalities), *space, generator=rng)
        for party in parties
    }
    masks = (torch.rand(_SAMPLES, regions, *space, generator=rng) > 0.5).float()
    network = Network(split, regions, space, defenses, seed=0)
    rngs = randomness(split, 0)
    try:
        with WeightUpdates(network, defenses) as updates, torch.random.fork_rng(devices=[]):
            exchange(network, Link(), Batch(images, masks, torch.arange(_SAMPLES), 0, 0), rngs)
            updates.rewrite(rngs)
    except ConfigurationError:
        raise
    except Exception as problem:
        raise ConfigurationError(
            "a training step of the network must run under the defenses",
            found=f"{type(problem).__name__}: {str(problem).splitlines()[0]}",
            remedy="use another defense, or cut the network elsewhere",
        ) from None
