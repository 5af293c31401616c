"""Routes as a trace's description lists them."""

from __future__ import annotations

from leakaudit.exchange.message import Route
from leakaudit.trace.description import RecordedRoute


def recorded_route(route: Route, shape: tuple[int, ...], dtype: str) -> RecordedRoute:
    """A route and what crosses on it: shape of one sample, and name of its type."""
    return RecordedRoute(
        sender=route.sender,
        receiver=route.receiver,
        direction=route.direction.value,
        cut=route.cut.value,
        level=route.level,
        shape=shape,
        dtype=dtype,
    )
