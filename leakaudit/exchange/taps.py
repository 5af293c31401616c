"""Tap a model that trains elsewhere: what crosses at named submodules, as messages.

Nothing of the training loop changes. The model may live on one autograd graph; it is recorded as if
it were cut after the submodules named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.exchange.message import Cut, Direction, Message, Route, Tap
from leakaudit.split.spec import SERVER

# Put between a submodule's names by torch.compile, data parallelism and activation checkpointing.
_WRAPPERS = frozenset({"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})


@dataclass(frozen=True)
class Crossing:
    """Where a party's features leave, in somebody's own model.

    Attributes:
        party: who computes the submodule.
        level: number of the exchanged features at that party, from 0.
        shape: (channels, *grid) that a flattened message is unfolded to; None: as it is.
        name: what reports call the cut; empty: as the tapped submodule, or by its number.
    """

    party: str
    level: int = 0
    shape: tuple[int, ...] | None = None
    name: str = ""

    def route(self, direction: Direction) -> Route:
        """Forward to the server, backward from it."""
        if direction is Direction.ACTIVATION:
            return Route(self.party, SERVER, direction, Cut.ENCODER, self.level, self.name)
        return Route(SERVER, self.party, direction, Cut.ENCODER, self.level, self.name)

    def unfolded(self, tensor: Tensor) -> Tensor:
        """The message in its stated shape, as a plain tensor of its own.

        Raises:
            ConfigurationError: it does not hold so many values.
        """
        # A subclass may carry more than values: MONAI's holds the path of the image.
        plain = tensor.detach().as_subclass(Tensor).clone()
        if self.shape is None:
            return plain
        try:
            return plain.reshape(len(plain), *self.shape)
        except RuntimeError:
            raise ConfigurationError(
                "a message must hold as many values as the shape stated for it",
                found=f"{tuple(plain.shape)} from {self.party}, {self.name or self.level}, to be "
                f"(n, {', '.join(map(str, self.shape))})",
                remedy="state (channels, *grid) of one sample",
            ) from None


Crossings = Mapping[str, Crossing | Sequence[Crossing]]
"""Submodule name to what its output stands for; several, in their order, of a tuple or list."""


@dataclass
class Position:
    """Where the training loop stands; it says so before each step.

    Attributes:
        samples: (n,) cohort indices of the batch.
        epoch: epoch of training, from 0.
        step: step within the epoch, from 0.
        asking: what passes is the answer to a query, not part of the training.
        turn: counts the batches.
        passed_over: forward passes that are no part of the exchange: evaluation.
    """

    samples: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    epoch: int = 0
    step: int = 0
    asking: bool = False
    turn: int = 0
    passed_over: int = 0

    def at(self, samples: Tensor, *, epoch: int, step: int) -> None:
        """Say which batch comes next; of an accumulated gradient, which part of it."""
        self.samples, self.epoch, self.step = samples, epoch, step
        self.turn += 1


@contextmanager
def tapped(
    model: nn.Module, crossings: Crossings, taps: Sequence[Tap], position: Position | None = None
) -> Iterator[Position]:
    """Show the outputs of named submodules, and the gradients that come back, to taps.

    Only forward passes in training mode with gradients on are shown, and those that ask: a
    validation pass is not part of the recorded exchange. A pass that activation checkpointing
    repeats is shown once. Tensors are copied, because a model may change its activations in place
    as it goes on.

    Args:
        model: any model; it is neither changed nor kept. It may be compiled, or wrapped for data
            parallelism.
        crossings: submodule name, as in ``model.named_modules()`` before it was wrapped, to what it
            stands for.
        taps: see each message, such as a :class:`leakaudit.trace.writer.TraceWriter`.
        position: set by the caller; None: one of its own.

    Yields:
        The position, to be set before each step.

    Raises:
        UnknownNameError: a submodule of that name does not exist.
        ConfigurationError: two outputs stand for the same crossing, or an output is no tensor
            with one row per sample of the batch.
    """
    modules = {_unwrapped(name): module for name, module in model.named_modules()}
    listed = {
        name: _named(name, (each,) if isinstance(each, Crossing) else tuple(each))
        for name, each in crossings.items()
    }
    for name in listed:
        if name not in modules:
            raise UnknownNameError.of("submodule", name, (each for each in modules if each))
    routes = [(each.party, each.level) for some in listed.values() for each in some]
    if len(set(routes)) != len(routes):
        raise ConfigurationError(
            "each output must stand for a crossing of its own",
            found=", ".join(f"{name}: {each}" for name, each in crossings.items()),
            remedy="give another party or level to one of them",
        )
    position = position or Position()
    hooks = [
        modules[name].register_forward_hook(_Hook(name, some, position, tuple(taps)))
        for name, some in listed.items()
    ]
    _forget_compiled(model)
    try:
        yield position
    finally:
        for hook in hooks:
            hook.remove()
        _forget_compiled(model)


def _named(submodule: str, crossings: Sequence[Crossing]) -> tuple[Crossing, ...]:
    """Called by what is tapped, where nothing else is said."""
    several = len(crossings) > 1
    return tuple(
        replace(each, name=each.name or (f"{submodule}[{place}]" if several else submodule))
        for place, each in enumerate(crossings)
    )


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _forget_compiled(model: nn.Module) -> None:
    """What was compiled before does not know of hooks that come or go."""
    if any(hasattr(module, "_orig_mod") for module in model.modules()):
        torch.compiler.reset()


class _Hook:
    """Shows what one submodule gives."""

    def __init__(
        self, name: str, crossings: tuple[Crossing, ...], position: Position, taps: tuple[Tap, ...]
    ) -> None:
        self._name, self._crossings, self._position, self._taps = name, crossings, position, taps
        self._shown = -1

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(self, module: nn.Module, inputs: object, output: object) -> None:
        del inputs
        position = self._position
        if not position.asking and not (module.training and torch.is_grad_enabled()):
            # A checkpointed pass that keeps no graph is repeated with one, and shown then.
            position.passed_over += not module.training
            return
        # In a backward pass, a forward one is the repetition of a checkpointed part.
        if torch._C._current_graph_task_id() != -1 and self._shown == position.turn:
            return
        self._shown = position.turn
        for crossing, tensor in zip(self._crossings, self._tensors(output), strict=True):
            show = self._shower(crossing)
            show(Direction.ACTIVATION, tensor)
            if tensor.requires_grad and not position.asking:
                # A hook stays with the value it was registered on, even if changed in place.
                tensor.register_hook(lambda gradient, show=show: show(Direction.GRADIENT, gradient))

    def _tensors(self, output: object) -> tuple[Tensor, ...]:
        several = isinstance(output, tuple | list)
        found = tuple(output) if isinstance(output, tuple | list) else (output,)
        samples = self._position.samples
        tensors = tuple(each for each in found if isinstance(each, Tensor) and each.ndim)
        if len(tensors) == len(found) == len(self._crossings):
            if all(len(each) == len(samples) for each in tensors):
                return tensors
            said = f"{len(tensors[0])} rows for {len(samples)} samples"
        else:
            kinds = ", ".join(type(each).__name__ for each in found)
            said = f"({kinds}) for {len(self._crossings)} crossings" if several else kinds
        raise ConfigurationError(
            f"the output of {self._name} must be a tensor with one row per sample",
            found=said,
            remedy="tap a submodule that gives one, or list a crossing for each tensor it gives; "
            "call position.at(samples, ...) per batch",
        )

    def _shower(self, crossing: Crossing) -> Callable[[Direction, Tensor], None]:
        position = self._position
        samples, epoch, step = position.samples, position.epoch, position.step

        def show(direction: Direction, tensor: Tensor) -> None:
            sent = crossing.unfolded(tensor)
            message = Message(crossing.route(direction), sent, samples, epoch, step)
            for tap in self._taps:
                tap(message)

        return show
