"""The rounds of an audit: the grid first, then each search by what the rounds before found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from leakaudit.audit.bisection import Tried, least_strength, next_strength, why_over
from leakaudit.cells.finished import Finished
from leakaudit.cohorts.cohort import Group
from leakaudit.judgement.answer import hopeless
from leakaudit.judgement.assemble import Frame, findings_of, held, measured
from leakaudit.judgement.price import (
    dice_cells,
    dice_estimates,
    idle_cells,
    main_region,
    segments_nothing,
)
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.sweep import Sweep
from leakaudit.plan.tables import DefenseStack
from leakaudit.record import SearchSummary, Standing, TargetSummary

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


def search(frame: Frame, one_round: Round) -> Searched:
    """Run rounds until every search is over; without a search, one round.

    What a search tries next follows from finished cells alone: an interrupted search that is run
    again walks the same way, and computes only what is missing.

    Args:
        frame: what stays the same, the configuration among it.
        one_round: runs and reads.
    """
    asked = frame.asked
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
        judge = _judge(frame, configuration, done)
        for each, place in due:
            if place is not None:
                each.tried[place] = judge(each.stacks[place].label)
                each.order.append(place)
    return Searched(configuration, done, tuple(_summary(each, done, asked) for each in running))


def _judge(
    frame: Frame, configuration: AuditConfiguration, done: Finished
) -> Callable[[str], Tried]:
    """What a setting came to, by its label."""
    found = findings_of(configuration, done)
    record = measured(frame, configuration, done, found)
    targets, stand = held(frame, record, found)
    region = main_region(done.trainings, tuple(frame.given.cohort.regions))
    dice = dice_estimates(record.utility, region)

    floor = configuration.judgement.least_dice
    patients = frame.given.groups.patients[Group.VALIDATION]
    drawn, idle = (of(done.trainings, region, patients) for of in (dice_cells, idle_cells))
    bare = drawn.get(found.undefended)
    works = not segments_nothing(bare, idle.get(found.undefended))

    def judged(setting: str) -> Tried:
        mine = [each for each in stand if each.setting == setting]
        dead = works and segments_nothing(drawn.get(setting), idle.get(setting), bare)
        return came_to(mine, targets, useless=dead or hopeless(dice.get(setting), floor))

    return judged


def came_to(
    standings: Sequence[Standing], targets: Sequence[TargetSummary], *, useless: bool
) -> Tried:
    """What one strength came to.

    Args:
        standings: its own, to every target.
        targets: budgets on leakage, and floors that Dice must keep.
        useless: its Dice is surely below `least_dice`, or its network draws nothing.
    """
    leaks = [each.outcome for each in standings if targets[each.target].kind == "leakage"]
    floors = [each.outcome for each in standings if targets[each.target].kind == "utility"]
    meets = bool(leaks) and all(outcome == "met" for outcome in leaks)
    # Above a rung that leaks too much a floor ends the search where it is surely broken; on one
    # that does not, it must surely hold.
    sunk = any(outcome != "met" if meets else outcome == "exceeded" for outcome in floors)
    return Tried(meets=meets, hopeless=useless or sunk)


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
    """Cells that one setting takes: a training and every repeat of its attacks, per seed."""
    attacks = {
        (attack.adversary, attack.attack, attack.repeat)
        for attack in done.attacks
        if attack.training.setting in labels
    }
    return len(seeds) * (1 + len(attacks))
