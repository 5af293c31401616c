"""Groups are drawn by patient and never overlap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from leakaudit.cohorts import Cohort, Group, Groups, GroupSettings, check_disjoint, split_patients
from leakaudit.cohorts.groups import check_nobody_twice
from leakaudit.errors import ConfigurationError, DataError, UnknownNameError
from leakaudit.plugins import validated


def cohort_of(patients: int, per_patient: int = 2, sizes: list[int] | None = None) -> Cohort:
    count = patients * per_patient
    labels = np.zeros((count, 4, 4), dtype=np.uint8)
    for sample in range(count):
        covered = sizes[sample // per_patient] if sizes else sample % 5
        labels[sample].flat[:covered] = 1
    return Cohort(
        name="made up",
        modalities=("T1",),
        images=np.zeros((count, 1, 4, 4), dtype=np.float32),
        labels=labels,
        regions={"lesion": (1,)},
        patients=np.repeat([f"P{at + 1:03d}" for at in range(patients)], per_patient),
        positions=np.tile(np.arange(per_patient), patients),
        scaling="none",
    )


@given(
    patients=st.integers(3, 60),
    seed=st.integers(0, 2**32),
    weights=st.tuples(*[st.floats(0.02, 1.0)] * 3),
    used=st.floats(0.3, 1.0),
)
def test_groups_are_disjoint_for_any_seed_and_fractions(
    patients: int, seed: int, weights: tuple[float, float, float], used: float
) -> None:
    shares = [min(used * weight / sum(weights), 0.999) for weight in weights]
    settings = GroupSettings(
        training=shares[0], auxiliary=shares[1], validation=shares[2], seed=seed
    )
    cohort = cohort_of(patients)
    if min(np.diff(np.round(np.cumsum([0, *shares]) * patients))) < 1:
        with pytest.raises(DataError, match="at least one patient"):
            split_patients(cohort, settings)
        return
    groups = split_patients(cohort, settings)
    drawn = [name for names in groups.patients.values() for name in names]
    assert len(drawn) == len(set(drawn)) <= patients
    for group, share in zip(Group, shares, strict=True):
        assert abs(len(groups.patients[group]) - share * patients) <= 1
        owners = set(cohort.patients[groups.indices[group]].tolist())
        assert owners == set(groups.patients[group])
        assert len(groups.indices[group]) == 2 * len(owners), "all samples of a patient go along"


def test_default_uses_everybody_and_depends_on_the_seed_alone() -> None:
    cohort = cohort_of(20)
    groups = split_patients(cohort, GroupSettings(seed=1))
    assert [len(groups.patients[group]) for group in Group] == [10, 6, 4]
    assert groups.patients == split_patients(cohort, GroupSettings(seed=1)).patients
    assert groups.patients != split_patients(cohort, GroupSettings(seed=2)).patients


def test_counts() -> None:
    settings = GroupSettings(training=5, auxiliary=3, validation=2)
    groups = split_patients(cohort_of(30), settings)
    assert [len(groups.patients[group]) for group in Group] == [5, 3, 2]
    in_training = groups.patients[Group.TRAINING][0]
    assert groups.group_of(in_training) is Group.TRAINING
    unused = set(cohort_of(30).patient_ids) - {n for p in groups.patients.values() for n in p}
    assert groups.group_of(unused.pop()) is None


def test_every_group_gets_small_and_large_lesions() -> None:
    sizes = [0] * 15 + [16] * 15
    cohort = cohort_of(30, sizes=sizes)
    for seed in range(20):
        groups = split_patients(cohort, GroupSettings(seed=seed))
        for names in groups.patients.values():
            share = np.mean([sizes[int(name[1:]) - 1] > 0 for name in names])
            assert 0.3 < share < 0.7


def test_every_patient_can_be_drawn_into_every_group() -> None:
    cohort = cohort_of(6)
    seen: dict[Group, set[str]] = {group: set() for group in Group}
    for seed in range(60):
        settings = GroupSettings(training=2, auxiliary=2, validation=2, seed=seed)
        for group, names in split_patients(cohort, settings).patients.items():
            seen[group].update(names)
    assert all(len(names) == 6 for names in seen.values())


def test_explicit_lists() -> None:
    settings = GroupSettings(training=("P003", "P001"), auxiliary=("P002",), validation=("P004",))
    groups = split_patients(cohort_of(5), settings)
    assert groups.patients[Group.TRAINING] == ("P001", "P003")
    assert groups.indices[Group.AUXILIARY].tolist() == [2, 3]
    again = split_patients(cohort_of(5), settings.model_copy(update={"seed": 7}))
    assert again.patients == groups.patients, "nothing is drawn from lists"


def test_one_patient_in_two_lists_is_named() -> None:
    settings = GroupSettings(training=("P001", "P002"), auxiliary=("P002",), validation=("P003",))
    with pytest.raises(DataError, match=r"P002 in training and auxiliary") as caught:
        split_patients(cohort_of(5), settings)
    assert caught.value.remedy
    with pytest.raises(DataError, match="P009"):
        check_disjoint({Group.TRAINING: ("P009",), Group.VALIDATION: ("P009",)})


def test_groups_cannot_be_built_overlapping() -> None:
    lists = {Group.TRAINING: ("P001",), Group.AUXILIARY: ("P001",)}
    with pytest.raises(DataError, match="two groups"):
        Groups(lists, {group: np.array([0]) for group in lists})


def test_unknown_patient_suggests_the_nearest() -> None:
    settings = GroupSettings(training=("P001",), auxiliary=("P02",), validation=("P003",))
    with pytest.raises(UnknownNameError, match="P002"):
        split_patients(cohort_of(3), settings)


def test_zero_patients_in_a_group() -> None:
    with pytest.raises(DataError, match=r"at least one patient.*none in"):
        split_patients(cohort_of(2), GroupSettings())
    with pytest.raises(DataError, match="at least one patient"):
        split_patients(
            cohort_of(3), GroupSettings(training=("P001",), auxiliary=(), validation=("P002",))
        )


def test_more_patients_wanted_than_there_are() -> None:
    with pytest.raises(DataError, match="6 wanted, 4 in the cohort"):
        split_patients(cohort_of(4), GroupSettings(training=2, auxiliary=2, validation=2))


@pytest.mark.parametrize(
    "settings",
    [
        {"training": 0.6, "auxiliary": 0.3, "validation": 0.2},
        {"training": 5, "auxiliary": 0.3, "validation": 0.2},
        {"training": 0, "auxiliary": 1, "validation": 1},
        {"training": 1.5},
        {"trainning": 0.5},
        {"seed": -1},
    ],
)
def test_settings_are_validated(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        validated(GroupSettings, settings, what="groups")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        GroupSettings().training = 0.1  # type: ignore[misc]


def test_a_count_of_zero_leaves_a_group_empty_on_purpose() -> None:
    cohort = cohort_of(3)
    groups = split_patients(cohort, GroupSettings(training=3, auxiliary=0, validation=0))
    assert len(groups.patients[Group.TRAINING]) == 3
    assert groups.patients[Group.AUXILIARY] == ()
    assert groups.indices[Group.VALIDATION].size == 0


def lists(*names: str) -> GroupSettings:
    """The first name in training, the second auxiliary, the third for validation."""
    training, auxiliary, validation = ((name,) for name in names)
    return GroupSettings(training=training, auxiliary=auxiliary, validation=validation)


def test_one_patient_under_two_names_is_refused_across_groups_only() -> None:
    cohort = cohort_of(4)
    images = np.random.default_rng(1).random(cohort.images.shape, dtype=np.float32)
    # The second image of the fourth patient is the first of the first.
    images[7] = images[0]
    # Slices beyond the head are black in everybody.
    images[[3, 5]] = 0.0
    cohort = replace(cohort, images=images)
    check_nobody_twice(cohort, split_patients(cohort, lists("P001", "P002", "P003")))
    with pytest.raises(DataError, match="P001 in training and P004 in auxiliary have an identical"):
        check_nobody_twice(cohort, split_patients(cohort, lists("P001", "P004", "P003")))
    together = GroupSettings(training=("P001", "P004"), auxiliary=("P002",), validation=("P003",))
    check_nobody_twice(cohort, split_patients(cohort, together))
