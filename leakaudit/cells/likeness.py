"""How alike recorded messages and queried ones are, patient by patient, in every way looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from leakaudit.cells.invariants import Descriptor, descriptors

# Directions smaller than this share of the largest are rounding of single-precision messages.
_RANK = 1e-5
_RIDGE = 0.1
PLAIN = 2
"""The first comparisons of :func:`likenesses`: of messages as they were sent."""
# Values of one message that are looked at: what is larger is thinned out.
_MOST_VALUES = 1 << 15


@dataclass(frozen=True, eq=False)
class Sent:
    """Messages of one level as they were recorded.

    Attributes:
        own: (p, c, *space) of the patients.
        batches: the whole messages (samples, c, *space) that the rows crossed in.
        batch_of: (p,) which of them, for each row.
        place: (p,) where in it.
        scale: by which values were divided.
    """

    own: Tensor
    batches: tuple[Tensor, ...]
    batch_of: tuple[int, ...]
    place: tuple[int, ...]
    scale: float


@dataclass(frozen=True, eq=False)
class Asked:
    """What was sent for each patient's image when it was asked about.

    Attributes:
        alone: (p, rows, c, *space), rows of a message that holds the same image over and over.
        among: (p, c, *space), in a message with others, which are the same for all.
        others: (p, c, *space), mean of those others in the same message.
        images: (p, modalities, *space) asked about, at the size of the messages.
        scale: by which values were divided.
    """

    alone: Tensor
    among: Tensor
    others: Tensor
    images: Tensor
    scale: float


def thinned(messages: Tensor) -> tuple[Tensor, float]:
    """(n, c, *space) as float64, small enough to be looked at; the largest value 1; the scale."""
    spread = messages
    while spread[0].numel() > _MOST_VALUES and spread.shape[1] > 8:
        spread = spread[:, ::2]
    axis = 2
    while spread[0].numel() > _MOST_VALUES:
        spread = spread.narrow(axis, 0, spread.shape[axis] // 2)
        axis = 2 + (axis - 1) % (messages.ndim - 2)
    values = spread.double()
    top = float(values.abs().max()) or 1.0
    return values / top, top


def likenesses(sent: Sent, asked: Asked) -> Iterator[tuple[str, Tensor]]:
    """Every comparison of recorded messages with queried ones: its name, and (p, p).

    Nothing here knows which query belongs to which message: where messages do not depend on the
    images, every assignment is as likely as the true one.
    """
    first = asked.alone[:, 0]
    for mine, theirs in zip(descriptors(sent.own), descriptors(first), strict=True):
        yield mine.name, _correlations(mine, theirs)
        if mine.values.shape[1] == 1:
            yield f"{mine.name}, whitened", _decomposed(mine.values[:, 0], theirs.values[:, 0])
    averaged = asked.alone.mean(1).flatten(1)
    flat = sent.own.flatten(1)
    yield (
        "as sent, mean of queries",
        _correlations(Descriptor("", flat[:, None]), Descriptor("", averaged[:, None])),
    )
    yield "as sent, mean of queries, whitened", _decomposed(flat, averaged)
    among = asked.among.flatten(1)
    yield (
        "as sent, among others",
        _correlations(Descriptor("", flat[:, None]), Descriptor("", among[:, None])),
    )
    against = torch.stack(
        [
            (own - _rest(sent.batches[batch], place)).flatten()
            for own, batch, place in zip(sent.own, sent.batch_of, sent.place, strict=True)
        ]
    )
    apart = (asked.among - asked.others).flatten(1)
    yield (
        "differences of samples in a message",
        _correlations(Descriptor("", against[:, None]), Descriptor("", apart[:, None])),
    )
    yield "span of channels", _overlap(_basis(sent.own.flatten(2)), _basis(first.flatten(2)))
    yield from _spans(sent, first, asked.among - asked.others)
    yield from _pictures(sent.own, asked.images)


def _correlations(mine: Descriptor, theirs: Descriptor) -> Tensor:
    """(p, q) mean over groups of the correlation, once what all have in common is taken out."""
    if mine.signless:
        common = _common(theirs.values)
        left = [_without(each.values, common) for each in (mine, theirs)]
    else:
        left = [each.values - each.values.mean(0, keepdim=True) for each in (mine, theirs)]
    found = torch.einsum("pgd,qgd->gpq", _unit(left[0]), _unit(left[1]))
    return (found.abs() if mine.signless else found).mean(0)


def _common(values: Tensor) -> Tensor:
    """(groups, d) the direction that the rows of each group have most in common, up to sign."""
    rows = values.transpose(0, 1)
    _, vectors = torch.linalg.eigh(rows @ rows.mT)
    return _unit(torch.einsum("gp,gpd->gd", vectors[..., -1], rows))


def _without(values: Tensor, common: Tensor) -> Tensor:
    along = torch.einsum("pgd,gd->pg", values, common)
    return values - along[..., None] * common


def _decomposed(mine: Tensor, theirs: Tensor) -> Tensor:
    """(p, q) how much of each query is in a message, beside all the other queries.

    Ridge regression: what queries have in common tells none of them apart.
    """
    known, found = theirs - theirs.mean(0), mine - mine.mean(0)
    gram = known @ known.T
    size = gram.diagonal().mean()
    if not size > 0:
        return torch.zeros(len(mine), len(theirs), dtype=mine.dtype)
    ridge = _RIDGE * size * torch.eye(len(gram), dtype=gram.dtype)
    weights: Tensor = torch.linalg.solve(gram + ridge, known @ found.T).T
    return weights


def _basis(rows: Tensor) -> Tensor:
    """(..., r, d) to orthonormal rows of the same shape; zeros where the rank is smaller."""
    values, vectors = torch.linalg.eigh(rows @ rows.mT)
    top = values[..., -1:].clamp_min(torch.finfo(rows.dtype).tiny)
    kept = values > _RANK**2 * top
    scale = torch.where(kept, values.clamp_min(torch.finfo(rows.dtype).tiny).rsqrt(), 0)
    basis: Tensor = scale[..., None] * (vectors.mT @ rows)
    return basis


def _overlap(mine: Tensor, theirs: Tensor) -> Tensor:
    """(p, q) share of a query's directions that a message's directions span."""
    p, q = len(mine), len(theirs)
    inner = mine.flatten(0, 1) @ theirs.flatten(0, 1).T
    shared = inner.square().reshape(p, mine.shape[1], q, theirs.shape[1]).sum((1, 3))
    ranks = theirs.square().sum((1, 2)).clamp_min(1)
    shares: Tensor = shared / ranks
    return shares


def _spans(sent: Sent, first: Tensor, apart: Tensor) -> Iterator[tuple[str, Tensor]]:
    """How much of each query lies in what the samples of a whole message span."""
    typical = first.mean(0)
    for name, asked, common in (
        ("of a message", first - typical, typical),
        ("of a message's differences", apart - apart.mean(0), apart.mean(0)),
    ):
        shared = [
            torch.stack(parts)
            for parts in zip(*(_shares(each, asked, common) for each in sent.batches), strict=True)
        ]
        for which, values in zip(("samples", "samples, by channel", "rows"), shared, strict=True):
            yield f"span {name}, {which}", values[list(sent.batch_of)]


def _shares(batch: Tensor, asked: Tensor, common: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(q,) three times: by whole samples, channel by channel, all channels of all in one space."""
    scaled = _unit(batch.flatten(1)).reshape(batch.shape)
    typical = _unit(common.flatten()[None]).reshape(1, *common.shape)
    rows = torch.cat([scaled, typical])
    whole = _share(rows.flatten(1)[None], asked.flatten(1)[None])
    channels = _share(rows.flatten(2).transpose(0, 1), asked.flatten(2).transpose(0, 1))
    every = rows.flatten(2).flatten(0, 1)
    if len(every) * 2 > every.shape[1]:
        return whole, channels, torch.zeros_like(whole)
    # All channels of all samples in one space.
    basis = _basis(every[None])[0]
    flat = asked.flatten(2)
    inside = torch.einsum("rd,qcd->qcr", basis, flat).square().sum((1, 2))
    return whole, channels, inside / flat.square().sum((1, 2)).clamp_min(_tiny(flat))


def _share(rows: Tensor, asked: Tensor) -> Tensor:
    """(q,) share of the square of each asked row in the span, mean over groups.

    Args:
        rows: (groups, r, d).
        asked: (groups, q, d).
    """
    inside = (asked @ _basis(rows).mT).square().sum(2)
    return (inside / asked.square().sum(2).clamp_min(_tiny(asked))).mean(0)


def _pictures(own: Tensor, images: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Messages beside the images themselves, nothing asked: what is sent in clear, or added up."""
    if images.shape[2:] != own.shape[2:]:
        return
    plain = images - images.mean(0)
    maps, pictures = _centred(own), _unit(plain.flatten(2))
    found = torch.einsum("pcd,qmd->pqcm", maps, pictures).abs()
    yield "a channel beside the image", found.amax((2, 3))
    yield "all channels beside the image", _inside(_basis(own.flatten(2)), pictures)


def _inside(basis: Tensor, pictures: Tensor) -> Tensor:
    shares: Tensor = torch.einsum("pcd,qmd->pqcm", basis, pictures).square().sum((2, 3))
    return shares


def _centred(messages: Tensor) -> Tensor:
    flat = messages.flatten(2)
    return _unit(flat - flat.mean(2, keepdim=True))


def _rest(batch: Tensor, place: int) -> Tensor:
    """Mean of the other samples of a message; zeros where it is alone."""
    if len(batch) == 1:
        return torch.zeros_like(batch[0])
    return (batch.sum(0) - batch[place]) / (len(batch) - 1)


def _unit(values: Tensor) -> Tensor:
    length = values.norm(dim=-1, keepdim=True)
    return torch.where(length > 0, values / length.clamp_min(_tiny(values)), 0)


def _tiny(values: Tensor) -> float:
    return float(torch.finfo(values.dtype).tiny)
