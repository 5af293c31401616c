"""Altered copies: other images of the same patients, within range and within memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from leakaudit.attacks.parts import examples as part
from leakaudit.attacks.parts.examples import altered, examples
from memory_exchange import World


def drawn() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("space", [(24, 20), (12, 10, 8)])
def test_copies_are_other_images_in_range(space: tuple[int, ...]) -> None:
    images = torch.rand(6, 2, *space, generator=drawn())
    before = images.clone()
    copies = altered(images, drawn())
    assert copies.shape == images.shape
    assert copies.min() >= 0
    assert copies.max() <= 1
    assert (copies - images).abs().mean((1, *range(2, images.ndim))).min() > 0.01
    assert torch.equal(images, before)
    assert torch.equal(copies, altered(images, drawn()))
    assert not torch.equal(copies, altered(images, torch.Generator().manual_seed(4)))


def test_a_copy_still_shows_its_original() -> None:
    blob = torch.zeros(40, 1, 32, 32)
    blob[:, :, 12:20, 12:20] = 0.8
    copies = altered(blob, drawn())
    kept = copies.flatten(1).sum(1) / blob.flatten(1).sum(1)
    assert kept.min() > 0.4
    assert kept.max() < 2
    at = copies.flatten(2).argmax(2)[:, 0]
    assert (at // 32 - 16).abs().max() <= 9
    assert (at % 32 - 16).abs().max() <= 9


def test_a_third_dimension_turns_and_mirrors_across() -> None:
    ramp = torch.linspace(0, 1, 16).expand(40, 1, 16, 16, 16)
    slopes = (altered(ramp, drawn())[:, 0, 8, 8, 12] - altered(ramp, drawn())[:, 0, 8, 8, 3]).sign()
    assert 8 < (slopes < 0).sum() < 32, "half of them run the other way"


def test_auxiliary_images_come_first_and_copies_keep_their_patient(
    world: Callable[..., World],
) -> None:
    view = world().view(levels=[(0,)])
    asked = examples(view, "south", 2, drawn())
    images, patients = view.auxiliary_images("south"), view.auxiliary_patients
    assert torch.equal(asked.images[: len(images)], images)
    assert torch.equal(asked.patients, patients.repeat(3))
    assert asked.altered.tolist() == [False] * len(images) + [True] * 2 * len(images)


def test_no_more_copies_than_memory_allows(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    view = world().view(levels=[(0,)])
    images = view.auxiliary_images("south")
    sent = view.query("south", images, view.last_epoch, drawn())
    once = sum(features.nbytes for features in sent.values())
    for room, copies in ((once // 2, 0), (2 * once, 1), (3 * once, 2), (99 * once, 4)):
        monkeypatch.setattr(part, "_MOST_BYTES", room)
        assert len(examples(view, "south", 4, drawn()).images) == (1 + copies) * len(images)


def test_copies_only_where_images_are_few(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    view = world().view(levels=[(0,)])
    own = len(view.auxiliary_images("south"))
    for enough, copies in ((own - 1, 0), (2 * own - 1, 0), (2 * own, 1), (99 * own, 4)):
        monkeypatch.setattr(part, "_ENOUGH", enough)
        assert len(examples(view, "south", 4, drawn()).images) == (1 + copies) * own
