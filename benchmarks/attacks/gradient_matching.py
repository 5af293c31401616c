"""Gradient matching beside `breaching` 0.1.2, on the same networks, gradients and images.

Run ``python benchmarks/attacks/gradient_matching.py``, with ``--task`` for one of the two:

- G1: one 3 x 32 x 32 image through three convolutions with sigmoids and a dense layer; label known.
- G2: one of 3 x 16 x 16 through a U-Net of two levels with dense cross-entropy; mask known.

Each gets the settings with which it does best on the images of four other patients: breaching as it
comes smooths as photographs need it, and computes in single precision, which would hold it back
here. For each image and seed its Inverting Gradients does its iterations, then the product's solver
gets no more iterations and no more processor time than that took: whoever is better at equal time
with fewer iterations is better at both. Intervals are percentile bootstraps over images, each the
mean of its seeds. The networks are as torch draws them.

breaching is fetched from the package index into a folder of its own. Where it cannot be, the
benchmark says so and measures nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product as every
from pathlib import Path

import numpy as np
import torch
from images import Slices, slices
from published import InvertingGradients, Loss, Settings, UnavailableError, fetched
from torch import Tensor, nn

sys.path.append(str(Path(__file__).parents[1]))
from leakaudit.attacks.matching.gradients import ImageBudget, matched
from recording import machine, store

ITERATIONS = 500
WARM_UP = 15  # steps that tell what a step costs
TUNED_ON = 4  # images
SMOOTHING = (0.2, 2e-3, 2e-4, 1e-5, 1e-6, 1e-7, 1e-8, 3e-9, 1e-9, 3e-10)  # beside an angle
SMOOTHING_OF_LOGARITHMS = (0.0, 1.0, 10.0)  # for the product
STEP_SIZES, DTYPES = (0.1, 0.02), ("float", "double")
SPARE = 0.95  # of the time is planned for, because steps vary; what took longer is done anew
LOSS = nn.functional.cross_entropy
START, NOISE = 0.25, 0.01  # as the product begins where it knows no other image


class UNet(nn.Module):
    """Two levels, one skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.above, self.below = _two(3, width), _two(width, 2 * width)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.joined, self.head = _two(2 * width, width), nn.Conv2d(width, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        above = self.above(images)
        raised = self.up(self.below(nn.functional.avg_pool2d(above, 2)))
        result: Tensor = self.head(self.joined(torch.cat([above, raised], 1)))
        return result


def _two(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.Sigmoid(),
        nn.Conv2d(outputs, outputs, 3, padding=1), nn.Sigmoid(),
    )  # fmt: skip


def classifier() -> nn.Module:
    """Three convolutions with sigmoids, the network that gradient matching began with."""
    return nn.Sequential(
        nn.Conv2d(3, 12, 5, stride=2, padding=2), nn.Sigmoid(),
        nn.Conv2d(12, 12, 5, stride=2, padding=2), nn.Sigmoid(),
        nn.Conv2d(12, 12, 5, padding=2), nn.Sigmoid(),
        nn.Flatten(), nn.Linear(768, 10),
    )  # fmt: skip


@dataclass(frozen=True)
class Task:
    """An image's side, a network, and what it is asked."""

    side: int
    network: Callable[[], nn.Module]
    labels: Callable[[Slices, int], Tensor]


TASKS = {
    "G1": Task(32, classifier, lambda _, row: torch.tensor([row % 10])),
    "G2": Task(16, lambda: UNet(8), lambda drawn, row: drawn.masks[row].long()),
}


def product(
    network: nn.Module, loss: Loss, gradients: Sequence[Tensor], labels: Tensor,
    start: Tensor, steps: int, smoothing: float,
) -> Tensor:  # fmt: skip
    """The product's solver, given the function from images to this network's gradients."""
    exact = network.double()
    weights = list(exact.parameters())

    def caused(images: Tensor) -> Tensor:
        each = torch.autograd.grad(loss(exact(images[0]), labels), weights, create_graph=True)
        return torch.cat([part.flatten() for part in each])[None]

    wanted = torch.cat([part.flatten() for part in gradients])[None]
    budget = ImageBudget("lbfgs", steps, 1, learning_rate=0.0, total_variation=smoothing)
    found: Tensor = matched(caused, wanted, start[None], budget)[-1].values[0]
    return found


def posed(
    task: Task, drawn: Slices, row: int, seed: int
) -> tuple[nn.Module, Tensor, Tensor, list[Tensor]]:
    """A network, the image to recover, its labels, and the gradients that it caused."""
    torch.manual_seed(seed)
    network, image, labels = task.network(), drawn.images[row : row + 1], task.labels(drawn, row)
    loss = LOSS(network(image), labels)
    each = torch.autograd.grad(loss, list(network.parameters()))
    return network, image, labels, [part.detach() for part in each]


def start_of(image: Tensor, seed: int) -> Tensor:
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
    return START + NOISE * noise


def tuned(task: Task, drawn: Slices) -> tuple[float, Settings]:
    """With what the product and breaching do best on the images given."""

    def ours(smoothing: float) -> float:
        total = 0.0
        for row in range(len(drawn.images)):
            network, image, labels, gradients = posed(task, drawn, row, seed=row)
            start = start_of(image, row)
            found = product(network, LOSS, gradients, labels, start, ITERATIONS, smoothing)
            total += psnr(found, image)
        return total

    def theirs(settings: Settings) -> float:
        attack, total = InvertingGradients(ITERATIONS, settings), 0.0
        for row in range(len(drawn.images)):
            network, image, labels, gradients = posed(task, drawn, row, seed=row)
            total += psnr(attack(network, LOSS, gradients, labels, image.shape), image)
        return total

    choices = [Settings(*each) for each in every(SMOOTHING, STEP_SIZES, DTYPES)]
    return max(SMOOTHING_OF_LOGARITHMS, key=ours), max(choices, key=theirs)


def compare(
    task: Task, drawn: Slices, row: int, seed: int, smoothing: float, theirs: InvertingGradients
) -> Row:
    """Both on one image through one network."""
    network, image, labels, gradients = posed(task, drawn, row, seed)
    start = start_of(image, seed)

    def ours(steps: int) -> Tensor:
        copied, *_ = posed(task, drawn, row, seed)
        return product(copied, LOSS, gradients, labels, start, steps, smoothing)

    timed_ours = Timed(lambda: ours(WARM_UP))
    timed_theirs = Timed(lambda: theirs(network, LOSS, gradients, labels, image.shape))
    per_step = timed_ours.processor / (WARM_UP + 1)
    steps = min(ITERATIONS, max(1, int(SPARE * timed_theirs.processor / per_step) - 1))
    timed = Timed(partial(ours, steps))
    while timed.processor > timed_theirs.processor and steps > 1:
        steps = max(1, int(SPARE * steps * timed_theirs.processor / timed.processor))
        timed = Timed(partial(ours, steps))
    return Row(
        psnr(timed.found, image), psnr(timed_theirs.found, image), steps,
        timed.processor, timed_theirs.processor, timed.seconds, timed_theirs.seconds,
    )  # fmt: skip


class Timed:
    """What a function returns, and what it took: processor time of all threads, and the clock."""

    def __init__(self, function: Callable[[], Tensor]) -> None:
        started, busy = time.perf_counter(), time.process_time()
        self.found = function()
        self.seconds, self.processor = time.perf_counter() - started, time.process_time() - busy


@dataclass(frozen=True)
class Row:
    """One image and seed: decibels, steps of the product, processor seconds and seconds."""

    ours: float
    theirs: float
    steps: int
    processor_ours: float
    processor_theirs: float
    seconds_ours: float
    seconds_theirs: float


def psnr(found: Tensor, image: Tensor) -> float:
    return float(-10 * (found.clamp(0, 1) - image).square().mean().log10())


def interval(values: np.ndarray) -> dict[str, float]:
    """Mean over images with a 95 % interval; values (images, seeds)."""
    each = values.mean(1)
    rng = np.random.default_rng(0)
    means = each[rng.integers(len(each), size=(4000, len(each)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": round(each.mean(), 2), "low": round(low, 2), "high": round(high, 2),
            "least": round(values.min(), 2)}  # fmt: skip


def measured(name: str, drawn: Slices, seeds: int) -> dict[str, object]:
    measured_on, other = drawn.parted(len(drawn.images) - TUNED_ON)
    smoothing, settings = tuned(TASKS[name], other)
    theirs = InvertingGradients(ITERATIONS, settings)
    rows = [
        [compare(TASKS[name], measured_on, row, seed, smoothing, theirs) for seed in range(seeds)]
        for row in range(len(measured_on.images))
    ]

    def column(field: str) -> np.ndarray:
        return np.array([[getattr(cell, field) for cell in row] for row in rows])

    ours, published = interval(column("ours")), interval(column("theirs"))
    return {
        "tuned_on": f"{TUNED_ON} images of other patients",
        "settings": {"product": {"total_variation": smoothing}, "breaching": asdict(settings)},
        "psnr_db": {"product": ours, "breaching": published},
        "intervals_apart": bool(ours["low"] > published["high"]),
        "iterations": {"breaching": ITERATIONS,
                       "product_median": int(np.median(column("steps")))},
        "median_processor_seconds": _medians(column, "processor"),
        "median_seconds": _medians(column, "seconds"),
    }  # fmt: skip


def _medians(column: Callable[[str], np.ndarray], what: str) -> dict[str, float]:
    return {
        "product": round(float(np.median(column(f"{what}_ours"))), 2),
        "breaching": round(float(np.median(column(f"{what}_theirs"))), 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--task", choices=[*TASKS, "both"], default="both")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    try:
        fetched()
    except UnavailableError as problem:
        sys.stderr.write(f"not measured: breaching could not be fetched: {problem}\n")
        return 0
    apart = True
    for name in TASKS if given.task == "both" else [given.task]:
        count = given.images + TUNED_ON
        drawn = slices(4 * count, channels=3, side=TASKS[name].side).one_each(count)
        described = machine("torch")
        result = measured(name, drawn, given.seeds)
        apart &= bool(result["intervals_apart"])
        store(
            f"gradient-matching-{name.lower()}",
            {"images": f"{given.images}, {drawn.source}", "seeds": given.seeds,
             "threads": given.threads, **result},
            described,
        )  # fmt: skip
    return 0 if apart else 1


if __name__ == "__main__":
    sys.exit(main())
