"""Stacked ridge regressions beside the same written out row by row."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
import torch
from leakaudit.attacks.parts.linear import fit_linear
from scipy import optimize
from torch import Generator, Tensor

Doubles = npt.NDArray[np.float64]
PENALTIES = (1.0, 1e-1, 1e-2)


@dataclass(frozen=True)
class Case:
    """Random messages in several ways, of images in blocks of ``factor``."""

    space: tuple[int, ...]
    ways: int = 1
    factor: int = 1
    folds: int = 4
    samples: int = 12
    channels: int = 2

    @property
    def grid(self) -> tuple[int, ...]:
        return tuple(side // self.factor for side in self.space)

    def places(self) -> list[tuple[int, ...]]:
        return list(itertools.product(*(range(side) for side in self.grid)))

    def within(self) -> list[tuple[int, ...]]:
        return list(itertools.product(range(self.factor), repeat=len(self.space)))

    def rows_of_folds(self) -> list[Tensor]:
        return [torch.arange(first, self.samples, self.folds) for first in range(self.folds)]

    def made(self) -> tuple[Tensor, Tensor]:
        """Messages and images; a channel shows a pixel of each block, under noise."""
        rng = Generator().manual_seed(0)
        images = torch.rand(self.samples, 1, *self.space, generator=rng)
        sent = torch.randn(self.samples, self.channels * self.ways, *self.grid, generator=rng)
        corner = images
        for axis, side in enumerate(self.grid, start=2):
            steps = torch.arange(side) * self.factor
            corner = corner.index_select(axis, steps)
        sent[:, ::2] += 3 * corner
        return sent, images

    def columns(self, sent: Tensor) -> Doubles:
        """(samples, places, columns): neighbours, then mean and spread of the channels, then 1."""
        values = sent.double().numpy()
        padded = np.pad(values, [(0, 0), (0, 0)] + [(1, 1)] * len(self.grid))
        offsets = list(itertools.product(range(3), repeat=len(self.grid)))
        flat = values.reshape(*values.shape[:2], -1)
        rows = [
            [
                [
                    padded[(sample, channel, *np.add(place, offset))]
                    for channel in range(values.shape[1])
                    for offset in offsets
                ]
                + [*flat[sample].mean(1), *flat[sample].std(1), 1.0]
                for place in self.places()
            ]
            for sample in range(self.samples)
        ]
        return np.array(rows)

    def owners(self) -> Doubles:
        """(columns - 1,) which way each column belongs to."""
        channel = np.arange(self.channels * self.ways) // self.channels
        return np.concatenate([channel.repeat(3 ** len(self.grid)), channel, channel])

    def pixels(self, images: Tensor) -> Doubles:
        """(samples, places, pixels of a block)."""
        values = images.double().numpy()[:, 0]
        return np.array(
            [
                [
                    [image[tuple(np.multiply(place, self.factor) + at)] for at in self.within()]
                    for place in self.places()
                ]
                for image in values
            ]
        )


def ridge(inputs: Doubles, aims: Doubles, penalty: float) -> Doubles:
    """Weights by an augmented least-squares problem, without normal equations."""
    columns = inputs.shape[-1]
    rows = inputs.reshape(-1, columns)
    shrink = np.full(columns, penalty * len(rows))
    shrink[-1] = 1e-9 * len(rows)
    found, *_ = np.linalg.lstsq(
        np.vstack([rows, np.diag(np.sqrt(shrink))]),
        np.vstack([aims.reshape(len(rows), -1), np.zeros((columns, aims.shape[-1]))]),
        rcond=None,
    )
    return np.asarray(found, dtype=np.float64)


def left_out(inputs: Doubles, aims: Doubles, folds: list[Tensor]) -> tuple[Doubles, float]:
    """What is said of patients left out, under the largest penalty that does as well."""
    tried = []
    for penalty in PENALTIES:
        said, errors = np.zeros_like(aims), []
        for fold in folds:
            rest = np.setdiff1d(np.arange(len(aims)), fold) if len(folds) > 1 else fold
            said[fold] = inputs[fold] @ ridge(inputs[rest], aims[rest], penalty)
            errors.append(((said[fold] - aims[fold]) ** 2).sum())
        tried.append((said, np.array(errors), penalty))
    least = min((errors for _, errors, _ in tried), key=np.sum)
    for said, errors, penalty in tried:
        worse = errors - least
        chance = worse.std(ddof=1) / len(folds) ** 0.5 if len(folds) > 1 else 0.0
        if worse.mean() <= chance:
            return said, penalty
    raise AssertionError


def stacked(case: Case, sent: Tensor, images: Tensor) -> tuple[Doubles, Doubles]:
    """What is said of patients left out, and of all once all are known; (samples, places, n)."""
    inputs, aims, folds = case.columns(sent), case.pixels(images), case.rows_of_folds()
    every, owners = np.arange(inputs.shape[-1]), case.owners()
    parts = [np.append(np.flatnonzero(owners == way), every[-1]) for way in range(case.ways)]
    parts += [every] if case.ways > 1 else []
    found = [left_out(inputs[..., part], aims, folds) for part in parts]
    errors = np.stack([(said - aims).ravel() for said, _ in found])
    gram = errors @ errors.T / (errors**2).sum()
    shares = optimize.minimize(
        lambda each: 1e3 * each @ gram @ each,
        np.full(len(parts), 1 / len(parts)),
        jac=lambda each: 2e3 * gram @ each,
        bounds=[(0, 1)] * len(parts),
        constraints={"type": "eq", "fun": lambda each: each.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    ).x
    known = [
        inputs[..., part] @ ridge(inputs[..., part], aims, penalty)
        for part, (_, penalty) in zip(parts, found, strict=True)
    ]
    unseen = [said for said, _ in found]
    return tuple(
        sum(share * each for share, each in zip(shares, side, strict=True))
        for side in (unseen, known)
    )  # type: ignore[return-value]


@pytest.mark.parametrize(
    "case",
    [
        Case((6, 5)),
        Case((6, 5), ways=3),
        Case((6, 7), ways=2, factor=2),
        Case((4, 3, 3), ways=2, channels=1, samples=8),
        Case((5, 5), ways=2, folds=1, samples=6),
    ],
    ids=["one way", "three ways", "blocks, odd side", "three dimensions", "single fold"],
)
def test_says_what_regressions_written_out_say(case: Case) -> None:
    sent, images = case.made()
    fit = fit_linear(
        sent, images, torch.zeros(1, 1, *case.space), case.factor, case.rows_of_folds(),
        Generator().manual_seed(1), case.ways,
    )  # fmt: skip
    unseen, known = stacked(case, sent, images)
    assert case.pixels(fit.unseen) == pytest.approx(unseen, abs=2e-4)
    assert case.pixels(fit.decoder(sent)) == pytest.approx(known, abs=2e-4)


def test_what_is_said_of_a_patient_left_out_owes_nothing_to_its_image() -> None:
    case = Case((6, 6), ways=2)
    sent, images = case.made()
    noise = torch.rand(images.shape, generator=Generator().manual_seed(5))
    typical = noise.mean(0, keepdim=True)
    unrelated = torch.randn(sent.shape, generator=Generator().manual_seed(6))
    fit = fit_linear(
        unrelated, noise, typical, 1, case.rows_of_folds(), Generator().manual_seed(1), ways=2
    )
    assert fit.error > 0.95 * (noise - typical).square().mean()
    assert (fit.decoder(unrelated) - noise).square().mean() < fit.error


@pytest.mark.parametrize("apart", [0, 1e-7, 1e-5, 1e-3])
def test_ways_that_say_nearly_the_same_are_no_obstacle(apart: float) -> None:
    rng = Generator().manual_seed(0)
    images = torch.rand(60, 1, 16, 16, generator=rng)
    sent = torch.randn(60, 4, 16, 16, generator=rng)
    sent[:, :2] = 6 * images + 0.05 * sent[:, :2]
    ways = torch.cat([sent, sent + apart * sent**3, sent + apart * torch.randn(
        sent.shape, generator=rng)], dim=1)  # fmt: skip
    folds = [torch.arange(first, 60, 4) for first in range(4)]
    zero = torch.zeros(1, 1, 16, 16)
    alone = fit_linear(sent, images, zero, 1, folds, Generator().manual_seed(1))
    fit = fit_linear(ways, images, zero, 1, folds, Generator().manual_seed(1), ways=3)
    assert fit.error == pytest.approx(alone.error, rel=0.1)
