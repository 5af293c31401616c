"""Advantages from a record alone, on the record's own scale."""

from __future__ import annotations

import numpy as np
import pytest
from example_records import example_record

from leakaudit.record import Record
from leakaudit.record.advantage import advantages
from leakaudit.record.estimates import advantage_figure, advantage_range, advantage_values
from leakaudit.statistics import Direction
from leakaudit.statistics.ends import one_sided


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


def test_the_ceilings_own_error_is_in_the_bounds_of_an_advantage() -> None:
    rng = np.random.default_rng(3)
    hits = (rng.random((3, 50)) < 0.6).astype(float)
    patients = [str(k) for k in range(50)]
    blind = np.full_like(hits, 0.02)
    known, measured = (
        advantage_figure(
            hits, blind, patients, ceiling=0.7, chance=0.02, rate=True, ceiling_ends=ends
        )
        for ends in (None, (0.58, 0.81))
    )
    assert known is not None
    assert measured is not None
    assert measured.mean == known.mean
    assert None not in (known.at_least, measured.at_least, known.lower, measured.lower)
    away = known.mean - known.at_least
    # By hand: a ceiling .11 higher lowers the advantage by its share of the way.
    further = known.mean * 0.11 / 0.68
    assert measured.at_least == pytest.approx(known.mean - np.hypot(away, further))
    assert measured.lower < known.lower
    # Nobody leaks more than everything.
    assert known.at_most <= 1
    assert measured.at_most == measured.upper == 1


@pytest.mark.parametrize("failing", [0.05, 0.15, 0.3])
@pytest.mark.parametrize(("patients", "seeds"), [(8, 3), (10, 2), (20, 5)])
def test_dice_on_budget_is_called_over_in_at_most_5_percent(
    failing: float, patients: int, seeds: int
) -> None:
    """Student's lower bound called it over in up to 19 %: those who fail are often not seen."""
    rng = np.random.default_rng([patients, seeds])
    audits = 400
    size = (audits, 1, patients)
    blind = np.clip(rng.normal(0.25, 0.12, size), 0, 0.6)
    own = np.where(rng.random(size) < failing, 0.0, rng.normal(0.8, 0.08, size))
    moves = rng.normal(0, 0.02, (audits, seeds, 1)) + rng.normal(0, 0.03, (audits, seeds, patients))
    values = np.clip(own + moves, 0, 1)
    shares = [advantage_values(v, b, 1.0) for v, b in zip(values, blind, strict=True)]
    budget = np.mean(np.stack([share for share in shares if share is not None]))
    over = 0
    for share, known in zip(shares, blind, strict=True):
        assert share is not None
        reach = advantage_range(known, 1.0, (0.0, 1.0))
        least, _ = one_sided(share, 0.95, (reach[0], np.inf), Direction.HIGHER)
        over += bool(least > budget)
    assert over / audits <= 0.05 + 2 * (0.05 * 0.95 / audits) ** 0.5


def test_an_advantage_has_a_least_value_where_the_metric_starts_at_0() -> None:
    blind = np.array([[0.2, 0.4], [0.2, 0.4]])
    assert advantage_range(blind, 1.0, (0.0, 1.0)) == pytest.approx((-0.4 / 0.7, 1.0))
    assert advantage_range(blind, 1.0, (-1.0, 1.0)) == (-np.inf, 1.0)  # SSIM
    assert advantage_range(blind, 0.0, (0.0, 1.0)) == (-np.inf, 1.0)  # an error
    assert advantage_range(blind, None, (0.0, 1.0)) == (-np.inf, 1.0)
