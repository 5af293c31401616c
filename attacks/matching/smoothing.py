"""Smooth stand-ins: for activations with a kink, so that gradients can be matched; and images."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import Tensor, nn

NetworkT = TypeVar("NetworkT", bound=nn.Module)

_SHARPNESS = 10.0  # features leave an instance norm with spread one: the bend is a tenth of that


class SmoothLeakyReLU(nn.Module):
    """A leaky ReLU whose kink is a bend.

    The derivative of a leaky ReLU jumps. A gradient that is to be matched passes through that
    derivative, so which side of the kink a value lies on matters most and yet pulls at nothing.
    """

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, values: Tensor) -> Tensor:
        """Same shape."""
        bent = nn.functional.softplus(values * _SHARPNESS) / _SHARPNESS
        return self.slope * values + (1 - self.slope) * bent


def smoothed(network: NetworkT) -> NetworkT:
    """A copy of a network with every (leaky) ReLU smoothed; weights are copied."""
    network = copy.deepcopy(network)
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.LeakyReLU | nn.ReLU):
                slope = child.negative_slope if isinstance(child, nn.LeakyReLU) else 0.0
                setattr(module, name, SmoothLeakyReLU(slope))
    return network
