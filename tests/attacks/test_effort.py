"""Effort curves: what half the effort would have found, at no cost to what all of it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from leakaudit.attacks import joint_matching
from leakaudit.attacks.activation_matching import ActivationMatching
from leakaudit.attacks.decoder_inversion import DecoderInversion
from leakaudit.attacks.joint_matching import JointMatching
from leakaudit.attacks.parts import effort
from leakaudit.attacks.parts.effort import endings
from memory_exchange import World, advantage

from leakaudit.threat.attack import Attack

SHORT = {
    "decoder-inversion": DecoderInversion(steps=20, channels=8, copies=0),
    "activation-matching": ActivationMatching(steps=20),
    "joint-matching": JointMatching(encoder_steps=10, steps=10),
}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (200, [(50, 37), (100, 75), (200, 150)]),
        (3, [(1, 0), (2, 1), (3, 2)]),
        (2, [(1, 0), (2, 1)]),
        (1, [(1, 0)]),
    ],
)
def test_ends_rise_and_leave_a_step_at_a_falling_rate(
    steps: int, expected: list[tuple[int, int]]
) -> None:
    assert endings(steps) == expected


@pytest.mark.parametrize("attack", SHORT.values(), ids=SHORT)
def test_a_curve_does_not_change_what_it_is_a_curve_of(
    attack: Attack, world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two victims: the second one's randomness comes after the first one's curve.
    view = world().view(victims=("north", "south"), levels=[(0,), (1,)])
    drawn = attack(view, 0)
    monkeypatch.setattr(effort, "_SHARES", ())
    monkeypatch.setattr(joint_matching, "_ENDS", (1.0,))
    plain = attack(view, 0)
    for target, guess in drawn.items():
        assert len(guess.trail) > len(plain[target].trail)
        assert [point.effort for point in guess.trail] == sorted(
            {point.effort for point in guess.trail}
        )
        assert guess.trail[-1].effort == pytest.approx(guess.effort / 2, abs=1)
        assert torch.equal(guess.values, plain[target].values)


@pytest.mark.parametrize(
    ("long", "short"),
    [
        (DecoderInversion(steps=80, channels=8), DecoderInversion(steps=40, channels=8)),
        (ActivationMatching(steps=80), ActivationMatching(steps=40)),
        (JointMatching(encoder_steps=60, steps=60), JointMatching(encoder_steps=30, steps=30)),
    ],
    ids=SHORT,
)
def test_half_way_stands_what_half_the_steps_would_have_found(
    long: Attack, short: Attack, world: Callable[..., World]
) -> None:
    made = world()
    view = made.view(levels=[(0,)])
    found = long(view, 0)
    half = {
        target: replace(guess, values=guess.trail[-1].values) for target, guess in found.items()
    }
    (reached,), (alone,) = (advantage(made, guesses).values() for guesses in (half, short(view, 0)))
    assert alone > 0.3
    assert reached == pytest.approx(alone, abs=0.05)
