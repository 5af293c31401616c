"""What defenses do to weight updates while a network trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from torch import Generator, nn

from leakaudit.exchange.defense import Defense, UpdateRule
from leakaudit.exchange.endpoint import Network
from leakaudit.split.spec import SERVER


class WeightUpdates:
    """The update rules of all networks of one training run; leaving the context releases them.

    Args:
        network: what trains.
        defenses: in stacking order.

    Raises:
        ConfigurationError: a network cannot be trained under a defense.
    """

    def __init__(self, network: Network, defenses: Sequence[Defense]) -> None:
        self._rules: list[tuple[str, UpdateRule]] = []
        for defense in defenses:
            for owner, part in _owned(network):
                rule = defense.update_rule(owner, part)
                if rule is not None:
                    self._rules.append((owner, rule))

    def rewrite(self, rngs: Mapping[str, Generator]) -> None:
        """Rewrite every gradient; call after backward and before any optimiser steps.

        Args:
            rngs: party name or ``server`` to the randomness its defenses draw from.
        """
        for owner, rule in self._rules:
            rule.rewrite(rngs[owner])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _, rule in self._rules:
            rule.release()


def _owned(network: Network) -> list[tuple[str, nn.Module]]:
    owned: list[tuple[str, nn.Module]] = [
        (name, network.party(name)) for name in network.split.party_names
    ]
    holder = network.split.label_holder or SERVER
    every = [*owned, (SERVER, network.server), (holder, network.head)]
    # A head may be nothing at all, where the server runs the last layers.
    return [(owner, each) for owner, each in every if any(True for _ in each.parameters())]
