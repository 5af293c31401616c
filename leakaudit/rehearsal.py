"""A tiny split, trained and recorded in memory: something to attack, or to defend, in a second."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from leakaudit.cells.blind import blind_guess
from leakaudit.cells.lineup import Lineup, line_up
from leakaudit.cells.views import targets_through, view_of
from leakaudit.cohorts.cohort import Group
from leakaudit.cohorts.groups import GroupSettings, split_patients
from leakaudit.cohorts.phantom import Phantom
from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.exchange.defense import Defense
from leakaudit.exchange.endpoint import Network, PartyEndpoint
from leakaudit.exchange.message import Message, Route
from leakaudit.exchange.stack import resolve
from leakaudit.plan.materials import Materials, exposure_of
from leakaudit.split.spec import PartySpec, SplitSpec
from leakaudit.threat.attack import Guesses
from leakaudit.threat.knowledge import PRESETS, Adversary
from leakaudit.threat.sources import WeightUpdate
from leakaudit.threat.target import Asset, Target
from leakaudit.threat.view import View
from leakaudit.trace.recorded import RecordedExchange
from leakaudit.training.data import Holdings, hold
from leakaudit.training.loop import train
from leakaudit.training.settings import TrainingSettings

_COHORT = Phantom(patients=16, slices_per_patient=2, size=24, modalities=("T1", "FLAIR"))
_GROUPS = GroupSettings(training=6, auxiliary=8, validation=2)
_TRAINING = TrainingSettings(epochs=3, batch_size=4, learning_rate=5e-3)
_PROBED = 4  # samples whose weight updates are recorded
_SPLIT = SplitSpec(
    parties=(
        PartySpec(name="north", modalities=("T1",)),
        PartySpec(name="south", modalities=("FLAIR",)),
    ),
    channels=(8, 12, 16),
    party_levels=2,
)


def rehearse(
    defenses: Sequence[Defense] = (), *, split: SplitSpec = _SPLIT, seed: int = 0
) -> Rehearsal:
    """Train a tiny split on generated patients, and keep in memory what crosses.

    It is for trying out an attack or a defense of one's own, which need not be registered: 24 x 24
    images of 6 patients are attacked, 8 are the adversary's own. What it shows says whether
    something works, and nothing about how much a real split leaks.

    Args:
        defenses: those that are on, in stacking order.
        split: of the modalities T1 and FLAIR, in two dimensions; by default north holds T1, south
            FLAIR, and the server has the labels.
        seed: of weights, order of samples and the defenses' randomness.

    Raises:
        ConfigurationError: a defense cannot stand in this split, or it has three dimensions.
        UnknownNameError: a party holds a modality that there is not.

    Example:
        >>> import leakaudit
        >>> rehearsal = leakaudit.rehearse()
        >>> view = rehearsal.view("curious-server")
        >>> len(view), [target.victim for target in view.targets]
        (12, ['north', 'south'])
    """
    if split.dimensions != 2:
        raise ConfigurationError(
            "a rehearsal has images of two dimensions", found=f"a split of {split.dimensions}"
        )
    cohort = _COHORT.load()
    given = Materials(cohort, split_patients(cohort, _GROUPS), cohort.masks())
    holdings = hold(cohort, split)
    resolved = resolve(tuple(defenses), split, exposure_of(given, _TRAINING))
    rows = given.rows(Group.TRAINING)
    recording = MemoryRecording()
    train(
        holdings, rows, split, resolved, _TRAINING, seed=seed,
        recorder=recording, probes=rows[:_PROBED].tolist(),
    )  # fmt: skip
    return Rehearsal(resolved, given, holdings, recording)


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """A split that was trained and recorded in memory; :func:`rehearse` makes one.

    Attributes:
        defenses: those that were on, as resolved.
    """

    defenses: tuple[Defense, ...]
    _given: Materials
    _holdings: Holdings
    _recording: MemoryRecording

    @property
    def split(self) -> SplitSpec:
        """The split, after defenses."""
        return self._recording.networks[0].split

    def view(self, adversary: Adversary | str = "curious-server", asset: Asset = "images") -> View:
        """What an adversary sees, with everybody it can attack as targets.

        Args:
            adversary: as it stands in a configuration, or the name of a preset; a preset that
                sits at a party, or on one's line, is at the first.
            asset: what is to be recovered.

        Raises:
            UnknownNameError: there is no such preset.
            NotMountableError: nobody could be put before such a question.
        """
        if isinstance(adversary, str):
            adversary = _preset(adversary, self.split.party_names[0])
        lineup = self._lineup(adversary, asset)
        return view_of(
            self._given, self._holdings, adversary, self.split, self.defenses,
            targets_through([self.split.crossing], asset, adversary, self.split), lineup,
            RecordedExchange(
                self._recording, tuple(lineup.attacked.tolist()), self.split.dimensions
            ), self._recording,
        )  # fmt: skip

    def advantage(self, view: View, guesses: Guesses) -> dict[Target, float]:
        """How far guesses of images or masks come from the blind baseline to the truth, at most 1.

        One minus their squared error over that of the blind baseline: 0 is what the adversary
        would have guessed without a message.

        Args:
            view: the one that was attacked.
            guesses: what the attack said of its targets.

        Raises:
            ConfigurationError: they are of people, which an audit judges by other measures.
        """
        found = {}
        for target, guess in guesses.items():
            if target.asset not in ("images", "masks"):
                raise ConfigurationError(
                    "a rehearsal measures guesses of images and masks", found=target.asset
                )
            held = self._holdings
            every = held.masks if target.asset == "masks" else held.images[target.victim]
            truth = every[self._lineup(view.adversary, target.asset).attacked]
            blind = blind_guess(view, target).values
            if guess.rows is not None:
                truth, blind = truth[guess.rows], blind[guess.rows]
            left = (guess.values - truth).square().mean() / (blind - truth).square().mean()
            found[target] = 1 - left.item()
        return found

    def _lineup(self, adversary: Adversary, asset: Asset) -> Lineup:
        return line_up(self._given, asset, None, shuffled=False, question=adversary.question)


def _preset(name: str, party: str) -> Adversary:
    if name not in PRESETS:
        raise UnknownNameError.of("preset of an adversary", name, PRESETS)
    members = (party,) if PRESETS[name]["position"] in ("party", "wire") else ()
    return Adversary(**PRESETS[name], members=members)


@dataclass(eq=False)
class MemoryRecording:
    """All that crossed, in memory: a recorder, and what views read of it.

    Attributes:
        networks: by epoch, as after it.
        message_size: samples in one message, at most.
    """

    networks: dict[int, Network] = field(default_factory=dict)
    message_size: int = 1
    _sent: dict[tuple[Route, int], dict[int, Tensor]] = field(default_factory=dict)
    _together: dict[tuple[Route, int], list[list[int]]] = field(default_factory=dict)
    _updates: dict[tuple[str, int], list[WeightUpdate]] = field(default_factory=dict)

    @property
    def epochs(self) -> tuple[int, ...]:
        """Recorded epochs, rising."""
        return tuple(self.networks)

    def __call__(self, message: Message) -> None:
        """Keep a message, sample by sample."""
        self.message_size = max(self.message_size, len(message.samples))
        kept = self._sent.setdefault((message.route, message.epoch), {})
        kept.update(zip(message.samples.tolist(), message.tensor.clone(), strict=True))
        crossed = self._together.setdefault((message.route, message.epoch), [])
        crossed.append(message.samples.tolist())

    def records(self, epoch: int) -> bool:
        """Every epoch is kept."""
        del epoch
        return True

    def update(
        self,
        epoch: int,
        party: str,
        samples: Tensor,
        weights: Mapping[str, Tensor],
        cut: Mapping[int, Tensor],
    ) -> None:
        """Keep a weight update."""
        self._updates.setdefault((party, epoch), []).append(
            WeightUpdate(samples, dict(weights), dict(cut))
        )

    def snapshot(self, epoch: int, network: nn.Module) -> None:
        """Keep all weights of an epoch."""
        if not isinstance(network, Network):
            raise TypeError("a network")
        self.networks[epoch] = copy.deepcopy(network).as_recorded().requires_grad_(False)

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every kind of message that crossed."""
        return tuple({route: None for route, _ in self._sent})

    def messages(self, route: Route, epoch: int, samples: Sequence[int]) -> Tensor:
        """(n, channels, *space) of one route."""
        kept = self._sent[route, epoch]
        return torch.stack([kept[sample] for sample in samples])

    def whole_messages(
        self, route: Route, epoch: int, samples: Sequence[int]
    ) -> list[tuple[Tensor, Tensor]]:
        """Samples and tensor of every message that holds any of some samples."""
        kept = self._sent[route, epoch]
        return [
            (torch.tensor(rows), torch.stack([kept[row] for row in rows]))
            for rows in self._together[route, epoch]
            if not set(rows).isdisjoint(samples)
        ]

    def updates(self, party: str, epoch: int, samples: Sequence[int]) -> list[WeightUpdate]:
        """Those whose whole batch is among some samples, whose positions they then name."""
        places = {sample: place for place, sample in enumerate(samples)}
        return [
            WeightUpdate(
                torch.tensor([places[row] for row in each.rows.tolist()]), each.weights, each.cut
            )
            for each in self._updates.get((party, epoch), [])
            if places.keys() >= set(each.rows.tolist())
        ]

    def party(self, name: str, epoch: int) -> PartyEndpoint:
        """A party's encoder behind its guards."""
        return self.networks[epoch].party(name)

    def server(self, epoch: int) -> tuple[nn.Module, nn.Module]:
        """The server's network and the head."""
        return self.networks[epoch].served()
