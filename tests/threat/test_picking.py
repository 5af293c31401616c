"""The adversary's picker: whom it finds from true pictures, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.feature import hog
from torch import Tensor

from leakaudit.cohorts.npz import NpzSlices
from leakaudit.cohorts.phantom import Phantom
from leakaudit.errors import NotMountableError
from leakaudit.threat.picking import describe, learn, together
from leakaudit.threat.pictures import PicturePicker, edge_strength

CANDIDATES, AUXILIARY = 20, 12  # as in the quickstart


@pytest.fixture(scope="module")
def people() -> tuple[Tensor, Tensor]:
    """Images (n, modalities, h, w) and owners, three slices each, as in the quickstart."""
    cohort = Phantom(patients=100 + AUXILIARY, slices_per_patient=3, size=48, seed=7).load()
    _, owners = np.unique(cohort.patients, return_inverse=True)
    return torch.from_numpy(cohort.images), torch.from_numpy(owners)


def found(
    images: Tensor, owners: Tensor, spoil: Callable[[Tensor], Tensor] = Tensor.clone
) -> float:
    """Share of 100 patients found among 20 candidates each, one slice held, two attacked."""
    known = owners >= 100
    middle = torch.arange(len(owners)) % 3 == 1
    hits = 0
    for first in range(0, 100, CANDIDATES):
        here = (owners >= first) & (owners < first + CANDIDATES)
        picker = PicturePicker(images[known], owners[known], images[here & middle])
        sent = here & ~middle
        alike = together(picker(spoil(images[sent])), owners[sent], "same scan")
        hits += int((alike.argmax(1) + first == owners[sent])[::2].sum())
    return hits / 100


@pytest.mark.parametrize("modality", range(4))
def test_true_images_of_another_slice_find_95_of_100(
    people: tuple[Tensor, Tensor], modality: int
) -> None:
    images, owners = people
    assert found(images[:, modality : modality + 1], owners) >= 0.95


def test_a_blurred_picture_is_looked_for_among_blurred_ones(people: tuple[Tensor, Tensor]) -> None:
    images, owners = people

    def blurred(pictures: Tensor) -> Tensor:
        for _ in range(6):
            pictures = torch.nn.functional.avg_pool2d(pictures, 3, 1, 1)
        return pictures

    flair = images[:, 3:]
    assert found(flair, owners, blurred) >= 0.9
    # Everybody's picture is nobody's: whoever is named is named for all.
    common = flair.mean(0, keepdim=True)
    assert found(flair, owners, common.expand_as) == pytest.approx(0.05)


def test_what_is_learnt_beats_fixed_descriptors_on_patients_held_out(
    people: tuple[Tensor, Tensor],
) -> None:
    images, owners = people
    known = owners >= 70
    picker = learn(describe({0: images[known, :1]}), owners[known])
    fixed = [share for name, share in picker.shares.items() if "learnt" not in name]
    assert picker.method.startswith("learnt")
    assert picker.shares[picker.method] > max(fixed)
    assert set(picker.shares) >= {"edges", "grid", "pixel correlation"}


def test_edges_tell_what_histograms_of_oriented_gradients_tell(
    people: tuple[Tensor, Tensor],
) -> None:
    """Which pictures look alike, by scikit-image's descriptor and by ours."""
    images = people[0][:60, :1]
    theirs = np.stack([hog(each[0].numpy(), 8, (6, 6), (3, 3)) for each in images])
    ours = describe({0: images})["edges"].numpy()

    def alike(vectors: np.ndarray) -> np.ndarray:
        table = np.corrcoef(vectors - vectors.mean(0))
        return table[np.triu_indices(60, 1)]

    assert np.corrcoef(alike(theirs), alike(ours))[0, 1] > 0.8


def test_evidence_of_a_patient_is_summed_or_the_very_image_speaks() -> None:
    scores = torch.tensor([[0.9, 0.0], [0.0, 0.8], [0.0, 0.4], [0.5, 0.1]])
    owners = torch.tensor([4, 4, 4, 2])
    summed = together(scores, owners, "same scan")
    torch.testing.assert_close(summed[0], torch.tensor([0.3, 0.4]))
    torch.testing.assert_close(summed[0], summed[2])
    torch.testing.assert_close(summed[3], scores[3])
    torch.testing.assert_close(together(scores, owners, "same image")[1], torch.tensor([0.9, 0.8]))


def test_volumes_and_messages_of_many_levels_are_described_alike() -> None:
    rng = torch.Generator().manual_seed(0)
    volumes = {
        0: torch.rand(6, 2, 4, 8, 8, generator=rng),
        1: torch.rand(6, 40, 1, 4, 4, generator=rng),
    }
    told = describe(volumes)
    assert all(bool(torch.isfinite(each).all()) for each in told.values())
    assert all(each.shape[1] < 2**16 for each in told.values())
    picker = learn(told, torch.tensor([0, 0, 1, 1, 2, 2]))
    assert picker(told, told).shape == (6, 6)
    np.testing.assert_allclose(picker(told, told).diagonal(), 1, atol=1e-5)


@pytest.mark.parametrize("owners", [[0, 1, 2, 3], [0, 0, 0, 0], [0, 0, 1, 2]])
def test_a_picker_without_auxiliary_pairs_is_refused(owners: list[int]) -> None:
    told = describe({0: torch.rand(4, 1, 8, 8)})
    with pytest.raises(NotMountableError, match="two samples each"):
        learn(told, torch.tensor(owners))


def test_edge_strength_falls_with_blur() -> None:
    picture = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    blurred = torch.nn.functional.avg_pool2d(picture, 3, 1, 1)
    assert edge_strength(blurred) < edge_strength(picture) / 2
    assert edge_strength(torch.ones(1, 1, 4, 4)) == 0


@pytest.mark.realdata
def test_true_slices_of_real_patients_find_95_of_100(real_data: Path) -> None:
    """Three draws of groups: half are candidates, three in ten are the adversary's own."""
    cohort = NpzSlices(path=str(real_data / "lgg_128.npz"), size=64).load()
    images = torch.from_numpy(cohort.images)
    names, owners = np.unique(cohort.patients, return_inverse=True)
    for modality in range(3):
        hits = asked = 0
        for seed in range(3):
            drawn = np.random.default_rng(seed).permutation(len(names))
            known = np.isin(owners, drawn[31:50])
            held, sent = [], []
            for person in drawn[:31]:
                mine = np.flatnonzero(owners == person)
                mine = mine[np.argsort(cohort.positions[mine])]
                held.append(mine[len(mine) // 2])
                sent.append(np.delete(mine, len(mine) // 2))
            rows = np.concatenate(sent)
            one = images[:, modality : modality + 1]
            picker = PicturePicker(one[known], torch.from_numpy(owners[known]), one[held])
            alike = together(picker(one[rows]), torch.from_numpy(owners[rows]), "same scan")
            named = drawn[alike.argmax(1).numpy()]
            hits += sum(bool((named[owners[rows] == p] == p).all()) for p in drawn[:31])
            asked += 31
        assert hits / asked >= 0.95
