"""An exchange in memory: every view an attack can be given, in seconds and without a trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Generator, Tensor, nn

from leakaudit.cells.blind import blind_guess
from leakaudit.exchange.defense import Defense
from leakaudit.exchange.endpoint import Network, PartyEndpoint
from leakaudit.exchange.message import Cut, Direction, Link, Message
from leakaudit.exchange.update import WeightUpdates
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.threat.attack import Attack, Guesses
from leakaudit.threat.knowledge import NOTHING, Adversary, Knowledge, Position
from leakaudit.threat.properties import property_of
from leakaudit.threat.view import (
    Asset,
    Auxiliary,
    Candidates,
    Target,
    View,
    WeightUpdate,
    seen_from,
)
from leakaudit.training.data import Holdings
from leakaudit.training.probes import probe
from leakaudit.training.step import Batch, exchange

OUTSIDERS, STRANGERS = 100, 100
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
    """What to exchange; the default is small enough for every attack to run in seconds.

    With ``planted`` the networks train undefended and the defenses come on for the recording, so
    that worlds with different defenses share their encoders.
    """

    space: tuple[int, ...] = (24, 24)
    patients: int = 6
    auxiliary: int = 10
    slices: int = 3
    split: SplitSpec = TWO_PARTIES
    defenses: tuple[Defense, ...] = ()
    planted: bool = False
    epochs: int = 1
    batch_size: int = 3
    training: int = 40
    probed: int = 4
    rescaled: float = 1.0
    unseen_by: tuple[str, ...] = ()  # parties whose images do not show lesions
    hijacked_by: Attack | None = None  # an active attack that takes part in all of it
    seed: int = 0


class MemoryExchange:
    """Messages and weight updates of the attacked samples, kept as they cross."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self.message_size = 1
        self._messages: dict[tuple[str, int | str, Direction, int], Tensor] = {}
        self._updates: dict[tuple[str, int], list[WeightUpdate]] = {}
        self._together: dict[tuple[str, int, int], list[Tensor]] = {}

    @property
    def epochs(self) -> tuple[int, ...]:
        return tuple(sorted({key[3] for key in self._messages}))

    def __call__(self, message: Message) -> None:
        route = message.route
        self.message_size = max(self.message_size, len(message.samples))
        place = "head" if route.cut is Cut.HEAD else route.level
        key = (route.party, place, route.direction, message.epoch)
        shape = (self._samples, *message.tensor.shape[1:])
        self._messages.setdefault(key, torch.zeros(shape))[message.samples] = message.tensor
        if route.direction is Direction.ACTIVATION and place != "head":
            crossed = self._together.setdefault((route.party, route.level, message.epoch), [])
            crossed.append(message.samples)

    def update(
        self,
        epoch: int,
        party: str,
        rows: Tensor,
        weights: Mapping[str, Tensor],
        cut: Mapping[int, Tensor],
    ) -> None:
        self._updates.setdefault((party, epoch), []).append(WeightUpdate(rows, weights, dict(cut)))

    def tensors(self) -> list[Tensor]:
        """Everything recorded, to see whether somebody wrote on it."""
        updates = [update for each in self._updates.values() for update in each]
        return [
            *self._messages.values(),
            *(tensor for update in updates for tensor in update.weights.values()),
            *(tensor for update in updates for tensor in update.cut.values()),
        ]

    def messages(self, party: str, level: int, direction: Direction, epoch: int) -> Tensor:
        return self._messages[party, level, direction, epoch]

    def at_head(self, holder: str, direction: Direction, epoch: int) -> Tensor | None:
        return self._messages.get((holder, "head", direction, epoch))

    def whole_messages(self, party: str, level: int, epoch: int) -> list[tuple[Tensor, Tensor]]:
        sent = self.messages(party, level, Direction.ACTIVATION, epoch)
        alone = torch.arange(self._samples).split(self.message_size)
        crossed = self._together.get((party, level, epoch), alone)
        return [(rows, sent[rows]) for rows in crossed]

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
        return network.as_recorded().requires_grad_(False)

    def party(self, name: str, epoch: int) -> PartyEndpoint:
        return self.network(epoch).party(name)

    def server(self, epoch: int) -> tuple[nn.Module, nn.Module]:
        return self.network(epoch).served()


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
    candidates: Candidates
    kept: Mapping[str, Tensor] | None = None

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
            _candidates=line_up(self) if asset == "membership" else self.candidates,
            _kept=self.kept,
        )


def advantage(world: World, guesses: Guesses) -> dict[Target, float]:
    """Share of the blind baseline's squared error that each guess removes.

    The blind baseline is the mean of the auxiliary patients. For identities, how far the first
    rank lies above chance.
    """
    found = {}
    for target, guess in guesses.items():
        if target.asset == "identity":
            right = (guess.values.argmax(1) == world.patients).float().mean().item()
            chance = 1 / guess.values.shape[1]
            found[target] = (right - chance) / (1 - chance)
            continue
        masks = target.asset == "masks"
        truth = world.masks if masks else world.images[target.victim]
        known = world.auxiliary.masks if masks else world.auxiliary.images[target.victim]
        rows = torch.arange(len(truth)) if guess.rows is None else guess.rows
        blind = known.mean(0, keepdim=True)
        left = (guess.values - truth[rows]).square().mean()
        found[target] = 1 - (left / (blind - truth[rows]).square().mean()).item()
    return found


def line_up(world: World, *, strangers: bool = False) -> Candidates:
    """The attacked patients, or as a control people nobody attacked, before as many outsiders."""
    rng = torch.Generator().manual_seed(world.setup.seed + 1)
    drawn, masks, _ = draw_patients(world.setup, OUTSIDERS + STRANGERS, rng, 1)
    first = torch.arange(len(world.patients)) % world.setup.slices == 0
    return Candidates(
        {
            name: torch.cat([each[OUTSIDERS:] if strangers else world.images[name][first],
                             each[:OUTSIDERS]])
            for name, each in drawn.items()
        },
        torch.cat([masks[OUTSIDERS:] if strangers else world.masks[first], masks[:OUTSIDERS]]),
    )  # fmt: skip


def apart(scores: Tensor, positive: Tensor) -> float:
    """0 where scores tell two kinds apart no better than a coin, 1 where always."""
    differences = scores[positive][:, None] - scores[~positive][None]
    return differences.sign().double().mean().item()


def membership_advantage(world: World, guesses: Guesses) -> dict[Target, float]:
    """Of the line-up's first people against its last, who are outsiders."""
    return {
        target: apart(guess.values, torch.arange(len(guess.values)) < len(guess.values) - OUTSIDERS)
        for target, guess in guesses.items()
    }


def attribute_advantage(world: World, guesses: Guesses) -> dict[Target, float]:
    """Of the side of the lesion, patient by patient."""
    _, truth = property_of(world.masks, world.patients, "lesion side", 0.0)
    first = torch.arange(len(world.patients)) % world.setup.slices == 0
    return {target: apart(guess.values[first], truth == 1) for target, guess in guesses.items()}


def conditional_advantage(world: World, guesses: Guesses) -> dict[Target, float]:
    """Of images, against what the north party's own images tell."""
    found = {}
    for target, guess in guesses.items():
        view = world.view(Position.PARTY, members=("north",), victims=(target.victim,))
        blind, truth = blind_guess(view, target).values, world.images[target.victim]
        left = (guess.values - truth).square().mean() / (blind - truth).square().mean()
        found[target] = 1 - left.item()
    return found


def overlap_advantage(world: World, guesses: Guesses) -> dict[Target, float]:
    """Of masks: the way from blind Dice, drawn where lesions are likeliest, to a perfect one."""
    known = world.auxiliary.masks
    often = known.mean(0, keepdim=True)
    cut = max(often.unique()[1:], key=lambda at: dice((often >= at).expand_as(known), known))
    blind = dice((often >= cut).expand_as(world.masks), world.masks)
    return {
        target: (dice(guess.values > 0.5, world.masks) - blind) / (1 - blind)
        for target, guess in guesses.items()
    }


def dice(drawn: Tensor, truth: Tensor) -> float:
    """Over all samples; the product's own metric has tests of its own."""
    both = (drawn & (truth > 0.5)).sum()
    return (2 * both / (drawn.sum() + truth.sum()).clamp_min(1)).item()


def draw_patients(
    setup: Setup, patients: int, rng: Generator, slices: int
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
        for number in range(slices):
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
                    + (mask * head * (0.15 + 0.25 * row[3]) if name not in setup.unseen_by else 0)
                    for row in weights
                ]
                images[name].append(torch.stack(channels).clamp(0, 1))
            masks.append((mask * head)[None])
    owners = torch.arange(patients).repeat_interleave(slices)
    return {name: torch.stack(each) for name, each in images.items()}, torch.stack(masks), owners


def make_world(setup: Setup) -> World:
    """Train a little, then exchange every sample once per epoch while all listen."""
    rng = torch.Generator().manual_seed(setup.seed)
    every, every_mask, owners = draw_patients(setup, setup.patients, rng, setup.slices + 1)
    last = torch.arange(len(owners)) % (setup.slices + 1) == setup.slices
    images = {name: each[~last] for name, each in every.items()}
    masks, patients = every_mask[~last], owners[~last]
    candidates = Candidates({name: each[last] for name, each in every.items()}, every_mask[last])
    others, other_masks, other_patients = draw_patients(setup, setup.auxiliary, rng, setup.slices)
    defenses = () if setup.planted else setup.defenses
    network = Network(setup.split, masks.shape[1], setup.space, defenses, seed=setup.seed)
    rngs = {
        name: torch.Generator().manual_seed(setup.seed + number + 1)
        for number, name in enumerate((*setup.split.party_names, "server"))
    }
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    record = MemoryExchange(len(masks))
    rebuilt = MemoryRebuilt(setup, masks.shape[1])
    holdings = Holdings(images, masks, patients)
    world = World(
        setup, record, rebuilt, images, masks, patients,
        Auxiliary(others, other_masks, other_patients + setup.patients),
        candidates,
    )  # fmt: skip
    interference = None
    if setup.hijacked_by is not None:
        rebuilt.weights[0] = network.state_dict()
        view = world.view(behaviour="active", victims=setup.split.party_names)
        interference = setup.hijacked_by.begin(view, setup.training + setup.epochs, setup.seed)

    def step(rows: Tensor, epoch: int, number: int, link: Link) -> None:
        batch = Batch(
            {name: each[rows] for name, each in images.items()}, masks[rows], rows, epoch, number
        )
        optimiser.zero_grad(set_to_none=False)
        exchange(network, link, batch, rngs, interference)

    for number in range(setup.training):
        step(torch.randperm(len(masks), generator=rng)[: setup.batch_size], 0, number, Link())
        optimiser.step()
    if setup.planted:
        trained = network
        network = Network(setup.split, masks.shape[1], setup.space, setup.defenses, seed=setup.seed)
        network.load_state_dict(trained.state_dict(), strict=False)
    updates = WeightUpdates(network, setup.defenses)
    rescale(network, setup.rescaled)
    for epoch in range(setup.epochs):
        rebuilt.weights[epoch] = {
            key: value.detach().clone() for key, value in network.state_dict().items()
        }
        for number, rows in enumerate(torch.arange(len(masks)).split(setup.batch_size)):
            step(rows, epoch, number, Link([record]))
        probe(network, updates, holdings, range(setup.probed), record, epoch, rngs, "cpu")
        optimiser.step()
    return world if interference is None else replace(world, kept=interference.kept())


def rescale(network: Network, factor: float) -> None:
    """Multiply the weights of each party's first convolution, and divide those of the second."""
    if factor == 1.0:
        return
    for name in network.split.party_names:
        weights = [
            parameter
            for key, parameter in network.party(name).encoder.named_parameters()
            if key.endswith("conv.weight")
        ]
        with torch.no_grad():
            weights[0].mul_(factor)
            weights[1].div_(factor)
