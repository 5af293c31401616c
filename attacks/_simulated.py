"""What a party would be sent back, played through on the adversary's own patients.

A party knows its own encoder and, where granted, the server. What it lacks are the other parties'
encoders. It trains stand-ins for them on its auxiliary patients, against the frozen server, and
then plays the exchange: whatever mask it puts in, it sees the gradient that would come back.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from leakaudit.errors import NotMountableError
from leakaudit.exchange.endpoint import PartyEndpoint
from leakaudit.threat.view import Features, View
from leakaudit.training.loss import sample_losses, segmentation_loss

from ._stand_in import stand_in

_AT_ONCE = 32
_STAND_IN_RATE = 5e-3  # untrained encoders behind a trained server: fast, on a cosine
_BATCH_SIZES = tuple(2**power for power in range(9))  # a loss is a mean over this many samples


class SimulatedExchange:
    """The exchange of one recorded epoch, with stand-ins for the other parties.

    Args:
        view: of a party or a coalition of parties.
        epoch: whose networks to use.
        steps: optimiser steps spent on the stand-ins.
        batch_size: samples per step.
        rng: batches and the defenses' randomness, as the adversary redraws it.

    Raises:
        NotMountableError: a member's own encoder or the server is not to be had.

    Attributes:
        masks: (n, regions, *space) of the auxiliary patients.
        server: its network.
        head: the last layers.
        features: member to level to (n, channels, *grid), what it would send for them.
        widths: party to level to the channels it sends.
    """

    def __init__(self, view: View, epoch: int, steps: int, batch_size: int, rng: Generator) -> None:
        self._view, self._rng = view, rng
        self.server, self.head = view.server(epoch)
        self._own: dict[str, PartyEndpoint] = {}
        for name in view.members:
            endpoint = view.encoder(name, epoch)
            if not isinstance(endpoint, PartyEndpoint):
                raise NotMountableError(
                    "a party simulates the exchange with its own encoder", found=type(endpoint)
                )
            self._own[name] = endpoint
        self.masks = view.auxiliary_masks().float()
        # Its own features are computed once, as the messages of one exchange.
        self.features = {
            name: _encode(endpoint, view.auxiliary_images(name), rng)
            for name, endpoint in self._own.items()
        }
        self._train_stand_ins(steps, batch_size)

    def play(self, masks: Tensor) -> dict[str, Features]:
        """What comes back to each member for given masks of the auxiliary patients.

        Args:
            masks: (n, regions, *space), 0 or 1, one per auxiliary sample.

        Returns:
            Member to level to (n, channels, *space): per sample, before any division by a batch
            size and before the defenses.
        """
        levels = self._view.split.crossing
        parts: list[tuple[Tensor, ...]] = []
        for rows in torch.arange(len(masks)).split(_AT_ONCE):
            leaves = {
                name: {
                    level: tensor[rows].clone().requires_grad_() for level, tensor in each.items()
                }
                for name, each in self.features.items()
            }
            loss = sample_losses(self._logits(leaves, rows), masks[rows]).sum()
            wanted = [leaves[name][level] for name in self._own for level in levels]
            parts.append(torch.autograd.grad(loss, wanted))
        whole = iter([torch.cat(each) for each in zip(*parts, strict=True)])
        return {name: {level: next(whole) for level in levels} for name in self._own}

    def defended(self, gradients: Mapping[str, Features], batch_size: int) -> dict[str, Features]:
        """The same after division by a batch size, as the defenses let it go back."""
        return {
            name: {
                level: self._own[name].returned(level, gradient / batch_size, self._rng)
                for level, gradient in each.items()
            }
            for name, each in gradients.items()
        }

    def batch_size(
        self, gradients: Mapping[str, Features], seen: Mapping[str, Tensor], level: int
    ) -> int:
        """The batch size under which simulated gradients are as long as those seen at a level."""
        wanted = _typical_length(seen)

        def away(size: int) -> float:
            back = self.defended(gradients, size)
            return abs(_typical_length({name: each[level] for name, each in back.items()}) - wanted)

        nearest: int = min(_BATCH_SIZES, key=away)
        return nearest

    def _logits(self, members: Mapping[str, Features], rows: Tensor) -> Tensor:
        received = [
            members[name]
            if name in members
            else {level: tensor[rows] for level, tensor in self._stand_ins[name].items()}
            for name in self._view.split.party_names
        ]
        logits: Tensor = self.head(self.server(received, self._view.space))
        return logits

    def _train_stand_ins(self, steps: int, batch_size: int) -> None:
        view, rng = self._view, self._rng
        others = [name for name in view.split.party_names if name not in self._own]
        images = {name: view.auxiliary_images(name) for name in others}
        endpoints = nn.ModuleList(stand_in(view, name, rng) for name in others)
        if others:
            optimiser = torch.optim.AdamW(endpoints.parameters(), lr=_STAND_IN_RATE)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
            for _ in range(steps):
                rows = torch.randint(len(self.masks), (batch_size,), generator=rng)
                sent = {
                    name: {level: tensor[rows] for level, tensor in each.items()}
                    for name, each in self.features.items()
                } | {
                    name: endpoint(images[name][rows], rng)
                    for name, endpoint in zip(others, endpoints, strict=True)
                }
                received = [sent[name] for name in view.split.party_names]
                logits = self.head(self.server(received, view.space))
                loss = segmentation_loss(logits, self.masks[rows])
                optimiser.zero_grad(set_to_none=True)
                loss.backward(inputs=list(endpoints.parameters()))
                optimiser.step()
                schedule.step()
        self._stand_ins = {
            name: _encode(endpoint, images[name], rng)
            for name, endpoint in zip(others, endpoints, strict=True)
        }
        self.widths = {
            name: {level: tensor.shape[1] for level, tensor in each.items()}
            for name, each in (self.features | self._stand_ins).items()
        }


def _encode(endpoint: nn.Module, images: Tensor, rng: Generator) -> Features:
    with torch.no_grad():
        parts = [endpoint(part, rng) for part in images.split(_AT_ONCE)]
    return {level: torch.cat([part[level] for part in parts]) for level in parts[0]}


def _typical_length(gradients: Mapping[str, Tensor]) -> float:
    """Logarithm of the median length of a sample's gradient over all links."""
    lengths = [tensor.flatten(1).double().norm(dim=1) for tensor in gradients.values()]
    return float(torch.stack(lengths).norm(dim=0).median().clamp_min(1e-300).log())
