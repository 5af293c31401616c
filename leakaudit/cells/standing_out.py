"""Whose messages are unlike all that anybody could ask for, and whose images stand there in clear?

Attacks learn from auxiliary patients. A message whose like none of them shows (one patient's image
copied into a channel, say) is one that they never learnt to read: their silence about that patient
means nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats
from torch import Tensor

Doubles = npt.NDArray[np.float64]

# Of one training, over all patients and all ways to look, were excesses of few patients normal.
_ALARM = 0.005
# Fewer others show no spread.
_LEAST = 4
# Excesses of patients who are alike differ by some percent; less is no ground for a narrow bound.
_LEAST_SPREAD = 0.03
# A median absolute deviation knows a spread less well than a standard deviation of as many values:
# with so many of its degrees of freedom at most one in 100 looks at 8 to 30 patients alarms, with
# all of them four in 100 (tests/cells/test_standing_out.py).
_EFFICIENCY = 0.5
# What is nearer than people usually are to each other stands out from nothing.
_INSIDE = -0.3
# Logarithm of how many times as far as people usually are: real images are unlike each other by
# heavy tails, which no bound of few patients covers, so that only large effects count.
_UNLIKE, _NOTHING_LIKE = math.log(1.65), math.log(2.5)
# Channels and frequencies below these shares of the typical and of the largest say little.
_WEAK_CHANNEL, _WEAK_GROUP = 0.1, 0.3
# Relative differences that are rounding of single-precision messages; sizes that are alike.
_ROUNDING, _SAME_SIZE = 1e-5, 0.5
# Share of what sets an image apart from others that a single channel shows, by scale and sign.
_IN_CLEAR = 0.5
_TINY = float(torch.finfo(torch.float64).tiny)


class StandingOut:
    """Looks at messages one epoch, level and sample after the other, then says who stands out."""

    def __init__(self) -> None:
        self._excess: list[Doubles] = []
        self._fits: dict[tuple[int, int], list[Tensor]] = defaultdict(list)
        self._least_fit: dict[tuple[int, int], float] = {}

    def see(
        self, epoch: int, level: int, sent: Tensor, asked: Tensor, known: Tensor, images: Tensor
    ) -> None:
        """Look at one sample of every patient.

        Args:
            epoch: of the messages.
            level: of the messages.
            sent: (p, c, *space) as recorded.
            asked: (p, c, *space), what comes for the same images now.
            known: (a, c, *space), what comes for auxiliary images.
            images: (p + a, modalities, *space) of both, at the size of the messages.
        """
        self._excess += excesses(sent, asked, known)
        if images.shape[2:] == sent.shape[2:]:
            self._fits[epoch, level].append(fits(sent, images))
            pixels, looks = math.prod(sent.shape[2:]), sent.shape[1] * len(sent) * images.shape[1]
            by_luck = 1 - (_ALARM / looks) ** (2 / max(pixels - 2, 1))
            self._least_fit[epoch, level] = max(_IN_CLEAR, by_luck)

    def unlike(self) -> npt.NDArray[np.bool_]:
        """(p,) whose messages lie beyond what the other patients and the auxiliary ones show."""
        return self._beyond(_UNLIKE)

    def nothing_like(self) -> npt.NDArray[np.bool_]:
        """(p,) who lie so far beyond that one training is enough to say so."""
        return self._beyond(_NOTHING_LIKE)

    def _beyond(self, least: float) -> npt.NDArray[np.bool_]:
        looks = len(self._excess)
        rows = [beyond(each, looks=looks) & (each >= least) for each in self._excess]
        marked: npt.NDArray[np.bool_] = np.any(rows, axis=0)
        return marked

    def in_clear(self) -> npt.NDArray[np.bool_]:
        """(p,) whose image some channel shows, better than it shows anybody else's."""
        found = []
        for place, each in self._fits.items():
            fit = torch.stack(each).mean(0).numpy()
            own = np.diag(fit)
            rest = fit.copy()
            np.fill_diagonal(rest, -np.inf)
            found.append((own > rest.max(1)) & (own >= self._least_fit[place]))
        return np.any(found, axis=0) if found else np.zeros(0, dtype=np.bool_)


def excesses(sent: Tensor, asked: Tensor, known: Tensor) -> list[Doubles]:
    """Each (p,): logarithm of how far a message is from what was queried, in every way looked at.

    Two distances, to the answer for the same image and to the nearest answer for anybody else's,
    over the distance that two people usually have: what sets images apart, a lesion or a head at
    the rim, moves a message about as far as that, and so does an epoch of training.

    Args:
        sent: (p, c, *space) as recorded.
        asked: (p, c, *space), what comes for the same images.
        known: (a, c, *space), what comes for other people's; where there are too few, the other
            patients stand in for them.
    """
    enough = len(known) >= _LEAST
    sent, asked, known = _evened(sent, asked, known if enough else asked)
    itself = torch.full((len(sent), len(known)), 0.0, dtype=sent.dtype)
    if not enough:
        itself.fill_diagonal_(torch.inf)
    above = torch.triu(torch.ones(len(known), len(known), dtype=torch.bool), 1)
    found = []
    for mine, own, others in zip(_ways(sent), _ways(asked), _ways(known), strict=True):
        far = (mine.values - own.values).norm(dim=2)
        near = (torch.cdist(mine.values, others.values) + itself).amin(2)
        usual = torch.cdist(others.values, others.values)[:, above].median(1).values
        usual = torch.maximum(usual, near.median(1).values)
        rounding = _ROUNDING * others.values.norm(dim=2).median(1).values
        usual = torch.maximum(usual, rounding.clamp_min(mine.least))
        usual = torch.maximum(usual, _WEAK_GROUP * usual.max()).clamp_min(_TINY)
        found += [
            mine.power * _logs(near / usual[:, None]),
            mine.power * _logs(far / torch.maximum(usual, far.median(1).values)[:, None]),
        ]
    return found


@dataclass(frozen=True, eq=False)
class _Way:
    """One way to look: values (groups, n, d); of the groups, the farthest counts.

    Attributes:
        values: compared.
        least: distance below which two are the same.
        power: 1/2 for products of values, whose distances are squares.
    """

    values: Tensor
    least: float = 0.0
    power: float = 1.0


def _ways(messages: Tensor) -> Iterator[_Way]:
    """The ways that are looked at: shapes without their size, and the size by itself."""
    size = messages.flatten(1).norm(dim=1).clamp_min(_TINY)
    yield _Way(size.log()[None, :, None], least=_SAME_SIZE)
    yield _Way(messages.flatten(1)[None])
    even = messages / size.reshape(-1, *[1] * (messages.ndim - 1))
    flat = even.flatten(2)
    yield _Way(flat.flatten(1)[None])
    yield _Way(flat.transpose(0, 1))
    yield _Way(flat.sort(2).values.flatten(1)[None])
    axes = tuple(range(2, messages.ndim))
    yield _Way(torch.fft.rfftn(even, dim=axes).flatten(2).abs().transpose(0, 1))
    yield _Way(torch.einsum("ncp,ndp->ncd", flat, flat).flatten(1)[None], power=0.5)


def _evened(*messages: Tensor) -> tuple[Tensor, ...]:
    """All of them with every channel at its typical size, so that weak ones are looked at, too."""
    typical = torch.cat(messages).flatten(2).norm(dim=2).median(0).values
    scale = typical.clamp_min(_WEAK_CHANNEL * float(typical.max()))
    scale = torch.where(scale > 0, scale, 1).reshape(-1, *[1] * (messages[0].ndim - 2))
    return tuple(each / scale for each in messages)


def beyond(excess: Doubles, *, looks: int) -> npt.NDArray[np.bool_]:
    """(p,) whose excess no other patient's explains: a prediction interval for one more of them.

    Spread is the median absolute deviation, so that several who stand out do not hide each other.

    Args:
        excess: (p,).
        looks: in all; the level is corrected for them and for the patients.
    """
    n = len(excess) - 1
    if n < _LEAST:
        return np.zeros(len(excess), dtype=np.bool_)
    freedom = _EFFICIENCY * (n - 1)
    reach = float(stats.t.isf(_ALARM / (len(excess) * looks), freedom)) * math.sqrt(1 + 1 / n)
    found = []
    for number, mine in enumerate(excess):
        others = np.maximum(np.delete(excess, number), _INSIDE)
        middle = float(np.median(others))
        spread = max(1.4826 * float(np.median(np.abs(others - middle))), _LEAST_SPREAD)
        found.append(mine > middle + reach * spread)
    return np.array(found, dtype=np.bool_)


def fits(sent: Tensor, images: Tensor) -> Tensor:
    """(p, q) share of what sets image q apart that one channel of message p shows.

    By scale and sign alone, after what all images have in common is taken out of both.

    Args:
        sent: (p, c, *space).
        images: (q, modalities, *space), those of the p patients first.
    """
    mean = images.mean(0).flatten(1)
    flat = torch.ones(1, mean.shape[1], dtype=mean.dtype)
    basis = torch.linalg.qr(torch.cat([flat, mean]).T)[0]
    pictures = _apart(images.flatten(2), basis)
    maps = _apart(sent.flatten(2), basis)
    shares: Tensor = torch.einsum("pcd,qmd->pqcm", maps, pictures).square().amax((2, 3))
    return shares


def _apart(maps: Tensor, basis: Tensor) -> Tensor:
    left = maps - (maps @ basis) @ basis.T
    length = left.norm(dim=2, keepdim=True)
    # What is left of a map that is all in common is rounding.
    real = length > 1e-9 * maps.norm(dim=2, keepdim=True)
    return torch.where(real, left / length.clamp_min(torch.finfo(left.dtype).tiny), 0)


def _logs(ratios: Tensor) -> Doubles:
    """Logarithm of every patient's largest."""
    logs: Doubles = ratios.clamp_min(_TINY).log().amax(0).numpy()
    return logs
