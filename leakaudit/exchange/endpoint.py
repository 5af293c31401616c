"""The two ends of a link: a party's encoder behind its guards, and the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from leakaudit.exchange.defense import Defense, Guard, Site
from leakaudit.exchange.stack import reshaped
from leakaudit.models.measuring import measured
from leakaudit.models.model import Model, model_of
from leakaudit.models.networks import Features
from leakaudit.split.spec import SplitSpec


class PartyEndpoint(nn.Module):
    """One party: its encoder, and the guards every message passes."""

    def __init__(self, encoder: nn.Module, guards: Sequence[Guard]) -> None:
        super().__init__()
        self.encoder = encoder
        self.guards = nn.ModuleList(guards)

    def forward(self, images: Tensor, rng: Generator) -> Features:
        """What would be sent for these images, still on the party's own graph.

        Args:
            images: (n, modalities, *space) in [0, 1].
            rng: randomness of the defenses.

        Returns:
            Level to (n, channels, *space).
        """
        return self.guarded(self.encoded(images), rng)

    @property
    def encoder_draws(self) -> bool:
        """Whether the encoder may be random: as it trains, somebody's network may drop."""
        return self.encoder.training

    def encoded(self, images: Tensor) -> Features:
        """Features of the same shapes before any guard; the same whenever images are."""
        features: Features = self.encoder(images)
        return features

    def guarded(self, features: Features, rng: Generator) -> Features:
        """What the guards let go of features of all levels."""
        for guard in self._guards():
            features = {
                level: guard.forward_message(level, tensor, rng)
                for level, tensor in features.items()
            }
        return features

    def sent(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        """Features of one level as the defenses let them go."""
        for guard in self._guards():
            features = guard.forward_message(level, features, rng)
        return features

    def returned(self, level: int, gradient: Tensor, rng: Generator) -> Tensor:
        """A gradient as the server's side of the defenses lets it go back to this party."""
        for guard in reversed(self._guards()):
            gradient = guard.backward_message(level, gradient, rng)
        return gradient

    def loss_terms(
        self, images: Tensor, features: Mapping[int, Tensor], rng: Generator
    ) -> list[Tensor]:
        """What the defenses add to the party's loss."""
        terms = (guard.loss_term(images, features, rng) for guard in self._guards())
        return [term for term in terms if term is not None]

    def _guards(self) -> list[Guard]:
        return [guard for guard in self.guards if isinstance(guard, Guard)]


class _Finest(nn.Module):
    """A head whose output is logits, whatever else the model learns from."""

    def __init__(self, head: nn.Module, model: Model, space: tuple[int, ...]) -> None:
        super().__init__()
        self.head, self._model, self._space = head, model, space

    def forward(self, last: Any) -> Tensor:
        """(n, regions, *space)."""
        return self._model.logits(self.head(last), self._space)


class Network(nn.Module):
    """All endpoints of a split, as built from its description; each on its own graph.

    Attributes:
        split: the split after the defenses reshaped it, its cuts measured.
        model: what it was built from; defines loss and prediction.
        parties: endpoints, in the order of the split's parties.
        server: the server's network.
        head: last layers; runs at the server or at the label holder.
        sent: party to level to (channels, *space) of what crosses.
    """

    def __init__(
        self,
        split: SplitSpec,
        regions: int,
        space: tuple[int, ...],
        defenses: Sequence[Defense] = (),
        *,
        seed: int,
        model: Model | None = None,
    ) -> None:
        super().__init__()
        if split.cuts is None:
            split = measured(split, regions, space, model)
        split = reshaped(split, defenses)
        self.split = split
        self.space = space
        self.model = model or model_of(split)
        self.sent: dict[str, Mapping[int, tuple[int, ...]]] = {}
        keys = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            # A list, not a dictionary: torch forbids dots and some words as module names.
            self.parties = nn.ModuleList(
                self._party(party.name, len(party.modalities), defenses, keys)
                for party in split.parties
            )
            received = {
                level: [self.sent[name][level] for name in split.party_names]
                for level in split.crossing
            }
            self.server = self.model.server(split, received, regions, space)
            self.head = self.model.head(split, regions, space)

    def _party(
        self, name: str, modalities: int, defenses: Sequence[Defense], keys: Generator
    ) -> PartyEndpoint:
        split = self.split
        encoder = self.model.encoder(split, name, self.space)
        shapes: Mapping[int, tuple[int, ...]] = {
            level: split.shape(level, self.space, name) for level in split.crossing
        }
        guards = []
        for defense in defenses:
            if not defense.acts_at(name):
                continue
            guard = defense.guard(Site(split, name, shapes, modalities), keys)
            if guard is not None:
                guards.append(guard)
                shapes = guard.shapes(shapes)
        self.sent[name] = shapes
        return PartyEndpoint(encoder, guards)

    def as_recorded(self) -> Network:
        """Itself, set to compute as it does while it is trained and recorded, without learning.

        Networks of others answer queries as their messages were recorded, in training mode: what
        normalises over the batch does so by the batch, what drops drops. Guards stay in evaluation
        mode, and running statistics as they are.
        """
        self.eval()
        if not self.split.is_reference:
            encoders = [self.party(name).encoder for name in self.split.party_names]
            for network in (*encoders, self.server, self.head):
                for module in network.train().modules():
                    if isinstance(module, _NormBase):
                        module.momentum = 0.0
        return self

    def served(self) -> tuple[nn.Module, nn.Module]:
        """The server's network, and a head that gives logits, of the finest resolution alone."""
        if self.split.is_reference:
            return self.server, self.head
        return self.server, _Finest(self.head, self.model, self.space)

    def party(self, name: str) -> PartyEndpoint:
        """The endpoint of one party."""
        endpoint = self.parties[self.split.party_names.index(name)]
        if not isinstance(endpoint, PartyEndpoint):
            raise TypeError(f"{name} is not an endpoint")
        return endpoint
