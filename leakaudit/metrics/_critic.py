"""The critic behind the learned estimators of mutual information."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

Floats = npt.NDArray[np.float32]
Pairs = tuple[Floats, Floats]

_EMBEDDING = 32
_CHECK_EVERY = 25
_PATIENCE = 8  # checks without improvement
_WEIGHT_DECAY = 1e-3


class Critic(nn.Module):
    """score(x, y) = f(x) . g(y) + a(x) + b(y); all zero before training, which reads 0 bits."""

    def __init__(self, inputs: tuple[int, int], hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.sides = nn.ModuleList(_Embedding(size, hidden) for size in inputs)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                # One side's last layer starts at zero, so that every score does.
                if parameter.ndim < 2 or "offset" in name or name.startswith("sides.0.last"):
                    parameter.zero_()
                else:
                    bound = 1 / math.sqrt(parameter.shape[1])
                    parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """(n, p) and (m, q) to scores (m, n): rows are messages, columns images."""
        (f, a), (g, b) = self.sides[0](x), self.sides[1](y)
        scores: torch.Tensor = g @ f.T + a.T + b
        return scores

    def scores(self, x: Floats, y: Floats) -> npt.NDArray[np.float64]:
        """Scores of held-out pairs, (n, n), true pairs on the diagonal."""
        with torch.no_grad():
            scores = self(torch.from_numpy(x), torch.from_numpy(y))
        array: npt.NDArray[np.float64] = scores.double().numpy()
        return array


class _Embedding(nn.Module):
    """A linear map beside a small network: Gaussian channels need little more than the former."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.utils.skip_init(nn.Linear, inputs, hidden)
        self.last = nn.utils.skip_init(nn.Linear, hidden + inputs, _EMBEDDING, bias=False)
        self.offset = nn.utils.skip_init(nn.Linear, hidden, 1, bias=False)

    def forward(self, side: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = nn.functional.silu(self.first(side))
        return self.last(torch.cat([hidden, side], dim=1)), self.offset(hidden)


def train(
    learn: Pairs,
    stop: Pairs,
    *,
    loss: Callable[[torch.Tensor], torch.Tensor],
    hidden: int,
    steps: int,
    batch: int,
    learning_rate: float,
    seed: int,
) -> Critic:
    """Fit a critic; the state that does best on the stopping pairs is returned.

    Args:
        learn: images (n, p) and messages (n, q) to learn from.
        stop: pairs of other patients, which say when to stop.
        loss: of an (n, n) score matrix with the true pairs on the diagonal.
        hidden: width of the hidden layers.
        steps: at most.
        batch: pairs per step.
        learning_rate: of Adam.
        seed: of weights and batches.
    """
    generator = torch.Generator().manual_seed(seed)
    critic = Critic((learn[0].shape[1], learn[1].shape[1]), hidden, generator)
    x, y = (torch.from_numpy(side) for side in learn)
    stop_x, stop_y = (torch.from_numpy(side) for side in stop)
    optimiser = torch.optim.AdamW(
        critic.parameters(), lr=learning_rate, weight_decay=_WEIGHT_DECAY, fused=True
    )
    best, least, waited = copy.deepcopy(critic.state_dict()), math.inf, 0
    for step in range(steps + 1):
        if step % _CHECK_EVERY == 0 or step == steps:
            with torch.no_grad():
                current = float(loss(critic(stop_x, stop_y)))
            if current < least:
                best, least, waited = copy.deepcopy(critic.state_dict()), current, 0
            else:
                waited += 1
            if waited >= _PATIENCE:
                break
        rows = torch.randperm(len(x), generator=generator)[:batch]
        value = loss(critic(x[rows], y[rows]))
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
    critic.load_state_dict(best)
    return critic
