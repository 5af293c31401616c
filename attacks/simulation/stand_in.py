"""Another party as the adversary can build it from the split's description."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Generator, nn

from leakaudit.exchange.defense import Guard, Site
from leakaudit.exchange.endpoint import PartyEndpoint
from leakaudit.models import model_of
from leakaudit.threat.knowledge import Knowledge
from leakaudit.threat.view import View


def stand_in(view: View, name: str, rng: Generator) -> PartyEndpoint:
    """A party's endpoint with fresh weights, behind its defenses with fresh keys.

    Args:
        view: gives split, defenses and image size.
        name: which party.
        rng: the keys; weights come from torch's own generator, which an attack runs seeded.
    """
    split, modalities = view.split, view.modalities[name]
    shapes: Mapping[int, tuple[int, ...]] = {
        level: split.shape(level, view.space, name) for level in split.crossing
    }
    guards: list[Guard] = []
    for defense in (each for each in view.defenses if each.acts_at(name)):
        guard = defense.guard(Site(split, name, shapes, modalities), rng)
        if guard is not None:
            guards.append(guard)
            shapes = guard.shapes(shapes)
    return PartyEndpoint(model_of(split).encoder(split, name, view.space), guards)


def look_alike(view: View, name: str, rng: Generator) -> PartyEndpoint:
    """The party's design where the adversary knows it, else another of the same shapes.

    Args:
        view: as for :func:`stand_in`.
        name: which party.
        rng: the keys.
    """
    endpoint = stand_in(view, name, rng)
    if Knowledge.ARCHITECTURE not in view.knowledge:
        for module in endpoint.encoder.modules():
            for place, child in module.named_children():
                if isinstance(child, nn.LeakyReLU):
                    setattr(module, place, nn.GELU())
    return endpoint
