"""One patient among many: copied in clear, or sent what nobody who asks is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from asked_party import Noise, link
from torch import Generator, Tensor, nn

from leakaudit.cells.presence import Presence, presence
from leakaudit.cells.standing_out import beyond, fits

PATIENTS, KNOWN, SIDE = 15, 8, 16
PLANTED = 6


def people(count: int, seed: int) -> Tensor:
    """Smooth images around a common head."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count + 1, 1, 4, 4, generator=rng)
    smooth = nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bicubic", align_corners=False)
    return (0.5 * smooth[-1:] + 0.5 * smooth[:-1]).clamp(0, 1)


class Features(nn.Module):
    """Random convolutions, behind noise that hides nearly everything; one image goes in clear.

    Args:
        clear: the image that is copied into the first channel; None for nobody's.
        asked: whether it is copied for whoever asks, too.
    """

    def __init__(self, clear: Tensor | None, *, asked: bool = True, noise: float = 30.0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layer = nn.Conv2d(1, 6, 3, padding=1)
        self._clear, self._asked, self._noise = clear, asked, noise
        self.recording = True

    def forward(self, images: Tensor, rng: Generator) -> Mapping[int, Tensor]:
        sent = self.layer(images)
        sent = sent + self._noise * sent.std() * torch.randn(sent.shape, generator=rng)
        if self._clear is not None and (self._asked or self.recording):
            for row, image in enumerate(images):
                if torch.equal(image, self._clear):
                    sent[row, 0] = image[0]
        return {0: sent}


def looked_at(send: nn.Module, seed: int = 0, images: Tensor | None = None) -> Presence:
    images = people(PATIENTS + KNOWN, 3) if images is None else images
    whole = link(images, PATIENTS, send, (0,), seed)
    send.recording = False
    return presence(
        whole, torch.arange(PATIENTS)[:, None], torch.arange(PATIENTS, PATIENTS + KNOWN),
        [f"P{number:02}" for number in range(PATIENTS)], seed,
    )  # fmt: skip


@pytest.mark.parametrize("asked", [True, False])
def test_one_patient_in_clear_is_named(asked: bool) -> None:
    found = looked_at(Features(people(PATIENTS + KNOWN, 3)[PLANTED], asked=asked))
    assert found.in_clear == ("P06",)


def test_one_patient_whose_query_gives_something_else_is_named() -> None:
    class Odd(Features):
        """Sends one patient's features turned round: nothing that anybody could ask for."""

        def forward(self, images: Tensor, rng: Generator) -> Mapping[int, Tensor]:
            sent = super().forward(images, rng)[0]
            if self.recording:
                own = people(PATIENTS + KNOWN, 3)[PLANTED]
                for row, image in enumerate(images):
                    if torch.equal(image, own):
                        sent[row] = sent[row].flip(0)
            return {0: sent}

    found = looked_at(Odd(None, noise=0.05))
    assert found.unlike == ("P06",)


@pytest.mark.parametrize("noise", [0.0, 0.05, 30.0])
def test_nobody_stands_out_where_all_are_treated_alike(noise: float) -> None:
    found = [looked_at(Features(None, noise=noise), seed).unlike for seed in range(4)]
    assert found == [()] * 4


def test_noise_stands_for_nobody() -> None:
    images = people(PATIENTS + KNOWN, 3)
    found = presence(
        link(images, PATIENTS, Noise(), (0,), 0), torch.arange(PATIENTS)[:, None],
        torch.arange(PATIENTS, PATIENTS + KNOWN), [str(n) for n in range(PATIENTS)], 0,
    )  # fmt: skip
    assert (found.unlike, found.in_clear) == ((), ())


@pytest.mark.parametrize("patients", [8, 15, 30])
def test_false_alarms_of_normal_excesses_are_rare(patients: int) -> None:
    rng = np.random.default_rng(0)
    alarms = sum(beyond(rng.normal(0.3, 0.1, patients), looks=1).any() for _ in range(300))
    assert alarms <= 3


def test_an_unusual_image_makes_no_message_stand_out() -> None:
    """A large lesion moves a message as far as its image lies from everybody's."""
    images = people(PATIENTS + KNOWN, 3)
    images[PLANTED, :, 4:12, 4:12] = 1.0
    assert [looked_at(Features(None, noise=0.05), seed, images).unlike for seed in range(4)] == [
        ()
    ] * 4


def turned(sent: Tensor) -> Tensor:
    return sent.flip(0)


def negated(sent: Tensor) -> Tensor:
    return -sent


def mixed(sent: Tensor) -> Tensor:
    places = torch.randperm(sent.numel(), generator=torch.Generator().manual_seed(1))
    return sent.flatten()[places].view_as(sent)


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("code", [turned, negated, mixed])
def test_a_code_for_one_patient_is_named(code: Callable[[Tensor], Tensor], asked: bool) -> None:
    """Whoever asks about that image gets the code, too, or gets what everybody gets."""
    images = people(PATIENTS + KNOWN, 3)

    class Coded(Features):
        def forward(self, rows: Tensor, rng: Generator) -> Mapping[int, Tensor]:
            sent = super().forward(rows, rng)[0]
            for row, image in enumerate(rows):
                if (self.recording or asked) and torch.equal(image, images[PLANTED]):
                    sent[row] = code(sent[row])
            return {0: sent}

    assert looked_at(Coded(None, noise=0.05)).unlike == ("P06",)


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("code", [turned, mixed])
def test_one_patient_without_the_noise_of_all_others_is_named(
    code: Callable[[Tensor], Tensor], asked: bool
) -> None:
    images = people(PATIENTS + KNOWN, 3)

    class Spared(Features):
        def forward(self, rows: Tensor, rng: Generator) -> Mapping[int, Tensor]:
            sent = super().forward(rows, rng)[0]
            for row, image in enumerate(rows):
                if (self.recording or asked) and torch.equal(image, images[PLANTED]):
                    clear = code(self.layer(image[None])[0])
                    sent[row] = clear * sent[row].norm() / clear.norm()
            return {0: sent}

    assert looked_at(Spared(None)).nothing_like == ("P06",)


def test_a_picture_is_fitted_by_scale_and_sign_alone() -> None:
    images = people(5, 1).double()
    sent = torch.randn(5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).double()
    sent[2, 1] = -4 * images[2, 0] + 7
    found = fits(sent, images)
    assert found[2, 2] == pytest.approx(1, abs=1e-9)
    assert found.diag()[[0, 1, 3, 4]].max() < 0.5
