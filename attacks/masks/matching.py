"""Masks from gradients: guess mask and server state, then change both until the gradients match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.models.loss import sample_losses
from leakaudit.threat.attack import Checkpoint, Guess
from leakaudit.threat.view import View

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
    if view.split.orientation == "horizontal":
        raise NotMountableError(
            "masks are read from gradients at features of the victims: a vertical split",
            found="horizontal split, where a party is only sent gradients of its own patients",
        )
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
    for step, found in _matched(simulated, wanted, logits, state, budget):
        # Kept only where it surely helps on the adversary's own patients: what a match changes
        # beyond what was read is as often an error of the stand-ins as the truth.
        errors = _errors(found[len(view) :], masks)
        if _surely_less(errors, least):
            best, least = found[: len(view)], errors
        trail.append(Checkpoint(budget.reader_steps + step, best.sigmoid()))
    return Guess(trail[-1].values, trail[-1].effort, tuple(trail[:-1]))


def _errors(logits: Tensor, masks: Tensor) -> Tensor:
    """(n,) one minus Dice of each sample; a sample without lesion counts every drawn voxel."""
    guess = (logits > 0).float().flatten(1)
    truth = masks.flatten(1)
    return 1 - (2 * (guess * truth).sum(1) + 1) / (guess.sum(1) + truth.sum(1) + 1)


def _surely_less(errors: Tensor, before: Tensor) -> bool:
    """Whether errors fell by more than their own standard error."""
    gain = before - errors
    if len(gain) < 2:
        return False
    return bool(gain.mean() > gain.std() / len(gain) ** 0.5)


def _matched(
    simulated: SimulatedEpochs,
    wanted: list[Tensor],
    logits: Tensor,
    state: Tensor,
    budget: MaskBudget,
) -> list[tuple[int, Tensor]]:
    """Mask logits at a few amounts of effort, none included.

    Samples are independent, because the server's norms are per sample: all are changed at once, a
    few at a time only to bound memory.
    """
    stops = sorted({round(budget.steps * part / _POINTS) for part in range(_POINTS + 1)})
    found: dict[int, list[Tensor]] = {stop: [] for stop in stops}
    for rows in torch.arange(len(logits)).split(_AT_ONCE):
        problem = _Problem(
            simulated, [each[rows] for each in wanted], logits[rows], state[rows], budget
        )
        for stop in stops:
            found[stop].append(problem.advance(stop))
    return [(stop, torch.cat(parts)) for stop, parts in found.items()]


class _Problem:
    """A few samples' masks and states, and how far their gradients are from those wanted."""

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
        self._state = state.clone().requires_grad_()
        # In units of the state, so that one learning rate serves both.
        self._scaled = (logits / _LOGIT_RATE).clone().requires_grad_()
        self._done = 0
        parameters = [self._scaled, self._state]
        self._optimiser: torch.optim.Optimizer = (
            torch.optim.LBFGS(
                parameters, max_iter=1, history_size=10, line_search_fn="strong_wolfe"
            )
            if budget.method == "lbfgs"
            else torch.optim.Adam(parameters, lr=budget.learning_rate, betas=(0.9, 0.95))
        )

    def advance(self, stop: int) -> Tensor:
        """Run up to that many steps in all; the mask logits then."""
        while self._done < stop:
            self._optimiser.step(self._closure)
            self._done += 1
        return (self._scaled * _LOGIT_RATE).detach().clone()

    def _closure(self) -> float:
        loss = self._loss()
        if not bool(torch.isfinite(loss)):
            raise AttackInvalidError(
                "the distance between gradients must stay finite",
                found=f"{loss.item()} after {self._done} steps",
                remedy="lower the attack's learning rate",
            )
        self._scaled.grad, self._state.grad = torch.autograd.grad(loss, [self._scaled, self._state])
        return float(loss.detach())

    def _loss(self) -> Tensor:
        """Sum over samples of distance and priors."""
        logits = self._scaled * _LOGIT_RATE
        state = self._state * self._spread + self._centre
        total = sample_losses(self._tail.logits(state), logits.sigmoid()).sum()
        (at_state,) = torch.autograd.grad(total, state, create_graph=True)
        back = _flat(self._tail.sent_back(at_state))
        if self._budget.method == "lbfgs":
            distance = (back - self._wanted).square().sum(1)
        else:
            distance = 1 - (back * self._wanted).sum(1)
        prior = _STATE_PRIOR * (self._state - self._state_read).square().flatten(1).mean(1)
        entropy = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, self._read, reduction="none"
        )
        prior = prior + _MASK_PRIOR * entropy.flatten(1).mean(1)
        varies = self._budget.total_variation * total_variation(logits.sigmoid())
        return (distance + prior + varies).sum()


def _flat(gradients: list[Tensor]) -> Tensor:
    """(n, all values), each sample of length one: the batch size scales gradients, unknown."""
    flat = torch.cat([each.flatten(1) for each in gradients], 1)
    # Multiplied first: the square of a gradient of 1e-20 underflows.
    flat = flat / flat.detach().abs().amax(1, keepdim=True).clamp_min(1e-30)
    return flat / flat.square().sum(1, keepdim=True).clamp_min(1e-30).sqrt()
