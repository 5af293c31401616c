"""Before and after a job that trains elsewhere, as a user types it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from plain_job import PlainJob, job

from leakaudit.cli.app import execute
from leakaudit.recording import Recorder, read_sheet


def rows(plain: PlainJob, folder: Path, **changes: object) -> Path:
    images = {
        name: 2 * plain.given.cohort.images[plain.rows[::-1], at] + 1
        for at, name in enumerate(plain.given.cohort.modalities)
    }
    file = folder / "rows.npz"
    keys = np.array([f"slice {n}" for n in range(len(plain.rows))])
    np.savez(file, **({"key": keys} | images | changes))
    return file


def test_a_sheet_knows_the_jobs_rows_by_their_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = PlainJob(tmp_path)
    out = tmp_path / "samples.json"
    typed = ["samples", str(plain.file), "--out", str(out), "--images", str(rows(plain, tmp_path))]
    assert execute(typed) == 0
    assert "28 samples, 12 with a name of the job's own" in capsys.readouterr().out
    names = [f"slice {n}" for n in range(3)]
    assert read_sheet(out).samples_of(names).tolist() == plain.rows[::-1][:3]
    assert out.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"group": np.array("victims")}, "group 'victims'"),
        ({"key": np.array([1.5])}, "text or whole numbers"),
        ({"PET": np.zeros((12, 32, 32))}, "of the cohort's modalities"),
    ],
)
def test_a_wrong_file_of_rows_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object], said: str
) -> None:
    plain = PlainJob(tmp_path)
    file = rows(plain, tmp_path, **changes)
    out = str(tmp_path / "samples.json")
    assert execute(["samples", str(plain.file), "--out", out, "--images", str(file)]) == 4
    assert said in capsys.readouterr().err


def test_a_trace_is_described_and_parts_are_merged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = PlainJob(tmp_path)
    for name in ("first", "second"):
        with Recorder(tmp_path / name, plain.sheet, job(), strict=True) as recorder:
            plain.train(recorder)
    assert execute(["trace", str(tmp_path / "first")]) == 0
    said = capsys.readouterr().out
    assert plain.sheet.cohort_fingerprint in said
    assert "Party south: FLAIR" in said
    assert "activation from north to server, north: 6 x 16 x 16, float32" in said
    assert "attacks that ask can be mounted" in said
    typed = ["merge", str(tmp_path / "first"), str(tmp_path / "second"), "--out"]
    assert execute([*typed, str(tmp_path / "whole")]) == 4
    assert "same end of a route" in capsys.readouterr().err
    assert execute(["trace", str(tmp_path / "nothing")]) == 4
