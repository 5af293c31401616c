"""Who records a training run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor, nn

from leakaudit.exchange.message import Message


class Recorder(Protocol):
    """Who records a training run; a trace writer is one. It passes over epochs it does not keep."""

    def __call__(self, message: Message) -> None:
        """One message crossed."""

    def records(self, epoch: int) -> bool:
        """Whether this epoch is kept."""

    def update(
        self,
        epoch: int,
        party: str,
        samples: Tensor,
        weights: Mapping[str, Tensor],
        cut: Mapping[int, Tensor],
    ) -> None:
        """One probed encoder update; or, without ``cut``, one that a party sent to be averaged."""

    def snapshot(self, epoch: int, network: nn.Module) -> None:
        """All weights after an epoch; seals it."""
