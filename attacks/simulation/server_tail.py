"""The end of the server's network, from where a party's shallowest features join it.

The gradient at a party's features of the shallowest crossing level is a fixed linear map of the
gradient where those features join, and nothing below that level tells more about the mask. So the
adversary need not guess every other party's features: it is enough to guess what they add up to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from leakaudit.errors import NotMountableError
from leakaudit.models.networks import ServerNetwork
from leakaudit.split.spec import SplitSpec, level_size

_RIDGE = 1e-4  # of the largest singular value: what the join all but removes stays removed


class ServerTail:
    """Logits from a state, and what a state's gradient is at the adversary's features.

    Where deeper levels cross as well, the state is what the convolution that takes the shallowest
    features gives; where a single level crosses, it is all parties' features of that level.

    Args:
        server: as rebuilt for an epoch.
        head: the last layers.
        split: after defenses.
        space: image size.
        own: per member, its channels among all that are joined at the shallowest level.

    Raises:
        NotMountableError: the server is not a Split-U-Net.
    """

    def __init__(
        self,
        server: nn.Module,
        head: nn.Module,
        split: SplitSpec,
        space: tuple[int, ...],
        own: Sequence[slice],
    ) -> None:
        if not isinstance(server, ServerNetwork):
            raise NotMountableError(
                "gradients are matched through a Split-U-Net's server", found=split.network_name
            )
        self._server, self._head, self._space, self._own = server, head, space, own
        self._level = split.crossing[0]
        self._inverses: dict[tuple[int, ...], Tensor] = {}
        self._joined = self._level < split.party_levels - 1
        if self._joined:
            place = len(server.up) - 1 - self._level
            self._above = list(server.up)[place + 1 :]
            convs: Any = server.up[place].convs
            self._join, self._normalise, self._second = (
                convs.conv_0.conv, convs.conv_0.adn, convs.conv_1
            )  # fmt: skip

    @contextmanager
    def watching(self, states: list[Tensor]) -> Iterator[None]:
        """While open, every state that passes the server goes into a list."""

        def after(_module: object, _inputs: object, output: Tensor) -> None:
            states.append(output.detach())

        def before(_module: object, inputs: tuple[Any, ...]) -> None:
            states.append(torch.cat([each[self._level] for each in inputs[0]], 1).detach())

        handle = (
            self._join.register_forward_hook(after)
            if self._joined
            else self._server.register_forward_pre_hook(before)
        )
        try:
            yield
        finally:
            handle.remove()

    def logits(self, state: Tensor) -> Tensor:
        """Logits (n, regions, *space) from a state."""
        if self._joined:
            current = self._second(self._normalise(state))
            for level, block in zip(range(self._level - 1, -1, -1), self._above, strict=True):
                current = block(current, None, level_size(self._space, level))
        else:
            current = self._server([{self._level: state}], self._space)
        logits: Tensor = self._head(current)
        return logits

    def sent_back(self, gradient: Tensor) -> list[Tensor]:
        """The gradient at each member's features, given that at the state."""
        if not self._joined:
            return [gradient[:, each] for each in self._own]
        transposed = (
            nn.functional.conv_transpose2d if gradient.ndim == 4 else nn.functional.conv_transpose3d
        )
        join = self._join
        return [
            transposed(gradient, join.weight[:, each], padding=join.padding) for each in self._own
        ]

    def undone(self, gradients: Sequence[Tensor]) -> Tensor:
        """The gradient at the state that would send these back, in least squares.

        Args:
            gradients: per member (n, channels, *grid); their scale does not matter.

        Returns:
            (n, channels of the state, *grid); where nothing joins, the members' own channels.
        """
        joined = torch.cat(list(gradients), 1)
        if not self._joined:
            return joined
        grid = tuple(joined.shape[2:])
        margin = tuple(self._join.padding)
        size = tuple(side + 2 * more for side, more in zip(grid, margin, strict=True))
        axes = tuple(range(2, joined.ndim))
        inverse = self._inverse(size)
        around = [more for more in reversed(margin) for _ in range(2)]
        spectrum = torch.fft.rfftn(nn.functional.pad(joined, around), dim=axes)
        found = torch.einsum("psc,ncp->nsp", inverse, spectrum.flatten(2))
        whole: Tensor = torch.fft.irfftn(
            found.reshape(*found.shape[:2], *spectrum.shape[2:]), size, axes
        )
        for axis, side in enumerate(grid, start=2):
            whole = whole.narrow(axis, 0, side)
        return whole

    def _inverse(self, size: tuple[int, ...]) -> Tensor:
        """(frequencies, state channels, own channels): regularised pseudo-inverse of the join.

        Padded by the margin that the join cut off, the transposed convolution is circular, and a
        circular convolution is a small matrix at every frequency.
        """
        if size not in self._inverses:
            kernel = torch.cat([self._join.weight.detach()[:, each] for each in self._own], 1)
            axes = tuple(range(2, kernel.ndim))
            spectrum = torch.fft.rfftn(kernel.double(), size, axes).flatten(2)
            forward = spectrum.permute(2, 1, 0)
            ridge = (_RIDGE * torch.linalg.svdvals(forward).amax()).square().clamp_min(1e-30)
            adjoint = forward.mH
            even = torch.eye(kernel.shape[0], dtype=adjoint.dtype)
            solved = torch.linalg.solve(adjoint @ forward + ridge * even, adjoint)
            self._inverses[size] = solved.to(torch.complex64)
        return self._inverses[size]


def normalised(state: Tensor) -> Tensor:
    """Each channel of each sample with mean zero and spread one."""
    centre, spread = moments(state)
    return (state - centre) / spread


def moments(state: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread of each channel of each sample, (n, channels, 1, ...) each."""
    axes = tuple(range(2, state.ndim))
    centre = state.mean(axes, keepdim=True)
    return centre, ((state - centre).square().mean(axes, keepdim=True) + 1e-10).sqrt()
