"""Stand-ins for what a trace provides, so that views can be tested without one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leakaudit.exchange.message import Direction
from leakaudit.split import PartySpec, SplitSpec

SPLIT = SplitSpec(
    parties=(PartySpec(name="a", modalities=("T1",)), PartySpec(name="b", modalities=("T2",))),
    channels=(2, 4),
    party_levels=1,
)


@dataclass
class FakeExchange:
    epochs: tuple[int, ...] = (0,)
    message_size: int = 2

    def messages(self, party: str, level: int, direction: Direction, epoch: int) -> Tensor:
        return torch.arange(5.0)[:, None, None, None].expand(5, 2, 4, 4)

    def whole_messages(self, party: str, level: int, epoch: int) -> list[tuple[Tensor, Tensor]]:
        sent = self.messages(party, level, Direction.ACTIVATION, epoch)
        order = torch.tensor([3, 0, 4, 1, 2])
        return [(rows, sent[rows]) for rows in order.split(self.message_size)]

    def updates(self, party: str, epoch: int) -> list[object]:
        return []


class FakeRebuilt:
    def party(self, name: str, epoch: int) -> object:
        return lambda images, rng: {0: images.repeat(1, 2, 1, 1)}

    def server(self, epoch: int) -> tuple[object, object]:
        return object(), object()
