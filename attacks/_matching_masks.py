"""Masks from gradients: guess mask and server state, then change both until the gradients match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.threat.attack import Checkpoint, Guess
from leakaudit.threat.view import View
from leakaudit.training.loss import sample_losses

from ._mask_reader import Lesson, MaskReader, clues, teach
from ._simulated import SimulatedExchange
from ._smoothness import total_variation
from ._tail import Tail, moments, normalised

_DRAWS = 3  # masks played per auxiliary sample: its own, and those of others
_HELD_OUT = 5  # every fifth auxiliary patient is kept to stop by
_MOST_HELD_OUT = 16  # samples; they are matched beside the victims
_AT_ONCE = 24
_POINTS = 4
_STATE_PRIOR = 1.0  # weight of the state's squared distance from what was read
_MASK_PRIOR = 0.02  # weight of the cross-entropy with what was read
_LOGIT_RATE = 3.0  # a logit moves over several units, a normalised state over one


@dataclass(frozen=True)
class MaskBudget:
    """Settings of :func:`recover_masks`.

    Attributes:
        method: objective and optimiser.
        steps: of matching.
        stand_in_steps: to train the other parties' stand-ins.
        reader_steps: to train the reader.
        width: of the reader, in channels.
        batch_size: of both trainings.
        learning_rate: of matching.
        total_variation: weight of the masks' total variation.
        releases: recorded epochs to average where a defense is random.
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


def recover_masks(view: View, level: int, budget: MaskBudget, rng: Generator) -> Guess:
    """Masks of the attacked samples, from what came back to the adversary's own features.

    Args:
        view: of a party or a coalition of parties.
        level: shallowest level whose gradients may be used.
        budget: effort.
        rng: everything random about it.

    Raises:
        NotMountableError: the split or the server is of another kind.
        AttackInvalidError: it diverged.
    """
    if view.split.orientation == "horizontal":
        raise NotMountableError(
            "masks are read from gradients at features of the victims: a vertical split",
            found="horizontal split, where a party is only sent gradients of its own patients",
        )
    epoch = view.last_epoch
    rehearsal = _Rehearsal(view, level, budget, rng)
    learn, held = _held_out(view.auxiliary_patients)
    lesson = rehearsal.lesson(learn)
    regions, states = lesson.masks.shape[1], lesson.states.shape[1]
    reader = MaskReader(lesson.clues.shape[1], level, view.space, (regions, states), budget.width)
    teach(reader, lesson, budget.reader_steps, budget.batch_size, 5e-3, rng)

    own = [view.own_activations(name, level, epoch) for name in view.members]
    received = [rehearsal.average(name, level) for name in view.members]
    test = rehearsal.test(held)
    wanted = [torch.cat([*pair]) for pair in zip(received, test.gradients, strict=True)]
    logits, state = reader.read(torch.cat([clues(received, own), test.clues]))
    effort = budget.stand_in_steps + budget.reader_steps
    best, trail, lowest = logits[: len(view)], [], float("inf")
    for step, found in _matched(rehearsal, wanted, logits, state, budget):
        error = _error(found[len(view) :], test.masks)
        if error <= lowest:
            best, lowest = found[: len(view)], error
        trail.append(Checkpoint(effort + step, best.sigmoid()))
    return Guess(trail[-1].values, trail[-1].effort, tuple(trail[:-1]))


@dataclass(frozen=True, eq=False)
class _Test:
    """Auxiliary samples that the reader did not learn from, as if they were victims."""

    gradients: list[Tensor]
    clues: Tensor
    masks: Tensor


class _Rehearsal:
    """The exchange as the adversary can play it, and what it saw of the real one."""

    def __init__(self, view: View, level: int, budget: MaskBudget, rng: Generator) -> None:
        self._view, self._level, self._rng = view, level, rng
        epoch = view.last_epoch
        self._exchange = SimulatedExchange(
            view, epoch, budget.stand_in_steps, budget.batch_size, rng
        )
        server, head = self._exchange.server, self._exchange.head
        self.tail = Tail(server, head, view.split, view.space, self._own_channels())
        seen = {name: view.gradients(name, level, epoch) for name in view.members}
        states: list[Tensor] = []
        with self.tail.watching(states):
            played = self._exchange.play(self._exchange.masks)
        self._states = torch.cat(states)
        self.moments = tuple(each.mean(0, keepdim=True) for each in moments(self._states))
        self._size = self._exchange.batch_size(played, seen, level)
        self._played = [played]
        self._epochs: tuple[int, ...] = (epoch,)
        first, second = (self._sent_back(played) for _ in range(2))
        if any(not torch.equal(*pair) for pair in zip(first, second, strict=True)):
            self._epochs = view.epochs[-budget.releases :]

    def average(self, member: str, level: int) -> Tensor:
        """What came back, averaged over recorded epochs where noise makes that worth it."""
        each = [self._view.gradients(member, level, epoch) for epoch in self._epochs]
        return torch.stack(each).mean(0)

    def lesson(self, rows: Tensor) -> Lesson:
        """Own masks and masks of others on auxiliary samples: a reader has to look at gradients."""
        masks = self._exchange.masks
        order = [torch.arange(len(masks))]
        order += [torch.randperm(len(masks), generator=self._rng) for _ in range(_DRAWS - 1)]
        seen = []
        for each in order:
            played = self._played[0] if each is order[0] else self._exchange.play(masks[each])
            seen.append(self._clues(self._sent_back(played))[rows])
        return Lesson(
            torch.cat(seen),
            torch.cat([masks[each][rows] for each in order]),
            torch.cat([normalised(self._states[rows])] * len(order)),
        )

    def test(self, rows: Tensor) -> _Test:
        """True masks of held-out auxiliary samples."""
        gradients = [each[rows] for each in self._sent_back(self._played[0])]
        features = [self._exchange.features[name][self._level][rows] for name in self._view.members]
        return _Test(gradients, clues(gradients, features), self._exchange.masks[rows])

    def _clues(self, gradients: list[Tensor]) -> Tensor:
        features = [self._exchange.features[name][self._level] for name in self._view.members]
        return clues(gradients, features)

    def _own_channels(self) -> list[slice]:
        """Where the members' channels stand among all that are joined at this level."""
        first, found = 0, {}
        for name in self._view.split.party_names:
            count = self._exchange.widths[name][self._level]
            found[name] = slice(first, first + count)
            first += count
        return [found[name] for name in self._view.members]

    def _sent_back(self, played: dict[str, dict[int, Tensor]]) -> list[Tensor]:
        """Per member (n, channels, *grid), as the defenses let it go back."""
        draws = [self._exchange.defended(played, self._size) for _ in self._epochs]
        return [
            torch.stack([draw[name][self._level] for draw in draws]).mean(0)
            for name in self._view.members
        ]


def _held_out(patients: Tensor) -> tuple[Tensor, Tensor]:
    """Auxiliary samples to learn from and to stop by; no patient in both, unless there is one."""
    owners = torch.unique(patients)
    held = torch.isin(patients, owners[::_HELD_OUT])
    if len(owners) < 2:
        return torch.arange(len(patients)), torch.arange(len(patients))[:_MOST_HELD_OUT]
    return (~held).nonzero()[:, 0], held.nonzero()[:, 0][:_MOST_HELD_OUT]


def _error(logits: Tensor, masks: Tensor) -> float:
    """One minus Dice over all of them."""
    guess = (logits > 0).float()
    return 1.0 - float(2 * (guess * masks).sum() / (guess.sum() + masks.sum()).clamp_min(1.0))


def _matched(
    rehearsal: _Rehearsal,
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
            rehearsal, [each[rows] for each in wanted], logits[rows], state[rows], budget
        )
        for stop in stops:
            found[stop].append(problem.advance(stop))
    return [(stop, torch.cat(parts)) for stop, parts in found.items()]


class _Problem:
    """A few samples' masks and states, and how far their gradients are from those wanted."""

    def __init__(
        self,
        rehearsal: _Rehearsal,
        wanted: list[Tensor],
        logits: Tensor,
        state: Tensor,
        budget: MaskBudget,
    ) -> None:
        self._tail, self._budget = rehearsal.tail, budget
        self._centre, self._spread = rehearsal.moments
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
