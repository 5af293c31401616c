"""Who trained, told by the network: it errs less on whom it saw than others that did not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from leakaudit.attacks.model_membership_inference import ModelMembershipInference
from leakaudit.defenses.gaussian_noise import GaussianNoise
from memory_exchange import OUTSIDERS, World, line_up, membership_advantage

from leakaudit.errors import NotMountableError
from leakaudit.threat.knowledge import NOTHING, Knowledge
from leakaudit.threat.view import View

ATTACK = ModelMembershipInference(references=2, steps=30)
BY_HEART: dict[str, Any] = {
    "training": 400, "patients": 10, "auxiliary": 12, "slices": 1, "batch_size": 4,
}  # fmt: skip
MASKS = Knowledge.CANDIDATE_LABELS


def seen(world: World, without: Knowledge = NOTHING, **changes: Any) -> View:
    return world.view(
        **{"asset": "membership", "victims": ("north", "south"), "grants": ~without, **changes}
    )


def told(world: World, view: View) -> float:
    """How well members are told from outsiders: 0 is a coin."""
    (found,) = set(membership_advantage(world, ATTACK(view, 1)).values())
    return found


def test_a_network_that_learnt_its_patients_by_heart_tells_who_they_are(
    world: Callable[..., World],
) -> None:
    given = world(**BY_HEART)
    assert told(given, seen(given)) > 0.5
    assert told(given, seen(given, victims=("south",))) > 0.4
    strangers = replace(seen(given), _candidates=line_up(given, strangers=True))
    assert told(given, strangers) < 0.2


def test_a_network_that_hardly_trained_tells_less(world: Callable[..., World]) -> None:
    barely = world(**(BY_HEART | {"training": 20}))
    learnt = world(**BY_HEART)
    assert told(barely, seen(barely)) < told(learnt, seen(learnt)) - 0.3


def test_without_a_mask_of_the_person_it_goes_by_how_sure_the_network_is(
    world: Callable[..., World],
) -> None:
    given = world(**BY_HEART)
    unmarked = replace(seen(given, without=MASKS), _candidates=replace(line_up(given), masks=None))
    blind = told(given, unmarked)
    assert 0.2 < blind < told(given, seen(given))


def test_one_score_for_everybody_whichever_way_they_stand(world: Callable[..., World]) -> None:
    given = world(**BY_HEART)
    view = seen(given)
    mixed = view.misnamed(torch.Generator().manual_seed(3))
    order = torch.randperm(len(line_up(given).masks), generator=torch.Generator().manual_seed(3))
    straight, crooked = (next(iter(ATTACK(each, 1).values())).values for each in (view, mixed))
    assert crooked == pytest.approx(straight[order], abs=1e-4)
    assert not torch.allclose(crooked, straight, atol=1e-2)
    assert len(straight) == 10 + OUTSIDERS


def test_it_needs_the_server_and_no_message(world: Callable[..., World]) -> None:
    given = world(**BY_HEART)
    assert Knowledge.ACTIVATIONS not in ATTACK.required
    quick = ATTACK.model_copy(update={"steps": 1})
    quick(given.view(asset="membership", grants=ATTACK.required), 1)
    for kind in (Knowledge.QUERIES, Knowledge.AUXILIARY_LABELS, Knowledge.CANDIDATE_IMAGES):
        with pytest.raises(NotMountableError, match=kind.words[0]):
            quick(seen(given, without=kind), 1)


def test_three_dimensions_odd_sizes_and_noise_that_is_redrawn(world: Callable[..., World]) -> None:
    noise = GaussianNoise(noise_multiplier=0.02, clip_norm=60.0)
    deep = world(
        space=(9, 11, 10), patients=3, auxiliary=4, slices=1, training=5, epochs=2, probed=0,
        split=world().setup.split.model_copy(update={"dimensions": 3}), defenses=(noise,),
    )  # fmt: skip
    quick = ATTACK.model_copy(update={"steps": 2, "draws": 2})
    guesses = quick(seen(deep), 1)
    assert set(guesses) == set(seen(deep).targets)
    for guess in guesses.values():
        assert torch.isfinite(guess.values).all()
        assert [point.effort for point in guess.trail] == [2]
        assert guess.effort == 4


def test_one_auxiliary_patient_cannot_be_left_out_and_taught(world: Callable[..., World]) -> None:
    with pytest.raises(NotMountableError, match="leave out some auxiliary patients"):
        ATTACK(seen(world(auxiliary=1, training=1)), 1)
