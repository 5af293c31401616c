"""Dropout: its rate, its unit, its gradient."""

import pytest
import torch
from leakaudit.defenses.dropout import Dropout
from scipy.stats import binomtest


@pytest.mark.parametrize("shape", [(4, 32, 24, 24), (4, 32, 8, 8, 8)])
def test_the_stated_share_is_dropped_and_the_rest_scaled(shape: tuple[int, ...]) -> None:
    changed = Dropout(rate=0.3).change(torch.ones(shape), torch.Generator().manual_seed(1))
    dropped = int((changed == 0).sum())
    assert binomtest(dropped, changed.numel(), 0.3).pvalue > 1e-6
    assert binomtest(dropped, changed.numel(), 0.31).pvalue < 1e-6
    assert torch.allclose(changed[changed != 0], torch.tensor(1 / 0.7))


def test_channels_are_dropped_whole_and_per_sample() -> None:
    changed = Dropout(rate=0.5, unit="channel").change(
        torch.ones(8, 64, 6, 6), torch.Generator().manual_seed(1)
    )
    per_channel = (changed == 0).flatten(2).float().mean(dim=2)
    assert set(per_channel.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(per_channel[0], per_channel[1])


def test_the_gradient_passes_where_values_pass() -> None:
    message = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda m: Dropout(rate=0.5).change(m, torch.Generator().manual_seed(1)), message
    )
