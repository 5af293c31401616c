"""A job in plain PyTorch is recorded by its own names, and attacked with no model at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from plain_job import PlainJob, job

from leakaudit.audit.preflight import check_same_model
from leakaudit.cells.asking import ask_about_images
from leakaudit.cells.attack_cell import AttackResult, run_attack
from leakaudit.cells.training_cell import result_of_trace
from leakaudit.errors import NotMountableError
from leakaudit.plan.cells import AttackCell, CohortChoice
from leakaudit.plan.tables import Use
from leakaudit.recording import Recorder
from leakaudit.threat.knowledge import PRESETS, Adversary
from leakaudit.trace.query_log import QueryLog
from leakaudit.trace.reader import TraceReader
from leakaudit.training.data import hold

WITH_ATTACKS = {
    "decoder-inversion": {"steps": 30},
    "re-identification": {},
    "attribute-inference": {},
    "membership-inference": {},
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[PlainJob, Path]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("job")
    plain = PlainJob(folder)
    kept = job(record={"epochs": "all"})
    with Recorder(folder / "trace", plain.sheet, kept, strict=True) as recorder:
        plain.train(recorder)
    return plain, folder / "trace"


def attacked(
    plain: PlainJob, trace: Path, folder: Path, use: str, by: str = "wire-tap", **settings: object
) -> AttackResult:
    torch.set_num_threads(1)
    choice = CohortChoice(
        cohort=plain.configuration.cohort, groups=plain.configuration.groups,
        fingerprint=plain.given.cohort.fingerprint(),
    )  # fmt: skip
    adversary = Adversary(**(PRESETS[by] | {"question": "same image"}))
    cell = AttackCell(
        choice=choice, source="a trace", adversary=adversary,
        attack=Use.model_validate({"use": use, **settings}), seed=0, victims=None, lpips=None,
        pictures=False,
    )  # fmt: skip
    return run_attack(cell, trace, folder, lambda stage, done: None)


@pytest.mark.parametrize("use", WITH_ATTACKS)
def test_attacks_that_ask_mount_on_a_job_that_was_asked(
    recorded: tuple[PlainJob, Path], tmp_path: Path, use: str
) -> None:
    result = attacked(*recorded, tmp_path, use, **WITH_ATTACKS[use])
    assert result.status == "done", result.reason
    if use == "decoder-inversion":
        (score,) = (
            each for each in result.scores
            if (each.victim, each.metric, each.region) == ("north", "ssim", "whole")
        )  # fmt: skip
        assert (
            min(float(v) - float(b) for v, b in zip(score.values, score.blind, strict=True)) > 0.1
        )


def test_attacks_that_need_a_network_say_what_a_job_lacks(
    recorded: tuple[PlainJob, Path], tmp_path: Path
) -> None:
    result = attacked(*recorded, tmp_path, "simulator-inversion", "curious-server")
    assert result.status == "not mountable"
    assert "a job's own network" in result.reason


def test_the_presence_control_asks_the_log(recorded: tuple[PlainJob, Path]) -> None:
    plain, trace = recorded
    reader = TraceReader(trace)
    found = ask_about_images(reader, plain.given, hold(plain.given.cohort, reader.split))
    assert [each.party for each in found] == ["north", "south"]
    assert all(each.reason == "" and each.p is not None and each.p < 0.05 for each in found)


def test_nothing_of_the_network_had_to_be_said(recorded: tuple[PlainJob, Path]) -> None:
    plain, trace = recorded
    reader = TraceReader(trace)
    assert [cut.shapes for cut in reader.split.cuts or ()] == [((6, 16, 16), (6, 16, 16))]
    check_same_model(reader.description, plain.configuration)
    result = result_of_trace(reader, plain.given)
    assert result.foreign_network
    assert {route.shape for route in result.routes} == {(6, 16, 16)}


def test_the_log_answers_as_the_network_did(recorded: tuple[PlainJob, Path]) -> None:
    plain, trace = recorded
    reader = TraceReader(trace)
    log = QueryLog(reader, hold(plain.given.cohort, reader.split).images)
    rows = torch.tensor(plain.sheet.asked[:3])
    t1, _ = plain.images(rows)
    rng = torch.Generator()
    with torch.no_grad():
        now = plain.network.north(t1)
    assert torch.allclose(log.party("north", 1)(t1, rng)[0], now, atol=1e-6)
    assert not torch.allclose(log.party("north", 0)(t1, rng)[0], now, atol=1e-3)
    assert log.party("north", 1).holds(torch.zeros_like(t1))
    assert not log.party("north", 1).holds(1 - t1)
    with pytest.raises(NotMountableError, match="asked only about"):
        log.party("north", 1)(1 - t1, rng)


def test_training_is_the_same_with_and_without_a_recorder(tmp_path: Path) -> None:
    weights = []
    for ask in (True, False):
        plain = PlainJob(tmp_path)
        plain.network.north.append(torch.nn.Sequential(torch.nn.BatchNorm2d(6), torch.nn.Dropout()))
        torch.manual_seed(3)
        with Recorder(tmp_path / str(ask), plain.sheet, job(), strict=True) as recorder:
            plain.train(recorder, ask=ask)
        weights.append(plain.network.state_dict())
    asked, silent = weights
    assert all(torch.equal(asked[name], silent[name]) for name in asked)


def test_a_job_that_was_asked_nothing_says_so(tmp_path: Path) -> None:
    plain = PlainJob(tmp_path)
    with Recorder(tmp_path / "trace", plain.sheet, job(), strict=True) as recorder:
        plain.train(recorder, ask=False)
    result = attacked(plain, tmp_path / "trace", tmp_path, "decoder-inversion")
    assert result.status == "not mountable"
    assert "asked nothing" in result.reason


def test_a_dropped_batch_leaves_the_others_to_be_attacked(tmp_path: Path) -> None:
    plain = PlainJob(tmp_path)
    plain.names = dict(list(plain.names.items())[:-3])
    with Recorder(tmp_path / "trace", plain.sheet, job(), strict=True) as recorder:
        plain.train(recorder)
    assert len(TraceReader(tmp_path / "trace").steady) == 9
    result = attacked(plain, tmp_path / "trace", tmp_path, "decoder-inversion", steps=5)
    assert result.status == "done", result.reason
    assert len(result.patients) == 5
