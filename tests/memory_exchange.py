"""An exchange in memory: every view an attack can be given, in seconds and without a trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor, nn

from leakaudit.exchange.defense import Defense
from leakaudit.exchange.endpoint import Network, PartyEndpoint
from leakaudit.exchange.message import Direction, Link, Message
from leakaudit.exchange.update import WeightUpdates
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.threat.knowledge import NOTHING, Adversary, Knowledge, Position
from leakaudit.threat.view import (
    Asset,
    Auxiliary,
    Target,
    View,
    WeightUpdate,
    seen_from,
)
from leakaudit.training.data import Holdings
from leakaudit.training.loop import probe
from leakaudit.training.step import Batch, exchange

TWO_PARTIES = SplitSpec(
    parties=(
        PartySpec(name="north", modalities=("T1",)),
        PartySpec(name="south", modalities=("FLAIR",)),
    ),
    channels=(8, 12, 16),
    party_levels=2,
)


@dataclass(frozen=True)
class Setup:
    """What to exchange; the default is small enough for every attack to run in seconds."""

    space: tuple[int, ...] = (24, 24)
    patients: int = 6
    auxiliary: int = 10
    slices: int = 3
    split: SplitSpec = TWO_PARTIES
    defenses: tuple[Defense, ...] = ()
    epochs: int = 1
    batch_size: int = 3
    training: int = 40
    seed: int = 0


class MemoryExchange:
    """Messages and weight updates of the attacked samples, kept as they cross."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._messages: dict[tuple[str, int, Direction, int], Tensor] = {}
        self._updates: dict[tuple[str, int], list[WeightUpdate]] = {}

    @property
    def epochs(self) -> tuple[int, ...]:
        return tuple(sorted({key[3] for key in self._messages}))

    def __call__(self, message: Message) -> None:
        route = message.route
        key = (route.party, route.level, route.direction, message.epoch)
        shape = (self._samples, *message.tensor.shape[1:])
        self._messages.setdefault(key, torch.zeros(shape))[message.samples] = message.tensor

    def update(
        self,
        epoch: int,
        party: str,
        rows: Tensor,
        weights: Mapping[str, Tensor],
        cut: Mapping[int, Tensor],
    ) -> None:
        self._updates.setdefault((party, epoch), []).append(WeightUpdate(rows, weights, dict(cut)))

    def messages(self, party: str, level: int, direction: Direction, epoch: int) -> Tensor:
        return self._messages[party, level, direction, epoch].clone()

    def updates(self, party: str, epoch: int) -> Sequence[WeightUpdate]:
        return self._updates[party, epoch]


@dataclass
class MemoryRebuilt:
    """The network as it stood when each epoch's messages crossed."""

    setup: Setup
    regions: int
    weights: dict[int, Mapping[str, Tensor]] = field(default_factory=dict)

    def network(self, epoch: int) -> Network:
        network = Network(
            self.setup.split, self.regions, self.setup.space, self.setup.defenses,
            seed=self.setup.seed,
        )  # fmt: skip
        network.load_state_dict(self.weights[epoch])
        return network.eval().requires_grad_(False)

    def party(self, name: str, epoch: int) -> PartyEndpoint:
        return self.network(epoch).party(name)

    def server(self, epoch: int) -> tuple[nn.Module, nn.Module]:
        network = self.network(epoch)
        return network.server, network.head


@dataclass(frozen=True, eq=False)
class World:
    """An exchange that happened, and the truth that no attack sees."""

    setup: Setup
    exchange: MemoryExchange
    rebuilt: MemoryRebuilt
    images: Mapping[str, Tensor]
    masks: Tensor
    patients: Tensor
    auxiliary: Auxiliary

    def view(
        self,
        position: Position = Position.SERVER,
        grants: Knowledge = ~NOTHING,
        *,
        asset: Asset = "images",
        victims: Sequence[str] = ("south",),
        levels: Sequence[tuple[int, ...]] | None = None,
        members: tuple[str, ...] = (),
        behaviour: str = "passive",
    ) -> View:
        """What an adversary with these grants sees."""
        split = self.rebuilt.network(0).split
        adversary = Adversary(
            name="adversary", position=position, members=members, behaviour=behaviour
        )
        chosen = levels or [split.crossing]
        knowledge = seen_from(adversary, split) | grants
        return View(
            adversary=adversary,
            knowledge=knowledge,
            split=split,
            modalities={party.name: len(party.modalities) for party in split.parties},
            regions=self.masks.shape[1],
            space=self.setup.space,
            defenses=self.setup.defenses,
            targets=tuple(Target(victim, asset, each) for victim in victims for each in chosen),
            patients=self.patients,
            _exchange=self.exchange,
            _rebuilt=self.rebuilt,
            _auxiliary=self.auxiliary,
            _own_images={name: self.images[name] for name in members if name in self.images},
            _labels=self.masks if Knowledge.LABELS in knowledge else None,
        )


def draw_patients(
    setup: Setup, patients: int, rng: Generator
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Smooth heads with a lesion that every modality shows in a contrast of its own.

    Returns:
        Party to images (n, modalities, *space), masks (n, 1, *space), owners (n,).
    """
    space = setup.space
    axes = [torch.linspace(-1, 1, side) for side in space]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    lined = (-1, *(1,) * len(space))
    images: dict[str, list[Tensor]] = {name: [] for name in setup.split.party_names}
    masks = []
    for _ in range(patients):
        at = torch.rand(len(space), generator=rng) * 0.8 - 0.4
        size = 0.2 + 0.2 * torch.rand((), generator=rng)
        shape = 0.7 + 0.2 * torch.rand(len(space), generator=rng)
        folds = [3 + 5 * torch.rand(len(space), generator=rng) for _ in range(3)]
        turns = 6 * torch.rand(3, generator=rng)
        contrast = {
            name: torch.rand(len(party.modalities), 4, generator=rng)
            for name, party in zip(setup.split.party_names, setup.split.parties, strict=True)
        }
        for number in range(setup.slices):
            moved = grid - (at + 0.05 * number).reshape(lined)
            mask = ((moved.square().sum(0).sqrt()) < size).float()
            head = ((grid / shape.reshape(lined)).square().sum(0) < 1).float()
            tissue = [
                torch.sin((fold.reshape(lined) * grid).sum(0) + turn + 0.3 * number)
                for fold, turn in zip(folds, turns, strict=True)
            ]
            for name, weights in contrast.items():
                channels = [
                    head
                    * (0.4 + sum(0.12 * (w - 0.2) * t for w, t in zip(row, tissue, strict=False)))
                    + mask * head * (0.15 + 0.25 * row[3])
                    for row in weights
                ]
                images[name].append(torch.stack(channels).clamp(0, 1))
            masks.append((mask * head)[None])
    owners = torch.arange(patients).repeat_interleave(setup.slices)
    return {name: torch.stack(each) for name, each in images.items()}, torch.stack(masks), owners


def make_world(setup: Setup) -> World:
    """Train a little, then exchange every sample once per epoch while all listen."""
    rng = torch.Generator().manual_seed(setup.seed)
    images, masks, patients = draw_patients(setup, setup.patients, rng)
    others, other_masks, other_patients = draw_patients(setup, setup.auxiliary, rng)
    network = Network(setup.split, masks.shape[1], setup.space, setup.defenses, seed=setup.seed)
    rngs = {
        name: torch.Generator().manual_seed(setup.seed + number + 1)
        for number, name in enumerate((*setup.split.party_names, "server"))
    }
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    record = MemoryExchange(len(masks))
    rebuilt = MemoryRebuilt(setup, masks.shape[1])
    updates = WeightUpdates(network, setup.defenses)
    holdings = Holdings(images, masks, patients)

    def step(rows: Tensor, epoch: int, number: int, link: Link) -> None:
        batch = Batch(
            {name: each[rows] for name, each in images.items()}, masks[rows], rows, epoch, number
        )
        optimiser.zero_grad(set_to_none=False)
        exchange(network, link, batch, rngs)

    for number in range(setup.training):
        step(torch.randperm(len(masks), generator=rng)[: setup.batch_size], 0, number, Link())
        optimiser.step()
    for epoch in range(setup.epochs):
        rebuilt.weights[epoch] = {
            key: value.detach().clone() for key, value in network.state_dict().items()
        }
        for number, rows in enumerate(torch.arange(len(masks)).split(setup.batch_size)):
            step(rows, epoch, number, Link([record]))
        probe(network, updates, holdings, range(len(masks)), record, epoch, rngs, "cpu")
        optimiser.step()
    return World(
        setup, record, rebuilt, images, masks, patients,
        Auxiliary(others, other_masks, other_patients + setup.patients),
    )  # fmt: skip
