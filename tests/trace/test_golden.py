"""A trace of every schema version ever written keeps loading."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from leakaudit.exchange.message import Direction
from leakaudit.trace import SCHEMA_VERSION
from leakaudit.trace.reader import TraceReader

TRACES = sorted((Path(__file__).parent / "golden").iterdir())


@pytest.mark.parametrize("folder", TRACES, ids=lambda folder: folder.name)
def test_an_old_trace_loads(folder: Path) -> None:
    reader = TraceReader(folder)
    reader.verify()
    assert reader.description.schema_version == folder.name
    assert (reader.epochs, reader.complete) == ((1,), True)
    assert reader.patients == ("P0", "P0", "P1")
    exchange = reader.exchange([2, 0])
    sent = exchange.messages("t1", 1, Direction.ACTIVATION, 1)
    returned = exchange.messages("t1", 1, Direction.GRADIENT, 1)
    assert sent.shape == returned.shape == (2, 3, 4, 4)
    assert [update.rows.tolist() for update in exchange.updates("t1", 1)] == [[1]]
    # The networks of a trace are those that sent its messages, as long as nothing learned since.
    images = torch.linspace(0, 1, 3 * 64).reshape(3, 1, 8, 8)
    with torch.no_grad():
        again = reader.rebuilt().party("t1", 1)(images[[2, 0]], torch.Generator())
    assert torch.allclose(again[1], sent, atol=1e-5)


def test_the_current_version_is_among_them() -> None:
    assert SCHEMA_VERSION in [folder.name for folder in TRACES]
