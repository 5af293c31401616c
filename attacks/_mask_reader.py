"""Read a mask off the gradients that came back to a party, learned from a simulated exchange.

The gradient of the loss with respect to a logit is negative exactly where the mask is one, and
what reaches a party is that map behind convolutions and norms which the party can play through.
A small network learns to undo them; nothing in it has seen a victim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from leakaudit.errors import AttackInvalidError
from leakaudit.split.spec import level_size
from leakaudit.training.loss import segmentation_loss

from ._tail import normalised

_LIMIT = 8.0  # gradients have heavy tails at lesion borders; beyond so many spreads they saturate
_STATE_WEIGHT = (
    0.5  # of the state's squared error, in units of its variance, beside the mask's loss
)
_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Lesson:
    """Simulated samples.

    Attributes:
        clues: (n, channels, *grid), from :func:`clues`.
        masks: (n, regions, *space), 0 or 1.
        states: (n, channels, *grid), normalised.
    """

    clues: Tensor
    masks: Tensor
    states: Tensor


class MaskReader(nn.Module):
    """From gradients and own features of one level to mask logits and the server's state there.

    Works at half resolution, or at its level where that is coarser, and writes blocks of pixels:
    a quarter of the cost, and nothing is lost, because every pixel of a block has its own outputs.

    Args:
        channels: of the clues.
        level: of the clues.
        space: image size.
        outputs: regions, and channels of the state.
        width: channels at its own resolution.
    """

    def __init__(
        self,
        channels: int,
        level: int,
        space: tuple[int, ...],
        outputs: tuple[int, int],
        width: int,
    ) -> None:
        super().__init__()
        flat = len(space) == 2
        conv: type[nn.Conv2d | nn.Conv3d] = nn.Conv2d if flat else nn.Conv3d
        raised: type[nn.ConvTranspose2d | nn.ConvTranspose3d] = (
            nn.ConvTranspose2d if flat else nn.ConvTranspose3d
        )
        own = max(1, level)
        self.grid = level_size(space, own)
        self.sizes = (space, level_size(space, level))
        self.stem = (
            conv(channels, width, 4, stride=2, padding=1)
            if own > level
            else conv(channels, width, 3, padding=1)
        )
        self.first = nn.Sequential(
            nn.GroupNorm(1, width), nn.SiLU(), conv(width, width, 3, padding=1)
        )
        self.wide = nn.Sequential(
            nn.SiLU(), conv(width, 2 * width, 2, stride=2, padding=1), nn.SiLU(),
            conv(2 * width, 2 * width, 3, padding=1), nn.SiLU(), raised(2 * width, width, 2, 2),
        )  # fmt: skip
        self.last = nn.Sequential(
            nn.GroupNorm(1, width), nn.SiLU(), conv(width, width, 3, padding=1), nn.SiLU()
        )
        factors = (2**own, 2 ** (own - level))
        self.answers = nn.ModuleList(
            raised(width, count, factor, factor)
            for count, factor in zip(outputs, factors, strict=True)
        )

    def forward(self, clues: Tensor) -> tuple[Tensor, Tensor]:
        """Mask logits (n, regions, *space) and normalised states (n, channels, *grid)."""
        current = self.first(_fitted(self.stem(clues), self.grid))
        current = self.last(current + _fitted(self.wide(current), self.grid))
        logits, state = (
            _fitted(answer(current), size)
            for answer, size in zip(self.answers, self.sizes, strict=True)
        )
        return logits, normalised(state)

    def read(self, clues: Tensor) -> tuple[Tensor, Tensor]:
        """The same without a graph, a few samples at a time."""
        with torch.no_grad():
            parts = [self(part) for part in clues.split(_AT_ONCE)]
        logits, states = zip(*parts, strict=True)
        return torch.cat(logits), torch.cat(states)


def clues(gradients: Sequence[Tensor], features: Sequence[Tensor]) -> Tensor:
    """What a party has of each sample, as a network reads it.

    Args:
        gradients: per link (n, channels, *grid) that came back; their scale is divided out.
        features: per link (n, channels, *grid) that it sent.
    """
    return torch.cat([*(_unit(each).clamp(-_LIMIT, _LIMIT) for each in gradients), *features], 1)


def teach(
    reader: MaskReader,
    lesson: Lesson,
    steps: int,
    batch_size: int,
    learning_rate: float,
    rng: Generator,
) -> None:
    """Train a reader in place, for some steps of one cosine cycle.

    Raises:
        AttackInvalidError: the loss is not finite.
    """
    optimiser = torch.optim.AdamW(reader.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps + 1)
    for step in range(steps):
        rows = torch.randint(len(lesson.masks), (batch_size,), generator=rng)
        logits, states = reader(lesson.clues[rows])
        loss = segmentation_loss(logits, lesson.masks[rows])
        loss = loss + _STATE_WEIGHT * (states - lesson.states[rows]).square().mean()
        if not bool(torch.isfinite(loss)):
            raise AttackInvalidError(
                "the loss of a network that learns must stay finite",
                found=f"{loss.item()} after {step} steps",
                remedy="lower the attack's learning rate",
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()


def _unit(gradients: Tensor) -> Tensor:
    """Each sample's gradient with a spread of one: how a batch size scales it says nothing."""
    shape = (-1, *(1,) * (gradients.ndim - 1))
    # First by its largest value: squares of a gradient of 1e-20 underflow.
    largest = gradients.flatten(1).abs().amax(1).reshape(shape)
    gradients = gradients / torch.where(largest > 0, largest, 1.0)
    spread = gradients.flatten(1).square().mean(1).sqrt().reshape(shape)
    return gradients / torch.where(spread > 0, spread, 1.0)


def _fitted(tensor: Tensor, size: tuple[int, ...]) -> Tensor:
    """Cropped or repeated at the far ends until the size fits: odd sizes halve rounding down."""
    for axis, side in enumerate(size, start=2):
        tensor = tensor.narrow(axis, 0, min(side, tensor.shape[axis]))
    missing = [side - have for side, have in zip(size, tensor.shape[2:], strict=True)]
    if not any(missing):
        return tensor
    padding = [end for side in reversed(missing) for end in (0, side)]
    return nn.functional.pad(tensor, padding, "replicate")
