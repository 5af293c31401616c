"""Advantages from a record alone, on the record's own scale."""

from __future__ import annotations

import numpy as np
import pytest
from example_records import example_record

from leakaudit.record import Record
from leakaudit.record.advantage import advantages


@pytest.fixture(scope="module")
def record() -> Record:
    return example_record()


def test_they_average_to_what_the_record_says(record: Record) -> None:
    told = [finding for finding in record.findings if finding.advantage is not None]
    assert {finding.asset for finding in told} == {"images", "identity", "masks"}
    for finding in told:
        table = advantages(finding)
        assert table is not None
        assert finding.advantage is not None
        assert np.nanmean(table) == pytest.approx(finding.advantage.mean, abs=1e-5)


def test_one_patient_whose_blind_guess_is_nearly_perfect_does_not_outweigh_all(
    record: Record,
) -> None:
    finding = next(f for f in record.findings if f.asset == "masks")
    assert finding.blind_values is not None
    values = tuple((0.9, *seed[1:]) for seed in finding.values)
    blind = tuple((0.999, *seed[1:]) for seed in finding.blind_values)
    table = advantages(finding.model_copy(update={"values": values, "blind_values": blind}))
    assert table is not None
    assert abs(table[0, 0]) < 0.2


def test_no_ceiling_no_advantage(record: Record) -> None:
    finding = next(f for f in record.findings if f.metric == "ssim")
    assert advantages(finding.model_copy(update={"ceiling": None})) is None
    perfect = tuple(tuple(1.0 for _ in seed) for seed in finding.values)
    assert advantages(finding.model_copy(update={"blind_values": perfect})) is None
