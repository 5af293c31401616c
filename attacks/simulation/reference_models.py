"""Membership read off the trained network: is it surer of a person than others would be?

A network that saw a patient errs less on it than networks that did not. How hard the patient is
anyway is told by reference networks, trained on auxiliary patients alone; how much the ratio of the
two says is told by auxiliary patients, of whom it is known that they were not in training.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from leakaudit.errors import AttackInvalidError, NotMountableError
from leakaudit.models.loss import sample_losses, segmentation_loss
from leakaudit.threat.attack import Checkpoint, Guess
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import Features, View

from ..parts.messages import is_random
from .stand_in import look_alike

_AT_ONCE = 32
_LEAST_LOSS = 1e-6
_LEAST_SPREAD = 0.02  # of the logarithm of a loss: below it, few references look alike

Images = Mapping[str, Tensor]
Send = Callable[[str, Tensor], Features]


@dataclass(frozen=True)
class ReferenceBudget:
    """What reference networks may cost.

    Attributes:
        references: how many; each leaves out its share of the auxiliary patients.
        steps: optimiser steps of each.
        batch_size: samples per step.
        learning_rate: highest step size.
        draws: redraws of a random defense.
    """

    references: int
    steps: int
    batch_size: int
    learning_rate: float
    draws: int


def told_by_model(view: View, budget: ReferenceBudget, rng: Generator) -> Guess:
    """(candidates,) 0 to 1: the share of auxiliary samples that look less like a member.

    Args:
        view: grants the server's weights, queries, candidates, auxiliary images and masks.
        budget: of the reference networks.
        rng: batches, folds, and the defenses' randomness as the adversary redraws it.

    Raises:
        NotMountableError: fewer than two auxiliary patients.
        AttackInvalidError: a reference diverged.
    """
    owners = torch.unique(view.auxiliary_patients)
    if len(owners) < 2:
        raise NotMountableError(
            "reference networks leave out some auxiliary patients, to be compared with",
            found=f"{len(owners)} auxiliary patient",
            remedy="give more patients to the auxiliary group",
        )
    people, own = _people(view), {n: view.auxiliary_images(n) for n in view.split.party_names}
    masks = view.auxiliary_masks().float()
    drawn = view.candidate_masks().float() if Knowledge.CANDIDATE_LABELS in view.knowledge else None
    random = any(is_random(view, name, images, rng) for name, images in own.items())
    draws = budget.draws if random else 1

    def query(party: str, images: Tensor) -> Features:
        return view.query(party, images, view.last_epoch, rng)

    # Without a mask to hold it against, a network is held against what it draws itself.
    known = None if drawn is None else masks
    attacked = _Tried(view, query, *view.server(view.last_epoch), own, draws)
    at_people, at_own = attacked.losses(people, drawn), attacked.losses(own, known)
    usual, compared, points = [], [], []
    for number, (held, network) in enumerate(_references(view, own, masks, budget, draws, rng), 1):
        usual.append(network.losses(people, drawn))
        some = {name: images[held] for name, images in own.items()}
        wanted = None if known is None else known[held]
        compared.append(network.losses(some, wanted) - at_own[held])
        score = torch.stack(usual).mean(0) - at_people
        points.append(Checkpoint(number * budget.steps, _placed(score, torch.cat(compared))))
    *trail, last = points
    return Guess(last.values, last.effort, tuple(trail))


def _people(view: View) -> Images:
    """The candidates' images in the modalities that the adversary is after, and so has."""
    victims = dict.fromkeys(target.victim for target in view.targets)
    return {name: view.candidate_images(name) for name in victims}


def _placed(scores: Tensor, others: Tensor) -> Tensor:
    """RMIA's pairwise comparison with every auxiliary sample, with soft edges so that none tie."""
    spread = others.std(correction=0).clamp_min(_LEAST_SPREAD)
    return torch.sigmoid((scores[:, None] - others[None]) / spread).mean(1).float()


class _Tried:
    """A network, how it is asked, and how much it errs.

    Modalities of a person that are not known are left to the typical message of auxiliary images.
    """

    def __init__(
        self, view: View, send: Send, server: nn.Module, head: nn.Module, own: Images, draws: int
    ) -> None:
        self._view, self._send, self._draws = view, send, draws
        self._server, self._head, self._own = server, head, own

    def losses(self, images: Images, masks: Tensor | None) -> Tensor:
        """(n,) logarithm of the training loss.

        Args:
            images: party to (n, modalities, *space).
            masks: (n, regions, *space); None to take what the network draws.
        """
        count = len(next(iter(images.values())))
        found = torch.zeros(count, dtype=torch.float64)
        with torch.no_grad():
            for _ in range(self._draws):
                typical = self._typical(images)
                for rows in torch.arange(count).split(_AT_ONCE):
                    logits = self._logits({n: each[rows] for n, each in images.items()}, typical)
                    wanted = (logits > 0).float() if masks is None else masks[rows]
                    found[rows] += sample_losses(logits, wanted).double() / self._draws
        return found.clamp_min(_LEAST_LOSS).log()

    def _logits(self, images: Images, typical: Mapping[str, Features]) -> Tensor:
        count = len(next(iter(images.values())))
        received = [
            self._send(name, images[name])
            if name in images
            else {
                level: each.expand(count, *each.shape[1:]) for level, each in typical[name].items()
            }
            for name in self._view.split.party_names
        ]
        logits: Tensor = self._head(self._server(received, self._view.space))
        return logits

    def _typical(self, images: Images) -> dict[str, Features]:
        missing = [name for name in self._view.split.party_names if name not in images]
        return {
            name: {
                level: each.mean(0, keepdim=True)
                for level, each in self._send(name, self._own[name]).items()
            }
            for name in missing
        }


def _references(
    view: View, own: Images, masks: Tensor, budget: ReferenceBudget, draws: int, rng: Generator
) -> Iterator[tuple[Tensor, _Tried]]:
    """Networks of the same design, each with the rows of the auxiliary patients it never saw."""
    owners = torch.unique(view.auxiliary_patients)
    owners = owners[torch.randperm(len(owners), generator=rng)]
    folds = min(budget.references, len(owners))
    for fold in range(folds):
        out = torch.isin(view.auxiliary_patients, owners[fold::folds])
        held, taught = out.nonzero()[:, 0], (~out).nonzero()[:, 0]
        yield held, _reference(view, own, masks, taught, budget, draws, rng)


def _reference(
    view: View, own: Images, masks: Tensor, taught: Tensor, budget: ReferenceBudget, draws: int,
    rng: Generator,
) -> _Tried:  # fmt: skip
    endpoints = {name: look_alike(view, name, rng) for name in view.split.party_names}
    server, head = (_afresh(each) for each in view.server(view.last_epoch))

    def send(party: str, images: Tensor) -> Features:
        sent: Features = endpoints[party](images, rng)
        return sent

    weights = _weights([*endpoints.values(), server, head])
    optimiser = torch.optim.AdamW(weights, lr=budget.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, budget.steps)
    for _ in range(budget.steps):
        chosen = torch.randint(len(taught), (budget.batch_size,), generator=rng)
        rows = taught[chosen]
        received = [send(name, own[name][rows]) for name in view.split.party_names]
        loss = segmentation_loss(head(server(received, view.space)), masks[rows])
        if not bool(torch.isfinite(loss)):
            raise AttackInvalidError(
                "a reference network's loss must stay finite",
                found=loss.item(),
                remedy="lower learning_rate",
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    return _Tried(view, send, server, head, own, draws)


def _afresh(network: nn.Module) -> nn.Module:
    """The same design with weights of its own, ready to be trained."""
    fresh = copy.deepcopy(network).requires_grad_(True)
    for module in fresh.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
    return fresh


def _weights(parts: Sequence[nn.Module]) -> list[nn.Parameter]:
    return [parameter for part in parts for parameter in part.parameters()]
