"""Bounds from claims beside what was measured, and contradictions between the two."""

from __future__ import annotations

import pytest
from example_records import example_record
from scipy.stats import norm

from leakaudit.accounting import picked_at_most
from leakaudit.cells.claim_summary import summary_of
from leakaudit.exchange.claim import Claim, Noise
from leakaudit.exchange.message import Direction
from leakaudit.judgement.bounds import bounds
from leakaudit.record import Bound, ClaimSummary, Dependence, Finding, Record

WORDS = dict.fromkeys(
    ("mechanism", "unit", "neighbouring", "composition", "accountant", "trust_model",
     "not_covered"), "said",
)  # fmt: skip


@pytest.fixture(scope="module")
def record() -> Record:
    return example_record()


def claim(epsilon: float = 2.0, delta: float = 1e-5, kind: str = "gaussian") -> ClaimSummary:
    noise = Noise(
        kind=kind, replaced=True, directions=(Direction.ACTIVATION,), parties=("north", "south")
    )  # type: ignore[arg-type]
    return summary_of(Claim(epsilon=epsilon, delta=delta, noise=noise, **WORDS))


def identity(record: Record, mean: float, lower: float | None, **more: object) -> Finding:
    found = next(f for f in record.findings if f.asset == "images")
    return found.model_copy(
        update={
            "defense": "noise", "asset": "identity", "metric": "re-identification",
            "victim": "north", "chance": 0.05, "blind": None,
            "estimate": found.estimate.model_copy(
                update={"mean": mean, "one_sided_lower": lower}
            ),
            **more,
        }
    )  # fmt: skip


def information(*values: float, party: str = "north", level: int = 0) -> list[Dependence]:
    return [
        Dependence(
            defense="noise", party=party, cut=f"level {level}", metric="infonce",
            unit="bits per image", value=value, saturation=5.0, pairs=40, seed=seed,
        )
        for seed, value in enumerate(values)
    ]  # fmt: skip


def found(
    record: Record,
    claimed: ClaimSummary,
    findings: list[Finding] | None = None,
    proxies: list[Dependence] | None = None,
) -> tuple[Bound, ...]:
    defense = record.defenses[-1].model_copy(update={"label": "noise", "claims": (claimed,)})
    return bounds([defense], findings or [], proxies or [])


def test_a_claim_on_activations_says_what_it_means_in_bits() -> None:
    said = claim()
    assert said.mu is not None
    # Balle, Wang 2018: mu of (2, 1e-5), and an eighth of its square in nats.
    e = 2.0
    delta = norm.cdf(said.mu / 2 - e / said.mu) - 7.38905609893 * norm.cdf(
        -said.mu / 2 - e / said.mu
    )
    assert delta == pytest.approx(1e-5, rel=1e-4)
    assert said.bits_at_most == pytest.approx(said.mu**2 / 8 * 1.442695)
    assert claim(1.0, 0.0, "laplace").bits_at_most == pytest.approx(0.46212 * 1.442695, rel=1e-4)
    assert claim(1.0, 1e-5, "laplace").bits_at_most is None


def test_the_strongest_pick_stands_beside_what_the_claim_allows(record: Record) -> None:
    claimed = claim()
    assert claimed.mu is not None
    weak, strong = identity(record, 0.06, 0.01), identity(record, 0.11, 0.04)
    (bound,) = found(record, claimed, [weak, strong])
    assert bound.at_most == pytest.approx(picked_at_most(0.05, claimed.mu))
    assert (bound.measured, bound.at_least) == (0.11, 0.04)
    assert not bound.contradicted


@pytest.mark.parametrize(("lower", "contradicted"), [(0.5, True), (0.1, False), (None, False)])
def test_a_surely_better_pick_contradicts_the_claim(
    record: Record, lower: float | None, contradicted: bool
) -> None:
    (bound,) = found(record, claim(), [identity(record, 0.6, lower)])
    assert bound.contradicted is contradicted


def test_what_the_claim_does_not_cover_contradicts_nothing(record: Record) -> None:
    elsewhere = identity(record, 0.9, 0.8, victim="west")
    other = identity(record, 0.9, 0.8, defense="none")
    assert found(record, claim(), [elsewhere, other], information(9, 9, 9, party="west")) == ()
    assert found(record, claim(1.0, 1e-5, "laplace"), [identity(record, 0.9, 0.8)]) == ()


def test_what_succeeds_without_the_messages_is_allowed_with_them(record: Record) -> None:
    claimed = claim()
    assert claimed.mu is not None
    blind = record.findings[0].estimate.model_copy(update={"mean": 0.3, "upper": 0.5})
    (bound,) = found(record, claimed, [identity(record, 0.6, 0.55, blind=blind)])
    assert bound.at_most == pytest.approx(picked_at_most(0.3, claimed.mu))
    # Above the bound, but not surely: the blind rate may be higher.
    assert bound.at_least is not None
    assert bound.at_most < bound.at_least < picked_at_most(0.5, claimed.mu)
    assert not bound.contradicted
    (sure,) = found(record, claimed, [identity(record, 0.9, 0.8, blind=blind)])
    assert sure.contradicted


def test_bits_of_the_strongest_level_over_trainings(record: Record) -> None:
    proxies = [*information(0.01, -0.1, 0.05), *information(0.3, -0.1, 0.1, level=1)]
    (bound,) = found(record, claim(), proxies=proxies)
    assert bound.kind == "information"
    assert bound.measured == pytest.approx(0.1)
    assert "level 1" in bound.reason
    assert not bound.contradicted
    (sure,) = found(record, claim(), proxies=information(2.0, 2.1, 1.9))
    assert sure.contradicted
    (few,) = found(record, claim(), proxies=information(2.0, 2.1))
    assert few.at_least is None
    assert not few.contradicted
