"""Advantage over what is known anyway."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakaudit.metrics import advantage, relative_leakage


def test_blind_is_0_and_the_ceiling_is_1_either_way():
    ssim = advantage([0.6, 1.0, 0.8, 0.5], 0.6, 1.0, higher_leaks=True)
    np.testing.assert_allclose(ssim, [0, 1, 0.5, -0.25])
    mse = advantage([0.04, 0.0, 0.02, 0.05], 0.04, 0.0, higher_leaks=False)
    np.testing.assert_allclose(mse, [0, 1, 0.5, -0.25])


def test_no_room_is_missing():
    room = advantage([0.5, 0.5, np.nan], [1.0, 0.2, 0.2], 1.0, higher_leaks=True)
    assert np.isnan(room).tolist() == [True, False, True]
    assert np.isnan(advantage(0.9, 1.1, 1.0, higher_leaks=True))
    assert np.isnan(advantage(0.9, 0.1, 1.0, higher_leaks=False))


@given(st.floats(-1, 1), st.floats(-1, 0.9))
def test_grows_with_the_leak(value, blind):
    more = advantage(value + 0.1, blind, 1.0, higher_leaks=True)
    assert more > advantage(value, blind, 1.0, higher_leaks=True)
    assert advantage(1 - value - 0.1, 1 - blind, 0.0, higher_leaks=False) == pytest.approx(more)


def test_relative_leakage():
    np.testing.assert_allclose(relative_leakage([0.6, 0.9], 0.6), [0, 0.5])
    assert np.isnan(relative_leakage(0.5, [0.0, -0.2])).all()
