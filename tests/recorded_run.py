"""A small recorded training run: shared by the trace's tests, and run alone to be killed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.message import Link, Message, Tap
from leakaudit.split.spec import PartySpec, SplitSpec
from leakaudit.trace import AppliedDefense, TraceDescription, TracedSample
from leakaudit.trace.writer import TraceWriter
from leakaudit.training.loop import randomness
from leakaudit.training.step import Batch, exchange

# An odd side: levels round down, and tensors of odd sizes stand beside each other in a shard.
SPACE = (17, 16)
# Cohort indices, neither from 0 nor without gaps.
SAMPLES = (3, 4, 7, 8, 11, 20)
SPLIT = SplitSpec(
    parties=(PartySpec(name="t1", modalities=("T1",)), PartySpec(name="flair", modalities=("F",))),
    channels=(4, 8, 16),
    party_levels=2,
)


def described(
    split: SplitSpec = SPLIT,
    epochs: Sequence[int] = (0, 1),
    defenses: tuple[AppliedDefense, ...] = (),
) -> TraceDescription:
    return TraceDescription(
        split=split,
        regions=("WT",),
        space=SPACE,
        defenses=defenses,
        seed=5,
        cohort_fingerprint="0" * 64,
        training={"batch_size": 4},
        epochs_trained=max(epochs) + 1,
        epochs_recorded=tuple(epochs),
        # Not in order: the reader sorts.
        samples=tuple(
            TracedSample(sample=sample, patient=f"P{sample // 4}") for sample in reversed(SAMPLES)
        ),
    )


class Run:
    """A training run with fixed seeds; every message it sent is kept to be compared."""

    def __init__(self, split: SplitSpec = SPLIT) -> None:
        self.network = Network(split, 1, SPACE, seed=5)
        self.rngs = randomness(split, 5)
        self.generator = torch.Generator().manual_seed(5)
        self.sent: list[Message] = []

    def epoch(self, epoch: int, *taps: Tap) -> None:
        link = Link([*taps, self.sent.append])
        order = torch.tensor(SAMPLES)[torch.randperm(len(SAMPLES), generator=self.generator)]
        for step, rows in enumerate(order.split(4)):
            images = {
                name: torch.rand(len(rows), 1, *SPACE, generator=self.generator)
                for name in self.network.split.party_names
            }
            masks = (images["flair"] > 0.5).float()
            self.network.zero_grad(set_to_none=True)
            exchange(self.network, link, Batch(images, masks, rows, epoch, step), self.rngs)
            with torch.no_grad():
                for parameter in self.network.parameters():
                    if parameter.grad is not None:
                        parameter.sub_(0.1 * parameter.grad)

    def recorded(self, folder: Path, description: TraceDescription, **options: int) -> None:
        with TraceWriter(folder, description, **options) as writer:
            for epoch in range(description.epochs_trained):
                self.epoch(epoch, writer)
                for sample in SAMPLES[:2]:
                    for name in SPLIT.party_names:
                        writer.update(epoch, name, torch.tensor([sample]), *self.gradients(name))
                writer.snapshot(epoch, self.network)

    def gradients(self, party: str) -> tuple[dict[str, torch.Tensor], dict[int, torch.Tensor]]:
        weights = {
            name: parameter.grad
            for name, parameter in self.network.party(party).encoder.named_parameters()
            if parameter.grad is not None
        }
        cut = {level: torch.ones(1, *shape) for level, shape in self.network.sent[party].items()}
        return weights, cut


def record_until_killed(folder: Path) -> None:
    """Record epoch after epoch; a line on stdout after each."""
    torch.set_num_threads(1)
    run = Run()
    writer = TraceWriter(folder, described(epochs=range(1000)), shard_bytes=1 << 14)
    for epoch in range(1000):
        run.epoch(epoch, writer)
        writer.snapshot(epoch, run.network)
        sys.stdout.write(f"{epoch}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    record_until_killed(Path(sys.argv[1]))
