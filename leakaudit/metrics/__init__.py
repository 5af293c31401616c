"""What the numbers of an audit are, and how each is read."""

from leakaudit.metrics.dependence import DependenceMetric, DistanceCorrelation, KernelAlignment
from leakaudit.metrics.error import MeanSquaredError, PeakSignalToNoise
from leakaudit.metrics.information import InfoNCE, InformationBound
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
    "DependenceMetric",
    "Direction",
    "DistanceCorrelation",
    "ImageMetric",
    "InfoNCE",
    "InformationBound",
    "KernelAlignment",
    "MaskOverlap",
    "MeanSquaredError",
    "Metric",
    "PeakSignalToNoise",
    "PerceptualDistance",
    "ReIdentification",
    "StructuralSimilarity",
    "TruePositiveRate",
    "match_curve",
]
