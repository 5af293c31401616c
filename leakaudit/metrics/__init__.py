"""What the numbers of an audit are, and how each is read."""

from leakaudit.metrics.advantage import advantage, relative_leakage
from leakaudit.metrics.bounds import (
    Consistency,
    FisherLeakage,
    against_floor,
    reconstruction_at_most,
    reconstruction_at_most_dp,
)
from leakaudit.metrics.dependence import DependenceMetric, DistanceCorrelation, KernelAlignment
from leakaudit.metrics.error import MeanSquaredError, PeakSignalToNoise
from leakaudit.metrics.gaussian import GaussianResidual, channel_bits_at_most
from leakaudit.metrics.information import InfoNCE, InformationBound, InformationMetric, Smile
from leakaudit.metrics.metric import ImageMetric, Metric
from leakaudit.metrics.overlap import MaskOverlap
from leakaudit.metrics.perceptual import PerceptualDistance
from leakaudit.metrics.reidentification import (
    ReIdentification,
    match_curve,
)
from leakaudit.metrics.ssim import StructuralSimilarity
from leakaudit.metrics.telling_apart import AreaUnderCurve, TruePositiveRate
from leakaudit.statistics.direction import Direction

__all__ = [
    "AreaUnderCurve",
    "Consistency",
    "DependenceMetric",
    "Direction",
    "DistanceCorrelation",
    "FisherLeakage",
    "GaussianResidual",
    "ImageMetric",
    "InfoNCE",
    "InformationBound",
    "InformationMetric",
    "KernelAlignment",
    "MaskOverlap",
    "MeanSquaredError",
    "Metric",
    "PeakSignalToNoise",
    "PerceptualDistance",
    "ReIdentification",
    "Smile",
    "StructuralSimilarity",
    "TruePositiveRate",
    "advantage",
    "against_floor",
    "channel_bits_at_most",
    "match_curve",
    "reconstruction_at_most",
    "reconstruction_at_most_dp",
    "relative_leakage",
]
