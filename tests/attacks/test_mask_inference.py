"""Mask inference: the effort curve counts messages, the latest first."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from leakaudit.attacks.mask_inference import MaskInference
from memory_exchange import World
from torch import Generator, Tensor

from leakaudit.exchange.defense import Defense, Guard, Site
from leakaudit.threat.knowledge import Position


class Noisy(Defense):
    """Every gradient is sent back with fresh noise, so that no two epochs are alike."""

    def guard(self, site: Site, rng: Generator) -> Guard:
        return _Noise()


class _Noise(Guard):
    def backward_message(self, level: int, gradient: Tensor, rng: Generator) -> Tensor:
        return gradient + 0.1 * gradient.std() * torch.randn(gradient.shape, generator=rng)


@pytest.mark.parametrize(("epochs", "spent"), [(1, [1, 2]), (4, [2, 4, 8])])
def test_the_curve_ends_with_every_message(
    epochs: int, spent: list[int], world: Callable[..., World]
) -> None:
    view = world(epochs=epochs, defenses=(Noisy(),)).view(
        Position.WIRE, members=("south",), victims=("server",), asset="masks"
    )
    (guess,) = MaskInference()(view, 0).values()
    assert [*(point.effort for point in guess.trail), guess.effort] == spent
    (latest,) = MaskInference(releases=1)(view, 0).values()
    alike = [torch.equal(point.values, latest.values) for point in (*guess.trail, guess)]
    # All messages of the last epoch alone are a point of the curve, wherever it is.
    assert alike == [count == len(view.split.crossing) for count in spent]
