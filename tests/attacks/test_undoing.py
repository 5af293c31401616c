"""Each way of undoing is for a kind of code: found by rehearsal, missed when it is taken out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import pytest
import torch
from keyed_codes import KEYED
from leakaudit.attacks.decoder_inversion import DecoderInversion
from leakaudit.attacks.parts.undoing import search as searching
from leakaudit.attacks.parts.undoing.search import Tried, best
from leakaudit.attacks.parts.undoing.source import undone
from lossless_codes import Coding
from memory_exchange import World, advantage
from torch import Generator, Tensor

from leakaudit.exchange.defense import Defense, Guard, Site

LEAST = 0.3  # of the images' variance, told of unseen patients
ALIGNED = {
    "channels of a sample turned to the typical", "channels of a message turned to the typical",
    "channels of a sample whitened and turned to the typical",
    "channels of a message whitened and turned to the typical",
    "signs of channels turned to the typical",
}  # fmt: skip
PLACED = {
    "positions of all channels turned to images", "positions of each channel turned to images",
}  # fmt: skip
RANKED = {"ranks within channels", "ranks within samples"}
# A code, and the ways of undoing that read through it; without them nothing else does.
READERS: Mapping[str, set[str]] = {
    "cosine_transform": {
        "inverse cosine transform", "inverse cosine transform, orthonormal",
        "inverse sine transform", "inverse Hartley transform", *PLACED,
    },
    "sign_and_scale": ALIGNED,
    "rotation_of_a_message": ALIGNED,
    "rotation_of_a_sample": ALIGNED,
    "permutation_of_channels": {
        *ALIGNED, "channels in order of size", "products of channels", *RANKED,
    },
    "decoy_beside": {"channels whitened", "samples of a message unmixed", *ALIGNED},
    "pad_beside": {"channels whitened", *ALIGNED},
    "permutation_of_pixels": PLACED,
    "mixing_of_a_batch": {"samples of a message unmixed"},
    "decoy_in_the_message": {"samples of a message unmixed"},
    "pad_of_a_message": {"differences of samples in a message"},
    "phases_sent_along": {"spectra turned back by angles sent along"},
    "phases_with_a_pilot": {"spectra turned back by a pilot"},
    "digits_apart": {"digits taken apart around a circle"},
    "cyclic_shift": {"shifted to the typical", "spectra"},
}  # fmt: skip


def tried(world: World) -> list[Tried]:
    rng = torch.Generator().manual_seed(0)
    return undone(world.view(levels=[(0,)]), "south", [0], rng)[1][0]


@pytest.mark.parametrize("code", READERS)
def test_a_code_is_undone_by_its_reader_and_by_nothing_else(
    code: str, world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    # More channels than an undefended network takes.
    beside = code in KEYED or code.endswith("_beside")
    coded = world(defenses=(Coding(code=code),), planted=not beside)
    found = best(tried(coded))
    assert found.told > LEAST
    assert READERS[code] & {step.name for step in found.steps}
    for every in ("UNDOINGS", "SLOW"):
        left = [each for each in getattr(searching, every) if each.name not in READERS[code]]
        monkeypatch.setattr(searching, every, tuple(left))
    assert best(tried(coded)).told < 0.8 * found.told


@pytest.mark.parametrize("code", ["rotation_of_a_message", "mixing_of_a_batch"])
def test_what_a_code_hid_is_recovered_of_the_patient_whose_it_is(
    code: str, world: Callable[..., World]
) -> None:
    attack = DecoderInversion(steps=30, channels=8, copies=2, draws=2)

    def recovered(world: World) -> float:
        (found,) = advantage(world, attack(world.view(levels=[(0,)]), 0)).values()
        return found

    coded = world(defenses=(Coding(code=code),), planted=True)
    assert recovered(coded) > 0.8 * recovered(world())


def test_a_guess_says_what_was_tried_and_what_each_way_told(world: Callable[..., World]) -> None:
    attack = DecoderInversion(steps=10, channels=8, copies=2, draws=2)
    coded = world(defenses=(Coding(code="mixing_of_a_batch"),), planted=True)
    for guess in attack(coded.view(levels=[(0,)]), 0).values():
        undoing = {way.way: way for way in guess.ways if way.kind == "undoing"}
        (used,) = (way for way in undoing.values() if way.used)
        assert used.way == "samples of a message unmixed"
        assert used.told is not None
        assert undoing["as sent"].told is not None
        assert used.told > undoing["as sent"].told + LEAST
        decoders = {way.way: way.told for way in guess.ways if way.kind == "decoder"}
        near, whole = (
            decoders["linear, around each position"],
            decoders["linear, of whole messages"],
        )
        weighed = decoders["both linear, weighed"]
        assert near is not None
        assert whole is not None
        assert weighed is not None
        assert weighed > max(near, whole) - 0.02


class Spelled(Defense):
    """Shuffles every sample's pixels anew, and sends along by which numbers it ordered them."""

    said: Literal["nothing", "how", "nonsense", "an error"]

    def guard(self, site: Site, rng: Generator) -> Guard:
        del site, rng
        return _SpelledGuard()

    def undo(self, level: int, message: Tensor) -> Tensor | None:
        del level
        if self.said == "an error":
            raise ZeroDivisionError
        if self.said == "nothing":
            return None
        flat = message.flatten(2)
        mixed, order = flat[:, :-1], (1e3 * flat[:, -1:]).round().long()
        undone = torch.empty_like(mixed).scatter_(2, order.expand_as(mixed), mixed)
        found = undone.reshape(len(message), -1, *message.shape[2:])
        return found[1:] if self.said == "nonsense" else found


class _SpelledGuard(Guard):
    def shapes(self, shapes: Mapping[int, tuple[int, ...]]) -> Mapping[int, tuple[int, ...]]:
        return {level: (shape[0] + 1, *shape[1:]) for level, shape in shapes.items()}

    def forward_message(self, level: int, features: Tensor, rng: Generator) -> Tensor:
        del level
        flat = features.flatten(2)
        order = torch.rand(len(flat), 1, flat.shape[2], generator=rng).argsort(2)
        mixed = flat.gather(2, order.expand_as(flat))
        return torch.cat([mixed, order / 1e3], 1).reshape(len(flat), -1, *features.shape[2:])


def test_a_defenses_own_words_are_taken(world: Callable[..., World]) -> None:
    told = {said: best(tried(world(defenses=(Spelled(said=said),)))) for said in ("how", "nothing")}
    assert told["how"].steps[0].name == "what the defense says itself"
    assert told["how"].told > 2 * told["nothing"].told


@pytest.mark.parametrize("said", ["nonsense", "an error"])
def test_own_words_that_are_none_are_named_and_skipped(
    said: str, world: Callable[..., World]
) -> None:
    every = tried(world(defenses=(Spelled(said=said),)))
    (own,) = (each for each in every if each.name == "what the defense says itself")
    assert "undo of Spelled" in own.problem
    assert len([each for each in every if not each.problem]) > 10


def test_two_auxiliary_patients_choose_nothing(world: Callable[..., World]) -> None:
    view = world(auxiliary=2).view(levels=[(0,)])
    assert not undone(view, "south", [0], torch.Generator())[1]
    (guess,) = DecoderInversion(steps=2, channels=4, copies=0)(view, 0).values()
    assert bool(torch.isfinite(guess.values).all())


def test_messages_of_a_single_sample_have_no_differences(world: Callable[..., World]) -> None:
    coded = (Coding(code="sign_and_scale"),)
    alone = tried(world(batch_size=1, defenses=coded, planted=True))
    problems = {each.name: each.problem for each in alone}
    assert problems["differences of samples in a message"] == "messages of a single sample"
    assert problems["samples of a message unmixed"]


@pytest.mark.parametrize("code", ["constant", "zeros", "fresh_noise"])
def test_messages_that_carry_nothing_are_read_as_sent(
    code: str, world: Callable[..., World]
) -> None:
    assert not best(tried(world(defenses=(Coding(code=code),), planted=True))).steps


@pytest.mark.parametrize("seed", range(2))
def test_what_can_be_read_as_sent_is_read_as_sent(seed: int, world: Callable[..., World]) -> None:
    view = world(seed=seed).view(levels=[(0,)])
    looked = DecoderInversion(steps=2, channels=4, copies=1)
    (plain,) = looked.model_copy(update={"undo": False})(view, 0).values()
    (guess,) = looked(view, 0).values()
    assert torch.equal(guess.values, plain.values)


def test_nothing_is_looked_for_where_each_position_tells_of_its_image(
    world: Callable[..., World],
) -> None:
    assert [each.name for each in tried(world(planted=True))] == ["as sent"]
