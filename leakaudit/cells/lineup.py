"""Who stands in the line-up: people an adversary could name, in an order that says nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakaudit.cohorts.cohort import Group
from leakaudit.errors import NotMountableError
from leakaudit.plan.materials import Materials
from leakaudit.threat.knowledge import IdentityQuestion
from leakaudit.threat.target import Asset

Rows = npt.NDArray[np.int64]

# The order is part of the question, like the groups: the same for every seed of an audit.
_SEED = 0


@dataclass(frozen=True, eq=False)
class Lineup:
    """Which samples are attacked, and who may be behind them.

    Attributes:
        attacked: samples under attack, as indices into the cohort.
        candidates: (c,) one sample of every candidate, in an order that says nothing.
        asked: samples of which it is asked whose they are, as indices into the cohort.
        unasked: why nobody can be asked about; empty where somebody can.
    """

    attacked: Rows
    candidates: Rows
    asked: Rows
    unasked: str = ""


def line_up(
    given: Materials,
    goal: Asset,
    victims: int | None,
    *,
    shuffled: bool,
    question: IdentityQuestion = "same scan",
) -> Lineup:
    """Draw the line-up that an attack is put before.

    Identity: every attacked patient stands in it with one sample, as the question has it. Pictures
    that are rebuilt are put before the same line-up. Membership: every attacked and every
    validation patient, each with its middle sample. All other attacks have nobody to name.

    Args:
        given: cohort and groups.
        goal: what the attack recovers.
        victims: attack at most this many training patients.
        shuffled: as a negative control. Messages handed to the wrong patients are still those of
            members; so for membership the messages are those of one half of the victims, and it is
            the other half that stands in the line-up.
        question: what the adversary holds of the candidates.

    Raises:
        NotMountableError: too few patients can stand in it.
    """
    rows = given.victim_rows(victims).numpy()
    match goal:
        case "identity":
            asked, held = _among_victims(given, rows, question)
            return Lineup(asked, held, asked)
        case "images":
            try:
                asked, held = _among_victims(given, rows, question)
            except NotMountableError as problem:
                return Lineup(rows, rows[:0], rows[:0], str(problem))
            return Lineup(rows, held, asked)
        case "membership":
            return _beside_outsiders(given, rows, shuffled)
        case _:
            return Lineup(rows, rows[:0], rows[:0])


def _among_victims(given: Materials, rows: Rows, question: IdentityQuestion) -> tuple[Rows, Rows]:
    """Samples asked about, and one sample of every patient to know them by.

    The latest study is asked about. Held is its middle sample, which is then not asked about unless
    the very image may have been sent; or the middle sample of the earliest study.
    """
    owners, study = given.cohort.patients[rows], _studies(given)[rows]
    asked, held = [], []
    for name in np.unique(owners):
        mine = rows[owners == name]
        when = study[owners == name]
        latest, earliest = mine[when == when.max()], mine[when == when.min()]
        if question == "another study":
            if when.min() < when.max():
                asked.append(latest)
                held.append(_middle(given, earliest))
        elif question == "same image":
            asked.append(latest)
            held.append(_middle(given, latest))
        elif len(latest) > 1:
            held.append(_middle(given, latest))
            asked.append(latest[latest != held[-1]])
    if len(held) < 2:
        raise NotMountableError(
            f"{_NEEDED[question]}: one to attack, one to know them by",
            found=f"{len(held)} such patients"
            + ("; the cohort tells no studies apart" if given.cohort.study is None
               and question == "another study" else ""),
            remedy=_REMEDY[question],
        )  # fmt: skip
    return np.sort(np.concatenate(asked)), _mixed(np.array(held, dtype=np.int64))


_NEEDED: dict[IdentityQuestion, str] = {
    "same image": "a line-up needs two attacked patients",
    "same scan": "a line-up needs two attacked patients with two samples each",
    "another study": "a line-up by another study needs two attacked patients with two studies each",
}
_REMEDY: dict[IdentityQuestion, str] = {
    "same image": "attack more patients",
    "same scan": "take several slices or patches per patient",
    "another study": "give `study` in the cohort, or ask about the same scan",
}


def _studies(given: Materials) -> Rows:
    """The study of each sample; all of one where the cohort does not say."""
    study = given.cohort.study
    return np.zeros(len(given.cohort.patients), dtype=np.int64) if study is None else study


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
    return Lineup(attacked, _mixed(np.concatenate(held)), attacked[:0])


def _middles(given: Materials, rows: Rows, patients: Iterable[str]) -> Rows:
    """Each patient's middle sample: of all patients it shows the same part of the head."""
    owners = given.cohort.patients[rows]
    return np.array([_middle(given, rows[owners == name]) for name in patients], dtype=np.int64)


def _middle(given: Materials, mine: Rows) -> int:
    ordered = mine[np.argsort(given.cohort.positions[mine], kind="stable")]
    return int(ordered[len(ordered) // 2])


def _mixed(rows: Rows) -> Rows:
    return np.random.default_rng(_SEED).permutation(rows)
