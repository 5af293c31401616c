"""`leakaudit attack` on a job's trace: what it says of a training that it did not see."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from plain_job import AUDIT, CROSSINGS, PlainJob, job

from leakaudit.audit.run import Outcome, attack_trace
from leakaudit.audit.traced import as_recorded, stated
from leakaudit.errors import TraceError
from leakaudit.plan.configuration import read_configuration
from leakaudit.recording import Recorder
from leakaudit.trace.alignment import misplaced
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.remarks import remarks


def audited(plain: PlainJob, trace: Path, out: Path) -> Outcome:
    configuration, given = read_configuration(plain.file)
    return attack_trace(
        trace, configuration, given, out, watch=lambda _: None, command="leakaudit attack"
    )


def interrupted(plain: PlainJob, recorder: Recorder) -> None:
    plain.train(recorder, epochs=3)
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_job_that_was_cut_off_is_audited_as_far_as_it_came(tmp_path: Path) -> None:
    plain = PlainJob(tmp_path, AUDIT.replace("steps = 40", "steps = 5"))
    kept = job(epochs=10, batch_size=4, record={"epochs": "all"}, stated={"optimizer": "SGD"})
    recorder = Recorder(tmp_path / "trace", plain.sheet, kept, strict=True)
    with pytest.raises(KeyboardInterrupt), recorder:
        interrupted(plain, recorder)
    outcome = audited(plain, tmp_path / "trace", tmp_path / "run")
    record = outcome.record
    assert not outcome.failures
    assert {verdict.verdict for verdict in record.verdicts} <= {"leak shown", "inconclusive"}
    said = " ".join(record.cohort.warnings)
    assert "cut off: the job ended with KeyboardInterrupt" in said
    assert "epoch 0, 1, 2" in said
    assert "7 more epochs" in said
    assert record.split.epochs == 10
    training = record.configuration_resolved["training"]
    assert training["batch_size"] == 4
    assert training["optimizer"] == "SGD"
    assert training["learning_rate"] == "not stated"
    assert record.split.network == "a network of the job's own"
    assert all(each.p is not None for each in record.presence)


def test_one_site_alone_is_attacked_and_the_others_silence_is_told(tmp_path: Path) -> None:
    plain = PlainJob(tmp_path)
    alone = job(recorded_at=("north",))
    with (
        Recorder(tmp_path / "trace", plain.sheet, alone, strict=True) as recorder,
        recorder.tapping(plain.network.north, {"0": CROSSINGS["north"]}),
    ):
        for epoch in range(2):
            for some in torch.arange(len(plain.names)).split(4):
                keys = [list(plain.names)[each] for each in some.tolist()]
                rows = torch.tensor([plain.names[key] for key in keys])
                recorder.at(keys, epoch=epoch)
                plain.network(*plain.images(rows)).sum().backward()
            recorder.finish_epoch(epoch)
    reader = TraceReader(tmp_path / "trace")
    assert reader.split.party_names == ("north",)
    said = " ".join(remarks(reader))
    assert "no messages of south" in said
    assert "asked nothing" in said
    assert stated(reader.description)["batch_size"] == "not stated"


def shifted(plain: PlainJob, folder: Path, by: int) -> TraceReader:
    """North names each row as the one so many places further on."""
    names = list(plain.names)
    with Recorder(folder, plain.sheet, job(), strict=True) as recorder:
        for some in torch.arange(len(names)).split(4):
            told = torch.tensor([plain.names[names[each]] for each in some.tolist()])
            real = torch.roll(told, by)
            recorder.at([names[each] for each in some.tolist()], epoch=1)
            with torch.no_grad():
                recorder.activation(CROSSINGS["north"], plain.network.north(plain.images(real)[0]))
                recorder.activation(CROSSINGS["south"], plain.network.south(plain.images(told)[1]))
        for question in recorder.questions(1):
            t1, flair = plain.images(question.samples)
            with recorder.asking(question):
                recorder.activation(CROSSINGS["north"], plain.network.north(t1))
                recorder.activation(CROSSINGS["south"], plain.network.south(flair))
        recorder.finish_epoch(1)
    return TraceReader(folder)


def test_rows_shifted_by_one_are_noticed(tmp_path: Path) -> None:
    plain = PlainJob(tmp_path)
    straight = shifted(plain, tmp_path / "straight", 0)
    assert as_recorded(straight, plain.given).cohort.warnings == plain.given.cohort.warnings
    with pytest.raises(TraceError, match="rows of north are like its answers about other samples"):
        as_recorded(shifted(plain, tmp_path / "shifted", 1), plain.given)


def test_noise_on_the_way_is_no_change_of_places() -> None:
    torch.manual_seed(0)
    sent = torch.randn(8, 3, 8, 8)
    assert misplaced(sent, sent + torch.randn_like(sent)) == []
    assert misplaced(sent, torch.randn_like(sent)) == []
    assert misplaced(sent, sent[[0, 0, 2, 3, 4, 5, 6, 7]]) == []
    assert len(misplaced(sent, torch.roll(sent, 1, 0) + torch.randn_like(sent))) == 8
