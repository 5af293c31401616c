"""Record what a method takes and gives: for frameworks whose messages are calls.

NVFlare's Collab publishes methods by their signature and hands their arguments over the wire. A
decorator under `@collab.publish` sees both, and keeps the signature.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.taps import Crossing
from leakaudit.recording.recorder import Recorder

P = ParamSpec("P")
R = TypeVar("R")
Sent = Crossing | Sequence[Crossing] | Mapping[str, Crossing]


@dataclass(frozen=True)
class Told:
    """Which of a call's arguments say what is sent.

    Attributes:
        keys: what the job calls the rows.
        epoch: of training.
        step: within the epoch; None: counted.
        draw: number of the answer where the call asks, and None where it trains; None: never asks.
    """

    keys: str = "keys"
    epoch: str = "epoch"
    step: str | None = "step"
    draw: str | None = None


def recorded(
    *,
    gives: Sent | None = None,
    takes: Mapping[str, Crossing] | None = None,
    told: Told | None = None,
    recorder: str = "recorder",
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Record the features that a method gives, and the gradients that it takes.

    Write it under `@collab.publish`. The object's attribute ``recorder`` holds the
    :class:`leakaudit.recording.Recorder`, or None to record nothing.

    Args:
        gives: what its result stands for: a tensor, a sequence or a mapping of tensors.
        takes: argument name to the crossing whose gradient it is.
        told: which arguments say whose rows they are.
        recorder: name of the attribute.

    Raises:
        ConfigurationError: the method lacks an argument that is named.
    """
    told = told or Told()
    back = dict(takes or {})

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(method)
        named = [told.keys, told.epoch, told.step, told.draw, *back]
        lacking = [name for name in named if name is not None and name not in signature.parameters]
        if lacking:
            raise ConfigurationError(
                "a recorded method must have the arguments that say what is sent",
                found=f"{method.__name__}{signature} without {lacking[0]}",
                remedy="name its own in Told(keys=..., epoch=..., step=..., draw=...)",
            )

        # Without it the framework would not find the signature, and would publish nothing.
        @functools.wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            given = bound.arguments
            found = getattr(args[0], recorder, None) if args else None
            if not isinstance(found, Recorder):
                return method(*args, **kwargs)
            for name, crossing in back.items():
                _keep(found, told, given, {crossing: given[name]}, gradient=True)
            result = method(*args, **kwargs)
            if gives is not None:
                _keep(found, told, given, _by_crossing(gives, result), gradient=False)
            return result

        return call

    return decorate


def _keep(
    recorder: Recorder, told: Told, given: Mapping[str, Any], sent: Mapping[Crossing, Any],
    *, gradient: bool,
) -> None:  # fmt: skip
    draw = None if told.draw is None else given[told.draw]
    step = None if told.step is None else given[told.step]
    recorder.keep(
        {crossing: as_tensor(each) for crossing, each in sent.items()},
        given[told.keys], epoch=int(given[told.epoch]), step=step, draw=draw, gradient=gradient,
    )  # fmt: skip


def _by_crossing(gives: Sent, result: Any) -> Mapping[Crossing, Any]:
    if isinstance(gives, Crossing):
        return {gives: result}
    if isinstance(gives, Mapping):
        return {crossing: result[name] for name, crossing in gives.items()}
    return dict(zip(gives, result, strict=True))


def as_tensor(value: Any) -> Tensor:
    """A tensor, an array, or nested lists, as what crosses."""
    return value if isinstance(value, Tensor) else torch.as_tensor(value)
