"""Masks from gradients: guess mask and server state, then change both until the gradients match."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Generator, Tensor

from leakaudit.models.loss import sample_losses
from leakaudit.threat.attack import Checkpoint, Guess
from leakaudit.threat.view import View

from ..parts.descent import Descent, followed, joined, on_the_way
from ..parts.effort import surely
from ..parts.priors import total_variation
from .reader import MaskReader, train_reader
from .simulated_epochs import SimulatedEpochs

_AT_ONCE = 24
_POINTS = 2
_STATE_PRIOR = 1.0  # weight of the state's squared distance from what was read
_MASK_PRIOR = 0.02  # weight of the cross-entropy with what was read
_LOGIT_RATE = 3.0  # a logit moves over several units, a normalised state over one


@dataclass(frozen=True)
class MaskBudget:
    """Settings of :func:`recover_masks`.

    Attributes:
        method: objective and optimiser.
        steps: of matching.
        stand_in_steps: to train the other parties' stand-ins, per epoch.
        reader_steps: to train the reader.
        width: of the reader, in channels.
        batch_size: of both trainings.
        learning_rate: of matching.
        total_variation: weight of the masks' total variation.
        releases: recorded epochs to read together, at most.
    """

    method: Literal["lbfgs", "cosine"]
    steps: int
    stand_in_steps: int
    reader_steps: int
    width: int
    batch_size: int
    learning_rate: float
    total_variation: float
    releases: int


def recover_masks(view: View, budget: MaskBudget, rng: Generator) -> Guess:
    """Masks of the attacked samples, from what came back to the adversary's own features.

    Args:
        view: of a party or a coalition of parties.
        budget: effort.
        rng: everything random about it.

    Raises:
        NotMountableError: the split or the server is of another kind.
        AttackInvalidError: it diverged, or what came back is not finite.
    """
    simulated = SimulatedEpochs(
        view, budget.releases, budget.stand_in_steps, budget.batch_size, rng
    )
    learn, held = simulated.parts()
    samples = simulated.samples(learn)
    outputs = (samples.masks.shape[1], samples.states.shape[1])
    reader = MaskReader(samples.seen[learn[:1] * 0], simulated.level, outputs, budget.width)
    seen, received = simulated.victims()
    trail: list[Checkpoint] = []

    def earlier(steps: int, some: MaskReader) -> None:
        trail.append(Checkpoint(steps, some.read(seen)[0].sigmoid()))

    train_reader(reader, samples, budget.reader_steps, budget.batch_size, rng, earlier)
    tested, played, masks = simulated.test(held)
    wanted = [torch.cat(pair) for pair in zip(received, played, strict=True)]
    read = [reader.read(each) for each in (seen, tested)]
    logits, state = (torch.cat(pair) for pair in zip(*read, strict=True))
    best, least = logits[: len(view)], _errors(logits[len(view) :], masks)
    for point in _matched(simulated, wanted, logits, state, budget):
        found = point.values
        # Kept only where it surely helps on the adversary's own patients: what a match changes
        # beyond what was read is as often an error of the stand-ins as the truth.
        errors = _errors(found[len(view) :], masks)
        if surely(least - errors, 1.0):
            best, least = found[: len(view)], errors
        trail.append(Checkpoint(budget.reader_steps + point.effort, best.sigmoid()))
    return Guess(trail[-1].values, trail[-1].effort, tuple(trail[:-1]))


def _errors(logits: Tensor, masks: Tensor) -> Tensor:
    """(n,) one minus Dice of each sample; a sample without lesion counts every drawn voxel."""
    guess = (logits > 0).float().flatten(1)
    truth = masks.flatten(1)
    return 1 - (2 * (guess * truth).sum(1) + 1) / (guess.sum(1) + truth.sum(1) + 1)


def _matched(
    simulated: SimulatedEpochs,
    wanted: list[Tensor],
    logits: Tensor,
    state: Tensor,
    budget: MaskBudget,
) -> list[Checkpoint]:
    """Mask logits at a few amounts of effort, none included.

    Samples are independent, because the server's norms are per sample: all are changed at once, a
    few at a time only to bound memory.
    """
    parts = []
    for rows in torch.arange(len(logits)).split(_AT_ONCE):
        problem = _Problem(
            simulated, [each[rows] for each in wanted], logits[rows], state[rows], budget
        )
        # Logits in units of the state, so that one learning rate serves both.
        descent = Descent(
            problem, [logits[rows] / _LOGIT_RATE, state[rows]], [budget.learning_rate] * 2,
            optimiser=_quasi_newton if budget.method == "lbfgs" else _adam,
        )  # fmt: skip
        parts.append(
            [
                Checkpoint(step, last.guess[0].detach() * _LOGIT_RATE)
                for step, last in followed(descent, on_the_way(budget.steps, _POINTS), Generator())
            ]
        )
    return joined(parts)


_adam = partial(torch.optim.Adam, betas=(0.9, 0.95))


def _quasi_newton(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Torch's, which takes no groups: its line search finds the steps' length."""
    every = [each for group in groups for each in group["params"]]
    return torch.optim.LBFGS(every, max_iter=1, history_size=10, line_search_fn="strong_wolfe")


class _Problem:
    """How far the gradients of a few samples' masks and states are from those wanted."""

    def __init__(
        self,
        simulated: SimulatedEpochs,
        wanted: list[Tensor],
        logits: Tensor,
        state: Tensor,
        budget: MaskBudget,
    ) -> None:
        self._tail, self._budget = simulated.tail, budget
        self._centre, self._spread = simulated.moments
        self._wanted = _flat(wanted)
        self._read, self._state_read = logits.sigmoid(), state

    def __call__(
        self, scaled: Tensor, unit_state: Tensor, *, turn: int, rng: Generator
    ) -> tuple[Tensor, Tensor]:
        """Sum over samples of distance and priors; distance by sample."""
        del turn, rng
        logits = scaled * _LOGIT_RATE
        state = unit_state * self._spread + self._centre
        total = sample_losses(self._tail.logits(state), logits.sigmoid()).sum()
        (at_state,) = torch.autograd.grad(total, state, create_graph=True)
        back = _flat(self._tail.sent_back(at_state))
        if self._budget.method == "lbfgs":
            distance = (back - self._wanted).square().sum(1)
        else:
            distance = 1 - (back * self._wanted).sum(1)
        prior = _STATE_PRIOR * (unit_state - self._state_read).square().flatten(1).mean(1)
        entropy = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, self._read, reduction="none"
        )
        prior = prior + _MASK_PRIOR * entropy.flatten(1).mean(1)
        varies = self._budget.total_variation * total_variation(logits.sigmoid())
        return (distance + prior + varies).sum(), distance


def _flat(gradients: list[Tensor]) -> Tensor:
    """(n, all values), each sample of length one: the batch size scales gradients, unknown."""
    flat = torch.cat([each.flatten(1) for each in gradients], 1)
    # Multiplied first: the square of a gradient of 1e-20 underflows.
    flat = flat / flat.detach().abs().amax(1, keepdim=True).clamp_min(1e-30)
    return flat / flat.square().sum(1, keepdim=True).clamp_min(1e-30).sqrt()
