"""What a party would be sent back, played through on the adversary's own patients.

A party knows its own encoder and, where granted, the server. What it lacks are the other parties'
encoders. It trains stand-ins for them on its auxiliary patients, against the frozen server, and
then plays the exchange: whatever mask it puts in, it sees the gradient that would come back.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from leakaudit.errors import NotMountableError
from leakaudit.exchange.endpoint import PartyEndpoint
from leakaudit.models.loss import sample_losses, segmentation_loss
from leakaudit.threat.view import Features, View

from .server_tail import ServerTail
from .stand_in import stand_in

_AT_ONCE = 32
_STAND_IN_RATE = 5e-3  # untrained encoders behind a trained server: fast, on a cosine
_BATCH_SIZES = tuple(2**power for power in range(9))  # a loss is a mean over this many samples
_MOST_SAMPLES = 512  # mirrored ones included: their states are held in memory


@dataclass(frozen=True, eq=False)
class OwnPatients:
    """The adversary's auxiliary patients, and their mirror images.

    Attributes:
        images: party to (n, modalities, *space).
        masks: (n, regions, *space), 0 or 1.
        patients: (n,) owners.
    """

    images: Mapping[str, Tensor]
    masks: Tensor
    patients: Tensor

    def of(self, members: Sequence[str]) -> Tensor:
        """(n, modalities of all members, *space)."""
        return torch.cat([self.images[name] for name in members], 1)


def own_patients(view: View) -> OwnPatients:
    """All auxiliary samples, mirrored along as many axes as memory allows."""
    axes = range(2, 2 + len(view.space))
    ways = [way for count in range(len(axes) + 1) for way in itertools.combinations(axes, count)]
    kept = ways[: max(1, _MOST_SAMPLES // max(1, len(view.auxiliary_patients)))]

    def mirrored(tensor: Tensor) -> Tensor:
        return torch.cat([tensor.flip(way) for way in kept])

    return OwnPatients(
        {name: mirrored(view.auxiliary_images(name)) for name in view.split.party_names},
        mirrored(view.auxiliary_masks().float()),
        view.auxiliary_patients.repeat(len(kept)),
    )


class SimulatedExchange:
    """The exchange of one recorded epoch at one level, with stand-ins for the other parties.

    Args:
        view: of a party or a coalition of parties.
        known: samples to play it on.
        epoch: whose networks to use.
        steps: optimiser steps spent on the stand-ins.
        batch_size: samples per step.
        rng: batches and the defenses' randomness, as the adversary redraws it.

    Raises:
        NotMountableError: a member's own encoder or the server is not to be had.

    Attributes:
        tail: the server's end.
        features: member to (n, channels, *grid), what it would send at the shallowest level.
        states: (n, channels, *grid), where these features join.
        logits: (n, regions, *space), what the network says of them.
    """

    def __init__(
        self,
        view: View,
        known: OwnPatients,
        epoch: int,
        steps: int,
        batch_size: int,
        rng: Generator,
    ) -> None:
        self._view, self._rng, self._level = view, rng, view.split.crossing[0]
        self._server, self._head = view.server(epoch)
        self._own: dict[str, PartyEndpoint] = {}
        for name in view.members:
            endpoint = view.encoder(name, epoch)
            if not isinstance(endpoint, PartyEndpoint):
                raise NotMountableError(
                    "a party simulates the exchange with its own encoder", found=type(endpoint)
                )
            self._own[name] = endpoint
        others = self._stand_ins(known, steps, batch_size)
        sent = {
            name: _encode(endpoint, known.images[name], rng)
            for name, endpoint in (self._own | others).items()
        }
        self.features = {name: sent[name][self._level] for name in self._own}
        self.tail = ServerTail(
            self._server, self._head, view.split, view.space, self._channels(sent)
        )
        states: list[Tensor] = []
        with self.tail.watching(states), torch.no_grad():
            self.logits = torch.cat(
                [
                    self._answer({name: _rows(each, rows) for name, each in sent.items()})
                    for rows in torch.arange(len(known.masks)).split(_AT_ONCE)
                ]
            )
        self.states = torch.cat(states)

    def sent_back(self, rows: Tensor, masks: Tensor) -> list[Tensor]:
        """What comes back to each member for given masks.

        Args:
            rows: (n,) which samples.
            masks: (n, regions, *space), 0 or 1, one per row.

        Returns:
            Per member (n, channels, *grid): per sample, before any division by a batch size and
            before the defenses.
        """
        parts = []
        for some, drawn in zip(rows.split(_AT_ONCE), masks.split(_AT_ONCE), strict=True):
            state = self.states[some].requires_grad_()
            loss = sample_losses(self.tail.logits(state), drawn).sum()
            (gradient,) = torch.autograd.grad(loss, state)
            parts.append(self.tail.sent_back(gradient))
        return [torch.cat(each) for each in zip(*parts, strict=True)]

    def defended(self, gradients: Sequence[Tensor], batch_size: int) -> list[Tensor]:
        """The same after division by a batch size, as the defenses let it go back."""
        return [
            endpoint.returned(self._level, gradient / batch_size, self._rng)
            for endpoint, gradient in zip(self._own.values(), gradients, strict=True)
        ]

    def batch_size(self, gradients: Sequence[Tensor], seen: Sequence[Tensor]) -> int:
        """The batch size under which simulated gradients are as long as those seen."""
        wanted = _typical_length(seen)

        def away(size: int) -> float:
            return abs(_typical_length(self.defended(gradients, size)) - wanted)

        nearest: int = min(_BATCH_SIZES, key=away)
        return nearest

    def _answer(self, sent: Mapping[str, Features]) -> Tensor:
        received = [sent[name] for name in self._view.split.party_names]
        logits: Tensor = self._head(self._server(received, self._view.space))
        return logits

    def _channels(self, sent: Mapping[str, Features]) -> list[slice]:
        """Where the members' channels stand among all that are joined at this level."""
        first, found = 0, {}
        for name in self._view.split.party_names:
            count = sent[name][self._level].shape[1]
            found[name] = slice(first, first + count)
            first += count
        return [found[name] for name in self._own]

    def _stand_ins(
        self, known: OwnPatients, steps: int, batch_size: int
    ) -> dict[str, PartyEndpoint]:
        """Encoders for all other parties, trained to serve this server on these patients."""
        view, rng = self._view, self._rng
        names = [name for name in view.split.party_names if name not in self._own]
        made = {name: stand_in(view, name, rng) for name in names}
        if not names or not steps:
            return made
        # Mirror images play along once these are trained; for training, samples as they are.
        samples = len(view.auxiliary_patients)
        features = {
            name: _encode(endpoint, known.images[name][:samples], rng)
            for name, endpoint in self._own.items()
        }
        weights = list(nn.ModuleList(made.values()).parameters())
        optimiser = torch.optim.AdamW(weights, lr=_STAND_IN_RATE, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(steps):
            rows = torch.randint(samples, (batch_size,), generator=rng)
            sent = {name: _rows(each, rows) for name, each in features.items()} | {
                name: endpoint(known.images[name][rows], rng) for name, endpoint in made.items()
            }
            loss = segmentation_loss(self._answer(sent), known.masks[rows])
            optimiser.zero_grad(set_to_none=True)
            loss.backward(inputs=weights)
            optimiser.step()
            schedule.step()
        return made


def _encode(endpoint: nn.Module, images: Tensor, rng: Generator) -> Features:
    with torch.no_grad():
        parts = [endpoint(part, rng) for part in images.split(_AT_ONCE)]
    return {level: torch.cat([part[level] for part in parts]) for level in parts[0]}


def _rows(features: Features, rows: Tensor) -> Features:
    return {level: tensor[rows] for level, tensor in features.items()}


def _typical_length(gradients: Sequence[Tensor]) -> float:
    """Logarithm of the median length of a sample's gradient over all links."""
    lengths = [tensor.flatten(1).double().norm(dim=1) for tensor in gradients]
    return float(torch.stack(lengths).norm(dim=0).median().clamp_min(1e-300).log())
