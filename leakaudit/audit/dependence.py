"""How much a party's messages depend on its images, without any attack."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from leakaudit.audit.configuration import Section
from leakaudit.exchange.message import Direction
from leakaudit.metrics.dependence import DependenceMetric, DistanceCorrelation, KernelAlignment
from leakaudit.split.spec import SplitSpec
from leakaudit.trace.reader import TraceReader
from leakaudit.training.data import Holdings

# Fewer independent pairs say nothing about dependence.
_LEAST_PATIENTS = 8
_METRICS: tuple[DependenceMetric, ...] = (DistanceCorrelation(), KernelAlignment())


class Proxy(Section):
    """One dependence figure of one party and level."""

    party: str
    level: int
    metric: str
    unit: str
    value: float
    saturation: float | None
    pairs: int


def measure_dependence(
    reader: TraceReader, rows: Tensor, holdings: Holdings, split: SplitSpec
) -> tuple[Proxy, ...]:
    """Dependence between images and activations over the training patients.

    One sample per patient, its middle one: slices of a patient are not independent pairs.

    Args:
        reader: the recorded training.
        rows: training samples, as indices into the cohort.
        holdings: each party's images.
        split: after defenses.
    """
    owners = holdings.patients[rows].numpy()
    chosen = np.array([_middle(np.flatnonzero(owners == owner)) for owner in np.unique(owners)])
    if len(chosen) < _LEAST_PATIENTS:
        return ()
    samples = rows[chosen]
    exchange = reader.exchange(samples.tolist())
    epoch = reader.epochs[-1]
    found = []
    for party in split.party_names:
        images = holdings.images[party][samples].numpy()
        for level in split.crossing:
            sent = exchange.messages(party, level, Direction.ACTIVATION, epoch).numpy()
            for metric in _METRICS:
                value = metric(images, sent)
                # Not a number: constant messages; nothing can be said, so nothing is.
                if not math.isnan(value):
                    found.append(
                        Proxy(
                            party=party, level=level, metric=metric.name, unit=metric.unit,
                            value=value, saturation=metric.ceiling(len(samples)),
                            pairs=len(samples),
                        )
                    )  # fmt: skip
    return tuple(found)


def _middle(rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int:
    return int(rows[len(rows) // 2])
