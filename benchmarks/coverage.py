"""How often intervals cover and bounds are wrong, simulated over sizes, shapes and seeds' shares.

``python benchmarks/coverage.py`` (``--repeats`` for fewer) draws audits whose truth is known and
hands them to the functions that measured audits go through: :func:`two_sided`, :func:`one_sided`,
:func:`why_no_interval` (for hits :func:`why_no_rate_interval`), :func:`judge` and
:func:`against_budget`. ``docs/statistics.md`` holds what came out.

Model: value = patient + seed + rest, cut to [0, 1]. The patient's part has the shape named, the
seed's is normal and so large that it is the share named of the mean's squared error, the rest is
normal with a fifth of the patients' spread. Truth is the mean of 200,000 such values.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from recording import machine, store

from leakaudit.statistics import (
    Controls,
    Direction,
    Figure,
    Outcome,
    Verdict,
    against_budget,
    judge,
)
from leakaudit.statistics.ends import (
    LEVEL,
    one_sided,
    two_sided,
    why_no_interval,
    why_no_rate_interval,
)

Doubles = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Doubles]

PATIENTS = (5, 10, 20, 44, 100)
SEEDS = (1, 2, 3, 5)
SHARES = (0.0, 0.3, 0.5, 0.9)
LEAK, OVER = 0.11, 1.1
_REST, _TRUTHS, _BATCH = 0.2, 200_000, 250
FINE = Controls(open_leaks=True, shuffled_silent=True, effort_flat=True)


def _few_leak(rng: np.random.Generator, size: tuple[int, ...]) -> Doubles:
    return np.where(rng.random(size) < 0.12, 0.9, 0.0)


SHAPES: dict[str, Draw] = {
    "normal": lambda rng, size: rng.normal(0.5, 0.1, size),
    "skewed": lambda rng, size: rng.beta(1.2, 8.0, size),
    "near 1": lambda rng, size: rng.beta(30.0, 2.0, size),
    "bimodal": lambda rng, size: (
        np.where(rng.random(size) < 0.5, 0.2, 0.8) + rng.normal(0, 0.03, size)
    ),
    "rare failures": lambda rng, size: np.where(
        rng.random(size) < 0.1, 0.0, rng.beta(17.0, 3.0, size)
    ),
    "zero-inflated": lambda rng, size: np.where(
        rng.random(size) < 0.7, 0.0, rng.beta(2.0, 2.0, size)
    ),
    "few patients leak": _few_leak,
}
HITS = {"hits at .1": 0.1, "hits at .5": 0.5}
"""Rates: every patient is hit or missed under every seed."""


@dataclass(frozen=True)
class Cell:
    """One size, shape and share of seeds. None: nothing of the kind is printed.

    Attributes:
        covered: share of printed two-sided intervals that hold the truth.
        printed: share of audits that print one.
        none_shown: share of audits of an advantage of about .11, 10 % over the threshold, that end
            in "none shown".
        passed: share of audits 10 % over their budget that are called within it.
        width: mean width over that of a normal interval with the mean's true error.
    """

    shape: str
    patients: int
    seeds: int
    share: float
    printed: float
    covered: float | None
    none_shown: float | None
    passed: float
    width: float | None


def simulate(repeats: int, shapes: Sequence[str] = (*SHAPES, *HITS)) -> Iterator[Cell]:
    """All sizes and shares of these shapes, each with a generator of its own."""
    grid = itertools.product(shapes, PATIENTS, SEEDS, SHARES)
    for number, (shape, patients, seeds, share) in enumerate(grid):
        rng = np.random.default_rng([number, patients, seeds])
        yield _cell(rng, shape, (repeats, seeds, patients), share)


def _cell(rng: np.random.Generator, shape: str, size: tuple[int, int, int], share: float) -> Cell:
    _, seeds, patients = size
    values, truth = _values(rng, shape, size, share)
    centre = values.mean(axis=(-2, -1))
    least, most = _in_batches(
        lambda part: one_sided(part, LEVEL, (0.0, 1.0), Direction.HIGHER), values
    )
    why = why_no_rate_interval if shape in HITS else why_no_interval
    printed = np.array([not why(table) for table in values])
    lower, upper = two_sided(values, LEVEL, (0.0, 1.0)) if printed.any() else (centre, centre)
    held = (lower <= truth) & (truth <= upper)
    any_ = bool(printed.any())
    exact = 2 * 1.959964 * float(centre.std())
    return Cell(
        shape=shape,
        patients=patients,
        seeds=seeds,
        share=share,
        printed=float(printed.mean()),
        covered=float(held[printed].mean()) if any_ else None,
        none_shown=None if shape in HITS else _none_shown(rng, shape, size, share),
        passed=_within(truth / OVER, least, most, size),
        width=float((upper - lower)[printed].mean() / exact) if any_ else None,
    )


def _values(
    rng: np.random.Generator,
    shape: str,
    size: tuple[int, int, int],
    share: float,
    *,
    scale: float = 1.0,
    bottom: float = 0.0,
) -> tuple[Doubles, float]:
    """(repeats, seeds, patients) and their true mean."""
    repeats, seeds, patients = size
    if shape in HITS:
        chance = HITS[shape]
        own = np.sqrt(chance * (1 - chance))
        seed = _seeds_spread(own / seeds**0.5, share, seeds, patients)

        def hits(move: Doubles, size: tuple[int, ...]) -> Doubles:
            return (rng.random(size) < np.clip(chance + move, 0, 1)).astype(np.float64)

        truth = float(np.clip(chance + rng.normal(0, seed, _TRUTHS), 0, 1).mean())
        return hits(rng.normal(0, seed, (repeats, seeds, 1)), size), truth
    draw = SHAPES[shape]
    many = scale * draw(rng, (_TRUTHS,))
    spread = float(many.std())
    seed = _seeds_spread(spread, share, seeds, patients)
    rest = _REST * spread

    def cut(base: Doubles, move: Doubles) -> Doubles:
        return np.clip(base + move + rng.normal(0, rest, move.shape), bottom, 1.0)

    truth = float(cut(many, rng.normal(0, seed, _TRUTHS)).mean())
    moves = np.broadcast_to(rng.normal(0, seed, (repeats, seeds, 1)), size)
    return cut(scale * draw(rng, (repeats, 1, patients)), moves), truth


def _seeds_spread(spread: float, share: float, seeds: int, patients: int) -> float:
    """Of one seed, so that seeds are this share of the mean's squared error."""
    return spread * float(np.sqrt(share / (1 - share) * seeds / patients))


def _none_shown(
    rng: np.random.Generator, shape: str, size: tuple[int, int, int], share: float
) -> float:
    """Share of audits of a leak that end in "none shown"; advantages may be negative."""
    mean = float(SHAPES[shape](rng, (_TRUTHS,)).mean())
    scale = 1.0 if shape == "few patients leak" else LEAK / mean
    values, truth = _values(rng, shape, size, share, scale=scale, bottom=-np.inf)
    least, most = _in_batches(
        lambda part: one_sided(part, LEVEL, (-np.inf, 1.0), Direction.HIGHER), values
    )
    said = [
        judge(estimate, FINE, threshold=truth / OVER).verdict
        for estimate in _estimates(least, most, size)
    ]
    return float(np.mean([verdict is Verdict.NONE_SHOWN for verdict in said]))


def _within(budget: float, least: Doubles, most: Doubles, size: tuple[int, int, int]) -> float:
    called = [against_budget(figure, budget) for figure in _estimates(least, most, size)]
    return float(np.mean([outcome is Outcome.WITHIN for outcome in called]))


def _estimates(
    least: Doubles | None, most: Doubles | None, size: tuple[int, int, int]
) -> Iterator[Figure]:
    """What verdicts and budgets look at."""
    repeats, seeds, patients = size
    lows = [None] * repeats if least is None else least.tolist()
    highs = [None] * repeats if most is None else most.tolist()
    for low, high in zip(lows, highs, strict=True):
        yield Figure(
            mean=0.0, lower=None, upper=None, at_least=low, at_most=high, level=LEVEL,
            direction=Direction.HIGHER, n_patients=patients, n_samples=patients * seeds,
            n_missing=0, n_seeds=seeds, worst=None, worst_patient=None, tail=None, method="",
        )  # fmt: skip


def _in_batches(bounds: Callable[[Doubles], tuple[Any, Any]], values: Doubles) -> tuple[Any, Any]:
    """Small batches stay in the processor's cache."""
    found = [bounds(values[start : start + _BATCH]) for start in range(0, len(values), _BATCH)]
    lows, highs = zip(*found, strict=True)
    return (
        None if lows[0] is None else np.concatenate(lows),
        None if highs[0] is None else np.concatenate(highs),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, and keep what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000, help="audits per cell")
    repeats = parser.parse_args(arguments).repeats
    described = machine("numpy", "scipy")
    start = time.process_time()
    rows = [asdict(cell) for cell in simulate(repeats)]
    result = {
        "command": f"python benchmarks/coverage.py --repeats {repeats}",
        "repeats": repeats,
        "standard_error_at_5_percent": round(float((0.05 * 0.95 / repeats) ** 0.5), 4),
        "processor_seconds": round(time.process_time() - start, 1),
        "cells": [
            {key: round(v, 4) if isinstance(v, float) else v for key, v in row.items()}
            for row in rows
        ],
    }
    path = store("coverage", result, described)
    sys.stderr.write(f"{path}\n")


if __name__ == "__main__":
    main()
