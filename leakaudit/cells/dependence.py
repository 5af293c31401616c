"""How much a party's messages depend on its images, without any attack."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from leakaudit.exchange.message import Direction
from leakaudit.metrics.dependence import DependenceMetric, DistanceCorrelation, KernelAlignment
from leakaudit.metrics.information import InfoNCE
from leakaudit.metrics.metric import Metric
from leakaudit.plan.tables import Section
from leakaudit.split.spec import SplitSpec
from leakaudit.trace.reader import TraceReader
from leakaudit.training.data import Holdings

# Fewer independent pairs say nothing about dependence.
_LEAST_PATIENTS = 8
_METRICS: tuple[DependenceMetric, ...] = (DistanceCorrelation(), KernelAlignment())
_INFORMATION = InfoNCE(steps=200)


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
    reader: TraceReader, rows: Tensor, holdings: Holdings, split: SplitSpec, seed: int
) -> tuple[Proxy, ...]:
    """Dependence between images and activations over the training patients.

    Distance correlation and kernel alignment take one sample per patient, its middle one: slices of
    a patient are not independent pairs. The information bound learns on all samples of some
    patients and is read on all samples of the others.

    Args:
        reader: the recorded training.
        rows: training samples, as indices into the cohort.
        holdings: each party's images.
        split: after defenses.
        seed: of the information bound's critic.
    """
    epoch = reader.epochs[-1]
    found = []
    for party in split.party_names:
        held = reader.held_by(party)
        own = rows[[row in held for row in rows.tolist()]]
        owners = holdings.patients[own].numpy()
        chosen = np.array([_middle(np.flatnonzero(owners == owner)) for owner in np.unique(owners)])
        if len(chosen) < _LEAST_PATIENTS:
            continue
        exchange = reader.exchange(own.tolist())
        images = holdings.images[party][own].numpy()
        for level in split.crossing:
            sent = exchange.messages(party, level, Direction.ACTIVATION, epoch).numpy()

            def proxy(
                metric: Metric, value: float, saturation: float | None, pairs: int,
                party: str = party, level: int = level,
            ) -> Proxy:  # fmt: skip
                return Proxy(
                    party=party, level=level, metric=metric.name, unit=metric.unit or "1",
                    value=value, saturation=saturation, pairs=pairs,
                )  # fmt: skip

            for metric in _METRICS:
                value = metric(images[chosen], sent[chosen])
                # Not a number: constant messages; nothing can be said, so nothing is.
                if not math.isnan(value):
                    found.append(proxy(metric, value, metric.ceiling(len(chosen)), len(chosen)))
            bound = _INFORMATION(images, sent, owners.tolist(), np.random.default_rng(seed))
            if math.isfinite(bound.bits):
                found.append(proxy(_INFORMATION, bound.bits, bound.saturation_bits, bound.n))
    return tuple(found)


def _middle(rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int:
    return int(rows[len(rows) // 2])
