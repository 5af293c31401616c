"""Mask inference: the gradient that comes back is largest where the lesion is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Generator, Tensor, nn

from leakaudit.errors import NotMountableError
from leakaudit.threat.attack import Attack, Checkpoint, Guess, Guesses
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import View

from .masks.at_head import signs, weights_of
from .parts.effort import Effort, scaled

Link = tuple[str, int]
_HEAD: Link = ("head", 0)


class MaskInference(Attack):
    """Score every position by the gradient that came back to it, and call the highest lesion.

    Knows: the gradients at the features it sent or taps, or, on the link of a party that holds the
    labels, those that this party sends to the server; nothing else, no weights, no images.
    Auxiliary label masks, where granted, only say how much of an image is lesion as a rule.
    Where a label holder's gradients are those of one linear output, their sign is the mask; of
    several where the head is known, which goes with the server's weights.
    Differs: the papers score one gradient per example to find a single label; here every position
    of every level is scored and the scores of levels, links and epochs are averaged; without a
    prevalence the threshold is the one that separates each sample's scores best (Otsu). The effort
    curve counts the messages read.
    Source: Li et al., "Label leakage and protection in two-party split learning", ICLR 2022,
    section 3 (norm and direction scoring).
    """

    needs = Knowledge.GRADIENTS
    asset = "masks"
    criterion = "inference"
    family = "gradient"
    source = "Li et al. 2022"
    per_level = False

    score: Literal["norm", "direction"] = Field(
        default="norm", description="length, or projection on the principal direction of all"
    )
    effort: Effort = Field(default="standard", description="scales the releases")
    releases: PositiveInt = Field(
        default=20, le=10_000, description="most recent recorded epochs to average"
    )
    smoothing: NonNegativeInt = Field(
        default=1, le=16, description="times a position is averaged with its neighbours"
    )

    def guess(self, view: View, rng: Generator) -> Guesses:
        """The same masks for every target: they come from the adversary's own links."""
        del rng
        *trail, last = self._masks(view)
        return {target: Guess(last.values, last.effort, tuple(trail)) for target in view.targets}

    def _masks(self, view: View) -> list[Checkpoint]:
        """From a quarter, half and all of the messages, the latest first."""
        epochs = list(reversed(view.epochs[-scaled(self.releases, self.effort) :]))
        sent = {epoch: view.head_gradients(epoch) for epoch in epochs}
        head = {epoch: each for epoch, each in sent.items() if each is not None}
        told = [
            signs(each, _head(view, epoch, each), _prevalence(view)) for epoch, each in head.items()
        ]
        if exact := [each for each in told if each is not None]:
            return self._voted(exact, view)
        tapped = view.members or view.split.party_names
        messages = [(_HEAD, each) for each in head.values()] or [
            ((party, level), view.gradients(party, level, epoch))
            for epoch in epochs
            for party in tapped
            for level in view.split.crossing
        ]
        if not any(bool(gradients.any()) for _, gradients in messages):
            raise NotMountableError(
                "masks are inferred from gradients that differ from zero",
                found="nothing but zeros came back",
                remedy="record an epoch in which this party trains",
            )
        scored = [(link, self._scores(gradients)) for link, gradients in messages]
        return [Checkpoint(count, self._drawn(scored[:count], view)) for count in _counts(scored)]

    def _voted(self, told: Sequence[Tensor], view: View) -> list[Checkpoint]:
        """From a quarter, half and all of the epochs, the latest first."""
        points = []
        for count in _counts(told):
            votes = _resized(torch.stack(tuple(told[:count])).mean(0), view.space)
            soft = (0.5 + 0.5 * votes).expand(-1, view.regions, *view.space)
            points.append(Checkpoint(count, soft.contiguous()))
        return points

    def _drawn(self, scored: Sequence[tuple[Link, Tensor]], view: View) -> Tensor:
        """(n, regions, *space): where the scores of some messages together are highest."""
        links: dict[Link, list[Tensor]] = {}
        for link, scores in scored:
            links.setdefault(link, []).append(scores)
        # A link's epochs are put together first: fresh noise averages out, the pattern stays.
        every = [self._sharp(torch.stack(each).mean(0), view.space) for each in links.values()]
        together = torch.stack([_standardised(each) for each in every]).mean(0)
        soft = _as_masks(together, _prevalence(view))
        return soft.expand(-1, view.regions, *view.space).contiguous()

    def _scores(self, gradients: Tensor) -> Tensor:
        """(n, 1, *grid): how far from nothing each position's gradient is."""
        flat = gradients.flatten(2)
        flat = flat / flat.flatten(1).std(1)[:, None, None].clamp_min(1e-30)
        if self.score == "norm":
            scores: Tensor = flat.norm(dim=1)
        else:
            rows = flat.movedim(1, 2).flatten(0, 1).double()
            direction = torch.linalg.eigh(rows.T @ rows).eigenvectors[:, -1].float()
            along: Tensor = torch.einsum("ncp,c->np", flat, direction)
            # A lesion is the smaller part of an image: its scores are the long tail.
            skew = (along - along.mean()).pow(3).mean()
            scores = along if skew >= 0 else -along
        return scores.reshape(len(gradients), 1, *gradients.shape[2:])

    def _sharp(self, scores: Tensor, space: tuple[int, ...]) -> Tensor:
        pool: Callable[..., Tensor] = (
            nn.functional.avg_pool2d if len(space) == 2 else nn.functional.avg_pool3d
        )
        for _ in range(self.smoothing):
            scores = pool(scores, 3, 1, 1, count_include_pad=False)
        return _resized(scores, space)


def _counts(messages: Sequence[object]) -> list[int]:
    """A quarter, half and all of them."""
    return sorted({max(1, round(share * len(messages))) for share in (0.25, 0.5, 1.0)})


def _resized(scores: Tensor, space: tuple[int, ...]) -> Tensor:
    mode = "bilinear" if len(space) == 2 else "trilinear"
    resized: Tensor = nn.functional.interpolate(scores, space, mode=mode)
    return resized


def _head(view: View, epoch: int, gradients: Tensor) -> Tensor | None:
    """(regions, channels) of the label holder's head; None where unknown, or of another kind."""
    if Knowledge.SERVER_WEIGHTS not in view.knowledge:
        return None
    try:
        _, head = view.server(epoch)
    except NotMountableError:  # a trace of somebody's own model
        return None
    return weights_of(head, gradients[:1])


def _prevalence(view: View) -> float | None:
    """The share of an image that is lesion as a rule; None where nothing is known of it."""
    if Knowledge.AUXILIARY_LABELS not in view.knowledge:
        return None
    return float(view.auxiliary_masks().amax(1).mean())


def _standardised(scores: Tensor) -> Tensor:
    """Within each sample, mean zero and spread one."""
    flat = scores.flatten(1)
    spread = flat.std(1, keepdim=True).clamp_min(1e-30)
    return ((flat - flat.mean(1, keepdim=True)) / spread).reshape(scores.shape)


def _as_masks(scores: Tensor, prevalence: float | None) -> Tensor:
    """Probabilities: one half at the threshold."""
    if prevalence is None:
        thresholds = torch.stack([_otsu(each) for each in scores])
    else:
        thresholds = scores.flatten(1).quantile(1 - prevalence, dim=1)
    lined = thresholds.reshape(-1, *(1,) * (scores.ndim - 1))
    soft: Tensor = torch.sigmoid(4 * (scores - lined))
    return soft


def _otsu(scores: Tensor) -> Tensor:
    """The threshold between whose sides the scores differ most."""
    rising = scores.flatten().sort().values.double()
    count = torch.arange(1, len(rising), dtype=torch.float64)
    sums = rising.cumsum(0)
    below, above = sums[:-1] / count, (sums[-1] - sums[:-1]) / (len(rising) - count)
    at = int((count * (len(rising) - count) * (below - above).square()).argmax())
    return (0.5 * (rising[at] + rising[at + 1])).float()
