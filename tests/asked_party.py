"""A party that was recorded and can be asked, without a trace."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from leakaudit.cells.link import Crossed, Link

BATCH = 4


def link(images: Tensor, victims: int, send: nn.Module, levels: tuple[int, ...], seed: int) -> Link:
    """What a party sends of its victims, message by message, and what it sends when asked."""
    rng = torch.Generator().manual_seed(seed)
    sent = []
    with torch.no_grad():
        for rows in torch.randperm(victims, generator=rng).split(BATCH):
            sent.append((rows, send(images[rows], rng)))

    def crossed(epoch: int, level: int, samples: Tensor) -> list[Crossed]:
        return [
            Crossed(rows, message[level])
            for rows, message in sent
            if set(rows.tolist()) & set(samples.tolist())
        ]

    def ask(asked: Tensor, fresh: Generator) -> Mapping[int, Tensor]:
        with torch.no_grad():
            answer: Mapping[int, Tensor] = send(asked, fresh)
        return answer

    return Link(
        "south",
        (0,),
        {each: f"level {each}" for each in levels},
        crossed,
        lambda epoch: ask,
        BATCH,
        images,
    )


class Noise(nn.Module):
    """Sends fresh noise, whatever the image."""

    def forward(self, images: Tensor, rng: Generator) -> Mapping[int, Tensor]:
        return {0: torch.randn(len(images), 2, 6, 6, generator=rng)}
