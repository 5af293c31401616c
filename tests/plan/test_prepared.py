"""A prepared cohort is the cohort, mapped from the disk; never half of it, never another's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from leakaudit.cohorts import _spool
from leakaudit.cohorts._spool import Spool, gathered
from leakaudit.cohorts.cohort import Cohort
from leakaudit.cohorts.groups import GroupSettings
from leakaudit.cohorts.phantom import Phantom
from leakaudit.errors import DataError, EnvironmentProblemError
from leakaudit.plan import prepared
from leakaudit.plan.cells import CohortChoice
from leakaudit.plan.materials import materials
from leakaudit.plan.prepared import Store, place_of, read
from leakaudit.plan.tables import Use
from leakaudit.split import PartySpec, SplitSpec
from leakaudit.training.data import hold

SETTINGS = {"patients": 6, "slices_per_patient": 2, "size": 16, "studies_per_patient": 2}
SOURCE = Phantom.model_validate(SETTINGS)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return SOURCE.load()


def choice_of(cohort: Cohort) -> CohortChoice:
    return CohortChoice(
        cohort=Use.model_validate({"use": "phantom", **SETTINGS}),
        groups=GroupSettings(training=3, auxiliary=2, validation=1),
        fingerprint=cohort.fingerprint(),
    )


def test_what_is_read_back_is_what_was_prepared(cohort: Cohort, tmp_path: Path) -> None:
    digest = cohort.fingerprint()
    with Store(tmp_path / "store", cohort, digest) as store:
        found = read(place_of(digest, store.prepared()))
        assert found.fingerprint() == digest
        assert np.array_equal(found.masks(), cohort.masks())
        for name in ("name", "modalities", "regions", "scaling", "shareable", "warnings"):
            assert getattr(found, name) == getattr(cohort, name)
        assert found.study is not None
        assert np.array_equal(found.study, cohort.study)
        assert found.site is None
        given = materials(choice_of(cohort), store.folder)
        assert isinstance(given.cohort.labels, np.memmap)
        split = SplitSpec(parties=(PartySpec(name="a", modalities=("T2",)),
                                   PartySpec(name="b", modalities=("FLAIR", "T1"))))  # fmt: skip
        mapped, loaded = hold(given.cohort, split), hold(cohort, split)
        for name in ("a", "b"):
            assert torch.equal(mapped.images[name], loaded.images[name])
        assert torch.equal(mapped.labels(torch.tensor([3, 1])), loaded.labels(torch.tensor([3, 1])))
        # What one party holds is not copied.
        held = mapped.images["a"].numpy()
        assert np.shares_memory(held, given.cohort.images)
    assert not (tmp_path / "store").exists()


def test_what_another_version_or_a_killed_run_left_is_not_taken_for_whole(
    cohort: Cohort, tmp_path: Path
) -> None:
    digest = cohort.fingerprint()
    folder = tmp_path / "store"
    (folder / f"0-{digest}").mkdir(parents=True)
    (folder / f".partial-1-{digest}-host-1").mkdir()
    store = Store(folder, cohort, digest)
    assert read(place_of(digest, store.prepared())).fingerprint() == digest


def test_prepared_images_that_changed_are_found_out(cohort: Cohort, tmp_path: Path) -> None:
    store = Store(tmp_path, cohort, cohort.fingerprint())
    file = place_of(cohort.fingerprint(), store.prepared()) / "images.npy"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match="must not change"):
        materials(choice_of(cohort), tmp_path)


def test_a_disk_that_fills_is_said_and_leaves_nothing(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = Store(tmp_path, cohort, cohort.fingerprint())
    with monkeypatch.context() as patched:
        patched.setattr(prepared, "_write", full)
        with pytest.raises(EnvironmentProblemError, match="No space left"):
            store.prepared()
    assert list(tmp_path.iterdir()) == []
    assert store.prepared() == tmp_path
    monkeypatch.setattr(_spool, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(EnvironmentProblemError, match="TMPDIR"):
        gathered([cohort.images])


@pytest.mark.parametrize("limit", [0, 2**30])
def test_what_lies_on_the_disk_is_the_same(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_spool, "IN_MEMORY_BYTES", limit)
    parts = [np.random.default_rng(n).random((n, 2, 3, 4), dtype=np.float32) for n in (1, 4, 2)]
    spool = Spool()
    aside = [spool.aside(part) for part in parts]
    assert isinstance(aside[0].base, np.memmap) == (limit == 0)
    assert np.array_equal(gathered(aside), np.concatenate(parts))
    assert gathered(aside)[:, 1].flags.c_contiguous
