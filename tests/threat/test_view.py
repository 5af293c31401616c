"""A view shows what was granted and nothing else; shuffling never keeps a patient's message."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from fake_views import SPLIT, FakeExchange, FakeRebuilt
from hypothesis import given
from hypothesis import strategies as st

from leakaudit.errors import NotMountableError
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.threat.knowledge import NOTHING, Adversary, Knowledge, Position
from leakaudit.threat.view import Auxiliary, View, derangement, seen_from

PATIENTS = torch.tensor([0, 0, 1, 1, 2])


def view_of(adversary: Adversary, knowledge: Knowledge) -> View:
    return View(
        adversary=adversary, knowledge=knowledge, split=SPLIT, modalities={"a": 1, "b": 1},
        regions=1, space=(4, 4), defenses=(), targets=(), patients=PATIENTS,
        _exchange=FakeExchange(), _rebuilt=FakeRebuilt(),
        _auxiliary=Auxiliary({"a": torch.zeros(2, 1, 4, 4), "b": torch.zeros(2, 1, 4, 4)},
                             torch.zeros(2, 1, 4, 4), torch.tensor([7, 8])),
        _own_images={"a": torch.ones(5, 1, 4, 4)}, _labels=torch.ones(5, 1, 4, 4),
    )  # fmt: skip


ACCESS = {
    Knowledge.ACTIVATIONS: lambda v: v.activations("b", 0, 0),
    Knowledge.GRADIENTS: lambda v: v.gradients("a", 0, 0),
    Knowledge.WEIGHT_UPDATES: lambda v: v.updates("b", 0),
    Knowledge.QUERIES: lambda v: v.query("b", torch.zeros(1, 1, 4, 4), 0, torch.Generator()),
    Knowledge.ENCODER_WEIGHTS: lambda v: v.encoder("b", 0),
    Knowledge.SERVER_WEIGHTS: lambda v: v.server(0),
    Knowledge.AUXILIARY_IMAGES: lambda v: v.auxiliary_images("b"),
    Knowledge.AUXILIARY_LABELS: lambda v: v.auxiliary_masks(),
    Knowledge.OWN_IMAGES: lambda v: v.own_images("a"),
    Knowledge.LABELS: lambda v: v.labels(),
}
PARTY = Adversary(name="p", position=Position.PARTY, members=("a",))


@pytest.mark.parametrize("needed", ACCESS)
def test_every_accessor_checks_its_own_grant(needed: Knowledge) -> None:
    ACCESS[needed](view_of(PARTY, needed))
    with pytest.raises(NotMountableError):
        ACCESS[needed](view_of(PARTY, (~NOTHING) & ~needed))


def test_an_encoder_is_asked_in_messages_as_large_as_the_recorded_ones() -> None:
    sizes = []

    class Counting(FakeRebuilt):
        def party(self, name: str, epoch: int) -> object:
            def send(images: torch.Tensor, rng: torch.Generator) -> dict[int, torch.Tensor]:
                sizes.append(len(images))
                return {0: images.repeat(1, 2, 1, 1)}

            return send

    view = dataclasses.replace(view_of(PARTY, Knowledge.QUERIES), _rebuilt=Counting())
    images = torch.arange(5.0)[:, None, None, None].expand(5, 1, 4, 4)
    sent = view.query("b", images, 0, torch.Generator())
    assert sizes == [2, 2, 1]
    assert torch.equal(sent[0][:, 0], images[:, 0])


def test_a_party_reads_its_own_link_and_images_only() -> None:
    view = view_of(PARTY, ~NOTHING)
    with pytest.raises(NotMountableError):
        view.gradients("b", 0, 0)
    with pytest.raises(NotMountableError):
        view.own_images("b")


@given(st.lists(st.integers(0, 6), min_size=2, max_size=40), st.integers(0, 2**31))
def test_shuffling_hands_every_row_another_patients_message(owners: list[int], seed: int) -> None:
    patients = torch.tensor(owners)
    rng = torch.Generator().manual_seed(seed)
    if len(set(owners)) < 2:
        with pytest.raises(NotMountableError):
            derangement(patients, rng)
        return
    rows = derangement(patients, rng)
    assert bool((patients[rows] != patients).all())


def test_shuffled_view_moves_messages_but_not_what_the_adversary_holds_itself() -> None:
    view = view_of(PARTY, ~NOTHING)
    mixed = view.shuffled(torch.Generator().manual_seed(1))
    before, after = view.gradients("a", 0, 0)[:, 0, 0, 0], mixed.gradients("a", 0, 0)[:, 0, 0, 0]
    assert bool((PATIENTS[after.long()] != PATIENTS[before.long()]).all())
    torch.testing.assert_close(mixed.own_activations("a", 0, 0), view.own_activations("a", 0, 0))


def test_positions_see_what_the_threat_model_says() -> None:
    server = Adversary(name="s", position=Position.SERVER)
    assert Knowledge.ACTIVATIONS in seen_from(server, SPLIT)
    assert Knowledge.LABELS in seen_from(server, SPLIT)
    u_shaped = SPLIT.model_copy(update={"labels_at": "b"})
    assert Knowledge.LABELS not in seen_from(server, u_shaped)
    assert Knowledge.ACTIVATIONS not in seen_from(PARTY, SPLIT)
    assert Knowledge.WEIGHT_UPDATES not in seen_from(server, SPLIT)
    wire = Adversary(name="w", position=Position.WIRE)
    assert Knowledge.SERVER_WEIGHTS not in seen_from(wire, SPLIT)


@pytest.mark.parametrize(
    ("adversary", "parties", "sees", "lacks"),
    [
        (
            {"position": "server"}, 3,
            Knowledge.ACTIVATIONS | Knowledge.WEIGHT_UPDATES | Knowledge.ENCODER_WEIGHTS,
            Knowledge.OWN_IMAGES,
        ),
        (
            {"position": "party", "members": ("a",)}, 3, Knowledge.ENCODER_WEIGHTS,
            Knowledge.WEIGHT_UPDATES | Knowledge.ACTIVATIONS | Knowledge.OWN_IMAGES,
        ),
        (
            {"position": "party", "members": ("a",)}, 2, Knowledge.WEIGHT_UPDATES,
            Knowledge.ACTIVATIONS,
        ),
        (
            {"position": "wire"}, 3, Knowledge.ACTIVATIONS | Knowledge.WEIGHT_UPDATES,
            Knowledge.LABELS | Knowledge.SERVER_WEIGHTS,
        ),
    ],
)  # fmt: skip
def test_who_sees_what_where_encoders_are_averaged(
    adversary: dict[str, object], parties: int, sees: Knowledge, lacks: Knowledge
) -> None:
    split = SplitSpec(
        parties=tuple(PartySpec(name=name, modalities=("T1",)) for name in "abc"[:parties]),
        channels=(2, 4), party_levels=1, orientation="horizontal",
    )  # fmt: skip
    shown = seen_from(Adversary.model_validate({"name": "x", **adversary}), split)
    assert shown & sees == sees
    assert not shown & lacks


def test_a_view_knows_of_which_epochs_anything_was_read() -> None:
    view = view_of(PARTY, ~NOTHING)
    assert view.epochs_read == ()
    view.activations("b", 0, 0)
    view.shuffled(torch.Generator()).gradients("a", 0, 3)
    assert view.epochs_read == (0, 3)
    assert view.afresh().epochs_read == ()
    assert view.epochs_read == (0, 3)
