"""A claim as the record holds it, with what it means in other units."""

from __future__ import annotations

from leakaudit.accounting import bits_at_most, bits_at_most_pure, gaussian_mu
from leakaudit.exchange.claim import Claim
from leakaudit.exchange.message import Direction
from leakaudit.record import ClaimSummary

_SAID = (
    "mechanism", "epsilon", "delta", "unit", "neighbouring", "composition", "accountant",
    "trust_model", "not_covered",
)  # fmt: skip


def summary_of(claim: Claim) -> ClaimSummary:
    """The claim, and where it covers activations its curve and the bits it lets through."""
    plain = ClaimSummary.model_validate({name: getattr(claim, name) for name in _SAID})
    noise = claim.noise
    if noise is None or Direction.ACTIVATION not in noise.directions or claim.epsilon == 0:
        return plain
    mu = gaussian_mu(claim.epsilon, claim.delta) if noise.kind == "gaussian" else None
    if mu is not None:
        bits: float | None = bits_at_most(mu, replaced=noise.replaced)
    else:
        bits = bits_at_most_pure(claim.epsilon) if claim.delta == 0 else None
    return plain.model_copy(update={"parties": noise.parties, "mu": mu, "bits_at_most": bits})
