"""Whose a name on disk is: known data sets, visits, patterns, and never one person twice."""

from __future__ import annotations

import pytest

from leakaudit.cohorts._persons import Owner, owners_of
from leakaudit.errors import ConfigurationError, DataError


@pytest.mark.parametrize(
    ("names", "person", "studies"),
    [
        (("BraTS-GLI-00005-100", "BraTS-GLI-00005-101"), "BraTS-GLI-00005", ("100", "101")),
        (("train/BraTS-MET-1-000", "val/BraTS-MET-1-001"), "BraTS-MET-1", ("000", "001")),
        (("UPENN-GBM-00001_11", "UPENN-GBM-00001_21"), "UPENN-GBM-00001", ("11", "21")),
        (("sub-1/ses-a", "sub-1/ses-b"), "sub-1", ("ses-a", "ses-b")),
        (("anna/2019", "anna/2021"), "anna", ("2019", "2021")),
        (("anna_visit1", "anna_visit2"), "anna", ("visit1", "visit2")),
        (("w/anna-20190305", "w/anna-20200101"), "w/anna", ("20190305", "20200101")),
        (("anna/baseline", "anna/follow-up"), "anna", ("baseline", "follow-up")),
    ],
)
def test_visits_of_one_person_are_joined(
    names: tuple[str, ...], person: str, studies: tuple[str, ...]
) -> None:
    found = owners_of([*names, "somebody else"])
    assert [found[name] for name in names] == [Owner(person, study) for study in studies]
    assert found["somebody else"] == Owner("somebody else")


def test_names_that_join_nobody_are_kept_whole() -> None:
    names = ["TCGA_CS_4941_19960909", "TCGA_CS_4942_19970222", "BraTS2021_00001"]
    assert owners_of(names) == {name: Owner(name) for name in names}
    assert owners_of(["patient 1", "patient 2"])["patient 1"].study is None


def test_a_pattern_says_person_study_and_site() -> None:
    pattern = r"^(?P<site>[^/]+)/(?P<person>[^/]+?)_(?P<study>\d+)$"
    assert owners_of(["north/anna_2"], pattern)["north/anna_2"] == Owner("anna", "2", "north")
    with pytest.raises(DataError, match="every name must fit"):
        owners_of(["anna"], pattern)
    with pytest.raises(ConfigurationError, match="must have a group `person`"):
        owners_of(["anna"], "(.*)")
    with pytest.raises(ConfigurationError, match="must be a regular expression"):
        owners_of(["anna"], "(?P<person>")


def test_spaces_are_no_difference_and_case_alone_is_refused() -> None:
    found = owners_of(["anna", "anna ", " anna"])
    assert {owner.person for owner in found.values()} == {"anna"}
    with pytest.raises(DataError, match="upper and lower case alone"):
        owners_of(["anna", "Anna"])
