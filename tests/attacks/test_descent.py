"""The loop of every attack that matches: what it changes, when it stops, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from leakaudit.attacks.parts.descent import Descent, Ending, cooled, followed, nearest, on_the_way
from torch import Generator, Tensor, nn

from leakaudit.errors import AttackInvalidError

AIM = torch.tensor([[0.2, 0.9], [0.6, 0.4]])


def apart(guess: Tensor, **_: object) -> tuple[Tensor, Tensor]:
    gaps = (guess - AIM).square().sum(1)
    return gaps.sum(), gaps


def started() -> Descent:
    return Descent(apart, [torch.zeros(2, 2)], [0.05], bounds=(0.0, 0.7))


def test_a_guess_comes_to_what_explains_best_within_its_bounds() -> None:
    *_, (spent, last) = followed(started(), cooled(200), Generator())
    assert spent == last.taken == 200
    torch.testing.assert_close(last.guess[0].detach(), AIM.clamp(max=0.7), rtol=0, atol=1e-3)


def test_an_end_on_the_way_is_what_as_few_steps_come_to_and_changes_nothing() -> None:
    curve = {
        spent: last.guess[0].detach()
        for spent, last in followed(started(), cooled(40), Generator())
    }
    assert sorted(curve) == [10, 20, 40]
    for spent, guess in curve.items():
        *_, (_, alone) = followed(started(), cooled(spent)[-1:], Generator())
        assert torch.equal(alone.guess[0], guess)


def test_points_on_the_way_need_no_steps_of_their_own() -> None:
    descent = started()
    spent = [
        (effort, last is descent)
        for effort, last in followed(descent, on_the_way(9, 2), Generator())
    ]
    assert spent == [(0, True), (4, True), (9, True)]


def test_parts_that_rest_stay_where_they_are() -> None:
    network = nn.Linear(2, 2)
    before = network.weight.detach().clone()

    def explained(guess: Tensor, layer: nn.Linear, **_: object) -> tuple[Tensor, Tensor]:
        return apart(layer(guess))

    descent = Descent(explained, [torch.ones(2, 2)], [0.1, 0.1], network=network)
    descent.step(1.0, Generator(), slice(1, None))
    assert torch.equal(descent.guess[0], torch.ones(2, 2))
    assert not torch.equal(network.weight, before)
    other = descent.copy()
    other.step(1.0, Generator())
    assert torch.equal(descent.guess[0], torch.ones(2, 2))
    assert not torch.equal(other.guess[0], torch.ones(2, 2))


def test_what_diverged_is_no_guess() -> None:
    def torn(guess: Tensor, **_: object) -> tuple[Tensor, Tensor]:
        return guess.sum(), guess.sum(1) / 0

    with pytest.raises(AttackInvalidError, match="must stay finite"):
        list(followed(Descent(torn, [AIM], [0.1]), [Ending(3, 3)], Generator()))


def test_of_restarts_the_nearest_is_kept() -> None:
    guesses = torch.arange(6.0).reshape(6, 1)
    assert nearest(guesses, torch.tensor([3, 1, 2, 0, 5, 4.0]), 3).flatten().tolist() == [1, 3]
