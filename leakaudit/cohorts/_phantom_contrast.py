"""From tissue fractions to MR signal: contrast per modality, texture, coil shading, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leakaudit.cohorts._phantom_anatomy import Anatomy, Tissue
from leakaudit.cohorts._phantom_fields import Lattice, spline_field
from leakaudit.cohorts.cohort import FloatArray

MODALITIES = ("T1", "T1Gd", "T2", "FLAIR")

# Relative signal, 1 = brightest. Ordering after any radiology textbook: T1 white > grey > fluid;
# T2 fluid > grey > white; FLAIR as T2 with fluid suppressed and oedema brightest; gadolinium
# brightens vessels and enhancing tumour.
#                  T1   T1Gd  T2   FLAIR
_SIGNAL = {
    Tissue.AIR: (0.00, 0.00, 0.00, 0.00),
    Tissue.SCALP: (0.78, 0.80, 0.50, 0.46),
    Tissue.BONE: (0.07, 0.07, 0.06, 0.06),
    Tissue.MARROW: (0.46, 0.48, 0.30, 0.26),
    Tissue.CSF: (0.17, 0.17, 0.93, 0.10),
    Tissue.GREY: (0.47, 0.49, 0.56, 0.52),
    Tissue.WHITE: (0.64, 0.65, 0.40, 0.41),
    Tissue.DEEP_GREY: (0.54, 0.56, 0.46, 0.46),
    Tissue.VESSEL: (0.26, 0.92, 0.18, 0.20),
    Tissue.OEDEMA: (0.44, 0.45, 0.78, 0.84),
    Tissue.ENHANCING: (0.46, 0.95, 0.62, 0.66),
    Tissue.CORE: (0.28, 0.30, 0.84, 0.56),
}
# Tumour that does not enhance is cellular, not fluid.
_NON_ENHANCING = (0.38, 0.39, 0.72, 0.74)


@dataclass(frozen=True)
class Scanner:
    """How one patient was measured.

    Attributes:
        seed: of texture, shading and noise.
        gain: (4,) receiver gain per modality.
        signal: (4, 12) signal of each tissue in this patient.
        shading: standard deviation of the logarithm of coil sensitivity.
        noise: (4,) standard deviation of the Gaussian noise in each channel of the receiver.
        caps: strength of the bright caps around the ventricles on T2 and FLAIR.
    """

    seed: int
    gain: FloatArray
    signal: FloatArray
    shading: float
    noise: FloatArray
    caps: float

    @classmethod
    def draw(cls, rng: np.random.Generator, *, enhancing: bool) -> Scanner:
        """Settings and tissue constants that vary from patient to patient."""
        table = dict(_SIGNAL)
        if not enhancing:
            table[Tissue.CORE] = _NON_ENHANCING
        signal = np.array([table[tissue] for tissue in Tissue], dtype=np.float32).T
        spread = rng.normal(1.0, 0.025, signal.shape)
        return cls(
            seed=int(rng.integers(2**62)),
            gain=rng.uniform(0.92, 1.04, len(MODALITIES)).astype(np.float32),
            signal=(signal * spread).astype(np.float32),
            shading=float(rng.uniform(0.04, 0.10)),
            noise=rng.uniform(0.010, 0.024, len(MODALITIES)).astype(np.float32),
            caps=float(rng.beta(1.2, 3)),
        )

    def image(self, anatomy: Anatomy, lattice: Lattice, modalities: tuple[str, ...]) -> FloatArray:
        """Measure an anatomy.

        Every random field is drawn whichever modalities are asked for, and noise belongs to a
        plane: a subset of modalities or slices is a subset of the same images.

        Returns:
            (m, d, h, w) float32 in [0, 1].
        """
        rng = np.random.default_rng(self.seed)
        shared = spline_field(rng, lattice, 7.0)
        coil = spline_field(rng, lattice, 75.0)
        own = [
            (spline_field(rng, lattice, 4.5), spline_field(rng, lattice, 90.0)) for _ in MODALITIES
        ]
        fractions = anatomy.fractions
        white = fractions[Tissue.WHITE]
        tumour = fractions[Tissue.OEDEMA] + fractions[Tissue.ENHANCING] + fractions[Tissue.CORE]
        solid = 1 - fractions[Tissue.AIR] - fractions[Tissue.CSF]
        caps = white * np.exp(-np.maximum(anatomy.ventricle_distance, 0) / 3.0) * self.caps
        images = np.empty((len(modalities), *lattice.shape), dtype=np.float32)
        for at, modality in enumerate(modalities):
            channel = MODALITIES.index(modality)
            texture, shade = own[channel]
            signal = np.tensordot(self.signal[channel], fractions, axes=1)
            signal *= 1 + solid * (0.022 * shared + 0.022 * texture) + 0.06 * tumour * texture
            if modality in {"T2", "FLAIR"}:
                signal += 0.35 * caps
            signal *= self.gain[channel] * np.exp(self.shading * (coil + 0.5 * shade))
            images[at] = self._receive(signal, lattice, channel)
        return np.clip(images, 0, 1)

    def _receive(self, signal: FloatArray, lattice: Lattice, channel: int) -> FloatArray:
        """Magnitude of the signal with Gaussian noise in both channels: Rician."""
        received = np.empty_like(signal)
        for plane, z in enumerate(lattice.z):
            micrometres = round(float(z) * 1000) + 10**7
            rng = np.random.default_rng((self.seed, channel, micrometres))
            real, imaginary = rng.standard_normal((2, *signal.shape[1:]), dtype=np.float32)
            sigma = self.noise[channel]
            received[plane] = np.hypot(signal[plane] + sigma * real, sigma * imaginary)
        return received
