"""What a job is asked: images that it sends through its encoders without learning from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from leakaudit.cohorts.cohort import Group
from leakaudit.recording.sheet import Key, SampleSheet
from leakaudit.trace.places import BLANK


@dataclass(frozen=True, eq=False)
class Question:
    """One message of queries.

    Attributes:
        samples: (n,) indices into the cohort; -1 is an image of zeros.
        keys: what the job calls them, each within its group; None for an image of zeros.
        draw: which of several answers about the same images this is, from 0.
        epoch: of training.
    """

    samples: Tensor
    keys: tuple[Key | None, ...]
    draw: int
    epoch: int

    @property
    def blank(self) -> bool:
        """Whether its images are zeros: sent as ``torch.zeros_like`` of any batch."""
        return bool((self.samples == BLANK).all())


def questions(sheet: SampleSheet, epoch: int, size: int, draws: int = 2) -> Iterator[Question]:
    """All that a job is asked in one epoch, in the same order for every site.

    For whoever drives a job; a recorder's own :meth:`~.recorder.Recorder.questions` come in
    recorded epochs only.

    Args:
        sheet: says about whom.
        epoch: of training.
        size: images of one message, at most.
        draws: times everything is asked, for defenses that draw anew.
    """
    known = {each.sample: each.group for each in sheet.samples}
    people = [each for each in sheet.asked if each != BLANK]
    blanks = [each for each in sheet.asked if each == BLANK]
    # Groups apart: a job may call samples of two groups by the same key.
    groups = [[each for each in people if known[each] is group] for group in Group]
    for draw in range(draws):
        for some in (*groups, blanks):
            for rows in torch.tensor(some, dtype=torch.int64).split(size):
                if len(rows):
                    yield Question(rows, sheet.keys_of(rows), draw, epoch)
