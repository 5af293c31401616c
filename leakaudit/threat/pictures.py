"""Picking people out by pictures that were rebuilt of them, sharp or blurred."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leakaudit.threat.picking import (
    Described,
    Picker,
    describe,
    learn,
    mean_of_three,
    slopes_of,
)

_MOST_BLURS = 6


@dataclass(frozen=True, eq=False)
class _Level:
    """The adversary's own images at one sharpness."""

    picker: Picker
    people: Described


class PicturePicker:
    """Whose picture is it? Learnt on the adversary's own patients' images.

    A blurred picture is looked for among images as blurred as it is: auxiliary and candidate images
    are smoothed until their edges are about as faint as those of what was rebuilt. What was learnt
    at one sharpness is kept for the next pictures.
    """

    def __init__(self, auxiliary: Tensor, patients: Tensor, people: Tensor) -> None:
        """Take what the adversary has.

        Args:
            auxiliary: (n, modalities, *space) images of its own patients.
            patients: (n,) their owners.
            people: (c, modalities, *space) one image of each candidate.
        """
        self._patients = patients
        self._images, self._people = _ladder(auxiliary), _ladder(people)
        self._strengths = [edge_strength(images) for images in self._images]
        self._levels: dict[int, _Level] = {}

    def __call__(self, pictures: Tensor) -> Tensor:
        """(n, c) how alike each picture and each candidate are, -1 to 1.

        Raises:
            NotMountableError: too few auxiliary patients have two samples.
        """
        wanted = edge_strength(pictures)
        step = min(
            range(len(self._strengths)), key=lambda each: abs(self._strengths[each] - wanted)
        )
        if step not in self._levels:
            self._levels[step] = _Level(
                learn(describe({0: self._images[step]}), self._patients),
                describe({0: self._people[step]}),
            )
        level = self._levels[step]
        return level.picker(describe({0: pictures}), level.people)


def edge_strength(images: Tensor) -> float:
    """Root mean square of differences between neighbouring voxels."""
    return float(torch.stack(slopes_of(images)).square().mean().sqrt())


def _ladder(images: Tensor) -> list[Tensor]:
    """Images as they are, then more and more blurred: box means of 3, doubling in number."""
    steps = [images]
    for step in range(1, _MOST_BLURS):
        blurred = steps[-1]
        for _ in range(2 ** (step - 1)):
            blurred = mean_of_three(blurred)
        steps.append(blurred)
    return steps
