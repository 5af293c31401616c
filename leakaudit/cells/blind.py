"""The blind baseline: the best an adversary does without the messages.

Candidates are fitted on some of the adversary's own patients and chosen on the others, never on
the victims: the mean image, the most typical image, where lesions are likeliest, and, for a party,
a network that predicts the victim's modality or mask from the party's own images of the same
patient. About a person, the blind guess is what these pictures say, or nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn

from leakaudit.models.loss import segmentation_loss
from leakaudit.models.networks import Head, PartyEncoder, ServerNetwork, WholeNetwork
from leakaudit.split.spec import PartySpec, SplitSpec
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.picking import together
from leakaudit.threat.properties import Property
from leakaudit.threat.target import Target
from leakaudit.threat.view import View

_SEED = 0
_OWN = "own images"
_NOTHING = "nothing to go by"
_STEPS = 200
_BATCH = 16
_WIDTHS = (16, 32, 32)
_CUTS = 50

Guesser = Callable[[Tensor], Tensor]
"""Own images (n, own modalities, *space), possibly none of them, to guesses (n, ...)."""
Fit = Callable[[Tensor, Tensor], Guesser]
"""Own images and truth of auxiliary patients to a guesser."""


@dataclass(frozen=True, eq=False)
class Blind:
    """What the adversary would guess without any message.

    Attributes:
        values: as a guess of the same target, one row per attacked sample.
        method: which candidate was best.
    """

    values: Tensor
    method: str


def blind_guess(view: View, target: Target) -> Blind:
    """The best guess of a target without messages.

    A yardstick, so the same for every seed of an audit: its own luck must not pass for the
    attack's.

    Args:
        view: whose auxiliary patients and own images may be used.
        target: images or masks.

    Raises:
        NotMountableError: the adversary has no auxiliary patients.
    """
    rng = torch.Generator().manual_seed(_SEED)
    masks = target.asset == "masks"
    truth = view.auxiliary_masks().float() if masks else view.auxiliary_images(target.victim)
    own, victims_own = _own_images(view, len(truth))
    candidates = _candidates(own, masks, rng)
    fit, choose = _halves(view.auxiliary_patients, rng)
    errors = {
        name: _error(candidate(own[fit], truth[fit])(own[choose]), truth[choose], masks)
        for name, candidate in candidates.items()
    }
    best = min(errors, key=errors.__getitem__)
    return Blind(candidates[best](own, truth)(victims_own), best)


def blind_fit(view: View, target: Target, method: str, rows: Tensor, rng: Generator) -> Guesser:
    """A blind method fitted anew on some auxiliary samples.

    For attacks that have to know, on patients of their own, how far beyond the blind guess they
    come.

    Args:
        view: whose auxiliary patients and own images may be used.
        target: images or masks.
        method: that of :func:`blind_guess`.
        rows: auxiliary samples to fit on.
        rng: of the fit.

    Returns:
        Own images (n, own modalities, *space) to guesses (n, ...).
    """
    masks = target.asset == "masks"
    truth = view.auxiliary_masks().float() if masks else view.auxiliary_images(target.victim)
    own, _ = _own_images(view, len(truth))
    return _candidates(own, masks, rng)[method](own[rows], truth[rows])


def _candidates(own: Tensor, masks: bool, rng: Generator) -> dict[str, Fit]:
    """The ways of guessing blindly; by own images only where there are any."""
    candidates: dict[str, Fit] = {"mean": _mean, "most typical": _most_typical}
    if masks:
        candidates["likeliest place"] = _likeliest
    if own.shape[1]:
        candidates[_OWN] = lambda images, known: _network(images, known, masks, rng)
    return candidates


def blind_scores(view: View, target: Target, told: Property | None) -> Blind:
    """The best guess about a person without messages.

    Where the adversary has its own images of the same patient, what these let it picture of the
    victim's image or mask; otherwise every answer is as likely as any other.

    Args:
        view: whose auxiliary patients, own images and candidates may be used.
        target: identity, membership or an attribute.
        told: which property is asked about.

    Raises:
        NotMountableError: the adversary has no auxiliary patients.
    """
    own = bool(view.members) and Knowledge.OWN_IMAGES in view.knowledge
    if target.asset == "identity":
        pictures = view.candidate_images(target.victim)
        if own:
            guess = blind_guess(view, replace(target, asset="images"))
            if guess.method == _OWN:
                typical = view.auxiliary_images(target.victim).mean(0)
                alike = _directions(guess.values - typical) @ _directions(pictures - typical).T
                if view.adversary.linked:
                    alike = together(alike, view.patients, view.adversary.question)
                return Blind(0.5 + 0.5 * alike, _OWN)
        return Blind(torch.full((len(view), len(pictures)), 0.5), _NOTHING)
    if target.asset == "membership":
        return Blind(torch.full((len(view.candidate_images(target.victim)),), 0.5), _NOTHING)
    if own and told is not None:
        guess = blind_guess(view, replace(target, asset="masks"))
        if guess.method == _OWN:
            return Blind(_as_told(guess.values, told), _OWN)
    return Blind(torch.full((len(view),), 0.5), _NOTHING)


def _directions(images: Tensor) -> Tensor:
    flat = images.flatten(1)
    return nn.functional.normalize(flat - flat.mean(1, keepdim=True), dim=1)


def _as_told(masks: Tensor, told: Property) -> Tensor:
    """(n,) what pictured masks say about a property, 0 to 1."""
    inside = masks.amax(1)
    if told == "lesion side":
        half = masks.shape[-1] // 2
        second = inside[..., -half:].flatten(1).sum(1)
        return second / (second + inside[..., :half].flatten(1).sum(1)).clamp_min(1e-6)
    return inside.flatten(1).mean(1)


def _own_images(view: View, auxiliary: int) -> tuple[Tensor, Tensor]:
    """The adversary's own modalities of auxiliary patients and of victims; maybe none."""
    if not view.members or Knowledge.OWN_IMAGES not in view.knowledge:
        return torch.empty(auxiliary, 0, *view.space), torch.empty(len(view), 0, *view.space)
    return (
        torch.cat([view.auxiliary_images(name) for name in view.members], dim=1),
        torch.cat([view.own_images(name) for name in view.members], dim=1),
    )


def _halves(patients: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
    """Rows to fit on and rows to choose on, no patient in both."""
    owners = torch.unique(patients)
    order = owners[torch.randperm(len(owners), generator=rng)]
    chosen = torch.isin(patients, order[: max(1, len(owners) // 3)])
    if bool(chosen.all()):
        # One auxiliary patient: nothing is held out, and the mean serves as well as any.
        everyone = torch.arange(len(patients))
        return everyone, everyone
    return (~chosen).nonzero()[:, 0], chosen.nonzero()[:, 0]


def _error(guess: Tensor, truth: Tensor, masks: bool) -> float:
    if not masks:
        return float(nn.functional.mse_loss(guess, truth))
    drawn, real = guess > 0.5, truth > 0.5
    return 1 - float(2 * (drawn & real).sum() / (drawn.sum() + real.sum()).clamp_min(1))


def _mean(own: Tensor, truth: Tensor) -> Guesser:
    del own
    mean = truth.mean(dim=0, keepdim=True)
    return lambda images: mean.expand(len(images), *mean.shape[1:])


def _most_typical(own: Tensor, truth: Tensor) -> Guesser:
    del own
    distance = (truth - truth.mean(dim=0)).flatten(1).pow(2).sum(dim=1)
    typical = truth[distance.argmin()][None]
    return lambda images: typical.expand(len(images), *typical.shape[1:])


def _likeliest(own: Tensor, truth: Tensor) -> Guesser:
    """Where lesions are most often, down to the frequency that gives the best Dice."""
    del own
    often = truth.mean(dim=0, keepdim=True)
    cuts = torch.unique(often)[1:].tolist() or [0.5]
    chosen = cuts[:: max(1, len(cuts) // _CUTS)]
    best = min(chosen, key=lambda cut: _error(0.6 * (often >= cut).expand_as(truth), truth, True))
    drawn = 0.6 * (often >= best)
    return lambda images: drawn.expand(len(images), *drawn.shape[1:])


def _network(own: Tensor, truth: Tensor, masks: bool, rng: Generator) -> Guesser:
    """A small U-Net from the adversary's own modalities to the target."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=rng)))
        network = _unet(own.shape[1], truth.shape[1], own.dim() - 2)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _STEPS)
    for _ in range(_STEPS):
        rows = torch.randint(len(own), (min(_BATCH, len(own)),), generator=rng)
        optimiser.zero_grad(set_to_none=True)
        output = network([own[rows]])
        if masks:
            loss = segmentation_loss(output, truth[rows])
        else:
            loss = nn.functional.l1_loss(output, truth[rows])
        loss.backward()
        optimiser.step()
        schedule.step()

    def guess(images: Tensor) -> Tensor:
        with torch.no_grad():
            outputs = torch.cat([network([chunk]) for chunk in torch.split(images, 64)])
        return outputs.sigmoid() if masks else outputs.clamp(0, 1)

    return guess


def _unet(inputs: int, outputs: int, dimensions: int) -> nn.Module:
    """The audited network's own kind, in one place."""
    split = SplitSpec.model_validate(
        {
            "parties": (PartySpec(name="own", modalities=tuple(map(str, range(inputs)))),),
            "dimensions": dimensions,
            "channels": _WIDTHS,
            "party_levels": 1,
        }
    )
    received = {0: [_WIDTHS[0]]}
    return WholeNetwork(
        [PartyEncoder(split, inputs)], ServerNetwork(split, received), Head(split, outputs)
    )
