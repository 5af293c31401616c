"""Answers to queries out of a trace: what a job sent when it was asked, instead of its network.

A job that trains elsewhere sends images through its own encoder while it trains, marked as queries.
Whoever attacks the trace may ask about these images and no others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import NoReturn

import torch
from torch import Generator, Tensor

from leakaudit.errors import NotMountableError
from leakaudit.threat.sources import Features
from leakaudit.trace.foreign import in_space
from leakaudit.trace.places import BLANK
from leakaudit.trace.reader import TraceReader

Images = Mapping[str, Tensor]


class QueryLog:
    """A :class:`leakaudit.threat.sources.Rebuilt` of a job that nobody can run again.

    Args:
        reader: the trace.
        images: party name to (n, modalities, *space) of the whole cohort, by which an image that
            is asked about is found among those the job was asked about.
    """

    def __init__(self, reader: TraceReader, images: Images) -> None:
        self._reader, self._images = reader, images
        self._kept: dict[tuple[str, int], LoggedParty] = {}

    def party(self, name: str, epoch: int) -> LoggedParty:
        """What a party answered in one epoch.

        Raises:
            NotMountableError: it was asked nothing in that epoch.
        """
        if (name, epoch) not in self._kept:
            self._kept[name, epoch] = LoggedParty(self._reader, name, epoch, self._images[name])
        return self._kept[name, epoch]

    def server(self, epoch: int) -> NoReturn:
        """Refuse: a job's server is not asked."""
        del epoch
        raise NotMountableError(
            "the attack has to run the server's network, and a trace of a job does not hold it",
            found="a job's own network",
            remedy="mount attacks that read messages and answers to queries alone",
        )


class LoggedParty:
    """What one party answered in one epoch: images in, messages out, as the job sent them.

    A message that holds the very images asked about answers as it crossed; otherwise each image is
    answered by a row of some message. Asked again about an image, it gives the next answer, from
    the last on to the first again.
    """

    def __init__(self, reader: TraceReader, party: str, epoch: int, images: Tensor) -> None:
        self._party, self._epoch = party, epoch
        self._rows: dict[int, list[dict[int, Tensor]]] = defaultdict(list)
        self._whole: dict[tuple[int, ...], list[Features]] = defaultdict(list)
        self._given: Counter[object] = Counter()
        self._known: dict[bytes, int] = {_content(torch.zeros_like(images[0])): BLANK}
        self._read(reader, images)

    def __call__(self, images: Tensor, rng: Generator) -> Features:
        """What the party sent for these images.

        Args:
            images: (n, modalities, *space), each of them one that the job was asked about.
            rng: not drawn from; what a random defense drew is in the trace.

        Raises:
            NotMountableError: the job was not asked about one of them.
        """
        del rng
        samples = tuple(self._sample(image) for image in images)
        if samples in self._whole:
            answer = self._next(samples, self._whole[samples])
            return {level: tensor.clone() for level, tensor in answer.items()}
        rows = [self._next(sample, self._rows[sample]) for sample in samples]
        return {level: torch.stack([row[level] for row in rows]) for level in rows[0]}

    def holds(self, images: Tensor) -> bool:
        """Whether the job was asked about every one of these images."""
        return all(self._known.get(_content(image)) in self._rows for image in images)

    def _read(self, reader: TraceReader, images: Tensor) -> None:
        """The messages of all levels, put beside each other: each level repeats the same order."""
        levels = reader.split.crossing
        sent: dict[int, list[tuple[tuple[int, ...], Tensor]]] = {level: [] for level in levels}
        for level, samples, tensor in reader.answers(self._party, self._epoch):
            shape = in_space(tuple(tensor.shape[1:]), len(reader.description.space))
            sent[level].append((tuple(samples.tolist()), tensor.reshape(len(tensor), *shape)))
        orders = {tuple(samples for samples, _ in each) for each in sent.values()}
        if len(orders) != 1 or not any(sent.values()):
            raise NotMountableError(
                f"{self._party} must have been asked about the same images at every level",
                found=f"{len(next(iter(orders)))} answers in epoch {self._epoch}"
                if len(orders) == 1
                else f"levels that differ in epoch {self._epoch}",
                remedy="let the job send its questions in every recorded epoch",
            )
        for number, owners in enumerate(orders.pop()):
            message = {level: sent[level][number][1] for level in levels}
            self._whole[owners].append(message)
            for row, sample in enumerate(owners):
                self._rows[sample].append({level: each[row] for level, each in message.items()})
        for sample in self._rows:
            if sample != BLANK and sample < len(images):
                self._known.setdefault(_content(images[sample]), sample)

    def _sample(self, image: Tensor) -> int:
        found = self._known.get(_content(image))
        if found is None or found not in self._rows:
            raise NotMountableError(
                "a job's own network can be asked only about what the job sent as queries",
                found=f"another image, asked of {self._party} in epoch {self._epoch}",
                remedy="let the job send all questions that the recorder hands out",
            )
        return found

    def _next(self, about: object, answers: list[Features]) -> Features:
        self._given[about] += 1
        return answers[(self._given[about] - 1) % len(answers)]


def _content(image: Tensor) -> bytes:
    """The image's own bytes: two that are equal are one question."""
    return image.detach().float().contiguous().numpy().tobytes()
