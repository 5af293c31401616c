"""What holds for every defense."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Generator, Tensor

from leakaudit.errors import ContractError
from leakaudit.exchange.claim import Exposure
from leakaudit.exchange.defense import Defense, Guard
from leakaudit.exchange.endpoint import Network, PartyEndpoint
from leakaudit.exchange.stack import resolve
from leakaudit.rehearsal import MemoryRecording
from leakaudit.split.spec import PartySpec, SplitSpec
from leakaudit.testing.luck import elsewhere, left_alone
from leakaudit.testing.settings import check_settings
from leakaudit.training.data import Holdings
from leakaudit.training.loop import train
from leakaudit.training.settings import TrainingSettings

_SPLIT = SplitSpec(
    parties=(
        PartySpec(name="north", modalities=("T1",)),
        PartySpec(name="south", modalities=("T2", "FLAIR")),
    ),
    channels=(4, 8, 8),
    party_levels=2,
)
_EXPOSURE = Exposure(epochs=5, samples_per_patient=3, patients=40, steps_per_epoch=30, batch_size=4)
_SIDE, _SAMPLES = 16, 4
_SCALES = (0.0, 1.0, 1e4)


def check_defense(
    defense: Defense,
    split: SplitSpec = _SPLIT,
    exposure: Exposure = _EXPOSURE,
    *,
    free: Collection[str] = (),
) -> None:
    """Hold a defense to what an audit relies on, at every party of a split.

    Its settings are described and bounded, and its repr builds it again; the same seed gives the
    same messages, whatever the process drew before; what it is handed and the generators that all
    share are left as they are; it sends the shapes that it announces, which the server takes;
    finite gradients reach the encoder, also of blank and of very bright images; a saved state gives
    the same messages; and recording weight updates does not change what is trained.

    Args:
        defense: under some settings.
        split: where it stands.
        exposure: how often each patient is released, for defenses that calibrate their noise.
        free: settings that take any number, or any text.

    Raises:
        ContractError: a rule is broken; it says which.
        ConfigurationError: the defense refuses this split.

    Example:
        >>> from leakaudit.testing import check_defense
        >>> from leakaudit.defenses.dropout import Dropout
        >>> check_defense(Dropout(rate=0.5))
    """
    check_settings(defense, free)
    tried = _Tried(type(defense).__name__, resolve((defense,), split, exposure), split)
    for party in split.party_names:
        tried.check_same_seed(party)
        tried.check_inputs(party)
        tried.check_shapes(party)
        for scale in _SCALES:
            tried.check_gradients(party, scale)
    tried.check_server()
    tried.check_saved()
    tried.check_recorded()


class _Tried:
    """A resolved stack of one defense, on networks of its own."""

    def __init__(self, name: str, stack: tuple[Defense, ...], split: SplitSpec) -> None:
        self._name, self._stack, self._split = name, stack, split
        self._space = (_SIDE,) * split.dimensions

    def check_same_seed(self, party: str) -> None:
        """The same messages, gradients and loss terms, twice over."""
        images = self._images(party)
        with left_alone(self._name):
            first = _released(self._network().party(party), images)
        with elsewhere(1):
            second = _released(self._network().party(party), images)
        if not _same(first, second):
            raise ContractError(
                "the same seed gives the same messages", found=f"{self._name} sent others",
                remedy="draw keys and noise from the generator that is handed in",
            )  # fmt: skip

    def check_inputs(self, party: str) -> None:
        """No guard writes on what it is handed."""
        endpoint, images = self._network().party(party), self._images(party)
        features: dict[int, Tensor] = dict(endpoint.encoder(images))
        kept = {level: each.clone() for level, each in features.items()}
        for guard in (each for each in endpoint.guards if isinstance(each, Guard)):
            for level, each in features.items():
                guard.forward_message(level, each, _rng())
                guard.backward_message(level, each, _rng())
            guard.loss_term(images, features, _rng())
        if not _same(list(features.values()), list(kept.values())) or not torch.equal(
            images, self._images(party)
        ):
            raise ContractError(
                "a guard leaves what it is handed as it is",
                found=f"{self._name} wrote on it",
                remedy="clone a tensor before changing it in place",
            )

    def check_shapes(self, party: str) -> None:
        """What is sent is what was announced; a gradient comes back in the shape of its message."""
        network = self._network()
        endpoint, rng = network.party(party), _rng()
        features = endpoint(self._images(party), rng)
        sent = {level: tuple(each.shape[1:]) for level, each in features.items()}
        if sent != dict(network.sent[party]) or set(sent) != set(network.split.crossing):
            raise ContractError(
                "a guard sends the shapes that its `shapes` announces",
                found=f"{self._name} sent {sent}, announced {dict(network.sent[party])}",
                remedy="override `shapes` beside `forward_message`, or `reshape` of the defense",
            )
        for level, each in features.items():
            returned = endpoint.returned(level, torch.ones_like(each), rng)
            if (returned.shape, returned.dtype) != (each.shape, each.dtype):
                raise ContractError(
                    "a gradient goes back in the shape and type of its message",
                    found=f"{self._name}, level {level}: {tuple(returned.shape)} "
                    f"{returned.dtype} for {tuple(each.shape)} {each.dtype}",
                )

    def check_gradients(self, party: str, scale: float) -> None:
        """Finite gradients come back to every weight of the encoder."""
        endpoint, rng = self._network().party(party), _rng()
        images = scale * self._images(party)
        features = endpoint(images, rng)
        loss = torch.stack([each.square().mean() for each in features.values()]).sum()
        torch.stack([loss, *endpoint.loss_terms(images, features, rng)]).sum().backward()
        gradients = [each.grad for each in endpoint.encoder.parameters()]
        found = [each for each in gradients if each is not None]
        if len(found) < len(gradients) or not all(bool(g.isfinite().all()) for g in found):
            raise ContractError(
                "finite gradients reach every weight of the encoder",
                found=f"{self._name}, images times {scale:g}: "
                + ("none" if len(found) < len(gradients) else "infinite or undefined ones"),
                remedy="guard divisions and roots; a step without gradient lets them straight "
                "through in training",
            )
        if scale == 1 and not any(bool(each.any()) for each in found):
            raise ContractError(
                "a defense lets the encoder learn",
                found=f"{self._name}: gradients of 0",
            )

    def check_server(self) -> None:
        """The server segments with what it gets."""
        network = self._network()
        sent = [network.party(each)(self._images(each), _rng()) for each in self._names]
        logits = network.head(network.server(sent, self._space))
        if tuple(logits.shape) != (_SAMPLES, 1, *self._space):
            raise ContractError(
                "the server takes what is sent", found=f"{self._name}: {tuple(logits.shape)}"
            )

    def check_saved(self) -> None:
        """Keys and learned layers are saved with the network."""
        saved, other = self._network(seed=3), self._network(seed=4)
        other.load_state_dict(saved.state_dict())
        for party in self._names:
            images = self._images(party)
            if not _same(*(_released(each.party(party), images) for each in (saved, other))):
                raise ContractError(
                    "a saved network sends the same messages", found=f"{self._name} sent others",
                    remedy="register keys as buffers, and learned layers as modules",
                )  # fmt: skip

    def check_recorded(self) -> None:
        """A training is the same whether somebody records weight updates of it or not."""
        holdings = Holdings(
            {each: self._images(each) for each in self._names},
            (self._images(self._names[0])[:, :1] > 0.5).float(),
            torch.arange(_SAMPLES),
        )
        settings = TrainingSettings(epochs=2, batch_size=2)
        plain, watched = (
            train(
                holdings, torch.arange(_SAMPLES), self._split, self._stack, settings, seed=3,
                recorder=MemoryRecording(), probes=probes,
            ).network.state_dict()
            for probes in ((), (0, 2))
        )  # fmt: skip
        if not _same(list(plain.values()), list(watched.values())):
            raise ContractError(
                "recording weight updates does not change what is trained",
                found=f"{self._name}: other weights",
                remedy="keep no state in a guard that a further message changes",
            )

    @property
    def _names(self) -> tuple[str, ...]:
        return self._split.party_names

    def _network(self, seed: int = 3) -> Network:
        return Network(self._split, 1, self._space, self._stack, seed=seed)

    def _images(self, party: str) -> Tensor:
        shape = (_SAMPLES, len(self._split.party(party).modalities), *self._space)
        return torch.rand(shape, generator=_rng())


def _rng() -> Generator:
    return torch.Generator().manual_seed(7)


def _released(endpoint: PartyEndpoint, images: Tensor) -> list[Tensor]:
    """Everything the guards let out in both directions, and the loss terms, twice over."""
    rng, released = _rng(), list[Tensor]()
    for _ in range(2):
        features = endpoint(images, rng)
        released += features.values()
        released += [
            endpoint.returned(level, torch.ones_like(sent), rng) for level, sent in features.items()
        ]
        released += endpoint.loss_terms(images, features, rng)
    return released


def _same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
