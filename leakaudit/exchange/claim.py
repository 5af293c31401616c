"""Formal guarantees as data, and what composing them has to count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from leakaudit.exchange.message import Direction


@dataclass(frozen=True)
class Exposure:
    """How often something about one patient is released: what composition has to count.

    Attributes:
        epochs: passes over the training patients.
        samples_per_patient: largest number of samples of any one patient.
        patients: training patients.
        steps_per_epoch: optimiser steps per epoch.
        batch_size: samples per step.
    """

    epochs: int
    samples_per_patient: int
    patients: int
    steps_per_epoch: int
    batch_size: int


@dataclass(frozen=True)
class Noise:
    """What a claim rests on: the same noise, over the sensitivity, on every release.

    Attributes:
        kind: its distribution.
        replaced: whether neighbours are two messages at opposite ends of the clipping ball, or one
            at an end and a blank one.
        directions: messages that carry it; empty where it is on weight gradients.
        parties: whose messages; empty where it is on weight gradients.
        weight_releases: weight gradients of one patient that leave; 0 where messages carry it.
    """

    kind: Literal["gaussian", "laplace"]
    replaced: bool
    directions: tuple[Direction, ...] = ()
    parties: tuple[str, ...] = ()
    weight_releases: int = 0


@dataclass(frozen=True)
class Claim:
    """A formal guarantee as data; any accountant can read it, any report can print it.

    Attributes:
        mechanism: such as ``Gaussian mechanism``.
        epsilon: privacy loss bound.
        delta: failure probability, 0 to 1.
        unit: whose data the guarantee speaks of.
        neighbouring: the relation between neighbouring data sets.
        composition: releases that were composed, in words with figures.
        accountant: name and version of what did the composing.
        trust_model: who adds the noise, and who must be trusted.
        not_covered: what this claim does not protect.
        noise: what it rests on, so that it can be replayed; None: nobody can test it.
    """

    mechanism: str
    epsilon: float
    delta: float
    unit: str
    neighbouring: str
    composition: str
    accountant: str
    trust_model: str
    not_covered: str
    noise: Noise | None = None
