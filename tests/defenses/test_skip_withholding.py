"""Withholding: what no longer crosses, what cannot be withheld."""

import pytest
from leakaudit.defenses.dropout import Dropout
from leakaudit.defenses.skip_withholding import SkipWithholding

from leakaudit.errors import ConfigurationError
from leakaudit.exchange.defense import Exposure
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.stack import reshaped, resolve
from leakaudit.split.spec import SplitSpec


def test_withheld_levels_no_longer_cross(flat_split: SplitSpec) -> None:
    assert reshaped(flat_split, [SkipWithholding(levels=(0,))]).crossing == (1, 2)
    assert reshaped(flat_split, [SkipWithholding(levels=(1, 0))]).crossing == (2,)


def test_it_stacks_with_itself(flat_split: SplitSpec) -> None:
    twice = [SkipWithholding(levels=(0,)), SkipWithholding(levels=(1,))]
    assert reshaped(flat_split, twice).crossing == (2,)
    assert set(Network(flat_split, 1, (16, 16), twice, seed=0).sent["north"]) == {2}


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ([SkipWithholding(levels=(2,))], "deepest.*level 2.*out of level 0, level 1,"),
        ([SkipWithholding(levels=(5,))], "level 5.*known: level 0, level 1, level 2"),
        (
            [SkipWithholding(levels=(0,)), SkipWithholding(levels=(0,))],
            "level 0.*known: level 1, level 2",
        ),
        ([SkipWithholding(levels=(0,), parties=("north",))], "all parties or by none"),
        (
            [Dropout(rate=0.5, levels=(0,)), SkipWithholding(levels=(0,))],
            "cut of Dropout.*level 0.*known: level 1",
        ),
    ],
)
def test_what_cannot_be_withheld(
    stack: list[SkipWithholding], message: str, flat_split: SplitSpec, exposure: Exposure
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        resolve(stack, flat_split, exposure)
    with pytest.raises(ConfigurationError, match=message):
        Network(flat_split, 1, (16, 16), stack, seed=0)


def test_what_is_withheld_already_in_the_split(flat_split: SplitSpec) -> None:
    only_deepest = flat_split.model_copy(update={"skips": ()})
    with pytest.raises(ConfigurationError, match="known: level 2"):
        reshaped(only_deepest, [SkipWithholding(levels=(0,))])
