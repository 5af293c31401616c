"""No defense: what every other is compared with."""

from leakaudit.exchange.defense import Defense


class NoDefense(Defense):
    """Send messages as they are: the reference every defense is compared with.

    Protects: nothing.
    """
