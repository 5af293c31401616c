"""Cross-modality is never much worse than own images; it starts from a party's own.

That the one that reads messages gains where they tell more than own images, and nothing from other
patients' messages, is in the contract test.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from leakaudit.attacks.cross_modality import CrossModality
from leakaudit.attacks.cross_modality_inversion import CrossModalityInversion
from memory_exchange import World, conditional_advantage

from leakaudit.cells.blind import blind_guess
from leakaudit.errors import NotMountableError
from leakaudit.testing import check_attack
from leakaudit.threat.knowledge import NOTHING, Position
from leakaudit.threat.view import View

READER = CrossModality(steps=10, channels=8, reader_steps=30, stand_in_steps=5)
LISTENER = CrossModalityInversion(steps=2, channels=8, copies=0)


def seen(world: World, **changes: object) -> View:
    return world.view(Position.PARTY, members=("north",), **changes)


@pytest.mark.slow
def test_gradients_never_make_it_much_worse_than_own_images(world: Callable[..., World]) -> None:
    given = world(space=(16, 16))
    view = seen(given)
    (guess,) = check_attack(READER, view, seed=1).values()
    (found,) = conditional_advantage(given, {view.targets[0]: guess}).values()
    assert found > -0.05
    assert guess.values.shape == given.images["south"].shape
    assert guess.trail[0].effort == 0


def test_messages_that_tell_nothing_leave_the_blind_guess(world: Callable[..., World]) -> None:
    given = world(space=(16, 16))
    view = seen(given)
    queried = View.query

    def silent(self: View, *args: object) -> dict[int, torch.Tensor]:
        return {level: torch.rand_like(each) for level, each in queried(self, *args).items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(View, "query", silent)
        (guess,) = LISTENER(view, 1).values()
    torch.testing.assert_close(guess.values, blind_guess(view, view.targets[0]).values)


def test_each_needs_what_it_reads_and_images_of_its_own(world: Callable[..., World]) -> None:
    with pytest.raises(NotMountableError, match="activations"):
        LISTENER(seen(world(space=(16, 16)), grants=READER.required), 0)
    with pytest.raises(NotMountableError, match="own-images"):
        LISTENER(world(space=(16, 16)).view(grants=NOTHING), 0)
    with pytest.raises(NotMountableError, match="no party"):
        LISTENER(world(space=(16, 16)).view(), 0)


def test_two_auxiliary_patients_are_kept_to_judge_by(world: Callable[..., World]) -> None:
    few = world(space=(16, 16), auxiliary=3, training=1)
    with pytest.raises(NotMountableError, match="at least four patients"):
        LISTENER(seen(few), 0)
