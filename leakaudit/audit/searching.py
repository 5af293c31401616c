"""The rounds of an audit: the grid first, then each search by what the rounds before found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from leakaudit.audit.answer import hopeless
from leakaudit.audit.assemble import Finished
from leakaudit.audit.bisection import Tried, least_strength, next_strength, why_over
from leakaudit.audit.configuration import AuditConfiguration
from leakaudit.audit.findings import gather
from leakaudit.audit.materials import Materials
from leakaudit.audit.price import dice_estimates, main_region
from leakaudit.audit.standing import Findings, standing, targets_of
from leakaudit.audit.sweep import Sweep
from leakaudit.audit.tables import DefenseStack
from leakaudit.audit.utility import utility
from leakaudit.audit.verdicts import controls
from leakaudit.cohorts.cohort import Group
from leakaudit.record.model import SearchSummary

Round = Callable[[AuditConfiguration], Finished]
"""Runs every cell of a configuration that is not finished, and reads them all."""


@dataclass
class _Search:
    """One search under way."""

    sweep: Sweep
    tried: dict[int, Tried] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)

    @property
    def stacks(self) -> tuple[DefenseStack, ...]:
        return self.sweep.stacks

    @property
    def due(self) -> int | None:
        return next_strength(len(self.stacks), self.tried)

    def audited(self) -> tuple[DefenseStack, ...]:
        """What was tried and what is due, weakest first."""
        places = {*self.tried, *(() if self.due is None else (self.due,))}
        return tuple(self.stacks[place] for place in sorted(places))


@dataclass(frozen=True, eq=False)
class Searched:
    """What all rounds came to.

    Attributes:
        configuration: every audited setting listed under its defenses.
        done: finished cells of the last round: those of all settings.
        searches: for the record.
    """

    configuration: AuditConfiguration
    done: Finished
    searches: tuple[SearchSummary, ...]


def search(asked: AuditConfiguration, given: Materials, one_round: Round) -> Searched:
    """Run rounds until every search is over; without a search, one round.

    What a search tries next follows from finished cells alone: an interrupted search that is run
    again walks the same way, and computes only what is missing.

    Args:
        asked: as configured.
        given: the cohort.
        one_round: runs and reads.
    """
    running = [_Search(sweep) for sweep in asked.sweep if sweep.search == "least"]
    fixed = (
        *asked.defenses,
        *(stack for sweep in asked.sweep if sweep.search == "grid" for stack in sweep.stacks),
    )
    while True:
        due = [(each, each.due) for each in running]
        listed = (*fixed, *(stack for each in running for stack in each.audited()))
        configuration = asked.model_copy(update={"defenses": listed})
        done = one_round(configuration)
        if all(place is None for _, place in due):
            break
        judge = _judge(configuration, given, done)
        for each, place in due:
            if place is not None:
                each.tried[place] = judge(each.stacks[place].label)
                each.order.append(place)
    return Searched(configuration, done, tuple(_summary(each, done, asked) for each in running))


def _judge(
    configuration: AuditConfiguration, given: Materials, done: Finished
) -> Callable[[str], Tried]:
    """What a setting came to, by its label."""
    gathered = gather(done.attacks.items())
    label = configuration.undefended
    found = Findings(gathered, controls(gathered, label), label, configuration.judgement.threshold)
    targets = targets_of(configuration, found)
    region = main_region(done.trainings, tuple(given.cohort.regions))
    dice = dice_estimates(utility(done.trainings, given.groups.patients[Group.VALIDATION]), region)

    def judged(setting: str) -> Tried:
        standings = [standing(setting, n, target, found) for n, target in enumerate(targets)]
        return Tried(
            meets=bool(standings) and all(each.outcome == "met" for each in standings),
            hopeless=hopeless(dice.get(setting), configuration.judgement.least_dice),
        )

    return judged


def _summary(each: _Search, done: Finished, asked: AuditConfiguration) -> SearchSummary:
    labels = [stack.label for stack in each.stacks]
    found = least_strength(len(labels), each.tried)
    return SearchSummary(
        title=each.sweep.title,
        setting=next(iter(each.sweep.swept)),
        strengths=tuple(labels),
        tried=tuple(labels[place] for place in each.order),
        found=None if found is None else labels[found],
        reason=why_over(len(labels), each.tried),
        cells_saved=(len(labels) - len(each.tried)) * _cells_of_one(done, labels, asked.seeds),
    )


def _cells_of_one(done: Finished, labels: Sequence[str], seeds: Sequence[int]) -> int:
    """Cells that one setting takes: a training and its attacks, under every seed."""
    attacks = {
        (attack.adversary, attack.attack)
        for attack in done.attacks
        if attack.training.setting in labels
    }
    return len(seeds) * (1 + len(attacks))
