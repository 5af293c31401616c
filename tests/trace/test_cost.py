"""Size foreseen, disk checked, memory bounded; which epochs are kept."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from recorded_run import SAMPLES, SPACE, SPLIT, Run, described

from leakaudit.errors import ConfigurationError, EnvironmentProblemError
from leakaudit.exchange.message import Cut, Direction, Message, Route
from leakaudit.plugins import validated
from leakaudit.split.spec import SERVER
from leakaudit.trace import RecordingSettings
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


def test_held_memory_does_not_grow_with_the_number_of_messages(tmp_path: Path) -> None:
    limit, one = 1 << 16, 1 << 14
    held = 0

    class Counted(torch.Tensor):
        """Tells when it is let go."""

        def __del__(self) -> None:
            nonlocal held
            held -= 1

    route = Route("t1", SERVER, Direction.ACTIVATION, Cut.ENCODER, 0)
    most = 0
    description = described(epochs=(0,)).model_copy(update={"network": "own"})
    with TraceWriter(tmp_path / "trace", description, shard_bytes=limit) as writer:
        for step in range(400):
            held += 1
            tensor = torch.zeros(1, one // 4).as_subclass(Counted)
            writer(Message(route, tensor, torch.tensor([3]), 0, step))
            del tensor
            most = max(most, held)
        writer.finish_epoch(0)
    # Three shards of four messages, and the one being handed over.
    assert most <= 3 * limit // one + 1


@pytest.mark.parametrize(
    ("epochs", "kept"),
    [
        ("last", (9,)),
        ("all", tuple(range(10))),
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
