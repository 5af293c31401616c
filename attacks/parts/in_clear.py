"""Messages taken for pictures: whoever is sent in clear is read, though no auxiliary patient is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn

from leakaudit.threat.attack import Guess
from leakaudit.threat.view import Features, View

# Patterns by which images differ from the typical one.
_PATTERNS = 8
# Of what is left of the likeliest auxiliary message: a picture leaves next to nothing.
_CLEARLY = 0.5
_ROUNDING = 1e-9


def read_in_clear(
    view: View, victim: str, levels: Sequence[int], guess: Guess, rng: Generator
) -> Guess:
    """The guess, with what stands in a channel in clear in place of what was decoded.

    Decoders learn from auxiliary patients. A patient whose image is copied into a channel, when
    theirs are not, is one that they never learnt to read. So each channel, their mean and their
    magnitude are taken for the picture, by scale, sign and brightness alone; and where one of them
    is far more like a picture than anything that auxiliary images give when they are asked about,
    it is the guess for that patient, over all epochs.

    Args:
        view: grants activations, queries and auxiliary images.
        victim: party name.
        levels: whose messages may be used.
        guess: of a decoder.
        rng: gives the seed of the queries; it is not drawn from.
    """
    known = view.auxiliary_images(victim)
    if len(known) < 3:
        return guess
    own = torch.Generator().manual_seed(rng.initial_seed())
    # Like with like: an epoch is held against what is answered as of that epoch.
    asked = {
        epoch: _maps(view.query(victim, known, epoch, own), levels, view.space)
        for epoch in view.epochs
    }
    values = guess.values.clone()
    for modality in range(known.shape[1]):
        picture = _Picture(known[:, modality])
        for epoch in view.epochs:
            usual = picture.left(asked[epoch], view.auxiliary_patients).min()
            sent = {level: view.activations(victim, level, epoch) for level in levels}
            maps = _maps(sent, levels, view.space)
            left = picture.left(maps, view.patients)
            for number, patient in enumerate(view.patients.unique().tolist()):
                best = int(left[number].argmin())
                if left[number, best] < _CLEARLY * usual:
                    rows = (view.patients == patient).nonzero()[:, 0]
                    values[rows, modality] = picture.drawn(maps[rows, best])
    return replace(guess, values=values)


class _Picture:
    """What images of one modality look like: the typical one, and how they differ from it.

    Args:
        known: (m, *space).
    """

    def __init__(self, known: Tensor) -> None:
        self._typical = known.mean(0)
        self._contrast = known.flatten(1).std(1).mean()
        around = (known - self._typical).flatten(1)
        patterns = torch.linalg.svd(around, full_matrices=False).Vh
        patterns = patterns[: min(_PATTERNS, len(known) - 2)]
        mean = self._typical.flatten()[None]
        self._like = torch.linalg.qr(torch.cat([torch.ones_like(mean), mean, patterns]).T).Q.T

    def left(self, maps: Tensor, patients: Tensor) -> Tensor:
        """(patients, maps) share of each map's variance that no picture has.

        A picture is the typical one and patterns by which images differ, in some scale, sign and
        brightness; 1 of a map that is all the same.
        """
        flat = maps.flatten(2)
        plain = flat - flat.mean(2, keepdim=True)
        power = plain.square().sum(2)
        apart = (plain - (plain @ self._like.T) @ self._like).square().sum(2)
        real = power > _ROUNDING * flat.square().sum(2)
        left = torch.where(real, apart / power.clamp_min(torch.finfo(power.dtype).tiny), 1)
        return torch.stack([left[patients == each].mean(0) for each in patients.unique()])

    def drawn(self, maps: Tensor) -> Tensor:
        """(n, *space) maps as pictures: contrast, sign and brightness as images usually have."""
        flat = maps.flatten(1)
        plain = flat - flat.mean(1, keepdim=True)
        mean = self._typical.mean()
        sign = torch.where(plain @ (self._typical.flatten() - mean) < 0, -1.0, 1.0)
        scale = sign * self._contrast / plain.std(1).clamp_min(torch.finfo(plain.dtype).tiny)
        return (mean + scale[:, None] * plain).reshape(maps.shape).clamp(0, 1)


def _maps(sent: Features, levels: Sequence[int], space: tuple[int, ...]) -> Tensor:
    """(n, maps, *space): what could be a picture, at the size of images."""
    mode = "bilinear" if len(space) == 2 else "trilinear"
    return torch.cat(
        [
            nn.functional.interpolate(each, space, mode=mode)
            for level in levels
            for each in _combined(sent[level].float())
        ],
        1,
    )


def _combined(sent: Tensor) -> Iterator[Tensor]:
    """Channels, their mean and their magnitude, none of which drowns the others."""
    size = sent.flatten(2).abs().amax(2).clamp_min(torch.finfo(sent.dtype).tiny)
    even = sent / size[(..., *(None,) * (sent.ndim - 2))]
    yield from (even, even.mean(1, keepdim=True), even.square().mean(1, keepdim=True).sqrt())
