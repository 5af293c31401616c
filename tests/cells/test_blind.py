"""The blind baseline is the best an adversary does without messages, chosen on its own patients."""

from __future__ import annotations

import dataclasses

import torch
from fake_views import SPLIT, FakeExchange, FakeRebuilt

from leakaudit.cells.blind import blind_guess
from leakaudit.threat.knowledge import NOTHING, Adversary, Position
from leakaudit.threat.view import Auxiliary, Target, View


def view_where(own_tells: bool, adversary: Adversary) -> View:
    """Party b's image is party a's, upside down, if ``own_tells``; otherwise noise."""
    rng = torch.Generator().manual_seed(0)
    own = torch.rand(30, 1, 16, 16, generator=rng)
    other = 1 - own if own_tells else torch.rand(30, 1, 16, 16, generator=rng)
    return View(
        adversary=adversary, knowledge=~NOTHING, split=SPLIT, modalities={"a": 1, "b": 1},
        regions=1, space=(16, 16), defenses=(), targets=(), patients=torch.arange(10),
        _exchange=FakeExchange(), _rebuilt=FakeRebuilt(),
        _auxiliary=Auxiliary({"a": own[10:], "b": other[10:]}, (own[10:] > 0.5).float(),
                             torch.arange(20) + 100),
        _own_images={"a": own[:10]}, _labels=None,
    )  # fmt: skip


PARTY = Adversary(name="p", position=Position.PARTY, members=("a",))
SERVER = Adversary(name="s", position=Position.SERVER)
TARGET = Target("b", "images", (0,))


def test_a_party_predicts_from_its_own_images_where_they_tell() -> None:
    blind = blind_guess(view_where(True, PARTY), TARGET)
    assert blind.method == "own images"
    truth = 1 - view_where(True, PARTY).own_images("a")
    assert float((blind.values - truth).abs().mean()) < 0.1


def test_it_does_not_where_they_tell_nothing() -> None:
    blind = blind_guess(view_where(False, PARTY), TARGET)
    assert blind.method == "mean"


def test_the_server_has_no_images_of_its_own() -> None:
    view = view_where(True, SERVER)
    blind = blind_guess(view, TARGET)
    assert blind.method == "mean"
    mean = view.auxiliary_images("b").mean(dim=0)
    torch.testing.assert_close(blind.values, mean.expand(10, 1, 16, 16))


def test_masks_are_guessed_from_own_images_too() -> None:
    view = view_where(True, PARTY)
    target = Target("server", "masks", (0,))
    blind = blind_guess(view, target)
    assert blind.method == "own images"
    real = view.own_images("a") > 0.5
    assert float(((blind.values > 0.5) == real).float().mean()) > 0.8


def test_it_never_reads_messages() -> None:
    class Silent:
        epochs = (0,)

        def messages(self, *_: object) -> torch.Tensor:
            raise AssertionError("the blind baseline read a message")

    view = dataclasses.replace(view_where(True, PARTY), _exchange=Silent())
    blind_guess(view, TARGET)
