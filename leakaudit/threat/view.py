"""Exactly what one adversary may see. An attack receives a view and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Generator, Tensor, nn

from leakaudit.errors import NotMountableError
from leakaudit.exchange.defense import Defense
from leakaudit.exchange.message import Direction
from leakaudit.split.spec import SplitSpec
from leakaudit.threat.asked import Asked
from leakaudit.threat.belongings import Belongings
from leakaudit.threat.computable import require_each_alone
from leakaudit.threat.derangement import derangement
from leakaudit.threat.knowledge import Knowledge, Position
from leakaudit.threat.positions import seen_from, sees_head
from leakaudit.threat.readings import Readings
from leakaudit.threat.sources import (
    Auxiliary,
    Candidates,
    Exchange,
    Features,
    Logged,
    Rebuilt,
    WeightUpdate,
)
from leakaudit.threat.target import Asset, Target

# An attack finds here all it needs to read a view.
__all__ = [
    "Asset",
    "Auxiliary",
    "Candidates",
    "Exchange",
    "Features",
    "Rebuilt",
    "Target",
    "View",
    "WeightUpdate",
    "derangement",
    "seen_from",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class View(Belongings):
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

    split: SplitSpec
    modalities: Mapping[str, int]
    regions: int
    space: tuple[int, ...]
    defenses: tuple[Defense, ...]
    targets: tuple[Target, ...]
    patients: Tensor
    _exchange: Exchange
    _rebuilt: Rebuilt
    _mixing: Tensor | None = None
    _asked: Asked = field(default_factory=Asked)
    _read: set[int] = field(default_factory=set)

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
    def epochs_read(self) -> tuple[int, ...]:
        """Recorded epochs of which anything was read through this view, or weighed, rising."""
        return tuple(sorted(self._read))

    def weighed(self, epochs: Iterable[int]) -> None:
        """Note epochs that were held against each other on auxiliary patients.

        Whoever reads the one that tells most has not passed over the others.
        """
        self._read.update(epochs)

    def afresh(self) -> View:
        """The same view, of which nothing was read yet."""
        return replace(self, _read=set())

    @property
    def message_size(self) -> int:
        """Samples that cross in one message, at most."""
        return self._exchange.message_size

    def activations(self, party: str, level: int, epoch: int) -> Tensor:
        """What a party sent: (n, channels, *space), one row per attacked sample."""
        self._require(Knowledge.ACTIVATIONS)
        return self._mixed(self._recorded.messages(party, level, Direction.ACTIVATION, epoch))

    def whole_messages(self, party: str, level: int, epoch: int) -> list[tuple[Tensor, Tensor]]:
        """The activations that hold any attacked sample, message by message as they crossed.

        Returns:
            Of each message (m,) the rows of its samples among the attacked ones, -1 of others, and
            (m, channels, *space).
        """
        self._require(Knowledge.ACTIVATIONS)
        found = []
        for rows, sent in self._recorded.whole_messages(party, level, epoch):
            places = rows
            if self._mixing is not None:
                places = torch.where(rows < 0, rows, self._mixing.argsort()[rows])
            found.append((places, sent))
        return found

    def own_activations(self, party: str, level: int, epoch: int) -> Tensor:
        """What the adversary itself sent, as a party: not mixed in controls, it is its own."""
        self._require_member(party)
        return self._recorded.messages(party, level, Direction.ACTIVATION, epoch)

    def gradients(self, party: str, level: int, epoch: int) -> Tensor:
        """What came back to a party: (n, channels, *space)."""
        self._require(Knowledge.GRADIENTS)
        if self.adversary.position is Position.PARTY:
            self._require_member(party)
        return self._mixed(self._recorded.messages(party, level, Direction.GRADIENT, epoch))

    def head_gradients(self, epoch: int) -> Tensor | None:
        """What the label holder sent back for the last features: (n, channels, *grid).

        None where the server holds the labels, where the adversary has no end of that link, and
        where the trace does not hold it.
        """
        self._require(Knowledge.GRADIENTS)
        if not sees_head(self.adversary, self.split):
            return None
        sent = self._recorded.at_head(self.split.labels_at, Direction.GRADIENT, epoch)
        return None if sent is None else self._mixed(sent)

    def updates(self, party: str, epoch: int) -> Sequence[WeightUpdate]:
        """Encoder updates of a party after one step, with the cut gradients that caused them."""
        self._require(Knowledge.WEIGHT_UPDATES)
        updates = [each for each in self._recorded.updates(party, epoch) if each.cut]
        if self._mixing is None:
            return updates
        mixing = self._mixing
        return [replace(update, rows=mixing[update.rows]) for update in updates]

    def round_updates(self, party: str, epoch: int) -> Sequence[WeightUpdate]:
        """What a party of a horizontal split sent to be averaged after a whole round."""
        self._require(Knowledge.WEIGHT_UPDATES)
        return [each for each in self._recorded.updates(party, epoch) if not each.cut]

    def query(self, party: str, images: Tensor, epoch: int, rng: Generator) -> Features:
        """What the party would send for these images: black-box, through its guards.

        In messages as large as the recorded ones: a guard may treat a message as a whole.
        """
        self._require(Knowledge.QUERIES)
        endpoint = self._rebuilt.party(party, epoch)
        size = self.message_size
        batches = self._asked.answers(endpoint, images, size, rng)
        return {
            level: torch.cat([batch[level] for batch in batches]) for level in self.split.crossing
        }

    def can_ask(self, party: str, images: Tensor) -> bool:
        """Whether queries about these images are answered: a job answered only some."""
        known: list[object] = [self._rebuilt.party(party, epoch) for epoch in self.epochs]
        return all(each.holds(images) for each in known if isinstance(each, Logged))

    def encoder(self, party: str, epoch: int) -> Callable[[Tensor, Generator], Features]:
        """A party's encoder behind its guards, differentiable; a party knows its own.

        Raises:
            NotMountableError: not granted; or it normalises over the batch, as it was in training,
                so that no sample's message or update is its own.
        """
        if party not in self.members or self.adversary.position is Position.WIRE:
            self._require(Knowledge.ENCODER_WEIGHTS)
        endpoint = self._rebuilt.party(party, epoch)
        require_each_alone(endpoint)
        return endpoint

    def server(self, epoch: int) -> tuple[nn.Module, nn.Module]:
        """The server's network and the head."""
        self._require(Knowledge.SERVER_WEIGHTS)
        return self._rebuilt.server(epoch)

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
        return replace(self, _candidates=self._candidates.mixed(rng))

    @property
    def _recorded(self) -> Readings:
        return Readings(self._exchange, self._read)

    def _mixed(self, tensor: Tensor) -> Tensor:
        return tensor if self._mixing is None else tensor[self._mixing]
