"""A linear decoder reads what is there, however its features are conditioned."""

from __future__ import annotations

import pytest
import torch
from leakaudit.attacks.parts.conditioning import Beside, Cleared, condition
from leakaudit.attacks.parts.linear import fit_linear
from leakaudit.attacks.parts.squashing import Ranking
from torch import Tensor

FOLDS = [torch.arange(start, 40, 4) for start in range(4)]
SPACE = (8, 8)


def drawn(number: int = 40) -> tuple[Tensor, Tensor]:
    """Images (n, 1, *SPACE) in [0, 1], and messages of which two channels show them."""
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(number, 1, *SPACE, generator=rng)
    messages = torch.randn(number, 4, *SPACE, generator=rng)
    messages[:, 0] = images[:, 0] + 0.05 * messages[:, 0]
    messages[:, 1] = 2 - 3 * images[:, 0].roll(1, -1) + 0.05 * messages[:, 1]
    return images, messages


def test_a_map_of_one_way_is_the_ridge_regression_of_all_its_columns() -> None:
    images, messages = drawn()
    zero = torch.zeros(1, 1, *SPACE)
    fit = fit_linear(messages, images, zero, 1, FOLDS, torch.Generator())
    assert fit.error < 0.01
    assert fit.way == 0
    left = (fit.decoder(messages).clamp(0, 1) - images).square().mean().item()
    assert left == pytest.approx(fit.error, rel=0.3)


@pytest.mark.parametrize("useless", [0, 1])
def test_a_way_that_shows_nothing_costs_nothing(useless: int) -> None:
    images, messages = drawn()
    zero = torch.zeros(1, 1, *SPACE)
    noise = torch.randn(messages.shape, generator=torch.Generator().manual_seed(1))
    both = [messages, noise] if useless else [noise, messages]
    alone = fit_linear(messages, images, zero, 1, FOLDS, torch.Generator().manual_seed(2))
    fit = fit_linear(
        torch.cat(both, dim=1), images, zero, 1, FOLDS, torch.Generator().manual_seed(2), ways=2
    )
    assert fit.way == 1 - useless
    assert fit.error < 1.1 * alone.error


def test_two_ways_that_each_show_a_part_are_read_together() -> None:
    images, messages = drawn()
    zero = torch.zeros(1, 1, *SPACE)
    half = SPACE[1] // 2
    ways = []
    for hidden in (slice(half), slice(half, None)):
        part = messages.clone()
        part[..., hidden] = 0
        ways.append(part)
    alone = min(fit_linear(way, images, zero, 1, FOLDS, torch.Generator()).error for way in ways)
    both = fit_linear(torch.cat(ways, dim=1), images, zero, 1, FOLDS, torch.Generator(), ways=2)
    assert both.error < 0.5 * alone


def test_a_single_fold_predicts_itself() -> None:
    images, messages = drawn()
    every = [torch.arange(len(images))]
    fit = fit_linear(messages, images, torch.zeros(1, 1, *SPACE), 1, every, torch.Generator())
    assert torch.allclose(fit.unseen, fit.decoder(messages), atol=1e-5)


def test_a_pattern_over_all_messages_is_taken_out_with_a_blank_image() -> None:
    images, messages = drawn()
    pattern = 5 * torch.randn(1, 4, *SPACE, generator=torch.Generator().manual_seed(3))
    blank = torch.zeros(1, 4, *SPACE)
    found = [
        condition(sent, images, 1, FOLDS, torch.Generator(), blank=empty, centring=False)
        for sent, empty in ((messages, blank), (messages + pattern, blank + pattern))
    ]
    assert isinstance(found[1], Cleared)
    assert not isinstance(found[0], Cleared)
    assert torch.allclose(found[1](messages + pattern), found[0](messages), atol=1e-4)


def test_ways_stand_side_by_side_where_columns_are_few() -> None:
    images, messages = drawn()
    blank = torch.zeros(1, 4, *SPACE)
    way = condition(messages, images, 1, FOLDS, torch.Generator(), blank=blank, beside=True)
    assert isinstance(way, Beside)
    assert way(messages).shape[1] == way.ways * messages.shape[1]
    wide, none = messages.repeat(1, 20, 1, 1), torch.zeros(1, 80, *SPACE)
    alone = condition(wide, images, 1, FOLDS, torch.Generator(), blank=none, beside=True)
    assert alone.ways == 1


def test_ranks_undo_a_monotone_change() -> None:
    _, messages = drawn()
    changed = messages.sign() * messages.abs() ** 1.5
    plain, undone = Ranking.fit(messages)(messages), Ranking.fit(changed)(changed)
    assert (plain - undone).abs().mean() < 0.01
    assert plain.std() == pytest.approx(1, abs=0.1)


def test_values_far_apart_leave_an_equation_with_a_solution() -> None:
    images, messages = drawn()
    messages[0] *= 1e7
    fit = fit_linear(messages, images, torch.zeros(1, 1, *SPACE), 1, FOLDS, torch.Generator())
    assert bool(torch.isfinite(fit.unseen).all())
