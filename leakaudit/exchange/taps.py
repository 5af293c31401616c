"""Tap a model that trains elsewhere: what crosses at named submodules, as messages.

Nothing of the training loop changes. The model may live on one autograd graph; it is recorded as if
it were cut after the submodules named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.exchange.message import Cut, Direction, Message, Route, Tap
from leakaudit.split.spec import SERVER


@dataclass(frozen=True)
class Crossing:
    """Where a party's features leave, in somebody's own model.

    Attributes:
        party: who computes the submodule.
        level: number of the exchanged features at that party, from 0.
    """

    party: str
    level: int = 0

    def route(self, direction: Direction) -> Route:
        """Forward to the server, backward from it."""
        if direction is Direction.ACTIVATION:
            return Route(self.party, SERVER, direction, Cut.ENCODER, self.level)
        return Route(SERVER, self.party, direction, Cut.ENCODER, self.level)


@dataclass
class Position:
    """Where the training loop stands; it says so before each step.

    Attributes:
        samples: (n,) cohort indices of the batch.
        epoch: epoch of training, from 0.
        step: step within the epoch, from 0.
    """

    samples: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    epoch: int = 0
    step: int = 0

    def at(self, samples: Tensor, *, epoch: int, step: int) -> None:
        """Say which batch comes next."""
        self.samples, self.epoch, self.step = samples, epoch, step


@contextmanager
def tapped(
    model: nn.Module, crossings: Mapping[str, Crossing], taps: Sequence[Tap]
) -> Iterator[Position]:
    """Show the outputs of named submodules, and the gradients that come back, to taps.

    Only forward passes in training mode with gradients on are shown: a validation pass is not part
    of the recorded exchange. Tensors are copied, because a model may change its
    activations in place as it goes on.

    Args:
        model: any model; it is neither changed nor kept.
        crossings: submodule name, as in ``model.named_modules()``, to what it stands for.
        taps: see each message, such as a :class:`leakaudit.trace.writer.TraceWriter`.

    Yields:
        The position, to be set before each step.

    Raises:
        UnknownNameError: a submodule of that name does not exist.
        ConfigurationError: two submodules stand for the same crossing, or an output is no tensor
            with one row per sample of the batch.
    """
    modules = dict(model.named_modules())
    for name in crossings:
        if name not in modules:
            raise UnknownNameError.of("submodule", name, (each for each in modules if each))
    if len(set(crossings.values())) != len(crossings):
        raise ConfigurationError(
            "each submodule must stand for a crossing of its own",
            found=", ".join(f"{name}: {each}" for name, each in crossings.items()),
            remedy="give another party or level to one of them",
        )
    position = Position()
    hooks = [
        modules[name].register_forward_hook(_Hook(name, crossing, position, tuple(taps)))
        for name, crossing in crossings.items()
    ]
    try:
        yield position
    finally:
        for hook in hooks:
            hook.remove()


@dataclass(frozen=True, eq=False)
class _Hook:
    name: str
    crossing: Crossing
    position: Position
    taps: tuple[Tap, ...]

    def __call__(self, module: nn.Module, inputs: object, output: object) -> None:
        del inputs
        if not module.training or not torch.is_grad_enabled():
            return
        samples, epoch, step = self.position.samples, self.position.epoch, self.position.step
        if not isinstance(output, Tensor) or len(output) != len(samples):
            found = (
                f"{len(output)} rows for {len(samples)} samples"
                if isinstance(output, Tensor)
                else type(output).__name__
            )
            raise ConfigurationError(
                f"the output of {self.name} must be a tensor with one row per sample",
                found=found,
                remedy="tap a submodule that gives one; call position.at(samples, ...) per batch",
            )

        def show(direction: Direction, tensor: Tensor) -> None:
            message = Message(
                self.crossing.route(direction), tensor.detach().clone(), samples, epoch, step
            )
            for tap in self.taps:
                tap(message)

        show(Direction.ACTIVATION, output)
        if output.requires_grad:
            # A hook stays with the value it was registered on, even if that is changed in place.
            output.register_hook(lambda gradient: show(Direction.GRADIENT, gradient))
