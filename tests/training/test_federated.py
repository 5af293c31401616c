"""A horizontal split: who holds whom, what one step equals, and what is recorded."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.message import Direction, Link, Message
from leakaudit.models.loss import segmentation_loss
from leakaudit.models.networks import WholeNetwork
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.training import federated
from leakaudit.training.data import Holdings
from leakaudit.training.loop import randomness, train
from leakaudit.training.settings import TrainingSettings

SPACE = (16, 16)


def split_of(*shares: float, **changes: object) -> SplitSpec:
    parties = [
        {"name": f"p{number}", "modalities": ("T1",), "share": share}
        for number, share in enumerate(shares)
    ]
    return SplitSpec.model_validate(
        {"parties": parties, "channels": (4, 8), "party_levels": 1, "orientation": "horizontal"}
        | changes
    )


def holdings_of(split: SplitSpec, patients: int, each: int = 2) -> Holdings:
    rng = torch.Generator().manual_seed(3)
    images = torch.rand(patients * each, 1, *SPACE, generator=rng)
    masks = (torch.rand(patients * each, 1, *SPACE, generator=rng) > 0.7).float()
    owners = torch.arange(patients).repeat_interleave(each)
    return Holdings(dict.fromkeys(split.party_names, images), masks, owners)


class Listener:
    """Keeps all that a recorder is shown."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.updates: list[tuple[str, Tensor, Mapping[str, Tensor], Mapping[int, Tensor]]] = []
        self.states: list[dict[str, Tensor]] = []

    def __call__(self, message: Message) -> None:
        self.messages.append(message)

    def records(self, epoch: int) -> bool:
        return True

    def update(
        self,
        epoch: int,
        party: str,
        samples: Tensor,
        weights: Mapping[str, Tensor],
        cut: Mapping[int, Tensor],
    ) -> None:
        self.updates.append((party, samples, weights, cut))

    def snapshot(self, epoch: int, network: nn.Module) -> None:
        self.states.append({key: each.clone() for key, each in network.state_dict().items()})


def test_patients_are_dealt_whole_once_and_by_share() -> None:
    split = split_of(1, 3)
    holdings = holdings_of(split, 12)
    rows = torch.arange(4, 24)
    dealt = federated.deal(holdings.patients, rows, split)
    owners = {name: set(holdings.patients[own].tolist()) for name, own in dealt.items()}
    assert not owners["p0"] & owners["p1"]
    assert [len(each) for each in owners.values()] == [2, 8]
    assert sorted(torch.cat([*dealt.values()]).tolist()) == rows.tolist()


def test_a_party_without_a_patient_is_refused() -> None:
    split = split_of(1, 1, 1)
    holdings = holdings_of(split, 2)
    with pytest.raises(ConfigurationError, match="needs a training patient"):
        federated.deal(holdings.patients, torch.arange(4), split)


@pytest.mark.parametrize(
    "changes",
    [
        {"labels_at": "p0"},
        {"parties": [PartySpec(name="a", modalities=("T1",)),
                     PartySpec(name="b", modalities=("T2",))]},
    ],
)  # fmt: skip
def test_a_split_that_cannot_be_horizontal_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="horizontal"):
        split_of(1, 1, **changes)


def test_one_step_of_equal_shares_equals_one_network_on_all_samples() -> None:
    split = split_of(1, 1, 1)
    holdings = holdings_of(split, 6)
    holdings = Holdings(
        {name: each.double() for name, each in holdings.images.items()},
        holdings.masks.double(), holdings.patients,
    )  # fmt: skip
    rows = torch.arange(12)
    dealt = federated.deal(holdings.patients, rows, split)
    network = Network(split, 1, SPACE, seed=0).double()
    federated.average(network, dealt)
    first = network.party("p0").encoder
    twin = WholeNetwork(
        [copy.deepcopy(first)], copy.deepcopy(network.server), copy.deepcopy(network.head)
    )
    (together,) = federated.batches(holdings, dealt, 0, 12, torch.Generator().manual_seed(0))
    assert [len(batch.samples) for batch in together] == [4, 4, 4]

    loss = federated.exchange_all(network, Link(), together, randomness(split, 0))

    whole_loss = segmentation_loss(twin([holdings.images["p0"]]), holdings.masks)
    whole_loss.backward()
    torch.testing.assert_close(loss, whole_loss.detach())
    for ours, theirs in zip(
        (*network.server.parameters(), *network.head.parameters()),
        (*twin.server.parameters(), *twin.head.parameters()),
        strict=True,
    ):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-9)
    # A plain step of each party, then averaging, is a plain step along the mean gradient.
    with torch.no_grad():
        for name in split.party_names:
            for parameter in network.party(name).encoder.parameters():
                parameter.sub_(parameter.grad)
        for parameter in twin.encoders.parameters():
            parameter.sub_(parameter.grad)
    federated.average(network, dealt)
    for name in split.party_names:
        pairs = zip(
            network.party(name).encoder.parameters(), twin.encoders.parameters(), strict=True
        )
        for ours, theirs in pairs:
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-9)


def test_training_records_each_partys_update_and_ends_every_round_with_one_encoder() -> None:
    split = split_of(2, 1)
    holdings = holdings_of(split, 6)
    rows = torch.arange(12)
    dealt = federated.deal(holdings.patients, rows, split)
    listener = Listener()
    probe = int(dealt["p1"][0])
    train(
        holdings, rows, split, (), TrainingSettings(epochs=2, batch_size=4, learning_rate=1e-2),
        seed=0, recorder=listener, probes=(probe,),
    )  # fmt: skip

    crossed = {name: [] for name in split.party_names}
    for message in listener.messages:
        if message.route.direction is Direction.ACTIVATION and message.epoch == 0:
            crossed[message.route.party] += message.samples.tolist()
    assert {name: sorted(each) for name, each in crossed.items()} == {
        name: own.tolist() for name, own in dealt.items()
    }
    for state in listener.states:
        mine = {k.removeprefix("parties.0."): v for k, v in state.items() if "parties.0." in k}
        theirs = {k.removeprefix("parties.1."): v for k, v in state.items() if "parties.1." in k}
        assert all(torch.equal(each, theirs[key]) for key, each in mine.items())
    rounds = [each for each in listener.updates if not each[3]]
    assert [(name, samples.tolist()) for name, samples, _, _ in rounds] == 2 * [
        (name, own.tolist()) for name, own in dealt.items()
    ]
    # The second round's updates, weighted by samples, are the step between the two snapshots.
    for key, change in rounds[2][2].items():
        mean = (2 * change + rounds[3][2][key]) / 3
        step = (
            listener.states[0][f"parties.0.encoder.{key}"]
            - listener.states[1][f"parties.0.encoder.{key}"]
        )
        torch.testing.assert_close(mean, step, rtol=1e-4, atol=1e-6)
    probed = [(name, samples.tolist()) for name, samples, _, cut in listener.updates if cut]
    assert probed == 2 * [("p1", [probe])]
