"""One split training step as it crosses the links: nobody's autograd graph leaves home."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.interference import Interference
from leakaudit.exchange.message import Cut, Direction, Link, Route
from leakaudit.models.networks import Features
from leakaudit.split.spec import SERVER

_Send = Callable[[Route, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's data, each part where it is held.

    Attributes:
        images: party name to (n, modalities, *space). In a vertical split every party holds the
            same samples; in a horizontal one a batch has a single party.
        masks: (n, regions, *space) float, 0 or 1; at the label holder.
        samples: (n,) indices into the cohort.
        epoch: epoch of training, from 0.
        step: step within the epoch, from 0.
    """

    images: Mapping[str, Tensor]
    masks: Tensor
    samples: Tensor
    epoch: int
    step: int


def exchange(
    network: Network,
    link: Link,
    batch: Batch,
    rngs: Mapping[str, Generator],
    interference: Interference | None = None,
) -> Tensor:
    """Forward and backward through every party; gradients end up in the parameters.

    Args:
        network: all endpoints; tensors pass between them on the link and in no other way.
        link: carries the messages and shows them to its taps.
        batch: the step's data.
        rngs: party name or ``server`` to the randomness its defenses draw from.
        interference: decides what a dishonest server sends back; None for an honest one. The
            server's own network and the head learn to segment either way.

    Returns:
        The loss, detached.
    """

    def send(route: Route, tensor: Tensor) -> Tensor:
        return link.send(route, tensor, batch.samples, batch.epoch, batch.step)

    sent: dict[str, Features] = {}
    received: dict[str, Features] = {}
    for name, images in batch.images.items():
        sent[name] = network.party(name)(images, rngs[name])
        received[name] = {
            level: send(_up(name, level), tensor).requires_grad_()
            for level, tensor in sorted(sent[name].items())
        }
    last = network.server(list(received.values()), tuple(batch.masks.shape[2:]))
    loss = _finish(network, last, batch.masks, send)
    for name, features in sent.items():
        party = network.party(name)
        gradients: Features = {
            level: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
            for level, leaf in received[name].items()
        }
        if interference is not None:
            arrived = {level: leaf.detach() for level, leaf in received[name].items()}
            gradients = interference.sent_back(name, arrived, gradients)
        returned: Features = {}
        for level in received[name]:
            returned[level] = send(
                _down(name, level), party.returned(level, gradients[level], rngs[SERVER])
            )
        terms = party.loss_terms(batch.images[name], features, rngs[name])
        torch.autograd.backward(
            [*(features[level] for level in returned), *terms],
            [*returned.values(), *(torch.ones_like(term) for term in terms)],
        )
    return loss


def _finish(network: Network, last: Tensor, masks: Tensor, send: _Send) -> Tensor:
    """Loss and backward pass down to what the server received."""
    holder = network.split.label_holder
    if holder is None:
        loss = network.model.loss(network.head(last), masks)
        loss.backward()
        return loss.detach()
    at_holder = send(Route(SERVER, holder, Direction.ACTIVATION, Cut.HEAD, 0), last)
    at_holder.requires_grad_()
    loss = network.model.loss(network.head(at_holder), masks)
    loss.backward()
    if at_holder.grad is None:
        raise RuntimeError("the head's loss does not depend on the features it was sent")
    last.backward(send(Route(holder, SERVER, Direction.GRADIENT, Cut.HEAD, 0), at_holder.grad))
    return loss.detach()


def _up(party: str, level: int) -> Route:
    return Route(party, SERVER, Direction.ACTIVATION, Cut.ENCODER, level)


def _down(party: str, level: int) -> Route:
    return Route(SERVER, party, Direction.GRADIENT, Cut.ENCODER, level)
