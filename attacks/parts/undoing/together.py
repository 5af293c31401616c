"""What a message's channels, and the samples that cross in it, tell of each other."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from .crossing import Ask, Crossing, NotApplicableError, Undo

_SINGLE = 1e-15  # of the largest variance: what single precision rounds off, at worst
_MOST_SAMPLES = 48  # of a message, whose mixing is measured by as many messages
_RANK_ONE = 0.98
_LEAST_MIXED = 1e-4
_WORST_CONDITION = 1e9


@dataclass(frozen=True)
class Whitening:
    """Directions over channels, each brought to the same spread.

    A decoy that is sent along, or the same noise in all channels, drowns what is small; it is
    small in some direction over the channels only.
    """

    name: str = "channels whitened"

    def fit(self, sent: Crossing, images: Tensor, ask: Ask) -> Undo:
        """From how the channels of all samples vary together."""
        del images, ask
        rows = sent.values.movedim(1, -1).flatten(0, -2)
        centre = rows.mean(0)
        # Of singular values, half of the digits are not lost, as they are of a covariance's.
        spreads, directions = torch.linalg.svd(rows - centre, full_matrices=False)[1:]
        spreads = spreads / max(1.0, len(rows) - 1.0) ** 0.5
        kept = spreads.square() > _SINGLE * spreads[0].square()
        if not bool(kept.any()) or not float(spreads[0]) > 0:
            raise NotApplicableError("messages of one value")
        turn = directions[kept] / spreads[kept, None]

        def undo(given: Crossing) -> Crossing:
            shape = (-1, *(1,) * (given.values.ndim - 2))
            return given.of(
                torch.einsum("dc,nc...->nd...", turn, given.values - centre.reshape(shape))
            )

        return undo


@dataclass(frozen=True)
class Differences:
    """Each sample less the mean of the others in its message: what all share goes."""

    name: str = "differences of samples in a message"

    def fit(self, sent: Crossing, images: Tensor, ask: Ask) -> Undo:
        """Nothing is learnt."""
        del images, ask
        if max(sent.sizes) < 2:
            raise NotApplicableError("messages of a single sample")
        return self._undo

    def _undo(self, given: Crossing) -> Crossing:
        sizes = torch.tensor(given.sizes)[given.message_of]
        others = (sizes - 1).clamp_min(1).to(given.values)
        shape = (-1, *(1,) * (given.values.ndim - 1))
        rest = (given.summed(given.values) - given.values) / others.reshape(shape)
        alone = (sizes < 2).reshape(shape)
        return given.of(torch.where(alone, 0.0, given.values - rest))


@dataclass(frozen=True)
class Unmixing:
    """Sums of the samples of a message, always with the same weights, taken apart.

    Who may ask, measures the weights: a message of the same image over and over, and the same with
    another image in one place, differ by that place's weights times what the images differ by.
    """

    name: str = "samples of a message unmixed"

    def fit(self, sent: Crossing, images: Tensor, ask: Ask) -> Undo:
        """The weights of whole messages now, of smaller ones when they come."""
        if max(sent.sizes) < 2:
            raise NotApplicableError("messages of a single sample")
        found = _Unmixed(images[:1], images[-1:], ask, max(sent.sizes))
        found.weights(max(sent.sizes))
        return found


@dataclass(frozen=True, eq=False)
class _Unmixed:
    usual: Tensor
    other: Tensor
    ask: Ask
    whole: int
    _known: dict[int, Tensor] = field(default_factory=dict)

    def __call__(self, given: Crossing) -> Crossing:
        parts = given.values.split(list(given.sizes))
        unmixed = [
            torch.linalg.solve(self.weights(len(part)), part.flatten(1)).reshape(part.shape)
            for part in parts
        ]
        return given.of(torch.cat(unmixed))

    def weights(self, size: int) -> Tensor:
        """(size, size): row, of what is sent, by place of what it is sent for."""
        if size not in self._known:
            self._known[size] = self._measured(size)
        return self._known[size]

    def _measured(self, size: int) -> Tensor:
        if size == 1:
            return torch.ones(1, 1, dtype=torch.float64)
        if not 2 <= self.whole <= _MOST_SAMPLES:
            raise NotApplicableError(f"messages of {self.whole} samples")
        spread = (size, *(1,) * (self.usual.ndim - 1))
        usual = self.usual.repeat(spread)
        asked = [usual]
        for place in range(size):
            changed = usual.clone()
            changed[place] = self.other[0]
            asked.append(changed)
        if size == self.whole:
            answers = list(self.ask(torch.cat(asked)).values.split(size))
        else:
            answers = [self.ask(each).values for each in asked]
        before, *after = (each.flatten(1) for each in answers)
        apart = torch.stack([each - before for each in after], 1)  # (row, place, values)
        sizes = apart.square().sum(2)
        most = int(sizes.argmax())
        one = apart.flatten(0, 1)[most]
        power = one.square().sum()
        if not float(power) > 0:
            raise NotApplicableError("messages that no image changes")
        found = apart @ one / power
        left = (apart - found[..., None] * one).square().sum() / sizes.sum()
        if 1 - float(left) < _RANK_ONE:
            raise NotApplicableError("samples are not summed with fixed weights")
        beside = found - torch.diag(found.diagonal())
        if float(beside.abs().max()) < _LEAST_MIXED * float(found.abs().max()):
            raise NotApplicableError("samples are not mixed")
        if float(torch.linalg.cond(found)) > _WORST_CONDITION:
            raise NotApplicableError("a mixing that cannot be undone")
        return found


TOGETHER = (Whitening(), Differences(), Unmixing())
