"""Size foreseen, disk checked, memory bounded; which epochs are kept."""

from __future__ import annotations

import json
import shutil
import time
import weakref
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from recorded_run import SAMPLES, SPACE, SPLIT, Run, described

from leakaudit.errors import ConfigurationError, EnvironmentProblemError
from leakaudit.exchange.message import Cut, Direction, Message, Route
from leakaudit.plugins import validated
from leakaudit.split.spec import SERVER
from leakaudit.trace import RecordingSettings
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.shard import Shard
from leakaudit.trace.size import check_disk, estimate_bytes
from leakaudit.trace.writer import TraceWriter

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize("labels_at", ["server", "flair"])
def test_the_size_is_foreseen(tmp_path: Path, labels_at: str) -> None:
    split = SPLIT.model_copy(update={"labels_at": labels_at})
    Run(split).recorded(tmp_path / "trace", described(split))
    size = sum(file.stat().st_size for file in (tmp_path / "trace").glob("*.safetensors"))
    foreseen = estimate_bytes(split, SPACE, len(SAMPLES), 2, weight_updates=2)
    assert size <= foreseen <= 1.1 * size


def test_a_disk_too_small_is_named_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def usage(path: Path) -> Usage:
        asked.append(path)
        return Usage(0, 0, 300 << 20)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    check_disk(tmp_path / "runs" / "not-yet", 300 << 20)
    with pytest.raises(EnvironmentProblemError, match=r"301 MiB needed; found: 300 MiB free; do: "):
        check_disk(tmp_path / "runs" / "not-yet", 301 << 20)
    assert asked == [tmp_path, tmp_path]


class Watched(np.ndarray[tuple[int, ...], np.dtype[np.float32]]):
    """Memory under a tensor that tells when it is let go."""


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Shard.write

    def slowly(self: Shard, folder: Path, *, sync: bool) -> tuple[str, int]:
        time.sleep(0.02)
        return write(self, folder, sync=sync)

    monkeypatch.setattr(Shard, "write", slowly)


SAMPLE = torch.tensor([3])
ROUTE = Route("t1", SERVER, Direction.ACTIVATION, Cut.ENCODER, 0)


@pytest.mark.usefixtures("slow_disk")
def test_held_memory_does_not_grow_with_the_number_of_messages(tmp_path: Path) -> None:
    limit, one = 1 << 16, 1 << 14
    held = most = 0

    def let_go() -> None:
        nonlocal held
        held -= 1

    description = described(epochs=(0,)).model_copy(update={"network": "own"})
    with TraceWriter(tmp_path / "trace", description, shard_bytes=limit) as writer:
        for step in range(100):
            memory = np.zeros((1, one // 4), np.float32).view(Watched)
            weakref.finalize(memory, let_go)
            held += 1
            writer(Message(ROUTE, torch.from_numpy(memory), SAMPLE, 0, step))
            del memory
            most = max(most, held)
        writer.finish_epoch(0)
    # Three shards of four messages, and the one being handed over.
    assert limit // one < most <= 3 * limit // one + 1


@pytest.mark.usefixtures("slow_disk")
def test_a_snapshot_holds_the_weights_of_its_moment(tmp_path: Path) -> None:
    run = Run()
    description = described(epochs=(0,))
    with TraceWriter(tmp_path / "trace", description) as writer:
        run.epoch(0, writer)
        before = run.network.head.project.bias.detach().clone()
        writer.snapshot(0, run.network)
        with torch.no_grad():
            run.network.head.project.bias.add_(1)
    head = TraceReader(tmp_path / "trace").rebuilt().server(0)[1]
    assert torch.equal(head.state_dict()["project.bias"], before)


def test_a_part_of_something_large_does_not_keep_all_of_it() -> None:
    shard = Shard("file", {})
    shard.add("part", torch.zeros(1000, 10)[:3])
    assert shard._held[0].tensor.untyped_storage().nbytes() == 3 * 10 * 4


def test_tensors_start_at_multiples_of_their_item_size(tmp_path: Path) -> None:
    description = described(epochs=(0,)).model_copy(update={"network": "own"})
    other = Route(SERVER, "t1", Direction.GRADIENT, Cut.ENCODER, 0)
    with TraceWriter(tmp_path / "trace", description) as writer:
        for step in range(3):
            writer(Message(other, torch.ones(1, 3, dtype=torch.uint8), SAMPLE, 0, step))
            writer(Message(ROUTE, torch.ones(1, 2), SAMPLE, 0, step))
        writer.finish_epoch(0)
    starts = set()
    for file in (tmp_path / "trace").glob("*.safetensors"):
        content = file.read_bytes()
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        starts |= {
            (8 + length + each["data_offsets"][0]) % {"F32": 4, "I64": 8, "U8": 1}[each["dtype"]]
            for name, each in header.items()
            if name != "__metadata__"
        }
    assert starts == {0}


@pytest.mark.parametrize(
    ("epochs", "kept"),
    [
        ("last", (9,)),
        ("all", tuple(range(10))),
        ("early and last", (1, 2, 9)),
        ([5, 2, 5], (2, 5)),
        ({"every": 4}, (1, 5, 9)),
        ({"every": 99}, (9,)),
    ],
)
def test_recorded_epochs(epochs: object, kept: tuple[int, ...]) -> None:
    settings = validated(RecordingSettings, {"epochs": epochs}, what="record")
    assert settings.chosen(10) == kept


@pytest.mark.parametrize("epochs", [[10], []])
def test_epochs_that_are_never_trained_are_refused(epochs: list[int]) -> None:
    settings = validated(RecordingSettings, {"epochs": epochs}, what="record")
    with pytest.raises(ConfigurationError, match="must be among the 10 trained, 0 to 9"):
        settings.chosen(10)


@pytest.mark.parametrize("epochs", ["first", [-1], {"every": 0}])
def test_other_settings_are_refused(epochs: object) -> None:
    with pytest.raises(ConfigurationError):
        validated(RecordingSettings, {"epochs": epochs}, what="record")
