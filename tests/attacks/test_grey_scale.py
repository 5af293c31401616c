"""Images that were read without knowing grey values: what of them can be believed."""

from __future__ import annotations

import torch
from leakaudit.attacks.matching.grey_values import tempered
from memory_exchange import Setup, draw_patients
from torch import Tensor


def heads(patients: int, seed: int) -> Tensor:
    images, _, _ = draw_patients(Setup(), patients, torch.Generator().manual_seed(seed), 1)
    return images["south"]


def off(found: Tensor, truth: Tensor) -> float:
    return (found - truth).square().mean().item()


def test_true_images_stay_and_noise_becomes_the_typical_image() -> None:
    known, truth = heads(30, 0), heads(10, 1)
    typical = known.mean(0, keepdim=True)
    blind = off(typical.expand_as(truth), truth)
    assert off(tempered(truth, known), truth) < 0.05 * blind
    noise = torch.rand(truth.shape, generator=torch.Generator().manual_seed(2))
    assert off(tempered(noise, known), truth) < 1.3 * blind
    assert off(noise, truth) > 5 * blind


def test_noise_on_true_images_is_weighed_down() -> None:
    known, truth = heads(30, 0), heads(10, 1)
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(2))
    noisy = truth + 0.2 * noise
    assert off(tempered(noisy, known), truth) < 0.6 * off(noisy, truth)


def test_one_image_and_one_known_one_are_enough() -> None:
    known, truth = heads(30, 0), heads(1, 1)
    assert off(tempered(truth, known), truth) < 0.3 * off(known.mean(0, keepdim=True), truth)
    assert torch.equal(tempered(truth, known[:1]), truth)
