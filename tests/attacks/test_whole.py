"""Whole messages are read where no neighbourhood of a position tells anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from leakaudit.attacks.decoder_inversion import DecoderInversion
from leakaudit.attacks.parts.linear import LinearFit
from leakaudit.attacks.parts.whole import blended, fit_whole
from lossless_codes import Coding
from memory_exchange import World, advantage
from torch import Tensor

FOLDS = [torch.arange(start, 30, 3) for start in range(3)]


def drawn(number: int = 30) -> tuple[Tensor, Tensor]:
    """Images (n, 1, 4, 4) in [0, 1], and messages: all pixels of an image, mixed up."""
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(number, 1, 4, 4, generator=rng)
    turn = torch.linalg.qr(torch.randn(32, 32, generator=rng))[0]
    both = torch.cat([images, images.square()], 1)
    return images, 7 + 5 * (both.flatten(1) @ turn).reshape(number, 2, 4, 4)


def test_what_is_said_of_a_fold_is_what_a_fit_without_it_says() -> None:
    images, messages = drawn()
    fit = fit_whole(messages, images, FOLDS)
    for fold in FOLDS:
        rest = torch.ones(30, dtype=torch.bool)
        rest[fold] = False
        flat = messages.flatten(1)
        centred = (flat - flat.mean(0)) / (flat - flat.mean(0)).std()
        known = centred[rest].double()
        wanted = (images - images.mean(0)).flatten(1)[rest].double()
        size = centred.double().square().sum(1).mean()
        left = []
        for penalty in (1e-3, 1e-2, 1e-1, 1.0, 10.0):
            gram = known.T @ known + penalty * size * torch.eye(32)
            weights = torch.linalg.solve(gram, known.T @ wanted)
            said = centred[fold].double() @ weights + images.mean(0).flatten()
            left.append((said - fit.unseen[fold].flatten(1)).abs().max().item())
        assert min(left) < 1e-4


def test_a_message_of_one_value_is_read_as_the_mean_image() -> None:
    images, messages = drawn()
    fit = fit_whole(torch.full_like(messages, 3.0), images, FOLDS)
    assert torch.allclose(fit.decoder(messages[:2] * 0 + 3), images.mean(0).expand(2, -1, -1, -1))


def test_what_says_nothing_gets_no_weight() -> None:
    images, messages = drawn()
    good = fit_whole(messages, images, FOLDS)
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(1))
    bad = LinearFit(lambda features: 0 * features[:, :1] - 100, noise, 1.0)
    both = blended([good, bad], images, torch.arange(30))
    assert both.error <= good.error * 1.001
    assert blended([bad, bad], images, torch.arange(30)).error == pytest.approx(
        (noise - images).square().mean().item(), rel=1e-4
    )
    only = blended([good, replace(good, unseen=good.unseen)], images, torch.arange(30))
    assert torch.allclose(only.decoder(messages), good.decoder(messages), atol=1e-5)


def test_a_cosine_transform_hides_little(world: Callable[..., World]) -> None:
    coded = world(defenses=(Coding(code="cosine_transform"),), planted=True)
    attack = DecoderInversion(steps=30, channels=8)
    (found,) = advantage(coded, attack(coded.view(levels=[(0,)]), 0)).values()
    assert found > 0.4
