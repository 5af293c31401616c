"""Who stands in the line-up: people an adversary could name, in an order that says nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts.cohort import Group
from leakaudit.errors import NotMountableError
from leakaudit.plan.materials import Materials
from leakaudit.threat.view import Asset

Rows = npt.NDArray[np.int64]

# The order is part of the question, like the groups: the same for every seed of an audit.
_SEED = 0


@dataclass(frozen=True, eq=False)
class Lineup:
    """Which samples are attacked, and who may be behind them.

    Attributes:
        attacked: samples under attack, as indices into the cohort.
        candidates: (c,) one sample of every candidate, in an order that says nothing.
    """

    attacked: Rows
    candidates: Rows


def line_up(given: Materials, goal: Asset, victims: int | None, *, shuffled: bool) -> Lineup:
    """Draw the line-up that an attack is put before.

    Identity: every attacked patient stands in it with its middle sample, which is not attacked
    itself. Membership: every attacked and every validation patient, each with its middle sample.
    All other attacks face the attacked samples and nobody to name.

    Args:
        given: cohort and groups.
        goal: what the attack recovers.
        victims: attack at most this many training patients.
        shuffled: as a negative control. Messages handed to the wrong patients are still those of
            members; so for membership the messages are those of one half of the victims, and it is
            the other half that stands in the line-up.

    Raises:
        NotMountableError: too few patients can stand in it.
    """
    rows = given.victim_rows(victims).numpy()
    match goal:
        case "identity":
            return _among_victims(given, rows)
        case "membership":
            return _beside_outsiders(given, rows, shuffled)
        case _:
            return Lineup(rows, rows[:0])


def _among_victims(given: Materials, rows: Rows) -> Lineup:
    owners = given.cohort.patients[rows]
    names, counts = np.unique(owners, return_counts=True)
    several = names[counts > 1]
    if len(several) < 2:
        raise NotMountableError(
            "a line-up needs two attacked patients with two samples each: one to attack, one to "
            "know them by",
            found=f"{len(several)} such patients",
            remedy="take several slices or patches per patient",
        )
    held = _middles(given, rows, several)
    attacked = rows[np.isin(owners, several) & ~np.isin(rows, held)]
    return Lineup(attacked, _mixed(held))


def _beside_outsiders(given: Materials, rows: Rows, shuffled: bool) -> Lineup:
    outsiders = given.groups.patients[Group.VALIDATION]
    members = np.unique(given.cohort.patients[rows])
    if not outsiders or len(members) < 2:
        raise NotMountableError(
            "membership is told of two patients who were in training, and one who was not",
            found=f"{len(members)} attacked patients, {len(outsiders)} validation patients",
            remedy="give some patients to the validation group",
        )
    attacked = rows
    if shuffled:
        members = np.random.default_rng(_SEED).permutation(members)
        half = len(members) // 2
        attacked = rows[np.isin(given.cohort.patients[rows], members[:half])]
        members = members[half:]
    others = given.groups.indices[Group.VALIDATION]
    held = [_middles(given, rows, members), _middles(given, others, outsiders)]
    return Lineup(attacked, _mixed(np.concatenate(held)))


def _middles(given: Materials, rows: Rows, patients: Iterable[str]) -> Rows:
    """Each patient's middle sample: of all patients it shows the same part of the head."""
    chosen = []
    for name in patients:
        mine = rows[given.cohort.patients[rows] == name]
        ordered = mine[np.argsort(given.cohort.positions[mine], kind="stable")]
        chosen.append(ordered[len(ordered) // 2])
    return np.array(chosen, dtype=np.int64)


def _mixed(rows: Rows) -> Rows:
    return np.random.default_rng(_SEED).permutation(rows)
