"""What a dishonest server sends back to the parties in place of the gradients it owes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from leakaudit.models.networks import Features


class Interference(Protocol):
    """An attack at work in a training: it decides what goes back, and learns as it goes."""

    def sent_back(self, party: str, received: Features, owed: Features) -> Features:
        """What a party gets as the gradients of its features, before the defenses.

        Args:
            party: who sent the features.
            received: level to (n, channels, *space), detached.
            owed: level to the gradient of the training loss, of the same shape.

        Returns:
            Level to a tensor of the same shape, for every level that was received.

        Raises:
            AttackInvalidError: what would be sent back is not finite.
        """

    def kept(self) -> Mapping[str, Tensor]:
        """What the server takes away from the training, by name: what it learnt of its own."""
