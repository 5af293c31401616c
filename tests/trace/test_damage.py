"""Kills, damage, misuse: one message with rule, value and remedy, and nothing whole is lost."""

from __future__ import annotations

import errno
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import recorded_run
import torch
from recorded_run import SAMPLES, Run, described

from leakaudit.errors import EnvironmentProblemError, TraceError
from leakaudit.exchange.message import Cut, Direction, Message, Route
from leakaudit.split.spec import SERVER
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.shard import Shard
from leakaudit.trace.writer import TraceWriter

UP = Route("t1", SERVER, Direction.ACTIVATION, Cut.ENCODER, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Run().recorded(tmp_path / "trace", described(), shard_bytes=1 << 15)
    return tmp_path / "trace"


def message(epoch: int = 0, tensor: torch.Tensor | None = None) -> Message:
    rows = torch.tensor(SAMPLES)
    return Message(UP, torch.ones(6, 2) if tensor is None else tensor, rows, epoch, 0)


def test_killed_while_writing_then_read(tmp_path: Path) -> None:
    folder = tmp_path / "trace"
    command = [sys.executable, recorded_run.__file__, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 7:
                process.send_signal(signal.SIGKILL)
                break
    reader = TraceReader(folder)
    reader.verify()
    assert not reader.complete
    assert len(reader.epochs) >= 5
    run = Run()
    for epoch in reader.epochs:
        run.epoch(epoch)
    assert reader.epochs == tuple(range(len(reader.epochs)))
    last = reader.epochs[-1]
    rebuilt = reader.rebuilt().network(last)
    for name, weight in run.network.state_dict().items():
        assert torch.allclose(rebuilt.state_dict()[name], weight, atol=1e-5), name
    assert reader.messages(UP, last).shape == (6, 8, 8, 8)
    # A second run over the remains starts over.
    with pytest.raises(TraceError, match="a folder that holds none"):
        TraceWriter(folder, described())
    (folder / "notes.txt").write_text("kept", encoding="utf-8")
    with TraceWriter(folder, described(epochs=(0,)), restart=True) as writer:
        run.epoch(0, writer)
        writer.snapshot(0, run.network)
    assert TraceReader(folder).epochs == (0,)
    assert (folder / "notes.txt").exists()


def test_a_line_cut_short_is_ignored(folder: Path) -> None:
    description = json.loads((folder / "trace.json").read_text(encoding="utf-8"))
    (folder / "trace.json").write_text(
        json.dumps(description | {"complete": False}), encoding="utf-8"
    )
    log = folder / "shards.jsonl"
    log.write_bytes(log.read_bytes()[:-5])
    assert TraceReader(folder).epochs == (0,)


def test_a_complete_trace_that_lost_its_log_is_refused(folder: Path) -> None:
    log = folder / "shards.jsonl"
    log.write_bytes(log.read_bytes()[:-5])
    with pytest.raises(TraceError, match=r"must hold every epoch.*epoch 1.*restore"):
        TraceReader(folder)


def test_a_damaged_line_in_the_middle_is_refused(folder: Path) -> None:
    log = folder / "shards.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    log.write_text("".join(['{"kind": "mess\n', *lines]), encoding="utf-8")
    with pytest.raises(TraceError, match=r"line 1 of shards.jsonl is not a log entry"):
        TraceReader(folder)


SHARD = "epoch-00001-messages-00001.safetensors"


def test_a_corrupted_shard_is_named(folder: Path) -> None:
    content = bytearray((folder / SHARD).read_bytes())
    content[-100] ^= 1
    (folder / SHARD).write_bytes(content)
    reader = TraceReader(folder)
    assert len(reader.messages(UP, 0)) == 6
    with pytest.raises(TraceError, match=f"shard {SHARD} must be.*SHA-256.*do: restore"):
        reader.messages(UP, 1)


def test_a_truncated_shard_is_named(folder: Path) -> None:
    (folder / SHARD).write_bytes((folder / SHARD).read_bytes()[:-4])
    with pytest.raises(TraceError, match=rf"shard {SHARD} must be.*\d+ bytes where \d+"):
        TraceReader(folder).messages(UP, 1)


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / SHARD).unlink()
    with pytest.raises(TraceError, match=f"shard {SHARD} must be.*the file is missing"):
        TraceReader(folder).verify()


def test_another_schema_version_is_refused(folder: Path) -> None:
    text = (folder / "trace.json").read_text(encoding="utf-8")
    for version in ('"3.0"', '""'):
        changed = re.sub(r'"schema_version": "[^"]*"', f'"schema_version": {version}', text)
        (folder / "trace.json").write_text(changed, encoding="utf-8")
        with pytest.raises(TraceError, match=r"reads traces of schema 1\.0 to 2\.0"):
            TraceReader(folder)


def test_no_trace_and_half_a_description_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"a trace is a folder that holds trace\.json"):
        TraceReader(tmp_path / "nothing")
    text = (folder / "trace.json").read_text(encoding="utf-8")
    (folder / "trace.json").write_text(text[:-40], encoding="utf-8")
    with pytest.raises(TraceError, match="must be whole JSON"):
        TraceReader(folder)


def test_a_trace_without_a_whole_epoch_is_refused(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "trace", described())
    Run().epoch(0, writer)
    writer.abandon()
    with pytest.raises(TraceError, match="at least one whole epoch"):
        TraceReader(tmp_path / "trace")


def test_an_exception_in_the_run_leaves_the_trace_incomplete(tmp_path: Path) -> None:
    run = Run()

    def interrupted() -> None:
        with TraceWriter(tmp_path / "trace", described()) as writer:
            run.epoch(0, writer)
            writer.snapshot(0, run.network)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    reader = TraceReader(tmp_path / "trace")
    assert (reader.complete, reader.epochs) == (False, (0,))


def test_a_sealed_epoch_takes_no_more(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "trace", described())
    writer(message())
    writer.finish_epoch(0)
    with pytest.raises(TraceError, match="takes no more once its snapshot is stored"):
        writer(message())
    with pytest.raises(TraceError, match="must end with a snapshot"):
        writer.close()


def test_a_route_keeps_its_shape(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "trace", described())
    writer(message())
    with pytest.raises(TraceError, match=r"must keep shape \(2,\) and type float32"):
        writer(message(tensor=torch.ones(6, 3)))
    writer.abandon()


def test_a_message_changed_after_it_was_sent_is_found_out(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "trace", described())
    tensor = torch.ones(6, 2)
    writer(message(tensor=tensor))
    tensor.add_(1)
    writer.finish_epoch(0)
    with pytest.raises(TraceError, match=r"must not be changed in place.*clone it"):
        writer.close()
    assert list((tmp_path / "trace").glob("*.safetensors")) == []


@pytest.mark.parametrize("network", ["split-u-net", "own"])
def test_a_sample_that_crossed_twice(tmp_path: Path, network: str) -> None:
    description = described(epochs=(0,)).model_copy(update={"network": network})
    last = torch.rand(6, 2)
    with TraceWriter(tmp_path / "trace", description) as writer:
        writer(message())
        writer(message(tensor=last))
        writer.finish_epoch(0)
    reader = TraceReader(tmp_path / "trace")
    if network == "own":  # a job may draw with replacement
        assert torch.equal(reader.messages(UP, 0, list(SAMPLES)), last)
    else:
        with pytest.raises(TraceError, match=r"must cross once in epoch 0.*crossed 2 times"):
            reader.messages(UP, 0)
        return
    with pytest.raises(TraceError, match="only a split that leakaudit built can be rebuilt"):
        reader.rebuilt()
    with pytest.raises(TraceError, match="only training samples were recorded; found: sample 5"):
        reader.exchange([5])


def test_a_full_disk_stops_the_run_with_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Shard, folder: Path, *, sync: bool) -> tuple[str, int]:
        raise OSError(errno.ENOSPC, "No space left on device")

    run = Run()
    writer = TraceWriter(tmp_path / "trace", described())
    run.epoch(0, writer)
    writer.snapshot(0, run.network)
    monkeypatch.setattr(Shard, "write", full)
    run.epoch(1, writer)

    def go_on() -> None:
        writer.snapshot(1, run.network)
        writer.close()

    with pytest.raises(EnvironmentProblemError, match=r"No space left.*MiB free.*free disk space"):
        go_on()
    writer.abandon()


def test_an_unwritable_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(EnvironmentProblemError, match="folder must be writable"):
        TraceWriter(tmp_path / "file" / "trace", described())


def test_a_snapshot_of_another_network_is_refused(tmp_path: Path) -> None:
    other = Run(recorded_run.SPLIT.model_copy(update={"channels": (4, 8, 12)}))
    other.recorded(tmp_path / "trace", described(epochs=(0,)))
    with pytest.raises(TraceError, match="snapshot of epoch 0 must fit the network"):
        TraceReader(tmp_path / "trace").rebuilt().network(0)
