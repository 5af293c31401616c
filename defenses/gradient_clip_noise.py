"""Clip and noise the gradients that the server sends back."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from .gaussian_noise import GaussianNoise


class GradientClipNoise(GaussianNoise):
    """Clip each sample's gradient at the cut to an L2 norm and add fresh Gaussian noise.

    Acts at the server, on what goes back to the parties: gaussian-noise with direction = backward
    and clipping always on.

    Protects: masks, and what gradients carry of other parties' features, from the parties.
    Source: Abadi et al. 2016, section 3.1, applied to the gradient at the cut.
    """

    silence: ClassVar[str] = (
        "activations are sent as they are; fresh noise buries what gradients tell"
    )

    direction: Literal["backward"] = Field(
        default="backward", description="gradients back to the party"
    )
    clip_norm: float = Field(
        gt=0,
        allow_inf_nan=False,
        description="largest L2 norm of one sample's gradient at one level",
    )
