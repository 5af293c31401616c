"""Mutual information between images and messages, from below, by a trained critic.

A critic learns on some patients to tell pairs that belong together from pairs that do not, and is
judged on other patients. A poor critic only makes the bound lower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leakaudit.errors import DataError
from leakaudit.metrics.metric import Metric
from leakaudit.statistics.direction import Direction

if TYPE_CHECKING:
    import torch

    from leakaudit.metrics._critic import Critic

_LEAST_PATIENTS = 8


@dataclass(frozen=True)
class InformationBound:
    """An estimate in bits and the most that the estimator could have said.

    Attributes:
        bits: per image; about 0 or slightly below where nothing was found.
        saturation_bits: where the estimator saturates; infinite where it does not.
        n: held-out pairs it was measured on.
    """

    bits: float
    saturation_bits: float
    n: int

    @property
    def saturated(self) -> bool:
        """Whether the estimate is so near its limit that the truth may lie far above."""
        return self.bits > 0.9 * self.saturation_bits


class InfoNCE(Metric):
    """InfoNCE lower bound on mutual information; cannot exceed log2 of the pairs compared."""

    name: ClassVar[str] = "infonce"
    title: ClassVar[str] = "information, InfoNCE"
    source: ClassVar[str] = "van den Oord et al. 2018, arXiv 1807.03748, section 2.3"
    meaning: ClassVar[str] = (
        "At least so many bits about the patient's picture are in what was sent; each bit halves "
        "the number of pictures it could have been."
    )
    unit: ClassVar[str] = "bits per image"
    range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    direction: ClassVar[Direction] = Direction.HIGHER
    remedy: ClassVar[str] = (
        "Add noise to the messages or send fewer channels; then attack again, for a low bound "
        "alone proves nothing."
    )

    components: int = Field(default=16, ge=1, description="principal components kept of each side")
    hidden: int = Field(default=64, ge=1, description="width of the critic's hidden layers")
    steps: int = Field(default=600, ge=1, description="training steps at most")
    batch: int = Field(default=256, ge=2, description="pairs per training step")
    learning_rate: float = Field(default=2e-3, gt=0, description="of Adam")

    def chance(self, n: int) -> float | None:  # noqa: ARG002
        """Messages that say nothing carry 0 bits."""
        return 0.0

    @final
    def __call__(
        self,
        images: npt.ArrayLike,
        messages: npt.ArrayLike,
        patients: Sequence[str],
        rng: np.random.Generator,
    ) -> InformationBound:
        """Train on half of the patients, measure on the other half.

        Args:
            images: (n, ...) any number of features.
            messages: (n, ...) any number of features.
            patients: (n,) whose pair it is; no patient is on both sides.
            rng: for the division of patients and the critic's training.

        Raises:
            DataError: too few patients, unequal counts, or non-finite values.
        """
        from leakaudit.metrics._critic import train

        x, y = (_flat(side) for side in (images, messages))
        names = sorted(set(patients))
        if not len(x) == len(y) == len(patients) or len(names) < _LEAST_PATIENTS:
            raise DataError(
                f"mutual information takes pairs of at least {_LEAST_PATIENTS} patients",
                found=f"{len(x)} images, {len(y)} messages, {len(names)} patients",
            )
        learners = set(rng.permutation(names)[: len(names) // 2].tolist())
        learn = np.array([name in learners for name in patients])
        # A quarter of the learners' patients says when to stop.
        stoppers = set(rng.permutation(sorted(learners))[: max(2, len(learners) // 4)].tolist())
        stop = np.array([name in stoppers for name in patients])
        fit, held_out = learn & ~stop, ~learn
        left, right = (_components(side, fit, self.components) for side in (x, y))
        critic = train(
            (left[fit], right[fit]),
            (left[stop], right[stop]),
            loss=self.loss,
            hidden=self.hidden,
            steps=self.steps,
            batch=self.batch,
            learning_rate=self.learning_rate,
            seed=int(rng.integers(2**63)),
        )
        n = int(held_out.sum())
        return InformationBound(
            bits=self.read(critic, left[held_out], right[held_out]) / math.log(2),
            saturation_bits=self.ceiling(n) or math.inf,
            n=n,
        )

    def ceiling(self, n: int) -> float | None:
        """log2 of the pairs compared: more cannot be shown, however much is there."""
        return math.log2(n)

    def loss(self, scores: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of finding each message's image among all."""
        import torch
        from torch.nn import functional

        return functional.cross_entropy(scores, torch.arange(len(scores)))

    def read(self, critic: Critic, x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> float:
        """Log n minus the held-out cross-entropy."""
        from scipy.special import logsumexp

        scores = critic.scores(x, y)
        return float(math.log(len(x)) + np.mean(np.diag(scores) - logsumexp(scores, axis=1)))


def _flat(side: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(side, dtype=np.float64)
    if not np.isfinite(array).all():
        raise DataError("images and messages are finite", found="NaN or infinity")
    return array.reshape(len(array), -1)


def _components(
    side: npt.NDArray[np.float64], fit: npt.NDArray[np.bool_], count: int
) -> npt.NDArray[np.float32]:
    """Principal components of the learners, scaled to unit variance: (n, at most count)."""
    centred = side - side[fit].mean(axis=0)
    _, spread, axes = np.linalg.svd(centred[fit], full_matrices=False)
    kept = int(np.clip((spread > 1e-6 * max(spread[0], 1e-300)).sum(), 1, count))
    scale = np.maximum(spread[:kept] / math.sqrt(max(1, int(fit.sum()) - 1)), 1e-300)
    reduced: npt.NDArray[np.float32] = (centred @ axes[:kept].T / scale).astype(np.float32)
    return reduced
