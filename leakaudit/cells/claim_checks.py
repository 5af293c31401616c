"""The control of kind claim: what a guard sends of worst-case messages, against what is claimed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from leakaudit.accounting import shown
from leakaudit.accounting.spent import Floats
from leakaudit.cells.canaries import DRAWS, FAR, check_weights, in_words
from leakaudit.errors import LeakauditError
from leakaudit.exchange.claim import Claim, Exposure, Noise
from leakaudit.exchange.defense import Defense
from leakaudit.exchange.endpoint import Network, PartyEndpoint
from leakaudit.exchange.message import Direction
from leakaudit.record import ClaimCheck
from leakaudit.record.cuts import cuts_text

_LEAST_DRAWS = 500  # of one place, at each end
_AT_ONCE = 1_000
_EXTENTS = (2, 16)
_PAIRS = 100


@dataclass(frozen=True)
class _Place:
    """Where messages of a patient leave.

    Attributes:
        name: in words.
        send: a batch of messages through every guard, as the receiver gets them.
        shape: of one message on its way in, (channels, *space), with little space: noise on more
            values is more of the same.
    """

    name: str
    send: Callable[[Tensor, Generator], Tensor]
    shape: tuple[int, ...]


def check_claims(
    network: Network,
    defenses: Sequence[Defense],
    claims: Sequence[Claim | None],
    exposure: Exposure,
    seed: int,
    device: str = "cpu",
) -> tuple[ClaimCheck, ...]:
    """Test every claim of a stack.

    Args:
        network: trained, with its guards.
        defenses: as resolved.
        claims: in the order of the defenses; None where one makes none.
        exposure: how often a patient is released.
        seed: of the noise drawn.
        device: where the network is.
    """
    checks: list[ClaimCheck] = []
    for defense, claim in zip(defenses, claims, strict=True):
        if claim is None:
            continue
        try:
            checks.extend(_check(network, defense, claim, exposure, seed, device))
        except (LeakauditError, RuntimeError, ValueError) as problem:
            checks.append(_untested(claim, f"could not be replayed: {problem}"))
    return tuple(checks)


def _check(
    network: Network,
    defense: Defense,
    claim: Claim,
    exposure: Exposure,
    seed: int,
    device: str,
) -> Iterator[ClaimCheck]:
    noise = claim.noise
    if noise is None:
        yield _untested(claim, "the defense does not say what its claim rests on")
    elif noise.weight_releases:
        yield from check_weights(defense, claim, noise, seed)
    else:
        yield _messages(network, claim, noise, exposure, seed, device)


def _messages(
    network: Network, claim: Claim, noise: Noise, exposure: Exposure, seed: int, device: str
) -> ClaimCheck:
    drawn, places = _drawn(network, noise, seed, device)
    # In a horizontal split a patient is at one party.
    parties = len(noise.parties) if network.split.orientation == "vertical" else 1
    rounds = exposure.epochs * exposure.samples_per_patient
    releases = rounds * len(places) * parties // len(noise.parties)
    found = shown(drawn, noise.kind, claim.epsilon, claim.delta, releases)
    less = "; ".join(places[place] for place in found.places)
    if len(found.places) == len(places):
        less = "every place"
    return ClaimCheck(
        mechanism=claim.mechanism,
        method=f"messages at {'opposite ends' if noise.replaced else 'one end'} of the clipping "
        f"ball{'' if noise.replaced else ' and blank ones'}, through every guard of the stack at "
        f"{len(places)} places; the noise that came out, counted beyond a threshold "
        "(Clopper-Pearson)",
        claimed_epsilon=claim.epsilon,
        delta=claim.delta,
        shown_epsilon=found.epsilon,
        largest_epsilon=found.largest,
        draws=sum(len(each) for each in drawn),
        releases=releases,
        refuted=found.refuted,
        reason=in_words(claim, found.refuted) + (f" at {less}" if less else ""),
    )  # fmt: skip


def _drawn(
    network: Network, noise: Noise, seed: int, device: str
) -> tuple[list[Floats], list[str]]:
    """Noise at every place, and the places' names."""
    ends = _ends(noise)
    for extent in _EXTENTS:
        places = list(_places(network, noise, extent))
        each = max(_LEAST_DRAWS, math.ceil(DRAWS / len(places) / len(ends) / 2))
        try:
            return [
                np.concatenate([
                    _noise(place, end, noise.replaced, each, _seed(seed, number, which), device)
                    for which, end in enumerate(ends)
                ])
                for number, place in enumerate(places)
            ], [place.name for place in places]  # fmt: skip
        except RuntimeError:
            # Some guards need room: patches, say.
            if extent == _EXTENTS[-1]:
                raise
    raise AssertionError("an extent is tried last")


def _seed(seed: int, place: int, end: int) -> int:
    """Apart from those of other places and ends, which use this one and the next two."""
    return 7919 * (seed + 1) + 10 * place + 5 * end


def _places(network: Network, noise: Noise, most: int) -> Iterator[_Place]:
    split = network.split
    space = tuple(min(most, extent) for extent in network.space)
    for party in noise.parties:
        endpoint = network.party(party)
        for level in split.crossing:
            for direction in noise.directions:
                if direction is Direction.ACTIVATION:
                    width = split.shape(level, network.space, party)[0]
                else:
                    width = network.sent[party][level][0]
                yield _Place(
                    f"{party}, {cuts_text([split.cut_name(level)])}, {direction}",
                    _sender(endpoint, level, direction),
                    (width, *space),
                )


def _sender(
    endpoint: PartyEndpoint, level: int, direction: Direction
) -> Callable[[Tensor, Generator], Tensor]:
    through = endpoint.sent if direction is Direction.ACTIVATION else endpoint.returned
    return lambda message, rng: through(level, message, rng)


def _ends(noise: Noise) -> tuple[str, ...]:
    """One value only; and, where the ball is round, all values with signs at random."""
    return ("one value",) if noise.kind == "laplace" else ("one value", "all values")


@torch.no_grad()
def _noise(place: _Place, end: str, replaced: bool, draws: int, seed: int, device: str) -> Floats:
    """Noise along the line between two ends, over the distance between them.

    Args:
        place: where it is sent.
        end: which end.
        replaced: the other end is the opposite one, not a blank message.
        draws: at each end.
        seed: of the noise.
        device: of the guards.

    Returns:
        (2 draws,), around the mean of its own end.
    """
    message = torch.zeros(place.shape)
    if end == "one value":
        message.flatten()[0] = FAR
    else:
        signs = torch.randint(0, 2, place.shape, generator=torch.Generator().manual_seed(seed))
        message = (signs * 2.0 - 1) * FAR / math.sqrt(message.numel())
    message = message.to(device)
    ends = (message, -message if replaced else torch.zeros_like(message))
    # The same noise at both ends: what is left of the difference is their distance.
    sent = [
        place.send(_batch(each, _PAIRS), torch.Generator(device).manual_seed(seed)) for each in ends
    ]
    line = (sent[0].double() - sent[1].double()).mean(dim=0).flatten()
    distance = float(line.norm())
    if not math.isfinite(distance):
        raise ValueError(f"what comes out at {place.name} is not finite")
    if distance == 0:
        raise ValueError(f"messages at both ends come out alike at {place.name}")
    found = []
    for number, each in enumerate(ends):
        rng = torch.Generator(device).manual_seed(seed + 1 + number)
        along = [
            place.send(_batch(each, min(_AT_ONCE, draws - first)), rng).double().flatten(1) @ line
            for first in range(0, draws, _AT_ONCE)
        ]
        values = torch.cat(along) / distance**2
        found.append((values - values.mean()).cpu().numpy())
    return np.concatenate(found)


def _batch(message: Tensor, samples: int) -> Tensor:
    return message.expand(samples, *message.shape).clone()


def _untested(claim: Claim, reason: str) -> ClaimCheck:
    return ClaimCheck(
        mechanism=claim.mechanism,
        method="none",
        claimed_epsilon=claim.epsilon,
        delta=claim.delta,
        shown_epsilon=None,
        largest_epsilon=None,
        draws=0,
        releases=0,
        refuted=False,
        reason=reason,
    )
