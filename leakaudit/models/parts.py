"""One network taken apart at named submodules, without tracing it.

A part is a copy of the whole network in which whatever another part runs is gone: modules before
the cuts give zeros of the right shape, cut modules give what was received, and the forward pass
ends once the last cut has been passed. So any network that runs can be cut, whatever its control
flow; a path around the cuts shows, because the parts then give something else than the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as tree

from leakaudit.errors import ConfigurationError


class _AllPassedError(Exception):
    """Every cut at which this part ends has been passed: what follows runs elsewhere."""


@dataclass(eq=False)
class _Letters:
    """What a part received, and what it is about to send; filled anew by every forward pass."""

    received: dict[str, Any] = field(default_factory=dict)
    sent: dict[str, Any] = field(default_factory=dict)


class _Received(nn.Module):
    """Stands where a cut module stood, and gives what came from there."""

    def __init__(self, name: str, letters: _Letters) -> None:
        super().__init__()
        self._name, self._letters = name, letters

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """What was received."""
        del inputs, named
        # A copy: what the network changes in place must not be the message itself.
        return tree.tree_map(torch.clone, self._letters.received[self._name])


class _Absent(nn.Module):
    """Stands where a module of another part stood, and gives zeros of its shapes."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self._call = call

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Zeros, for as many samples as came in."""
        given = _first_tensor((inputs, named))
        rows = len(given)

        def zeros(like: Any) -> Any:
            if not isinstance(like, Tensor):
                return like
            count = rows * like.shape[0] // self._call.rows
            real = like.is_floating_point() and given.is_floating_point()
            kind = given.dtype if real else like.dtype
            return given.new_zeros((count, *like.shape[1:]), dtype=kind)

        return tree.tree_map(zeros, self._call.output)


@dataclass(frozen=True, eq=False)
class Call:
    """What one module did in a dry run.

    Attributes:
        rows: length of the first tensor that came in.
        output: what it gave, on the device without memory.
    """

    rows: int
    output: Any


@dataclass(eq=False)
class _Catch:
    """A forward hook: keeps what a cut module gives, and ends the pass at the last one."""

    name: str
    letters: _Letters
    wanted: int

    def __call__(self, module: nn.Module, inputs: object, output: Any) -> None:
        del module, inputs
        self.letters.sent[self.name] = output
        if len(self.letters.sent) == self.wanted:
            raise _AllPassedError


class PartialNetwork(nn.Module):
    """What one owner runs of a network.

    Args:
        network: the whole; it is changed, and belongs to the part from then on.
        own: names of the parameters that are this part's.
        calls: what every module did in a dry run, by name.
        starts: cut modules whose outputs are received.
        ends: cut modules whose outputs are sent; none: the network's own output is.
    """

    def __init__(
        self,
        network: nn.Module,
        own: frozenset[str],
        calls: Mapping[str, Call],
        starts: Sequence[str],
        ends: Sequence[str],
    ) -> None:
        super().__init__()
        self._letters = _Letters()
        self._starts, self._ends = tuple(starts), tuple(ends)
        names = {id(module): name for name, module in network.named_modules()}
        mine = {id(weight) for name, weight in network.named_parameters() if name in own}
        cuts = {id(network.get_submodule(name)) for name in (*starts, *ends)}
        for module in list(_foreign(network, mine, cuts)):
            if (call := calls.get(names[id(module)])) is not None:
                _replace(network, module, _Absent(call))
        for name in starts:
            _replace(network, network.get_submodule(name), _Received(name, self._letters))
        for module in network.modules():
            for name, weight in list(module.named_parameters(recurse=False)):
                if id(weight) not in mine:
                    # Another part trains it: nothing of it is left here.
                    delattr(module, name)
                    module.register_buffer(name, torch.zeros_like(weight), persistent=False)
        for name in ends:
            catch = _Catch(name, self._letters, len(self._ends))
            network.get_submodule(name).register_forward_hook(catch)
        self.network = network

    def forward(self, given: Tensor, received: Sequence[Any] = ()) -> Any:
        """What is sent: one output per end, in their order; without ends, the network's output.

        Args:
            given: images, or zeros of their size where nothing of them is known.
            received: one per start, in their order.
        """
        letters = self._letters
        letters.received.update(zip(self._starts, received, strict=True))
        try:
            output = self.network(given)
        except _AllPassedError:
            output = None
        finally:
            sent = dict(letters.sent)
            letters.received.clear()
            letters.sent.clear()
        if not self._ends:
            return output
        missing = [name for name in self._ends if name not in sent]
        if missing:
            raise ConfigurationError(
                "every module of cut_after must run in a forward pass",
                found=f"{missing[0]} did not",
                remedy="name a submodule that the network calls",
            )
        return tuple(sent[name] for name in self._ends)


def watch(
    network: nn.Module, images: Tensor, cuts: Sequence[str]
) -> tuple[dict[str, Call], dict[str, Any], Any]:
    """Run a whole network once, on one graph.

    Returns:
        What every module gave the last time it was called; what the cut modules gave; the output.
    """
    calls: dict[str, Call] = {}
    kept: dict[str, Any] = {}

    def noted(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, named: Any, output: Any) -> None:
            del module
            given = _first_tensor((inputs, named), missing=True)
            if name in kept:
                raise ConfigurationError(
                    "a cut is passed once in a forward pass",
                    found=f"{name} runs twice",
                    remedy='cut after another module, or use model.use = "callable"',
                )
            if name in cuts:
                # As it leaves: what follows may change it in place.
                kept[name] = tree.tree_map(
                    lambda each: each.clone() if isinstance(each, Tensor) else each, output
                )
            # Shapes are enough to stand in for a module; copies of all would fill the memory.
            light = tree.tree_map(
                lambda each: each.detach().to("meta") if isinstance(each, Tensor) else each, output
            )
            calls[name] = Call(max(len(given), 1) if given is not None and given.ndim else 1, light)

        return hook

    hooks = [
        module.register_forward_hook(noted(name), with_kwargs=True)
        for name, module in network.named_modules()
        if name
    ]
    try:
        output = network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return calls, kept, output


def depend(outputs: Any, network: nn.Module) -> frozenset[str]:
    """Names of the parameters that outputs depend on."""
    tensors = [
        each for each in tree.tree_leaves(outputs)
        if isinstance(each, Tensor) and each.requires_grad
    ]  # fmt: skip
    named = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
    if not tensors or not named:
        return frozenset()
    total = torch.stack([each.float().square().sum() for each in tensors]).sum()
    found = torch.autograd.grad(total, list(named.values()), retain_graph=True, allow_unused=True)
    return frozenset(
        name for name, gradient in zip(named, found, strict=True) if gradient is not None
    )


def _foreign(module: nn.Module, mine: set[int], cuts: set[int]) -> Iterator[nn.Module]:
    """The largest submodules that have weights, none of them this part's, and hold no cut."""
    for child in module.children():
        if id(child) in cuts:
            continue
        weights = {id(weight) for weight in child.parameters()}
        holds_cut = any(id(each) in cuts for each in child.modules())
        if weights and not holds_cut and mine.isdisjoint(weights):
            yield child
        elif weights or holds_cut:
            yield from _foreign(child, mine, cuts)


def _replace(network: nn.Module, module: nn.Module, by: nn.Module) -> None:
    """Everywhere: networks may hold a module under several names."""
    for above in list(network.modules()):
        for name, child in list(above._modules.items()):
            if child is module:
                setattr(above, name, by)


def _first_tensor(given: Any, *, missing: bool = False) -> Any:
    found = next((each for each in tree.tree_leaves(given) if isinstance(each, Tensor)), None)
    if found is None and not missing:
        raise ConfigurationError(
            "a module of another part must be called with a tensor",
            found="none",
            remedy='describe the stages yourself: model.use = "callable"',
        )
    return found
