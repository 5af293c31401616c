"""What was recorded, as a view reads it: all of it finite, and the epochs read are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from leakaudit.exchange.message import Direction
from leakaudit.threat.computable import require_finite
from leakaudit.threat.sources import Exchange, WeightUpdate


@dataclass(frozen=True, eq=False)
class Readings:
    """A recorded exchange; each method is that of :class:`.sources.Exchange`.

    Raises:
        AttackInvalidError: what was recorded is not finite.

    Attributes:
        exchange: what is read.
        epochs: recorded epochs of which anything was read; added to.
    """

    exchange: Exchange
    epochs: set[int]

    def messages(self, party: str, level: int, direction: Direction, epoch: int) -> Tensor:
        """(n, channels, *space) of one party's link."""
        self.epochs.add(epoch)
        tensor = self.exchange.messages(party, level, direction, epoch)
        require_finite([tensor], f"{direction} of {party}, level {level}, epoch {epoch}")
        return tensor

    def whole_messages(self, party: str, level: int, epoch: int) -> list[tuple[Tensor, Tensor]]:
        """Activations message by message, each with the rows of its samples."""
        self.epochs.add(epoch)
        found = list(self.exchange.whole_messages(party, level, epoch))
        for _, sent in found:
            require_finite([sent], f"activation of {party}, level {level}, epoch {epoch}")
        return found

    def at_head(self, holder: str, direction: Direction, epoch: int) -> Tensor | None:
        """(n, channels, *grid) between the server and a label holder; None where not recorded."""
        tensor = self.exchange.at_head(holder, direction, epoch)
        if tensor is not None:
            self.epochs.add(epoch)
            require_finite([tensor], f"{direction} of {holder} at the head, epoch {epoch}")
        return tensor

    def updates(self, party: str, epoch: int) -> Sequence[WeightUpdate]:
        """Recorded encoder updates of one party."""
        self.epochs.add(epoch)
        updates = self.exchange.updates(party, epoch)
        for update in updates:
            parts = [*update.weights.values(), *update.cut.values()]
            require_finite(parts, f"weight update of {party}, epoch {epoch}")
        return updates
