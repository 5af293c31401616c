"""Decoder inversion leaks where there is a leak, however the messages are dressed up."""

from __future__ import annotations

from collections.abc import Callable

import torch
from leakaudit.attacks.decoder_inversion import DecoderInversion
from memory_exchange import World
from torch import Tensor

QUICK = DecoderInversion(steps=40, channels=8)


def advantage(world: World, guess: Tensor, victim: str = "south") -> float:
    """Share of the blind baseline's squared error that the attack removes."""
    truth = world.images[victim]
    blind = world.auxiliary.images[victim].mean(0, keepdim=True)
    left = (guess - truth).square().mean() / (blind - truth).square().mean()
    return 1 - left.item()


def test_reads_images_off_an_open_cut(world: Callable[..., World]) -> None:
    open_cut = world()
    view = open_cut.view(levels=[(0,), (1,), (0, 1)])
    found = [advantage(open_cut, guess.values) for guess in QUICK(view, 0).values()]
    assert found[0] > 0.7


def test_altered_copies_make_up_for_few_patients(world: Callable[..., World]) -> None:
    few = world(auxiliary=3)
    view = few.view(levels=[(1,)])

    def found(copies: int) -> float:
        attack = DecoderInversion(steps=40, channels=8, copies=copies)
        (guess,) = attack(view, 0).values()
        return advantage(few, guess.values)

    assert found(6) > found(0) + 0.1


def test_targets_that_share_a_decoder_are_recovered_as_well_as_alone(
    world: Callable[..., World],
) -> None:
    given, victims, levels = world(), ("north", "south"), [(0,), (1,)]

    def found(victims: tuple[str, ...], levels: list[tuple[int, ...]]) -> list[float]:
        guesses = QUICK(given.view(victims=victims, levels=levels), 0)
        return [advantage(given, guess.values, each.victim) for each, guess in guesses.items()]

    together = found(victims, levels)
    alone = [found((victim,), [each])[0] for victim in victims for each in levels]
    assert min(mine - own for mine, own in zip(together, alone, strict=True)) > -0.04
    assert sum(together) > sum(alone) - 0.04


def test_a_curve_over_patients_tells_what_fewer_would_give_and_changes_nothing_else(
    world: Callable[..., World],
) -> None:
    given = world(auxiliary=16)
    view = given.view(victims=("north", "south"), levels=[(0,), (1,)])
    short = DecoderInversion(steps=10, channels=4, copies=0)
    plain, curved = short(view, 0), short.model_copy(update={"patient_curve": True})(view, 0)
    for target, guess in curved.items():
        assert torch.equal(guess.values, plain[target].values)
        assert not plain[target].fewer
        assert guess.learnt_from == 16
        assert [point.effort for point in guess.fewer] == [4, 8]
        few, half = (advantage(given, each.values, target.victim) for each in guess.fewer)
        assert few < half < advantage(given, guess.values, target.victim)
