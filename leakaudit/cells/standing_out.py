"""Whose messages are unlike all that anybody could ask for, and whose images stand there in clear?

Attacks learn from auxiliary patients. A message whose like none of them shows (one patient's image
copied into a channel, say) is one that they never learnt to read: their silence about that patient
means nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats
from torch import Tensor

from leakaudit.cells.invariants import descriptors

Doubles = npt.NDArray[np.float64]

# Of one training, over all patients and all ways to look: a wrong alarm keeps a true silence from
# counting, and there are several trainings.
_ALARM = 0.005
# Fewer others show no spread.
_LEAST = 4
# Distances of patients who are alike differ by some percent; less is no ground for a wide bound.
_LEAST_SPREAD = 0.05
_WAYS = (
    "as sent", "scale taken out", "order statistics of a channel", "sizes of channels",
    "spectrum of every channel", "Gram matrix of channels",
)  # fmt: skip
# Share of what sets an image apart from others that a single channel shows, by scale and sign.
_IN_CLEAR = 0.5


class StandingOut:
    """Looks at messages one epoch, level and sample after the other, then says who stands out."""

    def __init__(self) -> None:
        self._far: dict[tuple[int, int, str], list[Tensor]] = defaultdict(list)
        self._known: dict[tuple[int, int, str], list[Tensor]] = defaultdict(list)
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
        others = dict(_ways(known)) if len(known) else {}
        for (name, mine), (_, own) in zip(_ways(sent), _ways(asked), strict=True):
            self._far[epoch, level, f"own query, {name}"].append((mine - own).norm(dim=2).T)
            if len(known) > 1:
                place = (epoch, level, name)
                self._far[place].append(torch.cdist(mine, others[name]).amin(2).T)
                itself = torch.eye(len(known), dtype=torch.bool)
                self._known[place].append(
                    torch.cdist(others[name], others[name]).masked_fill(itself, torch.inf).amin(2).T
                )
        if images.shape[2:] == sent.shape[2:]:
            self._fits[epoch, level].append(fits(sent, images))
            pixels, looks = math.prod(sent.shape[2:]), sent.shape[1] * len(sent) * images.shape[1]
            by_luck = 1 - (_ALARM / looks) ** (2 / max(pixels - 2, 1))
            self._least_fit[epoch, level] = max(_IN_CLEAR, by_luck)

    def unlike(self) -> npt.NDArray[np.bool_]:
        """(p,) whose messages lie beyond what the other patients and the auxiliary ones show."""
        looks = sum(len(each) for each in self._far.values())
        rows = [
            outliers(
                _logs(far), _logs(self._known[place][0]) if place in self._known else None,
                looks=looks,
            )
            for place, each in self._far.items()
            for far in each
        ]  # fmt: skip
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


def _ways(messages: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The ways that are looked at, with (groups, n, d); those behind the last are never made."""
    left = len(_WAYS)
    for each in descriptors(messages):
        if each.name in _WAYS:
            yield each.name, each.values.transpose(0, 1)
            left -= 1
            if not left:
                return


def outliers(far: Doubles, known: Doubles | None, *, looks: int) -> npt.NDArray[np.bool_]:
    """(p,) whose distance no other patient's explains: a prediction interval for one more of them.

    A patient must lie beyond the other patients and, where they are known, beyond auxiliary ones:
    where all are far from those (weights moved on within the epoch), nobody stands out. Spread is
    the median absolute deviation, so that several who stand out do not hide each other.

    Args:
        far: (p, groups) logarithms of the patients' distances; of the groups, the one counts in
            which a patient lies farthest beyond the others.
        known: (a, groups) the same of auxiliary patients.
        looks: in all; the level is corrected for them and for the patients.
    """
    level = _ALARM / (len(far) * looks)
    found = np.zeros(len(far), dtype=np.bool_)
    for number in range(len(far)):
        groups = [np.delete(far, number, axis=0)]
        if known is not None and len(known) >= _LEAST:
            groups.append(known)
        # Few auxiliary patients tell where they lie, and all together how far one may stray.
        freedom = sum(len(group) for group in groups) - 1
        reach = float(stats.t.isf(level, freedom))
        found[number] = all(_beyond(far[number], group, reach) for group in groups)
    return found


def _beyond(value: Doubles, group: Doubles, reach: float) -> bool:
    n = len(group)
    if n < _LEAST:
        return False
    centre = np.median(group, axis=0)
    beyond, others = (value - centre).max(), (group - centre).max(axis=1)
    middle = float(np.median(others))
    spread = max(1.4826 * float(np.median(np.abs(others - middle))), _LEAST_SPREAD)
    return bool(beyond > middle + reach * math.sqrt(1 + 1 / n) * spread)


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


def _logs(distances: Tensor) -> Doubles:
    """Logarithms; distances that are rounding all count as the same."""
    logs: Doubles = distances.clamp_min(1e-9).log().numpy()
    return logs
