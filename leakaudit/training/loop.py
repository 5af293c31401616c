"""Train a split from start to end, recording what crosses."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from leakaudit.errors import EnvironmentProblemError
from leakaudit.exchange.defense import Defense
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.interference import Interference
from leakaudit.exchange.message import Link
from leakaudit.exchange.update import WeightUpdates
from leakaudit.split.spec import SERVER, PartySpec, SplitSpec
from leakaudit.training import federated
from leakaudit.training.data import Holdings
from leakaudit.training.probes import probe, probe_randomness
from leakaudit.training.recorder import Recorder
from leakaudit.training.settings import TrainingSettings
from leakaudit.training.step import Batch


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network and how its training went.

    Attributes:
        network: all endpoints, in evaluation mode.
        losses: mean training loss per epoch.
        seconds_per_step: median wall time of a step.
        steps: optimiser steps in all.
    """

    network: Network
    losses: tuple[float, ...]
    seconds_per_step: float
    steps: int


Progress = Callable[[int, int, float], None]


def randomness(split: SplitSpec, seed: int, device: str = "cpu") -> dict[str, Generator]:
    """One generator per party and one for the server, so that none shares its randomness."""
    ends = (*split.party_names, SERVER)
    return {
        name: torch.Generator(device).manual_seed(seed * 1009 + number)
        for number, name in enumerate(ends)
    }


def train(
    holdings: Holdings,
    rows: Tensor,
    split: SplitSpec,
    defenses: Sequence[Defense],
    settings: TrainingSettings,
    *,
    seed: int,
    recorder: Recorder | None = None,
    probes: Sequence[int] = (),
    progress: Progress | None = None,
    interference: Interference | None = None,
) -> Trained:
    """Train a split network by exchanging messages.

    Args:
        holdings: each party's images.
        rows: (n,) training samples.
        split: who holds what.
        defenses: in stacking order.
        settings: optimiser and schedule.
        seed: of weights, order of samples and the defenses' randomness.
        recorder: sees every message of the epochs it keeps.
        probes: training samples whose encoder updates are recorded, one exchange each.
        progress: called after every epoch with (epochs done, epochs in all, mean loss).
        interference: decides what a dishonest server sends back; None for an honest one.

    Raises:
        EnvironmentProblemError: the device is not there.
    """
    device = checked_device(settings.device)
    regions, space = holdings.masks.shape[1], tuple(holdings.masks.shape[2:])
    network = Network(split, regions, space, defenses, seed=seed).to(device)
    dealt = None
    if split.orientation == "horizontal":
        dealt = federated.deal(holdings.patients, rows, split)
        federated.average(network, dealt)  # all start from the same encoder
    rngs = randomness(network.split, seed, device)
    order = torch.Generator().manual_seed(seed)
    steps_per_epoch = (
        math.ceil(len(rows) / settings.batch_size)
        if dealt is None
        else federated.steps_per_epoch(dealt, settings.batch_size)
    )
    total = steps_per_epoch * settings.epochs
    optimisers = [_optimiser(part, settings) for part in _owners(network) if [*part.parameters()]]
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(each, _schedule(settings, total)) for each in optimisers
    ]
    losses, clock = [], []
    with WeightUpdates(network, defenses) as updates:
        for epoch in range(settings.epochs):
            keeps = recorder is not None and recorder.records(epoch)
            link = Link([recorder] if recorder is not None and keeps else [])
            sums = 0.0
            begun = federated.encoder_weights(network) if dealt is not None and keeps else {}
            for together in _steps(holdings, rows, dealt, epoch, settings, order):
                started = time.perf_counter()
                network.zero_grad(set_to_none=True)
                loss = federated.exchange_all(network, link, together, rngs, interference)
                updates.rewrite(rngs)
                for optimiser, schedule in zip(optimisers, schedules, strict=True):
                    optimiser.step()
                    schedule.step()
                clock.append(time.perf_counter() - started)
                sums += float(loss) * sum(len(batch.samples) for batch in together)
            losses.append(sums / len(rows))
            if dealt is not None:
                if recorder is not None and keeps:
                    _record_round(network, dealt, begun, recorder, epoch)
                federated.average(network, dealt)
            if recorder is not None and keeps:
                own = probe_randomness(network.split, seed, epoch, device)
                probe(network, updates, holdings, probes, recorder, epoch, own, device, dealt)
                recorder.snapshot(epoch, network)
            if progress is not None:
                progress(epoch + 1, settings.epochs, losses[-1])
    return Trained(network.eval(), tuple(losses), sorted(clock)[len(clock) // 2], total)


def _steps(
    holdings: Holdings,
    rows: Tensor,
    dealt: federated.Dealt | None,
    epoch: int,
    settings: TrainingSettings,
    order: Generator,
) -> Iterator[list[Batch]]:
    """An epoch's steps: one batch that all parties share, or one of each party."""
    size, device = settings.batch_size, settings.device
    if dealt is not None:
        yield from federated.batches(holdings, dealt, epoch, size, order, device)
        return
    for batch in holdings.batches(rows, epoch, size, order, device):
        yield [batch]


def _record_round(
    network: Network,
    dealt: federated.Dealt,
    begun: Mapping[str, Mapping[str, Tensor]],
    recorder: Recorder,
    epoch: int,
) -> None:
    """What each party sends to be averaged: its encoder before the round minus after it."""
    for name, weights in federated.encoder_weights(network).items():
        change = {key: begun[name][key] - weight for key, weight in weights.items()}
        recorder.update(epoch, name, dealt[name], change, {})


def predictor(
    network: Network, holdings: Holdings, *, seed: int, device: str = "cpu"
) -> Callable[[Tensor], Tensor]:
    """Rows to binary predictions (n, regions, *space), messages passing the defenses."""
    rngs = randomness(network.split, seed + 1, device)
    space = network.space
    names = network.split.party_names
    # In a horizontal split all parties end with the same encoder, and a patient passes one of them.
    ends = names[:1] if network.split.orientation == "horizontal" else names

    def predict(rows: Tensor) -> Tensor:
        with torch.no_grad():
            received = [
                network.party(name)(holdings.images[name][rows].to(device), rngs[name])
                for name in ends
            ]
            output = network.head(network.server(received, space))
        return network.model.logits(output, space) > 0

    return predict


def pooled(split: SplitSpec) -> SplitSpec:
    """Reference: one network on all modalities in one place."""
    parties = split.parties[:1] if split.orientation == "horizontal" else split.parties
    everything = PartySpec(
        name="pooled", modalities=tuple(m for party in parties for m in party.modalities)
    )
    return _in_one_place(split, everything)


def alone(split: SplitSpec, party: str) -> SplitSpec:
    """Reference: one party trains on what it holds, with labels but without the others."""
    return _in_one_place(split, split.party(party))


def checked_device(device: str) -> str:
    """The device, if it is there.

    Raises:
        EnvironmentProblemError: a GPU was asked for where there is none.
    """
    number = int(device.partition(":")[2] or 0)
    visible = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.startswith("cuda") and number >= visible:
        raise EnvironmentProblemError(
            f"a GPU was asked for, but {f'only {visible} are' if visible else 'none is'} visible",
            found=device,
            remedy='set training.device = "cpu", or run `leakaudit doctor`',
        )
    return device


def _in_one_place(split: SplitSpec, party: PartySpec) -> SplitSpec:
    return split.model_copy(
        update={
            "parties": (party,),
            "labels_at": SERVER,
            "skips": None,
            "orientation": "vertical",
            "cuts": None,
            "head_shape": None,
            "mixes": False,
        }
    )


def _owners(network: Network) -> list[nn.Module]:
    parties = [network.party(name) for name in network.split.party_names]
    return [*parties, network.server, network.head]


def _optimiser(part: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        part.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def _schedule(settings: TrainingSettings, total: int) -> Callable[[int], float]:
    if settings.schedule == "constant":
        return lambda _: 1.0
    return lambda step: 0.5 * (1 + math.cos(math.pi * min(step, total) / total))
