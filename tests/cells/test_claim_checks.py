"""The control of kind claim: guards that keep their word stand, guards that do not are refuted."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from leakaudit.defenses.dp_sgd import DpSgd
from leakaudit.defenses.dropout import Dropout
from leakaudit.defenses.gaussian_noise import GaussianNoise
from leakaudit.defenses.gradient_clip_noise import GradientClipNoise
from leakaudit.defenses.keyed_rotation import KeyedRotation
from leakaudit.defenses.laplace_noise import LaplaceNoise
from leakaudit.defenses.patch_shuffle import PatchShuffle
from leakaudit.defenses.quantization import Quantization
from torch import Generator, Tensor

from leakaudit.cells.claim_checks import check_claims
from leakaudit.exchange.claim import Exposure
from leakaudit.exchange.defense import Defense
from leakaudit.exchange.endpoint import Network
from leakaudit.exchange.stack import claims, resolve
from leakaudit.record import ClaimCheck
from leakaudit.split.spec import PartySpec, SplitSpec

SPLIT = SplitSpec(
    parties=(
        PartySpec(name="north", modalities=("T1",)),
        PartySpec(name="south", modalities=("FLAIR",)),
    ),
    channels=(4, 8, 8),
    party_levels=3,
)
EXPOSURE = Exposure(epochs=4, samples_per_patient=3, patients=50, steps_per_epoch=10, batch_size=16)
TARGET = {"clip_norm": 5.0, "target_epsilon": 8.0}


class TenthTooLittle(GaussianNoise):
    def noise_like(self, message: Tensor, rng: Generator) -> Tensor:
        return 0.9 * super().noise_like(message, rng)


class Half(GaussianNoise):
    def noise_like(self, message: Tensor, rng: Generator) -> Tensor:
        return 0.5 * super().noise_like(message, rng)


class Shared(GaussianNoise):
    """One draw for all values of a message: differences between values are sent in clear."""

    def noise_like(self, message: Tensor, rng: Generator) -> Tensor:
        return super().noise_like(message[:, :1, :1, :1], rng).expand_as(message)


class ClippedByChannel(GaussianNoise):
    def change(self, message: Tensor, rng: Generator) -> Tensor:
        apart = message.flatten(0, 1)[:, None]
        return super().change(apart, rng).reshape(message.shape)


class Unclipped(GaussianNoise):
    def change(self, message: Tensor, rng: Generator) -> Tensor:
        noise = super().change(torch.zeros_like(message), rng)
        return message + noise


class BareAtOneLevel(GaussianNoise):
    def change(self, message: Tensor, rng: Generator) -> Tensor:
        changed = super().change(message, rng)
        return message / message.flatten(1).norm(dim=1).max() if message.shape[1] == 4 else changed


class FewerReleases(GaussianNoise):
    """Claims for one epoch what is sent in all."""

    def claim(self, exposure: Exposure, split: SplitSpec):  # type: ignore[no-untyped-def]
        return super().claim(dataclasses.replace(exposure, epochs=1), split)


class HalfLaplace(LaplaceNoise):
    def noise_like(self, message: Tensor, rng: Generator) -> Tensor:
        return 0.5 * super().noise_like(message, rng)


class LessOnWeights(DpSgd):
    def update_rule(self, owner, network):  # type: ignore[no-untyped-def]
        less = self.model_copy(update={"noise_multiplier": 0.9 * self.noise_multiplier})
        return DpSgd.update_rule(less, owner, network)


def _checks(*stack: Defense, split: SplitSpec = SPLIT) -> tuple[ClaimCheck, ...]:
    resolved = resolve(stack, split, EXPOSURE)
    network = Network(split, 1, (16, 16), resolved, seed=0)
    return check_claims(network, resolved, claims(resolved, split, EXPOSURE), EXPOSURE, seed=1)


STANDS: dict[str, list[Defense]] = {
    "gaussian": [GaussianNoise(**TARGET)],
    "gaussian, blank": [GaussianNoise(**TARGET, neighbouring="zero-out")],
    "gaussian, tight": [GaussianNoise(clip_norm=1e-3, target_epsilon=0.3)],
    "gaussian, loose": [GaussianNoise(clip_norm=1e3, target_epsilon=5000.0)],
    "both directions": [GaussianNoise(**TARGET, direction="both")],
    "backward": [GradientClipNoise(**TARGET)],
    "laplace": [LaplaceNoise(**TARGET)],
    "laplace with delta": [LaplaceNoise(**TARGET, delta=1e-5, neighbouring="zero-out")],
    "whole stack": [KeyedRotation(), GaussianNoise(**TARGET), Quantization(bits=8)],
    "in patches": [GaussianNoise(**TARGET), PatchShuffle(grid=4)],
    "with dropout": [GaussianNoise(**TARGET), Dropout(rate=0.3)],
}


@pytest.mark.parametrize("stack", STANDS.values(), ids=STANDS)
def test_the_right_noise_stands(stack: list[Defense]) -> None:
    (check,) = _checks(*stack)
    assert not check.refuted, check.reason
    assert check.doubt == ""
    assert check.draws >= 20_000
    assert check.shown_epsilon is not None
    assert check.largest_epsilon is not None
    assert check.shown_epsilon <= check.claimed_epsilon < check.largest_epsilon
    # Releases that the claim counts, counted by the control.
    both = any(getattr(defense, "direction", "") == "both" for defense in stack)
    assert check.releases == 4 * 3 * 3 * 2 * (2 if both else 1)


def test_the_right_noise_is_shown_almost_in_full() -> None:
    (check,) = _checks(GaussianNoise(**TARGET))
    assert check.shown_epsilon is not None
    assert 7.2 < check.shown_epsilon <= 8.0


REFUTED: dict[str, Defense] = {
    "a tenth too little": TenthTooLittle(**TARGET),
    "a tenth too little, tight": TenthTooLittle(clip_norm=5.0, target_epsilon=0.3),
    "a tenth too little, loose": TenthTooLittle(clip_norm=5.0, target_epsilon=5000.0),
    "a tenth too little, blank": TenthTooLittle(**TARGET, neighbouring="zero-out"),
    "a tenth too little, backward": TenthTooLittle(**TARGET, direction="backward"),
    "half": Half(**TARGET),
    "half of laplace": HalfLaplace(**TARGET),
    "one draw for all values": Shared(**TARGET),
    "clipped by channel": ClippedByChannel(**TARGET),
    "not clipped": Unclipped(**TARGET),
    "bare at one level": BareAtOneLevel(**TARGET),
    "fewer releases": FewerReleases(clip_norm=5.0, noise_multiplier=20.0),
}


@pytest.mark.parametrize("defense", REFUTED.values(), ids=REFUTED)
def test_too_little_protection_is_refuted(defense: Defense) -> None:
    (check,) = _checks(defense)
    assert check.refuted, check
    assert "refuted" in check.doubt


def test_the_place_that_is_bare_is_named() -> None:
    (check,) = _checks(BareAtOneLevel(**TARGET))
    assert "north, level 0, activation; south, level 0, activation" in check.reason


def test_in_a_horizontal_split_a_patient_is_released_at_one_party() -> None:
    split = SPLIT.model_copy(update={"orientation": "horizontal"})
    (check,) = _checks(GaussianNoise(**TARGET), split=split)
    assert check.releases == 4 * 3 * 3
    assert not check.refuted


@pytest.mark.parametrize("neighbouring", ["replace", "zero-out"])
def test_noise_on_weights(neighbouring: str) -> None:
    settings = {"clip_norm": 1.0, "target_epsilon": 4.0, "neighbouring": neighbouring}
    scale, one_run = _checks(DpSgd(**settings))
    assert not scale.refuted
    assert not one_run.refuted
    assert scale.shown_epsilon is not None
    assert 3.6 < scale.shown_epsilon <= 4.0
    assert one_run.shown_epsilon is not None
    assert one_run.largest_epsilon is not None
    assert 0.3 < one_run.shown_epsilon < one_run.largest_epsilon
    assert "canaries" in one_run.method
    scale, _ = _checks(LessOnWeights(**settings))
    assert scale.refuted


def test_a_claim_that_nobody_can_replay_is_said_to_be_untested() -> None:
    class Silent(GaussianNoise):
        def claim(self, exposure: Exposure, split: SplitSpec):  # type: ignore[no-untyped-def]
            claimed = super().claim(exposure, split)
            return None if claimed is None else dataclasses.replace(claimed, noise=None)

    class Broken(GaussianNoise):
        def change(self, message: Tensor, rng: Generator) -> Tensor:
            return torch.zeros_like(message)

    class Overflowing(GaussianNoise):
        def change(self, message: Tensor, rng: Generator) -> Tensor:
            return super().change(message, rng) * math.inf

    (silent,) = _checks(Silent(**TARGET))
    (broken,) = _checks(Broken(**TARGET))
    (infinite,) = _checks(Overflowing(**TARGET))
    for check, why in (
        (silent, "does not say"),
        (broken, "come out alike"),
        (infinite, "not finite"),
    ):
        assert check.draws == 0
        assert check.shown_epsilon is None
        assert not check.refuted
        assert why in check.reason


def test_without_a_claim_nothing_is_tested() -> None:
    assert _checks(GaussianNoise(noise_multiplier=1.0)) == ()
