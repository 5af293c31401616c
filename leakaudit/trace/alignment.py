"""Rows that stand in each other's places: found by what should be alike at two ends.

A framework that aligns sites by index alone may hand one site's rows out shifted against the
others'. Both ends of a message then differ row by row, and what a job answers about a sample is not
like what it sent for it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leakaudit.errors import TraceError
from leakaudit.exchange.message import Cut, Direction, Route
from leakaudit.split.spec import SERVER
from leakaudit.trace.places import BLANK
from leakaudit.trace.reader import TraceReader

# Fewer rows may have each other's features by chance.
_LEAST_ROWS = 4
# Rows that are somebody else's are like theirs; noise is like nobody's.
_ALIKE = 0.5
_MOST_VALUES = 1 << 14


def misplaced(sent: Tensor, other: Tensor) -> list[tuple[int, int]]:
    """Rows of one end that are clearly another row of the other end.

    Args:
        sent: (n, channels, *grid).
        other: (n, channels, *grid), what should be the same samples in the same order.

    Returns:
        Pairs of a row and the row that it is like; empty where rows stand where they should, or
        where what differs is no change of places (noise on the way, say).
    """
    likeness = _unit(sent) @ _unit(other).T
    best = likeness.argmax(1)
    rows = torch.arange(len(likeness))
    wrong = (best != rows) & (likeness[rows, best] > _ALIKE)
    # A sample may be there twice: then both are as good.
    wrong &= likeness[rows, best] > likeness[rows, rows] + 1e-3
    return [(row, int(best[row])) for row in rows[wrong].tolist()]


def check_rows(reader: TraceReader) -> None:
    """Hold what a job sent in training against its answers about the same samples.

    Args:
        reader: a trace of a job that was asked.

    Raises:
        TraceError: most of a party's rows are like the answers about other samples.
    """
    for party in reader.split.party_names:
        for epoch in reader.epochs:
            answers: dict[int, Tensor] = {}
            for level, samples, tensor in reader.answers(party, epoch):
                if level == 0:
                    answers |= dict(zip(samples.tolist(), tensor, strict=True))
            both = [each for each in reader.steady if each in answers and each != BLANK]
            if len(both) < _LEAST_ROWS:
                continue
            route = Route(party, SERVER, Direction.ACTIVATION, Cut.ENCODER, 0)
            sent = reader.messages(route, epoch, both)
            wrong = misplaced(sent, torch.stack([answers[each] for each in both]))
            if len(wrong) > len(both) / 2:
                row, other = wrong[0]
                raise TraceError(
                    "what a site sends for a sample must be that sample's",
                    found=f"in epoch {epoch} {len(wrong)} of {len(both)} rows of {party} are like "
                    f"its answers about other samples, such as sample {both[row]}, which is like "
                    f"sample {both[other]}",
                    remedy="the site's rows are shifted against their ids: align them by the ids, "
                    "and record again",
                )


def _unit(features: Tensor) -> Tensor:
    """(n, values) what sets each row apart from the others, of unit length."""
    flat = features.flatten(1).double()
    flat = flat[:, :: max(1, flat.shape[1] // _MOST_VALUES)]
    unit: Tensor = nn.functional.normalize(flat - flat.mean(0), dim=1)
    return unit
