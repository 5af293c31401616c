"""What a server sees of encoders that no training recorded, as a view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from leakaudit.exchange.message import Direction
from leakaudit.split import SplitSpec
from leakaudit.threat.knowledge import Adversary, Knowledge, Position
from leakaudit.threat.view import Auxiliary, Features, Target, View, WeightUpdate

GRANTED = Knowledge.ACTIVATIONS | Knowledge.QUERIES | Knowledge.AUXILIARY_IMAGES
Encoder = Callable[[Tensor, Generator], Features]


@dataclass(frozen=True, eq=False)
class Sent:
    """Messages of one epoch, and the encoders that sent them."""

    encoders: Mapping[str, Encoder]
    features: Mapping[str, Features]
    epochs: tuple[int, ...] = (0,)
    message_size: int = 16

    def messages(self, party: str, level: int, direction: Direction, epoch: int) -> Tensor:
        if direction is not Direction.ACTIVATION or epoch not in self.epochs:
            raise KeyError((direction, epoch))
        return self.features[party][level]

    def whole_messages(self, party: str, level: int, epoch: int) -> list[tuple[Tensor, Tensor]]:
        sent = self.messages(party, level, Direction.ACTIVATION, epoch)
        every = torch.arange(len(sent)).split(self.message_size)
        return [(rows, sent[rows]) for rows in every]

    def updates(self, party: str, epoch: int) -> Sequence[WeightUpdate]:
        raise KeyError((party, epoch))

    def party(self, name: str, epoch: int) -> Encoder:
        if epoch not in self.epochs:
            raise KeyError(epoch)
        return self.encoders[name]

    def server(self, epoch: int) -> tuple[nn.Module, nn.Module]:
        raise KeyError(epoch)


def view(
    split: SplitSpec,
    encoders: Mapping[str, Encoder],
    victims: Mapping[str, Tensor],
    patients: Tensor,
    auxiliary: Auxiliary,
    targets: Sequence[tuple[str, tuple[int, ...]]],
) -> View:
    """A server's view of what these encoders send for the victims' images.

    Args:
        split: names parties and levels.
        encoders: party to encoder; deterministic.
        victims: party to (n, modalities, *space).
        patients: (n,) whose images they are.
        auxiliary: the server's own patients.
        targets: party and levels of each target.
    """
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        features = {name: encoders[name](images, rng) for name, images in victims.items()}
    sent = Sent(encoders, features)
    space = tuple(next(iter(victims.values())).shape[2:])
    return View(
        adversary=Adversary(name="server", position=Position.SERVER),
        knowledge=GRANTED,
        split=split,
        modalities={name: images.shape[1] for name, images in victims.items()},
        regions=1,
        space=space,
        defenses=(),
        targets=tuple(Target(victim, "images", levels) for victim, levels in targets),
        patients=patients,
        _exchange=sent,
        _rebuilt=sent,
        _auxiliary=auxiliary,
        _own_images={},
        _labels=None,
    )
