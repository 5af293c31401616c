"""Horizontal splits: every party trains an encoder of its own, and they are averaged each round.

The variant is SplitFedV1 (Thapa et al., AAAI 2022): in every step all parties send at once, and the
server takes one step on the mean over all their samples; a round is one epoch, after which the
parties' encoders (and what their defenses learned) are averaged, weighted by samples. Adam's
moments stay at home. The server does the averaging.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.interference import Interference
from leakaudit.exchange.message import Link
from leakaudit.split.spec import SplitSpec
from leakaudit.training.data import Holdings
from leakaudit.training.step import Batch, exchange

# Who is where is part of the question, like the groups: the same for every seed of an audit.
_SEED = 0

Dealt = Mapping[str, Tensor]
"""Party name to the training samples it holds, as indices into the cohort."""


def deal(patients: Tensor, rows: Tensor, split: SplitSpec) -> Dealt:
    """Deal training patients out to the parties of a horizontal split, by their shares.

    Patients are put into one random order, the same for every seed, and cut where the shares say.

    Args:
        patients: (all samples,) owner of each.
        rows: (n,) training samples.
        split: with each party's share.

    Raises:
        ConfigurationError: a party would get no patient.
    """
    owners = torch.unique(patients[rows])
    owners = owners[torch.randperm(len(owners), generator=torch.Generator().manual_seed(_SEED))]
    shares = torch.tensor([party.share for party in split.parties], dtype=torch.float64)
    ends = (shares.cumsum(0) / shares.sum() * len(owners)).round().long().tolist()
    dealt = {}
    for name, start, end in zip(split.party_names, [0, *ends], ends, strict=False):
        if start == end:
            raise ConfigurationError(
                "in a horizontal split every party needs a training patient",
                found=f"none of {len(owners)} for {name}",
                remedy="train on more patients, or give the party a larger `share`",
            )
        dealt[name] = rows[torch.isin(patients[rows], owners[start:end])]
    return dealt


def steps_per_epoch(dealt: Dealt, batch_size: int) -> int:
    """Steps until the party with the most samples has sent all of them."""
    each = _batch_size(dealt, batch_size)
    return max(-(-len(rows) // each) for rows in dealt.values())


def batches(
    holdings: Holdings,
    dealt: Dealt,
    epoch: int,
    batch_size: int,
    rng: Generator,
    device: str = "cpu",
) -> Iterator[list[Batch]]:
    """All samples of all parties once: per step one batch of each party that has some left.

    Args:
        holdings: every party's images.
        dealt: who holds which samples.
        epoch: of training.
        batch_size: samples per step over all parties.
        rng: order of the samples.
        device: where the batches go.
    """
    each = _batch_size(dealt, batch_size)
    chunks = {
        name: rows[torch.randperm(len(rows), generator=rng)].split(each)
        for name, rows in dealt.items()
    }
    for step in range(steps_per_epoch(dealt, batch_size)):
        yield [
            holdings.batch(own[step], epoch, step, device, party=name)
            for name, own in chunks.items()
            if step < len(own)
        ]


def exchange_all(
    network: Network,
    link: Link,
    together: Sequence[Batch],
    rngs: Mapping[str, Generator],
    interference: Interference | None = None,
) -> Tensor:
    """One step of several parties at once; gradients end up in the parameters.

    Each party gets the gradient of its own batch's mean loss; the server that of the mean over all
    samples.

    Args:
        network: all endpoints.
        link: carries the messages.
        together: one batch per party.
        rngs: party name or ``server`` to the randomness its defenses draw from.
        interference: decides what a dishonest server sends back; None for an honest one.

    Returns:
        The mean loss over all samples, detached.
    """
    shared = [*network.server.parameters(), *network.head.parameters()]
    total = sum(len(batch.samples) for batch in together)
    sums: list[Tensor | None] = [None] * len(shared)
    losses = []
    for batch in together:
        part = len(batch.samples) / total
        for parameter in shared:
            parameter.grad = None
        losses.append(part * exchange(network, link, batch, rngs, interference))
        for place, parameter in enumerate(shared):
            if parameter.grad is not None:
                before = sums[place]
                own = part * parameter.grad
                sums[place] = own if before is None else before + own
    for parameter, gradient in zip(shared, sums, strict=True):
        parameter.grad = gradient
    return torch.stack(losses).sum()


def encoder_weights(network: Network) -> dict[str, dict[str, Tensor]]:
    """A copy of every party's encoder weights: party to parameter name to tensor."""
    return {
        name: {
            key: parameter.detach().clone()
            for key, parameter in network.party(name).encoder.named_parameters()
        }
        for name in network.split.party_names
    }


def average(network: Network, dealt: Dealt) -> None:
    """Give every party the mean of all parties' weights, by samples; secret keys stay as they are.

    Args:
        network: changed in place.
        dealt: who holds how many samples.
    """
    names = network.split.party_names
    total = sum(len(rows) for rows in dealt.values())
    parts = [len(dealt[name]) / total for name in names]
    with torch.no_grad():
        for same in zip(*(network.party(name).parameters() for name in names), strict=True):
            mean = torch.stack(
                [part * parameter for part, parameter in zip(parts, same, strict=True)]
            ).sum(0)
            for parameter in same:
                parameter.copy_(mean)
        statistics = [_running_statistics(network.party(name).encoder) for name in names]
        for same in zip(*statistics, strict=True):
            mean = torch.stack(
                [part * buffer for part, buffer in zip(parts, same, strict=True)]
            ).sum(0)
            for buffer in same:
                buffer.copy_(mean)


def _running_statistics(encoder: nn.Module) -> list[Tensor]:
    """What norms of somebody's network have seen; secret keys of guards are none of it."""
    return [
        buffer
        for module in encoder.modules()
        if isinstance(module, _NormBase)
        for buffer in (module.running_mean, module.running_var)
        if buffer is not None
    ]


def _batch_size(dealt: Dealt, batch_size: int) -> int:
    """Samples per party and step."""
    return max(1, batch_size // len(dealt))
