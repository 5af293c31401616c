"""What is said of a person: who may stand in a line-up, and how answers are judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from leakaudit.cells.lineup import line_up
from leakaudit.cells.persons import score_attribute, score_membership, true_property
from leakaudit.cells.scores import found_among
from leakaudit.cohorts.cohort import Cohort, Group
from leakaudit.cohorts.groups import Groups
from leakaudit.errors import NotMountableError
from leakaudit.plan.materials import Materials
from leakaudit.plugins import Kind, load, names
from leakaudit.record.estimates import RATES
from leakaudit.threat.knowledge import IdentityQuestion
from leakaudit.threat.properties import median_size, property_of

PER_PATIENT = 3


def given(slices: int = PER_PATIENT, validation: int = 4) -> Materials:
    """Six victims, two auxiliary patients, some validation patients."""
    names = [f"P{n}" for n in range(8 + validation)]
    owners = np.repeat(names, slices)
    shape = (len(owners), 4, 4)
    cohort = Cohort(
        name="made up", modalities=("T1",), images=np.zeros((shape[0], 1, 4, 4), np.float32),
        labels=np.zeros(shape, np.uint8), regions={"WT": (1,)}, patients=owners,
        positions=np.tile(np.arange(slices), len(names))[::-1].copy(), scaling="none",
    )  # fmt: skip
    groups = {
        Group.TRAINING: tuple(names[:6]),
        Group.AUXILIARY: tuple(names[6:8]),
        Group.VALIDATION: tuple(names[8:]),
    }
    rows = {group: np.flatnonzero(np.isin(owners, members)) for group, members in groups.items()}
    return Materials(
        cohort, Groups(groups, rows, frozenset(g for g in groups if not groups[g])), cohort.masks()
    )


def test_every_attacked_patient_stands_in_the_line_up_with_a_sample_that_is_not_attacked() -> None:
    made = given()
    lineup = line_up(made, "identity", None, shuffled=False)
    people = made.cohort.patients[lineup.candidates].tolist()
    assert sorted(people) == [f"P{n}" for n in range(6)]
    assert people != sorted(people)
    assert not set(lineup.attacked) & set(lineup.candidates)
    assert sorted({*lineup.attacked, *lineup.candidates}) == list(range(6 * PER_PATIENT))
    assert set(made.cohort.positions[lineup.candidates]) == {1}


def test_nobody_else_stands_anywhere() -> None:
    lineup = line_up(given(), "masks", 2, shuffled=False)
    assert lineup.attacked.tolist() == list(range(2 * PER_PATIENT))
    assert not len(lineup.candidates)
    assert not len(lineup.asked)


def test_rebuilt_pictures_are_put_before_the_same_line_up_and_all_are_attacked() -> None:
    pictures = line_up(given(), "images", None, shuffled=False)
    people = line_up(given(), "identity", None, shuffled=False)
    assert pictures.candidates.tolist() == people.candidates.tolist()
    assert pictures.asked.tolist() == people.asked.tolist()
    assert len(pictures.attacked) == len(people.attacked) + len(people.candidates)
    alone = line_up(given(slices=1), "images", None, shuffled=False)
    assert len(alone.attacked)
    assert not len(alone.candidates)
    assert "two samples each" in alone.unasked


def scanned_twice(studies: tuple[int, ...] = (0, 0, 1, 1)) -> Materials:
    made = given(slices=len(studies))
    count = len(made.cohort.patients) // len(studies)
    return replace(made, cohort=replace(made.cohort, study=np.array(studies * count)))


@pytest.mark.parametrize(
    ("question", "asked", "held"),
    [("same image", {1}, {1}), ("same scan", {1}, {1}), ("another study", {1}, {0})],
)
def test_each_question_has_a_line_up_of_its_own(
    question: IdentityQuestion, asked: set[int], held: set[int]
) -> None:
    made = scanned_twice()
    lineup = line_up(made, "identity", None, shuffled=False, question=question)
    assert made.cohort.study is not None
    assert set(made.cohort.study[lineup.asked].tolist()) == asked
    assert set(made.cohort.study[lineup.candidates].tolist()) == held
    both = set(lineup.asked.tolist()) & set(lineup.candidates.tolist())
    assert len(both) == (len(lineup.candidates) if question == "same image" else 0)
    owners = made.cohort.patients
    assert set(owners[lineup.asked]) == set(owners[lineup.candidates])


def test_another_study_is_not_asked_of_a_cohort_without_studies() -> None:
    with pytest.raises(NotMountableError, match=r"two studies each.*tells no studies apart"):
        line_up(given(), "identity", None, shuffled=False, question="another study")
    once = scanned_twice((0, 0, 0, 0))
    with pytest.raises(NotMountableError, match=r"two studies each.*found: 0"):
        line_up(once, "identity", None, shuffled=False, question="another study")


def test_one_sample_per_patient_makes_no_line_up() -> None:
    with pytest.raises(NotMountableError, match="two samples each"):
        line_up(given(slices=1), "identity", None, shuffled=False)


def test_members_stand_beside_validation_patients() -> None:
    made = given()
    lineup = line_up(made, "membership", None, shuffled=False)
    assert len(lineup.attacked) == 6 * PER_PATIENT
    people = set(made.cohort.patients[lineup.candidates])
    assert people == {*(f"P{n}" for n in range(6)), *(f"P{n}" for n in range(8, 12))}
    with pytest.raises(NotMountableError, match="validation"):
        line_up(given(validation=0), "membership", None, shuffled=False)


def test_in_the_control_no_message_is_of_a_member_in_the_line_up() -> None:
    made = given()
    lineup = line_up(made, "membership", None, shuffled=True)
    attacked = set(made.cohort.patients[lineup.attacked])
    people = set(made.cohort.patients[lineup.candidates])
    assert not attacked & people
    assert len(people) == 3 + 4


def test_identity_is_a_first_place_and_ties_are_shared() -> None:
    owners, candidates = np.array(["a", "a", "b"]), np.array(["b", "a", "c", "d"])
    distances = np.array([[0.5, 0.1, 0.9, 0.9], [0.1, 0.5, 0.9, 0.9], [0.3, 0.3, 0.3, 0.3]])
    score = found_among(distances, owners, candidates)
    assert score.values.tolist() == [1.0, 0.0, 0.25]
    assert score.chance == 0.25
    # Both places of a patient count one half; the tie is spread over all four.
    assert score.match_curve == pytest.approx((0.375, 0.75, 0.875, 1.0))


def test_membership_is_told_of_members_against_outsiders() -> None:
    names = np.array(["in1", "out1", "in2", "out2"])
    members = ("in1", "in2", "elsewhere")
    curve, rate = score_membership(np.array([0.9, 0.1, 0.3, 0.5], np.float32), names, members)
    assert curve.owners.tolist() == rate.owners.tolist() == ["in1", "in2"]
    assert curve.values.tolist() == [1.0, 0.5]
    assert rate.values.tolist() == [1.0, 0.0]
    assert (curve.chance, curve.trials) == (0.5, 2)
    assert rate.chance == pytest.approx(1 / 3)


def test_an_attribute_is_told_per_patient_from_the_mean_of_its_samples() -> None:
    owners = np.array(["b", "b", "a", "c"])
    guess = np.array([0.9, 0.1, 0.4, 0.3], np.float32)  # means: a 0.4, b 0.5, c 0.3
    score = score_attribute(guess, owners, np.array([0.0, 1.0, np.nan]))
    assert score.owners.tolist() == ["a", "b", "c"]
    assert score.values[:2].tolist() == [1.0, 1.0]
    assert np.isnan(score.values[2])
    assert score.trials == 1
    with pytest.raises(NotMountableError, match="alike"):
        score_attribute(guess, owners, np.array([1.0, 1.0, np.nan]))


def test_properties_are_read_off_masks() -> None:
    masks = torch.zeros(4, 1, 4, 5)
    masks[0, 0, 0, 0] = 1  # patient 0: one voxel, first half
    masks[2, 0, :, 3:] = 1  # patient 1: eight voxels, second half; patient 2: none
    patients = torch.tensor([0, 0, 1, 2])
    assert median_size(masks, patients) == pytest.approx(1 / 40)
    _, present = property_of(masks, patients, "lesion present", 0.0)
    _, large = property_of(masks, patients, "lesion size", 1 / 40)
    _, side = property_of(masks, patients, "lesion side", 0.0)
    assert present.tolist() == [1, 1, 0]
    assert large[:2].tolist() == side[:2].tolist() == [0, 1]
    assert torch.isnan(large[2])
    assert torch.isnan(side[2])


def test_large_is_what_is_large_among_auxiliary_patients() -> None:
    masks = np.zeros((2, 1, 4, 4), np.uint8)
    masks[0, 0, 0, 0], masks[1, 0, :2] = 1, 1
    others = np.zeros((3, 1, 4, 4), np.uint8)
    others[0, 0, 0, :2] = others[1, 0, 0, :3] = others[2, 0, 0] = 1
    owners = np.array(["a", "b"])
    found = true_property(masks, owners, "lesion size", others, np.array(["x", "y", "z"]))
    assert found.tolist() == [0.0, 1.0]


def test_rates_are_those_whose_values_are_hits() -> None:
    """The record's room knows no metric: it names those whose intervals are of rates."""
    shares = {
        name for name in names(Kind.METRIC) if load(Kind.METRIC, name).unit.startswith("share")
    }
    assert shares == RATES
