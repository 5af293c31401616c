"""Read a mask off the gradients that came back to a party, learned from a simulated exchange.

The gradient of the loss with respect to a logit is negative exactly where the mask is one, and
what reaches a party is that map behind convolutions and norms which the party can play through.
A small network learns to undo them; nothing in it has seen a victim.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor, nn

from leakaudit.errors import AttackInvalidError
from leakaudit.models.loss import segmentation_loss
from leakaudit.split.spec import level_size

from ..parts.effort import endings
from ..simulation.server_tail import normalised
from .inputs import input_channels

_RATE = 5e-3
_STATE_WEIGHT = 0.1  # of the state's squared error, in units of its variance, beside the mask's
_AT_ONCE = 32
_KEPT_BYTES = 2**29  # of input channels that are kept over all steps; more are made anew at each
_WARMING = 0.1  # of the steps: the first ones, at a rising rate


@dataclass(frozen=True, eq=False)
class ReaderInputs:
    """What the adversary has of some samples.

    Attributes:
        gradients: per recorded epoch (n, channels, *grid) at the state.
        features: (n, channels, *grid) of its own that it sent, in the last of these epochs.
        images: (n, modalities, *space) of its own.
    """

    gradients: tuple[Tensor, ...]
    features: Tensor
    images: Tensor

    def __getitem__(self, rows: Tensor) -> ReaderInputs:
        return ReaderInputs(
            tuple(each[rows] for each in self.gradients), self.features[rows], self.images[rows]
        )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def channels(self) -> Tensor:
        """(n, channels, *grid), gradients and features as a network reads them."""
        return input_channels(self.gradients, [self.features])


@dataclass(frozen=True, eq=False)
class SimulatedSamples:
    """Simulated samples.

    Attributes:
        seen: what would be seen of them.
        masks: (n, regions, *space), 0 or 1.
        states: (n, channels, *grid), normalised.
    """

    seen: ReaderInputs
    masks: Tensor
    states: Tensor

    def channels(self, rows: Tensor) -> Tensor:
        """Those of some samples."""
        return self.seen[rows].channels if self._kept is None else self._kept[rows]

    @cached_property
    def _kept(self) -> Tensor | None:
        """Input channels of all samples; None where too large. Making them is 2/5 of a step."""
        parts: list[Tensor] = []
        for rows in torch.arange(len(self.seen)).split(_AT_ONCE):
            parts.append(self.seen[rows].channels)
            if len(self.seen) * parts[0][0].nbytes > _KEPT_BYTES:
                return None
        return torch.cat(parts)


class _Residual(nn.Module):
    """Two convolutions around a skip, normalised per sample: gradients have no scale."""

    def __init__(self, conv: type[nn.Conv2d | nn.Conv3d], width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(1, width), nn.SiLU(), conv(width, width, 3, padding=1),
            nn.SiLU(), conv(width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, current: Tensor) -> Tensor:
        changed: Tensor = self.body(current)
        return current + changed


class MaskReader(nn.Module):
    """From input channels of one level and own images to mask logits and the server's state there.

    Works at half resolution, or at its level where that is coarser, and writes blocks of pixels:
    a quarter of the cost, and nothing is lost, because every pixel of a block has its own outputs.

    Args:
        example: some inputs, for its shapes.
        level: of the gradients.
        outputs: regions, and channels of the state.
        width: channels at its own resolution.
    """

    def __init__(
        self, example: ReaderInputs, level: int, outputs: tuple[int, int], width: int
    ) -> None:
        super().__init__()
        space = tuple(example.images.shape[2:])
        flat = len(space) == 2
        conv: type[nn.Conv2d | nn.Conv3d] = nn.Conv2d if flat else nn.Conv3d
        raised: type[nn.ConvTranspose2d | nn.ConvTranspose3d] = (
            nn.ConvTranspose2d if flat else nn.ConvTranspose3d
        )
        own = max(1, level)
        self.grid = level_size(space, own)
        self.sizes = (space, level_size(space, level))
        channels = example.channels.shape[1]
        self.stem = (
            conv(channels, width, 4, stride=2, padding=1)
            if own > level
            else conv(channels, width, 3, padding=1)
        )
        self.images = conv(example.images.shape[1], width, 2**own, stride=2**own)
        self.first = _Residual(conv, width)
        self.wide = nn.Sequential(
            conv(width, 2 * width, 2, stride=2, padding=1), _Residual(conv, 2 * width),
            raised(2 * width, width, 2, 2),
        )  # fmt: skip
        self.second = _Residual(conv, width)
        self.last = nn.Sequential(
            nn.GroupNorm(1, width), nn.SiLU(), conv(width, width, 3, padding=1), nn.SiLU()
        )
        factors = (2**own, 2 ** (own - level))
        self.answers = nn.ModuleList(
            raised(width, count, factor, factor)
            for count, factor in zip(outputs, factors, strict=True)
        )

    def forward(self, channels: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mask logits (n, regions, *space) and normalised states (n, channels, *grid)."""
        pictured = self.images(4 * images - 1)  # of about unit spread, as the gradients
        current = _fitted(self.stem(channels), self.grid) + _fitted(pictured, self.grid)
        current = self.first(current)
        current = self.second(current + _fitted(self.wide(current), self.grid))
        current = self.last(current)
        logits, state = (
            _fitted(answer(current), size)
            for answer, size in zip(self.answers, self.sizes, strict=True)
        )
        return logits, normalised(state)

    def read(self, seen: ReaderInputs) -> tuple[Tensor, Tensor]:
        """The same without a graph, a few samples at a time."""
        logits: list[Tensor] = []
        states: list[Tensor] = []
        with torch.no_grad():
            for rows in torch.arange(len(seen)).split(_AT_ONCE):
                some = seen[rows]
                for parts, part in zip(
                    (logits, states), self(some.channels, some.images), strict=True
                ):
                    parts.append(part)
        return torch.cat(logits), torch.cat(states)


def train_reader(
    reader: MaskReader,
    samples: SimulatedSamples,
    steps: int,
    batch_size: int,
    rng: Generator,
    earlier: Callable[[int, MaskReader], None] | None = None,
) -> None:
    """Train a reader in place.

    Args:
        reader: untrained.
        samples: what from.
        steps: of the optimiser.
        batch_size: samples per step.
        rng: order of the samples.
        earlier: given readers that end with fewer steps, for an effort curve, and their steps.

    Raises:
        AttackInvalidError: the loss is not finite.
    """
    optimiser, done = torch.optim.AdamW(reader.parameters(), lr=_RATE, fused=True), 0
    for end, until in endings(steps):
        whole = end == steps
        if not whole and earlier is None:
            continue
        for step in range(done, until):
            rate = min(1.0, (step + 1) / (_WARMING * steps))
            _learn(reader, optimiser, rate, samples, batch_size, rng)
        done, last, drawn = until, reader, rng
        if not whole:
            # A curve must not change what it is a curve of: on the way, randomness is its own.
            last, drawn = copy.deepcopy(reader), Generator().manual_seed(rng.initial_seed())
        ending = torch.optim.AdamW(last.parameters(), lr=_RATE, fused=True)
        ending.load_state_dict(copy.deepcopy(optimiser.state_dict()))
        for step in range(until, end):
            rate = 1 - (step - until) / (end - until)
            _learn(last, ending, rate, samples, batch_size, drawn)
        if earlier is not None and not whole:
            earlier(end, last)


def _learn(
    reader: MaskReader,
    optimiser: torch.optim.Optimizer,
    rate: float,
    samples: SimulatedSamples,
    batch_size: int,
    rng: Generator,
) -> None:
    """One step, at a share of the learning rate."""
    rows = torch.randint(len(samples.masks), (batch_size,), generator=rng)
    logits, states = reader(samples.channels(rows), samples.seen.images[rows])
    loss = segmentation_loss(logits, samples.masks[rows])
    loss = loss + _STATE_WEIGHT * (states - samples.states[rows]).square().mean()
    if not bool(torch.isfinite(loss)):
        raise AttackInvalidError(
            "the loss of a network that learns must stay finite",
            found=loss.item(),
            remedy="look at the recorded gradients: a few may be too large to compute with",
        )
    optimiser.param_groups[0]["lr"] = _RATE * rate
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def _fitted(tensor: Tensor, size: tuple[int, ...]) -> Tensor:
    """Cropped or repeated at the far ends until the size fits: odd sizes halve rounding down."""
    for axis, side in enumerate(size, start=2):
        tensor = tensor.narrow(axis, 0, min(side, tensor.shape[axis]))
    missing = [side - have for side, have in zip(size, tensor.shape[2:], strict=True)]
    if not any(missing):
        return tensor
    padding = [end for side in reversed(missing) for end in (0, side)]
    return nn.functional.pad(tensor, padding, "replicate")
