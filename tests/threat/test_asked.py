"""Queries that are asked again: the encoder runs once, the defense every time."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from leakaudit.threat import asked
from leakaudit.threat.asked import Asked
from leakaudit.threat.sources import Features


class Endpoint:
    """Doubles its images, then adds noise into the message that it was given."""

    def __init__(self, *, encoder_draws: bool = False) -> None:
        self.encoded_sizes: list[int] = []
        self.encoder_draws = encoder_draws

    def __call__(self, images: Tensor, rng: Generator) -> Features:
        return self.guarded(self.encoded(images), rng)

    def encoded(self, images: Tensor) -> Features:
        self.encoded_sizes.append(len(images))
        return {0: 2 * images}

    def guarded(self, features: Features, rng: Generator) -> Features:
        return {
            level: each.add_(torch.randn(each.shape, generator=rng))
            for level, each in features.items()
        }


def seeded() -> Generator:
    return torch.Generator().manual_seed(3)


IMAGES = torch.arange(20.0).reshape(5, 1, 2, 2)


def test_answers_are_those_of_the_endpoint_and_every_one_draws_anew() -> None:
    known, endpoint = Asked(), Endpoint()
    rng, reference = seeded(), seeded()
    for _ in range(3):
        given = known.answers(endpoint, IMAGES, 2, rng)
        wanted = [Endpoint()(part, reference) for part in IMAGES.split(2)]
        assert [len(each[0]) for each in given] == [2, 2, 1]
        assert all(torch.equal(a[0], b[0]) for a, b in zip(given, wanted, strict=True))
    assert endpoint.encoded_sizes == [2, 2, 1]


def test_other_images_other_endpoints_and_changed_images_are_encoded() -> None:
    known, first, second = Asked(), Endpoint(), Endpoint()
    images = IMAGES.clone()
    known.answers(first, images, 5, seeded())
    known.answers(second, images, 5, seeded())
    images[0] += 1
    (changed,) = known.answers(first, images, 5, seeded())
    assert torch.equal(changed[0], Endpoint()(images, seeded())[0])
    assert first.encoded_sizes == [5, 5]
    assert second.encoded_sizes == [5]


def test_an_encoder_that_draws_is_asked_every_time() -> None:
    known, endpoint = Asked(), Endpoint(encoder_draws=True)
    for _ in range(2):
        known.answers(endpoint, IMAGES, 5, seeded())
    assert endpoint.encoded_sizes == [5, 5]


def test_what_is_kept_is_bounded_and_the_latest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "_KEPT_BYTES", 2 * IMAGES.nbytes)
    known, endpoint = Asked(), Endpoint()
    for shift in (0, 1, 2, 2):
        known.answers(endpoint, IMAGES + shift, 5, seeded())
    assert len(endpoint.encoded_sizes) == 3
    known.answers(endpoint, IMAGES, 5, seeded())
    assert len(endpoint.encoded_sizes) == 4
