"""The recorder refuses what could not be attacked, and never ends the job it records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from plain_job import CROSSINGS, PlainJob, job
from torch import Tensor

from leakaudit.cohorts.cohort import Group
from leakaudit.errors import ConfigurationError, DataError, LeakauditError
from leakaudit.recording import Crossing, Recorder, read_sheet
from leakaudit.recording.sheets import matched
from leakaudit.trace.description import read_description
from leakaudit.trace.reader import TraceReader

NORTH, SOUTH = CROSSINGS["north"], CROSSINGS["south"]


@pytest.fixture
def plain(tmp_path: Path) -> PlainJob:
    return PlainJob(tmp_path)


def features(rows: int = 2) -> Tensor:
    return torch.rand(rows, 3, 8, 8)


def with_nan() -> Tensor:
    broken = features()
    broken[0, 0, 0, 0] = torch.nan
    return broken


WRONG: dict[str, tuple[Callable[[Recorder], None], str]] = {
    "fewer ids": (lambda r: r.activation(NORTH, features(3)), "3 rows and 2 ids"),
    "nan": (lambda r: r.activation(NORTH, with_nan()), "must be finite"),
    "flat": (lambda r: r.activation(NORTH, torch.rand(2, 192)), "state the shape"),
    "stranger": (lambda r: r.activation(Crossing("west"), features()), "party of the split"),
    "no grid": (
        lambda r: r.activation(Crossing("north", shape=(9216, 1, 1)), torch.rand(2, 9216)),
        "the grid that was flattened",
    ),
    "another shape": (
        lambda r: r.activation(Crossing("north", shape=(5, 8, 8)), torch.rand(2, 192)),
        "as many values",
    ),
    "a site is missing": (
        lambda r: (r.activation(NORTH, features()), r.finish_epoch(1))[1],
        "nothing of south",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_one_message_says_what_is_wrong_and_the_job_goes_on(
    plain: PlainJob, tmp_path: Path, name: str
) -> None:
    wrong, said = WRONG[name]
    with Recorder(tmp_path / "trace", plain.sheet, job()) as recorder:
        recorder.at(list(plain.names)[:2], epoch=1)
        with pytest.warns(UserWarning, match="the job goes on"):
            wrong(recorder)
        recorder.at(["nobody"], epoch=1)
    assert said in str(recorder.failure)
    assert said in read_description(tmp_path / "trace").stopped


def test_what_was_sealed_before_stays(plain: PlainJob, tmp_path: Path) -> None:
    kept = job(record={"epochs": "all"})
    recorder = Recorder(tmp_path / "trace", plain.sheet, kept)
    plain.train(recorder, epochs=1)
    recorder.at(list(plain.names)[:2], epoch=1)
    with pytest.warns(UserWarning, match="must be finite"):
        recorder.activation(NORTH, with_nan())
    reader = TraceReader(tmp_path / "trace")
    assert reader.epochs == (0,)
    assert not reader.complete


def test_unknown_rows_and_misaligned_sites(plain: PlainJob, tmp_path: Path) -> None:
    names = list(plain.names)
    recorder = Recorder(tmp_path / "trace", plain.sheet, job(), strict=True)
    with pytest.raises(DataError, match="'scan-nobody'"):
        recorder.at(["scan-nobody"], epoch=1)
    recorder = Recorder(tmp_path / "shifted", plain.sheet, job(), strict=True)
    for crossing, rows in ((NORTH, names[:2]), (SOUTH, names[1:3])):
        recorder.at(rows, epoch=1, step=0)
        recorder.activation(crossing, features())
    with pytest.raises(LeakauditError, match="same samples in the same rows"):
        recorder.finish_epoch(1)


def test_flattened_half_precision_is_unfolded(plain: PlainJob, tmp_path: Path) -> None:
    sent = features().half()
    with Recorder(tmp_path / "trace", plain.sheet, job(), strict=True) as recorder:
        recorder.at(list(plain.names)[:2], epoch=1)
        for name in ("north", "south"):
            recorder.activation(Crossing(name, shape=(3, 8, 8)), sent.flatten(1))
        recorder.finish_epoch(1)
    reader = TraceReader(tmp_path / "trace")
    assert reader.description.routes[0].dtype == "float16"
    rows = [plain.names[name] for name in list(plain.names)[:2]]
    read = reader.messages(reader.routes[0], 1, rows)
    assert torch.equal(read, sent.float())


def test_precision_that_switches_within_a_route(plain: PlainJob, tmp_path: Path) -> None:
    names = list(plain.names)
    alone = job(recorded_at=("north",))
    with Recorder(tmp_path / "trace", plain.sheet, alone, strict=True) as recorder:
        for step, sent in enumerate((features(), features().half())):
            recorder.at(names[2 * step : 2 * step + 2], epoch=1)
            recorder.activation(NORTH, sent)
        recorder.finish_epoch(1)
    reader = TraceReader(tmp_path / "trace")
    rows = [plain.names[name] for name in names[2:4]]
    assert torch.equal(reader.messages(reader.routes[0], 1, rows), sent.float())
    assert reader.description.routes[0].dtype == "float32"


def test_keys_are_of_their_group(plain: PlainJob, tmp_path: Path) -> None:
    sheet = plain.sheet.with_keys({f"row {n}": s.sample for n, s in enumerate(plain.sheet.samples)})
    training, validation = (
        {n: s.sample for n, s in enumerate(x for x in plain.sheet.samples if x.group is group)}
        for group in (Group.TRAINING, Group.VALIDATION)
    )
    sheet = plain.sheet.with_keys(training).with_keys(validation)
    sheet.write(tmp_path / "samples.json")
    again = read_sheet(tmp_path / "samples.json")
    assert again == sheet
    assert again.samples_of(np.arange(2)).tolist() == [training[0], training[1]]
    assert again.samples_of([1], Group.VALIDATION).tolist() == [validation[1]]
    with pytest.raises(DataError, match="sample of its own"):
        plain.sheet.with_keys({"a": 0, "b": 0})
    with pytest.raises(DataError, match="leakaudit samples"):
        read_sheet(plain.file)


def test_rows_are_found_by_their_images(plain: PlainJob) -> None:
    cohort = plain.given.cohort
    order = [int(row) for row in torch.tensor(plain.rows)[torch.randperm(len(plain.rows))]]
    images = {
        name: 3 * cohort.images[order, at] ** 1.1 - 1 for at, name in enumerate(cohort.modalities)
    }
    sheet = matched(plain.sheet, cohort, images, list(range(len(order))))
    assert sheet.samples_of(range(len(order))).tolist() == order
    noise = {"T1": np.random.default_rng(0).random((2, *cohort.space), dtype=np.float32)}
    with pytest.raises(DataError, match="clearly one training sample"):
        matched(plain.sheet, cohort, noise, [0, 1])
    twice = {"T1": cohort.images[[order[0], order[0]], cohort.modalities.index("T1")]}
    with pytest.raises(DataError, match="no two rows"):
        matched(plain.sheet, cohort, twice, [0, 1])


def test_a_job_names_what_the_cohort_has(plain: PlainJob, tmp_path: Path) -> None:
    strange = job(parties={"north": ("PET",)})
    with pytest.raises(ConfigurationError, match="PET"):
        Recorder(tmp_path / "trace", plain.sheet, strange)
