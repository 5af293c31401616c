"""Masks from what a label holder sends back for the last features: there they stand as they are.

Behind an output that is linear at each position, the gradient at a position is that output's
weights times what the loss wants of the logit there: more of it in the region, less of it
elsewhere, for overlap and cross-entropy alike. So the sign is the mask. The weights of several
outputs have to be known to tell them apart. Those of a single one do not: they are the direction
that all gradients share; of several, that direction tells roughly where any region is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_EXPLAINED = 0.9  # of all gradients' energy: below it noise turns too many signs


def signs(gradients: Tensor, weights: Tensor | None, prevalence: float | None) -> Tensor | None:
    """Where the loss asks for more of each output, and where for less.

    Args:
        gradients: (n, channels, *grid) of one epoch, of all samples: they share the head.
        weights: (regions, channels) of the head, see :func:`weights_of`; None where unknown.
        prevalence: share of an image that is lesion as a rule; None where unknown: then lesions are
            taken to cover less than half.

    Returns:
        (n, regions or 1, *grid) 1 in a region, -1 outside and 0 where nothing came back; None where
        these outputs do not explain the gradients, or all gradients are zero.
    """
    rows = gradients.movedim(1, -1).double()
    largest = rows.abs().amax()
    if not bool(largest > 0):
        return None
    # In units of the largest: squares of a gradient of 1e-20 underflow.
    rows = rows / largest
    shared = _shared_direction(rows) if weights is None else weights.double()
    wanted = rows @ torch.linalg.pinv(shared)
    if _energy(rows - wanted @ shared) > (1 - _EXPLAINED) * _energy(rows):
        return None
    told: Tensor = -wanted.sign().movedim(-1, 1).float()
    if weights is not None:
        return told
    # A direction has two ends.
    covered = torch.stack([(told > 0).float().mean(), (told < 0).float().mean()])
    return told if (covered - (prevalence or 0.0)).abs().argmin() == 0 else -told


def weights_of(head: nn.Module, features: Tensor) -> Tensor | None:
    """(regions, channels) of a head that is linear at each position by itself; else None.

    Args:
        head: features to logits (n, regions, *grid).
        features: (1, channels, *grid) to try it with.
    """
    found = []
    for start in (torch.zeros_like(features), features):
        with torch.enable_grad():
            point = start.detach().requires_grad_()
            logits = head(point)
            if logits.shape[2:] != point.shape[2:] or not logits.requires_grad:
                return None
            slopes = [
                torch.autograd.grad(each.sum(), point, retain_graph=True)[0][0]
                for each in logits[0]
            ]
        found.append(torch.stack(slopes).flatten(2))
    weights: Tensor = found[0][..., :1]
    if not all(torch.allclose(each, weights.expand_as(each), rtol=1e-4) for each in found):
        return None
    return weights[..., 0]


def _shared_direction(rows: Tensor) -> Tensor:
    """(1, channels), of length one."""
    flat = rows.flatten(0, -2)
    direction: Tensor = torch.linalg.eigh(flat.T @ flat).eigenvectors[:, -1:].T
    return direction


def _energy(rows: Tensor) -> Tensor:
    return rows.square().sum()
