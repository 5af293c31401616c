"""No defense: what every other is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Defense
from leakaudit.split.spec import SplitSpec


class NoDefense(Defense):
    """Send messages as they are: the reference every defense is compared with.

    Protects: nothing.
    """

    silence: ClassVar[str] = "messages are sent as they are"
    post_processing: ClassVar[bool] = True
    per_sample: ClassVar[bool] = True

    def no_claim_because(self, split: SplitSpec) -> str:
        """There is nothing to claim."""
        del split
        return "nothing defends"

    def check_stack(self, before: Sequence[Defense], after: Sequence[Defense]) -> None:
        """It is the absence of defenses, so it stands alone."""
        if before or after:
            raise ConfigurationError(
                "`none` stands alone: it is the absence of defenses",
                found=" and ".join(type(other).__name__ for other in (*before, *after)),
                remedy="take `none` out of this stack",
            )
