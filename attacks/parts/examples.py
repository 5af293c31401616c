"""The adversary's own images, and altered copies of them: who may query an encoder may ask more.

Ten patients are few to learn from. A turned, stretched, shifted, mirrored or brightened copy is
another image with a message of its own, which the victim's encoder is asked for; nothing is assumed
about how a message changes with its image.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from leakaudit.threat.view import View

_MOST_BYTES = 512 << 20  # of one draw of all examples' messages
_ENOUGH = 500  # images, beyond which a copy costs an original its turn
_TURN = 0.3  # radians
_STRETCH = 0.15  # of the size
_SHIFT = 0.1  # of half a side
_GAMMA = 0.3  # of its logarithm
_BRIGHTNESS = 0.2


@dataclass(frozen=True, eq=False)
class Examples:
    """What a victim is asked about.

    Attributes:
        images: (n, modalities, *space) in [0, 1]: the auxiliary images, then altered copies.
        patients: (n,) owners; a copy belongs to the patient of its original.
        altered: (n,), which of them are copies.
    """

    images: Tensor
    patients: Tensor
    altered: Tensor


def examples(view: View, victim: str, copies: int, rng: Generator) -> Examples:
    """The auxiliary images in a victim's modalities, with altered copies where images are few.

    Memory, too, bounds how many.

    Args:
        view: grants auxiliary images and queries.
        victim: party name.
        copies: of each image, at most.
        rng: how they are altered.
    """
    images, patients = view.auxiliary_images(victim), view.auxiliary_patients
    copies = min(copies, max(0, _ENOUGH // len(images) - 1))
    if copies and not view.can_ask(victim, 1 - images[:1]):
        copies = 0  # a job that trained elsewhere answers what it was asked, and no more
    if copies:
        sent = view.query(victim, images[:1], view.last_epoch, rng)
        per_image = sum(features.nbytes for features in sent.values())
        copies = min(copies, max(0, _MOST_BYTES // (per_image * len(images)) - 1))
    every = [images, *(altered(images, rng) for _ in range(copies))]
    everything = torch.cat(every)
    copied = torch.arange(len(everything)) >= len(images)
    return Examples(everything, patients.repeat(copies + 1), copied)


def altered(images: Tensor, rng: Generator) -> Tensor:
    """Every image once more: turned, stretched, shifted, half of them mirrored, and brightened.

    Args:
        images: (n, channels, *space) in [0, 1].
        rng: by how much.
    """
    n, d = len(images), images.ndim - 2

    def drawn(size: float, *shape: int) -> Tensor:
        return size * (2 * torch.rand(n, *shape, generator=rng) - 1)

    turn = drawn(_TURN, d, d).triu(1)
    places = torch.eye(d) + turn - turn.mT
    # The first axis of places is the last of the image: across, where heads are alike.
    places[:, :, 0] *= torch.where(torch.rand(n, 1, generator=rng) < 0.5, -1.0, 1.0)
    places = torch.cat([places * (1 + drawn(_STRETCH, 1, 1)), drawn(_SHIFT, d, 1)], dim=2)
    grid = nn.functional.affine_grid(places, list(images.shape), align_corners=False)
    moved = nn.functional.grid_sample(images, grid, align_corners=False).clamp(0, 1)
    ones = (1,) * (d + 1)
    gamma, gain = drawn(_GAMMA, *ones).exp(), 1 + drawn(_BRIGHTNESS, *ones)
    return (gain * moved**gamma).clamp(0, 1)
