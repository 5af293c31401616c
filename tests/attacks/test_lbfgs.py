"""Many problems minimised at once are each minimised as if alone."""

from __future__ import annotations

import pytest
import torch
from leakaudit.attacks.matching.gradients import ImageBudget, matched
from leakaudit.attacks.matching.lbfgs import Losses, minimised
from scipy.optimize import minimize, rosen, rosen_der
from torch import Tensor

from leakaudit.errors import NotMountableError

STARTS = torch.tensor([[-1.2, 1.0, 0.5], [2.0, -1.5, 0.0], [0.9, 0.9, 0.9]], dtype=torch.float64)


def rosenbrock(points: Tensor) -> tuple[Tensor, Tensor]:
    arrays = points.numpy()
    return (
        torch.tensor([rosen(row) for row in arrays]),
        torch.stack([torch.from_numpy(rosen_der(row)) for row in arrays]),
    )


def minimise(losses: Losses, start: Tensor, steps: int) -> Tensor:
    *_, found = minimised(losses, start, steps)
    return found


def test_finds_what_scipy_finds_in_as_many_steps() -> None:
    found = minimise(rosenbrock, STARTS, 60)
    for row, start in zip(found, STARTS, strict=True):
        theirs = minimize(rosen, start.numpy(), jac=rosen_der, method="L-BFGS-B")
        assert theirs.nit < 60
        torch.testing.assert_close(row, torch.from_numpy(theirs.x), rtol=0, atol=1e-4)


def test_rows_do_not_know_of_each_other() -> None:
    together = minimise(rosenbrock, STARTS, 12)
    alone = torch.cat([minimise(rosenbrock, row[None], 12) for row in STARTS])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-9)


def test_a_tiny_loss_is_minimised_like_a_large_one() -> None:
    def tiny(points: Tensor) -> tuple[Tensor, Tensor]:
        loss, slope = rosenbrock(points)
        return 1e-14 * loss, 1e-14 * slope

    torch.testing.assert_close(minimise(tiny, STARTS, 40), minimise(rosenbrock, STARTS, 40))


def test_a_row_without_a_lower_loss_stays_and_the_others_go_on() -> None:
    def one_is_stuck(points: Tensor) -> tuple[Tensor, Tensor]:
        loss, slope = rosenbrock(points)
        return torch.where(torch.arange(3) == 1, torch.nan, loss), slope

    found = minimise(one_is_stuck, STARTS, 60)
    assert torch.equal(found[1], STARTS[1])
    torch.testing.assert_close(found[[0, 2]], torch.ones(2, 3).double(), rtol=0, atol=1e-4)


BUDGET = ImageBudget("lbfgs", steps=60, restarts=1, learning_rate=0.1, total_variation=0.0)


def test_images_are_read_off_gradients_ten_orders_below_what_all_images_share() -> None:
    rng = torch.Generator().manual_seed(0)
    mix = torch.randn(200, 64, generator=rng).double() / 4
    images = torch.rand(3, 1, 1, 8, 8, generator=rng).double()

    def caused(given: Tensor) -> Tensor:
        return 1.0 + 1e-5 * torch.sigmoid(given.flatten(1) @ mix.T)

    *_, last = matched(caused, caused(images), torch.full_like(images, 0.5), BUDGET)
    assert (last.values - images).square().mean() < 1e-4


def test_says_that_nothing_can_be_differentiated() -> None:
    start = torch.full((1, 1, 1, 4, 4), 0.5)
    with pytest.raises(NotMountableError, match="differentiated"):
        matched(lambda images: images.detach().flatten(1), start.flatten(1), start, BUDGET)
