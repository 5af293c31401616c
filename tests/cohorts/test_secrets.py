"""What names people stays with the data: paths, keys, the order of pseudonyms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leakaudit.cohorts._pseudonyms import kept_key, key_beside
from leakaudit.cohorts.npz import NpzSlices
from leakaudit.errors import DataError
from leakaudit.judgement.recorded import NOT_RECORDED, recorded


def slices(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    np.savez(
        folder / "d.npz",
        image=rng.integers(0, 255, (12, 8, 8, 1), dtype=np.uint8),
        mask=np.ones((12, 8, 8), np.uint8) * np.eye(8, dtype=np.uint8),
        patient=np.array([f"patient {at}" for at in range(12)]),
    )
    return folder / "d.npz"


def test_a_key_is_drawn_once_kept_beside_the_data_and_read_by_its_owner_alone(
    tmp_path: Path,
) -> None:
    one, two = slices(tmp_path / "one"), slices(tmp_path / "two")
    first = NpzSlices(path=str(one)).load()
    again = NpzSlices(path=str(one)).load()
    other = NpzSlices(path=str(two)).load()
    assert first.fingerprint() == again.fingerprint()
    assert first.fingerprint() != other.fingerprint(), "each project orders its patients anew"
    key = key_beside(one)
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(kept_key(key)) == 64
    assert not list(one.parent.glob("*.leakaudit-key.*")), "no half-written key stays"
    copied = NpzSlices(path=str(two), pseudonym_key_file=str(key)).load()
    assert copied.fingerprint() == first.fingerprint()


def test_a_key_that_cannot_be_kept_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pseudonym_key_file"):
        kept_key(tmp_path / "absent" / "key")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(DataError, match="must not be empty"):
        kept_key(tmp_path / "empty")


def test_no_path_and_no_key_reach_the_record() -> None:
    kept = recorded(
        {
            "title": "t",
            "policy": "/ward 7/mueller/policy.toml",
            "cohort": {
                "use": "npz",
                "path": "/ward 7/mueller/d.npz",
                "pseudonym_key": "s3cret",
                "exclude": ["anna/*"],
                "size": 64,
                "pseudonym_key_file": None,
            },
        }
    )
    assert kept["cohort"] == {
        "use": "npz",
        "path": NOT_RECORDED,
        "pseudonym_key": NOT_RECORDED,
        "exclude": NOT_RECORDED,
        "size": 64,
        "pseudonym_key_file": None,
    }
    assert kept["policy"] == "policy.toml"
    assert not any(word in repr(kept) for word in ("mueller", "s3cret", "anna"))
