"""Claims on weights, tested by one training on many canaries."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from leakaudit.accounting import gaussian_mu, one_run_epsilon, shown
from leakaudit.accounting.one_run import best_guesses
from leakaudit.accounting.spent import Floats
from leakaudit.exchange.claim import Claim, Noise
from leakaudit.exchange.defense import Defense
from leakaudit.record import ClaimCheck
from leakaudit.split.spec import SERVER

DRAWS = 20_000

# Far outside every clipping ball, and its square still in single precision.
FAR = 1e12

_CANARIES = 1_000
_MOST_STEPS = 200


def in_words(claim: Claim, refuted: bool) -> str:
    """What the draws said of the noise."""
    if refuted:
        return f"less noise than epsilon {claim.epsilon:.4g} needs"
    return f"no less noise was found than epsilon {claim.epsilon:.4g} needs"


def check_weights(defense: Defense, claim: Claim, noise: Noise, seed: int) -> Iterator[ClaimCheck]:
    """Train one layer on canaries whose gradients are as large as can be, each on its own weight.

    What each canary does to its weight is its clipped gradient plus noise; which of its two states
    it is in is a coin's.

    Args:
        defense: what makes the claim.
        claim: on weights.
        noise: what it rests on.
        seed: of coins and noise.

    Raises:
        ValueError: the defense leaves a plain layer alone.
    """
    states = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), _CANARIES)
    steps = max(math.ceil(DRAWS / _CANARIES), min(noise.weight_releases, _MOST_STEPS))
    updates = _updates(defense, noise, states, steps, seed)
    # The same noise on canaries in the other state: what is left is the distance of the two.
    (other,) = _updates(defense, noise, -states, 1, seed)
    distance = float(((updates[0] - other) * states).mean())
    if not (math.isfinite(distance) and distance > 0):
        raise ValueError("canaries in either state leave the weights alike")
    scores = updates / distance
    residual = scores - states / 2
    drawn = (residual - residual.mean(axis=1, keepdims=True)).ravel()[:DRAWS]
    found = shown([drawn], noise.kind, claim.epsilon, claim.delta, noise.weight_releases)
    yield ClaimCheck(
        mechanism=claim.mechanism,
        method=f"one layer trained on {_CANARIES} canaries with gradients as large as can be; the "
        "noise on their weights, counted beyond a threshold (Clopper-Pearson)",
        claimed_epsilon=claim.epsilon,
        delta=claim.delta,
        shown_epsilon=found.epsilon,
        largest_epsilon=found.largest,
        draws=len(drawn),
        releases=noise.weight_releases,
        refuted=found.refuted,
        reason=in_words(claim, found.refuted),
    )  # fmt: skip
    steps = min(steps, noise.weight_releases)
    added = scores[:steps].sum(axis=0)
    added -= np.median(added)
    mu = gaussian_mu(max(claim.epsilon, 1e-9), claim.delta)
    guesses = best_guesses(mu * math.sqrt(steps / noise.weight_releases), _CANARIES)
    picked = np.argsort(-np.abs(added))[:guesses]
    correct = int((np.sign(added[picked]) == states[picked]).sum())
    epsilon = one_run_epsilon(correct, guesses, _CANARIES, claim.delta)
    yield ClaimCheck(
        mechanism=claim.mechanism,
        method=f"one-run audit (Steinke, Nasr, Jagielski 2023): {_CANARIES} canaries, each in one "
        f"of two states by a coin, {steps} of {noise.weight_releases} releases; {correct} of "
        f"{guesses} guesses right",
        claimed_epsilon=claim.epsilon,
        delta=claim.delta,
        shown_epsilon=epsilon,
        largest_epsilon=one_run_epsilon(guesses, guesses, _CANARIES, claim.delta),
        draws=guesses,
        releases=noise.weight_releases,
        refuted=epsilon > claim.epsilon,
        reason="more guesses are right than the claim allows"
        if epsilon > claim.epsilon
        else "no more guesses are right than the claim allows",
    )  # fmt: skip


def _updates(defense: Defense, noise: Noise, states: Floats, steps: int, seed: int) -> Floats:
    """What the weights of a layer get from canaries in these states: (steps, canaries)."""
    layer = nn.Linear(len(states), 1, bias=False)
    rule = defense.update_rule(SERVER, layer)
    if rule is None:
        raise ValueError("the defense trains a plain layer without noise")
    rng = torch.Generator().manual_seed(seed)
    pushed = torch.as_tensor(states if noise.replaced else (states + 1) / 2, dtype=torch.float32)
    inputs = torch.eye(len(states)) * FAR
    updates = []
    try:
        for _ in range(steps):
            layer.zero_grad(set_to_none=True)
            (layer(inputs)[:, 0] * pushed).mean().backward()
            rule.rewrite(rng)
            if layer.weight.grad is None:
                raise ValueError("the defense left a layer without gradient")
            updates.append(layer.weight.grad[0].double().numpy() * len(states))
    finally:
        rule.release()
    return np.stack(updates)
