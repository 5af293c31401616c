"""Routes as a trace's description lists them, and messages as a route has them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from leakaudit.errors import TraceError
from leakaudit.exchange.message import Cut, Direction, Message, Route
from leakaudit.split.spec import OWN, SplitSpec
from leakaudit.trace.description import RecordedRoute
from leakaudit.trace.shard import storable


def recorded_route(route: Route, split: SplitSpec, tensor: Tensor) -> RecordedRoute:
    """A route and what crosses on it.

    Args:
        route: who sends what to whom.
        split: says what the cut is called, where the route does not.
        tensor: its first message.

    Raises:
        TraceError: it is of a type that no file holds.
    """
    dtype = str(tensor.dtype).removeprefix("torch.")
    if not storable(tensor.dtype):
        raise TraceError("messages must be of a type that safetensors can hold", found=dtype)
    if route.cut is Cut.HEAD:
        name = "head"
    elif split.model.use == OWN:
        name = route.name or f"cut {route.level}"
    else:
        name = split.cut_name(route.level)
    return RecordedRoute(
        sender=route.sender,
        receiver=route.receiver,
        direction=route.direction.value,
        cut=name,
        number=route.level,
        shape=tuple(tensor.shape[1:]),
        dtype=dtype,
    )


def as_before(message: Message, known: RecordedRoute) -> Message:
    """A message in the type of its route's first; a narrower one, of mixed precision, is widened.

    Raises:
        TraceError: it has another shape, or a type that does not fit into the first.
    """
    tensor, first = message.tensor, getattr(torch, known.dtype)
    fits = torch.promote_types(tensor.dtype, first) == first
    if tuple(tensor.shape[1:]) != known.shape or not fits:
        dtype = str(tensor.dtype).removeprefix("torch.")
        raise TraceError(
            f"messages of one route must keep shape {known.shape} and type {known.dtype}",
            found=f"{tuple(tensor.shape[1:])}, {dtype} from {known.sender} to {known.receiver}",
            remedy="bring images or patches to one size before training; where precision is mixed, "
            "send the first message of a route in the wider type",
        )
    return message if tensor.dtype == first else replace(message, tensor=tensor.to(first))


def route_of(recorded: RecordedRoute) -> Route:
    """The route that a description lists."""
    cut = Cut.HEAD if recorded.at_head else Cut.ENCODER
    direction = Direction(recorded.direction)
    return Route(recorded.sender, recorded.receiver, direction, cut, recorded.number, recorded.cut)
