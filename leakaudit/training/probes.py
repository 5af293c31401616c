"""Probes: single samples exchanged without a step, to record what they do to each encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Generator, Tensor

from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.message import Cut, Direction, Link, Message
from leakaudit.exchange.update import WeightUpdates
from leakaudit.split.spec import SERVER, SplitSpec
from leakaudit.training import federated
from leakaudit.training.data import Holdings
from leakaudit.training.recorder import Recorder
from leakaudit.training.step import exchange


def probe_randomness(split: SplitSpec, seed: int, epoch: int, device: str) -> dict[str, Generator]:
    """Generators for the probes of one epoch: what is recorded must not change what is trained."""
    ends = (*split.party_names, SERVER)
    states = np.random.SeedSequence((seed, epoch)).generate_state(len(ends), np.uint64)
    return {
        name: torch.Generator(device).manual_seed(int(state) >> 1)
        for name, state in zip(ends, states, strict=True)
    }


def probe(
    network: Network,
    updates: WeightUpdates,
    holdings: Holdings,
    samples: Sequence[int],
    recorder: Recorder,
    epoch: int,
    rngs: Mapping[str, Generator],
    device: str,
    dealt: federated.Dealt | None = None,
) -> None:
    """Exchange single samples without a step and record each encoder's gradient.

    This is what somebody sees who is granted weight updates (an insider, exchanged checkpoints)
    when a batch holds one sample, after the defenses had their say on it; the weights are those
    of the epoch's snapshot. ``rngs`` must be others than training draws from, which then goes on
    as if unobserved. In a horizontal split (``dealt``) the sample's own party exchanges it, and
    what is recorded is what it would send to be averaged after a round of one step.
    """
    holders = {
        int(sample): name for name, rows in (dealt or {}).items() for sample in rows.tolist()
    }
    for sample in samples:
        cut: dict[str, dict[int, Tensor]] = {}

        def collect(message: Message, cut: dict[str, dict[int, Tensor]] = cut) -> None:
            route = message.route
            if route.direction is Direction.GRADIENT and route.cut is Cut.ENCODER:
                cut.setdefault(route.receiver, {})[route.level] = message.tensor

        network.zero_grad(set_to_none=True)
        rows = torch.tensor([sample])
        holder = holders.get(sample)
        batch = holdings.batch(rows, epoch, 0, device, party=holder)
        exchange(network, Link([collect]), batch, rngs)
        updates.rewrite(rngs)
        for name in batch.images:
            weights = {
                key: parameter.grad.clone()
                for key, parameter in network.party(name).encoder.named_parameters()
                if parameter.grad is not None
            }
            recorder.update(epoch, name, rows, weights, cut[name])
    network.zero_grad(set_to_none=True)
