"""Exactly what one adversary may see. An attack receives a view and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import torch
from torch import Generator, Tensor, nn

from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.exchange.defense import Defense
from leakaudit.exchange.message import Direction
from leakaudit.split.spec import SERVER, SplitSpec
from leakaudit.threat.asked import Asked
from leakaudit.threat.knowledge import NOTHING, Adversary, Knowledge, Position

Asset = Literal["images", "masks", "identity", "membership", "attribute"]
Features = dict[int, Tensor]


@dataclass(frozen=True, order=True)
class Target:
    """What is attacked, and through which messages.

    Attributes:
        victim: party (or server) that holds the asset.
        asset: what is to be recovered.
        levels: levels whose messages may be used.
    """

    victim: str
    asset: Asset
    levels: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class WeightUpdate:
    """One gradient step, or one round, as somebody sees it who is granted weight updates.

    Attributes:
        rows: positions within the view's samples that made up the batch, or the round.
        weights: encoder parameter name to its gradient; of a round, weights before minus after.
        cut: level to the gradient (batch, channels, *space) that came back at the cut; empty for a
            round, which has many.
    """

    rows: Tensor
    weights: Mapping[str, Tensor]
    cut: Features


@dataclass(frozen=True, eq=False)
class Auxiliary:
    """The adversary's own patients; none of them is a victim.

    Attributes:
        images: party name to (n, modalities, *space) in [0, 1].
        masks: (n, regions, *space), 0 or 1.
        patients: (n,) number of the patient that owns each sample.
    """

    images: Mapping[str, Tensor]
    masks: Tensor
    patients: Tensor


@dataclass(frozen=True, eq=False)
class Candidates:
    """People the adversary could name, each by one sample that was not attacked.

    Their order says nothing: which of them is which patient is what an attack has to find.

    Attributes:
        images: party name to (c, modalities, *space) in [0, 1].
        masks: (c, regions, *space), 0 or 1; None where not granted.
    """

    images: Mapping[str, Tensor]
    masks: Tensor | None = None


class Exchange(Protocol):
    """What was recorded, in the order of the view's samples. A trace provides this."""

    @property
    def epochs(self) -> tuple[int, ...]:
        """Recorded epochs, rising."""

    @property
    def message_size(self) -> int:
        """Samples that cross in one message, at most."""

    def messages(self, party: str, level: int, direction: Direction, epoch: int) -> Tensor:
        """(n, channels, *space) of one party's link."""

    def updates(self, party: str, epoch: int) -> Sequence[WeightUpdate]:
        """Recorded encoder updates of one party."""


class Rebuilt(Protocol):
    """The networks as they were at a recorded epoch. A trace's snapshots provide this."""

    def party(self, name: str, epoch: int) -> Callable[[Tensor, Generator], Features]:
        """A party's encoder behind its guards: an ``nn.Module``, differentiable."""

    def server(self, epoch: int) -> tuple[nn.Module, nn.Module]:
        """The server's network and the head."""


def seen_from(adversary: Adversary, split: SplitSpec) -> Knowledge:
    """What the position shows by itself, before any grant (threat model, "who sees what").

    In a horizontal split the server averages the encoders: it and the wire see each party's update
    before averaging and, with every party, the averaged encoder of every round, which can be asked
    about any image. What a party holds itself are images of other patients than the victims. Of two
    parties each can subtract its own share from the average, which leaves the other's update.
    """
    server = Knowledge.ACTIVATIONS | Knowledge.GRADIENTS | Knowledge.SERVER_WEIGHTS
    if split.label_holder is None:
        server |= Knowledge.LABELS
    party = Knowledge.OWN_IMAGES | Knowledge.GRADIENTS | Knowledge.ARCHITECTURE
    wire = Knowledge.ACTIVATIONS | Knowledge.GRADIENTS
    if split.orientation == "horizontal":
        averaged = Knowledge.ARCHITECTURE | Knowledge.ENCODER_WEIGHTS | Knowledge.QUERIES
        server |= averaged | Knowledge.WEIGHT_UPDATES
        wire |= averaged | Knowledge.WEIGHT_UPDATES
        party = averaged
        others = set(split.party_names) - set(adversary.members)
        if len(others) == 1:
            party |= Knowledge.WEIGHT_UPDATES
    match adversary.position:
        case Position.SERVER:
            return server
        case Position.PARTY:
            holds = adversary.members[0] == split.label_holder
            return party | (Knowledge.LABELS if holds else NOTHING)
        case Position.WIRE:
            return wire
        case Position.COALITION:
            total = party if set(adversary.members) - {SERVER} else NOTHING
            if SERVER in adversary.members:
                total |= server
            if split.label_holder in adversary.members:
                total |= Knowledge.LABELS
            return total


@dataclass(frozen=True, eq=False)
class View:
    """What one adversary has for one audit cell. Every accessor checks the grant.

    Attributes:
        adversary: who looks.
        knowledge: position and grants together.
        split: the split, after defenses.
        modalities: party name to number of image channels.
        regions: number of label regions.
        space: image size.
        defenses: the defenses that were on, with their settings: attacks are adaptive.
        targets: what to attack.
        patients: (n,) number of the patient that owns each attacked sample.
    """

    adversary: Adversary
    knowledge: Knowledge
    split: SplitSpec
    modalities: Mapping[str, int]
    regions: int
    space: tuple[int, ...]
    defenses: tuple[Defense, ...]
    targets: tuple[Target, ...]
    patients: Tensor
    _exchange: Exchange
    _rebuilt: Rebuilt
    _auxiliary: Auxiliary
    _own_images: Mapping[str, Tensor]
    _labels: Tensor | None
    _mixing: Tensor | None = None
    _candidates: Candidates | None = None
    _kept: Mapping[str, Tensor] | None = None
    _asked: Asked = field(default_factory=Asked)

    def __len__(self) -> int:
        """Number of attacked samples."""
        return len(self.patients)

    @property
    def epochs(self) -> tuple[int, ...]:
        """Recorded epochs: each released every sample once."""
        return self._exchange.epochs

    @property
    def last_epoch(self) -> int:
        """The last recorded epoch."""
        return self.epochs[-1]

    @property
    def members(self) -> tuple[str, ...]:
        """Parties whose own data and links the adversary has."""
        return tuple(name for name in self.adversary.members if name != SERVER)

    def activations(self, party: str, level: int, epoch: int) -> Tensor:
        """What a party sent: (n, channels, *space), one row per attacked sample."""
        self._require(Knowledge.ACTIVATIONS)
        return self._mixed(self._recorded(party, level, Direction.ACTIVATION, epoch))

    def own_activations(self, party: str, level: int, epoch: int) -> Tensor:
        """What the adversary itself sent, as a party: not mixed in controls, it is its own."""
        self._require_member(party)
        return self._recorded(party, level, Direction.ACTIVATION, epoch)

    def gradients(self, party: str, level: int, epoch: int) -> Tensor:
        """What came back to a party: (n, channels, *space)."""
        self._require(Knowledge.GRADIENTS)
        if self.adversary.position is Position.PARTY:
            self._require_member(party)
        return self._mixed(self._recorded(party, level, Direction.GRADIENT, epoch))

    def updates(self, party: str, epoch: int) -> Sequence[WeightUpdate]:
        """Encoder updates of a party after one step, with the cut gradients that caused them."""
        self._require(Knowledge.WEIGHT_UPDATES)
        updates = [each for each in self._recorded_updates(party, epoch) if each.cut]
        if self._mixing is None:
            return updates
        mixing = self._mixing
        return [replace(update, rows=mixing[update.rows]) for update in updates]

    def round_updates(self, party: str, epoch: int) -> Sequence[WeightUpdate]:
        """What a party of a horizontal split sent to be averaged: weights before minus after.

        A whole round's steps are in it, so no single gradient at the cut belongs to it.
        """
        self._require(Knowledge.WEIGHT_UPDATES)
        return [each for each in self._recorded_updates(party, epoch) if not each.cut]

    def query(self, party: str, images: Tensor, epoch: int, rng: Generator) -> Features:
        """What the party would send for these images: black-box, through its guards.

        In messages as large as the recorded ones: a guard may treat a message as a whole.
        """
        self._require(Knowledge.QUERIES)
        endpoint = self._rebuilt.party(party, epoch)
        size = self._exchange.message_size
        batches = self._asked.answers(endpoint, images, size, rng)
        return {
            level: torch.cat([batch[level] for batch in batches]) for level in self.split.crossing
        }

    def encoder(self, party: str, epoch: int) -> Callable[[Tensor, Generator], Features]:
        """A party's encoder behind its guards, differentiable; a party knows its own.

        Raises:
            NotMountableError: not granted; or it normalises over the batch, as it was in training,
                so that no sample's message or update is its own.
        """
        if party not in self.members or self.adversary.position is Position.WIRE:
            self._require(Knowledge.ENCODER_WEIGHTS)
        endpoint = self._rebuilt.party(party, epoch)
        if isinstance(endpoint, nn.Module):
            _require_each_alone(endpoint)
        return endpoint

    def server(self, epoch: int) -> tuple[nn.Module, nn.Module]:
        """The server's network and the head."""
        self._require(Knowledge.SERVER_WEIGHTS)
        return self._rebuilt.server(epoch)

    def auxiliary_images(self, party: str) -> Tensor:
        """Images of the adversary's own patients in a party's modalities."""
        self._require(Knowledge.AUXILIARY_IMAGES)
        return self._auxiliary.images[party]

    def auxiliary_masks(self) -> Tensor:
        """Label masks of the adversary's own patients."""
        self._require(Knowledge.AUXILIARY_LABELS)
        return self._auxiliary.masks

    @property
    def auxiliary_patients(self) -> Tensor:
        """Which auxiliary samples belong together, for early stopping by patient."""
        return self._auxiliary.patients

    def candidate_images(self, party: str) -> Tensor:
        """One image of every candidate in a party's modalities: (c, modalities, *space)."""
        self._require(Knowledge.CANDIDATE_IMAGES)
        if self._candidates is None:
            raise NotMountableError("candidates were granted but are not in this view")
        return self._candidates.images[party]

    def candidate_masks(self) -> Tensor:
        """Label masks of the candidates: (c, regions, *space)."""
        self._require(Knowledge.CANDIDATE_LABELS)
        if self._candidates is None or self._candidates.masks is None:
            raise NotMountableError("the candidates' masks are not in this view")
        return self._candidates.masks

    def own_images(self, party: str) -> Tensor:
        """The attacked patients' images that the adversary holds itself."""
        self._require(Knowledge.OWN_IMAGES)
        self._require_member(party)
        return self._own_images[party]

    def labels(self) -> Tensor:
        """The attacked patients' masks, where the adversary holds them."""
        self._require(Knowledge.LABELS)
        if self._labels is None:
            raise NotMountableError("labels were granted but are not in this view")
        return self._labels

    def kept(self) -> Mapping[str, Tensor]:
        """What an active adversary took away from the training it took part in."""
        if self._kept is None:
            raise NotMountableError(
                "an active attack reads a training that it took part in",
                found="a training with an honest server",
                remedy="train with `leakaudit run`; a recorded trace cannot be interfered with",
            )
        return self._kept

    def of(self, targets: tuple[Target, ...], rows: Tensor, exchange: Exchange) -> View:
        """The same, of some targets and samples: those that one party of a horizontal split holds.

        Args:
            targets: of that party.
            rows: (m,) positions among this view's samples.
            exchange: what was recorded of them, in that order.
        """
        return replace(
            self,
            targets=targets,
            patients=self.patients[rows],
            _exchange=exchange,
            _own_images={},
            _labels=None if self._labels is None else self._labels[rows],
        )

    def shuffled(self, rng: Generator) -> View:
        """The same view with messages handed to the wrong patients: the negative control.

        What was sent for one patient stands in the row of another, so nothing an attack recovers
        from it can tell about that row's patient.
        """
        return replace(self, _mixing=derangement(self.patients, rng))

    def misnamed(self, rng: Generator) -> View:
        """The same view with candidates in each other's places: the control without messages.

        What an attack says of a place in the line-up then speaks of somebody else than who stands
        there, a member or not by chance.

        Raises:
            NotMountableError: there is no line-up.
        """
        if self._candidates is None:
            raise NotMountableError("candidates were granted but are not in this view")
        masks, images = self._candidates.masks, self._candidates.images
        order = torch.randperm(len(next(iter(images.values()))), generator=rng)
        mixed = Candidates(
            {name: each[order] for name, each in images.items()},
            None if masks is None else masks[order],
        )
        return replace(self, _candidates=mixed)

    def _recorded(self, party: str, level: int, direction: Direction, epoch: int) -> Tensor:
        """What was recorded; refused where it cannot be computed with."""
        tensor = self._exchange.messages(party, level, direction, epoch)
        _require_finite([tensor], f"{direction} of {party}, level {level}, epoch {epoch}")
        return tensor

    def _recorded_updates(self, party: str, epoch: int) -> Sequence[WeightUpdate]:
        updates = self._exchange.updates(party, epoch)
        for update in updates:
            parts = [*update.weights.values(), *update.cut.values()]
            _require_finite(parts, f"weight update of {party}, epoch {epoch}")
        return updates

    def _mixed(self, tensor: Tensor) -> Tensor:
        return tensor if self._mixing is None else tensor[self._mixing]

    def _require(self, knowledge: Knowledge) -> None:
        lacking = knowledge & ~self.knowledge
        if lacking:
            raise NotMountableError(
                f"{self.adversary.name} was not granted this", found=", ".join(lacking.words)
            )

    def _require_member(self, party: str) -> None:
        if party not in self.members:
            raise NotMountableError(
                f"{self.adversary.name} does not sit at this party", found=party
            )


def _require_finite(tensors: Sequence[Tensor], where: str) -> None:
    broken = sum(int((~torch.isfinite(tensor)).sum()) for tensor in tensors)
    if broken:
        raise AttackInvalidError(
            "what was recorded must be finite",
            found=f"{broken} values that are not: {where}",
            remedy="lower the training's learning rate, or record another epoch",
        )


def _require_each_alone(endpoint: nn.Module) -> None:
    over_batch = [
        type(module).__name__
        for module in endpoint.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]
    if over_batch:
        raise NotMountableError(
            "matching needs an encoder that treats every sample of a batch alone",
            found=f"{over_batch[0]}, which in training mixes the samples of a batch",
            remedy="mount decoder-inversion, which needs queries alone",
        )


def derangement(patients: Tensor, rng: Generator) -> Tensor:
    """For each row, a row of some other patient; a permutation wherever sizes allow.

    Args:
        patients: (n,) owner of each row.
        rng: its randomness.

    Raises:
        NotMountableError: all rows belong to one patient.
    """
    owners = torch.unique(patients)
    if len(owners) < 2:
        raise NotMountableError("shuffled pairs need two patients", found=f"{len(owners)} patient")
    cycle = owners[torch.randperm(len(owners), generator=rng)]
    rows = torch.empty_like(patients)
    for owner, other in zip(cycle.tolist(), cycle.roll(1).tolist(), strict=True):
        mine, theirs = (patients == owner).nonzero()[:, 0], (patients == other).nonzero()[:, 0]
        rows[mine] = theirs[torch.arange(len(mine)) % len(theirs)]
    return rows
