"""Keys that are sent along give back what they hid, and other messages are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from keyed_codes import digits_apart, phases_sent_along, phases_with_a_pilot
from leakaudit.attacks.parts.undoing.crossing import NotApplicableError
from leakaudit.attacks.parts.undoing.keys import (
    around_a_circle,
    turned_by_angles,
    turned_by_pilot,
)
from torch import Generator, Tensor

Undo = Callable[[Tensor], Tensor]


@pytest.fixture
def features() -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return 0.5 * torch.randn(3, 4, 6, 6, generator=rng)


@pytest.mark.parametrize(
    ("code", "undo"),
    [(phases_sent_along, turned_by_angles), (phases_with_a_pilot, turned_by_pilot)],
)
def test_phases_are_turned_back(
    features: Tensor, code: Callable[[Tensor, Generator, int], Tensor], undo: Undo
) -> None:
    found = undo(code(features, torch.Generator().manual_seed(1), 0).double())
    assert torch.allclose(found[:, :4], features.double(), atol=1e-5)
    # The image is real: nothing is left of the turns.
    assert float(found[:, 4:].abs().max()) < 1e-5


def test_digits_are_taken_apart(features: Tensor) -> None:
    sent = digits_apart(features, torch.Generator().manual_seed(1), 0).double()
    told = around_a_circle(sent) / 16  # of the range of 16 in which the code writes values
    assert float((16 * (told - 0.5) - features.double()).abs().max()) < 2 * 16 / 16**4


@pytest.mark.parametrize("undo", [turned_by_angles, turned_by_pilot, around_a_circle])
def test_messages_without_a_key_are_refused(undo: Undo) -> None:
    rng = torch.Generator().manual_seed(2)
    with pytest.raises(NotApplicableError):
        undo(torch.randn(2, 12, 6, 6, generator=rng).double())
