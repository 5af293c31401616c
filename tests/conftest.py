"""What every test shares: no example of hypothesis is timed, for a busy machine is no fault."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("leakaudit", deadline=None)
settings.load_profile("leakaudit")


@pytest.fixture
def real_data() -> Path:
    """The folder of real images, or a skip that says why."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("LEAKAUDIT_REAL_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real images: set LEAKAUDIT_REAL_DATA (looked in {folder})")
    return folder
