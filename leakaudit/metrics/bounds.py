"""Bounds that follow from noise alone, and whether what attacks achieved agrees with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field
from scipy import stats

from leakaudit.errors import DataError
from leakaudit.metrics.metric import Metric, Values
from leakaudit.statistics.direction import Direction

if TYPE_CHECKING:
    import torch


class FisherLeakage(Metric):
    """Diagonal Fisher information leakage, dFIL = tr(J'J) / (d s^2).

    J is the encoder's Jacobian at an image, d the image's voxels, s the noise on the message. No
    unbiased attacker's mean squared error falls below 1 / dFIL. Attackers with prior knowledge are
    biased and can; without noise there is no bound.
    """

    name: ClassVar[str] = "dfil"
    title: ClassVar[str] = "Fisher information leakage"
    unit: ClassVar[str] = "1 / squared intensity"
    range: ClassVar[tuple[float, float]] = (0.0, math.inf)
    direction: ClassVar[Direction] = Direction.HIGHER
    source: ClassVar[str] = "Maeng et al. 2023, arXiv 2305.04146"
    meaning: ClassVar[str] = (
        "How strongly the message reacts to each voxel of the patient's picture, against its "
        "noise; its inverse is an error that no attacker without prior knowledge gets below."
    )
    remedy: ClassVar[str] = "Add more noise to the messages, or make the encoder less sensitive."

    probes: int = Field(
        default=8, ge=0, description="random probes per image; 0 goes through every message entry"
    )

    def __call__(
        self,
        encoder: Callable[[torch.Tensor], torch.Tensor],
        images: torch.Tensor,
        noise_std: float,
        rng: np.random.Generator,
    ) -> Values:
        """The leakage at each image.

        Args:
            encoder: from (n, ...) images to (n, ...) messages, each sample by itself (a batch norm
                in training mode is not).
            images: (n, ...) in the encoder's units.
            noise_std: standard deviation of the Gaussian noise on each entry of the message.
            rng: for the probes; the trace is unbiased whatever their number (Hutchinson 1990).

        Returns:
            (n,) float64; NaN, undefined, without noise: the bound is vacuous then.

        Raises:
            DataError: the noise is negative or not finite.
        """
        import torch

        if not (noise_std >= 0 and math.isfinite(noise_std)):
            raise DataError("noise has a finite standard deviation >= 0", found=noise_std)
        n = len(images)
        if noise_std == 0 or n == 0:
            return np.full(n, np.nan)
        inputs = images.detach().clone().requires_grad_()
        with torch.enable_grad():
            messages = encoder(inputs).flatten(1)
            entries = messages.shape[1]
            traces = torch.zeros(n, dtype=torch.float64)
            for probe in range(self.probes or entries):
                if self.probes:
                    signs = rng.integers(0, 2, messages.shape) * 2.0 - 1
                    direction = torch.as_tensor(signs).to(messages)
                else:
                    direction = torch.zeros_like(messages)
                    direction[:, probe] = 1
                (row,) = torch.autograd.grad(
                    messages, inputs, direction, retain_graph=True, materialize_grads=True
                )
                traces += row.detach().flatten(1).double().square().sum(dim=1).cpu()
        traces /= self.probes or 1
        values: Values = (traces / (inputs[0].numel() * noise_std**2)).numpy()
        return values


class Consistency(StrEnum):
    """How an attack's error lies to a bound."""

    HOLDS = "the attack's error respects the bound"
    PRIOR = "the attack is below the bound: it knew more than the messages, which the bound allows"
    CONTRADICTED = "an attack without prior knowledge is below the bound: the bound is wrong"
    VACUOUS = "there is no noise, so there is no bound"


def against_floor(
    squared_errors: Values, fisher_leakage: Values, *, prior_knowledge: bool
) -> Consistency:
    """Hold an attack's errors against 1 / dFIL.

    Args:
        squared_errors: (n,) mean squared error of each reconstruction, in the encoder's units.
        fisher_leakage: (n,) dFIL at each image, NaN where undefined.
        prior_knowledge: whether the attack knew anything about images in general: a decoder
            trained on auxiliary patients, or a total-variation prior.

    Raises:
        DataError: lengths disagree, or no image has an error and a bound.
    """
    if squared_errors.shape != fisher_leakage.shape:
        raise DataError(
            "every reconstruction has one error and one bound",
            found=f"{squared_errors.shape} and {fisher_leakage.shape}",
        )
    if np.isnan(fisher_leakage).all():
        return Consistency.VACUOUS
    both = ~(np.isnan(squared_errors) | np.isnan(fisher_leakage)) & (fisher_leakage > 0)
    if not both.any():
        raise DataError("at least one image has both an error and a bound", found=0)
    errors, floors = squared_errors[both], 1 / fisher_leakage[both]
    # The bound is on the expected error; a mean over few images misses it by its own noise.
    slack = 3 * (errors - floors).std() / math.sqrt(len(errors))
    if (errors - floors).mean() >= -slack - 1e-12:
        return Consistency.HOLDS
    return Consistency.PRIOR if prior_knowledge else Consistency.CONTRADICTED


def reconstruction_at_most(prior: float, noise_multiplier: float, *, releases: int = 1) -> float:
    """ReRo: the most that a Gaussian mechanism lets the success of any reconstruction rise to.

    Phi(Phi^-1(k) + sqrt(T) / s): tight for T releases with noise s times the clipping norm, every
    patient in every release. Sampling of patients is not used, which errs on the safe side.

    Args:
        prior: k, the chance that somebody without the output succeeds, within (0, 1).
        noise_multiplier: s, noise over clipping norm; 0 gives no protection.
        releases: T, how often the patient's data went in.

    Returns:
        A probability; 1 without noise.

    Source: Hayes, Mahloujifar, Balle 2023, arXiv 2302.07225; the Gaussian trade-off curve is Dong,
    Roth and Su's, J. R. Statist. Soc. B 84, 2022.

    Raises:
        DataError: the prior is no probability, or noise or releases are negative.
    """
    if not (0 < prior < 1 and noise_multiplier >= 0 and releases >= 0):
        raise DataError(
            "a ReRo bound takes a prior within (0, 1), noise >= 0 and releases >= 0",
            found=(prior, noise_multiplier, releases),
        )
    if releases == 0:
        return prior
    if noise_multiplier == 0:
        return 1.0
    shift = math.sqrt(releases) / noise_multiplier
    return float(stats.norm.cdf(stats.norm.ppf(prior) + shift))


def reconstruction_at_most_dp(prior: float, epsilon: float, delta: float) -> float:
    """ReRo from any (epsilon, delta) claim: exp(epsilon) k + delta, at most 1; rarely tight.

    Source: Balle, Cherubin, Hayes 2022, arXiv 2201.04845, extended by delta.

    Raises:
        DataError: the prior or delta is no probability, or epsilon is negative.
    """
    if not (0 < prior < 1 and epsilon >= 0 and 0 <= delta <= 1):
        raise DataError(
            "a ReRo bound takes a prior within (0, 1), epsilon >= 0 and delta in [0, 1]",
            found=(prior, epsilon, delta),
        )
    if epsilon > 700:  # exp overflows, and the bound is 1 long before
        return 1.0
    return min(1.0, math.exp(epsilon) * prior + delta)
