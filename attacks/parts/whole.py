"""Regression on whole messages, for codes that move what belongs to a pixel away from its place.

A decoder that looks around each position reads nothing where a transform spreads every pixel over
the whole message. Any fixed linear code over space is read all the same by a linear map of the
whole message, and where images are fewer than values that map is cheap: ridge regression in the
dual needs only how alike messages are to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import optimize
from torch import Tensor

from .linear import LinearFit

_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # over the mean of the kernel's diagonal
_MOST_VALUES = 1 << 26  # of all messages together: beyond, values are left out at even steps

Decode = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class WholeDecoder:
    """A linear map of whole messages, kept as weights of the messages it was learnt from.

    Attributes:
        known: (n, values) messages, centred, over their spread.
        weights: (n, outputs * pixels).
        centre: (1, values).
        spread: of all values.
        step: every how many-th value of a message is read.
        base: (1, outputs, *space), the mean image.
        ways: as in :func:`fit_whole`.
    """

    known: Tensor
    weights: Tensor
    centre: Tensor
    spread: float
    step: int
    base: Tensor
    ways: int = 1

    def __call__(self, features: Tensor) -> Tensor:
        """Images (n, outputs, *space), not clamped, of features (n, channels, *grid)."""
        rows = (_read(features, self.ways, self.step) - self.centre) / self.spread
        found = (rows @ self.known.T) @ self.weights
        return self.base + found.reshape(len(features), *self.base.shape[1:])


def _read(features: Tensor, ways: int, step: int) -> Tensor:
    return features.chunk(ways, dim=1)[0].flatten(1)[:, ::step]


def fit_whole(
    features: Tensor, images: Tensor, folds: Sequence[Tensor], ways: int = 1
) -> LinearFit:
    """Kernel ridge regression from whole messages to whole images.

    What is said of a fold left out follows from the fit of all, exactly: with G the inverse of the
    penalised kernel and a = G y, the residuals of fold F are a[F] solved by G[F, F]. The penalty is
    the one under which these are least.

    Args:
        features: (n, channels, *grid), standardised.
        images: (n, outputs, *space).
        folds: rows of each fold; no patient in two. At least two.
        ways: how many times the same channels are there; only the first, plain way is read.
    """
    step = -(-features.numel() // ways // _MOST_VALUES)
    flat = _read(features, ways, step)
    centre = flat.mean(0, keepdim=True)
    spread = max((flat - centre).std().item(), 1e-30)
    known = (flat - centre) / spread
    base = images.mean(0, keepdim=True)
    wanted = (images - base).flatten(1).double()
    kernel = (known @ known.T).double()
    size = kernel.diagonal().mean().item() or 1.0
    eye = torch.eye(len(kernel), dtype=torch.float64)
    tried: list[tuple[float, Tensor, Tensor]] = []
    for penalty in _PENALTIES:
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(kernel + penalty * size * eye))
        weights = inverse @ wanted
        residuals = torch.empty_like(wanted)
        for fold in folds:
            residuals[fold] = torch.linalg.solve(inverse[fold][:, fold], weights[fold])
        tried.append((residuals.square().mean().item(), weights, residuals))
    _, weights, residuals = min(tried, key=lambda each: each[0])
    unseen = images - residuals.float().reshape(images.shape)
    decoder = WholeDecoder(known, weights.float(), centre, spread, step, base, ways)
    return LinearFit(decoder, unseen, _error(unseen, images))


def share_told_by_whole(features: Tensor, images: Tensor, folds: Sequence[Tensor]) -> float:
    """Share of the images' variance that is told of unseen patients, about the mean image.

    Arguments as for :func:`fit_whole`.
    """
    if len(folds) < 2:
        return 0.0
    unseen = fit_whole(features, images, folds).unseen
    whole = (images - images.mean(0)).square().sum().item()
    return 0.0 if whole <= 0 else 1 - (unseen - images).square().sum().item() / whole


def blended(fits: Sequence[LinearFit], images: Tensor, judged: Tensor) -> LinearFit:
    """Several fits as one, each weighed by what it says of patients it has not seen.

    Args:
        fits: of the same samples.
        images: (n, outputs, *space), the truth about them.
        judged: rows to weigh by.
    """
    apart = torch.stack([(fit.unseen - images)[judged].flatten() for fit in fits]).double()
    apart /= apart.square().sum().sqrt().clamp_min(1e-300)
    rows = np.concatenate([apart.T.numpy(), 1e3 * np.ones((1, len(fits)))])
    # Errors of a weighed mean are the weighed mean of the errors: least, not negative, one in all.
    root = np.linalg.qr(rows[:-1], mode="r")
    found, _ = optimize.nnls(np.concatenate([root, rows[-1:]]), np.append(np.zeros(len(root)), 1e3))
    shares = [float(share) for share in found / found.sum()]
    weighed = [share * fit.unseen for share, fit in zip(shares, fits, strict=True)]
    unseen = torch.stack(weighed).sum(0)
    decoder = _Blend(tuple(shares), tuple(fit.decoder for fit in fits))
    return LinearFit(decoder, unseen, _error(unseen, images), fits[0].way)


@dataclass(frozen=True, eq=False)
class _Blend:
    shares: tuple[float, ...]
    decoders: tuple[Decode, ...]

    def __call__(self, features: Tensor) -> Tensor:
        parts = [
            share * decoder(features)
            for share, decoder in zip(self.shares, self.decoders, strict=True)
            if share > 0
        ]
        return torch.stack(parts).sum(0)


def _error(unseen: Tensor, images: Tensor) -> float:
    return (unseen.clamp(0, 1) - images).square().mean().item()
