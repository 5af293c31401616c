"""A command line typed in this process, for every test that needs one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from leakaudit.cli.app import execute
from leakaudit.cohorts.phantom import Phantom


@dataclass(frozen=True)
class Said:
    """What one command came to."""

    code: int
    out: str
    err: str


Typed = Callable[..., Said]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run a command line in this process."""

    def run(*arguments: str | Path) -> Said:
        capsys.readouterr()
        code = execute([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return run


def write_npz(path: Path, patients: int, channels: tuple[str, ...] = ("T1", "FLAIR")) -> Path:
    """A small data file: two modalities, two slices per patient."""
    cohort = Phantom(patients=patients, size=32, slices_per_patient=2).load()
    picks = np.arange(len(channels)) % len(cohort.modalities)
    np.savez(
        path,
        image=np.moveaxis(cohort.images[:, picks], 1, -1),
        mask=(cohort.labels > 0).astype(np.uint8),
        patient=cohort.patients,
        slice=cohort.positions,
        channels=np.array(channels),
    )
    return path
