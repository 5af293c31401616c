"""What the numbers of an audit are, and how each is read."""

from leakaudit.metrics.error import MeanSquaredError, PeakSignalToNoise
from leakaudit.metrics.metric import ImageMetric, Metric
from leakaudit.metrics.ssim import StructuralSimilarity
from leakaudit.statistics.direction import Direction

__all__ = [
    "Direction",
    "ImageMetric",
    "MeanSquaredError",
    "Metric",
    "PeakSignalToNoise",
    "StructuralSimilarity",
]
