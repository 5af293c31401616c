"""The networks of a recorded run, rebuilt from its description and snapshots."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from leakaudit import plugins
from leakaudit.errors import TraceError
from leakaudit.exchange.defense import Defense
from leakaudit.exchange.endpoint import Network, PartyEndpoint
from leakaudit.plugins import Kind
from leakaudit.trace.description import TraceDescription


def build_defenses(description: TraceDescription) -> tuple[Defense, ...]:
    """The defenses that were on, in stacking order.

    Raises:
        UnknownNameError: a defense is not installed here.
    """
    return tuple(
        plugins.build(Kind.DEFENSE, each.name, each.settings) for each in description.defenses
    )


class RebuiltNetworks:
    """A :class:`leakaudit.threat.sources.Rebuilt` over a trace; each epoch is built once and kept.

    Args:
        description: of the run.
        weights: gives the snapshot of an epoch.
        trainable: leave gradients on for the weights.
    """

    def __init__(
        self,
        description: TraceDescription,
        weights: Callable[[int], Mapping[str, Tensor]],
        *,
        trainable: bool,
    ) -> None:
        self._description = description
        self._weights = weights
        self._trainable = trainable
        self._defenses = build_defenses(description)
        self._networks: dict[int, Network] = {}

    def network(self, epoch: int) -> Network:
        """The whole network as it was at the end of a recorded epoch, in evaluation mode.

        Raises:
            TraceError: the epoch was not recorded, or its snapshot fits another network.
        """
        if epoch not in self._networks:
            self._networks[epoch] = self._build(epoch)
        return self._networks[epoch]

    def party(self, name: str, epoch: int) -> PartyEndpoint:
        """A party's encoder behind its guards."""
        return self.network(epoch).party(name)

    def server(self, epoch: int) -> tuple[nn.Module, nn.Module]:
        """The server's network and the head."""
        return self.network(epoch).served()

    def _build(self, epoch: int) -> Network:
        given = self._description
        weights = self._weights(epoch)
        network = Network(
            given.split, len(given.regions), given.space, self._defenses, seed=given.seed
        )
        try:
            network.load_state_dict(weights)
        except RuntimeError as problem:
            raise TraceError(
                f"the snapshot of epoch {epoch} must fit the network that trace.json describes",
                found=str(problem).splitlines()[-1].strip(),
                remedy="read it with the version in `written_by`, its defenses installed alike",
            ) from None
        return network.as_recorded().requires_grad_(self._trainable)
